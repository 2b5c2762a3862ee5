//! A person logs in: with a browser on this machine, or one elsewhere.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fake_sigstore::{Claims, Fault, Lie, Service, SigningConfig};

use super::super::support::{Run, run};
use super::{SIGNER, Stack, browse};

const SIGN: &str = "sign model --trust-config trust.json";

/// A program that opens no browser but writes down what it was told to open.
fn with_browser(stack: &Stack, words: &str) -> Command {
    stack.sandbox.write("browser", "#!/bin/sh\nprintf %s \"$1\" > url.part && mv url.part url\n");
    let browser = stack.sandbox.path("browser");
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).expect("executable");
    let mut command = stack.sandbox.command(&format!("{SIGN} {words}"));
    command.env("BROWSER", browser).env("PATH", "/usr/bin:/bin");
    command
}

/// Runs a command while a person does in the browser what it asks for. The page that they see in the end.
fn logged_in(stack: &Stack, command: &mut Command) -> (Run, String) {
    let url = stack.sandbox.path("url");
    std::thread::scope(|scope| {
        let page = scope.spawn(|| {
            let started = Instant::now();
            while started.elapsed() < Duration::from_secs(20) {
                if let Ok(url) = fs::read_to_string(&url) {
                    return browse(&url);
                }
                sleep(Duration::from_millis(5));
            }
            String::new()
        });
        (run(command), page.join().expect("a page"))
    })
}

#[test]
fn whoever_logs_in_signs() {
    let stack = Stack::new(&SigningConfig::default());
    let (run, page) = logged_in(&stack, &mut with_browser(&stack, ""));
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    stack.verifies(SIGNER);
    // Discovery, the page and the token; once each.
    assert_eq!(stack.requests(), [3, 1, 0, 1, 1]);
    let before = run.stderr.find("nobody can delete").expect("what becomes of the name is said");
    assert!(before < run.stderr.find("Log in with your browser").expect("where to log in is said"), "{}", run.stderr);
}

#[test]
fn a_client_with_a_secret_logs_in() {
    let stack = Stack::new(&SigningConfig::default());
    stack.sigstore.register_client("client", "hunter2");
    // Tokens are for the client then, which this Fulcio does not take; it is asked.
    let (run, _) = logged_in(&stack, &mut with_browser(&stack, "--client_id client --client_secret hunter2"));
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.stderr.contains("does not certify this identity"), "{}", run.stderr);
    assert!(run.stderr.contains("--client-secret shows the secret"), "{}", run.stderr);
    assert_eq!(stack.sigstore.requests(Service::Fulcio), 1);
}

/// 64 GiB, none of them on the disk: nobody waits for their digest.
#[test]
fn a_login_that_is_declined_ends_the_hashing() {
    let stack = Stack::new(&SigningConfig::default());
    let file = fs::File::create(stack.sandbox.path("model/sparse")).expect("made");
    file.set_len(64 << 30).expect("the file system has sparse files");
    stack.sandbox.write("model/small", "s");
    stack.sigstore.lie(Service::Oidc, Lie::AccessDenied);
    let (run, _) = logged_in(&stack, &mut with_browser(&stack, "--log-level debug"));
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.stderr.contains("the login was refused"), "{}", run.stderr);
    let hashed = run.stderr.lines().find(|line| line.contains("hashed ")).expect("how much was hashed");
    assert!(!hashed.contains("68.7 GB"), "all of it: {hashed}");
}

