//! Connections and answers go wrong as told.

use std::io;
use std::time::{Duration, Instant};

use fake_sigstore::{Fault, Instance, Service};
use serde_json::json;

use super::client::{Answer, get, post, request, sign_v2, verify};

/// Something that each service answers.
fn page(sigstore: &Instance, service: Service) -> String {
    let path = match service {
        Service::Oidc => "/.well-known/openid-configuration",
        Service::Fulcio => "/api/v2/trustBundle",
        Service::RekorV1 => "/api/v1/log",
        Service::RekorV2 => "/api/v2/checkpoint",
        Service::Timestamps => "/certchain",
    };
    format!("{}{path}", sigstore.url(service))
}

fn try_get(url: &str) -> io::Result<Answer> {
    request("GET", url, "", b"")
}

#[test]
fn every_service_fails_as_often_as_told() {
    let sigstore = Instance::start();
    for service in Service::ALL {
        let url = page(&sigstore, service);
        sigstore.fail_next(service, 2, Fault::Status(500, "not today".to_owned()));
        sigstore.fail_next(service, 1, Fault::Closes);
        let statuses = [(); 5].map(|()| try_get(&url).ok().map(|answer| answer.status));
        assert_eq!(statuses, [Some(500), Some(500), None, Some(200), Some(200)], "{service:?}");
        assert_eq!(sigstore.requests(service), 5);
    }
}

#[test]
fn errors_have_the_form_of_their_service() {
    let sigstore = Instance::start();
    let rows = [
        (Service::Oidc, json!({ "error": "invalid_request", "error_description": "slow down" })),
        (Service::Fulcio, json!({ "code": 8, "message": "slow down", "details": [] })),
        (Service::RekorV1, json!({ "code": 429, "message": "slow down" })),
        (Service::RekorV2, json!({ "code": 8, "message": "slow down", "details": [] })),
        (Service::Timestamps, json!({ "code": 429, "message": "slow down" })),
    ];
    for (service, body) in rows {
        sigstore.fail(service, Fault::Status(429, "slow down".to_owned()));
        let answer = get(&page(&sigstore, service));
        assert_eq!((answer.status, answer.json()), (429, body));
        sigstore.heal(service);
        assert_eq!(get(&page(&sigstore, service)).status, 200);
    }
}

#[test]
fn answers_are_too_long_too_short_late_or_none() {
    let sigstore = Instance::start();
    let (service, url) = (Service::RekorV2, page(&sigstore, Service::RekorV2));
    let honest = get(&url).body;

    sigstore.fail_next(service, 1, Fault::Oversize(5 << 20));
    assert_eq!(get(&url).body.len(), 5 << 20);
    sigstore.fail_next(service, 1, Fault::Truncates);
    let answer = get(&url);
    assert_eq!(answer.header("Content-Length"), Some(honest.len().to_string().as_str()));
    assert_eq!(answer.body.len(), honest.len() / 2);
    sigstore.fail_next(service, 1, Fault::Garbage);
    let answer = get(&url);
    assert_eq!(answer.status, 200);
    assert!(std::str::from_utf8(&answer.body).is_err());
    sigstore.fail_next(service, 1, Fault::Replies(418, "text/html".to_owned(), b"<p>teapot".to_vec()));
    let answer = get(&url);
    assert_eq!(
        (answer.status, answer.header("Content-Type"), answer.text().as_str()),
        (418, Some("text/html"), "<p>teapot")
    );
    sigstore.fail_next(service, 1, Fault::Redirects("http://elsewhere.example.com/".to_owned()));
    let answer = get(&url);
    assert_eq!((answer.status, answer.header("Location")), (302, Some("http://elsewhere.example.com/")));

    for fault in [Fault::Delays(Duration::from_millis(100)), Fault::Drips(Duration::from_millis(1))] {
        sigstore.fail_next(service, 1, fault.clone());
        let started = Instant::now();
        assert_eq!(get(&url).body.len(), honest.len(), "{fault:?}");
        assert!(started.elapsed() >= Duration::from_millis(100), "{fault:?}");
    }
}

#[test]
fn a_service_that_hangs_ends_with_its_instance() {
    let sigstore = Instance::start();
    let url = page(&sigstore, Service::Fulcio);
    sigstore.fail(Service::Fulcio, Fault::Hangs);
    let client = std::thread::spawn(move || try_get(&url).map(|answer| answer.status));
    while sigstore.requests(Service::Fulcio) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let started = Instant::now();
    drop(sigstore);
    client.join().expect("no panic").expect_err("no answer");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_service_that_is_stopped_refuses_connections() {
    let sigstore = Instance::start();
    for service in Service::ALL {
        let url = page(&sigstore, service);
        sigstore.stop(service);
        assert_eq!(try_get(&url).expect_err("refused").kind(), io::ErrorKind::ConnectionRefused, "{service:?}");
        sigstore.restart(service);
        assert_eq!(get(&url).status, 200);
        assert_eq!(sigstore.requests(service), 1);
    }
    verify(&sigstore, &sign_v2(&sigstore)).expect("verified");
}

#[test]
fn requests_are_kept_as_they_came() {
    let sigstore = Instance::start();
    let url = format!("{}/api/v2/log/entries", sigstore.url(Service::RekorV2));
    assert_eq!(post(&url, &json!({ "no": "entry" })).status, 400);
    let [seen] = &sigstore.requests_seen(Service::RekorV2)[..] else { panic!("one request") };
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/api/v2/log/entries"));
    assert_eq!(seen.body, br#"{"no":"entry"}"#);
    assert!(seen.headers.contains(&("content-type".to_owned(), "application/json".to_owned())));
}
