//! The command as a stranger runs it: output, exit codes, files left behind.

mod bad_input;
mod bundles;
mod certificates;
mod compatibility;
mod keys;
mod lookup;
mod models;
mod monitor;
mod output;
#[cfg(all(unix, feature = "pkcs11"))]
mod pkcs11;
mod provenance;
#[cfg(target_os = "linux")]
mod receipts;
mod sigstore_signing;
mod support;
mod targets;
mod timestamps;
mod trust;
#[expect(dead_code, reason = "its own tests use the rest")]
#[path = "../tsa/mod.rs"]
mod tsa;
mod verdicts;
mod vsa;
