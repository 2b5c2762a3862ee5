//! Pickles, scanned: what they import, however they say it, and whatever stands behind.

use model_transparency::format::Format;

use crate::{called_code, look, says};

/// A pickle of protocol 4 that looks up a global by two texts.
fn stack_global(module: &[u8], name: &[u8]) -> Vec<u8> {
    let text = |text: &[u8]| [&[0x8c, u8::try_from(text.len()).expect("short")], text].concat();
    [b"\x80\x04".to_vec(), text(module), text(name), b"\x93.".to_vec()].concat()
}

#[test]
fn every_way_to_import_is_followed() {
    let cases: [(&str, &[u8]); 14] = [
        ("GLOBAL", b"\x80\x02cos\nsystem\n."),
        ("GLOBAL and REDUCE, protocol 0", b"cos\nsystem\n(S'true'\ntR."),
        ("INST", b"(S'true'\nios\nsystem\n."),
        ("OBJ", b"\x80\x02(cos\nsystem\nX\x04\0\0\0trueo."),
        ("NEWOBJ", b"\x80\x02cos\nsystem\n)\x81."),
        ("NEWOBJ_EX", b"\x80\x04cos\nsystem\n)}\x92."),
        ("BUILD", b"\x80\x02cos\nsystem\n)R}b."),
        ("STACK_GLOBAL", b"\x80\x04\x8c\x02os\x8c\x06system\x93."),
        ("BINUNICODE", b"\x80\x04X\x02\0\0\0osX\x06\0\0\0system\x93."),
        ("BINUNICODE8", b"\x80\x04\x8d\x02\0\0\0\0\0\0\0os\x8d\x06\0\0\0\0\0\0\0system\x93."),
        ("SHORT_BINSTRING", b"\x80\x04U\x02osU\x06system\x93."),
        ("STRING and UNICODE", b"\x80\x04S'os'\nVsystem\n\x93."),
        ("memo", b"\x80\x04\x8c\x02os\x940\x8c\x06system\x940h\x00h\x01\x93."),
        ("memo, by numbers of its own", b"\x80\x04\x8c\x02osr\x07\0\0\x01\x8c\x06systemp5\n00j\x07\0\0\x01g5\n\x93."),
    ];
    for (way, pickle) in cases {
        let seen = look(pickle);
        assert_eq!(seen.format, Some(Format::Pickle), "{way}: {seen:?}");
        assert_eq!((called_code(&seen), &seen.globals), (vec!["os.system"], &vec!["os.system".to_owned()]), "{way}");
        assert_eq!(seen.problems, Vec::<String>::new(), "{way}");
    }
}

#[test]
fn what_is_put_on_the_memo_again_is_another_thing() {
    let pickle = b"\x80\x04\x8c\x0bcollections\x940\x8c\x02osq\x00\x8c\x06system\x94h\x00h\x01\x93.";
    assert_eq!(called_code(&look(pickle)), ["os.system"]);
}

#[test]
fn names_that_cannot_be_followed_are_code() {
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("computed", b"\x80\x04)\x8c\x06system\x93.".to_vec(), "(a name that is computed).system"),
        ("escaped", b"\x80\x04V\\u006fs\nVsystem\n\x93.".to_vec(), "(a name that is computed).system"),
        ("too long", stack_global(b"os", &[b'x'; 200]), "os."),
        ("extension", b"\x80\x02\x82\x07.".to_vec(), "extension 7"),
        ("wide extension", b"\x80\x02\x84\x07\0\0\x01.".to_vec(), "extension 16777223"),
    ];
    for (way, pickle, name) in cases {
        let seen = look(&pickle);
        let code = called_code(&seen);
        assert!(code.len() == 1 && code[0].starts_with(name), "{way}: {code:?}");
    }
    let long = [b"\x80\x02cos\n".as_slice(), &vec![b'x'; 5_000], b"\n."].concat();
    assert_eq!(called_code(&look(&long)), ["os.(a name that is computed)"]);
}

