//! The method `certificate`: chains of every length, with keys of each curve.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::authority::{Authority, CURVES, Certificate, Curve, Usage};
use super::case::{NESTED, Tampering};
use super::exchange::{Signed, Tools, same_statement};
use super::parallel::in_parallel;
use crate::outcome::Outcome;
use crate::table::{Cell, Row, Table};
use crate::tool::Method;

/// The columns of the methods that have one model and several ways to trust.
pub(super) const COLUMNS: [&str; 7] = [
    "ours → theirs",
    "theirs → ours",
    "they refuse: changed",
    "untrusted",
    "we refuse: changed",
    "untrusted",
    "same statement",
];

const TABLE: Table<7> = Table { first: "chain", columns: COLUMNS };

/// What the reference tool says where no path leads to what is trusted: it depends on where the path ends.
pub(super) const NO_PATH: &[&str] = &[
    "error: self-signed certificate",
    "error: unable to get issuer certificate",
    "error: unable to get local issuer certificate",
];

/// Exchanges a model with every chain and prints a table for each curve.
pub(crate) fn run(tools: &Tools, folder: &Path) -> Result<Outcome> {
    let mut chains = Vec::new();
    for curve in CURVES {
        let folder = folder.join(curve.name);
        fs::create_dir_all(&folder)?;
        chains.push(make_chains(curve, &folder)?);
    }

    let count = chains[0].len();
    println!("==> exchanging {count} chains of certificates with {} keys", CURVES.len());
    let rows = in_parallel(CURVES.len() * count, |number| {
        let (curve, chain) = (CURVES[number / count], &chains[number / count][number % count]);
        exchange(chain, tools, &folder.join(curve.name).join("exchanged"))
    });
    let mut outcome = Outcome::default();
    for (curve, rows) in CURVES.iter().zip(rows.chunks(count)) {
        outcome += TABLE.print(&format!("certificate, {}", curve.name), rows);
    }
    println!(
        "\nuntrusted: verified with another root of the same name.\ncannot: the reference tool trusts a certificate \
         only if it signed itself, or leads to one that did; ours trusts what it is given."
    );
    Ok(outcome)
}

/// What a model is signed with, and what the verifier trusts.
struct Chain {
    name: &'static str,
    signer: Certificate,
    /// The certificates that go with the signature.
    sent: PathBuf,
    anchor: PathBuf,
    /// What leads to nothing that was sent.
    other_anchor: PathBuf,
    reference_trusts_anchor: bool,
}

fn make_chains(curve: Curve, folder: &Path) -> Result<Vec<Chain>> {
    use Usage::{Authority as Ca, Signer};
    let authority = Authority::new(curve, folder)?;
    let root = authority.self_signed("root", "root", Ca)?;
    let other = authority.self_signed("other-root", "root", Ca)?;
    let upper = authority.issued("upper", "intermediate", Ca, &root)?;
    let lower = authority.issued("lower", "lower intermediate", Ca, &upper)?;
    let signers = [
        authority.issued("signer-0", "signer", Signer, &root)?,
        authority.issued("signer-1", "signer", Signer, &upper)?,
        authority.issued("signer-2", "signer", Signer, &lower)?,
    ];
    let alone = authority.self_signed("alone", "signer", Signer)?;

    // The reference tool can't sign without a file of certificates.
    let chain = |name, signer: &Certificate, sent: &[&Certificate], anchor: &Certificate| -> Result<Chain> {
        Ok(Chain {
            name,
            signer: signer.clone(),
            sent: authority.chain(&format!("sent, {name}"), sent)?,
            anchor: anchor.certificate.clone(),
            other_anchor: other.certificate.clone(),
            reference_trusts_anchor: true,
        })
    };
    let [under_root, under_upper, under_lower] = &signers;
    Ok(vec![
        chain("its own anchor", &alone, &[&alone], &alone)?,
        chain("root", under_root, &[&root], &root)?,
        chain("1 intermediate", under_upper, &[&upper, &root], &root)?,
        chain("2 intermediates", under_lower, &[&lower, &upper, &root], &root)?,
        chain("root not sent", under_lower, &[&lower, &upper], &root)?,
        Chain {
            reference_trusts_anchor: false,
            ..chain("intermediate trusted", under_lower, &[&lower, &upper], &upper)?
        },
    ])
}

fn exchange(chain: &Chain, Tools { ours, theirs }: &Tools, folder: &Path) -> Row<7> {
    let sign = &Method::new("certificate")
        .flag("--private_key", &chain.signer.private_key)
        .flag("--signing_certificate", &chain.signer.certificate)
        .flag("--certificate_chain", &chain.sent);
    let verify = &Method::trusted_certificates(&chain.anchor);
    let other = &Method::trusted_certificates(&chain.other_anchor);
    let folder = folder.join(chain.name);
    let from_us = Signed::new(&NESTED, ours, sign, &folder);
    let from_them = Signed::new(&NESTED, theirs, sign, &folder);

    let (ours_to_theirs, they_changed) = if chain.reference_trusts_anchor {
        (Cell::from(from_us.accepted(theirs, verify)), from_us.refused_after(Tampering::Changed, theirs, verify))
    } else {
        (from_us.known_refusal(theirs, verify, NO_PATH), Cell::NotApplicable)
    };
    let cells = [
        ours_to_theirs,
        Cell::from(from_them.accepted(ours, verify)),
        they_changed,
        Cell::from(from_us.refused(theirs, other, NO_PATH)),
        from_them.refused_after(Tampering::Changed, ours, verify),
        Cell::from(from_them.refused(ours, other, NO_PATH)),
        Cell::from(same_statement(&from_us, &from_them)),
    ];
    Row { name: chain.name, cells }
}
