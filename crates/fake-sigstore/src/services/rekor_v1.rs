//! The transparency log with version 1 of the interface: one shard that is full, and one that grows.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::checkpoint::Notary;
use crate::desk::{Desk, Lie};
use crate::encoding::{base64, canonical, hex, public_key_pem};
use crate::http::{Handler, Request, Response, lock};
use crate::key::{Key, KeyKind, random};
use crate::log_entry;
use crate::merkle::{Tree, leaf_hash};

/// How many entries the shard has that does not grow any more.
const ENTRIES_BEFORE: usize = 3;
/// How many entries one request may ask for.
const MAX_QUERIES: usize = 10;

/// A log in which indices go on from one shard to the next.
pub(crate) struct RekorV1 {
    pub(crate) notary: Notary,
    desk: Arc<Desk>,
    shards: Mutex<[Shard; 2]>,
    /// The entry with which the log begins where it is forked.
    first_of_fork: Vec<u8>,
}

struct Shard {
    tree_id: u64,
    first_index: u64,
    entries: Vec<Kept>,
}

struct Kept {
    kind: &'static str,
    body: Vec<u8>,
    integrated_time: i64,
    search_words: Vec<String>,
}

impl Shard {
    fn new(first_index: usize) -> Self {
        // A positive number of 64 bits and one length, as in a real log.
        let tree_id = u64::from_be_bytes(random()) >> 1 | 1 << 62;
        Self { tree_id, first_index: first_index as u64, entries: Vec::new() }
    }

    fn uuid(&self, body: &[u8]) -> String {
        format!("{:016x}{}", self.tree_id, hex(&leaf_hash(body)))
    }
}

impl RekorV1 {
    pub(crate) fn new(desk: Arc<Desk>, host: String, entries: usize) -> Self {
        let [key, stranger] = [(); 2].map(|()| Key::generate(KeyKind::EcdsaP256));
        let log = Self {
            notary: Notary { name: host, key, stranger },
            desk,
            shards: Mutex::new([Shard::new(0), Shard::new(ENTRIES_BEFORE)]),
            first_of_fork: log_entry::v1(&log_entry::of_a_stranger(1)).expect("an entry").body,
        };
        for shard in std::iter::repeat_n(0, ENTRIES_BEFORE).chain(std::iter::repeat_n(1, entries)) {
            log.keep_stranger(&mut lock(&log.shards)[shard]);
        }
        log
    }

