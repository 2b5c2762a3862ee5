//! Only `trust update`, `sign`, `monitor` and `--online` ask anybody: everything else opens no socket.

#![cfg(target_os = "linux")]

use std::process::Command;

use fake_sigstore::{Claims, Instance, Service};

use super::super::support::{run, skipped};
use super::{Machine, published};

/// What `words` did to the network, if that can be seen here.
fn traced(machine: &Machine, words: &str) -> String {
    let command = machine.command(words);
    let mut traced = Command::new("strace");
    traced
        .args(["-f", "-e", "trace=%network", "-o", "trace", "--"])
        .arg(command.get_program())
        .args(command.get_args());
    traced.current_dir(machine.sandbox.path("")).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    traced.env("XDG_CACHE_HOME", machine.sandbox.path(super::CACHE));
    let ended = run(&mut traced);
    assert_eq!(ended.code, Some(0), "{words}: {ended:?}");
    String::from_utf8_lossy(&machine.sandbox.read("trace")).into_owned()
}

/// Whether this machine lets one process see what another does.
fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-f", "-e", "trace=%network", "-o", "/dev/null", "true"]).output();
    traced.is_ok_and(|output| output.status.success())
}

#[test]
fn whoever_verifies_asks_nobody() {
    if !can_trace() {
        return skipped("strace is not there or may not trace, so sockets can't be seen");
    }
    let sigstore = Instance::start();
    let repository = published(&sigstore);
    let machine = Machine::new(&repository);
    let update = traced(&machine, "trust update --mirror URL --root root.json");
    assert!(update.contains("connect("), "what asks is seen to ask: {update}");
    machine.sandbox.write("token", sigstore.token(&Claims::email("signer@example.com")));
    machine.ok("trust export --mirror URL -o trust.json");
    machine.ok("sign model --trust-config trust.json --identity-token-file token");
    let issuer = sigstore.url(Service::Oidc);
    let verify = "verify model --trust-config trust.json --identity signer@example.com --identity-provider";
    for words in [
        &format!("{verify} {issuer}"),
        "trust show",
        "trust show --use-staging",
        "trust show --mirror URL",
        "trust export -o other.json",
        "trust import trust.json --mirror URL",
        "inspect model.sig",
    ] {
        let trace = traced(&machine, words);
        let calls: Vec<_> =
            trace.lines().filter(|line| line.contains("socket(") || line.contains("connect(")).collect();
        assert!(calls.is_empty(), "{words}: {calls:?}");
    }
}
