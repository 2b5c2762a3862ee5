//! The result as Markdown, for the terminal and for docs/slsa-verifier.md.

use super::case::Verdict;
use super::known::DIFFERENCES;
use super::{Compared, FLAGS, Timed, install};
use crate::bench::{ratio, times};

const HOW: &str = "\
`cargo xtask slsa-verifier` asks our tool and the Go program `slsa-verifier` about the same provenance, with the same
arguments: `model-signing provenance verify` and `slsa-verifier verify-image` about Google Cloud Build's, `model-signing
vsa verify` and `slsa-verifier verify-vsa` about verification summaries. The public files are taken as they are, and
altered; summaries are signed with keys made for the purpose too. A verdict is whether the exit code is 0.

Neither tool reaches a network here: each request would be refused. `verify-image` asks no registry about an image that
is named by its digest when `--provenance-path` and a `--builder-id` of Cloud Build are given. What GitHub's workflows
sign is not compared: the Go program has no root of trust of Sigstore's but the one that it fetches.
";

/// The whole report.
pub(super) fn markdown(ours: &str, compared: &[Compared], timed: &[Timed], runs: u32) -> String {
    let differ = compared.iter().filter(|found| found.differs()).count();
    let mut text = format!(
        "# Beside slsa-verifier\n\n{HOW}\nOurs: {ours}. Theirs: slsa-verifier {}. {} cases; the verdicts of {} are the \
         same, of {differ} not.\n\nThese flags are shown to be the same, each by a case that both accept: {}.\n\n\
         ## Differences\n\n",
        install::VERSION,
        compared.len(),
        compared.len() - differ,
        FLAGS.map(|flag| format!("`{flag}`")).join(", "),
    );
    for difference in DIFFERENCES {
        text.push_str(&format!("- {}\n", difference.reason));
        for found in compared.iter().filter(|found| difference.cases.contains(&found.name.as_str())) {
            text.push_str(&format!("  - {}: {} here, {} there\n", found.name, found.ours, found.theirs));
        }
    }
    text.push_str(&format!(
        "\n## Time\n\nOf a whole command, {runs} runs each, by turns, after one that is not counted. The ratio is that of \
         the medians.\n\n| | ours, median (range) | theirs, median (range) | times faster |\n|---|--:|--:|--:|\n"
    ));
    for Timed { what, ours, theirs } in timed {
        text.push_str(&format!("| {what} | {} | {} | {:.2} |\n", times(ours), times(theirs), ratio(ours, theirs)));
    }
    text.push_str("\n## Verdicts\n\n| what is altered | ours | theirs |\n|---|---|---|\n");
    for found in compared {
        let theirs = match (found.differs(), found.theirs) {
            (false, verdict) => verdict.to_string(),
            (true, Verdict::Accepted) => "**accepted**".to_owned(),
            (true, Verdict::Refused) => "**refused**".to_owned(),
        };
        text.push_str(&format!("| {} | {} | {theirs} |\n", found.name, found.ours));
    }
    text.push_str("\n`cargo xtask slsa-verifier --write` replaces this file.\n");
    text
}