#[test]
fn a_login_that_comes_to_nothing_is_no_signature() {
    for (lie, says) in [
        (Lie::AccessDenied, "the login was refused"),
        (Lie::AnotherState, "another `state`"),
        (Lie::AnotherNonce, "another `nonce`"),
    ] {
        let stack = Stack::new(&SigningConfig::default());
        stack.sigstore.lie(Service::Oidc, lie);
        let (run, _) = logged_in(&stack, &mut with_browser(&stack, ""));
        assert_eq!(run.code, Some(3), "{lie:?} {run:?}");
        assert!(run.stderr.contains("no identity to sign with") && run.stderr.contains(says), "{lie:?} {}", run.stderr);
        assert_eq!(stack.sigstore.requests(Service::Fulcio), 0);
    }
    let stack = Stack::new(&SigningConfig::default());
    stack.sigstore.fail(Service::Oidc, Fault::Status(404, "not here".to_owned()));
    let run = run(&mut with_browser(&stack, ""));
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.stderr.contains("the issuer `http://127.0.0.1") && run.stderr.contains("404"), "{}", run.stderr);
}

#[test]
fn a_model_that_can_not_be_hashed_waits_for_nobody() {
    let stack = Stack::new(&SigningConfig::default());
    stack.sigstore.sign_in(Claims::email("late@example.com"));
    fs::set_permissions(stack.sandbox.path("model/config.json"), fs::Permissions::from_mode(0o000)).expect("changed");
    if fs::read(stack.sandbox.path("model/config.json")).is_ok() {
        // Root reads everything.
        return;
    }
    let started = Instant::now();
    let run = run(&mut with_browser(&stack, ""));
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn out_of_band_the_code_is_typed() {
    let stack = Stack::new(&SigningConfig::default());
    let mut command = stack.sandbox.command(&format!("{SIGN} --oauth_force_oob"));
    command.env("BROWSER", "/does/not/matter").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut errors = child.stderr.take().expect("piped");
    let mut shown = String::new();
    let mut byte = [0];
    while !shown.ends_with("shown there: ") && std::io::Read::read(&mut errors, &mut byte).is_ok_and(|read| read == 1) {
        shown.push(char::from(byte[0]));
    }
    let url =
        shown.split_whitespace().find(|word| word.contains("?response_type=")).unwrap_or_else(|| panic!("{shown}"));
    let page = browse(url);
    let code = page.split_once("<code>").and_then(|(_, rest)| rest.split_once("</code>")).expect("a code").0;
    writeln!(child.stdin.take().expect("piped"), "{code}").expect("typed");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    stack.verifies(SIGNER);
}

#[test]
fn without_somebody_to_type_there_is_no_code() {
    let stack = Stack::new(&SigningConfig::default());
    stack.sandbox.fails(&format!("{SIGN} --oauth-force-oob"), 3, &["nothing was typed"]);
    // A browser that can't be opened, and nobody at a terminal.
    let mut command = stack.sandbox.command(SIGN);
    command.env("BROWSER", "/no/such/browser");
    stack.sandbox.fails_as(&mut command, 3, &["nothing was typed"]);
}

#[test]
fn nobody_logs_in_for_a_model_that_can_not_be_signed() {
    let stack = Stack::new(&SigningConfig::default());
    std::os::unix::fs::symlink("/etc/hosts", stack.sandbox.path("model/link")).expect("a link");
    let run = run(&mut with_browser(&stack, ""));
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(!run.stderr.contains("Log in"), "{}", run.stderr);
    assert_eq!(stack.requests(), [0; 5]);
}

#[test]
fn a_secret_in_the_url_of_an_issuer_is_not_shown() {
    let stack = Stack::new(&SigningConfig::default());
    for scheme in ["https", "http"] {
        let run = run(&mut with_browser(&stack, &format!("--oidc-issuer {scheme}://user:hunter2@example.com/x")));
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(!run.stderr.contains("hunter2") && run.stderr.contains("without a name"), "{}", run.stderr);
    }
}

#[test]
fn the_browser_outlives_ctrl_c() {
    let stack = Stack::new(&SigningConfig::default());
    let mut command = with_browser(&stack, "");
    // Whether there is a group that this leads.
    stack.sandbox.write("browser", "#!/bin/sh\nkill -0 -$$ && touch group\nexit 1\n");
    run(&mut command);
    assert!(stack.sandbox.path("group").exists());
}
