//! What is installed beside what a list has.

use std::collections::HashMap;

use super::name::{FileName, same_version, satisfies};
use super::{Compared, Installed, Lock, Locked, LockedFile, Package};

pub(super) fn compare(lock: &Lock, installed: &[Installed]) -> Compared {
    let mut by_name: HashMap<&str, Vec<&Locked>> = HashMap::new();
    for locked in &lock.packages {
        by_name.entry(&locked.name).or_default().push(locked);
    }
    let mut compared = Compared::default();
    for package in installed {
        // A list may have a package more than once, for different machines.
        let listed: Vec<&Locked> = by_name
            .get(package.name.as_str())
            .into_iter()
            .flatten()
            .copied()
            .filter(|locked| satisfies(&package.version, &locked.version))
            .collect();
        if listed.is_empty() {
            compared.unlisted.push(format!("{} {}", package.name, package.version));
            continue;
        }
        let exact: Vec<&Locked> =
            listed.iter().copied().filter(|locked| same_version(&package.version, &locked.version)).collect();
        let file = origin(package, if exact.is_empty() { &listed } else { &exact });
        compared.packages.push(Package {
            name: package.name.clone(),
            version: package.version.clone(),
            sha256: file.map(|file| file.sha256.clone()),
            file: file.and_then(|file| file.name.clone()),
        });
    }
    compared
}

/// The one file that a package can have come from.
fn origin<'a>(package: &Installed, listed: &[&'a Locked]) -> Option<&'a LockedFile> {
    if package.tags.is_empty() {
        return None;
    }
    let mut nameless = Vec::new();
    let mut same_tags = Vec::new();
    let mut shared_tag = Vec::new();
    let mut sources = Vec::new();
    for file in listed.iter().flat_map(|locked| &locked.files) {
        let Some(name) = &file.name else {
            nameless.push(file);
            continue;
        };
        match FileName::parse(name, &package.name) {
            Some(name) if !same_version(&package.version, name.version()) => {}
            Some(FileName::Wheel { tags, .. }) if tags.are(&package.tags) => same_tags.push(file),
            Some(FileName::Wheel { tags, .. }) if tags.have_one_of(&package.tags) => shared_tag.push(file),
            Some(FileName::Wheel { .. }) | None => {}
            Some(FileName::Sources { .. }) => sources.push(file),
        }
    }
    if !nameless.is_empty() {
        let named = same_tags.len() + shared_tag.len() + sources.len();
        return if named == 0 { only(&nameless) } else { None };
    }
    [same_tags, shared_tag, sources].iter().find(|files| !files.is_empty()).and_then(|files| only(files))
}