#[test]
fn an_attribute_of_something_harmless_is_not_harmless() {
    for (module, name) in [("builtins", "set.__init__"), ("collections", "OrderedDict.__reduce__"), ("torch", "load")] {
        let seen = look(&stack_global(module.as_bytes(), name.as_bytes()));
        assert_eq!(called_code(&seen), [format!("{module}.{name}")]);
    }
}

#[test]
fn what_makes_values_alone_is_not_code() {
    for pickle in [
        b"\x80\x02ccollections\nOrderedDict\n)R.".as_slice(),
        b"c__builtin__\nset\n((lp0\ntR.",
        b"\x80\x02ctorch\nfloat32\n.",
        b"\x80\x04\x8c\x08datetime\x8c\x04date\x93C\x04\x07\xe9\x01\x01\x85R.",
    ] {
        let seen = look(pickle);
        assert_eq!((called_code(&seen), seen.globals.len(), seen.problems.len()), (vec![], 1, 0), "{seen:?}");
    }
}

#[test]
fn calling_what_a_call_returned_is_code() {
    let seen = look(b"\x80\x02ccollections\nOrderedDict\n)R)R.");
    assert_eq!(called_code(&seen), ["something that another call returned"]);
}

#[test]
fn changing_a_class_for_the_whole_process_is_code() {
    let seen = look(b"\x80\x02ccollections\nCounter\nN}X\x06\0\0\0updateNs\x86b.");
    assert_eq!(called_code(&seen), ["collections.Counter"]);
    assert!(says(&seen, "attributes of collections.Counter itself are set"), "{seen:?}");
}

#[test]
fn what_stands_before_a_malformed_opcode_is_told() {
    for (rest, problem) in [
        (b"\xff".as_slice(), "an opcode is expected, found 0xff"),
        (b"", "more is expected, found the end"),
        (b"X\xff\xff\xff\xff", "4294967295 bytes are expected, found 0"),
        (b"\x8e\0\0\0\0\0\0\0\x10", "1152921504606846976 bytes are expected, found 0"),
        (b"\x95\0\0\0\0\0\0\0\x10", "a frame of 1152921504606846976 bytes is expected, found 0"),
        (b"\x80\x09", "a protocol up to 5 is expected, found 9"),
        (b"h\x63", "memo 99 is expected, found nothing there"),
        (b"gx\n", "a number is expected, found `x`"),
        (b"000", "a value on the stack is expected, found none"),
        (b"t", "a mark on the stack is expected, found none"),
        (b"(o", "a class is expected, found none"),
    ] {
        let seen = look(&[b"\x80\x02cos\nsystem\n(X\x04\0\0\0truetR".as_slice(), rest].concat());
        assert_eq!(called_code(&seen), ["os.system"], "{problem}");
        assert!(says(&seen, problem), "{problem}: {seen:?}");
    }
}

#[test]
fn frames_that_lie_are_told() {
    let framed = |length: u8, body: &[u8]| [b"\x80\x04\x95".as_slice(), &[length, 0, 0, 0, 0, 0, 0, 0], body].concat();
    let body = b"\x8c\x02ab\x94.";
    let told = |pickle: &[u8]| says(&look(pickle), "a frame that ends elsewhere than its opcodes");
    assert!(!told(&framed(6, body)));
    for length in 1..6 {
        // After the fourth byte and the fifth an opcode ends, but not the pickle, which goes on without a frame.
        assert_eq!(told(&framed(length, body)), length < 4, "{length}");
    }
    assert!(told(&framed(3, b"N\x8c\x02ab0.")) && told(&framed(3, b"N.N")));
    assert!(told(&framed(11, &framed(2, b"N.")[2..])));
}

#[test]
fn what_stands_above_a_mark_alone_can_be_taken() {
    // An unpickler stops at the second opcode; what follows never runs, and is no proof of anything.
    let seen = look(b"\x80\x02cos\nsystem\n)R(0(s.");
    assert!(says(&seen, "a value on the stack is expected"), "{seen:?}");
}

#[test]
fn further_pickles_are_scanned() {
    let seen = look(b"\x80\x02N.\x80\x02K\x01.\x80\x02cos\nsystem\n.");
    assert_eq!(called_code(&seen), ["os.system"]);
    assert!(seen.details.contains(&("pickles", "3".to_owned())), "{seen:?}");
    let seen = look(b"\x80\x02N.\xff\xff");
    assert!(says(&seen, "2 bytes stand behind the pickle's end"), "{seen:?}");
}

