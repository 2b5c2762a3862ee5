//! An instance: its services, and what a test does with them.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;

use crate::attestation::{Attester, Identity};
use crate::certificate::Period;
use crate::claims::Claims;
use crate::client_key::Verifier;
use crate::config::{self, SigningConfig, TrustedAuthority, TrustedLog, Urls};
use crate::desk::{Desk, Fault, Lie, Seen, now};
use crate::http::{Handler, Server, bind};
use crate::key::{Key, KeyKind, random, sha256};
use crate::log_entry;
use crate::service::Service;
use crate::services::fulcio::Fulcio;
use crate::services::oidc::Oidc;
use crate::services::principal::Principal;
use crate::services::rekor_v1::RekorV1;
use crate::services::rekor_v2::RekorV2;
use crate::services::timestamps::Timestamps;

const YEAR_SECONDS: i64 = 365 * 24 * 60 * 60;

/// How an instance is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which key the log with version 2 signs with.
    pub rekor_v2_key: KeyKind,
    /// How many entries of strangers each log has at the start: at least two, so that there is something to prove.
    pub entries: usize,
}

impl Default for Options {
    /// As Sigstore's public instance is: the log made of tiles has a key of Ed25519. Five entries.
    fn default() -> Self {
        Self { rekor_v2_key: KeyKind::Ed25519, entries: 5 }
    }
}

/// A whole Sigstore instance on the loopback interface. It ends when it is dropped.
pub struct Instance {
    // The servers end first.
    servers: [Server; 5],
    desks: [Arc<Desk>; 5],
    oidc: Arc<Oidc>,
    fulcio: Arc<Fulcio>,
    rekor_v1: Arc<RekorV1>,
    rekor_v2: Arc<RekorV2>,
    timestamps: Arc<Timestamps>,
    urls: Urls,
    /// From when on everything is valid.
    since: i64,
}

impl Instance {
    /// Makes all keys and starts to answer.
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// As [`Self::start`], with what is otherwise a default.
    pub fn start_with(options: Options) -> Self {
        let Options { rekor_v2_key, entries } = options;
        assert!(entries >= 2, "a log of fewer than two entries has nothing to prove");
        let now = now();
        let period = Period { from: now - YEAR_SECONDS, to: now + 10 * YEAR_SECONDS };
        let desks = Service::ALL.map(|service| Arc::new(Desk::new(service)));
        let [oidc_desk, fulcio_desk, v1_desk, v2_desk, timestamp_desk] = desks.clone();
        let ports = Service::ALL.map(|_| bind());
        let hosts = ports.each_ref().map(|(_, address): &(_, SocketAddr)| address.to_string());
        let [oidc_host, fulcio_host, v1_host, v2_host, timestamp_host] = &hosts;
        let urls = Urls {
            // With a path, like that of Sigstore's public instance.
            oidc: format!("http://{oidc_host}/auth"),
            fulcio: format!("http://{fulcio_host}"),
            rekor_v1: format!("http://{v1_host}"),
            rekor_v2: format!("http://{v2_host}"),
            timestamps: format!("http://{timestamp_host}/api/v1/timestamp"),
        };
        let oidc = Arc::new(Oidc::new(oidc_desk, urls.oidc.clone()));
        let fulcio = Arc::new(Fulcio::new(fulcio_desk, Arc::clone(&oidc.tokens), urls.oidc.clone(), period));
        let rekor_v1 = Arc::new(RekorV1::new(v1_desk, v1_host.clone(), entries));
        let rekor_v2 = Arc::new(RekorV2::new(v2_desk, v2_host.clone(), rekor_v2_key, entries));
        let timestamps = Arc::new(Timestamps::new(timestamp_desk, period));
        let handlers: [Arc<dyn Handler>; 5] =
            [oidc.clone(), fulcio.clone(), rekor_v1.clone(), rekor_v2.clone(), timestamps.clone()];
        let mut parts = ports.into_iter().zip(handlers).zip(desks.clone());
        let servers = Service::ALL.map(|_| {
            let (((listener, _), handler), desk) = parts.next().expect("one for each service");
            Server::start(listener, handler, desk)
        });
        Self { servers, desks, oidc, fulcio, rekor_v1, rekor_v2, timestamps, urls, since: period.from }
    }

