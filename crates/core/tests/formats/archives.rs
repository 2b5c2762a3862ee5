//! ZIP archives that two readers would read in two ways, that cost more than they say, and that hide what they hold.

use model_transparency::format::Format;

use crate::zip::{Member, archive};
use crate::{called_code, look, says};

/// What `pickle.dumps(…, 2)` makes of an object whose unpickling calls `os.system`.
const RUNS: &[u8] = b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.";
const PLAIN: &[u8] = b"\x80\x02}q\x00.";

fn state_dict() -> Vec<Member> {
    vec![
        Member::stored("m/data.pkl", PLAIN),
        Member::stored("m/data/0", &[0; 16]),
        Member::stored("m/byteorder", b"little"),
        Member::stored("m/version", b"3\n"),
    ]
}

#[test]
fn an_honest_archive_has_no_problems() {
    for comment in [b"".as_slice(), b"made by hand"] {
        let seen = look(&archive(&state_dict(), comment));
        assert_eq!(seen.format, Some(Format::PytorchStateDict));
        assert_eq!(seen.problems, Vec::<String>::new());
        let details: Vec<_> = seen.details.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(details, [("version", "3"), ("byte order", "little"), ("tensors", "0")]);
    }
}

#[test]
fn headers_that_disagree_are_told() {
    let changed: [(&str, Member); 6] = [
        ("name", Member::stored("m/data.pkl", PLAIN).local(|header| header.name = "m/other.pk".to_owned())),
        ("compression", Member::stored("m/data.pkl", PLAIN).local(|header| header.method = 8)),
        ("set of flags", Member::stored("m/data.pkl", PLAIN).local(|header| header.flags = 0x800)),
        ("checksum or length", Member::stored("m/data.pkl", PLAIN).local(|header| header.length += 1)),
        ("checksum or length", Member::stored("m/data.pkl", PLAIN).local(|header| header.packed = 0)),
        ("checksum or length", Member::stored("m/data.pkl", PLAIN).local(|header| header.crc ^= 1)),
    ];
    for (what, member) in changed {
        let seen = look(&archive(&[member], b""));
        assert!(says(&seen, &format!("`m/data.pkl` has another {what} in its own header")), "{what}: {seen:?}");
    }
}

#[test]
fn a_length_behind_the_member_that_disagrees_is_told() {
    let member = Member::stored("m/data.pkl", PLAIN).both(|header| header.flags = 8);
    let seen = look(&archive(&[member], b""));
    assert!(says(&seen, "another checksum or length behind it"), "{seen:?}");
}

#[test]
fn overlapping_members_are_told() {
    let mut members = state_dict();
    // Two names for the same bytes, the trick of the smallest bombs.
    let mut again = Member::stored("m/data.pkl", PLAIN);
    again.central.name = "m/again.pkl".to_owned();
    again.shift = -i64::try_from(archive(&members, b"").len()).expect("small");
    members.truncate(1);
    let first = 30 + members[0].local.name.len() + members[0].content.len();
    again.shift = -i64::try_from(first).expect("small");
    members.push(again);
    let seen = look(&archive(&members, b""));
    assert!(says(&seen, "overlaps"), "{seen:?}");
}

#[test]
fn members_that_stand_twice_are_told_in_any_case() {
    for name in ["m/data.pkl", "m/DATA.pkl"] {
        let mut members = state_dict();
        members.push(Member::stored(name, RUNS));
        let seen = look(&archive(&members, b""));
        assert!(says(&seen, "is there twice"), "{name}: {seen:?}");
        assert_eq!(called_code(&seen), ["posix.system"], "{name}");
    }
}

