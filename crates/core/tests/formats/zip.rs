//! ZIP archives in which every field can be a lie.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// A member and what its two headers say of it.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) content: Vec<u8>,
    pub(crate) central: Header,
    pub(crate) local: Header,
    /// Bytes before its own header.
    pub(crate) before: Vec<u8>,
    /// Where the directory says that it is, from where it is.
    pub(crate) shift: i64,
}

#[derive(Clone)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) crc: u32,
    pub(crate) packed: u32,
    pub(crate) length: u32,
    pub(crate) extra: Vec<u8>,
    /// Of the directory alone: the file's mode, in the upper half.
    pub(crate) attributes: u32,
    /// Of the directory alone.
    pub(crate) comment: Vec<u8>,
}

impl Member {
    pub(crate) fn stored(name: &str, content: &[u8]) -> Self {
        Self::new(name, 0, content.to_vec(), content)
    }

    pub(crate) fn deflated(name: &str, content: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).expect("a vector takes everything");
        Self::new(name, 8, encoder.finish().expect("a vector takes everything"), content)
    }

    fn new(name: &str, method: u16, packed: Vec<u8>, content: &[u8]) -> Self {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a small member");
        let header = Header {
            name: name.to_owned(),
            method,
            flags: 0,
            crc: rawzip::crc32(content),
            packed: length(&packed),
            length: length(content),
            extra: Vec::new(),
            attributes: 0,
            comment: Vec::new(),
        };
        Self { content: packed, central: header.clone(), local: header, before: Vec::new(), shift: 0 }
    }

    /// The same with both headers changed.
    pub(crate) fn both(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.central);
        change(&mut self.local);
        self
    }

    /// The same with its own header changed.
    pub(crate) fn local(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.local);
        self
    }
}

/// An archive of these members, and this comment.
pub(crate) fn archive(members: &[Member], comment: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for member in members {
        out.extend(&member.before);
        let at = i64::try_from(out.len()).expect("a small archive") + member.shift;
        out.extend(b"PK\x03\x04\x14\0");
        push_header(&mut out, &member.local);
        out.extend(member.local.name.as_bytes());
        out.extend(&member.local.extra);
        out.extend(&member.content);
        directory.extend(b"PK\x01\x02\x14\x03\x14\0");
        push_header(&mut directory, &member.central);
        directory.extend(u16::try_from(member.central.comment.len()).expect("a short comment").to_le_bytes());
        directory.extend([0; 4]);
        directory.extend(member.central.attributes.to_le_bytes());
        directory.extend(u32::try_from(at).expect("an offset").to_le_bytes());
        directory.extend(member.central.name.as_bytes());
        directory.extend(&member.central.extra);
        directory.extend(&member.central.comment);
    }
    let count = u16::try_from(members.len()).expect("few members").to_le_bytes();
    let word = |length: usize| u32::try_from(length).expect("a small archive").to_le_bytes();
    let start = word(out.len());
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.iter().chain(&count).chain(&word(directory.len())).chain(&start));
    out.extend(u16::try_from(comment.len()).expect("a short comment").to_le_bytes());
    out.extend(comment);
    out
}

fn push_header(out: &mut Vec<u8>, header: &Header) {
    out.extend(header.flags.to_le_bytes().into_iter().chain(header.method.to_le_bytes()).chain([0; 4]));
    for word in [header.crc, header.packed, header.length] {
        out.extend(word.to_le_bytes());
    }
    for length in [header.name.len(), header.extra.len()] {
        out.extend(u16::try_from(length).expect("a short name").to_le_bytes());
    }
}
