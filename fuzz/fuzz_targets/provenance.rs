//! A file of provenance is refused, or taken apart: as attestations, and as what gcloud prints.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use model_transparency::provenance::cloud_build::{self, CloudBuildKeys};
use model_transparency::provenance::{documents, is_cloud_build};

static KEYS: LazyLock<CloudBuildKeys> = LazyLock::new(CloudBuildKeys::embedded);

fuzz_target!(|bytes: &[u8]| {
    if let Ok(found) = documents(bytes) {
        assert!(!found.is_empty());
    }
    if cloud_build::verify(bytes, &KEYS).is_ok() {
        assert!(is_cloud_build(bytes));
    }
});
