//! `Pipfile.lock`, which has hashes and no file names.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Locked, Malformed, file, locked};

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "pipfile-spec")]
    specification: u32,
}

#[derive(Deserialize)]
struct Package {
    version: Option<String>,
    #[serde(default)]
    hashes: Vec<String>,
}

pub(super) fn packages(text: &str) -> Result<Vec<Locked>, Malformed> {
    let mut members: BTreeMap<String, &RawValue> = json(text)?;
    let meta: Meta = match members.remove("_meta") {
        Some(meta) => json(meta.get())?,
        None => return Err(Malformed::new("a member `_meta`", "none")),
    };
    if meta.specification != 6 {
        return Err(Malformed::new("pipfile-spec 6", meta.specification.to_string()));
    }
    let mut packages = Vec::new();
    // `default`, `develop` and the categories that the project has.
    for category in members.into_values() {
        for (name, package) in json::<BTreeMap<String, Package>>(category.get())? {
            // What the machine that wrote the list does not need stands there as `*`.
            let version = package.version.as_deref().and_then(|version| version.strip_prefix("=="));
            let version = version.map(|version| version.trim_start_matches('=').trim().to_owned());
            packages.extend(locked(&name, version, package.hashes.iter().map(|hash| file(None, hash)))?);
        }
    }
    Ok(packages)
}

fn json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Malformed> {
    serde_json::from_str(text).map_err(|error| Malformed::new("a list that Pipenv wrote", format!("an error: {error}")))
}
