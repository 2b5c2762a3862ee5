//! An accepted path stays below its root; an accepted shard name is its own canonical form.
#![no_main]

use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;
use model_transparency::hash::HashAlgorithm;
use model_transparency::manifest::Resource;
use model_transparency::model::{IgnoreRules, ModelPath};

fuzz_target!(|text: &str| {
    if let Ok(path) = ModelPath::parse(text) {
        let components: Vec<_> = Path::new(path.as_str()).components().collect();
        assert!(components.iter().all(|component| matches!(component, Component::Normal(_))), "{text:?}");
        assert_eq!(components.len(), text.split('/').count(), "{text:?}");
    }
    let digest = HashAlgorithm::Sha256.digest(b"");
    if let Ok(shard) = Resource::from_shard_name(text, digest.clone()) {
        let path = ModelPath::parse(shard.path()).expect("a shard's path is canonical");
        let range = shard.range().expect("a shard has a range");
        assert_eq!(Resource::shard(&path, range, digest), shard);
    }
    let rules = IgnoreRules::recorded([text]);
    assert!(rules.entries().all(|entry| ModelPath::parse(entry).is_ok() || entry.contains('\0')), "{text:?}");
    assert!(!rules.covers(""));
});
