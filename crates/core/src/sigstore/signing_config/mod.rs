//! Which services of an instance to sign with (`signing_config.v0.2.json`).

mod wire;

use std::fmt;

use crate::certificate::UnixTime;

pub use wire::{InvalidSigningConfig, MAX_SIGNING_CONFIG_BYTES};

/// Entries of a list that an error names.
const MAX_NAMED: usize = 10;

/// A signing configuration: the services of an instance, each with the period in which it is to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningConfig {
    services: Vec<Service>,
    rekor: Selection,
    tsa: Selection,
}

/// A service that a signing configuration lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// What it is.
    pub kind: ServiceKind,
    /// Where it is.
    pub url: String,
    /// The major version of its interface.
    pub version: u32,
    /// Who runs it; empty if that is not said.
    pub operator: String,
    /// The first second in which it is to be used.
    pub from: Option<UnixTime>,
    /// The last second in which it is to be used.
    pub until: Option<UnixTime>,
}

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// Certifies identities.
    Fulcio,
    /// Says who somebody is.
    Oidc,
    /// Keeps the log of signatures.
    Rekor,
    /// Gives timestamps.
    Tsa,
}

impl ServiceKind {
    /// The versions of its interface that this crate's signer speaks.
    #[must_use]
    pub const fn versions(self) -> &'static [u32] {
        match self {
            Self::Fulcio | Self::Oidc | Self::Tsa => &[1],
            Self::Rekor => &[1, 2],
        }
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fulcio => "a certificate authority (Fulcio)",
            Self::Oidc => "an identity provider (OIDC)",
            Self::Rekor => "a transparency log (Rekor)",
            Self::Tsa => "a timestamp authority",
        })
    }
}

/// How many operators' services of a kind are to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every operator's.
    All,
    /// One.
    Any,
    /// This many.
    Exact(usize),
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("ALL"),
            Self::Any => f.write_str("ANY"),
            Self::Exact(count) => write!(f, "EXACT {count}"),
        }
    }
}

/// The services to sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Services {
    /// The URL of the certificate authority.
    pub fulcio: String,
    /// The URL of the identity provider. A signer who has a token already needs none.
    pub oidc: Option<String>,
    /// The transparency logs: each has to have an entry. At least one.
    pub rekor: Vec<RekorService>,
    /// The URLs of the timestamp authorities: each has to date the signature. None if a log dates it.
    pub tsa: Vec<String>,
}

/// A transparency log to sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RekorService {
    /// Where it is.
    pub url: String,
    /// The major version of its interface: 1 or 2. Version 2 states no time.
    pub version: u32,
}

impl SigningConfig {
    /// Everything that is listed, of every kind and time, in the order of the document.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// How many transparency logs an entry has to be made in.
    #[must_use]
    pub const fn rekor_selection(&self) -> Selection {
        self.rekor
    }

    /// How many timestamp authorities have to date a signature.
    #[must_use]
    pub const fn tsa_selection(&self) -> Selection {
        self.tsa
    }

