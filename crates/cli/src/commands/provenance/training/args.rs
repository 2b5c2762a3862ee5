//! What is said of a training run, on the command line.

use std::path::{Path, PathBuf};

use model_transparency::provenance::InputExpectation;
use model_transparency::provenance::training::{InputRole, REDACTED, is_same_name, is_secret, without_user};
use serde_json::{Map, Value};

use crate::args::{InstanceArgs, OptionalSigningArgs, ScopeArgs};
use crate::failure::Failure;
use crate::signature_file::check_output;

const INPUTS: &str = "What went into it";
const PROGRAM: &str = "The program";
const PROVENANCE: &str = "The provenance";

/// What there is to say of a training run beside the command and the models.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TrainingArgs {
    /// Data: its address, and where it is here, to be hashed (repeatable)
    ///
    /// `URI=PATH` is split at the last `=`. `URI` alone is known by its name; one that has a `=` in it ends with another.
    /// `URI@sha256:HEX` states the digest, which what is at PATH has to have.
    #[arg(long, help_heading = INPUTS, value_name = "URI[=PATH]")]
    pub(super) dataset: Vec<String>,

    /// A model that this one is made from, as --dataset (repeatable)
    ///
    /// Its signature is named where there is one (`model.sig` in it, `NAME.sig` beside it), and verified if you say who has
    /// to have signed.
    #[arg(long, help_heading = INPUTS, value_name = "URI[=PATH]")]
    pub(super) base_model: Vec<String>,

    /// The public key that has to have signed every base model that is here, in PEM
    #[arg(long, help_heading = INPUTS, value_name = "FILE", requires = "base_model")]
    pub(super) base_model_public_key: Option<PathBuf>,

    /// Who has to have signed every base model that is here, with Sigstore
    #[arg(long, help_heading = INPUTS, value_name = "IDENTITY", conflicts_with = "base_model_public_key",
          requires_all = ["base_model", "base_model_identity_provider"])]
    pub(super) base_model_identity: Option<String>,

    /// Who has to vouch for that name: the URL of the identity provider
    #[arg(long, help_heading = INPUTS, value_name = "URL", requires = "base_model_identity")]
    pub(super) base_model_identity_provider: Option<String>,

    /// A configuration file (repeatable)
    #[arg(long, help_heading = INPUTS, value_name = "FILE")]
    pub(super) config: Vec<PathBuf>,

    /// A hyper-parameter (repeatable)
    #[arg(long, help_heading = INPUTS, value_name = "NAME=VALUE")]
    pub(super) param: Vec<String>,

    /// The container image that it runs in
    #[arg(long, help_heading = PROGRAM, value_name = "NAME[@sha256:HEX]")]
    pub(super) image: Option<String>,

    /// The program: a path in the repository [default: the first script that the command names]
    #[arg(long, help_heading = PROGRAM, value_name = "PATH")]
    pub(super) entry_point: Option<String>,

    /// The list of Python packages with their hashes: pylock.toml, uv.lock, poetry.lock, pdm.lock, Pipfile.lock,
    /// requirements.txt [default: the one in the current directory]
    #[arg(long, help_heading = PROGRAM, value_name = "FILE")]
    pub(super) lock: Option<PathBuf>,

    /// A file with metrics that comes of it (repeatable)
    #[arg(long, help_heading = PROVENANCE, value_name = "FILE")]
    pub(super) metrics: Vec<PathBuf>,

    /// A log that comes of it (repeatable)
    #[arg(long, help_heading = PROVENANCE, value_name = "FILE")]
    pub(super) log: Vec<PathBuf>,

    /// Leave out the value of this flag, variable, parameter, or word of the command (by number, the program being 1)
    /// (repeatable)
    #[arg(long, help_heading = PROVENANCE, value_name = "NAME|N")]
    pub(super) redact: Vec<String>,

    /// Where to write it [default: provenance.sigstore.json if signed, else provenance.json]
    #[arg(short = 'o', long, help_heading = PROVENANCE, value_name = "OUT")]
    pub(super) provenance_path: Option<PathBuf>,

    #[command(flatten)]
    pub(super) scope: ScopeArgs,

    #[command(flatten)]
    pub(super) signing: OptionalSigningArgs,

    #[command(flatten)]
    pub(super) instance: InstanceArgs,
}

