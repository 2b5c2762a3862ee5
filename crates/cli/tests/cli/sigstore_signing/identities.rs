//! Where the identity token comes from, and tokens that can't be used.

use fake_sigstore::{Claims, Service, SigningConfig};

use super::super::support::run;
use super::{SIGNER, Stack};

const SIGN: &str = "sign model --trust-config trust.json";

#[test]
fn a_token_comes_from_a_file_the_environment_or_the_command_line() {
    let stack = Stack::new(&SigningConfig::default());
    let token = |name: &str| stack.sigstore.token(&Claims::email(name));
    stack.sandbox.write("file", token("file@example.com") + "\n");
    let (variable, flag) = (token("variable@example.com"), token("flag@example.com"));
    let sign = |words: &str| {
        let run = run(stack.sandbox.command(&format!("{SIGN} {words}")).env("SIGSTORE_ID_TOKEN", &variable));
        assert_eq!(run.code, Some(0), "{run:?}");
        run
    };
    sign("");
    stack.verifies("variable@example.com");
    sign("--identity-token-file file");
    stack.verifies("file@example.com");
    let run = sign(&format!("--identity_token {flag}"));
    stack.verifies("flag@example.com");
    assert!(run.stderr.contains("--identity-token shows the token to other users"), "{}", run.stderr);
    stack.sandbox.fails(
        &format!("{SIGN} --identity-token-file file --identity-token {flag}"),
        2,
        &["cannot be used with"],
    );
    stack.sandbox.fails(
        &format!("{SIGN} --identity-token-file none"),
        3,
        &["the identity token `none` cannot be read"],
    );
    let run = stack.sandbox.fails(&format!("{SIGN} --identity-token-file {flag}"), 2, &["looks like a token itself"]);
    assert!(!run.stderr.contains(&flag), "{}", run.stderr);
    let run = stack.sandbox.fails(&format!("{SIGN} {flag}"), 2, &["unexpected argument '…'"]);
    assert!(!run.stderr.contains(&flag), "{}", run.stderr);
    let (code, document) = stack.sandbox.json(&format!("{SIGN} {flag}"));
    assert_eq!(code, 2);
    assert!(!document.to_string().contains(&flag), "{document}");
}

#[test]
fn a_token_that_can_not_be_used_is_refused_before_the_model_is_hashed() {
    let stack = Stack::new(&SigningConfig::default());
    for (claims, says) in [
        (Claims::email(SIGNER).expires_in(-10), "that expired at"),
        (Claims::email(SIGNER).not_before_in(600), "the clock may be slow"),
        (Claims::email(SIGNER).audience("somebody"), "expected the audience `sigstore`, found `somebody`"),
        (Claims::email(SIGNER).with("email_verified", false), "email_verified"),
    ] {
        stack.sandbox.write("token", stack.sigstore.token(&claims));
        stack.sandbox.fails(&format!("{SIGN} --identity-token-file token"), 1, &["--identity-token-file", says]);
    }
    for text in ["", "no token", "a.b.c", &"x".repeat(1 << 20)] {
        stack.sandbox.write("token", text);
        let run =
            stack.sandbox.fails(&format!("{SIGN} --identity-token-file token"), 1, &["the identity token is invalid"]);
        assert!(run.stderr.len() < 500, "{}", run.stderr);
    }
    assert_eq!(stack.requests(), [0; 5]);
}

#[test]
fn the_audience_is_the_client() {
    let stack = Stack::new(&SigningConfig::default());
    stack.sandbox.write("token", stack.sigstore.token(&Claims::email(SIGNER).audience("client")));
    // This Fulcio takes tokens for `sigstore` alone: it is asked, and says so.
    stack.sandbox.fails(
        &format!("{SIGN} --identity-token-file token --client-id client"),
        3,
        &["does not certify this identity: it answered 4"],
    );
    assert_eq!(stack.sigstore.requests(Service::Fulcio), 1);
    stack.sandbox.write("token", stack.sigstore.token(&Claims::email(SIGNER)));
    let mut command = stack.sandbox.command(&format!("{SIGN} --identity-token-file token --client-id"));
    assert_eq!(run(command.arg("")).code, Some(0), "an empty client is the usual one");
}

#[test]
fn whom_fulcio_does_not_know_it_does_not_certify() {
    let stack = Stack::new(&SigningConfig::default());
    let other = fake_sigstore::Instance::start();
    stack.sandbox.write("token", other.token(&Claims::email(SIGNER)));
    stack.sandbox.fails(
        &format!("{SIGN} --identity-token-file token"),
        3,
        &["the certificate authority `http://127.0.0.1", "does not certify this identity: it answered 4"],
    );
    assert_eq!([stack.sigstore.requests(Service::RekorV2), stack.sigstore.requests(Service::Timestamps)], [0, 0]);
}

#[test]
fn a_job_signs_as_what_it_is() {
    let stack = Stack::new(&SigningConfig::default());
    let ambient = format!("{SIGN} --use_ambient_credentials");
    stack.sandbox.fails(&ambient, 3, &["found no provider of identities"]);
    let token = stack.sigstore.token(&Claims::email("job@example.com"));
    let run = run(stack.sandbox.command(&ambient).env("GITLAB_CI", "true").env("SIGSTORE_ID_TOKEN", &token));
    assert_eq!(run.code, Some(0), "{run:?}");
    stack.verifies("job@example.com");
    stack.sandbox.fails_as(
        stack.sandbox.command(&ambient).env("GITHUB_ACTIONS", "true"),
        3,
        &["permissions: id-token: write"],
    );
    // The job is asked for by name; the variable may be there for something else.
    stack.sandbox.fails_as(
        stack.sandbox.command(&ambient).env("GITHUB_ACTIONS", "true").env("SIGSTORE_ID_TOKEN", &token),
        3,
        &["permissions: id-token: write"],
    );
    stack.sandbox.fails_as(
        stack.sandbox.command(&ambient).env("SIGSTORE_ID_TOKEN", "no token"),
        1,
        &["using SIGSTORE_ID_TOKEN instead", "SIGSTORE_ID_TOKEN: the identity token is invalid"],
    );
}

#[test]
fn without_a_token_browser_or_terminal_nobody_signs() {
    let stack = Stack::new(&SigningConfig::default());
    stack.sandbox.fails(SIGN, 3, &["nobody says who signs", "--identity-token-file FILE", "SIGSTORE_ID_TOKEN"]);
    let (code, document) = stack.sandbox.json(SIGN);
    assert_eq!((code, document["error"]["kind"].as_str()), (3, Some("no_identity")));
    assert_eq!(stack.requests(), [0; 5]);
}