    /// Adds an entry and gives its index.
    ///
    /// # Errors
    /// Why it can't be one.
    pub(crate) fn add(&self, proposed: &Value) -> Result<u64, &'static str> {
        let entry = log_entry::v1(proposed)?;
        let active = &mut lock(&self.shards)[1];
        Ok(active.first_index + self.keep(active, entry) as u64)
    }

    /// Adds an entry and gives what the log answers, which is not verified to be new.
    ///
    /// # Errors
    /// Why it can't be one.
    pub(crate) fn log(&self, proposed: &Value) -> Result<Value, &'static str> {
        let entry = log_entry::v1(proposed)?;
        let active = &mut lock(&self.shards)[1];
        let index = self.keep(active, entry);
        Ok(self.show(active, index))
    }

    /// How many entries all shards have.
    pub(crate) fn size(&self) -> u64 {
        let active = &lock(&self.shards)[1];
        active.first_index + active.entries.len() as u64
    }

    /// Adds an entry of somebody else.
    pub(crate) fn add_stranger(&self) {
        self.keep_stranger(&mut lock(&self.shards)[1]);
    }

    /// Loses the newest entries.
    pub(crate) fn forget(&self, entries: usize) {
        let active = &mut lock(&self.shards)[1].entries;
        active.truncate(active.len().saturating_sub(entries));
    }

    /// Of each kind in turn.
    fn keep_stranger(&self, shard: &mut Shard) {
        let is_even = shard.entries.len().is_multiple_of(2);
        let proposed = if is_even { log_entry::envelope_of_a_stranger() } else { log_entry::of_a_stranger(1) };
        self.keep(shard, log_entry::v1(&proposed).expect("an entry"));
    }

    fn keep(&self, shard: &mut Shard, entry: log_entry::Entry) -> usize {
        let log_entry::Entry { kind, body, search_words } = entry;
        shard.entries.push(Kept { kind, body, search_words, integrated_time: self.desk.now() });
        shard.entries.len() - 1
    }

    /// The bodies of a shard, in whichever history is told.
    fn bodies<'a>(&'a self, shard: &'a Shard) -> Vec<Cow<'a, [u8]>> {
        let with_another = self.desk.lies(Lie::EntryOfAnotherCertificate);
        let told = |body: &'a [u8]| {
            let another = with_another.then(|| log_entry::with_another_certificate(body)).flatten();
            another.map_or(Cow::Borrowed(body), Cow::Owned)
        };
        let mut bodies: Vec<_> = shard.entries.iter().map(|entry| told(&entry.body)).collect();
        if shard.first_index > 0
            && self.desk.lies(Lie::Forked)
            && let Some(first) = bodies.first_mut()
        {
            *first = self.first_of_fork.as_slice().into();
        }
        bodies
    }

    fn checkpoint(&self, shard: &Shard, tree: &Tree) -> String {
        self.notary.checkpoint(&format!("{} - {}", self.notary.name, shard.tree_id), tree, &self.desk)
    }

    /// An entry as the log shows it: an object with one member.
    fn show(&self, shard: &Shard, index: usize) -> Value {
        let bodies = self.bodies(shard);
        let tree = Tree::of(bodies.iter().map(AsRef::as_ref));
        // The lie is the body alone: the other entry's time may be before the certificate's.
        let Kept { kind, mut integrated_time, .. } = shard.entries[index];
        let index = match shard.entries.iter().position(|entry| entry.kind == kind) {
            Some(another) if self.desk.lies(Lie::EntryOfAnotherBody) => another,
            _ => index,
        };
        let (body, mut log_index) = (bodies[index].as_ref(), shard.first_index + index as u64);
        let (log_id, encoded) = (hex(&self.notary.key.id()), base64(body));
        let promise = |time: i64| {
            let signed = json!({ "body": encoded, "integratedTime": time, "logID": log_id, "logIndex": log_index });
            base64(&self.notary.key.sign(canonical(&signed).as_bytes()))
        };
        let set = promise(integrated_time);
        if self.desk.lies(Lie::SetAltered) {
            integrated_time -= 1;
        }
        if self.desk.lies(Lie::LogIndexOff) {
            log_index = log_index.checked_sub(1).unwrap_or(1);
        }
        let mut proof = tree.inclusion(index as u64);
        if self.desk.lies(Lie::InclusionProofAltered) {
            proof.first_mut().expect("more than one entry")[0] ^= 1;
        }
        let proof: Vec<_> = proof.iter().map(|hash| hex(hash)).collect();
        json!({ shard.uuid(body): {
            "body": encoded,
            "integratedTime": integrated_time,
            "logID": log_id,
            "logIndex": log_index,
            "verification": {
                "inclusionProof": {
                    "checkpoint": self.checkpoint(shard, &tree),
                    "hashes": proof,
                    "logIndex": index,
                    "rootHash": hex(&tree.root()),
                    "treeSize": tree.size(),
                },
                "signedEntryTimestamp": set,
            },
        } })
    }

    fn create(&self, request: &Request) -> Response {
        let refuse = |message: &str| self.desk.service().error(400, &format!("error processing entry: {message}"));
        let Some(proposed) = request.json() else { return refuse("no JSON") };
        let entry = match log_entry::v1(&proposed) {
            Ok(entry) => entry,
            Err(message) => return refuse(message),
        };
        let active = &mut lock(&self.shards)[1];
        let uuid = active.uuid(&entry.body);
        let location = format!("/api/v1/log/entries/{uuid}");
        if active.entries.iter().any(|kept| kept.body == entry.body) {
            let message = format!("an equivalent entry already exists in the transparency log with UUID {uuid}");
            return self.desk.service().error(409, &message).with("Location", location);
        }
        let index = self.keep(active, entry);
        Response::json(201, &self.show(active, index)).with("Location", location).with("ETag", uuid)
    }

    fn by_index(&self, index: u64) -> Option<Value> {
        let shards = lock(&self.shards);
        let shard = shards.iter().rfind(|shard| shard.first_index <= index)?;
        let index = usize::try_from(index - shard.first_index).ok()?;
        (index < shard.entries.len()).then(|| self.show(shard, index))
    }

    /// An entry by its whole identifier, or by the hash of its leaf alone.
    fn by_uuid(&self, uuid: &str) -> Option<Value> {
        let uuid = uuid.to_ascii_lowercase();
        let shards = lock(&self.shards);
        shards.iter().find_map(|shard| {
            let is_it = |body: &Cow<'_, [u8]>| {
                let whole = shard.uuid(body);
                whole == uuid || whole[16..] == uuid
            };
            let index = self.bodies(shard).iter().position(is_it)?;
            Some(self.show(shard, index))
        })
    }

    fn log_info(&self) -> Value {
        let shards = lock(&self.shards);
        let [mut before, mut info] = [0, 1].map(|shard| {
            let shard = &shards[shard];
            let tree = Tree::of(self.bodies(shard).iter().map(AsRef::as_ref));
            json!({
                "rootHash": hex(&tree.root()),
                "signedTreeHead": self.checkpoint(shard, &tree),
                "treeID": shard.tree_id.to_string(),
                "treeSize": tree.size(),
            })
        });
        info["inactiveShards"] = Value::Array(vec![before.take()]);
        info
    }

    fn consistency(&self, request: &Request) -> Response {
        let refuse = |message: &str| self.desk.service().error(400, message);
        let number = |name: &str| request.parameter(name).and_then(|value| value.parse::<u64>().ok());
        let (first, last) = (number("firstSize").unwrap_or(1), number("lastSize").unwrap_or(0));
        if first > last {
            return refuse(&format!("firstSize({first}) must be less than lastSize({last})"));
        }
        let shards = lock(&self.shards);
        let shard = match request.parameter("treeID") {
            Some(id) => shards.iter().find(|shard| shard.tree_id.to_string() == id),
            None => Some(&shards[1]),
        };
        let Some(shard) = shard else { return refuse("no such tree") };
        let tree = Tree::of(self.bodies(shard).iter().map(AsRef::as_ref));
        let Some(proof) = tree.consistency(first, last) else {
            let size = tree.size();
            return refuse(&format!(
                "the tree size requested({last}) was greater than what is currently observable({size})"
            ));
        };
        let hashes: Vec<_> = proof.iter().map(|hash| hex(hash)).collect();
        Response::json(200, &json!({ "hashes": hashes, "rootHash": hex(&tree.root()) }))
    }

    fn retrieve(&self, request: &Request) -> Response {
        let refuse = |status, message: &str| self.desk.service().error(status, message);
        let Some(query) = request.json() else { return refuse(400, "no JSON") };
        let list = |name: &str| query.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let [indices, uuids, proposed] = ["logIndexes", "entryUUIDs", "entries"].map(list);
        if indices.len() + uuids.len() + proposed.len() > MAX_QUERIES {
            return refuse(422, &format!("more than max allowed {MAX_QUERIES} entries in request"));
        }
        let mut found = Vec::new();
        found.extend(uuids.iter().filter_map(|uuid| self.by_uuid(uuid.as_str()?)));
        for proposed in &proposed {
            match log_entry::v1(proposed) {
                Ok(entry) => found.extend(self.by_uuid(&hex(&leaf_hash(&entry.body)))),
                Err(message) => return refuse(400, message),
            }
        }
        found.extend(indices.iter().filter_map(|index| self.by_index(index.as_u64()?)));
        Response::json(200, &Value::Array(found))
    }

    /// The identifiers of the entries with any of these words.
    fn search(&self, request: &Request) -> Response {
        let Some(query) = request.json() else { return self.desk.service().error(400, "no JSON") };
        let word = |name: &str| Some(query.get(name)?.as_str()?.to_ascii_lowercase());
        let digest = word("hash").map(|hash| if hash.contains(':') { hash } else { format!("sha256:{hash}") });
        let words: Vec<_> = [digest, word("email"), word("subject")].into_iter().flatten().collect();
        let shards = lock(&self.shards);
        let uuids = shards.iter().flat_map(|shard| {
            let has = |entry: &&Kept| entry.search_words.iter().any(|word| words.contains(word));
            let told = shard.entries.iter().zip(self.bodies(shard)).filter(|(entry, _)| has(entry));
            told.map(|(_, body)| shard.uuid(&body)).collect::<Vec<_>>()
        });
        Response::json(200, &uuids.collect())
    }
}

