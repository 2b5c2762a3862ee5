//! Where the program comes from.

use std::path::{Path, PathBuf};

use model_transparency::provenance::training::{Evidence, SourceChanges, TrainingSource, without_user};
use model_transparency_observe::ci::Ci;
use model_transparency_observe::git::{self, Source};

use super::surroundings::unless_secret;
use crate::output::{Console, count};

/// Looks at the repository that the command runs in.
pub(super) fn observe(excluded: &[PathBuf], gaps: &mut Vec<String>, console: &Console) -> Option<Source> {
    match git::source(Path::new("."), excluded) {
        Ok(Some(source)) => {
            gaps.extend(source.gaps.iter().cloned());
            Some(source)
        }
        Ok(None) => {
            gaps.push("the command ran in no Git repository: the source of the program is not known".to_owned());
            None
        }
        Err(error) => {
            console.warn(&format!("the source is not known: {error}"));
            gaps.push("the source of the program is not known: Git did not say".to_owned());
            None
        }
    }
}

/// Looks again, after the run.
pub(super) fn look_again(before: &Source, excluded: &[PathBuf], gaps: &mut Vec<String>, console: &Console) {
    let is_same = |after: &Source| {
        let changes = |source: &Source| source.changes.as_ref().map(|changes| changes.patch_sha256.clone());
        after.commit == before.commit && changes(after) == changes(before)
    };
    let gap = match git::source(Path::new("."), excluded) {
        Ok(Some(after)) if is_same(&after) => return,
        Ok(Some(after)) if after.commit != before.commit => "another commit was checked out while the run ran",
        Ok(Some(_)) => "files of the repository changed while the run ran, or the run wrote some that are not declared",
        Ok(None) | Err(_) => "the repository could not be looked at again after the run",
    };
    console.warn(gap);
    gaps.push(gap.to_owned());
}

/// The source as provenance has it.
pub(super) fn describe(
    source: Option<&Source>,
    ci: Option<&Ci>,
    entry_point: Option<String>,
    gaps: &mut Vec<String>,
    console: &Console,
) -> Option<TrainingSource> {
    let Some(source) = source else {
        // What a job says of itself is better than nothing, and no more than that.
        let ci = ci.filter(|ci| ci.repository.is_some() || ci.commit.is_some());
        let declared = ci.map(|ci| TrainingSource {
            repository: ci.repository.clone(),
            reference: ci.reference.clone(),
            entry_point: entry_point.clone(),
            commit: ci.commit.clone(),
            changes: None,
            evidence: Evidence::Declared,
        });
        let alone = entry_point.map(|one| TrainingSource { entry_point: Some(one), ..TrainingSource::default() });
        return declared.or(alone);
    };
    if let Some(commit) = ci.and_then(|ci| ci.commit.as_ref()).filter(|commit| **commit != source.commit) {
        let gap = format!("the CI job is for commit {commit}, and {} is checked out", source.commit);
        console.warn(&gap);
        gaps.push(gap);
    }
    if let Some(changes) = &source.changes {
        console.warn(&format!(
            "the working tree differs from commit {} in {}: others can't fetch the source that runs",
            &source.commit[..source.commit.len().min(12)],
            count(changes.files, "file")
        ));
    }
    let repository = source.remote.as_deref().and_then(address);
    if source.remote.is_some() && repository.is_none() {
        gaps.push("the repository is fetched from a folder of that machine: it has no address".to_owned());
    }
    let repository = repository.and_then(|text| unless_secret("the address of the repository", &text, gaps));
    let from_job = || ci.and_then(|ci| ci.repository.clone());
    let changes = source.changes.as_ref().map_or_else(SourceChanges::default, |changes| SourceChanges {
        files: changes.files,
        patch_sha256: Some(changes.patch_sha256.clone()),
    });
    // A CI job checks out a commit, and knows of which branch.
    let same_commit = |ci: &&Ci| ci.commit.as_ref() == Some(&source.commit);
    let reference = source.reference.clone().or_else(|| ci.filter(same_commit).and_then(|ci| ci.reference.clone()));
    let reference = reference.and_then(|text| unless_secret("the Git reference", &text, gaps));
    Some(TrainingSource {
        repository: repository.or_else(from_job),
        reference,
        entry_point,
        commit: Some(source.commit.clone()),
        changes: Some(changes),
        evidence: Evidence::Hashed,
    })
}

