//! What a bundle says, without believing it.

use std::path::Path;

use model_transparency::certificate::Certificate;
use model_transparency::envelope::{Bundle, InvalidStatement, Material, Statement};
use model_transparency::model::SymlinkPolicy;
use model_transparency::sigstore::SignerCertificate;
use serde_json::{Value, json};

use super::certificate::{add_certificate, certificate_json, stated};
use super::sigstore::{add_claims, add_log_entries, log_entries_json, signer_certificate_json};
use super::verify::{hashing, parameters_json};
use super::{Answer, CAUTION, Fields, count, size};

/// The answer of `inspect`.
pub(crate) fn inspect_answer(path: &Path, bundle: &Bundle, statement: &Result<Statement, InvalidStatement>) -> Answer {
    let mut fields = Fields::default();
    fields.add("bundle", path.display().to_string());
    fields.add("method", bundle.material().method());
    let signer = add_signer(&mut fields, bundle.material());
    add_log_entries(&mut fields, bundle.log_entries());
    let mut timestamps = Vec::new();
    for bytes in bundle.timestamps() {
        let (text, json) = stated(bytes);
        fields.add("timestamp", text);
        timestamps.push(json);
    }
    let mut json = json!({
        "verified": false,
        "bundle": path.display().to_string(),
        "method": bundle.material().method(),
        "signer": signer,
        "log_entries": log_entries_json(bundle.log_entries()),
        "timestamps": timestamps,
    });
    match statement {
        Ok(statement) => push_statement(&mut fields, &mut json, statement),
        Err(error) => {
            fields.add("statement", format!("invalid: {error}"));
            json["invalid_statement"] = error.to_string().into();
        }
    }
    let heading = "Unverified: what the bundle says of itself. `verify` checks it.";
    Answer { human: format!("{CAUTION}{heading}{CAUTION:#}\n{}", fields.into_text()), json }
}

fn add_signer(fields: &mut Fields, material: &Material) -> Value {
    let chain = match material {
        Material::PublicKey { hint } => {
            fields.add("signer", hint.as_ref().map_or("a key, not named".to_owned(), |hint| format!("key {hint}")));
            return json!({ "key_hint": hint });
        }
        Material::CertificateChain(chain) => chain.as_slice(),
        Material::Certificate(der) => {
            if let Ok(certificate) = SignerCertificate::from_der(der) {
                add_certificate(fields, "signer", &certificate.certificate);
                add_claims(fields, &certificate);
                return signer_certificate_json(&certificate);
            }
            std::slice::from_ref(der)
        }
    };
    let mut certificates = Vec::new();
    for (index, der) in chain.iter().enumerate() {
        let label = if index == 0 { "signer" } else { "certificate" };
        match Certificate::from_der(der) {
            Ok(certificate) => {
                add_certificate(fields, label, &certificate);
                certificates.push(certificate_json(&certificate));
            }
            Err(error) => {
                fields.add(label, format!("invalid: {error}"));
                certificates.push(json!({ "invalid": error.to_string() }));
            }
        }
    }
    json!({ "certificates": certificates })
}

fn push_statement(fields: &mut Fields, json: &mut Value, statement: &Statement) {
    let manifest = statement.manifest();
    let parameters = manifest.parameters();
    fields.add("format", statement.format().to_string());
    fields.add("signed as", statement.model_name());
    let length = manifest.stated_length_bytes().map_or_else(|| "size not recorded".to_owned(), size);
    fields.add("files", format!("{}, {length}, {}", count(manifest.file_count(), "file"), hashing(parameters)));
    fields.add("root digest", format!("sha256:{}", manifest.root_digest().to_hex()));
    fields.add("symlinks", if parameters.symlinks == SymlinkPolicy::Allow { "followed" } else { "not allowed" });
    let ignored = parameters.ignore_paths.join(", ");
    fields.add("not counted", if ignored.is_empty() { "nothing recorded" } else { &ignored });
    for (index, resource) in manifest.resources().iter().enumerate() {
        let label = if index == 0 { "resources" } else { "" };
        fields.add(
            label,
            format!("{}:{}  {}", resource.digest().algorithm(), resource.digest().to_hex(), resource.name()),
        );
    }
    json["format"] = statement.format().to_string().into();
    json["signed_as"] = statement.model_name().into();
    json["files"] = manifest.file_count().into();
    json["bytes"] = manifest.stated_length_bytes().into();
    json["root_digest"] = json!({ "sha256": manifest.root_digest().to_hex() });
    json["serialization"] = parameters_json(parameters);
    let resources = manifest.resources().iter().map(|resource| {
        let digest = resource.digest();
        json!({ "name": resource.name(), "algorithm": digest.algorithm().identifier(), "digest": digest.to_hex() })
    });
    json["resources"] = resources.collect();
}
