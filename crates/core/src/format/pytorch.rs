//! PyTorch's files: ZIP archives of a pickle and storages, compiled programs, and the pickles in a row of before.

use super::bytes::{Bytes, Stop};
use super::findings::Findings;
use super::zip::Archive;
use super::{CodeOnLoad, Format, Recognition, pickle};

/// The pickle of the number that files before PyTorch 1.6 begin with.
pub(super) const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
/// What follows: the version, what the machine was like, the object, the keys of its storages.
const LEGACY_PICKLES: [&str; 4] = ["version", "system", "object", "storage keys"];
/// The versions and words that stand in members of their own are short.
const MOST_NOTE_BYTES: u64 = 64;

/// Whether the archive is one of PyTorch's, below the folder `top`.
pub(super) fn is_archive(archive: &Archive<'_>, top: &str) -> bool {
    let has = |name: &str| archive.member(&format!("{top}/{name}")).is_some();
    has("data.pkl") || has("constants.pkl") || has("bytecode.pkl") || is_export(archive, top)
}

fn is_export(archive: &Archive<'_>, top: &str) -> bool {
    archive.member(&format!("{top}/archive_format")).is_some()
        || archive.member(&format!("{top}/models/model.json")).is_some()
        || archive.member(&format!("{top}/serialized_exported_program.json")).is_some()
}

/// Whether a member is the numbers of tensors, which nothing unpickles.
pub(super) fn is_storage(top: &str, name: &str) -> bool {
    let Some(place) = name.strip_prefix(top).and_then(|rest| rest.strip_prefix('/')) else { return false };
    match place.split_once('/') {
        Some(("data" | "constants" | "tensors", key)) => {
            !key.contains('/') && !key.to_ascii_lowercase().ends_with(".pkl")
        }
        _ => false,
    }
}

/// What an archive of PyTorch is. `main` is how `data.pkl` was scanned.
pub(super) fn read(
    archive: &Archive<'_>,
    top: &str,
    main: Option<&pickle::Scan>,
    findings: &mut Findings,
) -> Result<Format, Stop> {
    let path = |name: &str| format!("{top}/{name}");
    let has = |name: &str| archive.member(&path(name)).is_some();
    for (label, names) in [
        ("version", ["version", ".data/version"].as_slice()),
        ("archive", &["archive_version"]),
        ("byte order", &["byteorder"]),
    ] {
        for name in names {
            match archive.read(&path(name), MOST_NOTE_BYTES, findings) {
                Ok(Some(note)) => {
                    findings.detail(label, String::from_utf8_lossy(&note).trim().to_owned());
                    break;
                }
                Ok(None) => {}
                Err(stop) => findings.problem(stop.text()?),
            }
        }
    }
    if let Some(scan) = main {
        tensors(scan, findings);
    }
    if archive.members.iter().any(|member| !member.name.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'))) {
        findings.problem(format!("there are members outside the folder `{top}`"));
    }
    if is_export(archive, top) {
        for member in &archive.members {
            let name = member.name.to_ascii_lowercase();
            let below = name.strip_prefix(&path("models/").to_ascii_lowercase());
            if below.is_some_and(|name| name.ends_with(".json"))
                || member.name.eq_ignore_ascii_case(&path("serialized_exported_program.json"))
            {
                findings.code(CodeOnLoad::Program(member.name.clone()));
            }
        }
        return Ok(Format::TorchExport);
    }
    let code = path("code/");
    let is_code = |name: &str| name.get(..code.len()).is_some_and(|start| start.eq_ignore_ascii_case(&code));
    let has_code = archive.members.iter().any(|member| is_code(&member.name));
    if has_code || has("constants.pkl") || has("bytecode.pkl") {
        if has_code {
            // Classes of the program itself, which is named as a whole.
            findings.retain_code(|code| !matches!(code, CodeOnLoad::Global(name) if name.starts_with("__torch__.")));
            findings.code(CodeOnLoad::Program(code));
        }
        if has("bytecode.pkl") {
            findings.detail("for", "mobile devices");
            findings.code(CodeOnLoad::Program(path("bytecode.pkl")));
        }
        return Ok(Format::TorchScript);
    }
    Ok(if findings.has_code() { Format::PytorchModel } else { Format::PytorchStateDict })
}

/// Reads a file of before PyTorch 1.6. None if it is none.
pub(super) fn read_legacy(bytes: &Bytes<'_>) -> Result<Option<Recognition>, Stop> {
    if bytes.head(LEGACY_MAGIC.len())? != LEGACY_MAGIC {
        return Ok(None);
    }
    let mut findings = Findings::default();
    let mut at = LEGACY_MAGIC.len() as u64;
    for part in LEGACY_PICKLES {
        let scan = pickle::scan(bytes, at, &mut findings)?;
        if part == "object" {
            tensors(&scan, &mut findings);
        }
        match (scan.end, scan.stopped) {
            (Some(end), _) => at = end,
            (None, stopped) => {
                findings.problem(format!("the pickle of the {part}: {}", stopped.unwrap_or_default()));
                break;
            }
        }
    }
    let format = if findings.has_code() { Format::PytorchLegacyModel } else { Format::PytorchLegacyStateDict };
    Ok(Some(findings.into_recognition(Some(format))))
}

fn tensors(scan: &pickle::Scan, findings: &mut Findings) {
    findings.detail("tensors", scan.tensors.to_string());
    if !scan.dtypes.is_empty() {
        findings.detail("types", scan.dtypes.iter().copied().collect::<Vec<_>>().join(", "));
    }
}
