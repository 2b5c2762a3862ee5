//! The x509-limbo suite: every case is decided as it says, or stands in `docs/x509-limbo.md` with the reason.
//!
//! The suite is about servers: a leaf is checked for server authentication, and has to have the peer's name exactly.

mod forge;

use std::collections::BTreeMap;
use std::path::Path;

use forge::vectors;
use model_transparency::certificate::{
    Certificate, IdentityRule, Purpose, Revocation, RevocationList, UnixTime, validate,
};
use serde_json::Value;

/// Rules for those who issue certificates or lists. What they are about is applied all the same: an extension counts
/// whether it is marked critical or not.
const PROFILE: &str = "a rule for issuers (RFC 5280 §4 and §5) that path validation (§6) does not have";
const PERIOD: &str = "a domain with a leading period means what lies below it, as in OpenSSL";
const DEPTH: &str = "no option limits the length of a path further than ten intermediates";

/// The cases that are decided otherwise, and why.
const DIFFERENT: [(&str, &str); 15] = [
    ("crl::crlnumber-missing", PROFILE),
    ("pathlen::max-chain-depth-0-exhausted", DEPTH),
    ("pathlen::max-chain-depth-1-exhausted", DEPTH),
    ("rfc5280::aki::cross-signed-root-missing-aki", PROFILE),
    ("rfc5280::aki::intermediate-missing-aki", PROFILE),
    ("rfc5280::aki::leaf-missing-aki", PROFILE),
    ("rfc5280::nc::invalid-dnsname-leading-period", PERIOD),
    ("rfc5280::nc::permitted-dns-match-noncritical", PROFILE),
    ("rfc5280::pc::ica-noncritical-pc", PROFILE),
    ("rfc5280::root-non-critical-basic-constraints", PROFILE),
    ("rfc5280::san::noncritical-with-empty-subject", PROFILE),
    ("rfc5280::san::underscore-dns", PROFILE),
    ("rfc5280::serial::zero", PROFILE),
    ("rfc5280::ski::intermediate-missing-ski", PROFILE),
    ("rfc5280::ski::root-missing-ski", PROFILE),
];

/// Cases, those to be accepted and refused that are, those that are decided otherwise.
type Counts = [usize; 4];

#[test]
fn every_case_is_decided_or_explained() {
    let Some(suite) = suite() else { return };
    let cases = suite["testcases"].as_array().expect("a list");
    assert!(cases.len() >= 138, "{} cases", cases.len());
    let different = BTreeMap::from(DIFFERENT);
    let mut unexplained = Vec::new();
    let mut groups: BTreeMap<&str, Counts> = BTreeMap::new();
    for case in cases {
        let id = case["id"].as_str().expect("a name");
        let to_be_accepted = case["expected_result"] == "SUCCESS";
        let outcome = decide(case);
        let agrees = outcome.is_ok() == to_be_accepted;
        let group = groups.entry(id.split("::").next().expect("a group")).or_default();
        group[0] += 1;
        group[if !agrees {
            3
        } else if to_be_accepted {
            1
        } else {
            2
        }] += 1;
        if agrees == different.contains_key(id) {
            unexplained.push(format!("{id}: expected {}, found {outcome:?}", case["expected_result"]));
        }
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));

    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/x509-limbo.md");
    let table = table(&groups);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&document, &table).expect("the document can be written");
    }
    let found = std::fs::read_to_string(&document).expect("the document can be read");
    assert_eq!(found.replace("\r\n", "\n"), table, "UPDATE_DOCS=1 renews it");
}

/// What `docs/x509-limbo.md` says.
fn table(groups: &BTreeMap<&str, Counts>) -> String {
    let mut text = format!("{HEAD}\n| group | cases | accepted, as expected | refused, as expected | otherwise |\n");
    text.push_str("|---|---|---|---|---|\n");
    let mut total = Counts::default();
    for (group, counts) in groups {
        text.push_str(&row(group, counts));
        total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
    }
    text.push_str(&row("all", &total));
    text.push_str(
        "\n## Decided otherwise\n\nEach of these is to be refused and is accepted.\n\n| case | why |\n|---|---|\n",
    );
    for (id, reason) in DIFFERENT {
        text.push_str(&format!("| `{id}` | {reason} |\n"));
    }
    text
}

fn row(name: &str, [cases, accepted, refused, otherwise]: &Counts) -> String {
    format!("| {name} | {cases} | {accepted} | {refused} | {otherwise} |\n")
}

const HEAD: &str = "\
# Certificate paths against x509-limbo

The groups of the public x509-limbo suite that are about paths, lists and damage, decided by
`model_transparency::certificate`. The suite is about servers, so leaves are checked for server authentication and for
the peer's name, exactly. `crates/core/tests/limbo.rs` makes this page and fails where it is not true.
";

fn suite() -> Option<Value> {
    let path = vectors("x509", "every_case_is_decided_or_explained")?.join("limbo.json");
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_slice(&text).expect("JSON"))
}

fn decide(case: &Value) -> Result<(), String> {
    let [leaf] = certificates(&case["peer_certificate"])?.try_into().map_err(|_| "expected one leaf")?;
    let all = |member: &str| -> Vec<Certificate> {
        let texts = case[member].as_array().into_iter().flatten();
        // One that can't be read leads nowhere; the others still count.
        texts.filter_map(|text| certificates(text).ok()).flatten().collect()
    };
    let (intermediates, anchors) = (all("untrusted_intermediates"), all("trusted_certs"));
    let purpose = match case["extended_key_usage"][0].as_str() {
        Some("clientAuth") => "1.3.6.1.5.5.7.3.2",
        _ => "1.3.6.1.5.5.7.3.1",
    };
    let purpose = Purpose::Other(purpose.parse().map_err(|_| "an object identifier")?);
    let path = validate(&leaf, &intermediates, &anchors, purpose, time(case)).map_err(|error| error.to_string())?;
    if let Some(name) = case["expected_peer_name"]["value"].as_str() {
        let rule = IdentityRule::Exact(name.to_owned());
        rule.find(path.leaf()).ok_or_else(|| format!("the certificate does not name {rule}"))?;
    }
    let lists = case["crls"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let lists: Result<Vec<_>, _> = lists.map(|text| RevocationList::from_file(text.as_bytes())).collect();
    let lists = lists.map_err(|error| error.to_string())?.concat();
    Revocation::check(&path, &lists, &anchors, time(case)).map_err(|error| error.to_string())?;
    Ok(())
}

fn certificates(text: &Value) -> Result<Vec<Certificate>, String> {
    Certificate::from_file(text.as_str().ok_or("no text")?.as_bytes()).map_err(|error| error.to_string())
}

/// The time of a case, to the second, or that of the suite.
fn time(case: &Value) -> UnixTime {
    let text = case["validation_time"].as_str().unwrap_or("2026-06-01T00:00:00Z");
    let seconds = text.split(['.', '+', 'Z']).next().expect("a date");
    let time = format!("{seconds}Z").parse::<x509_cert::der::DateTime>().expect("a date");
    UnixTime(time.unix_duration().as_secs())
}