    /// Where a service is: the issuer of tokens, the base of Fulcio or Rekor, the endpoint of timestamps.
    pub fn url(&self, service: Service) -> &str {
        match service {
            Service::Oidc => &self.urls.oidc,
            Service::Fulcio => &self.urls.fulcio,
            Service::RekorV1 => &self.urls.rekor_v1,
            Service::RekorV2 => &self.urls.rekor_v2,
            Service::Timestamps => &self.urls.timestamps,
        }
    }

    /// What verifies signatures made with this instance: a `TrustedRoot`, v0.1.
    pub fn trusted_root_json(&self) -> String {
        self.trusted_root().to_string()
    }

    /// Where to sign: a `SigningConfig`, v0.2.
    pub fn signing_config_json(&self, config: &SigningConfig) -> String {
        config::signing_config(&self.urls, config, self.since).to_string()
    }

    /// Both: a `ClientTrustConfig`, v0.1.
    pub fn trust_config_json(&self, config: &SigningConfig) -> String {
        let signing_config = config::signing_config(&self.urls, config, self.since);
        config::trust_config(&self.trusted_root(), &signing_config).to_string()
    }

    /// Issues a token, without a request to anybody.
    pub fn token(&self, claims: &Claims) -> String {
        self.oidc.token(claims)
    }

    /// Who the user is from now on, for whoever asks for authorization; `signer@example.com` otherwise.
    pub fn sign_in(&self, user: Claims) {
        self.oidc.sign_in(user);
    }

    /// Lets a client with this secret ask for tokens. They are for this client.
    ///
    /// The public client `sigstore` is there already, with an empty secret.
    pub fn register_client(&self, client: &str, secret: &str) {
        self.oidc.register(client, secret);
    }

    /// Adds this many entries of strangers to a log.
    ///
    /// # Panics
    /// If the service is no log.
    pub fn add_strangers(&self, log: Service, entries: usize) {
        for _ in 0..entries {
            match version(log) {
                1 => self.rekor_v1.add_stranger(),
                _ => self.rekor_v2.add_stranger(),
            }
        }
    }

    /// Adds an entry of somebody of these claims, whose certificate is as good as any, and gives its index.
    ///
    /// # Panics
    /// If the service is no log, or Fulcio would refuse the claims.
    pub fn add_entry_of(&self, log: Service, claims: &Claims) -> u64 {
        let (key, artifact) = (Key::generate(KeyKind::EcdsaP256), random::<32>());
        let claims = claims.at(now(), &self.urls.oidc);
        let certificate = self.fulcio.issue(Principal::of(&claims).expect("a principal"), key.spki());
        let verifier = Verifier::from_certificate(&certificate).expect("a certificate");
        let signature = key.sign(&artifact);
        self.add(log, &log_entry::signed_by(version(log), &sha256(&artifact), &signature, &verifier))
    }

    /// Issues a certificate that says this of its holder, whatever it is, without a request to anybody.
    pub fn certify(&self, holder: &Identity) -> Attester {
        Attester::new(|spki| self.fulcio.certify(holder.extensions(), spki))
    }

    /// Has a statement signed and logged with version 1, without a request to anybody: a bundle, v0.3.
    ///
    /// # Panics
    /// If the log would refuse it.
    pub fn attest(&self, attester: &Attester, statement: &[u8]) -> Value {
        attester.bundle(statement, |entry| self.rekor_v1.log(entry).expect("an entry"))
    }

