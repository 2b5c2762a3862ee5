//! A Sigstore bundle of an artifact, from a stranger, is refused.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use model_transparency::sigstore::{Artifact, Instance, SignerRule, TrustedRoot, verify_artifact};

static ROOT: LazyLock<TrustedRoot> = LazyLock::new(|| TrustedRoot::embedded(Instance::Production));

fuzz_target!(|bundle: &[u8]| {
    let artifact = Artifact::Sha256([7; 32]);
    assert!(verify_artifact(bundle, artifact, &ROOT, SignerRule::Anybody).is_err());
});
