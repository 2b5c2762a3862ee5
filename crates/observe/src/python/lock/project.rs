//! The lists that projects' tools keep in TOML: `uv.lock`, `poetry.lock`, `pdm.lock`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Locked, LockedFile, Malformed, file, file_name, locked, toml};

#[derive(Deserialize)]
struct UvLock {
    version: u32,
    #[serde(default)]
    package: Vec<UvPackage>,
}

#[derive(Deserialize)]
struct UvPackage {
    name: String,
    version: Option<String>,
    sdist: Option<Listed>,
    #[serde(default)]
    wheels: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(alias = "filename")]
    file: Option<String>,
    path: Option<String>,
    url: Option<String>,
    hash: Option<String>,
}

#[derive(Deserialize)]
struct Project {
    #[serde(default)]
    package: Vec<ProjectPackage>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct ProjectPackage {
    name: String,
    version: Option<String>,
    #[serde(default)]
    files: Vec<Listed>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    /// Where older lists have the files: by the package's name, and in `pdm.lock` by its name and version.
    #[serde(default)]
    files: BTreeMap<String, Vec<Listed>>,
}

pub(super) fn uv(text: &str) -> Result<Vec<Locked>, Malformed> {
    let lock: UvLock = toml(text, "a list that uv wrote")?;
    if lock.version != 1 {
        return Err(Malformed::new("version 1", lock.version.to_string()));
    }
    let packages = lock.package.into_iter().filter_map(|package| {
        let files = package.wheels.into_iter().chain(package.sdist).map(listed);
        locked(&package.name, package.version, files).transpose()
    });
    packages.collect()
}

pub(super) fn poetry(text: &str) -> Result<Vec<Locked>, Malformed> {
    project(text, "a list that Poetry wrote", |package| package.name.clone())
}

pub(super) fn pdm(text: &str) -> Result<Vec<Locked>, Malformed> {
    project(text, "a list that PDM wrote", |package| {
        format!("{} {}", package.name, package.version.as_deref().unwrap_or_default())
    })
}

fn project(
    text: &str,
    expected: &'static str,
    key: impl Fn(&ProjectPackage) -> String,
) -> Result<Vec<Locked>, Malformed> {
    let Project { package, mut metadata } = toml(text, expected)?;
    let packages = package.into_iter().filter_map(|package| {
        let older = metadata.files.remove(&key(&package)).unwrap_or_default();
        let files = package.files.into_iter().chain(older).map(listed);
        locked(&package.name, package.version, files).transpose()
    });
    packages.collect()
}

fn listed(listed: Listed) -> Result<Option<LockedFile>, Malformed> {
    let Some(hash) = listed.hash else { return Ok(None) };
    let name = listed.file.or_else(|| listed.path.or(listed.url).and_then(|address| file_name(&address)));
    file(name, &hash)
}
