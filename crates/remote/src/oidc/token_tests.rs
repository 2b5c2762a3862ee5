//! Tokens that can't be used, and what is read from those that can.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::oidc::AUDIENCE;
use crate::oidc::testing::{NOW, claims, token};

fn parse(changes: Value) -> Result<IdentityToken, InvalidToken> {
    IdentityToken::parse(&token(&claims(changes)), AUDIENCE, NOW)
}

#[test]
fn a_token_says_who_signs() {
    const GITHUB: &str = "https://token.actions.githubusercontent.com";
    for (changes, issuer, challenge) in [
        (json!({}), "https://issuer.example", "subject"),
        (json!({ "aud": ["other", "sigstore"] }), "https://issuer.example", "subject"),
        (json!({ "email": "", "email_verified": false }), "https://issuer.example", "subject"),
        (json!({ "email": null, "nbf": null }), "https://issuer.example", "subject"),
        (json!({ "email": "a@example.org" }), "https://issuer.example", "a@example.org"),
        (json!({ "email": "a@example.org", "email_verified": true }), "https://issuer.example", "a@example.org"),
        (json!({ "email": "a@example.org", "email_verified": "True" }), "https://issuer.example", "a@example.org"),
        (json!({ "iss": GITHUB, "email": "a@example.org" }), GITHUB, "subject"),
        (
            json!({
                "iss": "https://oauth2.sigstore.dev/auth",
                "email": "a@example.org",
                "email_verified": true,
                "federated_claims": { "connector_id": "https://github.com/login/oauth", "user_id": "1" },
            }),
            "https://github.com/login/oauth",
            "a@example.org",
        ),
        (json!({ "federated_claims": { "user_id": "1" } }), "https://issuer.example", "subject"),
    ] {
        let token = parse(changes.clone()).unwrap_or_else(|error| panic!("{changes}: {error}"));
        assert_eq!((token.issuer(), token.challenge()), (issuer, challenge), "{changes}");
    }
}

#[test]
fn a_bad_token_is_refused() {
    let claim = |claim, expected, found| InvalidToken::Claim { claim, expected, found };
    let audience = |found: &str| InvalidToken::Audience { expected: AUDIENCE.to_owned(), found: found.to_owned() };
    let not_yet = |claim, from| InvalidToken::NotYet { claim, from: UnixTime(from), now: NOW };
    let expired = |at| InvalidToken::Expired { expires_at: UnixTime(at), now: NOW };
    for (changes, error) in [
        (json!({ "iss": null }), claim("iss", "a text", "none")),
        (json!({ "iss": "" }), claim("iss", "a text", "none")),
        (json!({ "iss": 1 }), claim("iss", "a text", "another number")),
        (json!({ "sub": null }), claim("sub", "a text", "none")),
        (json!({ "aud": null }), claim("aud", "a text or a list of texts", "none")),
        (json!({ "aud": {} }), claim("aud", "a text or a list of texts", "an object")),
        (json!({ "aud": "Sigstore" }), audience("Sigstore")),
        (json!({ "aud": ["a", "b", 1] }), audience("a`, `b")),
        (json!({ "aud": [] }), audience("")),
        (json!({ "iat": null }), claim("iat", SECONDS, "none")),
        (json!({ "iat": NOW.0 + 6 }), not_yet("iat", NOW.0 + 6)),
        (json!({ "nbf": NOW.0 + 6 }), not_yet("nbf", NOW.0 + 6)),
        (json!({ "nbf": "now" }), claim("nbf", SECONDS, "a text")),
        (json!({ "exp": null }), claim("exp", SECONDS, "none")),
        (json!({ "exp": true }), claim("exp", SECONDS, "a truth value")),
        (json!({ "exp": -1 }), claim("exp", SECONDS, "another number")),
        (json!({ "exp": 1e300 }), claim("exp", SECONDS, "another number")),
        (json!({ "exp": NOW.0 }), expired(NOW.0)),
        (json!({ "exp": NOW.0 as f64 + 0.5 }), expired(NOW.0)),
        (
            json!({ "email": "a@example.org", "email_verified": false }),
            InvalidToken::EmailNotVerified { email: "a@example.org".to_owned() },
        ),
        (
            json!({ "email": "a@example.org", "email_verified": "false" }),
            InvalidToken::EmailNotVerified { email: "a@example.org".to_owned() },
        ),
        (
            json!({ "email": "a@example.org", "email_verified": "perhaps" }),
            claim("email_verified", "true or false", "a text"),
        ),
        (json!({ "email": ["a@example.org"] }), claim("email", "a text", "a list")),
        (json!({ "iss": "https://accounts.google.com" }), claim("email", "the address that is certified", "none")),
        (json!({ "federated_claims": "x" }), claim("federated_claims", "an object", "a text")),
        (
            json!({ "federated_claims": { "connector_id": 1 } }),
            claim("federated_claims", "a text in `connector_id`", "another number"),
        ),
    ] {
        assert_eq!(parse(changes.clone()).map(|token| token.challenge().to_owned()), Err(error), "{changes}");
    }
}