    /// A configuration that lists nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Self { services: Vec::new(), rekor: Selection::All, tsa: Selection::All }
    }

    /// The same with services at these places instead of all that are listed of their kind: every one of them is used,
    /// whenever that is, and one that is named twice once. With each goes the version of its interface.
    #[must_use]
    pub fn with(mut self, kind: ServiceKind, places: impl IntoIterator<Item = (String, u32)>) -> Self {
        self.services.retain(|service| service.kind != kind);
        self.services.extend(places.into_iter().map(|(url, version)| {
            let operator = url.trim_end_matches('/').to_owned();
            Service { kind, url, version, operator, from: None, until: None }
        }));
        match kind {
            ServiceKind::Rekor => self.rekor = Selection::All,
            ServiceKind::Tsa => self.tsa = Selection::All,
            ServiceKind::Fulcio | ServiceKind::Oidc => {}
        }
        self
    }

    /// Chooses the services to sign with at `now`, from Rekor those of `rekor_version` alone if it is given.
    ///
    /// What counts is listed for this time and has an interface that [`ServiceKind::versions`] has. An operator is used
    /// once, with the highest version, the later of two that are equal. Of the operators that remain the first ones are
    /// taken, as many as the configuration says; without a word about it, all of them. This is what `sigstore-python`
    /// does. It goes on without a timestamp authority where none is listed for now and no number is required, and so
    /// does this; but what only logs of Rekor 2 hold nobody has dated, which is an error here.
    ///
    /// # Errors
    /// [`NoServices`]: what is needed and not there.
    pub fn select(&self, now: UnixTime, rekor_version: Option<u32>) -> Result<Services, NoServices> {
        let rekor_versions = match &rekor_version {
            Some(version) if !ServiceKind::Rekor.versions().contains(version) => {
                return Err(NoServices::RekorVersion { found: *version });
            }
            Some(version) => std::slice::from_ref(version),
            None => ServiceKind::Rekor.versions(),
        };
        let rekor = self.chosen(ServiceKind::Rekor, rekor_versions, self.rekor, now)?;
        let tsa = self.chosen(ServiceKind::Tsa, ServiceKind::Tsa.versions(), self.tsa, now)?;
        let first = |kind: ServiceKind| self.chosen(kind, kind.versions(), Selection::All, now);
        let (fulcio, oidc) = (first(ServiceKind::Fulcio)?, first(ServiceKind::Oidc)?);

        let Some(fulcio) = fulcio.first() else {
            return Err(self.missing(ServiceKind::Fulcio, ServiceKind::Fulcio.versions(), "one", now));
        };
        if rekor.is_empty() {
            return Err(self.missing(ServiceKind::Rekor, rekor_versions, "one", now));
        }
        if tsa.is_empty() && rekor.iter().all(|log| log.version > 1) {
            return Err(NoServices::NothingDates { found: self.found(ServiceKind::Tsa, &[1], now) });
        }
        Ok(Services {
            fulcio: fulcio.url.clone(),
            oidc: oidc.first().map(|provider| provider.url.clone()),
            rekor: rekor.iter().map(|log| RekorService { url: log.url.clone(), version: log.version }).collect(),
            tsa: tsa.iter().map(|authority| authority.url.clone()).collect(),
        })
    }

    /// The services of a kind to use, one for each operator.
    fn chosen(
        &self,
        kind: ServiceKind,
        versions: &[u32],
        selection: Selection,
        now: UnixTime,
    ) -> Result<Vec<&Service>, NoServices> {
        let mut chosen: Vec<&Service> = Vec::new();
        for service in self.of(kind).filter(|service| service.unusable(versions, now).is_none()) {
            match chosen.iter_mut().find(|other| other.operator == service.operator) {
                Some(other) if service.version >= other.version => *other = service,
                Some(_) => {}
                None => chosen.push(service),
            }
        }
        match selection {
            Selection::All => {}
            Selection::Any => chosen.truncate(1),
            Selection::Exact(count) if chosen.len() < count => {
                return Err(self.missing(kind, versions, &format!("those of {count} operators"), now));
            }
            Selection::Exact(count) => chosen.truncate(count),
        }
        Ok(chosen)
    }

    fn of(&self, kind: ServiceKind) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(move |service| service.kind == kind)
    }

    fn missing(&self, kind: ServiceKind, versions: &[u32], expected: &str, now: UnixTime) -> NoServices {
        NoServices::Missing { kind, expected: expected.to_owned(), found: self.found(kind, versions, now) }
    }

    /// What is listed of a kind, for an error.
    fn found(&self, kind: ServiceKind, versions: &[u32], now: UnixTime) -> String {
        let state = |service: &Service| {
            let reason = service.unusable(versions, now);
            format!("{} ({})", service.url, reason.unwrap_or_else(|| format!("operator `{}`", service.operator)))
        };
        let mut listed: Vec<String> = self.of(kind).take(MAX_NAMED).map(state).collect();
        match self.of(kind).count() {
            0 => return "none".to_owned(),
            count if count > MAX_NAMED => listed.push(format!("{} more", count - MAX_NAMED)),
            _ => {}
        }
        listed.join(", ")
    }
}

impl Service {
    /// Why it can't be used, if it can't.
    fn unusable(&self, versions: &[u32], now: UnixTime) -> Option<String> {
        if !versions.contains(&self.version) {
            let versions: Vec<String> = versions.iter().map(u32::to_string).collect();
            return Some(format!("version {}, expected {}", self.version, versions.join(" or ")));
        }
        match (self.from, self.until) {
            (Some(from), _) if now < from => Some(format!("not before {from}")),
            (_, Some(until)) if until < now => Some(format!("until {until}")),
            _ => None,
        }
    }
}

