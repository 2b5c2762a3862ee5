//! The models that came of a run, and what came beside them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use model_transparency::format::{Recognition, recognise_whole};
use model_transparency::provenance::training::{Byproduct, TrainedModel};
use model_transparency_observe::snapshot::Snapshot;

use super::args::TrainingArgs;
use super::inputs::Files;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Console;

/// A model that was hashed.
pub(super) struct Output {
    pub(super) path: PathBuf,
    pub(super) files: Files,
    pub(super) model: TrainedModel,
    pub(super) recognition: Recognition,
    /// What its files looked like before they were hashed.
    snapshot: Snapshot,
}

impl Output {
    /// Lists, hashes and recognises what is at `path`.
    pub(super) fn read(path: &Path, args: &TrainingArgs, global: &Global, console: &Console) -> Result<Self, Failure> {
        let files = Files::list(path, args.scope_of(path), args.destination(), console)?;
        let snapshot = files.snapshot();
        let digests = files.hash(global, console)?;
        let recognition = recognise_whole(files.model())?;
        let (name, format) = (name(path), recognition.format);
        let model = match digests.directory {
            Some((manifest, _)) => TrainedModel::directory(name, &manifest, format),
            None => digests.digest.get("sha256").map(|sha256| TrainedModel::file(name, sha256.clone(), format)),
        };
        let model = model.ok_or_else(|| Failure::usage("expected a model of whole files"))?;
        Ok(Self { path: path.to_owned(), files, model, recognition, snapshot })
    }

    /// Refuses a model that is no longer what was hashed.
    pub(super) fn check_unchanged(&self, args: &TrainingArgs) -> Result<(), Failure> {
        let later = self.files.snapshot_anew(args.destination()).unwrap_or_default();
        match self.snapshot.differences(&later).first() {
            None => Ok(()),
            Some(changed) => Err(Failure::rejected(
                "changed_output",
                format!("`{}` changed after the command had ended: no provenance was written", changed.display()),
            )
            .with_hint("something still writes to it: a process that the command left behind, or another program")),
        }
    }
}

/// How others know it: where it is from the current directory, or its name alone.
pub(in crate::commands::provenance) fn name(path: &Path) -> String {
    let words: Option<Vec<&str>> = path
        .components()
        .filter(|part| !matches!(part, std::path::Component::CurDir))
        .map(|part| match part {
            std::path::Component::Normal(word) => word.to_str(),
            _ => None,
        })
        .collect();
    let last = || path.canonicalize().unwrap_or_else(|_| path.to_owned());
    words
        .filter(|words| !words.is_empty())
        .map(|words| words.join("/"))
        .unwrap_or_else(|| last().file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()))
}

/// What stands beside the models: metrics and logs.
pub(super) fn byproducts(args: &TrainingArgs, global: &Global, console: &Console) -> Result<Vec<Byproduct>, Failure> {
    let metrics = args.metrics.iter().map(|path| ("metrics", path));
    let logs = args.log.iter().map(|path| ("log", path));
    metrics.chain(logs).map(|(kind, path)| byproduct(kind, path, args, global, console)).collect()
}

/// A file that stands beside the models.
pub(super) fn byproduct(
    kind: &'static str,
    path: &Path,
    args: &TrainingArgs,
    global: &Global,
    console: &Console,
) -> Result<Byproduct, Failure> {
    let files = Files::list(path, args.scope.clone(), args.destination(), console)?;
    if !files.is_single_file() {
        return Err(Failure::rejected(
            "not_a_file",
            format!("the {kind}: expected a file, found the directory `{}`", path.display()),
        ));
    }
    let digests = files.hash(global, console)?;
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    Ok(Byproduct {
        name: name(path),
        kind,
        sha256: digests.digest["sha256"].clone(),
        media_type: is_json.then_some("application/json"),
    })
}

/// What `--output` names.
pub(super) struct Patterns<'a> {
    texts: &'a [String],
    compiled: Vec<glob::Pattern>,
}

/// More than this nobody means.
const MOST_OUTPUTS: usize = 10_000;

impl<'a> Patterns<'a> {
    pub(super) fn parse(texts: &'a [String]) -> Result<Self, Failure> {
        let compiled = texts
            .iter()
            .map(|text| {
                let wrong = |problem: &str| {
                    Failure::usage(format!("--output: expected a path or a pattern, found `{text}`: {problem}"))
                };
                if text.is_empty() {
                    return Err(wrong("it is empty"));
                }
                glob::Pattern::new(text).map_err(|error| wrong(error.msg))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { texts, compiled })
    }

    /// What there is of each, sorted; what is inside of another is part of that.
    pub(super) fn find(&self, except: &Path) -> Result<Found<'a>, Failure> {
        let mut found: Vec<Matched> = Vec::new();
        for (pattern, compiled) in self.texts.iter().zip(&self.compiled) {
            // A path is taken as it is.
            if Path::new(pattern).symlink_metadata().is_ok() {
                found.push(Matched { pattern: pattern.clone(), path: PathBuf::from(pattern) });
                continue;
            }
            // The last `**` of a pattern is directories alone, there.
            let everything = if pattern == "**" || pattern.ends_with("/**") { "/*" } else { "" };
            let paths = glob::glob(&format!("{compiled}{everything}"))
                .map_err(|error| Failure::usage(format!("--output `{pattern}`: {}", error.msg)))?;
            for path in paths {
                let path = path.map_err(|error| {
                    Failure::could_not_check("unreadable", format!("--output `{pattern}`: {error}"))
                })?;
                found.push(Matched { pattern: pattern.clone(), path });
                if found.len() > MOST_OUTPUTS {
                    let message = format!("--output `{pattern}`: expected at most {MOST_OUTPUTS} models, found more");
                    return Err(Failure::rejected("too_many_outputs", message)
                        .with_hint("a directory is one model: name it without what is in it"));
                }
            }
        }
        let resolved = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let except = resolved(except);
        let mut located: Vec<(PathBuf, Matched)> =
            found.into_iter().map(|one| (resolved(&one.path), one)).filter(|(path, _)| *path != except).collect();
        let named: BTreeSet<&str> = located.iter().map(|(_, matched)| matched.pattern.as_str()).collect();
        let missing = self.texts.iter().map(String::as_str).find(|text| !named.contains(text));
        located.sort_by(|a, b| a.0.cmp(&b.0));
        let mut kept: Vec<(PathBuf, Matched)> = Vec::new();
        for (location, matched) in located {
            if !kept.last().is_some_and(|(last, _)| location.starts_with(last)) {
                kept.push((location, matched));
            }
        }
        Ok(Found { models: kept.into_iter().map(|(_, matched)| matched).collect(), missing })
    }
}