#[test]
fn what_is_no_jwt_is_refused() {
    let whole = token(&claims(json!({})));
    let parts: Vec<&str> = whole.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    let text = URL_SAFE_NO_PAD.encode("\"text\"");
    for (text, error) in [
        (String::new(), InvalidToken::Parts { found: 1 }),
        (format!("{header}.{payload}"), InvalidToken::Parts { found: 2 }),
        (format!("{whole}.{signature}"), InvalidToken::Parts { found: 4 }),
        (format!("{header}.{payload}."), InvalidToken::Unsigned),
        (format!(".{payload}.{signature}"), InvalidToken::Json { part: "header" }),
        (format!("{header}..{signature}"), InvalidToken::Json { part: "payload" }),
        (format!("{text}.{payload}.{signature}"), InvalidToken::Json { part: "header" }),
        (format!("{header}.{text}.{signature}"), InvalidToken::Json { part: "payload" }),
        (format!("{header}=.{payload}.{signature}"), InvalidToken::Encoding { part: "header" }),
        (format!("{header}.{payload}=.{signature}"), InvalidToken::Encoding { part: "payload" }),
        (format!("{header}. {payload}.{signature}"), InvalidToken::Encoding { part: "payload" }),
        (format!("{header}.{payload}.+{signature}"), InvalidToken::Encoding { part: "signature" }),
        ("x".repeat(MAX_TOKEN_BYTES + 1), InvalidToken::TooLarge { found: MAX_TOKEN_BYTES + 1 }),
    ] {
        assert_eq!(IdentityToken::parse(&text, AUDIENCE, NOW).map(|_| ()), Err(error), "{text}");
    }
}

#[test]
fn a_token_counts_from_when_it_is_issued_until_it_expires() {
    let token = parse(json!({ "iat": NOW.0 + 5, "nbf": NOW.0 + 5, "exp": NOW.0 + 1 })).expect("a small skew");
    assert_eq!(token.expires_at(), UnixTime(NOW.0 + 1));
    assert!(!token.is_expired(NOW));
    assert!(token.is_expired(UnixTime(NOW.0 + 1)));
}

#[test]
fn a_token_is_not_shown() {
    let text = token(&claims(json!({})));
    let token = IdentityToken::parse(&format!(" {text}\n"), AUDIENCE, NOW).expect("a token");
    assert_eq!(token.expose(), text);
    let shown = format!("{token:?}");
    assert!(text.split('.').all(|part| !shown.contains(part)), "{shown}");
    assert!(shown.contains("subject"), "{shown}");
}

proptest! {
    #[test]
    fn anything_is_read_or_refused(text in ".*", claims in ".*") {
        let _ = IdentityToken::parse(&text, AUDIENCE, NOW);
        let payload = URL_SAFE_NO_PAD.encode(&claims);
        let _ = IdentityToken::parse(&format!("e30.{payload}.e30"), AUDIENCE, NOW);
    }
}
