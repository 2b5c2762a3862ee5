//! Files that are two things at once: what one reader takes for numbers, another runs.

use std::fs;
use std::path::Path;

use model_transparency::format::{Format, Recognition};

use crate::zip::{Member, archive};
use crate::{called_code, look, says};

/// A pickle of protocol 0 that calls `os.system`.
const RUNS: &[u8] = b"cos\nsystem\n(S'true'\ntR.";

fn file(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/formats").join(name)).expect("a file")
}

fn is_a_pickle_as_well(seen: &Recognition) -> bool {
    called_code(seen) == ["os.system"] && says(seen, "it is a Python pickle as well")
}

#[test]
fn a_pickle_before_hdf5_is_told() {
    let whole = file("hdf5_user_block.h5");
    for pickles in [
        RUNS.to_vec(),
        [b"\x80\x02".as_slice(), RUNS].concat(),
        // As PyTorch's old files, in a protocol that has no beginning of its own.
        [b"L119547037146038801333356L\n.I1001\n.(d.", RUNS].concat(),
        [b"N.N.N.", RUNS].concat(),
        // Broken, after the call was made.
        [&RUNS[..RUNS.len() - 1], b"\xff"].concat(),
        // What follows the import is calls of what was returned.
        b"cos\nsystem\n(tR(tR.".to_vec(),
    ] {
        let mut bytes = whole.clone();
        bytes[..pickles.len()].copy_from_slice(&pickles);
        let seen = look(&bytes);
        assert_eq!(seen.format, Some(Format::Hdf5), "{seen:?}");
        assert!(called_code(&seen).contains(&"os.system"), "{pickles:?}: {seen:?}");
        assert!(says(&seen, "it is a Python pickle as well"), "{pickles:?}: {seen:?}");
    }
}

#[test]
fn what_stands_before_hdf5_and_runs_nothing_is_no_problem() {
    let whole = file("hdf5_user_block.h5");
    for text in [
        b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan 01 00:00:00 2024 HDF5 schema 1.00 .".as_slice(),
        b"# comment\n",
        b"constant\nfunction\n",
        b"c\0os\nsystem\n)R.",
        b"c\xff\xfe\nsystem\n)R.",
        b"N.",
        b"\x80\x02}q\0.",
        b"NNR.",
        b"ccollections\nOrderedDict\n)R.",
    ] {
        let mut bytes = whole.clone();
        bytes[..text.len()].copy_from_slice(text);
        let seen = look(&bytes);
        assert_eq!((seen.format, called_code(&seen), seen.problems.len()), (Some(Format::Hdf5), vec![], 0), "{seen:?}");
    }
}

#[test]
fn what_is_too_much_to_follow_before_another_format_is_told() {
    let mut bytes = file("hdf5_user_block.h5");
    bytes[..2].copy_from_slice(b"Np");
    bytes[2..11].fill(b'0');
    bytes[11..500].fill(b' ');
    assert_eq!(look(&bytes).problems, Vec::<String>::new());
    // More pickles in a row than are followed.
    bytes[..500].fill(b'.');
    bytes[..500].iter_mut().step_by(2).for_each(|byte| *byte = b'N');
    let seen = look(&bytes);
    assert!(says(&seen, "it may be a pickle: at most 64 in a row are expected, found more"), "{seen:?}");
}

