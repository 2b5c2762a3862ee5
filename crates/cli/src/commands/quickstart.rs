//! `quickstart`: signs, verifies, tampers and shows the refusal, with the commands to do the same by hand.

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use model_transparency::key::KeyAlgorithm;
use model_transparency::model::ModelSource;
use serde_json::json;

use super::digest::list;
use super::keygen::make_pair;
use super::{sign, verify};
use crate::args::{Global, ModelArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, Console, STRONG, escape, failure_text, size};
use crate::signature_file::DEFAULT_NAME;

/// See it work: sign a model, verify it, change one byte of a copy, and see that refused
///
/// Everything that is made stands in a new temporary folder; the model itself is not touched.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model to use [default: a small one, made for the purpose]
    #[arg(value_name = "MODEL_PATH")]
    model: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, global: &Global, console: &Console) -> Result<Answer, Failure> {
    let folder = tempfile::Builder::new().prefix("model-signing-quickstart-").tempdir();
    // Removed again when it is dropped, so after a failure.
    let temporary =
        folder.map_err(|error| Failure::could_not_check("unwritable", format!("no temporary folder: {error}")))?;
    let folder = temporary.path().to_owned();
    let model = match &args.model {
        Some(model) => model.clone(),
        None => make_model(&folder).map_err(|error| unwritable(&folder, &error))?,
    };
    let tour = Tour {
        copy: folder.join("copy").join(model.file_name().unwrap_or("model".as_ref())),
        private_key: folder.join("signing-key.pem"),
        public_key: folder.join("signing-key.pub.pem"),
        signature: folder.join("model.sig"),
        folder,
        model,
    };
    let answer = tour.run(global, console)?;
    let _ = temporary.keep();
    Ok(answer)
}

/// A model whose copy takes so long that it is announced, in bytes.
const LARGE_BYTES: u64 = 1_000_000_000;

struct Tour {
    folder: PathBuf,
    model: PathBuf,
    copy: PathBuf,
    private_key: PathBuf,
    public_key: PathBuf,
    signature: PathBuf,
}

impl Tour {
    fn run(&self, global: &Global, console: &Console) -> Result<Answer, Failure> {
        make_pair(KeyAlgorithm::EcdsaP256, None, &self.private_key, &self.public_key)?;
        let signed = sign::key(&self.model, &self.signature, &self.private_key, global, console)?;
        let verified =
            verify::key(ModelArgs::new(self.model.clone()), &self.signature, &self.public_key, global, console)?;
        let changed = copy_with_one_byte_changed(&self.model, &self.copy, console)?;
        let Some(changed) = changed else {
            return Err(Failure::rejected(
                "empty_model",
                "every file of the model is empty: there is no byte to change",
            ));
        };
        let refusal =
            match verify::key(ModelArgs::new(self.copy.clone()), &self.signature, &self.public_key, global, console) {
                Err(failure) if failure.exit == Exit::Rejected => failure,
                Err(failure) => return Err(failure),
                Ok(_) => {
                    return Err(Failure::rejected(
                        "not_refused",
                        "a changed byte was not noticed: do not trust this build",
                    ));
                }
            };
        let commands = self.commands();
        let heading = |text: &str| format!("{STRONG}{text}{STRONG:#}\n");
        let human = [
            heading("1. Sign"),
            signed.human,
            heading("\n2. Verify"),
            verified.human,
            heading(&format!("\n3. Change one byte of {} in a copy, and verify that", escape(&changed))),
            failure_text(&refusal),
            heading("\nThe same by hand"),
            commands.iter().map(|command| format!("  {}\n", escape(command))).collect(),
            format!(
                "\nThe files are in {}; delete it when you are done.\n",
                escape(&self.folder.display().to_string())
            ),
        ]
        .concat();
        let json = json!({
            "folder": self.folder.display().to_string(),
            "signed": signed.json,
            "verified": verified.json,
            "changed": changed,
            "refusal": { "kind": refusal.kind, "message": refusal.message, "exit_code": refusal.exit.code() },
            "commands": commands,
        });
        Ok(Answer { human, json })
    }
}

impl Tour {
    /// The same again, with a key and a signature of the reader's own.
    fn commands(&self) -> [String; 6] {
        // What stands in the folder is named from there; a model of the user's own, by its full path.
        let shell = |path: &Path| {
            let path = path
                .strip_prefix(&self.folder)
                .map_or_else(|_| std::path::absolute(path), |inner| Ok(inner.to_owned()));
            shell_word(&path.unwrap_or_else(|_| self.model.clone()).display().to_string())
        };
        let (model, copy) = (shell(&self.model), shell(&self.copy));
        [
            format!("cd {}", shell_word(&self.folder.display().to_string())),
            "model-signing keygen --private-key my-key.pem".to_owned(),
            format!("model-signing sign key {model} --private-key my-key.pem --signature my-model.sig"),
            format!("model-signing verify key {model} --public-key my-key.pub.pem --signature my-model.sig"),
            format!("model-signing verify key {copy} --public-key my-key.pub.pem --signature my-model.sig"),
            "model-signing inspect my-model.sig".to_owned(),
        ]
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::could_not_check("unwritable", format!("`{}` cannot be written: {error}", path.display()))
}

/// Makes a model of three files, some 70 kB.
fn make_model(folder: &Path) -> io::Result<PathBuf> {
    let model = folder.join("tiny-model");
    fs::create_dir_all(model.join("tokenizer"))?;
    fs::write(model.join("config.json"), "{\"architecture\": \"example\", \"layers\": 2, \"hidden_size\": 64}\n")?;
    fs::write(model.join("tokenizer/vocabulary.txt"), "[PAD]\n[UNK]\nmodel\nsigning\n")?;
    let weights: Vec<u8> = (0..16_384u32).flat_map(|index| ((index as f32) / 16_384.0 - 0.5).to_le_bytes()).collect();
    fs::write(model.join("weights.bin"), weights)?;
    Ok(model)
}

/// Copies what was signed of a model, changing the last byte of its smallest file that has one. Returns that file's name.
fn copy_with_one_byte_changed(model: &Path, copy: &Path, console: &Console) -> Result<Option<String>, Failure> {
    let signed = list(&ModelArgs::new(model.to_owned()), Path::new(DEFAULT_NAME), NonZeroUsize::MIN, console)?.model;
    let files = signed.files();
    let smallest = files.iter().filter(|file| file.length_bytes > 0).min_by_key(|file| file.length_bytes);
    let Some(smallest) = smallest else { return Ok(None) };
    let length_bytes: u64 = files.iter().map(|file| file.length_bytes).sum();
    if length_bytes > LARGE_BYTES {
        console.note(&format!("copying {} to `{}`", size(length_bytes), copy.display()));
    }
    for file in files {
        let (from, to) = if signed.is_single_file() {
            (model.to_owned(), copy.to_owned())
        } else {
            (model.join(file.path.as_str()), copy.join(file.path.as_str()))
        };
        copy_file(&from, &to, file == smallest).map_err(|error| unwritable(&to, &error))?;
    }
    Ok(Some(smallest.path.to_string()))
}

fn copy_file(from: &Path, to: &Path, change: bool) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    if !change {
        return fs::copy(from, to).map(drop);
    }
    let mut content = fs::read(from)?;
    if let Some(last) = content.last_mut() {
        *last ^= 1;
    }
    fs::write(to, content)
}

/// Quotes a word for a POSIX shell if it needs that.
fn shell_word(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:@,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
