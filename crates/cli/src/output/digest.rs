//! The digest of a model.

use model_transparency::manifest::Manifest;
use serde_json::json;

use super::verify::parameters_json;
use super::{Answer, escape};

/// The answer of `digest`: the root digest, and with `per_file` every resource below it.
pub(crate) fn digest_answer(name: &str, manifest: &Manifest, per_file: bool) -> Answer {
    let mut human = format!("sha256:{}\n", manifest.root_digest().to_hex());
    let mut json = json!({
        "name": name,
        "root_digest": { "sha256": manifest.root_digest().to_hex() },
        "files": manifest.file_count(),
        "serialization": parameters_json(manifest.parameters()),
    });
    if per_file {
        for resource in manifest.resources() {
            let digest = resource.digest();
            human.push_str(&format!("{}:{}  {}\n", digest.algorithm(), digest.to_hex(), escape(resource.name())));
        }
        let resources = manifest.resources().iter().map(|resource| {
            let digest = resource.digest();
            json!({ "name": resource.name(), "algorithm": digest.algorithm().identifier(), "digest": digest.to_hex() })
        });
        json["resources"] = resources.collect();
    }
    Answer { human, json }
}