impl Handler for RekorV1 {
    fn answer(&self, request: &Request) -> Response {
        let found = |entry: Option<Value>| match entry {
            Some(entry) => Response::json(200, &entry),
            None => self.desk.service().error(404, "Not Found"),
        };
        match (request.method.as_str(), request.path.trim_end_matches('/')) {
            ("POST", "/api/v1/log/entries") => self.create(request),
            ("POST", "/api/v1/log/entries/retrieve") => self.retrieve(request),
            ("POST", "/api/v1/index/retrieve") => self.search(request),
            ("GET", "/api/v1/log") => Response::json(200, &self.log_info()),
            ("GET", "/api/v1/log/publicKey") => {
                Response::new(200, "application/x-pem-file", public_key_pem(self.notary.key.spki()))
            }
            ("GET", "/api/v1/log/proof") => self.consistency(request),
            ("GET", "/api/v1/log/entries") => match request.parameter("logIndex").map(str::parse) {
                Some(Ok(index)) => found(self.by_index(index)),
                _ => self.desk.service().error(422, "logIndex in query is required"),
            },
            ("GET", path) => found(path.strip_prefix("/api/v1/log/entries/").and_then(|uuid| self.by_uuid(uuid))),
            _ => self.desk.service().error(404, "Not Found"),
        }
    }
}