/// A safetensors file whose length is the opcode of 32 bytes, which lead to others in a text, and these to the numbers.
fn safetensors_of(numbers: &[u8]) -> Vec<u8> {
    const HEADER_BYTES: usize = 0x2043;
    let length = numbers.len();
    let tail = format!(r#""}},"w":{{"dtype":"U8","shape":[{length}],"data_offsets":[0,{length}]}}}}"#);
    let mut header = br#"{"__metadata__":{"a":"aaaa"#.to_vec();
    // From here to the next, 64 times, in two steps at the end.
    while header.len() + 8 < 2 + 32 + 128 * 63 {
        header.extend(b"C~");
        header.extend([b'a'; 126]);
    }
    header.extend(b"C<");
    header.extend([b'a'; 60]);
    let left = HEADER_BYTES - header.len() - 2;
    header.extend([b'C', u8::try_from(left).expect("a short rest")]);
    header.resize(HEADER_BYTES - tail.len(), b'a');
    header.extend(tail.as_bytes());
    [&(HEADER_BYTES as u64).to_le_bytes(), header.as_slice(), numbers].concat()
}

#[test]
fn safetensors_that_are_a_pickle_are_told() {
    let plain = look(&safetensors_of(&[0; 64]));
    assert_eq!((plain.format, plain.problems.len()), (Some(Format::Safetensors), 0), "{plain:?}");
    let seen = look(&safetensors_of(RUNS));
    assert_eq!(seen.format, Some(Format::Safetensors));
    assert!(is_a_pickle_as_well(&seen), "{seen:?}");
}

#[test]
fn headers_of_safetensors_of_any_length_are_no_pickles() {
    for length in (60..700_usize).chain(1100..1400) {
        let tail = r#"","b":"c"},"w":{"dtype":"U8","shape":[16],"data_offsets":[0,16]}}"#;
        let head = r#"{"__metadata__":{"a":""#;
        let Some(filling) = length.checked_sub(head.len() + tail.len()) else { continue };
        let header = [head, &"x".repeat(filling), tail].concat();
        let bytes = [&(length as u64).to_le_bytes(), header.as_bytes(), b"\nsystem\n)R......"].concat();
        let seen = look(&bytes);
        let expected = (Some(Format::Safetensors), vec![], 0);
        assert_eq!((seen.format, called_code(&seen), seen.problems.len()), expected, "{length}: {seen:?}");
    }
}

#[test]
fn every_reader_that_knows_a_file_is_heard() {
    // HDF5 begins where the others have numbers, or texts that nobody reads.
    let hdf5 = file("keras_hdf5_lambda.h5");
    let numbers = hdf5.len() + 4096;
    let header = format!(r#"{{"w":{{"dtype":"U8","shape":[{numbers}],"data_offsets":[0,{numbers}]}}}}"#);
    let header = format!("{header:<504}");
    let mut safetensors = [&504_u64.to_le_bytes(), header.as_bytes(), hdf5.as_slice()].concat();
    safetensors.resize(512 + numbers, 0);
    let seen = look(&safetensors);
    assert_eq!(called_code(&seen), ["doubles"], "{seen:?}");
    assert!(says(&seen, "it is safetensors as well"), "{seen:?}");

    // A field of ONNX that says who made it, and one for notes in which HDF5 begins.
    let onnx = file("onnx_custom_operation.onnx");
    let plain = file("hdf5_plain.h5");
    let notes =
        |length: usize| [0x32, 0x80 | (length & 0x7f) as u8, 0x80 | (length >> 7 & 0x7f) as u8, (length >> 14) as u8];
    let before = 508 - onnx.len();
    let mut whole = [onnx.as_slice(), &notes(before - 4), &vec![b' '; before - 4]].concat();
    whole.extend(notes(plain.len()));
    whole.extend(&plain);
    let seen = look(&whole);
    assert_eq!((seen.format, called_code(&seen)), (Some(Format::Hdf5), vec!["example.custom::Mystery"]), "{seen:?}");
    assert!(says(&seen, "it is ONNX as well"), "{seen:?}");
}

/// A tar archive of these members, as PyTorch's first releases wrote them.
fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in members {
        out.extend(tar_header(name.as_bytes(), content.len()));
        out.extend(*content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

fn tar_header(name: &[u8], length: usize) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name);
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{length:011o}\0").as_bytes());
    header[148..156].fill(b' ');
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

const CHECKPOINT: [(&str, &[u8]); 3] = [("sys_info", b"\x80\x02}."), ("pickle", RUNS), ("tensors", b"\x80\x02K\0.")];

#[test]
fn tar_archives_are_told() {
    let whole = tar(&CHECKPOINT);
    let mut old = whole.clone();
    // Before there was a magic, the checksum was all.
    old[257..265].fill(0);
    let lost: u32 = b"ustar\x0000".iter().copied().map(u32::from).sum();
    let sum = u32::from_str_radix(std::str::from_utf8(&old[148..154]).expect("digits"), 8).expect("a number");
    old[148..154].copy_from_slice(format!("{:06o}", sum - lost).as_bytes());
    for bytes in [whole, old] {
        let seen = look(&bytes);
        assert!(says(&seen, "it is a tar archive, and what is in it was not looked at"), "{seen:?}");
    }
}

#[test]
fn tar_archives_beside_other_formats_are_told() {
    // The name of the first member is an old file of PyTorch up to its object, in which all of the archive is bytes.
    let magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
    let rest = tar(&CHECKPOINT);
    let mut name = [magic.as_slice(), b"\x80\x02M\xe9\x03.\x80\x02}.\x80\x02}0B"].concat();
    let length = u32::try_from(512 - name.len() - 4 + rest.len()).expect("short");
    name.extend(length.to_le_bytes());
    let legacy = [tar_header(&name, 0).as_slice(), &rest, b"0}.\x80\x02]."].concat();
    let mut archived = tar(&CHECKPOINT);
    archived.extend(archive(&[Member::stored("m/data.pkl", b"\x80\x02}q\0.")], b""));
    for (bytes, format) in [(legacy, Format::PytorchLegacyStateDict), (archived, Format::PytorchStateDict)] {
        let seen = look(&bytes);
        assert_eq!(seen.format, Some(format), "{seen:?}");
        assert!(says(&seen, "it is a tar archive as well, and what is in it was not looked at"), "{seen:?}");
    }
    let named = archive(&[Member::stored("m/data.pkl", b"\x80\x02}q\0."), Member::stored("m/data/0", &[0; 800])], b"");
    assert_eq!(look(&named).problems, Vec::<String>::new());
}
