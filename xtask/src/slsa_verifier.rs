//! `cargo xtask slsa-verifier`: our verdicts on public provenance beside those of the Go program `slsa-verifier`.
//!
//! Both tools get the same arguments after their subcommands. A difference is listed in [`known`] with its reason, or a
//! failure. What GitHub's workflows sign is left out: the Go program has no trusted root of Sigstore's but the one that
//! it fetches.

mod case;
mod cloud_build;
mod install;
mod known;
mod report;
mod summary;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use self::case::{Case, Verdict};
pub(crate) use self::install::install;
use crate::bench;
use crate::outcome::Outcome;
use crate::process;
use crate::tool::{self, Tool};
use crate::workspace::Workspace;

/// How to compare.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Writes the result to docs/slsa-verifier.md.
    #[arg(long)]
    write: bool,
    /// How often each command runs when the two are timed [default: 40].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// The command to test; by default it is built in release mode.
    #[arg(long)]
    tool: Option<PathBuf>,
}

/// A case, and what both tools say.
struct Compared {
    name: String,
    ours: Verdict,
    theirs: Verdict,
}

/// What running a verification takes.
struct Timed {
    what: &'static str,
    ours: bench::Samples,
    theirs: bench::Samples,
}

/// Flags that mean the same to both, each of which some case has that both accept.
const FLAGS: [&str; 14] = [
    "--attestation-path",
    "--builder-id",
    "--print-attestation",
    "--print-provenance",
    "--provenance-path",
    "--public-key-id",
    "--public-key-path",
    "--resource-uri",
    "--source-tag",
    "--source-uri",
    "--source-versioned-tag",
    "--subject-digest",
    "--verified-level",
    "--verifier-id",
];

/// Where the provenance is; `None` where no vectors were named.
pub(crate) fn vectors(workspace: &Workspace) -> Option<PathBuf> {
    let folder = workspace.root.join(env::var_os("MODEL_SIGNING_VECTORS")?).join("slsa");
    folder.is_dir().then_some(folder)
}

/// Asks both tools about every case, then times them.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Outcome> {
    let Some(vectors) = vectors(workspace) else {
        println!("==> slsa-verifier is skipped: no `slsa` in MODEL_SIGNING_VECTORS");
        return Ok(Outcome { skipped: 1, ..Outcome::default() });
    };
    let theirs = offline(&Tool::new("theirs", install()?));
    let program = options.tool.as_deref().map_or_else(|| workspace.build_release(), |path| Ok(path.canonicalize()?))?;
    let ours = offline(&Tool::new("ours", program));

    let mut outcome = Outcome::default();
    let mut cases = cloud_build::cases(&vectors)?;
    cases.extend(summary::cases(&vectors)?);
    let mut compared = Vec::new();
    for case in &cases {
        let folder = tempfile::tempdir()?;
        case.write(folder.path())?;
        let asked = |tool: &Tool, prefix| case.command(tool, prefix, folder.path());
        let (ours, ours_says) = verdict(&mut asked(&ours, case.verb.ours()), &[1, 2, 3])?;
        // Another code than 1 is that of a program that panicked.
        let (theirs, theirs_says) = verdict(&mut asked(&theirs, case.verb.theirs()), &[1])?;
        let found = Compared { name: case.name.clone(), ours, theirs };
        let judged = judge(&found, case.expected);
        outcome.count(judged.is_ok());
        if let Err(problem) = judged {
            outcome.problems.push(format!("{}: {problem}\n  ours: {ours_says}\n  theirs: {theirs_says}", case.name));
        }
        compared.push(found);
    }
    check_flags(&cases, &compared, &mut outcome);
    check_known(&compared, &mut outcome);

    let runs = options.runs.unwrap_or(40);
    let timed = [
        time("Google Cloud Build, SLSA v1.0", &cloud_build::timed(&vectors)?, [&ours, &theirs], runs)?,
        time("a verification summary", &summary::timed(&vectors)?, [&ours, &theirs], runs)?,
    ];
    let report = report::markdown(&ours.version()?, &compared, &timed, runs);
    println!("\n{report}");
    if options.write {
        let path = workspace.root.join("docs").join("slsa-verifier.md");
        std::fs::write(&path, report).with_context(|| format!("cannot write {}", path.display()))?;
        println!("written to docs/slsa-verifier.md");
    }
    Ok(outcome)
}

