//! A TUF repository on the loopback interface, made for each test: two keys, four roles, consistent snapshots.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

pub(super) const TRUSTED_ROOT: &str = "trusted_root.json";
pub(super) const SIGNING_CONFIG: &str = "signing_config.v0.2.json";
pub(super) const PAST: &str = "2020-01-01T00:00:00Z";
const FUTURE: &str = "2120-01-01T00:00:00Z";

/// A repository. It ends when it is dropped.
pub(super) struct Repository {
    address: SocketAddr,
    shared: Arc<Shared>,
    root: Arc<Key>,
    /// Of the other roles.
    online: Arc<Key>,
    root_version: u64,
    /// Of the other roles.
    pub(super) version: u64,
    /// Until when each role counts, where it is not for long.
    pub(super) expires: BTreeMap<&'static str, &'static str>,
    pub(super) targets: BTreeMap<String, Vec<u8>>,
}

#[derive(Default)]
struct Shared {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    requests: AtomicUsize,
    ends: AtomicBool,
}

/// A key of a role.
pub(super) struct Key(Ed25519KeyPair);

impl Key {
    pub(super) fn generate() -> Arc<Self> {
        Arc::new(Self(Ed25519KeyPair::generate().expect("a key")))
    }

    fn id(&self) -> String {
        hex(digest(&SHA256, self.0.public_key().as_ref()).as_ref())
    }

    fn json(&self) -> Value {
        let public = hex(self.0.public_key().as_ref());
        json!({ "keytype": "ed25519", "scheme": "ed25519", "keyval": { "public": public } })
    }
}

impl Repository {
    /// Publishes the first version of a trusted root and a signing configuration.
    pub(super) fn start(trusted_root: &str, signing_config: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on the loopback interface");
        let targets = [(TRUSTED_ROOT, trusted_root), (SIGNING_CONFIG, signing_config)];
        let mut repository = Self {
            address: listener.local_addr().expect("bound"),
            shared: Arc::default(),
            root: Key::generate(),
            online: Key::generate(),
            root_version: 1,
            version: 1,
            expires: BTreeMap::new(),
            targets: targets.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).into(),
        };
        repository.publish_root(None);
        repository.publish();
        let shared = Arc::clone(&repository.shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.ends.load(Ordering::Relaxed) {
                    break;
                }
                serve(&stream, &shared);
            }
        });
        repository
    }

    /// With a folder, as most are.
    pub(super) fn url(&self) -> String {
        format!("http://{}/tuf", self.address)
    }

    pub(super) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// The metadata of the root, of this version.
    pub(super) fn root(&self, version: u64) -> Vec<u8> {
        self.files()[&format!("{version}.root.json")].clone()
    }

    /// Every file, by its path in the repository.
    pub(super) fn files(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.shared.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs and publishes everything but the root, of [`Self::version`].
    pub(super) fn publish(&mut self) {
        self.publish_as(&Arc::clone(&self.online));
    }

    /// The same, signed by whoever has `key`, in the name of the right one.
    pub(super) fn publish_as(&mut self, key: &Key) {
        let version = self.version;
        let mut listed = json!({});
        for (name, content) in &self.targets {
            let hash = hex(digest(&SHA256, content).as_ref());
            listed[name] = json!({ "length": content.len(), "hashes": { "sha256": hash } });
            self.files().insert(format!("targets/{hash}.{name}"), content.clone());
        }
        let targets = self.sign("targets", json!({ "targets": listed }), key);
        let snapshot = self.sign("snapshot", json!({ "meta": { "targets.json": pin(version, &targets) } }), key);
        let timestamp = self.sign("timestamp", json!({ "meta": { "snapshot.json": pin(version, &snapshot) } }), key);
        let mut files = self.files();
        files.insert(format!("{version}.targets.json"), targets);
        files.insert(format!("{version}.snapshot.json"), snapshot);
        files.insert("timestamp.json".to_owned(), timestamp);
    }

    /// Publishes a root of the next version, with new keys. Whoever has `voucher` signs it in the name of the key before.
    pub(super) fn rotate(&mut self, voucher: Option<&Key>) {
        let before = std::mem::replace(&mut self.root, Key::generate());
        self.online = Key::generate();
        self.root_version += 1;
        self.publish_root(Some((voucher.unwrap_or(&before), before.id())));
    }

    fn publish_root(&mut self, other: Option<(&Key, String)>) {
        let (root, online) = (self.root.id(), self.online.id());
        let role = |id: &String| json!({ "keyids": [id], "threshold": 1 });
        let body = json!({
            "consistent_snapshot": true,
            "keys": { root.clone(): self.root.json(), online.clone(): self.online.json() },
            "roles": {
                "root": role(&root),
                "timestamp": role(&online),
                "snapshot": role(&online),
                "targets": role(&online),
            },
        });
        let signers: Vec<_> = [(&*self.root, root)].into_iter().chain(other).collect();
        let signed = self.complete("root", self.root_version, body);
        let metadata = envelope(&signed, &signers);
        self.files().insert(format!("{}.root.json", self.root_version), metadata);
    }

    fn sign(&self, role: &'static str, body: Value, key: &Key) -> Vec<u8> {
        envelope(&self.complete(role, self.version, body), &[(key, self.online.id())])
    }

    fn complete(&self, role: &'static str, version: u64, mut body: Value) -> Value {
        body["_type"] = role.into();
        body["spec_version"] = "1.0.31".into();
        body["version"] = version.into();
        body["expires"] = (*self.expires.get(role).unwrap_or(&FUTURE)).into();
        body
    }

    /// Refuses connections from now on.
    pub(super) fn stop(&self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        // It may wait for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        self.stop();
    }
}

/// `serde_json` writes members in order and without spaces: with texts of printable ASCII that is TUF's canonical JSON.
fn envelope(signed: &Value, signers: &[(&Key, String)]) -> Vec<u8> {
    let bytes = signed.to_string();
    let signature =
        |(key, id): &(&Key, String)| json!({ "keyid": id, "sig": hex(key.0.sign(bytes.as_bytes()).as_ref()) });
    json!({ "signatures": signers.iter().map(signature).collect::<Vec<_>>(), "signed": signed })
        .to_string()
        .into_bytes()
}

fn pin(version: u64, metadata: &[u8]) -> Value {
    json!({ "version": version, "length": metadata.len(), "hashes": { "sha256": hex(digest(&SHA256, metadata).as_ref()) } })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Answers one request.
fn serve(mut stream: &TcpStream, shared: &Shared) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    if request.is_empty() {
        return;
    }
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let path = request.split(' ').nth(1).and_then(|path| path.strip_prefix("/tuf/")).unwrap_or_default();
    let found = shared.files.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
    let (status, body) = found.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // A client may go at any time.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}
