//! `cargo xtask deploy`: what `deploy/` and the workflows have for platforms that are not here, held against those platforms'
//! own rules, and every command of ours in it against the command line.
//!
//! A program that can't be had here is skipped, and says so.

mod commands;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::go::{self, Build, Source};
use crate::outcome::Outcome;
use crate::workspace::Workspace;
use crate::{process, python};

const ACTIONLINT: Source = Source {
    name: "actionlint",
    package: "github.com/rhysd/actionlint/cmd/actionlint",
    version: "v1.7.12",
    build: Build::Package { binary: "actionlint" },
};

/// Decodes Kubernetes' resources strictly, with the types of Tekton and Kubernetes.
const RESOURCES: Source = Source {
    name: "resources",
    package: "github.com/tektoncd/pipeline",
    version: "v1.6.0",
    build: Build::Program { source: include_str!("deploy/resources.go") },
};

const WORKFLOWS: &str = ".github/workflows";
const KUBERNETES: [&str; 2] = ["deploy/tekton", "deploy/kserve"];
const KUBEFLOW: &str = "deploy/kubeflow";
const SCRIPTS: [&str; 1] = ["deploy/cloudbuild/verify.sh"];
const IMAGES: [&str; 2] = ["deploy/Dockerfile", "deploy/cloudbuild/Dockerfile.model"];
/// Schemas that come with check-jsonschema.
const GITLAB: &str = "deploy/gitlab/.gitlab-ci.yml";
const CLOUD_BUILD: &str = "deploy/cloudbuild/cloudbuild.yaml";

/// What may not be here: a program, or why there is none.
type Installed = std::result::Result<PathBuf, String>;

/// Runs every check, also after one failed.
pub(crate) fn run(workspace: &Workspace, python: Option<&Path>) -> Result<Outcome> {
    let root = &workspace.root;
    let mut checks = Checks { root, outcome: Outcome::default() };
    let linters = environment(workspace, python, "xtask/deploy-requirements.txt", "linters");
    let linter = |name: &str| linters.clone().map(|python| python.with_file_name(name));
    let workflows = files(&root.join(WORKFLOWS), "yml")?;

    checks.program("workflows: actionlint", program(&ACTIONLINT), |command| {
        // Otherwise it runs what it finds on the PATH.
        command.args(["-no-color", "-pyflakes=", "-shellcheck"]).arg(linter("shellcheck").unwrap_or_default());
        command.args(&workflows);
    })?;
    checks.program("workflows: zizmor", linter("zizmor"), |command| {
        command.args(["--offline", "--no-progress", "--quiet", "--color", "never"]).args(&workflows);
    })?;
    let schemas = [
        ("workflows: GitHub's schema", "vendor.github-workflows", workflows.clone(), None),
        ("GitLab: GitLab's schema", "vendor.gitlab-ci", vec![root.join(GITLAB)], Some("gitlab-ci")),
        ("Cloud Build: Google's schema", "vendor.cloudbuild", vec![root.join(CLOUD_BUILD)], None),
    ];
    for (name, schema, files, transform) in schemas {
        checks.program(name, linter("check-jsonschema"), |command| {
            command.args(["--color", "never", "--builtin-schema", schema]).args(files);
            command.args(transform.map(|name| ["--data-transform", name]).into_iter().flatten());
        })?;
    }
    checks.program("scripts: shellcheck", linter("shellcheck"), |command| {
        command.args(SCRIPTS);
    })?;
    checks.program("images: hadolint", linter("hadolint"), |command| {
        command.arg("--no-color").args(IMAGES);
    })?;
    let mut resources = Vec::new();
    for folder in KUBERNETES {
        resources.extend(files(&root.join(folder), "yaml")?);
    }
    checks.program("Tekton, KServe: their Go types", program(&RESOURCES), |command| {
        command.args(&resources);
    })?;
    let kfp = environment(workspace, python, "deploy/kubeflow/requirements.txt", "kubeflow");
    let compiled = tempfile::tempdir()?;
    checks.program("Kubeflow: compiles", kfp, |command| {
        command.arg(root.join(KUBEFLOW).join("pipeline.py")).arg("--output").arg(compiled.path().join("pipeline.yaml"));
    })?;

    let found = commands::check(root)?;
    println!("==> command lines: {} parse, {} do not", found.passed, found.failed);
    checks.outcome += found;
    Ok(checks.outcome)
}

struct Checks<'a> {
    root: &'a Path,
    outcome: Outcome,
}

impl Checks<'_> {
    /// Runs a program that has to succeed; what it says is shown if it does not.
    fn program(&mut self, name: &str, program: Installed, arguments: impl FnOnce(&mut Command)) -> Result<()> {
        let program = match program {
            Ok(program) => program,
            Err(reason) => {
                println!("==> {name}: skipped: {reason}");
                self.outcome.skipped += 1;
                return Ok(());
            }
        };
        let mut command = Command::new(program);
        arguments(&mut command);
        let output = process::output(command.current_dir(self.root))?;
        self.outcome.count(output.status.success());
        if output.status.success() {
            println!("==> {name}: passed");
        } else {
            let said = [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat();
            println!("==> {name}: failed\n{}", said.trim());
            self.outcome.problems.push(name.to_owned());
        }
        Ok(())
    }
}

/// A program in Go, from the user's cache folder.
fn program(source: &Source) -> Installed {
    if let Some(missing) = go::missing() {
        return Err(missing.to_owned());
    }
    let install = || source.install(&go::cache("deploy")?, &go::version()?);
    install().map_err(|error| format!("{error:#}"))
}

/// The interpreter of a virtual environment below the target directory.
fn environment(workspace: &Workspace, python: Option<&Path>, requirements: &str, name: &str) -> Installed {
    let install = || {
        let list = workspace.root.join(requirements);
        let requirements = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
        python::require_venv(python, &workspace.target.join("deploy-venv").join(name), &requirements)
    };
    install().map_err(|error: anyhow::Error| format!("{error:#}"))
}

/// The files in a folder with this extension, at least one.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("{}: expected files that end with .{extension}, found none", folder.display());
    }
    files.sort();
    Ok(files)
}