/// The file, if all of them are one: lists may repeat it.
fn only<'a>(files: &[&'a LockedFile]) -> Option<&'a LockedFile> {
    let (first, others) = files.split_first()?;
    others.iter().all(|other| other.sha256 == first.sha256).then_some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINUX: &str = "markupsafe-3.0.4-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl";
    const WINDOWS: &str = "markupsafe-3.0.4-cp311-cp311-win_amd64.whl";
    const SOURCES: &str = "markupsafe-3.0.4.tar.gz";

    /// A list with one package, whose files have their names for hashes.
    fn list(version: &str, files: &[(Option<&str>, &str)]) -> Lock {
        let files = files
            .iter()
            .map(|(name, hash)| LockedFile { name: name.map(str::to_owned), sha256: (*hash).to_owned() })
            .collect();
        let package = Locked { name: "markupsafe".to_owned(), version: version.to_owned(), files };
        Lock { kind: "uv.lock", packages: vec![package] }
    }

    fn named(files: &[&'static str]) -> Lock {
        list("3.0.4", &files.iter().map(|&name| (Some(name), name)).collect::<Vec<_>>())
    }

    fn installed(version: &str, tags: &[&str]) -> Installed {
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        Installed { name: "markupsafe".to_owned(), version: version.to_owned(), tags }
    }

    /// The hash of the file that it came from.
    fn origin_of(lock: &Lock, package: Installed) -> Option<String> {
        let compared = lock.compare(&[package]);
        assert_eq!((compared.packages.len(), compared.unlisted.len()), (1, 0));
        compared.packages[0].sha256.clone()
    }

    const LINUX_TAGS: [&str; 2] = ["cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux2014_x86_64"];

    #[test]
    fn the_wheel_with_the_same_tags_is_the_origin() {
        let lock = named(&[WINDOWS, LINUX, SOURCES]);
        assert_eq!(origin_of(&lock, installed("3.0.4", &LINUX_TAGS)).as_deref(), Some(LINUX));
        assert_eq!(origin_of(&lock, installed("3.0.4", &LINUX_TAGS[..1])).as_deref(), Some(LINUX));
        assert_eq!(origin_of(&lock, installed("3.0.4", &["cp311-cp311-win_amd64"])).as_deref(), Some(WINDOWS));
        let compared = lock.compare(&[installed("3.0.4", &LINUX_TAGS)]);
        assert_eq!(compared.packages[0].file.as_deref(), Some(LINUX));
    }

    #[test]
    fn a_wheel_that_was_built_here_is_of_the_sources() {
        let local = || installed("3.0.4", &["cp311-cp311-linux_x86_64"]);
        assert_eq!(origin_of(&named(&[WINDOWS, LINUX, SOURCES]), local()).as_deref(), Some(SOURCES));
        assert_eq!(origin_of(&named(&[WINDOWS, LINUX]), local()), None);
    }

    #[test]
    fn what_no_wheel_was_installed_for_has_no_origin() {
        assert_eq!(origin_of(&named(&[WINDOWS, LINUX, SOURCES]), installed("3.0.4", &[])), None);
        assert_eq!(origin_of(&list("3.0.4", &[(None, "aa")]), installed("3.0.4", &[])), None);
    }

    #[test]
    fn of_hashes_without_names_only_a_single_one_tells() {
        let package = || installed("3.0.4", &LINUX_TAGS);
        assert_eq!(origin_of(&list("3.0.4", &[(None, "aa")]), package()).as_deref(), Some("aa"));
        assert_eq!(origin_of(&list("3.0.4", &[(None, "aa"), (None, "aa")]), package()).as_deref(), Some("aa"));
        assert_eq!(origin_of(&list("3.0.4", &[(None, "aa"), (None, "bb")]), package()), None);
        assert_eq!(origin_of(&list("3.0.4", &[(None, "aa"), (Some(LINUX), "bb")]), package()), None);
    }

    #[test]
    fn two_files_that_fit_are_none() {
        let other = "markupsafe-3.0.4-1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl";
        assert_eq!(origin_of(&named(&[LINUX, other]), installed("3.0.4", &LINUX_TAGS)), None);
    }

    #[test]
    fn other_versions_and_other_packages_are_not_listed() {
        let numpy = Installed { name: "numpy".to_owned(), ..installed("2.0", &[]) };
        let compared = named(&[LINUX]).compare(&[installed("3.0.5", &LINUX_TAGS), numpy]);
        assert_eq!(compared.packages, []);
        assert_eq!(compared.unlisted, ["markupsafe 3.0.5", "numpy 2.0"]);
    }

    #[test]
    fn a_local_version_comes_from_a_file_of_that_version() {
        let gpu = "markupsafe-3.0.4+cu124-cp311-cp311-linux_x86_64.whl";
        let plain = "markupsafe-3.0.4-cp311-cp311-linux_x86_64.whl";
        let mut lock = list("3.0.4+cu124", &[(Some(gpu), gpu)]);
        lock.packages.extend(list("3.0.4", &[(Some(plain), plain)]).packages);
        let package = |version| installed(version, &["cp311-cp311-linux_x86_64"]);
        assert_eq!(origin_of(&lock, package("3.0.4+cu124")).as_deref(), Some(gpu));
        assert_eq!(origin_of(&lock, package("3.0.4")).as_deref(), Some(plain));
        // `==3.0.4` may be fulfilled by `3.0.4+cu118`, and not from this file.
        assert_eq!(origin_of(&list("3.0.4", &[(Some(plain), plain)]), package("3.0.4+cu118")), None);
    }
}