#[test]
fn a_pickle_without_a_beginning_needs_an_end() {
    for text in [
        "",
        "c",
        "constant\nfunction\n",
        "I1\n. and so on",
        "(dp0\n",
        "N",
        "#!/bin/sh\nexit 0\n",
        "{\"a\": 1}",
        "<html>",
    ] {
        assert_eq!(look(text.as_bytes()).format, None, "{text:?}");
    }
    assert_eq!(look(b"(dp0\nS'a'\np1\nI1\ns.").format, Some(Format::Pickle));
    let seen = look(b"cevil\nname\n. and so on");
    assert_eq!((seen.format, called_code(&seen)), (Some(Format::Pickle), vec!["evil.name"]));
}

#[test]
fn what_is_too_much_to_follow_is_a_problem_without_a_beginning_too() {
    let runs = b"cos\nsystem\n(S'true'\ntR.";
    let zeros = [b"N".as_slice(), b"p", &vec![b'0'; 10_000], b"\n0"].concat();
    for (padding, problem) in [
        (vec![b'('; (1 << 20) + 1], "it may be a pickle: the pickle is broken at byte 1048576: at most 1048576 marks"),
        (vec![b'N'; (4 << 20) + 1], "at most 4194304 values on the stack"),
        (b"N0".repeat(1 << 24), "the pickle has more than 33554432 opcodes"),
        (zeros, "a number of at most 8192 characters is expected"),
    ] {
        for row in [b"".as_slice(), b"N."].into_iter().filter(|row| row.is_empty() || padding.len() < 8 << 20) {
            let seen = look(&[row, padding.as_slice(), runs].concat());
            assert!(row.is_empty() || says(&seen, "it may be a pickle"), "{problem}: {seen:?}");
            let problem = problem.split(" at byte ").next().unwrap_or(problem);
            assert!(says(&seen, problem), "{problem}: {seen:?}");
        }
    }
}

#[test]
fn memo_numbers_are_those_of_python() {
    for (put, get) in [("p 0\n", "g0\n"), ("p0 \n", "g +0\n"), ("p1_0\n", "g10\n"), ("p\t007\r\n", "g7\n")] {
        let pickle = format!("S'os'\n{put}0{get}S'system'\n").into_bytes();
        let seen = look(&[&pickle, b"\x93(S'true'\ntR.".as_slice()].concat());
        assert_eq!((seen.format, called_code(&seen)), (Some(Format::Pickle), vec!["os.system"]), "{put:?}: {seen:?}");
    }
}

#[test]
fn pickles_in_a_row_need_no_beginning() {
    let runs = b"cos\nsystem\n(S'true'\ntR.";
    // As PyTorch's old files.
    let legacy = [b"L119547037146038801333356L\n.I1001\n.(d.".as_slice(), runs, b"(l."].concat();
    for pickles in [legacy, [b"N.".as_slice(), runs].concat(), [b"N.N.".as_slice(), runs, b"\0\0\0\0"].concat()] {
        let seen = look(&pickles);
        assert_eq!((seen.format, called_code(&seen)), (Some(Format::Pickle), vec!["os.system"]), "{seen:?}");
    }
    let many = [b"N.".repeat(64), runs.to_vec()].concat();
    assert!(!look(&many).problems.is_empty());
    for text in ["N.", "N. and so on", "N.N. and so on", "N.NNR and so on"] {
        assert_eq!(look(text.as_bytes()).problems, Vec::<String>::new(), "{text}");
    }
}

#[test]
fn deep_nesting_is_scanned_within_bounds() {
    let deep = [b"\x80\x02".to_vec(), vec![b'('; 2 << 20], b".".to_vec()].concat();
    assert!(says(&look(&deep), "at most 1048576 marks"));
    let high = [b"\x80\x02".to_vec(), vec![b'N'; 5 << 20], b".".to_vec()].concat();
    assert!(says(&look(&high), "at most 4194304 values on the stack"));
    let nested = [b"\x80\x02".to_vec(), vec![b']'; 1 << 20], vec![b'a'; (1 << 20) - 1], b".".to_vec()].concat();
    assert_eq!(look(&nested).problems, Vec::<String>::new());
}

