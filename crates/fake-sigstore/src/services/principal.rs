//! Who a token is about, and what a certificate says of it.

use der::asn1::Ia5String;
use serde_json::{Map, Value};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::certificate::{extension, raw_extension};

pub(crate) const SUBJECT_ALTERNATIVE_NAME: &str = "2.5.29.17";

/// Somebody who can have a certificate.
pub(crate) struct Principal {
    /// What a client signs to prove that it has its key.
    pub(crate) proves: String,
    name: Name,
    issuer: String,
    /// The extensions of a workflow, each below `1.3.6.1.4.1.57264.1`.
    raw: Vec<(u8, String)>,
    utf8: Vec<(u8, String)>,
}

enum Name {
    Email(String),
    Uri(String),
}

impl Principal {
    /// Who a token of these claims is about, or why Fulcio says nothing about them.
    pub(crate) fn of(claims: &Map<String, Value>) -> Result<Self, &'static str> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let subject = text("sub").ok_or("no subject")?;
        let federated = claims.get("federated_claims").and_then(|claims| claims.get("connector_id"));
        let issuer = federated.and_then(Value::as_str).map(str::to_owned).or_else(|| text("iss")).ok_or("no issuer")?;
        let utf8 = vec![(24, subject.clone())];
        if let Some(address) = text("email") {
            if claims.get("email_verified") != Some(&Value::Bool(true)) {
                return Err("the address is not verified");
            }
            return Ok(Self { proves: address.clone(), name: Name::Email(address), issuer, raw: Vec::new(), utf8 });
        }
        if claims.contains_key("job_workflow_ref") {
            let mut principal = workflow(text, issuer).ok_or("a claim of a workflow is missing")?;
            principal.utf8.extend(utf8);
            return Ok(principal);
        }
        if claims.contains_key("ci_config_ref_uri") {
            let mut principal = gitlab_job(text, issuer).ok_or("a claim of a job is missing")?;
            principal.utf8.extend(utf8);
            return Ok(principal);
        }
        if url::Url::parse(&subject).is_err() {
            return Err("the subject is no URI");
        }
        Ok(Self { proves: subject.clone(), name: Name::Uri(subject), issuer, raw: Vec::new(), utf8 })
    }

    pub(crate) fn with_name_of_another(self) -> Self {
        Self { name: Name::Email("mallory@example.com".to_owned()), ..self }
    }

    pub(crate) fn with_another_issuer(self) -> Self {
        Self { issuer: "https://issuer.example.com".to_owned(), ..self }
    }

    /// The alternative name, and Fulcio's extensions.
    pub(crate) fn extensions(&self) -> Vec<Extension> {
        let name = match &self.name {
            Name::Email(address) => critical_names(vec![GeneralName::Rfc822Name(ia5(address))]),
            Name::Uri(uri) => alternative_names(&[uri]),
        };
        let oid = |number: &u8| format!("1.3.6.1.4.1.57264.1.{number}");
        let raw = |(number, text): &(u8, String)| raw_extension(&oid(number), false, text.clone().into_bytes());
        let utf8 = |(number, text): &(u8, String)| extension(&oid(number), false, text);
        let issuer = self.issuer.clone();
        [name, raw(&(1, issuer.clone()))]
            .into_iter()
            .chain(self.raw.iter().map(raw))
            .chain([utf8(&(8, issuer))])
            .chain(self.utf8.iter().map(utf8))
            .collect()
    }
}

/// URIs as alternative names.
pub(crate) fn alternative_names(uris: &[&str]) -> Extension {
    critical_names(uris.iter().map(|uri| GeneralName::UniformResourceIdentifier(ia5(uri))).collect())
}

/// A certificate without a subject has a critical alternative name (RFC 5280 §4.2.1.6).
fn critical_names(names: Vec<GeneralName>) -> Extension {
    extension(SUBJECT_ALTERNATIVE_NAME, true, &SubjectAltName(names))
}

fn ia5(text: &str) -> Ia5String {
    Ia5String::new(text).expect("ASCII")
}

/// A workflow on GitHub; Fulcio insists on every one of these claims.
fn workflow(text: impl Fn(&str) -> Option<String>, issuer: String) -> Option<Principal> {
    let url = |path: &str| format!("https://github.com/{path}");
    let repository = text("repository")?;
    let job = url(&text("job_workflow_ref")?);
    let run = format!("{repository}/actions/runs/{}/attempts/{}", text("run_id")?, text("run_attempt")?);
    let raw = vec![
        (2, text("event_name")?),
        (3, text("sha")?),
        (4, text("workflow")?),
        (5, repository.clone()),
        (6, text("ref")?),
    ];
    let utf8 = vec![
        (9, job.clone()),
        (10, text("job_workflow_sha")?),
        (11, text("runner_environment")?),
        (12, url(&repository)),
        (13, text("sha")?),
        (14, text("ref")?),
        (15, text("repository_id")?),
        (16, url(&text("repository_owner")?)),
        (17, text("repository_owner_id")?),
        (18, url(&text("workflow_ref")?)),
        (19, text("workflow_sha")?),
        (20, text("event_name")?),
        (21, url(&run)),
        (22, text("repository_visibility")?),
    ];
    Some(Principal { proves: text("sub")?, name: Name::Uri(job), issuer, raw, utf8 })
}

/// A job on GitLab.
fn gitlab_job(text: impl Fn(&str) -> Option<String>, issuer: String) -> Option<Principal> {
    let url = |path: &str| format!("{issuer}/{path}");
    let project = text("project_path")?;
    let config = format!("https://{}", text("ci_config_ref_uri")?);
    let kind = if text("ref_type")? == "tag" { "tags" } else { "heads" };
    let utf8 = vec![
        (9, config.clone()),
        (10, text("ci_config_sha")?),
        (11, text("runner_environment")?),
        (12, url(&project)),
        (13, text("sha")?),
        (14, format!("refs/{kind}/{}", text("ref")?)),
        (15, text("project_id")?),
        (16, url(&text("namespace_path")?)),
        (17, text("namespace_id")?),
        (18, config.clone()),
        (19, text("ci_config_sha")?),
        (20, text("pipeline_source")?),
        (21, url(&format!("{project}/-/jobs/{}", text("job_id")?))),
        (22, text("project_visibility")?),
    ];
    Some(Principal { proves: text("sub")?, name: Name::Uri(config), issuer, raw: Vec::new(), utf8 })
}