/// An input as it was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) role: InputRole,
    pub(super) uri: String,
    pub(super) path: Option<PathBuf>,
    pub(super) sha256: Option<String>,
}

impl TrainingArgs {
    /// Where the provenance goes.
    pub(super) fn destination(&self) -> &Path {
        match (&self.provenance_path, self.signing.method) {
            (Some(path), _) => path,
            (None, Some(_)) => Path::new("provenance.sigstore.json"),
            (None, None) => Path::new("provenance.json"),
        }
    }

    /// The inputs that have an address.
    pub(super) fn declared(&self) -> Result<Vec<Declared>, Failure> {
        let datasets = self.dataset.iter().map(|text| ("--dataset", InputRole::Dataset, text));
        let base_models = self.base_model.iter().map(|text| ("--base-model", InputRole::BaseModel, text));
        let declared: Result<Vec<_>, _> =
            datasets.chain(base_models).map(|(flag, role, text)| self.input(flag, role, text)).collect();
        declared
    }

    fn input(&self, flag: &str, role: InputRole, text: &str) -> Result<Declared, Failure> {
        let (name, path) = text.rsplit_once('=').unwrap_or((text, ""));
        let InputExpectation { uri, sha256 } = InputExpectation::parse(name).ok_or_else(|| {
            Failure::usage(format!("{flag}: expected URI, URI@sha256:HEX, or these with =PATH, found `{text}`"))
        })?;
        self.check_uri(flag, &uri, text)?;
        let path = (!path.is_empty()).then(|| PathBuf::from(path));
        Ok(Declared { role, uri: without_user(&uri), path, sha256 })
    }

