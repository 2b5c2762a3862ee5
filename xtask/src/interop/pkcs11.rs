//! The methods `pkcs11-key` and `pkcs11-certificate`: keys of each curve on a token of SoftHSM.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::authority::{Authority, CURVES, Certificate, Curve, Usage, write_public_key};
use super::case::{NESTED, Tampering};
use super::certificate::{COLUMNS, NO_PATH};
use super::exchange::{Signed, Tools, same_statement};
use super::parallel::in_parallel;
use super::softhsm::{SoftHsm, Token};
use crate::outcome::Outcome;
use crate::table::{Cell, Row, Table};
use crate::tool::Method;

const TABLE: Table<7> = Table { first: "PKCS#11", columns: COLUMNS };

/// How a model is signed with a key on a token.
#[derive(Clone, Copy)]
enum Way {
    KeyByLabel,
    KeyById,
    Certificate,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::KeyByLabel => "key by label",
            Self::KeyById => "key by id",
            Self::Certificate => "certificate",
        }
    }
}

const WAYS: [Way; 3] = [Way::KeyByLabel, Way::KeyById, Way::Certificate];

/// How many checks are in the tables: all but the statement of the reference tool that signs nothing.
const CHECKS: u64 = (CURVES.len() * (WAYS.len() * COLUMNS.len() - 1)) as u64;

/// Exchanges a model in every way and prints a table for each curve.
pub(crate) fn run(tools: &Tools, folder: &Path) -> Result<Outcome> {
    let hsm = match SoftHsm::find_or_install() {
        Ok(hsm) => hsm,
        Err(reason) => return Ok(skipped(&reason)),
    };
    let token = hsm.make_token(folder)?;
    let mut keys = Vec::new();
    for (id, curve) in (1..).zip(CURVES) {
        let folder = folder.join(curve.name);
        fs::create_dir_all(&folder)?;
        keys.push(Key::make(curve, id, &token, &folder)?);
    }
    let tokens = keys.iter().flat_map(|key| WAYS.map(|way| (key, way))).map(|(key, way)| {
        let folder = folder.join(key.curve.name).join("exchanged").join(way.name());
        fs::create_dir_all(&folder)?;
        token.copy_to(&folder)
    });
    let tokens = tokens.collect::<Result<Vec<Token>>>()?;

    println!("==> exchanging a model with {} keys on a token", CURVES.len());
    let rows = in_parallel(CURVES.len() * WAYS.len(), |number| {
        let (key, way) = (&keys[number / WAYS.len()], WAYS[number % WAYS.len()]);
        exchange(way, key, &tokens[number], tools, &folder.join(key.curve.name).join("exchanged").join(way.name()))
    });
    let mut outcome = Outcome::default();
    for (curve, rows) in CURVES.iter().zip(rows.chunks(WAYS.len())) {
        outcome += TABLE.print(&format!("PKCS#11, {}", curve.name), rows);
    }
    println!(
        "\nuntrusted: verified with another key, or with another root of the same name.\ncannot: version 1.1.1 of the \
         reference tool fails whenever it has to sign with a certificate and a token."
    );
    Ok(outcome)
}

/// Says that nothing of this was checked. CI has to be able to check it.
pub(crate) fn skipped(reason: &str) -> Outcome {
    println!("\n==> PKCS#11: skipped: {reason}");
    let mut outcome = Outcome::default();
    if env::var_os("CI").is_some_and(|value| value == "true") {
        outcome.problems.push(format!("PKCS#11 has to be checked in CI: {reason}"));
    }
    outcome.skipped = CHECKS;
    outcome
}

/// A key on the token, and what verifies its signatures.
struct Key {
    curve: Curve,
    id: u8,
    certificate: PathBuf,
    root: PathBuf,
    other_root: PathBuf,
    public_key: PathBuf,
    other_public_key: PathBuf,
}

impl Key {
    fn make(curve: Curve, id: u8, token: &Token, folder: &Path) -> Result<Self> {
        let authority = Authority::new(curve, folder)?;
        let root = authority.self_signed("root", "root", Usage::Authority)?;
        let other_root = authority.self_signed("other-root", "root", Usage::Authority)?;
        let signer = authority.issued("signer", "signer", Usage::Signer, &root)?;
        token.import(&signer.private_key, curve.name, id)?;
        let public_key = |of: &Certificate, file: &str| {
            let path = folder.join(file);
            write_public_key(&of.private_key, &path).map(|()| path)
        };
        Ok(Self {
            curve,
            id,
            public_key: public_key(&signer, "signer.pub")?,
            other_public_key: public_key(&other_root, "other.pub")?,
            certificate: signer.certificate,
            root: root.certificate,
            other_root: other_root.certificate,
        })
    }
}

/// What the reference tool says of a key that is not the one that signed.
const ANOTHER_KEY: &[&str] = &["error: Key mismatch"];

/// What it says whenever it has to sign: it puts certificates into the bundle as bytes where its library takes Base64.
const NOT_SIGNED: &str = "Signing failed with error: 1 validation error for ";

fn exchange(way: Way, key: &Key, token: &Token, tools: &Tools, folder: &Path) -> Row<7> {
    let [ours, theirs] =
        [&tools.ours, &tools.theirs].map(|tool| tool.with_variable("SOFTHSM2_CONF", &token.configuration));
    let (ours, theirs) = (&ours, &theirs);
    let by_label = token.uri(&format!("object={}", key.curve.name));
    let by_id = token.uri(&format!("id=%{:02x}", key.id));
    let sign = match way {
        Way::KeyByLabel => Method::new("pkcs11-key").flag("--pkcs11_uri", by_label),
        Way::KeyById => Method::new("pkcs11-key").flag("--pkcs11_uri", by_id),
        Way::Certificate => {
            let method = Method::new("pkcs11-certificate").flag("--pkcs11_uri", by_label);
            let method = method.flag("--signing_certificate", &key.certificate);
            method.flag("--certificate_chain", &key.root)
        }
    };
    let from_us = Signed::new(&NESTED, ours, &sign, folder);
    let from_them = Signed::new(&NESTED, theirs, &sign, folder);

    let (verify, other, reasons) = match way {
        Way::KeyByLabel | Way::KeyById => {
            (Method::public_key(&key.public_key), Method::public_key(&key.other_public_key), ANOTHER_KEY)
        }
        Way::Certificate => {
            (Method::trusted_certificates(&key.root), Method::trusted_certificates(&key.other_root), NO_PATH)
        }
    };
    let (theirs_to_ours, for_us, same_statement) = match way {
        Way::KeyByLabel | Way::KeyById => {
            let same_statement = Cell::from(same_statement(&from_us, &from_them));
            (Cell::from(from_them.accepted(ours, &verify)), &from_them, same_statement)
        }
        Way::Certificate => (from_them.known_failure(NOT_SIGNED), &from_us, Cell::NotApplicable),
    };
    let cells = [
        Cell::from(from_us.accepted(theirs, &verify)),
        theirs_to_ours,
        from_us.refused_after(Tampering::Changed, theirs, &verify),
        Cell::from(from_us.refused(theirs, &other, reasons)),
        for_us.refused_after(Tampering::Changed, ours, &verify),
        Cell::from(for_us.refused(ours, &other, reasons)),
        same_statement,
    ];
    Row { name: way.name(), cells }
}
