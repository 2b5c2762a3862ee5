//! What is known of an instance, for people and for programs.

use std::path::Path;

use model_transparency::sigstore::{Authority, Contents, Instance, Log, Period, Service, ServiceKind, SigningConfig};
use model_transparency_remote::tuf::{Publication, TufRepository};
use serde_json::{Value, json};

use super::certificate::certificate_json;
use super::{Answer, Fields, GOOD, STRONG, escape};
use crate::instance::{ResolvedInstance, Source};

/// The answer of `trust show`.
pub(crate) fn trust_answer(instance: &ResolvedInstance) -> Answer {
    let contents = instance.root.contents();
    let Contents { certificate_authorities, transparency_logs, certificate_logs, timestamp_authorities } = &contents;
    let mut human = format!("{STRONG}{}{STRONG:#}\n", escape(&instance.source.to_string()));
    push_section(&mut human, "Certificate authorities", certificate_authorities, add_authority);
    push_section(&mut human, "Transparency logs", transparency_logs, add_log);
    push_section(&mut human, "Logs of certificates", certificate_logs, add_log);
    push_section(&mut human, "Timestamp authorities", timestamp_authorities, add_authority);
    match &instance.signing {
        Some(signing) => push_section(&mut human, "Services to sign with", signing.services(), |fields, service| {
            add_service(fields, service, signing);
        }),
        None => human.push_str("Services to sign with: it is not said\n"),
    }
    let authorities = |list: &[Authority]| list.iter().map(authority_json).collect::<Vec<_>>();
    let logs = |list: &[Log]| list.iter().map(log_json).collect::<Vec<_>>();
    let json = json!({
        "source": source_json(&instance.source),
        "certificate_authorities": authorities(certificate_authorities),
        "transparency_logs": logs(transparency_logs),
        "certificate_logs": logs(certificate_logs),
        "timestamp_authorities": authorities(timestamp_authorities),
        "services": instance.signing.as_ref().map(services_json),
    });
    Answer { human, json }
}

/// The answer of `trust update` and `trust import`: what is kept from now on.
pub(crate) fn kept_answer(
    done: &str,
    repository: &TufRepository,
    publication: &Publication,
    before: Option<&Publication>,
    path: &Path,
) -> Answer {
    let name = name(repository.instance());
    let title = repository.instance().map_or_else(|| repository.to_string(), |instance| instance.to_string());
    let has_changed = before.is_none_or(|before| !publication.publishes_the_same_as(before));
    let mut fields = Fields::default();
    fields.add("repository", repository.to_string());
    fields.add("as of", format!("{}, versions: {}", publication.refreshed(), publication.versions()));
    let replaced = before.map_or_else(
        || "no copy".to_owned(),
        |before| format!("the copy of {}, versions: {}", before.refreshed(), before.versions()),
    );
    fields.add("replaces", replaced);
    let change = match before {
        None => "there was none before",
        Some(_) if has_changed => "the trusted root or the services changed",
        Some(_) => "whom to trust and where to sign is as before",
    };
    fields.add("change", change);
    fields.add("kept in", path.display().to_string());
    let json = json!({
        "instance": name,
        "repository": repository.to_string(),
        "copy": publication_json(publication),
        "replaced": before.map(publication_json),
        "changed": has_changed,
        "file": path.display().to_string(),
    });
    let human = format!("{GOOD}{done}{GOOD:#} {}\n{}", escape(&title), fields.into_text());
    Answer { human, json }
}

/// The answer of `trust export`.
pub(crate) fn exported_answer(source: &Source, path: &Path, is_proven: bool) -> Answer {
    let mut fields = Fields::default();
    fields.add("file", path.display().to_string());
    fields.add("use it with", "--trust-config FILE on any command");
    if is_proven {
        fields.add("", "trust import FILE, to keep it on another machine");
    }
    let human = format!("{GOOD}Exported{GOOD:#} {}\n{}", escape(&source.to_string()), fields.into_text());
    let json = json!({
        "source": source_json(source),
        "file": path.display().to_string(),
        "importable": is_proven,
    });
    Answer { human, json }
}

fn name(instance: Option<Instance>) -> Option<&'static str> {
    instance.map(|instance| match instance {
        Instance::Production => "production",
        Instance::Staging => "staging",
    })
}

