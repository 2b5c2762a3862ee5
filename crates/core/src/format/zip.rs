//! ZIP archives, in which everything has to agree with everything else.
//!
//! `rawzip` reads the records; what two readers could understand in two ways is told here: headers that disagree, members that
//! overlap or stand twice, bytes that belong to nothing, names that leave the folder. A member is inflated only when its content
//! is asked for, and never beyond the length that was asked for.

use std::cell::Cell;
use std::collections::HashSet;
use std::io;

use flate2::{Decompress, FlushDecompress, Status};
use rawzip::{CompressionMethod, ErrorKind, ReaderAt, ZipArchive, ZipFileHeaderRecord, ZipLocator};

use super::bytes::{Bytes, Stop};
use super::findings::Findings;

/// The most members whose headers are read.
const MOST_MEMBERS: usize = 100_000;
/// The most bytes that one member may have to be held in memory.
pub(super) const MOST_MEMBER_BYTES: u64 = 64 << 20;
/// The names, extra fields and comment of one member can't be longer.
const MOST_HEADER_BYTES: usize = 3 * 65_535 + 46;
/// How far from the end the record of the end can begin.
const MOST_TAIL_BYTES: u64 = 65_535 + END_BYTES;
const END_BYTES: u64 = 22;
/// The record of the end of a ZIP64 archive, and what leads to it.
const END64_BYTES: u64 = 56 + 20;
const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const END: [u8; 4] = *b"PK\x05\x06";
const END64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR64: [u8; 4] = *b"PK\x06\x07";
const LOCATOR64_BYTES: u64 = 20;
/// The records that a directory and its end are made of, which have no business in a name or comment.
const OF_DIRECTORIES: [[u8; 4]; 4] = [*b"PK\x01\x02", END, END64, LOCATOR64];
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
/// Deflate makes 1,032 bytes of one at the most.
const MOST_INFLATION: u64 = 1_032;
/// From here on a member that inflates a hundredfold is told.
const BOMB_BYTES: u64 = 64 << 20;

/// An archive whose headers were read.
pub(super) struct Archive<'a> {
    bytes: Bytes<'a>,
    /// In the order of the directory.
    pub(super) members: Vec<Member>,
}

/// A file in an archive.
#[derive(Debug)]
pub(super) struct Member {
    /// As it stands there; bytes that are not UTF-8 replaced.
    pub(super) name: String,
    /// Of the content, as stated.
    pub(super) length_bytes: u64,
    packing: Packing,
    crc: u32,
    start: u64,
    end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Stored,
    Deflated,
    /// Encrypted, compressed otherwise, or not there: why.
    Unreadable(&'static str),
}

/// What a member holds.
pub(super) enum Content<'a> {
    /// A part of the archive's file.
    Stored(Bytes<'a>),
    /// What came out of it.
    Inflated(Vec<u8>),
}

/// Whether an archive begins at the first byte.
pub(super) fn begins(head: &[u8]) -> bool {
    head.starts_with(&LOCAL_HEADER) || head.starts_with(&END)
}

/// Opens the archive that these bytes end with. None if they do not.
pub(super) fn open<'a>(bytes: &Bytes<'a>, findings: &mut Findings) -> Result<Option<Archive<'a>>, Stop> {
    let reader = Reader { bytes, stop: Cell::new(None) };
    let mut buffer = vec![0; MOST_HEADER_BYTES];
    let locator = ZipLocator::new().max_search_space(MOST_TAIL_BYTES);
    let archive = match locator.locate_in_reader(reader, &mut buffer, bytes.length()) {
        Ok(archive) => archive,
        Err((reader, error)) => {
            reader.stopped()?;
            if matches!(error.kind(), ErrorKind::MissingEndOfCentralDirectory) {
                return Ok(None);
            }
            return Err(Stop::malformed(format!("the ZIP archive's end is broken: {error}")));
        }
    };
    let mut spans = Spans::default();
    let members = read_members(&archive, &mut buffer, &mut spans, findings)?;
    check_end(bytes, &archive, members.len(), &mut spans, findings)?;
    spans.check(bytes.length(), findings);
    check_names(&members, findings);
    Ok(Some(Archive { bytes: bytes.clone(), members }))
}

