//! The logs can be read like real ones, and a monitor finds a fork.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_sigstore::{Claims, Instance, KeyKind, Lie, Options, Service};
use serde_json::{Value, json};
use sigstore_merkle::{hash_children, hash_leaf, verify_consistency_proof, verify_inclusion_proof};
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{Checkpoint, Sha256Hash};

use super::client::{ARTIFACT, SIGNER, Signer, get, hex, log_url, post, sha256, sign_v1, sign_v2};

fn hash(hex: &Value) -> Sha256Hash {
    Sha256Hash::from_hex(hex.as_str().expect("hex")).expect("a hash")
}

/// A checkpoint that one of the logs in the trusted root signed.
fn signed_checkpoint(sigstore: &Instance, text: &str) -> Checkpoint {
    let checkpoint = Checkpoint::from_text(text).expect("a checkpoint");
    let keys = TrustedRoot::from_json(&sigstore.trusted_root_json()).expect("a root").rekor_keys().expect("keys");
    let [signature] = checkpoint.signatures() else { panic!("one signature") };
    let now = "2100-01-01T00:00:00Z".parse().expect("a time");
    let mut keys = keys.keys_by_hint(&signature.key_id, now);
    keys.next().expect("a key").verify(checkpoint.signed_data(), &signature.signature).expect("signed");
    checkpoint
}

#[test]
fn a_log_can_forget() {
    let sigstore = Instance::start();
    for log in [Service::RekorV1, Service::RekorV2] {
        let before = sigstore.log_size(log);
        sigstore.add_strangers(log, 3);
        sigstore.forget_newest(log, 4);
        assert_eq!(sigstore.log_size(log), before - 1);
    }
}

mod v1 {
    use super::*;