fn publication_json(publication: &Publication) -> Value {
    let versions = publication.versions();
    json!({
        "refreshed": publication.refreshed().to_string(),
        "root_version": versions.root,
        "timestamp_version": versions.timestamp,
    })
}

fn source_json(source: &Source) -> Value {
    let (kind, file, repository) = match source {
        Source::TrustConfig(path) => ("trust_config", Some(path), None),
        Source::TrustedRoot(path) => ("trusted_root", Some(path), None),
        Source::Embedded(_) => ("embedded", None, None),
        Source::Cached(..) => ("cache", None, None),
        Source::Mirror(repository, _) => ("cache", None, Some(repository)),
    };
    json!({
        "kind": kind,
        "instance": name(source.public()),
        "repository": repository,
        "file": file.map(|path| path.display().to_string()),
        "date": source.date().map(|date| date.to_string()),
    })
}

fn push_section<T>(text: &mut String, title: &str, entries: &[T], add: impl Fn(&mut Fields, &T)) {
    let mut fields = Fields::default();
    entries.iter().for_each(|entry| add(&mut fields, entry));
    let none = if entries.is_empty() { ": none" } else { "" };
    text.push_str(&format!("{STRONG}{title}{STRONG:#}{none}\n{}", fields.into_text()));
}

fn add_authority(fields: &mut Fields, authority: &Authority) {
    fields.add("authority", if authority.url.is_empty() { "(no URL)" } else { &authority.url });
    fields.add("", counts(authority.period));
    for certificate in &authority.certificates {
        fields.add("certificate", certificate.subject());
        fields.add("", format!("valid {} to {}", certificate.not_before(), certificate.not_after()));
        fields.add("", format!("sha256 {}", certificate.fingerprint()));
    }
}

fn add_log(fields: &mut Fields, log: &Log) {
    fields.add("log", &log.url);
    fields.add("", counts(log.period));
    fields.add("", format!("key {}", log.key_id));
    fields.add("", &log.key_kind);
}

fn add_service(fields: &mut Fields, service: &Service, signing: &SigningConfig) {
    fields.add("service", &service.url);
    let by = if service.operator.is_empty() { String::new() } else { format!(", of {}", service.operator) };
    fields.add("", format!("{}, version {}{by}", service.kind, service.version));
    let chosen = match service.kind {
        ServiceKind::Rekor => format!(", choose {}", signing.rekor_selection()),
        ServiceKind::Tsa => format!(", choose {}", signing.tsa_selection()),
        ServiceKind::Fulcio | ServiceKind::Oidc => String::new(),
    };
    fields.add("", format!("{}{chosen}", counts(Period { from: service.from, until: service.until })));
}

/// When something counts.
fn counts(Period { from, until }: Period) -> String {
    match (from, until) {
        (Some(from), Some(until)) => format!("counts from {from} until {until}"),
        (Some(from), None) => format!("counts from {from} on"),
        (None, Some(until)) => format!("counts until {until}"),
        (None, None) => "counts always".to_owned(),
    }
}

fn period_json(period: Period) -> Value {
    json!({
        "from": period.from.map(|time| time.to_string()),
        "until": period.until.map(|time| time.to_string()),
    })
}

fn authority_json(authority: &Authority) -> Value {
    json!({
        "url": authority.url,
        "period": period_json(authority.period),
        "certificates": authority.certificates.iter().map(certificate_json).collect::<Vec<_>>(),
    })
}

fn log_json(log: &Log) -> Value {
    json!({
        "url": log.url,
        "key_id": log.key_id,
        "key_kind": log.key_kind,
        "period": period_json(log.period),
    })
}

fn services_json(signing: &SigningConfig) -> Value {
    let kind = |kind| match kind {
        ServiceKind::Fulcio => "fulcio",
        ServiceKind::Oidc => "oidc",
        ServiceKind::Rekor => "rekor",
        ServiceKind::Tsa => "tsa",
    };
    let service = |service: &Service| {
        json!({
            "kind": kind(service.kind),
            "url": service.url,
            "version": service.version,
            "operator": service.operator,
            "period": period_json(Period { from: service.from, until: service.until }),
        })
    };
    json!({
        "list": signing.services().iter().map(service).collect::<Vec<_>>(),
        "rekor_selection": signing.rekor_selection().to_string(),
        "tsa_selection": signing.tsa_selection().to_string(),
    })
}