impl<'a> Archive<'a> {
    /// What was inflated from the archive, on the archive's budget.
    pub(super) fn derived<'b>(&self, content: &'b &'b [u8]) -> Bytes<'b> {
        self.bytes.derived(content)
    }

    /// The member of this name; without one, the first whose name has other capitals, as PyTorch's reader takes it.
    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        let exact = self.members.iter().find(|member| member.name == name);
        exact.or_else(|| self.members.iter().find(|member| member.name.eq_ignore_ascii_case(name)))
    }

    /// What a member holds, if that is no more than can be held.
    pub(super) fn content(&self, member: &Member, findings: &mut Findings) -> Result<Content<'a>, Stop> {
        match member.packing {
            Packing::Unreadable(why) => Err(Stop::malformed(format!("`{}` is {why}", member.name))),
            Packing::Stored => Ok(Content::Stored(self.bytes.part(member.start, member.end))),
            Packing::Deflated => {
                if member.length_bytes > MOST_MEMBER_BYTES {
                    return Err(Stop::malformed(format!(
                        "`{}` would inflate to {} bytes, more than are looked at",
                        member.name, member.length_bytes
                    )));
                }
                let content = self.inflate(member, member.length_bytes)?;
                if content.len() as u64 != member.length_bytes || rawzip::crc32(&content) != member.crc {
                    findings.problem(format!("`{}` inflates to other bytes than it says", member.name));
                }
                Ok(Content::Inflated(content))
            }
        }
    }

    /// A small member as a whole.
    pub(super) fn read(&self, name: &str, most: u64, findings: &mut Findings) -> Result<Option<Vec<u8>>, Stop> {
        let Some(member) = self.member(name) else { return Ok(None) };
        if member.length_bytes > most {
            let length = member.length_bytes;
            return Err(Stop::malformed(format!("`{name}`: expected at most {most} bytes, found {length}")));
        }
        let content = match self.content(member, findings)? {
            Content::Inflated(content) => content,
            Content::Stored(bytes) => {
                let content = bytes.head(usize::try_from(most).unwrap_or(usize::MAX))?;
                if rawzip::crc32(&content) != member.crc {
                    findings.problem(format!("`{name}` has another checksum than it says"));
                }
                content
            }
        };
        Ok(Some(content))
    }

    /// The first bytes of a member, as many as there are of `length`.
    pub(super) fn head(&self, member: &Member, length: usize) -> Result<Vec<u8>, Stop> {
        match member.packing {
            Packing::Unreadable(_) => Ok(Vec::new()),
            Packing::Stored => self.bytes.part(member.start, member.end).head(length),
            Packing::Deflated => self.inflate(member, length as u64),
        }
    }

    /// At most `most` bytes of what a member inflates to.
    fn inflate(&self, member: &Member, most: u64) -> Result<Vec<u8>, Stop> {
        inflate(&self.bytes.part(member.start, member.end), false, most).map_err(|stop| match stop {
            Stop::Malformed(text) => Stop::Malformed(format!("`{}`: {text}", member.name)),
            Stop::Read(_) => stop,
        })
    }
}

/// At most `most` bytes of what `bytes` inflate to, with the header of zlib or without.
pub(super) fn inflate(bytes: &Bytes<'_>, zlib_header: bool, most: u64) -> Result<Vec<u8>, Stop> {
    const CHUNK_BYTES: u64 = 1 << 16;
    let chunk = usize::try_from(most.min(CHUNK_BYTES)).unwrap_or_default();
    let mut state = Decompress::new(zlib_header);
    let mut content = Vec::new();
    let mut position = 0;
    // A member of a few bytes should not cost a whole buffer.
    let mut step = most.saturating_add(64).min(CHUNK_BYTES);
    while (content.len() as u64) < most {
        let input = bytes.part(position, position.saturating_add(step));
        step = CHUNK_BYTES;
        let input = input.read(0, usize::try_from(input.length()).unwrap_or_default())?;
        content.reserve(chunk);
        let (read, written) = (state.total_in(), state.total_out());
        let status = state
            .decompress_vec(&input, &mut content, FlushDecompress::None)
            .map_err(|error| Stop::malformed(format!("cannot be inflated: {error}")))?;
        bytes.spend(state.total_out() - written)?;
        position += state.total_in() - read;
        if status == Status::StreamEnd {
            break;
        }
        if (state.total_in(), state.total_out()) == (read, written) {
            return Err(Stop::malformed("ends in the middle of what is compressed"));
        }
    }
    content.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Ok(content)
}