    /// Refuses an address that is none, or holds a secret.
    fn check_uri(&self, flag: &str, uri: &str, text: &str) -> Result<(), Failure> {
        let scheme = uri.split_once(':').map(|(scheme, _)| scheme);
        let is_scheme = |scheme: &str| {
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '+' | '-' | '.'))
        };
        if !scheme.is_some_and(is_scheme) {
            return Err(Failure::usage(format!(
                "{flag}: expected an address such as https://… or hf://…, found `{text}`"
            ))
            .with_hint(format!(
                "{flag} URI=PATH: others know it by the address, and the tool hashes what is at the path"
            )));
        }
        if is_secret(None, uri) {
            return Err(Failure::usage(format!(
                "{flag}: the address of what is known as `{}` holds what looks like a secret, \
                                               and provenance is read by others",
                shown(uri)
            )));
        }
        Ok(())
    }

    /// The image as an input.
    pub(super) fn image(&self) -> Result<Option<Declared>, Failure> {
        let Some(image) = &self.image else { return Ok(None) };
        // The whole of it is how others name it.
        let image = without_secret("--image", image)?;
        let InputExpectation { uri, sha256 } = InputExpectation::parse(&image)
            .ok_or_else(|| Failure::usage(format!("--image: expected NAME or NAME@sha256:HEX, found `{image}`")))?;
        if uri.contains('@') {
            // It may be a user with a password, and is not shown.
            return Err(Failure::usage("--image: expected NAME or NAME@sha256:HEX, found another `@` in it"));
        }
        Ok(Some(Declared { role: InputRole::Image, uri: image, path: None, sha256 }))
    }

    /// The hyper-parameters.
    pub(super) fn parameters(&self) -> Result<Map<String, Value>, Failure> {
        let mut parameters = Map::new();
        for text in &self.param {
            let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
                return Err(Failure::usage(format!("--param: expected NAME=VALUE, found `{text}`")));
            };
            let value = self.unless_secret("--param", name, value)?;
            if parameters.insert(name.to_owned(), value.into()).is_some() {
                return Err(Failure::usage(format!("--param: expected every name once, found `{name}` twice")));
            }
        }
        Ok(parameters)
    }

    /// A value by its name, `[redacted]` if it is to be, and refused if it looks like a secret and is not.
    pub(super) fn unless_secret(&self, flag: &str, name: &str, value: &str) -> Result<String, Failure> {
        if self.redact.iter().any(|redacted| is_same_name(redacted, name)) {
            return Ok(REDACTED.to_owned());
        }
        if is_secret(Some(name), value) {
            return Err(Failure::usage(format!(
                "{flag}: the value of `{name}` looks like a secret, and provenance is read by others"
            ))
            .with_hint(format!("--redact {name} leaves it out")));
        }
        Ok(without_user(value))
    }

    /// Refuses a `--redact` that left nothing out: of the command, of the parameters, or of what else has a name.
    pub(super) fn check_redacted<'a>(
        &'a self,
        unused: Vec<String>,
        others: impl Iterator<Item = &'a str>,
    ) -> Result<(), Failure> {
        let parameters = self.param.iter().filter_map(|text| text.split_once('=')).map(|(name, _)| name);
        let names: Vec<&str> = parameters.chain(others).collect();
        match unused.iter().find(|wanted| !names.iter().any(|name| is_same_name(name, wanted))) {
            None => Ok(()),
            Some(wanted) => Err(Failure::usage(format!("--redact {wanted}: there is nothing of that name"))
                .with_hint("a flag, a variable or a parameter as the command has it, or the number of a word of it")),
        }
    }

    /// Refuses what could only fail after the training.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.signing.check()?;
        self.parameters()?;
        self.image()?;
        let declared = self.declared()?;
        let here = declared.iter().filter_map(|one| one.path.as_deref()).map(|path| ("an input", path));
        let files = [("a configuration file", &self.config), ("the metrics", &self.metrics), ("a log", &self.log)];
        let files = files.into_iter().flat_map(|(what, paths)| paths.iter().map(move |path| (what, path.as_path())));
        for (flag, paths) in [("--config", &self.config), ("--metrics", &self.metrics), ("--log", &self.log)] {
            check_paths(flag, paths)?;
        }
        check_paths("--lock", self.lock.as_slice())?;
        self.entry_point.as_deref().map(|text| without_secret("--entry-point", text)).transpose()?;
        let key = self.base_model_public_key.iter().map(|path| ("the public key", path.as_path()));
        let lock = self.lock.iter().map(|path| ("the list of packages", path.as_path()));
        let inputs: Vec<_> = here
            .chain(files)
            .chain(key)
            .chain(lock)
            .chain(self.signing.with.inputs())
            .chain(self.instance.inputs())
            .collect();
        check_output("--provenance-path", self.destination(), &inputs)
    }

    /// What is no part of a directory, for one of these: `--ignore-paths` that are somewhere else are another's.
    pub(super) fn scope_of(&self, directory: &Path) -> ScopeArgs {
        let location = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        let is_inside = |path: &&PathBuf| !matches!(crate::inputs::inside(&location, path), crate::inputs::Inside::No);
        let mut scope = self.scope.clone();
        scope.ignore_paths = self.scope.ignore_paths.iter().filter(is_inside).cloned().collect();
        scope
    }
}

/// A text that is written down, without what identifies a user in URLs; refused if it holds a secret.
pub(super) fn without_secret(flag: &str, text: &str) -> Result<String, Failure> {
    let text = without_user(text);
    if is_secret(None, &text) {
        return Err(Failure::usage(format!(
            "{flag}: what is given holds what looks like a secret, and provenance is read by others"
        )));
    }
    Ok(text)
}

/// Refuses paths that hold a secret.
pub(super) fn check_paths(flag: &str, paths: &[PathBuf]) -> Result<(), Failure> {
    paths.iter().try_for_each(|path| without_secret(flag, &path.to_string_lossy()).map(drop))
}

/// An address without what may be secret in it.
fn shown(uri: &str) -> String {
    let plain = without_user(uri);
    plain.split(['?', '#']).next().unwrap_or_default().chars().take(40).collect()
}
