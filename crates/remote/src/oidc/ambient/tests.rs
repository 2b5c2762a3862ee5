//! Each provider, faked: services on loopback, scripts in a `PATH` of their own.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::services::gitlab_variable;
use super::*;
use crate::oidc::AUDIENCE;
use crate::oidc::testing::{NOW, claims, token};
use crate::testing::{IMPATIENCE, Reply, Request, Service};

/// A machine of nobody's, with these variables.
fn detect(variables: &[(&str, &str)]) -> Result<IdentityToken, AmbientError> {
    detect_on(Path::new("/nonexistent"), "http://127.0.0.1:1", variables)
}

fn detect_on(
    product_name: &Path,
    credentials: &str,
    variables: &[(&str, &str)],
) -> Result<IdentityToken, AmbientError> {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    let surroundings = Surroundings {
        product_name: product_name.to_owned(),
        credentials: credentials.to_owned(),
        patience: IMPATIENCE,
        ..Surroundings::new(&variable, &|| NOW)
    };
    ambient(AUDIENCE, &surroundings)
}

fn error(found: Result<IdentityToken, AmbientError>) -> String {
    found.expect_err("no token").to_string()
}

fn text() -> String {
    token(&claims(json!({})))
}

#[test]
fn nobody_is_found_where_nobody_is() {
    let found = detect(&[("GITHUB_ACTIONS", ""), ("SIGSTORE_ID_TOKEN", &text()), ("CI", "true")]);
    assert_eq!(found.as_ref().err(), Some(&AmbientError::Nowhere));
    let error = error(found);
    for says in ["GitHub Actions (`GITHUB_ACTIONS`)", "Google Cloud", "Buildkite", "GitLab", "CircleCI"] {
        assert!(error.contains(says), "{error}");
    }
}

fn detect_github(service: &Service) -> Result<IdentityToken, AmbientError> {
    let url = format!("{}/token?api-version=2.0&audience=other", service.url());
    detect(&[
        ("GITHUB_ACTIONS", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", &url),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer-secret"),
    ])
}

#[test]
fn github_gives_a_token_for_the_audience() {
    let service = Service::start(|_| Reply::ok(json!({ "count": 1, "value": text() }).to_string()));
    let found = detect_github(&service).expect("a token");
    assert_eq!(found.expose(), text());
    let request = &service.requests()[0];
    assert_eq!((request.method.as_str(), request.path()), ("GET", "/token"));
    assert_eq!(request.header("authorization"), Some("Bearer bearer-secret"));
    assert_eq!(request.target, "/token?api-version=2.0&audience=sigstore");
}

#[test]
fn github_without_the_permission_says_which() {
    for missing in ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"] {
        let other = ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"];
        let other = other.into_iter().find(|name| *name != missing).expect("two");
        let found = detect(&[("GITHUB_ACTIONS", "true"), (other, "http://127.0.0.1:1")]);
        assert_eq!(found.as_ref().err(), Some(&AmbientError::NoPermission { variable: missing }));
        assert!(error(found).contains("id-token: write"));
    }
}