/// Reads every header of the directory and the one before each member.
fn read_members(
    archive: &ZipArchive<Reader<'_, '_>>,
    buffer: &mut [u8],
    spans: &mut Spans,
    findings: &mut Findings,
) -> Result<Vec<Member>, Stop> {
    let directory = archive.directory_offset();
    let mut local_buffer = vec![0; 2 * 65_535];
    let mut members = Vec::new();
    let mut entries = archive.entries(buffer);
    let mut end = directory;
    loop {
        let entry = match entries.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => break,
            Err(error) => {
                archive.get_ref().stopped()?;
                findings
                    .problem(format!("the ZIP archive's directory is broken after {} members: {error}", members.len()));
                break;
            }
        };
        if members.len() == MOST_MEMBERS {
            findings.problem(format!("the ZIP archive has more than {MOST_MEMBERS} members"));
            break;
        }
        end = entry.central_directory_offset() + header_length(&entry);
        members.push(read_member(archive, &entry, &mut local_buffer, spans, findings)?);
    }
    spans.add(directory, end, "the directory");
    Ok(members)
}

fn header_length(entry: &ZipFileHeaderRecord<'_>) -> u64 {
    let variable =
        entry.file_path().len() + entry.extra_fields().remaining_bytes().len() + entry.comment().as_bytes().len();
    46 + variable as u64
}

fn read_member(
    archive: &ZipArchive<Reader<'_, '_>>,
    entry: &ZipFileHeaderRecord<'_>,
    buffer: &mut [u8],
    spans: &mut Spans,
    findings: &mut Findings,
) -> Result<Member, Stop> {
    let name = String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned();
    if std::str::from_utf8(entry.file_path().as_bytes()).is_err() {
        findings.problem(format!("`{name}` has a name that is not UTF-8"));
    }
    let (packed, length_bytes) = (entry.compressed_size_hint(), entry.uncompressed_size_hint());
    let method = entry.compression_method();
    let mut packing = match method {
        _ if entry.flags().is_encrypted() => Packing::Unreadable("encrypted"),
        CompressionMethod::STORE => Packing::Stored,
        CompressionMethod::DEFLATE => Packing::Deflated,
        _ => Packing::Unreadable("compressed in a way that is not known here"),
    };
    if packing == Packing::Stored && packed != length_bytes {
        findings.problem(format!("`{name}` is stored: expected {length_bytes} bytes, found {packed}"));
    }
    if packing == Packing::Deflated && length_bytes / MOST_INFLATION > packed {
        findings.problem(format!("`{name}` says that {packed} bytes inflate to {length_bytes}, which they can't"));
    } else if length_bytes > BOMB_BYTES && length_bytes / 100 > packed {
        findings.problem(format!("`{name}` inflates from {packed} to {length_bytes} bytes"));
    }
    if let Packing::Unreadable(why) = packing {
        findings.problem(format!("`{name}` is {why}"));
    }
    if entry.extra_fields().any(|(id, _)| id == rawzip::extra_fields::ExtraFieldId::INFO_ZIP_UNICODE_PATH) {
        findings.problem(format!("`{name}` has a second name"));
    }
    let variable =
        [entry.file_path().as_bytes(), entry.extra_fields().remaining_bytes(), entry.comment().as_bytes()].concat();
    if variable.windows(4).any(|window| OF_DIRECTORIES.iter().any(|signature| window == signature)) {
        findings.problem(format!("`{name}` has records of another directory in its name, extra fields or comment"));
    }
    if entry.external_attributes() >> 28 == 0xa {
        findings.problem(format!("`{name}` is a symbolic link"));
    }
    let (mut start, mut end) = (0, 0);
    match check_local(archive, entry, buffer, &name, spans, findings)? {
        Some(range) => (start, end) = range,
        None => packing = Packing::Unreadable("not where the directory says"),
    }
    Ok(Member { name, length_bytes, packing, crc: entry.crc32(), start, end })
}