/// What there is of the patterns.
pub(super) struct Found<'a> {
    pub(super) models: Vec<Matched>,
    /// A pattern that names nothing.
    pub(super) missing: Option<&'a str>,
}

/// A path that a pattern names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Matched {
    pattern: String,
    pub(super) path: PathBuf,
}

impl Matched {
    /// What it looks like now, whatever it is.
    pub(super) fn snapshot(&self, args: &TrainingArgs) -> Snapshot {
        let quiet = Console::new(crate::args::Format::Json, crate::args::LogLevel::Error);
        // What can't be listed is refused when it is hashed.
        Files::list(&self.path, args.scope_of(&self.path), args.destination(), &quiet)
            .map(|files| files.snapshot())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_say_where_they_are() {
        assert_eq!(name(Path::new("./out/model.keras")), "out/model.keras");
        assert_eq!(name(Path::new("/home/somebody/out/model.keras")), "model.keras");
        assert_eq!(name(Path::new("../model.keras")), "model.keras");
    }

    #[test]
    fn what_is_inside_of_another_output_is_part_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a folder");
        std::fs::create_dir_all(root.join("out/a")).expect("made");
        for name in ["out/a/x", "out/b.json", "out/p.json", "out-2"] {
            std::fs::write(root.join(name), "").expect("written");
        }
        let text = |name: &str| root.join(name).display().to_string();
        let found = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|name| text(name)).collect();
            let patterns = Patterns::parse(&patterns).expect("patterns");
            let Found { models, missing } = patterns.find(&root.join("out/p.json")).expect("read");
            let missing = missing.map(|text| text.rsplit('/').next().unwrap_or_default().to_owned());
            (models.into_iter().map(|one| one.path).collect::<Vec<_>>(), missing)
        };
        assert_eq!(found(&["out/**"]), (vec![root.join("out/a"), root.join("out/b.json")], None));
        assert_eq!(found(&["out/*.json"]), (vec![root.join("out/b.json")], None));
        assert_eq!(
            found(&["out/*", "none*"]),
            (vec![root.join("out/a"), root.join("out/b.json")], Some("none*".into()))
        );
        // What is inside of another is there, or not.
        assert_eq!(found(&["out", "out/b.json", "out/*.json"]), (vec![root.join("out")], None));
        assert_eq!(found(&["out", "out/never-*"]), (vec![root.join("out")], Some("never-*".into())));
        assert_eq!(found(&["out", "out/never"]), (vec![root.join("out")], Some("never".into())));
        assert_eq!(found(&["out", "out/p.json"]), (vec![root.join("out")], Some("p.json".into())));
        assert_eq!(found(&["out/b.json", "out", "out-2"]), (vec![root.join("out"), root.join("out-2")], None));
    }

    #[derive(Debug, clap::Parser)]
    struct Words {
        #[command(flatten)]
        training: TrainingArgs,
        #[command(flatten)]
        global: Global,
    }

    #[test]
    fn a_model_that_is_written_to_after_it_was_hashed_is_refused() {
        use clap::Parser as _;

        let folder = tempfile::tempdir().expect("a folder");
        let (file, directory) = (folder.path().join("model.bin"), folder.path().join("model"));
        std::fs::create_dir(&directory).expect("made");
        std::fs::write(&file, "weights").expect("written");
        std::fs::write(directory.join("a"), "weights").expect("written");
        let provenance = directory.join("provenance.json");
        let Words { training, global } =
            Words::try_parse_from(["x".as_ref(), "-o".as_ref(), provenance.as_os_str()]).expect("words");
        let console = Console::new(crate::args::Format::Json, crate::args::LogLevel::Error);
        let read = |path: &Path| Output::read(path, &training, &global, &console).expect("read");
        let outputs = [read(&file), read(&directory)];
        for output in &outputs {
            output.check_unchanged(&training).expect("as it was");
        }
        std::fs::write(&provenance, "{}").expect("written");
        outputs[1].check_unchanged(&training).expect("the provenance is no part of it");
        std::fs::write(directory.join("late"), "weights").expect("written");
        std::fs::write(&file, "weightz").expect("written");
        for (output, changed) in outputs.iter().zip(["model.bin", "late"]) {
            let failure = output.check_unchanged(&training).expect_err("changed");
            assert_eq!(failure.kind, "changed_output");
            assert!(failure.message.contains(changed), "{}", failure.message);
        }
        std::fs::remove_file(&file).expect("removed");
        assert!(outputs[0].check_unchanged(&training).is_err(), "it is gone");
    }

    #[test]
    fn a_broken_pattern_is_a_wrong_command_line() {
        for text in ["a[", "", "a***"] {
            assert!(Patterns::parse(&[text.to_owned()]).is_err(), "{text}");
        }
    }
}