#[test]
fn github_that_answers_badly_is_an_error() {
    let secret = text();
    let other = token(&claims(json!({ "aud": "other" })));
    for (reply, says) in [
        (Reply::new(403, r#"{"message":"not yours"}"#), "answered 403 Forbidden: not yours"),
        (Reply::new(302, ""), "answered 302"),
        (Reply::ok(format!("\"{secret}\"")), "expected JSON with a text as `value`"),
        (Reply::ok("{}"), "expected JSON with a text as `value`"),
        (Reply::ok("x".repeat(1 << 20)), "expected JSON with a text as `value`"),
        (Reply { drips: Some(Duration::from_millis(300)), ..Reply::ok("x".repeat(60)) }, "broke off"),
        (Reply::ok(json!({ "value": "no.token" }).to_string()), "identity token that is invalid: expected a JWT"),
        (Reply::ok(json!({ "value": other }).to_string()), "expected the audience `sigstore`, found `other`"),
    ] {
        let service = Service::start(move |_| reply.clone());
        let error = error(detect_github(&service));
        assert!(error.contains(says) && error.starts_with("GitHub Actions"), "{error}");
        assert!(!error.contains(&secret) && !error.contains("bearer-secret"), "{error}");
    }
}

#[test]
fn gitlab_has_a_variable_for_each_audience() {
    for (audience, variable) in [
        ("sigstore", "SIGSTORE_ID_TOKEN"),
        ("http://test.audience", "HTTP___TEST_AUDIENCE_ID_TOKEN"),
        ("0day2", "_DAY2_ID_TOKEN"),
        ("é", "__ID_TOKEN"),
    ] {
        assert_eq!(gitlab_variable(audience), variable);
    }
    let found = detect(&[("GITLAB_CI", "true"), ("SIGSTORE_ID_TOKEN", &text())]).expect("a token");
    assert_eq!(found.challenge(), "subject");
    let error = error(detect(&[("GITLAB_CI", "true"), ("OTHER_ID_TOKEN", &text())]));
    assert!(error.contains("`SIGSTORE_ID_TOKEN` under `id_tokens`, with `aud: sigstore`"), "{error}");
}

/// Google's services, as far as they are asked: those of the machine and those of another account's credentials.
fn google(request: &Request) -> Reply {
    let answer = match request.path() {
        "/computeMetadata/v1/instance/service-accounts/default/identity" => text(),
        "/computeMetadata/v1/instance/service-accounts/default/token" => {
            json!({ "access_token": "access-secret" }).to_string()
        }
        "/v1/projects/-/serviceAccounts/a@example.org:generateIdToken" => json!({ "token": text() }).to_string(),
        _ => return Reply::new(404, ""),
    };
    Reply::ok(answer)
}

#[test]
fn a_machine_of_google_has_the_token_of_its_account() {
    let folder = tempfile::tempdir().expect("a folder");
    let product_name = folder.path().join("product_name");
    let service = Service::start(google);
    let host = service.host();
    for (name, is_found) in [("Google Compute Engine\n", true), ("Google\n", true), ("KVM\n", false)] {
        fs::write(&product_name, name).expect("written");
        let found = detect_on(&product_name, "http://127.0.0.1:1", &[("GCE_METADATA_HOST", &host)]);
        assert_eq!(found.map(|token| token.expose().to_owned()).ok(), is_found.then(text), "{name}");
    }
    let request = &service.requests()[0];
    assert_eq!(request.header("metadata-flavor"), Some("Google"));
    assert_eq!(request.parameter("audience").as_deref(), Some(AUDIENCE));
    assert_eq!(request.parameter("format").as_deref(), Some("full"));
}

#[test]
fn a_machine_of_google_speaks_for_another_account() {
    let service = Service::start(google);
    let (host, url) = (service.host(), service.url());
    let detect = |account: &str| {
        let variables = [("GOOGLE_SERVICE_ACCOUNT_NAME", account), ("GCE_METADATA_HOST", host.as_str())];
        detect_on(Path::new("/nonexistent"), &url, &variables)
    };
    assert_eq!(detect("a@example.org").expect("a token").expose(), text());
    let [first, second] = &service.requests()[..] else { panic!("two requests") };
    assert_eq!(first.header("metadata-flavor"), Some("Google"));
    assert_eq!(first.parameter("scopes").as_deref(), Some("https://www.googleapis.com/auth/cloud-platform"));
    assert_eq!(second.method, "POST");
    assert_eq!(second.header("authorization"), Some("Bearer access-secret"));
    assert_eq!(second.body, json!({ "audience": AUDIENCE, "includeEmail": true }).to_string());
    // It names an account, and no other part of the path.
    let error = error(detect("../../b"));
    assert!(error.contains("Google Cloud: the service of credentials answered 404"), "{error}");
    assert!(service.requests()[3].path().ends_with("/serviceAccounts/..%2F..%2Fb:generateIdToken"));
}

#[test]
fn google_that_does_not_answer_is_an_error() {
    let variables = [("GOOGLE_SERVICE_ACCOUNT_NAME", "a@example.org"), ("GCE_METADATA_HOST", "127.0.0.1:1")];
    let error = error(detect(&variables));
    assert!(error.starts_with("Google Cloud: the metadata service can't be reached"), "{error}");
}

#[cfg(unix)]
mod programs {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::OnceLock;
    use std::time::Instant;

    use super::*;

    /// All scripts are written before one runs: a process that was just forked may have one open for writing.
    fn scripts() -> &'static Path {
        static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
        let write = || {
            let folder = tempfile::tempdir().expect("a folder");
            let text = text();
            for (place, body) in [
                (
                    "good/buildkite-agent",
                    format!("[ \"$*\" = 'oidc request-token --audience sigstore' ] && echo {text}"),
                ),
                (
                    "good/circleci",
                    format!(
                        "[ \"$*\" = 'run oidc get --claims {{\"aud\":\"sigstore\"}} --root-issuer' ] && echo {text}"
                    ),
                ),
                ("bad/buildkite-agent", "echo 'no such  job' >&2; exit 3".to_owned()),
                ("bad/circleci", "exec sleep 60".to_owned()),
                ("odd/buildkite-agent", "printf '\\377'".to_owned()),
                ("odd/circleci", "head -c 1000000 /dev/zero | tr '\\0' x".to_owned()),
            ] {
                let script = folder.path().join(place);
                fs::create_dir_all(script.parent().expect("a folder")).expect("made");
                fs::write(&script, format!("#!/bin/sh\n{body}\n")).expect("written");
                fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("made a program");
            }
            folder
        };
        FOLDER.get_or_init(write).path()
    }

    fn detect_program(variable: &str, folder: &str) -> Result<IdentityToken, AmbientError> {
        let path = scripts().join(folder);
        detect(&[(variable, "true"), ("PATH", &format!("relative:/nonexistent:{}", path.display()))])
    }

    #[test]
    fn the_programs_of_buildkite_and_circleci_get_a_token() {
        for variable in ["BUILDKITE", "CIRCLECI"] {
            assert_eq!(detect_program(variable, "good").expect("a token").expose(), text());
        }
    }

    #[test]
    fn a_program_that_gets_no_token_is_an_error() {
        for (variable, folder, says) in [
            ("BUILDKITE", "none", "Buildkite: expected the program `buildkite-agent` in `PATH`, found none"),
            ("CIRCLECI", "none", "CircleCI: expected the program `circleci` in `PATH`, found none"),
            ("BUILDKITE", "bad", "Buildkite: the program `buildkite-agent` failed (exit status: 3): no such job"),
            ("CIRCLECI", "bad", "CircleCI: the program `circleci` gave no answer in 3 s"),
            ("BUILDKITE", "odd", "Buildkite: the program `buildkite-agent` wrote something that is no text"),
            ("CIRCLECI", "odd", "CircleCI"),
        ] {
            let started = Instant::now();
            let error = error(detect_program(variable, folder));
            assert!(error.starts_with(says), "{error}");
            assert!(started.elapsed() < Duration::from_secs(20));
        }
    }
}
