//! `pylock.toml` (PEP 751), in which `pip`, `uv` and `pdm` write.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Locked, LockedFile, Malformed, file_name, locked, quoted, sha256, toml};

#[derive(Deserialize)]
struct Pylock {
    #[serde(rename = "lock-version")]
    lock_version: String,
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Option<String>,
    archive: Option<Listed>,
    sdist: Option<Listed>,
    #[serde(default)]
    wheels: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

pub(super) fn packages(text: &str) -> Result<Vec<Locked>, Malformed> {
    const VERSION: &str = "lock-version 1.N";
    let lock: Pylock = toml(text, "a list as PEP 751 has it")?;
    if lock.lock_version.split('.').next() != Some("1") {
        return Err(Malformed::new(VERSION, quoted(&lock.lock_version)));
    }
    let packages = lock.packages.into_iter().filter_map(|package| {
        let files = package.wheels.into_iter().chain(package.sdist).chain(package.archive).map(listed);
        locked(&package.name, package.version, files).transpose()
    });
    packages.collect()
}

fn listed(listed: Listed) -> Result<Option<LockedFile>, Malformed> {
    let Some(hash) = listed.hashes.get("sha256") else { return Ok(None) };
    // The name may be left out where the address ends with it.
    let name = listed.name.or_else(|| listed.path.or(listed.url).and_then(|address| file_name(&address)));
    Ok(Some(LockedFile { name, sha256: sha256(hash)? }))
}