    fn at(sigstore: &Instance, path: &str) -> Value {
        let answer = get(&format!("{}/api/v1/{path}", sigstore.url(Service::RekorV1)));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// The one entry in an answer, with its identifier.
    fn only(answer: &Value) -> (&str, &Value) {
        let entries: Vec<_> = answer.as_object().expect("an object").iter().collect();
        let [(uuid, entry)] = &entries[..] else { panic!("one entry: {answer}") };
        (uuid, entry)
    }

    fn assert_included(sigstore: &Instance, entry: &Value) {
        let body = STANDARD.decode(entry["body"].as_str().expect("base64")).expect("base64");
        let proof = &entry["verification"]["inclusionProof"];
        let hashes: Vec<_> = proof["hashes"].as_array().expect("hashes").iter().map(hash).collect();
        let [index, size] = ["logIndex", "treeSize"].map(|name| proof[name].as_u64().expect("a number"));
        verify_inclusion_proof(&hash_leaf(&body), index, size, &hashes, &hash(&proof["rootHash"])).expect("included");
        let checkpoint = signed_checkpoint(sigstore, proof["checkpoint"].as_str().expect("a checkpoint"));
        assert_eq!((checkpoint.tree_size(), *checkpoint.root_hash()), (size, hash(&proof["rootHash"])));
    }

    #[test]
    fn every_entry_of_every_shard_is_there() {
        let sigstore = Instance::start();
        sign_v1(&sigstore);
        let size = sigstore.log_size(Service::RekorV1);
        let info = at(&sigstore, "log");
        let before = &info["inactiveShards"][0];
        assert_eq!(before["treeSize"].as_u64().expect("a size") + info["treeSize"].as_u64().expect("a size"), size);
        for shard in [&info, before] {
            let checkpoint = signed_checkpoint(&sigstore, shard["signedTreeHead"].as_str().expect("a checkpoint"));
            assert_eq!(*checkpoint.root_hash(), hash(&shard["rootHash"]));
            assert!(checkpoint.origin().ends_with(&format!(" - {}", shard["treeID"].as_str().expect("an id"))));
        }
        for index in 0..size {
            let answer = at(&sigstore, &format!("log/entries?logIndex={index}"));
            let (uuid, entry) = only(&answer);
            assert_eq!(entry["logIndex"].as_u64(), Some(index));
            assert_included(&sigstore, entry);
            assert_eq!(only(&at(&sigstore, &format!("log/entries/{uuid}"))).1["body"], entry["body"]);
        }
        let missing = get(&format!("{}?logIndex={size}", log_url(&sigstore, Service::RekorV1)));
        assert_eq!(missing.status, 404);
    }

    #[test]
    fn entries_are_retrieved_by_index_identifier_and_content() {
        let sigstore = Instance::start();
        let signer = Signer::new(&sigstore);
        let signed = signer.sign();
        signer.log_v1(&sigstore, &signed);
        let url = format!("{}/retrieve", log_url(&sigstore, Service::RekorV1));
        let last = sigstore.log_size(Service::RekorV1) - 1;
        let found = post(&url, &json!({ "logIndexes": [0, last, last + 1] })).json();
        assert_eq!(found.as_array().map(Vec::len), Some(2));
        let (uuid, _) = only(&found[1]);
        let queries = [
            json!({ "entryUUIDs": [uuid] }),
            json!({ "entryUUIDs": [&uuid[16..]] }),
            json!({ "entries": [signer.dsse_entry(&signed)] }),
        ];
        for query in queries {
            let found = post(&url, &query).json();
            assert_eq!(only(&found[0]).0, uuid, "{query}");
        }
        assert_eq!(post(&url, &json!({ "logIndexes": vec![0; 11] })).status, 422);
        // The same entry again is a conflict.
        let again = post(&log_url(&sigstore, Service::RekorV1), &signer.dsse_entry(&signed));
        assert_eq!(again.status, 409);
        assert_eq!(again.header("Location"), Some(format!("/api/v1/log/entries/{uuid}").as_str()));
    }

    #[test]
    fn entries_are_found_by_who_signed_and_what() {
        let sigstore = Instance::start();
        sign_v1(&sigstore);
        let index = sigstore.add_entry_of(Service::RekorV1, &Claims::email("another@example.com"));
        let search = |query: Value| {
            let url = format!("{}/api/v1/index/retrieve", sigstore.url(Service::RekorV1));
            post(&url, &query).json().as_array().expect("a list").clone()
        };
        assert_eq!(search(json!({ "email": SIGNER })).len(), 1);
        assert_eq!(search(json!({ "email": SIGNER })), search(json!({ "hash": hex(&sha256(ARTIFACT)) })));
        assert_eq!(search(json!({ "email": "nobody@example.com" })), Vec::<Value>::new());
        let [another] = &search(json!({ "email": "another@example.com" }))[..] else { panic!("one entry") };
        let entry = at(&sigstore, &format!("log/entries/{}", another.as_str().expect("an identifier")));
        assert_eq!(only(&entry).1["logIndex"].as_u64(), Some(index));
    }

    #[test]
    fn the_log_is_consistent_until_it_is_forked() {
        let sigstore = Instance::start();
        let before = at(&sigstore, "log");
        sigstore.add_strangers(Service::RekorV1, 7);
        let is_consistent = || {
            let after = at(&sigstore, "log");
            let [first, last] = [&before, &after].map(|info| info["treeSize"].as_u64().expect("a size"));
            let proof = at(&sigstore, &format!("log/proof?firstSize={first}&lastSize={last}"));
            assert_eq!(proof["rootHash"], after["rootHash"]);
            let hashes: Vec<_> = proof["hashes"].as_array().expect("hashes").iter().map(hash).collect();
            let [one, other] = [&before, &after].map(|info| hash(&info["rootHash"]));
            verify_consistency_proof(first, last, &hashes, &one, &other).is_ok()
        };
        assert!(is_consistent());
        sigstore.lie(Service::RekorV1, Lie::Forked);
        assert!(!is_consistent());
        let url = |query: &str| format!("{}/api/v1/log/proof?{query}", sigstore.url(Service::RekorV1));
        for query in ["firstSize=3&lastSize=2", "firstSize=1&lastSize=1000", "firstSize=1", "lastSize=2&treeID=1"] {
            assert_eq!(get(&url(query)).status, 400, "{query}");
        }
    }
}

mod v2 {
    use super::*;

    fn at(sigstore: &Instance, path: &str) -> Vec<u8> {
        let answer = get(&format!("{}/api/v2/{path}", sigstore.url(Service::RekorV2)));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.body
    }

    fn checkpoint(sigstore: &Instance) -> Checkpoint {
        signed_checkpoint(sigstore, &String::from_utf8(at(sigstore, "checkpoint")).expect("text"))
    }

    /// The paths of the tiles of a level that has this many hashes.
    fn paths(level: &str, size: u64) -> impl Iterator<Item = String> {
        (0..size.div_ceil(256)).map(move |index| match size - index * 256 {
            256.. => format!("tile/{level}/{index:03}"),
            width => format!("tile/{level}/{index:03}.p/{width}"),
        })
    }

