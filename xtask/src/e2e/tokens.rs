//! Identity tokens that are not signed with.

use anyhow::Result;

use super::Scene;
use super::report::Report;
use super::sandbox::{SIGN, Sandbox, TRUST};
use crate::outcome::Outcome;
use crate::sigstore_stack::{Claims, PERSON, Realm};

/// A token, and what we say of it.
struct Refusal {
    name: &'static str,
    claims: Claims,
    says: &'static str,
}

/// Signs with each.
pub(super) fn run(scene: &Scene) -> Result<Outcome> {
    let mut report = Report::new("Tokens that are refused before anybody is asked");
    let sandbox = Sandbox::new(scene.folder(), "tokens", &scene.stack)?;
    // Nobody answers there: a request would be another failure.
    sandbox.write(TRUST, nobody_there(&std::fs::read_to_string(sandbox.path(TRUST))?))?;
    let person = || Claims::person(PERSON);
    for Refusal { name, claims, says } in [
        Refusal { name: "expired", claims: person().expires_in(-60), says: "found one that expired at" },
        Refusal {
            name: "for another audience",
            claims: person().with("aud", "somebody-else"),
            says: "expected the audience `sigstore`, found `somebody-else`",
        },
        Refusal {
            name: "an address that nobody verified",
            claims: person().with("email_verified", false),
            says: "expected an address that its issuer verified",
        },
        Refusal { name: "valid for ever", claims: person().without("exp"), says: "as its claim `exp`" },
        Refusal { name: "not valid yet", claims: person().with("nbf", 4_000_000_000_u64), says: "(`nbf`)" },
        Refusal { name: "from the future", claims: person().with("iat", 4_000_000_000_u64), says: "(`iat`)" },
    ] {
        sandbox.token(Realm::People, &claims)?;
        report.check(name, sandbox.does_not_sign(&scene.ours, SIGN, 1, &["the identity token is invalid", says]));
    }
    sandbox.write("token", "no token")?;
    report.check("no token at all", sandbox.does_not_sign(&scene.ours, SIGN, 1, &["expected a JWT"]));
    let mut outcome = report.close();

    let mut report = Report::new("Tokens that Fulcio refuses");
    let sandbox = Sandbox::new(scene.folder(), "strange tokens", &scene.stack)?;
    for (name, claims) in [
        ("of a stranger", person().with("iss", "http://127.0.0.1:1")),
        ("of another realm", person().with("iss", scene.stack.issuer(Realm::Workflows).url)),
    ] {
        sandbox.token(Realm::People, &claims)?;
        let says = ["the certificate authority", &scene.stack.urls.fulcio, "does not certify this identity"];
        report.check(name, sandbox.does_not_sign(&scene.ours, SIGN, 3, &says));
    }
    // The signature of the token is Fulcio's to check: nobody else has the keys of issuers.
    let token = sandbox.token(Realm::People, &person())?;
    let signed = token.rsplit_once('.').map_or("", |(signed, _)| signed);
    sandbox.write("token", format!("{signed}.{}", "A".repeat(86)))?;
    let says = ["the certificate authority", "does not certify this identity"];
    report.check("with another signature", sandbox.does_not_sign(&scene.ours, SIGN, 3, &says));
    outcome += report.close();
    Ok(outcome)
}

/// The configuration with every service at a port where nobody is.
fn nobody_there(configuration: &str) -> String {
    let mut parts = configuration.split("http://127.0.0.1:");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("http://127.0.0.1:1");
        text.push_str(part.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    }
    text
}