/// Compares the header before a member with the directory's, and gives where the content is.
fn check_local(
    archive: &ZipArchive<Reader<'_, '_>>,
    entry: &ZipFileHeaderRecord<'_>,
    buffer: &mut [u8],
    name: &str,
    spans: &mut Spans,
    findings: &mut Findings,
) -> Result<Option<(u64, u64)>, Stop> {
    let bytes = archive.get_ref().bytes;
    let found = archive.get_entry(entry.wayfinder());
    archive.get_ref().stopped()?;
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            findings.problem(format!("`{name}` has no header of its own: {error}"));
            return Ok(None);
        }
    };
    let (start, end) = found.compressed_data_range();
    if end > archive.directory_offset() {
        findings.problem(format!("`{name}` ends at {end}, beyond the directory's beginning"));
        return Ok(None);
    }
    let local = found.local_header(buffer);
    archive.get_ref().stopped()?;
    let local = match local {
        Ok(local) => local,
        Err(error) => {
            findings.problem(format!("`{name}` has no header of its own: {error}"));
            return Ok(None);
        }
    };
    let mut differs = |what: &str| {
        findings.problem(format!("`{name}` has another {what} in its own header than in the directory"));
    };
    if local.file_path().as_bytes() != entry.file_path().as_bytes() {
        differs("name");
    }
    if local.compression_method() != entry.compression_method() {
        differs("compression");
    }
    if local.flags().bits() != entry.flags().bits() {
        differs("set of flags");
    }
    let stated = (entry.crc32(), entry.compressed_size_hint(), entry.uncompressed_size_hint());
    let found = (local.crc32(), local.compressed_size_hint(), local.uncompressed_size_hint());
    let mut after = end;
    if local.flags().has_data_descriptor() {
        if (found.0 != 0 && found.0 != stated.0)
            || (found.1 != 0 && found.1 != stated.1)
            || (found.2 != 0 && found.2 != stated.2)
        {
            differs("checksum or length");
        }
        match descriptor_length(bytes, end, stated)? {
            Some(length) => after += length,
            None => {
                findings.problem(format!("`{name}` has another checksum or length behind it than in the directory"))
            }
        }
    } else if found != stated {
        differs("checksum or length");
    }
    spans.add(entry.local_header_offset(), after, name);
    Ok(Some((start, end)))
}

/// The length of the record behind a member that says what `stated` does.
fn descriptor_length(bytes: &Bytes<'_>, at: u64, (crc, packed, length): (u32, u64, u64)) -> Result<Option<u64>, Stop> {
    let tail = bytes.part(at, at.saturating_add(24)).head(24)?;
    let mut long = crc.to_le_bytes().to_vec();
    let mut short = long.clone();
    long.extend(packed.to_le_bytes().into_iter().chain(length.to_le_bytes()));
    if let (Ok(packed), Ok(length)) = (u32::try_from(packed), u32::try_from(length)) {
        short.extend(packed.to_le_bytes().into_iter().chain(length.to_le_bytes()));
    }
    let is = |body: &[u8], tail: &[u8]| body.len() > 4 && tail.starts_with(body);
    if let Some(tail) = tail.strip_prefix(&DESCRIPTOR) {
        if is(&long, tail) {
            return Ok(Some(24));
        }
        if is(&short, tail) {
            return Ok(Some(16));
        }
    }
    if is(&long, &tail) {
        return Ok(Some(20));
    }
    Ok(is(&short, &tail).then_some(12))
}

