use rcgen::{CertificateParams, KeyPair, SanType};

use super::*;
use crate::certificate::{IdentityRule, UnixTime};
use crate::key::KeyAlgorithm;
use crate::log::testing::{MemoryTiles, TestLog, entries, merkle_root, prove_consistency, prove_inclusion};
use crate::log::{LogKey, TreeHash};
use crate::sigstore::{Instance, TrustedRoot};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const NAME: &str = "me@example.com";

fn watch() -> Watch {
    Watch::new(IdentityRule::Exact(NAME.to_owned()), None, TrustedRoot::embedded(Instance::Production))
}

/// A certificate that somebody made for themselves: PEM and DER.
fn certificate(name: &str) -> (String, Vec<u8>) {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::Rfc822Name(name.try_into().expect("ASCII"))];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate.pem(), certificate.der().to_vec())
}

/// Entries, the last of which names the identity.
fn entries_with_ours(count: usize) -> Vec<Vec<u8>> {
    let mut entries = entries(count);
    let ours = format!(r#"{{"verifier":"{}"}}"#, STANDARD.encode(certificate(NAME).1));
    *entries.last_mut().expect("one") = ours.into_bytes();
    entries
}

#[test]
fn a_certificate_is_seen_wherever_it_is() {
    let (pem, der) = certificate(NAME);
    let (other, _) = certificate("other@example.com");
    let line = serde_json::to_string(&pem).expect("a text");
    let (once, twice) = (STANDARD.encode(&pem), STANDARD.encode(STANDARD.encode(&pem)));
    for body in [
        format!(r#"{{"spec":{{"signature":{{"publicKey":{{"content":"{once}"}}}}}}}}"#),
        format!(r#"[[[{{"rawBytes":"{}"}}]]]"#, STANDARD.encode(&der)),
        format!(r#"{{"publicKey":"{twice}"}}"#),
        line.clone(),
        format!(r#"{{"twice":"{once}","twice":"x"}}"#),
        format!(r#"{{"a":"{once}","b":{}"#, "[".repeat(1_000)),
        format!(r#"{{"a":"{}"}}"#, STANDARD.encode(format!("{other}{pem}"))),
        format!(
            r#"{{"a":"{}"}}"#,
            STANDARD.encode(format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{pem}"))
        ),
    ] {
        let found = watch().look(body.as_bytes());
        assert_eq!(found.len(), 1, "{body}");
        assert_eq!((found[0].identity.as_str(), found[0].is_issued_by_instance), (NAME, false), "{body}");
    }
    let both = format!(r#"["{once}","{once}","{}"]"#, STANDARD.encode(&other));
    assert_eq!(watch().look(both.as_bytes()).len(), 1, "each once");
    for body in ["", "{}", "\u{ff}", &format!(r#"{{"a":"{}"}}"#, STANDARD.encode(&other))] {
        assert_eq!(watch().look(body.as_bytes()), [], "{body}");
    }
    let provider = Some(IdentityRule::Exact("https://issuer.example".to_owned()));
    let of_provider =
        Watch::new(IdentityRule::Exact(NAME.to_owned()), provider, TrustedRoot::embedded(Instance::Production));
    assert_eq!(of_provider.look(line.as_bytes()), [], "nobody vouches for it");
    assert_ne!(of_provider.to_string(), watch().to_string());
}

struct Tiles<'a> {
    tiles: MemoryTiles,
    log: &'a TestLog,
    size: usize,
}

impl crate::log::TileSource for Tiles<'_> {
    type Error = String;

    fn tile(&mut self, tile: crate::log::Tile) -> Result<Vec<u8>, String> {
        self.tiles.tile(tile)
    }

    fn entries(&mut self, bundle: crate::log::EntryBundle) -> Result<Vec<u8>, String> {
        match bundle.index() {
            3 => Err("the third bundle is gone".to_owned()),
            _ => self.tiles.entries(bundle),
        }
    }
}

impl TiledLog for Tiles<'_> {
    fn checkpoint(&mut self) -> Result<String, String> {
        Ok(self.log.checkpoint("log.example", self.size as u64, self.tiles.root_of(self.size)))
    }
}

fn followed(keys: &[LogKey], max_entries: u64) -> FollowedLog<'_> {
    FollowedLog { keys, now: UnixTime(1_000), max_entries }
}

#[test]
fn what_was_read_of_tiles_is_kept_though_the_rest_fails() {
    let log = TestLog::new(KeyAlgorithm::Ed25519, "log.example");
    let keys = [log.public.clone()];
    let all = entries_with_ours(1_000);
    let tiles = |size| Tiles { tiles: MemoryTiles::new(all.clone()), log: &log, size };
    let begun = follow_tiles(tiles(300), &followed(&keys, 1_000), None, None, &watch());
    assert!(begun.has_begun && begun.is_new_state && begun.entries_read == 0);
    let state = begun.state.expect("kept");
    let round = follow_tiles(tiles(1_000), &followed(&keys, 1_000), Some(&state), None, &watch());
    assert_eq!(round.error, Some(FollowError::Source("the third bundle is gone".to_owned())));
    assert_eq!((round.entries_read, round.entries_left), (768 - 300, 1_000 - 768));
    let kept = round.state.expect("kept");
    assert_eq!((kept.trees[0].next, kept.trees[0].checkpoint.size()), (768, 1_000));
    assert_eq!(LogState::from_json(kept.to_json().as_bytes(), &followed(&keys, 0)).expect("its own"), kept);

    // Another log with the same key.
    let other = Tiles { tiles: MemoryTiles::new(entries(1_000)), log: &log, size: 1_000 };
    let round = follow_tiles(other, &followed(&keys, 1_000), Some(&kept), None, &watch());
    let Some(FollowError::Inconsistent { reason: Inconsistency::Forked { .. }, evidence: Some(note) }) = round.error
    else {
        panic!("{:?}", round.error)
    };
    assert!(note.starts_with("log.example\n1000\n"));
    assert_eq!((round.state.as_ref(), round.is_new_state), (Some(&kept), false));
}

/// The interface of a log in memory. The last tree grows by an entry with every batch that is asked for.
struct Api<'a> {
    log: &'a TestLog,
    trees: Vec<(u64, Vec<Vec<u8>>)>,
    grows: bool,
    asked: usize,
}

impl Api<'_> {
    fn leaves(&self, at: usize) -> Vec<TreeHash> {
        self.trees[at].1.iter().map(|entry| TreeHash::of_leaf(entry)).collect()
    }

    fn checkpoint(&self, at: usize) -> String {
        let leaves = self.leaves(at);
        self.log.checkpoint(&format!("log.example - {}", self.trees[at].0), leaves.len() as u64, merkle_root(&leaves))
    }
}

impl ApiLog for &mut Api<'_> {
    type Error = String;

    fn checkpoints(&mut self) -> Result<Vec<String>, String> {
        Ok((0..self.trees.len()).map(|at| self.checkpoint(at)).collect())
    }

    fn consistency(&mut self, tree: u64, old: u64, new: u64) -> Result<Vec<TreeHash>, String> {
        let at = self.trees.iter().position(|(number, _)| *number == tree).ok_or("no such tree")?;
        let (old, new) = (usize::try_from(old).expect("small"), usize::try_from(new).expect("small"));
        Ok(prove_consistency(old, self.leaves(at).get(..new).ok_or("no such size")?))
    }

    fn entries(&mut self, first: u64, count: usize) -> Result<Vec<ApiEntry>, String> {
        assert!(count <= MAX_ENTRIES_ASKED);
        self.asked += count;
        if self.grows {
            let tree = &mut self.trees.last_mut().expect("one").1;
            tree.push(format!("new {}", tree.len()).into_bytes());
        }
        let mut found = Vec::new();
        for log_index in first..first + count as u64 {
            let (mut at, mut index) = (0, usize::try_from(log_index).expect("small"));
            while index >= self.trees[at].1.len() {
                index -= self.trees[at].1.len();
                at += 1;
            }
            found.insert(
                0,
                ApiEntry {
                    body: self.trees[at].1[index].clone(),
                    log_index,
                    log_id: self.log.public.id(),
                    integrated_time: 7,
                    promise: None,
                    tree_index: index as u64,
                    hashes: prove_inclusion(index, &self.leaves(at)),
                    checkpoint: self.checkpoint(at),
                },
            );
        }
        Ok(found)
    }
}

#[test]
fn shards_are_read_one_after_the_other_while_the_log_grows() {
    let log = TestLog::new(KeyAlgorithm::EcdsaP256, "log.example");
    let keys = [log.public.clone()];
    let mut api = Api { log: &log, trees: vec![(5, entries_with_ours(13))], grows: true, asked: 0 };
    let state = follow_api(&mut api, &followed(&keys, 100), None, None, &watch()).state.expect("kept");
    assert_eq!(api.asked, 0);
    // A new tree is read from its beginning.
    api.trees.push((6, entries_with_ours(25)));
    let round = follow_api(&mut api, &followed(&keys, 100), Some(&state), None, &watch());
    assert_eq!((&round.error, round.entries_read, round.entries_left), (&None, 25, 0));
    let [finding] = round.findings.as_slice() else { panic!("{:?}", round.findings) };
    assert_eq!((finding.origin.as_str(), finding.index, finding.integrated_time), ("log.example - 6", 13 + 24, None));
    assert_eq!(finding.uuid, Some(format!("{:016x}{}", 6, finding.entry_hash)));
    // From an index on, over both, in parts.
    let since = Since::Index(12);
    let round = follow_api(&mut api, &followed(&keys, 5), round.state.as_ref(), Some(&since), &watch());
    assert_eq!((round.findings.len(), round.findings[0].index, round.entries_read), (1, 12, 5));
    let next: Vec<u64> = round.state.iter().flat_map(|state| &state.trees).map(|tree| tree.next).collect();
    assert_eq!(next, [13, 4]);
}

#[test]
fn shards_do_not_go_or_change_places() {
    let log = TestLog::new(KeyAlgorithm::EcdsaP256, "log.example");
    let keys = [log.public.clone()];
    let trees = vec![(5, entries(3)), (6, entries(4))];
    let mut api = Api { log: &log, trees, grows: false, asked: 0 };
    let state = follow_api(&mut api, &followed(&keys, 100), None, None, &watch()).state.expect("kept");
    let mut follow = |trees: Vec<(u64, Vec<Vec<u8>>)>| {
        api.trees = trees;
        follow_api(&mut api, &followed(&keys, 100), Some(&state), None, &watch()).error
    };
    let reason = |error: Option<FollowError<String>>| match error {
        Some(FollowError::Inconsistent { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(follow(vec![(5, entries(3)), (6, entries(4))]), None);
    assert_eq!(follow(vec![(5, entries(3)), (6, entries(9)), (7, entries(0))]), None);
    for gone in [vec![(5, entries(3))], vec![(6, entries(4)), (5, entries(3))], vec![(6, entries(4))]] {
        assert!(matches!(reason(follow(gone)), Inconsistency::Gone { .. }));
    }
    assert!(matches!(reason(follow(vec![(5, entries(2)), (6, entries(4))])), Inconsistency::Shrunk { .. }));
    assert!(matches!(reason(follow(vec![(5, entries_with_ours(3)), (6, entries(4))])), Inconsistency::Forked { .. }));
    assert!(matches!(reason(follow(vec![(5, entries_with_ours(3)), (6, entries(9))])), Inconsistency::Forked { .. }));
    let twice = follow(vec![(5, entries(3)), (6, entries(4)), (5, entries(3))]);
    assert_eq!(twice, Some(FollowError::Malformed("a tree is there twice".to_owned())));
    assert!(matches!(follow(Vec::new()), Some(FollowError::Malformed(_))));
}
