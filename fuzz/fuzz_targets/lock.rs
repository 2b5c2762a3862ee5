//! A list of packages of any kind is refused or read: names are normalised, hashes are hashes, and what is installed as
//! the list has it is in the list.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use model_transparency_observe::python::{Installed, Lock};

const NAMES: [&str; 6] = ["pylock.toml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "requirements.txt"];

fuzz_target!(|bytes: &[u8]| {
    for name in NAMES {
        if let Ok(lock) = Lock::parse(Path::new(name), bytes) {
            check(&lock);
        }
    }
});

fn check(lock: &Lock) {
    for package in &lock.packages {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(!package.name.is_empty() && package.name.bytes().all(inner), "{}", package.name);
        for file in &package.files {
            assert!(file.sha256.len() == 64 && file.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }
    let installed: Vec<Installed> = lock
        .packages
        .iter()
        .map(|package| Installed {
            name: package.name.clone(),
            version: package.version.clone(),
            tags: vec!["py3-none-any".to_owned(), "cp311-cp311-linux_x86_64".to_owned()],
        })
        .collect();
    let compared = lock.compare(&installed);
    assert_eq!((compared.packages.len(), compared.unlisted.len()), (installed.len(), 0));
    for package in &compared.packages {
        let listed =
            || lock.packages.iter().filter(|listed| listed.name == package.name).flat_map(|listed| &listed.files);
        if let Some(sha256) = &package.sha256 {
            assert!(listed().any(|file| &file.sha256 == sha256 && file.name == package.file));
        }
    }
}
