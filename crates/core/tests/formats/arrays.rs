//! NumPy's arrays.

use model_transparency::format::Format;

use crate::zip::{Member, archive};
use crate::{called_code, look, says};

fn array(header: &str, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len()).expect("a short header").to_le_bytes();
    [b"\x93NUMPY\x01\0".as_slice(), &length, header.as_bytes(), data].concat()
}

fn header(descr: &str, shape: &str) -> String {
    format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n")
}

#[test]
fn the_elements_have_to_be_as_many_as_the_shape_says() {
    let cases = [
        ("'<f4'", "(2, 3)", 24),
        ("'|b1'", "()", 1),
        ("'<U5'", "(2,)", 40),
        ("'|S3'", "(4,)", 12),
        ("'<M8[ns]'", "(3,)", 24),
        ("[('a', '<i8'), ('b', '<f4', (2, 2))]", "(2,)", 48),
    ];
    for (descr, shape, bytes) in cases {
        let seen = look(&array(&header(descr, shape), &vec![0; bytes]));
        assert_eq!((seen.format, seen.problems.len()), (Some(Format::Npy), 0), "{descr}: {seen:?}");
        for wrong in [bytes - 1, bytes + 1] {
            let seen = look(&array(&header(descr, shape), &vec![0; wrong]));
            let problem = format!("{bytes} bytes of elements are expected, found {wrong}");
            assert!(says(&seen, &problem), "{descr}: {seen:?}");
        }
    }
}

#[test]
fn arrays_of_objects_are_pickles() {
    let runs = b"\x80\x02cos\nsystem\n)R.";
    for descr in ["'|O'", "'O8'", "[('a', '<i4'), ('b', '|O')]", "[('a', [('b', 'O', (2,))])]"] {
        let whole = array(&header(descr, "(1,)"), runs);
        assert_eq!(called_code(&look(&whole)), ["os.system"], "{descr}");
        for member in [Member::stored("a.npy", &whole), Member::deflated("a.npy", &whole)] {
            let seen = look(&archive(&[Member::stored("b.npy", &array(&header("'<f4'", "(0,)"), b"")), member], b""));
            assert_eq!((seen.format, called_code(&seen)), (Some(Format::Npz), vec!["os.system"]), "{descr}");
        }
        let seen = look(&array(&header(descr, "(1,)"), &[runs.as_slice(), b"x"].concat()));
        assert!(says(&seen, "1 bytes stand behind the pickle's end"), "{seen:?}");
        let seen = look(&array(&header(descr, "(1,)"), &runs[..runs.len() - 1]));
        assert_eq!(called_code(&seen), ["os.system"]);
        assert!(says(&seen, "found the end"), "{seen:?}");
    }
}

#[test]
fn headers_that_are_none_are_told() {
    let deep = header(&format!("{}{}", "[('a', ".repeat(20), ")]".repeat(20)), "()");
    let cases = [
        (header("'<q9x'", "()"), "a data type is expected"),
        (header("3", "()"), "a data type is expected"),
        (header("[('a',)]", "()"), "a data type is expected"),
        (header("'<f4'", "3"), "a shape is expected"),
        (header("'<f4'", "('a',)"), "a shape is expected"),
        (header("'<f4'", &format!("({})", "18446744073709551615, ".repeat(3))), "a shape is expected"),
        ("{'descr': '<f4', 'shape': ()}".to_owned(), "`fortran_order` is expected"),
        ("{'descr': '<f4', 'fortran_order': True}".to_owned(), "`shape` is expected"),
        ("__import__('os').system('true')".to_owned(), "a value is expected at byte 0"),
        (deep, "is expected"),
    ];
    for (header, problem) in cases {
        let seen = look(&array(&header, &[0; 4]));
        assert_eq!(seen.format, Some(Format::Npy));
        assert!(says(&seen, problem), "{problem}: {seen:?}");
    }
    for (bytes, problem) in [
        (b"\x93NUMPY\x09\0\x00\x00".as_slice(), "version 1.0 to 3.0 is expected, found 9.0"),
        (b"\x93NUMPY\x02\0\xff\xff\xff\xff", "a header of at most 65536 bytes is expected, found 4294967295"),
        (b"\x93NUMPY\x01\0\xff\xff{}", "65535 bytes are wanted"),
    ] {
        assert!(says(&look(bytes), problem), "{problem}: {:?}", look(bytes));
    }
}