#[test]
fn bytes_that_belong_to_nothing_are_told() {
    let mut members = state_dict();
    members[1].before = b"hidden".to_vec();
    let seen = look(&archive(&members, b""));
    assert!(says(&seen, "6 bytes between `m/data.pkl` and `m/data/0` belong to nothing"), "{seen:?}");

    members[1].before.clear();
    members[0].before = b"hidden".to_vec();
    let seen = look(&archive(&members, b""));
    assert_eq!(seen.format, Some(Format::PytorchStateDict));
    assert!(says(&seen, "6 bytes between the beginning and `m/data.pkl` belong to nothing"), "{seen:?}");

    let mut behind = archive(&state_dict(), b"");
    behind.extend(b"hidden");
    let seen = look(&behind);
    assert!(says(&seen, "6 bytes stand behind the ZIP archive"), "{seen:?}");
}

#[test]
fn an_archive_behind_a_pickle_is_looked_at_too() {
    let mut bytes = PLAIN.to_vec();
    bytes.extend(archive(&[Member::stored("m/data.pkl", RUNS)], b""));
    let seen = look(&bytes);
    assert_eq!(seen.format, Some(Format::Pickle));
    assert!(says(&seen, "it is a ZIP archive as well"), "{seen:?}");
    assert_eq!(called_code(&seen), ["posix.system"]);
}

#[test]
fn a_second_end_record_is_told() {
    let inner = archive(&[Member::stored("m/data.pkl", RUNS)], b"");
    // The last one counts for some readers, the first for others.
    for comment in [inner.as_slice(), &inner[inner.len() - 22..]] {
        let seen = look(&archive(&state_dict(), comment));
        assert!(!seen.problems.is_empty(), "{seen:?}");
    }
    let mut comment = inner[inner.len() - 22..].to_vec();
    comment.extend(b"PK\x05\x06 and more");
    assert!(!look(&archive(&state_dict(), &comment)).problems.is_empty());
}

/// A ZIP64 end record of one member, whose directory is at `offset`.
fn end_64(offset: u64) -> Vec<u8> {
    let mut record = b"PK\x06\x06".to_vec();
    record.extend(44_u64.to_le_bytes());
    record.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [1, 1, 56, offset] {
        record.extend(u64::to_le_bytes(number));
    }
    record
}

/// What leads to it.
fn locator_64(at: u64) -> Vec<u8> {
    [b"PK\x06\x07\0\0\0\0".as_slice(), &at.to_le_bytes(), &[1, 0, 0, 0]].concat()
}

#[test]
fn a_locator_of_another_directory_is_told() {
    // What the numbers of a tensor hold: another archive with its ZIP64 end record, to which the last comment leads.
    let hidden = archive(&[Member::stored("m/data.pkl", RUNS)], b"");
    let directory = hidden.windows(4).position(|bytes| bytes == b"PK\x01\x02").expect("it is there");
    let mut members = vec![Member::stored("m/data.pkl", PLAIN), Member::stored("m/version", b"3\n")];
    let start: usize = members.iter().map(|member| 30 + member.local.name.len() + member.content.len()).sum();
    let start = start + 30 + "m/data/0".len();
    let record = (start + hidden.len()) as u64;
    members.push(Member::stored("m/data/0", &[hidden, end_64((start + directory) as u64)].concat()));
    let with = |comment: &[u8]| {
        let mut members = members.clone();
        members[2].central.comment = comment.to_vec();
        look(&archive(&members, b""))
    };
    assert_eq!(with(b"made by hand").problems, Vec::<String>::new());
    let seen = with(&[vec![b'#'; 60], locator_64(record)].concat());
    assert!(says(&seen, "a ZIP64 locator or a ZIP64 record before it, and not both"), "{seen:?}");
    let seen = with(&[vec![b'#'; 4], end_64(0), vec![b'#'; 20]].concat());
    assert!(says(&seen, "a ZIP64 locator or a ZIP64 record before it, and not both"), "{seen:?}");
}