/// The address of a remote for others: without its user, query and fragment, and none for a folder.
pub(super) fn address(remote: &str) -> Option<String> {
    if let Some((scheme, _)) = remote.split_once("://") {
        return (scheme != "file").then(|| bare(&without_user(remote)));
    }
    // `user@host:path`, as scp has it.
    let (host, path) = remote.split_once(':')?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let is_host = host.len() > 1 && !host.contains(['/', '\\']);
    is_host.then(|| format!("ssh://{host}/{}", bare(path.trim_start_matches('/'))))
}

/// An address without query and fragment.
fn bare(address: &str) -> String {
    address.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// The program that a command runs: the first word that names a script of the repository.
pub(super) fn entry_point(command: &[String], root: &Path) -> Option<String> {
    const SCRIPTS: [&str; 7] = ["py", "sh", "ipynb", "jl", "r", "R", "pl"];
    let root = root.canonicalize().ok()?;
    let words = command.iter().take_while(|word| *word != "-m").enumerate();
    words
        .filter_map(|(index, word)| {
            let path = Path::new(word);
            let is_script = path.extension().and_then(|one| one.to_str()).is_some_and(|one| SCRIPTS.contains(&one));
            // A program without a path is looked for elsewhere.
            let may_be = is_script || (index == 0 && word.contains('/'));
            let inside = path.canonicalize().ok().filter(|path| may_be && path.is_file())?;
            let inside = inside.strip_prefix(&root).ok()?;
            let words: Option<Vec<&str>> = inside.components().map(|part| part.as_os_str().to_str()).collect();
            words.map(|words| words.join("/"))
        })
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_has_an_address_without_a_user_or_none() {
        for (remote, expected) in [
            ("https://user:token@host.example/a/b.git", Some("https://host.example/a/b.git")),
            ("https://user:p/w@host.example/a/b.git", Some("https://host.example/a/b.git")),
            ("https://host.example/a.git?private_token=abcdefgh#x", Some("https://host.example/a.git")),
            ("git@host.example:a/b.git?token=abcdefgh", Some("ssh://host.example/a/b.git")),
            ("git@host.example:a/b.git", Some("ssh://host.example/a/b.git")),
            ("host.example:/srv/b.git", Some("ssh://host.example/srv/b.git")),
            ("ssh://git@host.example:22/a", Some("ssh://host.example:22/a")),
            ("/home/somebody/b.git", None),
            ("../b.git", None),
            ("file:///home/somebody/b.git", None),
            ("C:\\models\\b.git", None),
            ("./a:b", None),
        ] {
            assert_eq!(address(remote).as_deref(), expected, "{remote}");
        }
    }

    #[test]
    fn the_entry_point_is_the_script_of_the_repository() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("src")).expect("made");
        for name in ["src/train.py", "conf.yaml", "run"] {
            std::fs::write(folder.path().join(name), "").expect("written");
        }
        let path = |name: &str| folder.path().join(name).display().to_string();
        let found = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            entry_point(&words, folder.path())
        };
        let (script, config, run) = (&path("src/train.py"), &path("conf.yaml"), &path("run"));
        assert_eq!(found(&["python", "-u", config, script]).as_deref(), Some("src/train.py"));
        assert_eq!(found(&[run, "x"]).as_deref(), Some("run"));
        assert_eq!(found(&["python", "-m", "trainer", script]), None);
        assert_eq!(found(&["python", &path("none.py")]), None);
    }
}