/// Why no services could be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoServices {
    /// Too few services of a kind can be used now.
    #[error("{kind}: expected {expected} that can be used now, found {found}")]
    Missing {
        /// What is needed.
        kind: ServiceKind,
        /// How many of it.
        expected: String,
        /// What is listed, and why it can't be used.
        found: String,
    },
    /// Nothing would say when the signature was made.
    #[error("the transparency log is of Rekor 2, which states no time: expected a timestamp authority, found {found}")]
    NothingDates {
        /// What is listed, and why it can't be used.
        found: String,
    },
    /// A version of Rekor was asked for that nothing here speaks.
    #[error("Rekor: expected version 1 or 2, found {found}")]
    RekorVersion {
        /// What was asked for.
        found: u32,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sigstore::Instance;

    const NOW: &str = "2026-06-01T00:00:00Z";

    fn service(url: &str, version: u32, operator: &str) -> Value {
        let start = "2025-01-01T00:00:00.000Z";
        json!({ "url": url, "majorApiVersion": version, "operator": operator, "validFor": { "start": start } })
    }

    fn config(members: Value) -> Value {
        let mut config = json!({
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [service("https://ca", 1, "a")],
            "oidcUrls": [service("https://oidc", 1, "a")],
            "rekorTlogUrls": [service("https://log", 1, "a")],
            "tsaUrls": [service("https://tsa", 1, "a")],
            "rekorTlogConfig": { "selector": "ANY" },
            "tsaConfig": { "selector": "ANY" },
        });
        for (name, value) in members.as_object().expect("an object") {
            config[name] = value.clone();
        }
        config
    }

    fn select(members: Value, rekor_version: Option<u32>) -> Result<Services, NoServices> {
        let config = SigningConfig::from_json(config(members).to_string().as_bytes()).expect("a signing configuration");
        config.select(UnixTime::parse(NOW).expect("a time"), rekor_version)
    }

    fn refused(members: Value) -> String {
        SigningConfig::from_json(config(members).to_string().as_bytes()).expect_err("refused").to_string()
    }

    /// The URLs of the logs that are chosen, or the error.
    fn logs(services: &Value, selection: &Value, rekor_version: Option<u32>) -> String {
        match select(json!({ "rekorTlogUrls": services, "rekorTlogConfig": selection }), rekor_version) {
            Ok(services) => services.rekor.iter().map(|log| log.url.as_str()).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn both_instances_have_services() {
        for instance in [Instance::Production, Instance::Staging] {
            let services = SigningConfig::embedded(instance)
                .select(UnixTime::parse(NOW).expect("a time"), None)
                .expect("services");
            assert!(services.fulcio.starts_with("https://fulcio.") && services.oidc.is_some(), "{services:?}");
            assert_eq!((services.rekor.len(), services.tsa.len()), (1, 1), "{services:?}");
        }
    }

    #[test]
    fn selection_follows_the_rules() {
        let ended = json!({
            "url": "https://ended", "majorApiVersion": 2, "operator": "a",
            "validFor": { "start": "2020-01-01T00:00:00Z", "end": "2026-05-31T23:59:59Z" },
        });
        let last_second = json!({
            "url": "https://last", "majorApiVersion": 2, "operator": "a", "validFor": { "end": NOW },
        });
        let future = json!({
            "url": "https://future", "majorApiVersion": 2, "operator": "a",
            "validFor": { "start": "2026-06-01T00:00:01Z" },
        });
        let two = json!([service("https://a1", 1, "a"), service("https://a2", 2, "a"), service("https://b1", 1, "b")]);
        let (any, all) = (json!({ "selector": "ANY" }), json!({ "selector": "ALL" }));
        let exact = |count: u32| json!({ "selector": "EXACT", "count": count });
        let cases = [
            // An operator once, the highest version; operators in their order.
            (two.clone(), any.clone(), None, "https://a2"),
            (two.clone(), all.clone(), None, "https://a2 https://b1"),
            (two.clone(), Value::Null, None, "https://a2 https://b1"),
            (two.clone(), exact(1), None, "https://a2"),
            (two.clone(), exact(2), None, "https://a2 https://b1"),
            (two.clone(), json!({ "selector": "EXACT" }), None, "https://a2"),
            (two.clone(), exact(0), None, "https://a2"),
            // One version alone.
            (two.clone(), any.clone(), Some(1), "https://a1"),
            (two.clone(), all.clone(), Some(1), "https://a1 https://b1"),
            (two.clone(), all.clone(), Some(2), "https://a2"),
            // Of two that are equal the later.
            (json!([service("https://x", 1, "a"), service("https://y", 1, "a")]), all.clone(), None, "https://y"),
            // The first operator, whatever the second one's version is.
            (json!([service("https://x", 1, "a"), service("https://y", 2, "b")]), any.clone(), None, "https://x"),
            // Versions that are not spoken, and periods.
            (json!([service("https://x", 3, "a"), service("https://y", 1, "a")]), all.clone(), None, "https://y"),
            (json!([ended, future, service("https://now", 1, "a")]), all.clone(), None, "https://now"),
            (json!([last_second, service("https://now", 1, "a")]), all.clone(), None, "https://last"),
        ];
        for (services, selection, version, expected) in cases {
            assert_eq!(logs(&services, &selection, version), expected, "{services} {selection} {version:?}");
        }
    }

    #[test]
    fn too_few_services_are_named() {
        let one = json!([service("https://a", 1, "a")]);
        let error = logs(&one, &json!({ "selector": "EXACT", "count": 2 }), None);
        assert_eq!(
            error,
            "a transparency log (Rekor): expected those of 2 operators that can be used now, found https://a (operator `a`)"
        );
        let other = json!([service("https://a", 3, "a"), {
            "url": "https://b", "majorApiVersion": 1, "validFor": { "end": "2020-01-01T00:00:00Z" },
        }]);
        let error = logs(&other, &Value::Null, None);
        assert!(
            error.ends_with("found https://a (version 3, expected 1 or 2), https://b (until 2020-01-01T00:00:00Z)"),
            "{error}"
        );
        assert!(logs(&one, &Value::Null, Some(2)).ends_with("https://a (version 1, expected 2)"));
        assert_eq!(logs(&one, &Value::Null, Some(3)), "Rekor: expected version 1 or 2, found 3");
        assert!(logs(&json!([]), &Value::Null, None).ends_with("expected one that can be used now, found none"));
        let error = select(json!({ "caUrls": [] }), None).expect_err("no authority");
        assert!(matches!(error, NoServices::Missing { kind: ServiceKind::Fulcio, .. }), "{error}");
        let error =
            select(json!({ "tsaConfig": { "selector": "EXACT", "count": 2 } }), None).expect_err("one authority");
        assert!(matches!(error, NoServices::Missing { kind: ServiceKind::Tsa, .. }), "{error}");
        let many: Vec<Value> = (0..100).map(|index| service(&format!("https://{index}"), 9, "a")).collect();
        assert!(logs(&many.into(), &Value::Null, None).ends_with("90 more"));
    }

    #[test]
    fn something_dates_every_signature() {
        let v2 = json!([service("https://log", 2, "a")]);
        assert!(select(json!({ "tsaUrls": [] }), None).expect("a log of Rekor 1 states a time").tsa.is_empty());
        let error = select(json!({ "tsaUrls": [], "rekorTlogUrls": v2 }), None).expect_err("nothing dates it");
        assert_eq!(error, NoServices::NothingDates { found: "none".to_owned() });
        assert_eq!(select(json!({ "rekorTlogUrls": v2 }), None).expect("services").tsa, ["https://tsa"]);
    }

    #[test]
    fn what_is_named_need_not_be_listed() {
        let now = UnixTime::parse(NOW).expect("a time");
        let nothing = config(json!({
            "caUrls": [], "rekorTlogUrls": [], "tsaUrls": [],
            "rekorTlogConfig": { "selector": "EXACT", "count": 2 }, "tsaConfig": { "selector": "EXACT", "count": 2 },
        }));
        let nothing = SigningConfig::from_json(nothing.to_string().as_bytes()).expect("a signing configuration");
        let at = |url: &str, version| [(url.to_owned(), version)];
        for config in [nothing, SigningConfig::empty()] {
            let named = config.with(ServiceKind::Fulcio, at("https://ca", 1)).with(
                ServiceKind::Rekor,
                ["https://log", "https://other", "https://log/"].map(|url| (url.to_owned(), 2)),
            );
            let named = named.with(ServiceKind::Tsa, at("https://tsa", 1));
            for version in [None, Some(2)] {
                let services = named.select(now, version).expect("services");
                let logs: Vec<&str> = services.rekor.iter().map(|log| log.url.as_str()).collect();
                assert_eq!((services.fulcio.as_str(), logs), ("https://ca", vec!["https://log/", "https://other"]));
                assert_eq!(services.tsa, ["https://tsa"]);
            }
        }
    }

    #[test]
    fn no_identity_provider_is_no_error() {
        assert_eq!(select(json!({ "oidcUrls": [] }), None).expect("services").oidc, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut bad = service("https://x", 1, "a");
        bad["url"] = "file:///etc/passwd".into();
        assert_eq!(
            refused(json!({ "rekorTlogUrls": [service("https://x", 1, "a"), bad] })),
            "`rekorTlogUrls[1]`: expected a URL of `https` or `http`, found `file:///etc/passwd`"
        );
        let mut bad = service("https://x", 1, "a");
        bad["validFor"]["start"] = "yesterday".into();
        assert!(refused(json!({ "tsaUrls": [bad] })).contains("`tsaUrls[0]`: expected a time (RFC 3339, UTC)"));
        for selector in [json!({}), json!({ "selector": "SERVICE_SELECTOR_UNDEFINED" })] {
            assert!(refused(json!({ "tsaConfig": selector })).contains("`tsaConfig.selector`: expected `ALL`"));
        }
        assert!(
            refused(json!({ "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.1+json" })).contains("v0.1")
        );
        assert!(matches!(SigningConfig::from_json(b"{"), Err(InvalidSigningConfig::Json(_))));
        assert!(matches!(SigningConfig::from_json(br#"{"a":1,"a":2}"#), Err(InvalidSigningConfig::Json(_))));
        let large = vec![b' '; MAX_SIGNING_CONFIG_BYTES + 1];
        assert!(matches!(SigningConfig::from_json(&large), Err(InvalidSigningConfig::TooLarge)));
    }
}