#[test]
fn records_in_the_directory_of_a_member_are_told() {
    for signature in [b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"] {
        let changes: [fn(&mut Member, &[u8]); 3] = [
            |member, text| member.central.comment = text.to_vec(),
            |member, text| member.central.extra = [b"\xfe\xca\x08\0".as_slice(), text].concat(),
            |member, text| *member = member.clone().both(|h| h.name = String::from_utf8_lossy(text).into_owned()),
        ];
        for change in changes {
            let mut members = state_dict();
            change(&mut members[1], &[b"##".as_slice(), signature, b"##"].concat());
            let seen = look(&archive(&members, b""));
            assert!(says(&seen, "records of another directory"), "{signature:?}: {seen:?}");
        }
    }
}

#[test]
fn names_that_leave_the_folder_are_told() {
    for name in ["../data.pkl", "/etc/passwd", "m/../../x", "m\\data.pkl", "C:data.pkl", "m/a\0b", ""] {
        let mut members = state_dict();
        members.push(Member::stored(name, b"x"));
        assert!(says(&look(&archive(&members, b"")), "a name that leaves the archive"), "{name:?}");
    }
    let mut members = state_dict();
    members.push(Member::stored("layer:0/kernel", b"x"));
    assert!(!says(&look(&archive(&members, b"")), "leaves the archive"));
}

#[test]
fn what_cannot_be_read_is_told() {
    let encrypted = Member::stored("m/data.pkl", PLAIN).both(|header| header.flags = 1);
    let other = Member::stored("m/data.pkl", PLAIN).both(|header| header.method = 12);
    let cut = Member::stored("m/data.pkl", PLAIN).both(|header| (header.packed, header.length) = (1 << 30, 1 << 30));
    let link = {
        let mut member = Member::stored("m/data.pkl", PLAIN);
        member.central.attributes = 0o120_777 << 16;
        member
    };
    let renamed =
        Member::stored("m/data.pkl", PLAIN).both(|header| header.extra = b"\x75\x70\x06\0\x01\0\0\0\0x".to_vec());
    for (member, problem) in [
        (encrypted, "is encrypted"),
        (other, "is compressed in a way that is not known here"),
        (cut, "beyond the directory's beginning"),
        (link, "is a symbolic link"),
        (renamed, "has a second name"),
    ] {
        let seen = look(&archive(&[member], b""));
        assert!(says(&seen, problem), "{problem}: {seen:?}");
    }
}

#[test]
fn bombs_are_not_inflated() {
    let zeros = vec![0; 80 << 20];
    let mut content = b"\x80\x02".to_vec();
    content.extend(&zeros);
    let bomb = Member::deflated("m/data.pkl", &content);
    let seen = look(&archive(&[bomb], b""));
    assert!(says(&seen, "would inflate to 83886082 bytes, more than are looked at"), "{seen:?}");

    let liar = Member::deflated("m/data.pkl", &content).both(|header| header.length = 100);
    let seen = look(&archive(&[liar], b""));
    assert!(says(&seen, "inflates to other bytes than it says"), "{seen:?}");

    let liar = Member::deflated("m/data/0", b"few").both(|header| header.length = 4_000_000_000);
    let seen = look(&archive(&[Member::stored("m/data.pkl", PLAIN), liar], b""));
    assert!(says(&seen, "which they can't"), "{seen:?}");
}

#[test]
fn many_members_that_inflate_share_one_budget() {
    let mut content = PLAIN.to_vec();
    content.resize(60 << 20, 0);
    let member = Member::deflated("m/0.pkl", &content);
    let members: Vec<Member> =
        (0..8).map(|index| member.clone().both(|header| header.name = format!("m/{index}.pkl"))).collect();
    let seen = look(&archive(&members, b""));
    assert!(says(&seen, "more than 256 MiB would have to be read"), "{seen:?}");
}

#[test]
fn archives_in_archives_are_looked_at_within_bounds() {
    let mut inner = archive(&[Member::stored("m/data.pkl", RUNS)], b"");
    for depth in 0..8 {
        inner = archive(&[Member::deflated("inner.zip", &inner), Member::stored("m", b"x")], b"");
        let seen = look(&inner);
        if depth < 2 {
            assert_eq!(called_code(&seen), ["posix.system"], "{depth}: {seen:?}");
        }
    }
    assert!(says(&look(&inner), "is in too many archives"), "{:?}", look(&inner));
}