    /// Makes a log forget its newest entries, as if they had never been: no log may.
    ///
    /// # Panics
    /// If the service is no log.
    pub fn forget_newest(&self, log: Service, entries: usize) {
        match version(log) {
            1 => self.rekor_v1.forget(entries),
            _ => self.rekor_v2.forget(entries),
        }
    }

    /// How many entries a log has; with version 1, those of all its shards.
    ///
    /// # Panics
    /// If the service is no log.
    pub fn log_size(&self, log: Service) -> u64 {
        if version(log) == 1 { self.rekor_v1.size() } else { self.rekor_v2.size() }
    }

    /// Every request fails in this way from now on.
    pub fn fail(&self, service: Service, fault: Fault) {
        self.desk(service).fail(fault);
    }

    /// This many requests fail in this way, after those that were told to fail before.
    pub fn fail_next(&self, service: Service, requests: usize, fault: Fault) {
        self.desk(service).fail_next(requests, fault);
    }

    /// The service lies in this way from now on, and in those in which it does already.
    ///
    /// # Panics
    /// If the service can't: [`Lie::is_of`].
    pub fn lie(&self, service: Service, lie: Lie) {
        self.desk(service).lie(lie);
    }

    /// Sets the service's clock this many seconds before or after.
    pub fn set_clock(&self, service: Service, offset_seconds: i64) {
        self.desk(service).set_clock(offset_seconds);
    }

    /// Ends every fault and lie of the service, and sets its clock right. A log keeps what it has.
    pub fn heal(&self, service: Service) {
        self.desk(service).heal();
    }

    /// Refuses connections to the service from now on, and ends those that there are.
    pub fn stop(&self, service: Service) {
        self.servers[index(service)].stop();
    }

    /// Accepts connections again after [`Self::stop`], at the same address.
    pub fn restart(&self, service: Service) {
        self.servers[index(service)].restart();
    }

    /// How many requests the service got, whatever became of them.
    pub fn requests(&self, service: Service) -> usize {
        self.requests_seen(service).len()
    }

    /// The requests that the service got, in order.
    pub fn requests_seen(&self, service: Service) -> Vec<Seen> {
        self.desk(service).seen()
    }

    fn add(&self, log: Service, entry: &Value) -> u64 {
        match version(log) {
            1 => self.rekor_v1.add(entry).expect("an entry"),
            _ => self.rekor_v2.add(entry).expect("an entry"),
        }
    }

    fn desk(&self, service: Service) -> &Desk {
        &self.desks[index(service)]
    }

    fn trusted_root(&self) -> Value {
        let (v1, v2) = (&self.rekor_v1.notary, &self.rekor_v2.notary);
        let logs = [
            TrustedLog { url: &self.urls.rekor_v1, key: &v1.key, id: v1.key_id() },
            TrustedLog { url: &self.urls.rekor_v2, key: &v2.key, id: v2.key_id() },
        ];
        let (fulcio, timestamps) = (&self.fulcio, &self.timestamps);
        let ct_log = TrustedLog { url: "https://ct.example.com/test", key: &fulcio.ct_key, id: fulcio.ct_key.id() };
        let fulcio = TrustedAuthority {
            url: &self.urls.fulcio,
            name: "sigstore",
            certificates: [&fulcio.intermediate.certificate, &fulcio.root.certificate],
        };
        let timestamps = TrustedAuthority {
            url: &self.urls.timestamps,
            name: "sigstore-tsa-selfsigned",
            certificates: [&timestamps.certificate, &timestamps.root.certificate],
        };
        config::trusted_root(&logs, &ct_log, &fulcio, &timestamps, self.since)
    }
}

fn index(service: Service) -> usize {
    Service::ALL.iter().position(|other| *other == service).expect("all are there")
}

fn version(log: Service) -> u8 {
    match log {
        Service::RekorV1 => 1,
        Service::RekorV2 => 2,
        Service::Oidc | Service::Fulcio | Service::Timestamps => panic!("{log:?} is no log"),
    }
}