    fn hashes(sigstore: &Instance, level: u32, size: u64) -> Vec<Sha256Hash> {
        let bytes: Vec<u8> = paths(&level.to_string(), size).flat_map(|path| at(sigstore, &path)).collect();
        bytes.chunks(32).map(|hash| Sha256Hash::new(hash.try_into().expect("32 bytes"))).collect()
    }

    fn entries(sigstore: &Instance, size: u64) -> Vec<Vec<u8>> {
        let mut entries = Vec::new();
        for path in paths("entries", size) {
            let mut bytes = &at(sigstore, &path)[..];
            while let Some((length, rest)) = bytes.split_first_chunk() {
                let (entry, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
                entries.push(entry.to_vec());
                bytes = rest;
            }
        }
        entries
    }

    fn root(hashes: &[Sha256Hash]) -> Sha256Hash {
        match hashes {
            [hash] => *hash,
            _ => {
                let (left, right) = hashes.split_at(1 << (hashes.len() - 1).ilog2());
                hash_children(&root(left), &root(right))
            }
        }
    }

    #[test]
    fn tiles_make_the_root_of_the_checkpoint() {
        // On either side of a whole tile.
        for entries in [255, 256, 600] {
            let sigstore = Instance::start_with(Options { entries, ..Options::default() });
            sign_v2(&sigstore);
            let checkpoint = checkpoint(&sigstore);
            let size = checkpoint.tree_size();
            assert_eq!([size, sigstore.log_size(Service::RekorV2)], [entries as u64 + 1; 2]);
            let leaves: Vec<_> = super::v2::entries(&sigstore, size).iter().map(|body| hash_leaf(body)).collect();
            assert_eq!(leaves, hashes(&sigstore, 0, size));
            assert_eq!(root(&leaves), *checkpoint.root_hash());
            let whole_tiles: Vec<_> = leaves.chunks_exact(256).map(root).collect();
            assert_eq!(whole_tiles, hashes(&sigstore, 1, size / 256));
        }
    }

    #[test]
    fn the_log_is_at_its_root_too_and_has_no_more_than_it_has() {
        let sigstore = Instance::start_with(Options { rekor_v2_key: KeyKind::EcdsaP256, ..Options::default() });
        let url = sigstore.url(Service::RekorV2);
        checkpoint(&sigstore);
        assert_eq!(get(&format!("{url}/tile/0/000.p/5")).body, at(&sigstore, "tile/0/000.p/5"));
        assert_eq!(get(&format!("{url}/checkpoint")).status, 200);
        for path in [
            "tile/0/000",
            "tile/0/000.p/6",
            "tile/0/001.p/1",
            "tile/1/000.p/1",
            "tile/entries/000.p/6",
            "tile/x/000.p/1",
        ] {
            assert_eq!(get(&format!("{url}/api/v2/{path}")).status, 404, "{path}");
        }
    }

    #[test]
    fn entries_of_others_can_be_seen() {
        let sigstore = Instance::start();
        let index = sigstore.add_entry_of(Service::RekorV2, &Claims::email("another@example.com"));
        let entry = &entries(&sigstore, index + 1)[usize::try_from(index).expect("small")];
        let entry: Value = serde_json::from_slice(entry).expect("JSON");
        let verifier = &entry["spec"]["hashedRekordV002"]["signature"]["verifier"];
        let certificate = STANDARD.decode(verifier["x509Certificate"]["rawBytes"].as_str().expect("base64"));
        let name = b"another@example.com";
        assert!(certificate.expect("base64").windows(name.len()).any(|bytes| bytes == name));
    }

    #[test]
    fn a_fork_changes_the_root_of_what_was_there() {
        let sigstore = Instance::start();
        let size = checkpoint(&sigstore).tree_size();
        let before = root(&hashes(&sigstore, 0, size));
        sigstore.add_strangers(Service::RekorV2, 3);
        assert_eq!(root(&hashes(&sigstore, 0, size)), before);
        sigstore.lie(Service::RekorV2, Lie::Forked);
        assert_ne!(root(&hashes(&sigstore, 0, size)), before);
        let forked = checkpoint(&sigstore);
        assert_eq!(root(&hashes(&sigstore, 0, forked.tree_size())), *forked.root_hash());
    }

    #[test]
    fn the_same_entry_again_is_a_conflict() {
        let sigstore = Instance::start();
        let signer = Signer::new(&sigstore);
        let signed = signer.sign();
        signer.log_v2(&sigstore, &signed);
        let again = post(&log_url(&sigstore, Service::RekorV2), &signer.hashedrekord_request(&signed));
        assert_eq!((again.status, again.header("X-Log-Index")), (409, Some("5")));
    }
}