#[test]
fn every_pickle_of_an_archive_is_scanned_whatever_it_is_called() {
    for name in ["m/other.pkl", "m/extra/attributes", "m/.data/x", "m/data/inner/0", "readme.txt"] {
        for member in [Member::stored(name, RUNS), Member::deflated(name, RUNS)] {
            let mut members = state_dict();
            members.push(member);
            let seen = look(&archive(&members, b""));
            assert_eq!(called_code(&seen), ["posix.system"], "{name}");
        }
    }
}

/// What `pickle.dumps(…, 0)` makes of the same object.
const RUNS_0: &[u8] = b"cposix\nsystem\np0\n(Vtrue\np1\ntp2\nRp3\n.";

#[test]
fn pickles_without_a_beginning_are_scanned_whatever_they_are_called() {
    let late = [b"(lp0\nVa\n".as_slice(), &b"p1\n0Va\n".repeat(100), b"0", RUNS_0].concat();
    for name in ["m/model.bin", "m/other", "m/data/inner/0", "readme.txt"] {
        for content in [RUNS_0, &late] {
            for member in [Member::stored(name, content), Member::deflated(name, content)] {
                let mut members = state_dict();
                members.push(member);
                let seen = look(&archive(&members, b""));
                assert_eq!(called_code(&seen), ["posix.system"], "{name}: {seen:?}");
            }
        }
    }
    for text in ["little", "3\n", "Some text.\nIn lines.\n", "constant\nfunction\n", "1234567890", "{\"a\": 1}", "V"] {
        let mut members = state_dict();
        members.push(Member::stored("m/notes", text.as_bytes()));
        members.push(Member::deflated("m/more", text.repeat(500).as_bytes()));
        let seen = look(&archive(&members, b""));
        assert_eq!((called_code(&seen), seen.problems.len()), (vec![], 0), "{text}: {seen:?}");
    }
}

#[test]
fn capitals_in_names_make_no_difference() {
    let runs = |name: &str, content: &[u8]| {
        let seen = look(&archive(&[Member::stored(name, content), Member::stored("m/version", b"3\n")], b""));
        (seen.format, called_code(&seen).join(" "))
    };
    for name in ["m/data.pkl", "m/DATA.PKL", "m/Data.pkl"] {
        for content in [RUNS, RUNS_0] {
            assert_eq!(runs(name, content), (Some(Format::PytorchModel), "posix.system".to_owned()), "{name}");
        }
    }
    assert_eq!(runs("m/data/x.PKL", RUNS).1, "posix.system");
    let script = [Member::stored("m/data.pkl", PLAIN), Member::stored("m/CODE/a.py", b"x"), {
        Member::stored("m/Constants.pkl", b"\x80\x02).")
    }];
    let seen = look(&archive(&script, b""));
    assert_eq!((seen.format, called_code(&seen)), (Some(Format::TorchScript), vec!["m/code/"]), "{seen:?}");
}

#[test]
fn numbers_of_a_tensor_that_look_like_a_pickle_are_none() {
    let mut members = state_dict();
    members[1] = Member::stored("m/data/0", RUNS);
    members.push(Member::stored("m/notes", b"\x80\x02\xff\xff"));
    let seen = look(&archive(&members, b""));
    assert_eq!((called_code(&seen), seen.problems.len()), (vec![], 0), "{seen:?}");
}

#[test]
fn programs_in_archives_are_code() {
    for (head, name) in
        [(b"\x7fELF\x02\x01", "m/data/aotinductor/model/kernel.so"), (b"MZ\x90\0\x03\0", "m/x/kernel.dll")]
    {
        let mut members = state_dict();
        members.push(Member::stored(name, head));
        assert_eq!(called_code(&look(&archive(&members, b""))), [name]);
    }
}