#[test]
fn a_memo_that_grows_is_bounded() {
    let mut pickle = b"\x80\x02N".to_vec();
    for key in 0..(2_u32 << 20) + 1 {
        pickle.push(b'r');
        pickle.extend(key.to_le_bytes());
    }
    assert!(says(&look(&pickle), "at most 2097152 values in the memo"));
}

#[test]
fn many_globals_are_bounded() {
    let mut pickle = b"\x80\x02".to_vec();
    for index in 0..10_001 {
        pickle.extend(format!("cos\nname{index}\n0").bytes());
    }
    let seen = look(&pickle);
    assert_eq!(seen.globals.len(), 10_000);
    assert!(says(&seen, "at most 10000 globals"), "{:?}", seen.problems);
}

#[test]
fn large_bytes_are_skipped_and_not_read() {
    /// A pickle of 1 TiB of zeros and a global behind them.
    struct Huge;
    const LENGTH: u64 = 1 << 40;
    const HEAD: &[u8] = b"\x80\x05\x8e\0\0\0\0\0\x01\0\0";
    const TAIL: &[u8] = b"cos\nsystem\n.";
    impl model_transparency::hash::ReadAt for Huge {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
            for (index, byte) in buffer.iter_mut().enumerate() {
                let at = offset + index as u64;
                let tail =
                    at.checked_sub(LENGTH + HEAD.len() as u64).and_then(|at| TAIL.get(usize::try_from(at).ok()?));
                *byte = *usize::try_from(at).ok().and_then(|at| HEAD.get(at)).or(tail).unwrap_or(&0);
            }
            Ok(buffer.len())
        }
    }
    let length = LENGTH + (HEAD.len() + TAIL.len()) as u64;
    let seen = model_transparency::format::recognise(&Huge, length).expect("it can be read");
    assert_eq!(called_code(&seen), ["os.system"]);
    assert_eq!(seen.problems, Vec::<String>::new());
}

#[test]
fn legacy_files_of_pytorch_have_each_pickle_scanned() {
    let magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
    let number: &[u8] = b"\x80\x02M\xe9\x03.";
    let (system, object, keys): (&[u8], &[u8], &[u8]) = (b"\x80\x02}.", b"\x80\x02}q\x00.", b"\x80\x02].");
    let runs: &[u8] = b"\x80\x02cos\nsystem\n)R.";
    let whole = |parts: [&[u8]; 4]| [magic.as_slice(), &parts.concat()].concat();
    let plain = look(&whole([number, system, object, keys]));
    assert_eq!((plain.format, plain.problems.len()), (Some(Format::PytorchLegacyStateDict), 0), "{plain:?}");
    for hostile in [
        [runs, system, object, keys],
        [number, runs, object, keys],
        [number, system, runs, keys],
        [number, system, object, runs],
    ] {
        let seen = look(&whole(hostile));
        assert_eq!((seen.format, called_code(&seen)), (Some(Format::PytorchLegacyModel), vec!["os.system"]));
    }
    let cut = look(&whole([number, system, object, b""]));
    assert!(says(&cut, "the pickle of the storage keys"), "{cut:?}");
}

#[test]
fn compressed_files_are_looked_into_or_told() {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(b"\x80\x02cos\nsystem\n.").expect("a vector takes everything");
    let seen = look(&encoder.finish().expect("a vector takes everything"));
    assert_eq!((seen.format, called_code(&seen)), (Some(Format::Pickle), vec!["os.system"]));
    for head in [
        b"\x1f\x8b\x08\0".as_slice(),
        b"BZh9",
        b"\xfd7zXZ\0\0",
        b"\x5d\0\0\x80",
        b"\x04\x22\x4d\x18",
        b"\x28\xb5\x2f\xfd",
    ] {
        let seen = look(head);
        assert!(seen.format.is_none() && says(&seen, "it is compressed with"), "{seen:?}");
    }
}
