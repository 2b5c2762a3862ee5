//! A stack that runs: keys of its own, servers on free ports, and the documents that clients trust it by.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::authority::Authority;
use super::http;
use super::install::Programs;
use super::issuer::token::{AUDIENCE, Issuer};
use super::issuer::{Issuers, Realm};
use super::keys::{LogAlgorithm, LogKey, TokenKey};
use super::servers::{Server, Service, Start, free_ports};
use super::trust::{Anchors, Files};

/// Whose checkpoints the logs sign: clients expect the host of Rekor's URL, without the port.
const ORIGIN: &str = "127.0.0.1";
/// Where the timestamp authority takes requests.
const TSA_PATH: &str = "/api/v1/timestamp";
/// How often logs publish: the signer waits for it.
const CHECKPOINT_INTERVAL: &str = "200ms";
/// How long logs wait for more entries to add with the first.
const BATCH_AGE: &str = "20ms";

/// What differs from one stack to another.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// What Rekor signs checkpoints with.
    pub(crate) rekor: LogAlgorithm,
}

/// A running stack. It ends when this is dropped.
pub(crate) struct Stack {
    /// The documents for clients.
    pub(crate) files: Files,
    /// Where everything is.
    pub(crate) urls: Urls,
    layout: Layout,
    issuers: Option<Issuers>,
    key: Arc<TokenKey>,
    servers: Vec<Server>,
}

/// The URLs of a stack.
#[derive(Clone, Debug)]
pub(crate) struct Urls {
    pub(crate) fulcio: String,
    pub(crate) ct_log: String,
    pub(crate) rekor: String,
    pub(crate) tsa: String,
    /// The issuer that the signing configuration names.
    pub(crate) people: String,
    issuers_port: u16,
}

/// Where things are below the folder of a stack.
struct Layout {
    keys: PathBuf,
    logs: PathBuf,
    ct_log: PathBuf,
    rekor: PathBuf,
}

/// The file of the key that a stack's tokens are signed with.
pub(super) fn token_key_path(folder: &Path) -> PathBuf {
    folder.join("keys").join("tokens.pk8")
}

impl Stack {
    /// Starts a stack in a folder, which is made if need be; what an earlier stack left in it goes.
    ///
    /// # Errors
    /// If a server does not start; the error shows the end of its log.
    pub(crate) fn start(programs: &Programs, folder: &Path, options: Options) -> Result<Self> {
        let layout = Layout::prepare(folder)?;
        let key = Arc::new(TokenKey::generate(&token_key_path(folder))?);
        let issuers = Issuers::start(Arc::clone(&key))?;
        let authority = Authority::generate(&layout.keys)?;
        let ct_log_key = LogKey::generate(LogAlgorithm::EcdsaP256, &layout.ct_log_key())?;
        let rekor_key = LogKey::generate(options.rekor, &layout.rekor_key())?;

        let [fulcio, fulcio_grpc, fulcio_metrics, ct_log, rekor, rekor_grpc, rekor_metrics, tsa] = free_ports()?;
        let starts = [
            start_ct_log(programs, &layout, &authority, ct_log),
            start_rekor(programs, &layout, [rekor, rekor_grpc, rekor_metrics]),
            start_tsa(programs, tsa),
            start_fulcio(programs, &layout, &authority, issuers.port(), ct_log, [fulcio, fulcio_grpc, fulcio_metrics])?,
        ];
        let mut servers = Vec::with_capacity(starts.len());
        for start in starts {
            servers.push(start.spawn(&layout.logs)?);
        }
        servers.iter_mut().try_for_each(Server::wait)?;

        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let urls = Urls {
            fulcio: url(fulcio),
            ct_log: url(ct_log),
            rekor: url(rekor),
            tsa: url(tsa) + TSA_PATH,
            people: Realm::People.url(issuers.port()),
            issuers_port: issuers.port(),
        };
        let anchors = Anchors {
            fulcio: &authority.certificates,
            ct_log: &ct_log_key,
            rekor: &rekor_key,
            rekor_origin: ORIGIN,
            tsa: &timestamp_chain(tsa)?,
        };
        let files = Files::of(folder);
        files.write(&anchors, &urls)?;
        Ok(Self { files, urls, layout, issuers: Some(issuers), key, servers })
    }

    /// Stops a part; clients find nothing at its port from now on.
    pub(crate) fn stop(&mut self, service: Service) {
        match service {
            Service::Issuers => self.issuers = None,
            _ => self.servers.retain(|server| server.service != service),
        }
    }

    /// Has Rekor begin again with the same key: what it signs now contradicts what it signed before.
    pub(crate) fn fork_log(&mut self, programs: &Programs) -> Result<()> {
        let rekor = self.servers.iter().find(|server| server.service == Service::Rekor);
        let port = rekor.context("Rekor is stopped")?.port;
        self.stop(Service::Rekor);
        fs::remove_dir_all(&self.layout.rekor).context("cannot remove the log")?;
        fs::create_dir(&self.layout.rekor).context("cannot make the log")?;
        let [grpc, metrics] = free_ports()?;
        let mut server = start_rekor(programs, &self.layout, [port, grpc, metrics]).spawn(&self.layout.logs)?;
        server.wait()?;
        self.servers.push(server);
        Ok(())
    }