#[test]
fn archives_without_an_end_are_broken_not_unknown() {
    let whole = archive(&state_dict(), b"");
    let seen = look(&whole[..whole.len() - 30]);
    assert_eq!(seen.format, None);
    assert!(says(&seen, "begins like a ZIP archive, and no directory is at its end"), "{seen:?}");
}

#[test]
fn an_end_record_that_counts_wrongly_is_told() {
    let mut bytes = archive(&state_dict(), b"");
    let end = bytes.len() - 22;
    bytes[end + 8] = 3;
    bytes[end + 10] = 3;
    let seen = look(&bytes);
    assert!(!seen.problems.is_empty(), "{seen:?}");
    let mut bytes = archive(&state_dict(), b"");
    bytes[end + 12] -= 1;
    assert!(!look(&bytes).problems.is_empty());
}

#[test]
fn an_archive_of_something_else_says_so() {
    let seen = look(&archive(&[Member::stored("notes.txt", b"x")], b""));
    assert_eq!((seen.format, seen.problems.len()), (None, 0));
    assert_eq!(seen.details, [("container", "ZIP archive".to_owned())]);
}

#[test]
fn keras_archives_need_their_parts() {
    let metadata = br#"{"keras_version": "3.9.0", "date_saved": "2026-01-01@00:00:00"}"#;
    let parts = |metadata: &[u8]| {
        vec![
            Member::stored("metadata.json", metadata),
            Member::stored("config.json", br#"{"class_name": "Sequential", "config": {}}"#),
        ]
    };
    let seen = look(&archive(&parts(metadata), b""));
    assert_eq!(seen.format, Some(Format::Keras));
    assert!(says(&seen, "there are no weights"), "{seen:?}");
    let seen = look(&archive(&parts(b"{"), b""));
    assert!(says(&seen, "`metadata.json`"), "{seen:?}");
    let huge = vec![b' '; 1 << 17];
    let seen = look(&archive(&parts(&huge), b""));
    assert!(says(&seen, "expected at most 65536 bytes, found 131072"), "{seen:?}");
    let mut wrong = parts(metadata);
    wrong[0] = Member::stored("metadata.json", metadata).both(|header| header.crc ^= 1);
    assert!(says(&look(&archive(&wrong, b"")), "another checksum"), "{seen:?}");
}

#[test]
fn a_configuration_alone_makes_a_keras_archive() {
    let lambda =
        br#"{"class_name": "Sequential", "config": {"layers": [{"module": "keras.layers", "class_name": "Lambda",
        "config": {"name": "l", "function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}}}]}}"#;
    let array = b"\x93NUMPY\x01\0\x3f\0{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }    \n";
    let weights = archive(&[Member::stored("x.npy", array)], b"");
    for others in [vec![], vec![Member::stored("model.weights.npz", &weights)], vec![Member::stored("x.npy", array)]] {
        let members = [vec![Member::stored("config.json", lambda)], others].concat();
        let seen = look(&archive(&members, b""));
        assert_eq!((seen.format, called_code(&seen)), (Some(Format::Keras), vec!["l"]), "{seen:?}");
        assert!(says(&seen, "there is no `metadata.json`"), "{seen:?}");
    }
    // Python reads numbers that are none.
    let python = br#"{"class_name": "Sequential", "config": {"clip": NaN}}"#;
    let seen = look(&archive(&[Member::stored("config.json", python)], b""));
    assert!(seen.format == Some(Format::Keras) && says(&seen, "is not JSON"), "{seen:?}");
    for other in [r#"{"model_type": "bert", "architectures": ["BertModel"]}"#, r#"{"a": NaN}"#, "[]", ""] {
        let seen = look(&archive(&[Member::stored("config.json", other.as_bytes())], b""));
        assert_eq!((seen.format, seen.problems.len()), (None, 0), "{other}: {seen:?}");
    }
}
