//! Where the two tools differ, and why.

/// One reason, and every case that it is the reason of.
pub(super) struct Difference {
    pub(super) reason: &'static str,
    pub(super) cases: &'static [&'static str],
}

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        reason: "`slsa-verifier` chooses what verifies by `--builder-id` alone; without it the file is taken for a \
                 GitHub workflow's, for which it would ask a network. We see which kind a file is, and know Cloud \
                 Build's builders.",
        cases: &["v0.3: no builder", "v1.0: no builder"],
    },
    Difference {
        reason: "`slsa-verifier` knows branches of no Cloud Build provenance. SLSA v1 says the branch, and we compare \
                 it.",
        cases: &["v1.0: the branch"],
    },
    Difference {
        reason: "We take every spelling of a source that provenance has, `git+https://` too.",
        cases: &["v0.3: the source with git+https://", "v1.0: the source with git+https://"],
    },
    Difference {
        reason: "We take hexadecimal digits of a digest in either case: it is the same digest.",
        cases: &["v0.3: the image's digest in capitals", "v1.0: the image's digest in capitals"],
    },
    Difference {
        reason: "An expectation that nothing in the provenance could meet is refused here, and passed over there.",
        cases: &["v0.3: an input of a workflow", "v1.0: an input of a workflow"],
    },
    Difference {
        reason: "We have no such flag: it names a registry to fetch from, and nothing is fetched. There it is passed \
                 over.",
        cases: &["v0.3: --provenance-repository", "v1.0: --provenance-repository"],
    },
    Difference {
        reason: "A flag of ours alone in this version: `slsa-verifier` takes the hash that belongs to the key.",
        cases: &["VSA: the hash of the key"],
    },
    Difference {
        reason: "`slsa-verifier` judges the first entry that somebody trusted signed. We take any entry that holds in \
                 full.",
        cases: &[
            "v0.3: an entry of another image before it",
            "v1.0: an entry of another image before it",
            "v0.3: an entry with an altered copy before it",
            "v1.0: an entry with an altered copy before it",
        ],
    },
    Difference {
        reason: "The copy of the statement for people has to be equal to what was signed. `slsa-verifier` compares \
                 the members that it knows, and one copy.",
        cases: &[
            "v0.3: another build's ID in the copy",
            "v0.3: an unknown member in the copy",
            "v1.0: an unknown member in the copy",
            "v0.3: a copy in the other format too",
            "v1.0: a copy in the other format too",
        ],
    },
    Difference {
        reason: "A qualified digest has an `@` before it; there only the end of the text is compared.",
        cases: &[
            "v0.3: a qualified digest without @ in the summary",
            "v1.0: a qualified digest without @ in the summary",
        ],
    },
    Difference {
        reason: "No member may stand twice in an object here: other readers might take the other one. Go takes the \
                 last.",
        cases: &[
            "v0.3: a member twice, the same",
            "v1.0: a member twice, the same",
            "v0.3: a member twice, the last one right",
            "v1.0: a member twice, the last one right",
            "VSA: a member of the envelope twice",
            "VSA with our key: a result twice, the last one right",
        ],
    },
    Difference {
        reason: "Members have the names that the formats give them. Go reads them in any case.",
        cases: &[
            "v0.3: a member's name in capitals",
            "v1.0: a member's name in capitals",
            "VSA: a member's name of the envelope in capitals",
            "VSA with our key: a member's name in capitals",
        ],
    },
    Difference {
        reason: "Base64 has no line breaks (RFC 4648 §3.1). Go passes over them.",
        cases: &[
            "v0.3: the payload with a line break",
            "v1.0: the payload with a line break",
            "VSA: the payload with a line break",
        ],
    },
    Difference {
        reason: "DSSE lets a payload be in either alphabet of base64. `slsa-verifier` checks the signature of it, and \
                 then reads one alphabet alone.",
        cases: &["VSA with our key: the payload in the other alphabet"],
    },
    Difference {
        reason: "What an envelope says of its key is not signed, so without `--public-key-id` we try each signature. \
                 `slsa-verifier` makes up a name from the key, and passes over signatures that have another.",
        cases: &["VSA: no key ID expected"],
    },
    Difference {
        reason: "A level is written in one way. Go reads a sign and leading zeros too, so that `SLSA_BUILD_LEVEL_-1` \
                 asks for less than nothing.",
        cases: &["VSA: a level with a sign", "VSA: a level below 0", "VSA: a level with a zero before it"],
    },
    Difference {
        reason: "SLSA requires `verifiedLevels`; an empty list is one.",
        cases: &["VSA with our key: no levels"],
    },
    Difference {
        reason: "`SLSA_<TRACK>_LEVEL_UNEVALUATED` is of SLSA v1.2, which `slsa-verifier` does not know.",
        cases: &["VSA with our key: an unevaluated level"],
    },
];

/// Why the tools differ about a case, if it is known that they do.
pub(super) fn reason(name: &str) -> Option<&'static str> {
    DIFFERENCES.iter().find(|difference| difference.cases.contains(&name)).map(|difference| difference.reason)
}

/// Every case that the tools are known to differ about.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    DIFFERENCES.iter().flat_map(|difference| difference.cases).copied()
}