/// Checks the records behind the directory.
fn check_end(
    bytes: &Bytes<'_>,
    archive: &ZipArchive<Reader<'_, '_>>,
    members: usize,
    spans: &mut Spans,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let (end, after) = (archive.eocd_offset(), archive.end_offset());
    if archive.entries_hint() != members as u64 {
        let stated = archive.entries_hint();
        findings.problem(format!("the ZIP archive's directory: expected {stated} members, found {members}"));
    }
    spans.add(end, after, "the end record");
    let record = bytes.part(end, after).head(usize::try_from(END_BYTES + 65_535).unwrap_or_default())?;
    let field = |at: usize, length: usize| {
        record
            .get(at..at + length)
            .map_or(0, |field| field.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
    };
    let (disk, first_disk, entries_here, entries) = (field(4, 2), field(6, 2), field(8, 2), field(10, 2));
    let (size, offset) = (field(12, 4), field(16, 4));
    let is_64 = end.checked_sub(END64_BYTES).map(|at| bytes.part(at, at + 4).head(4)).transpose()?;
    let is_64 = is_64.is_some_and(|head| head == END64);
    // Readers such as miniz, which PyTorch has, obey the locator and go wherever it points.
    let locator = end.checked_sub(LOCATOR64_BYTES).map(|at| bytes.part(at, end).head(4)).transpose()?;
    if locator.is_some_and(|head| head == LOCATOR64) != is_64 {
        findings.problem("the ZIP archive's end record has a ZIP64 locator or a ZIP64 record before it, and not both");
    }
    if is_64 {
        let at = end - END64_BYTES;
        spans.add(at, end, "the ZIP64 end record");
        let record = bytes.part(at, end).head(76)?;
        let wide = |at: usize| {
            record
                .get(at..at + 8)
                .map_or(0, |field| field.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
        };
        let agrees = |narrow: u64, sentinel: u64, wide: u64| narrow == sentinel || narrow == wide;
        if !(agrees(entries, 0xffff, wide(32))
            && agrees(entries_here, 0xffff, wide(24))
            && agrees(size, 0xffff_ffff, wide(40))
            && agrees(offset, 0xffff_ffff, wide(48))
            && wide(48) == archive.directory_offset()
            && wide(48).checked_add(wide(40)) == Some(at)
            && wide(32) == archive.entries_hint()
            && wide(64) == at)
        {
            findings.problem("the ZIP archive's two end records disagree");
        }
    } else if entries != archive.entries_hint() || entries_here != entries || offset != archive.directory_offset() {
        findings.problem("the ZIP archive's end record says another place or number of members than was found");
    } else if offset + size != end {
        findings.problem("the ZIP archive's directory has another length than its end record says");
    }
    if ![0, 0xffff].contains(&disk) || ![0, 0xffff].contains(&first_disk) {
        findings.problem("the ZIP archive is a part of one on many disks");
    }
    if record.len() as u64 > END_BYTES && record[4..].windows(4).any(|window| window == END) {
        findings.problem("the ZIP archive has a second end record, in its comment");
    }
    Ok(())
}

/// Checks the names of all members against each other and against leaving their folder.
fn check_names(members: &[Member], findings: &mut Findings) {
    let mut seen = HashSet::new();
    for Member { name, .. } in members {
        let bad = name.is_empty()
            || name.starts_with('/')
            || name.contains(['\\', '\0'])
            || name.as_bytes().get(1) == Some(&b':')
            || name.split('/').any(|part| part == "..");
        if bad {
            findings.problem(format!("`{name}` is a name that leaves the archive"));
        }
        if !seen.insert(name.to_lowercase()) {
            findings.problem(format!("`{name}` is there twice"));
        }
    }
}

/// What each range of the file belongs to.
#[derive(Default)]
struct Spans(Vec<(u64, u64, String)>);

impl Spans {
    fn add(&mut self, start: u64, end: u64, owner: &str) {
        self.0.push((start, end, owner.to_owned()));
    }

    fn check(mut self, length: u64, findings: &mut Findings) {
        self.0.sort();
        let (mut at, mut before) = (0, String::from("the beginning"));
        for (start, end, owner) in self.0 {
            if start > at {
                findings.problem(format!("{} bytes between {before} and `{owner}` belong to nothing", start - at));
            } else if start < at {
                findings.problem(format!("`{owner}` overlaps {before}"));
            }
            if end >= at {
                (at, before) = (end, format!("`{owner}`"));
            }
        }
        if at < length {
            findings.problem(format!("{} bytes stand behind the ZIP archive", length - at));
        }
    }
}

/// Bytes as `rawzip` reads them, remembering what it makes an error of its own of.
struct Reader<'b, 'a> {
    bytes: &'b Bytes<'a>,
    stop: Cell<Option<Stop>>,
}

impl Reader<'_, '_> {
    fn stopped(&self) -> Result<(), Stop> {
        self.stop.take().map_or(Ok(()), Err)
    }
}

impl ReaderAt for Reader<'_, '_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let part = self.bytes.part(offset, offset.saturating_add(buffer.len() as u64));
        match part.head(buffer.len()) {
            Ok(read) => {
                buffer[..read.len()].copy_from_slice(&read);
                Ok(read.len())
            }
            Err(stop) => {
                self.stop.set(Some(stop));
                Err(io::Error::other("not read"))
            }
        }
    }
}