/// The tool, with every request that it makes refused at once: nothing listens on that port.
fn offline(tool: &Tool) -> Tool {
    const NOBODY: &str = "http://127.0.0.1:9";
    tool.with_variable("HTTPS_PROXY", NOBODY).with_variable("HTTP_PROXY", NOBODY).with_variable("NO_PROXY", "")
}

/// What a tool says of a case; any code but 0 and these is an error of the tool.
fn verdict(command: &mut Command, refusals: &[i32]) -> Result<(Verdict, String)> {
    let output = process::output(command)?;
    let said = tool::explain(&output);
    match output.status.code() {
        Some(0) => Ok((Verdict::Accepted, said)),
        Some(code) if refusals.contains(&code) => Ok((Verdict::Refused, said)),
        _ => bail!("`{}`: {said}", process::describe(command)),
    }
}

/// Ours has to be what is expected, and theirs the same unless another one is known.
fn judge(found: &Compared, expected: Verdict) -> std::result::Result<(), String> {
    if found.ours != expected {
        return Err(format!("expected ours to say {expected}, found {}", found.ours));
    }
    match (found.differs(), known::reason(&found.name)) {
        (true, None) => Err(format!("ours says {}, theirs {}, and no reason is listed", found.ours, found.theirs)),
        (false, Some(_)) => Err(format!("a difference is listed, and both say {}", found.ours)),
        (true, Some(_)) | (false, None) => Ok(()),
    }
}

impl Compared {
    fn differs(&self) -> bool {
        self.ours != self.theirs
    }
}

/// That a flag is known to both is shown by a case that both accept: what is refused may be refused for the flag.
fn check_flags(cases: &[Case], compared: &[Compared], outcome: &mut Outcome) {
    let both = |found: &Compared| found.ours == Verdict::Accepted && found.theirs == Verdict::Accepted;
    for flag in FLAGS {
        let shown = cases.iter().zip(compared).any(|(case, found)| both(found) && case.has(flag));
        outcome.count(shown);
        if !shown {
            outcome.problems.push(format!("{flag}: expected a case with it that both accept, found none"));
        }
    }
}

/// A difference that is listed has a case.
fn check_known(compared: &[Compared], outcome: &mut Outcome) {
    for name in known::names() {
        let exists = compared.iter().any(|found| found.name == name);
        outcome.count(exists);
        if !exists {
            outcome.problems.push(format!("{name}: a difference is listed, and there is no such case"));
        }
    }
}

fn time(what: &'static str, case: &Case, [ours, theirs]: [&Tool; 2], runs: u32) -> Result<Timed> {
    let folder = tempfile::tempdir()?;
    case.write(folder.path())?;
    let command = |tool, prefix| case.command(tool, prefix, folder.path());
    let commands = [command(ours, case.verb.ours()), command(theirs, case.verb.theirs())];
    println!("==> {what}, {runs} runs each");
    let [ours, theirs] = bench::alternate(commands, runs)?;
    Ok(Timed { what, ours, theirs })
}

/// Reads one of the vectors.
fn read(vectors: &Path, name: &str) -> Result<String> {
    let path = vectors.join(name);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listed_difference_passes_and_it_has_to_appear() {
        use Verdict::{Accepted, Refused};
        let judged = |name: &str, ours, theirs| judge(&Compared { name: name.to_owned(), ours, theirs }, Refused);
        let listed = "VSA: a level below 0";
        assert_eq!(judged("same", Refused, Refused), Ok(()));
        assert_eq!(judged(listed, Refused, Accepted), Ok(()));
        assert!(judged("not listed", Refused, Accepted).is_err());
        assert!(judged(listed, Refused, Refused).is_err());
        assert!(judged("both wrong", Accepted, Accepted).is_err());
    }
}
