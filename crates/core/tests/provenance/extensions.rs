//! Every extension of the signer's certificate is changed and taken away in turn: the build is refused or has a lower
//! level, or the extension is listed here. The authority vouches for all of them, so that what counts is whether two of them
//! are held against each other.

use std::collections::BTreeSet;

use model_transparency::provenance::ProvenanceError;

use crate::authority::Provenance;
use crate::{statements, vectors};

/// Extensions that may say anything, with the reason.
const UNREAD: &[(u8, &str)] = &[
    (1, "the provider in the form before the eighth's, which counts where both are there"),
    (4, "the workflow's name, for people; its file is in the eighteenth"),
    (9, "the signer once more: the alternative name is who counts"),
    (10, "the signer's commit: counts where one is asked for"),
    (16, "the source's owner once more, who is in the source's address"),
    (22, "whether the source is public says nothing of the build"),
    (24, "the token's subject, of which the other extensions are the parts"),
];

/// The commit of the workflow: compared where the builder recorded it.
const WORKFLOW_COMMIT: u8 = 19;

/// Pairs in the old and in the new form: one of them may be missing, and not differ.
const PAIRS: &[(u8, u8)] = &[(1, 8), (2, 20), (3, 13), (5, 12), (6, 14)];

/// Extensions that the first certificates did not have: needed where the job itself wrote the provenance.
const LATER: &[u8] = &[11, 15, 17, 18, WORKFLOW_COMMIT, 21];

/// Whether a builder wrote the provenance apart from the job.
fn is_of_a_builder(provenance: &Provenance) -> bool {
    provenance.signer.text(9).is_some_and(|signer| signer.contains("slsa-framework/slsa-github-generator"))
}

fn may_change(provenance: &Provenance, number: u8) -> bool {
    let is_recorded = || provenance.statement.to_string().contains("GITHUB_WORKFLOW_SHA");
    UNREAD.iter().any(|(unread, _)| *unread == number) || (number == WORKFLOW_COMMIT && !is_recorded())
}

fn may_go(provenance: &Provenance, number: u8) -> bool {
    may_change(provenance, number)
        || PAIRS.iter().any(|(old, new)| [*old, *new].contains(&number))
        || (is_of_a_builder(provenance) && LATER.contains(&number))
}

fn surprises(kind: &str, provenance: &Provenance) -> BTreeSet<String> {
    let level = provenance.judged().unwrap_or_else(|error| panic!("{kind}: {error}"));
    let is_accepted = |signer| provenance.clone().change(|it| it.signer = signer).judged().is_ok_and(|it| it == level);
    let mut surprises = BTreeSet::new();
    let signer = &provenance.signer;
    for number in signer.numbers() {
        let text = signer.text(number).expect("a text");
        if is_accepted(signer.clone().with(number, &format!("{text}x"))) != may_change(provenance, number) {
            surprises.insert(format!("{kind}: changed: {number}"));
        }
        if is_accepted(signer.clone().without(number)) != may_go(provenance, number) {
            surprises.insert(format!("{kind}: removed: {number}"));
        }
    }
    for (old, new) in PAIRS {
        // Who vouches and for which source is never left to the document; the rest is where the job wrote it.
        let may_both_go = is_of_a_builder(provenance) && !matches!((old, new), (1, 8) | (5, 12));
        if is_accepted(signer.clone().without(*old).without(*new)) != may_both_go {
            surprises.insert(format!("{kind}: removed: {old} and {new}"));
        }
    }
    surprises
}

#[test]
fn each_extension_counts_for_every_kind() {
    let found: BTreeSet<_> = statements::every_kind().iter().flat_map(|(kind, it)| surprises(kind, it)).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn each_extension_counts_for_public_provenance() {
    let kinds = vectors::every_kind("each_extension_counts_for_public_provenance");
    let found: BTreeSet<_> = kinds.iter().flat_map(|(kind, it)| surprises(kind, it)).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_certificate_names_the_one_workflow_that_counts() {
    for (kind, provenance) in statements::every_kind() {
        let signer = provenance.signer.text(9).expect("a text");
        let named = |names: &[&str]| {
            let named = provenance.signer.clone().named(names);
            provenance.clone().change(|it| it.signer = named).judged().map(drop)
        };
        named(&[&signer]).expect(kind);
        for names in [&[&*signer, &*signer][..], &[&signer, "https://example.com/"], &["https://example.com/"]] {
            let refused = named(names);
            assert!(matches!(refused, Err(ProvenanceError::NoWorkflow { .. })), "{kind}: {names:?}: {refused:?}");
        }
        assert!(named(&[]).is_err(), "{kind}");
        assert!(named(&[&signer.replace("slsa", "evil").replace("owner", "evil")]).is_err(), "{kind}");
    }
}
