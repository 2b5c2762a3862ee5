//! What a ZIP archive is of, and everything in it that can be loaded.

use super::bytes::{Bytes, Stop};
use super::findings::Findings;
use super::zip::{self, Archive, Content, Member};
use super::{CodeOnLoad, Format, Recognition, keras, look, numpy, pickle, pytorch};

/// How deep archives in archives are looked at.
const MOST_DEPTH: usize = 3;
/// The formats with a beginning of their own that are looked at inside an archive.
const MAGICS: [&[u8]; 5] = [b"PK\x03\x04", numpy::MAGIC, b"\x89HDF\r\n\x1a\n", b"GGUF", pytorch::LEGACY_MAGIC];
/// What of a member tells whether the rest is looked at.
const HEAD_BYTES: usize = 256;
/// How programs of Linux, macOS and Windows begin.
const PROGRAMS: [&[u8]; 6] =
    [b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xca\xfe\xba\xbe", b"\xce\xfa\xed\xfe", b"MZ\x90\x00"];

/// What kind of archive it is, which decides what its members are for.
enum Kind<'m> {
    Keras,
    /// PyTorch's, below a folder of this name.
    Pytorch(&'m str),
    Npz,
    Unknown,
}

/// Reads the archive that these bytes end with. None if they do not, and do not begin like one either.
pub(super) fn read(bytes: &Bytes<'_>, depth: usize) -> Result<Option<Recognition>, Stop> {
    let mut findings = Findings::default();
    let Some(archive) = zip::open(bytes, &mut findings)? else {
        if !zip::begins(&bytes.head(4)?) {
            return Ok(None);
        }
        findings.problem("it begins like a ZIP archive, and no directory is at its end");
        return Ok(Some(findings.into_recognition(None)));
    };
    let kind = kind(&archive)?;
    let mut format = match &kind {
        Kind::Keras => {
            keras::read(&archive, &mut findings)?;
            Some(Format::Keras)
        }
        Kind::Npz => {
            findings.detail("arrays", archive.members.len().to_string());
            Some(Format::Npz)
        }
        Kind::Pytorch(_) => None,
        Kind::Unknown => {
            findings.detail("container", "ZIP archive");
            None
        }
    };
    let mut main = None;
    for member in &archive.members {
        if matches!(kind, Kind::Pytorch(top) if pytorch::is_storage(top, &member.name)) {
            continue;
        }
        let is_main =
            matches!(kind, Kind::Pytorch(top) if member.name.eq_ignore_ascii_case(&format!("{top}/data.pkl")));
        match look_inside(&archive, member, depth, &mut findings) {
            Ok(scan) if is_main => main = scan,
            Ok(_) => {}
            Err(stop) => findings.problem(stop.text()?),
        }
    }
    if let Kind::Pytorch(top) = kind {
        format = Some(pytorch::read(&archive, top, main.as_ref(), &mut findings)?);
    }
    Ok(Some(findings.into_recognition(format)))
}

fn kind<'m>(archive: &'m Archive<'_>) -> Result<Kind<'m>, Stop> {
    // PyTorch's reader takes the folder of the first member for that of all.
    let top = archive.members.first().and_then(|member| member.name.split_once('/')).map(|(top, _)| top);
    if let Some(top) = top.filter(|top| pytorch::is_archive(archive, top)) {
        return Ok(Kind::Pytorch(top));
    }
    let has = |name: &str| archive.member(name).is_some();
    if (has("config.json") && (has("metadata.json") || has("model.weights.h5") || has("model.weights.json")))
        || keras::has_config(archive)?
    {
        return Ok(Kind::Keras);
    }
    for member in archive.members.iter().take(1_000) {
        if archive.head(member, numpy::MAGIC.len())? == numpy::MAGIC {
            return Ok(Kind::Npz);
        }
    }
    Ok(Kind::Unknown)
}

/// Looks at one member by what it is; gives how its pickle was scanned, if it is one.
fn look_inside(
    archive: &Archive<'_>,
    member: &Member,
    depth: usize,
    findings: &mut Findings,
) -> Result<Option<pickle::Scan>, Stop> {
    if member.length_bytes == 0 || member.name.ends_with('/') {
        return Ok(None);
    }
    let head = archive.head(member, HEAD_BYTES)?;
    if PROGRAMS.iter().any(|magic| head.starts_with(magic)) {
        findings.code(CodeOnLoad::Program(member.name.clone()));
    }
    let name = member.name.to_ascii_lowercase();
    let is_named = name.ends_with("pkl") || name.ends_with(".pickle");
    let is_other = MAGICS.iter().any(|magic| head.starts_with(magic));
    if !is_named && !is_other && !pickle::begins(&head) {
        // Old pickles have no beginning of their own, and nobody asks for their names.
        if !head.is_empty() && pickle::may_begin(head.as_slice())? {
            let beneath = match archive.content(member, findings)? {
                Content::Stored(part) => pickle::read_beneath(&part)?,
                Content::Inflated(content) => pickle::read_beneath(&archive.derived(&content.as_slice()))?,
            };
            beneath.into_iter().for_each(|found| findings.add(&format!("`{}`", member.name), found));
        }
        return Ok(None);
    }
    match archive.content(member, findings)? {
        Content::Stored(part) => look_at(&part, member, is_named, is_other, depth, findings),
        Content::Inflated(content) => {
            look_at(&archive.derived(&content.as_slice()), member, is_named, is_other, depth, findings)
        }
    }
}

fn look_at(
    content: &Bytes<'_>,
    member: &Member,
    is_named: bool,
    is_other: bool,
    depth: usize,
    findings: &mut Findings,
) -> Result<Option<pickle::Scan>, Stop> {
    let name = &member.name;
    if is_other {
        if depth == MOST_DEPTH {
            return Err(Stop::malformed(format!("`{name}` is in too many archives to be looked at")));
        }
        let inner = look(content, depth + 1)?;
        findings.add(&format!("`{name}`"), inner);
        return Ok(None);
    }
    let mut found = Findings::default();
    let scan = pickle::scan(content, 0, &mut found)?;
    // Numbers of a tensor can look like the beginning of a pickle.
    if !is_named && !scan.is_convincing() {
        return Ok(None);
    }
    findings.absorb(&format!("`{name}`"), found);
    if let Some(stopped) = &scan.stopped {
        findings.problem(format!("`{name}`: {stopped}"));
    }
    if let Some(end) = scan.end.filter(|end| *end < content.length()) {
        findings.problem(format!("`{name}`: {} bytes stand behind the pickle's end", content.length() - end));
    }
    Ok(Some(scan))
}