    /// The folder in which Rekor keeps the log (C2SP tlog-tiles). It does not show it to anybody: in public instances
    /// another server does.
    pub(crate) fn log_folder(&self) -> &Path {
        &self.layout.rekor
    }

    /// An issuer, which mints tokens even when its server is stopped.
    pub(crate) fn issuer(&self, realm: Realm) -> Issuer {
        Issuer::new(realm.url(self.urls.issuers_port), Arc::clone(&self.key))
    }

    /// The issuers' server, unless it is stopped.
    pub(crate) fn issuers(&self) -> Option<&Issuers> {
        self.issuers.as_ref()
    }

    /// The processes of the stack, for a person who looks for them.
    pub(super) fn processes(&self) -> impl Iterator<Item = (Service, u32)> {
        self.servers.iter().map(|server| (server.service, server.id()))
    }
}

impl Layout {
    /// Makes the folders, empty.
    fn prepare(folder: &Path) -> Result<Self> {
        let made = |name: &str| {
            let path = folder.join(name);
            if path.exists() {
                fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
            fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
            Ok::<_, anyhow::Error>(path)
        };
        Ok(Self { keys: made("keys")?, logs: made("logs")?, ct_log: made("ct-log")?, rekor: made("rekor")? })
    }

    fn ct_log_key(&self) -> PathBuf {
        self.keys.join("ct-log.key")
    }

    fn rekor_key(&self) -> PathBuf {
        self.keys.join("rekor.key")
    }
}

fn start_ct_log<'a>(programs: &'a Programs, layout: &Layout, authority: &Authority, port: u16) -> Start<'a> {
    let arguments = vec![
        flag("http_endpoint", format!("127.0.0.1:{port}")),
        flag("origin", ORIGIN),
        flag("storage_dir", &layout.ct_log),
        flag("roots_pem_file", &authority.root),
        flag("private_key", layout.ct_log_key()),
        flag("ext_key_usages", "CodeSigning"),
        flag("checkpoint_interval", CHECKPOINT_INTERVAL),
        flag("batch_max_age", BATCH_AGE),
    ];
    Start { service: Service::CtLog, program: &programs.ct_log, arguments, port, probe: "/healthz" }
}

fn start_rekor<'a>(programs: &'a Programs, layout: &Layout, [port, grpc, metrics]: [u16; 3]) -> Start<'a> {
    let arguments = vec![
        "serve".into(),
        flag("http-port", port.to_string()),
        flag("grpc-port", grpc.to_string()),
        flag("http-metrics-port", metrics.to_string()),
        flag("hostname", ORIGIN),
        flag("storage-dir", &layout.rekor),
        flag("signer-filepath", layout.rekor_key()),
        flag("checkpoint-interval", CHECKPOINT_INTERVAL),
        flag("batch-max-age", BATCH_AGE),
    ];
    Start { service: Service::Rekor, program: &programs.rekor, arguments, port, probe: "/healthz" }
}

fn start_tsa(programs: &Programs, port: u16) -> Start<'_> {
    let arguments = vec![flag("port", port.to_string())];
    Start { service: Service::Tsa, program: &programs.tsa, arguments, port, probe: "/ping" }
}

fn start_fulcio<'a>(
    programs: &'a Programs,
    layout: &Layout,
    authority: &Authority,
    issuers_port: u16,
    ct_log_port: u16,
    [port, grpc, metrics]: [u16; 3],
) -> Result<Start<'a>> {
    let issuers = Realm::ALL.into_iter().map(|realm| {
        let url = realm.url(issuers_port);
        (url.clone(), json!({ "IssuerURL": url, "ClientID": AUDIENCE, "Type": realm.fulcio_type() }))
    });
    let configuration = layout.keys.join("fulcio.json");
    let document = json!({ "OIDCIssuers": issuers.collect::<serde_json::Map<_, _>>() });
    fs::write(&configuration, document.to_string()).context("cannot write Fulcio's configuration")?;
    let arguments = vec![
        "serve".into(),
        flag("host", "127.0.0.1"),
        flag("port", port.to_string()),
        flag("grpc-host", "127.0.0.1"),
        flag("grpc-port", grpc.to_string()),
        flag("metrics-port", metrics.to_string()),
        // Without a file: the abstract namespace, as by default. The default name would be every stack's.
        flag("legacy-unix-domain-socket", format!("@fulcio-{port}")),
        flag("config-path", &configuration),
        flag("ca", "fileca"),
        flag("fileca-cert", &authority.chain),
        flag("fileca-key", &authority.private_key),
        // It has to be there; the key is not encrypted.
        flag("fileca-key-passwd", "unused"),
        flag("fileca-watch", "false"),
        flag("ct-log-url", format!("http://127.0.0.1:{ct_log_port}")),
    ];
    Ok(Start { service: Service::Fulcio, program: &programs.fulcio, arguments, port, probe: "/healthz" })
}

/// The certificates of the timestamp authority (DER), the root last.
fn timestamp_chain(port: u16) -> Result<Vec<Vec<u8>>> {
    let (status, chain) = http::get(port, &format!("{TSA_PATH}/certchain"))?;
    ensure!(status == 200, "the timestamp authority has no certificates: {chain}");
    let certificates = pem::parse_many(chain).context("the timestamp authority's certificates are no PEM")?;
    Ok(certificates.into_iter().map(pem::Pem::into_contents).collect())
}

fn flag(name: &str, value: impl Into<OsString>) -> OsString {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(value.into());
    flag
}
