//! Lists that the tools wrote, and lists that none would write.

use super::*;

const SIX: &str = "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274";
const SIX_SOURCES: &str = "ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81";
const SIX_WHEEL: &str = "six-1.17.0-py2.py3-none-any.whl";
const HASH: &str = "abababababababababababababababababababababababababababababababab";

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn written(name: &str) -> Lock {
    read(&folder("testdata/locks").join(name)).expect("a list")
}

fn parsed(name: &str, text: &str) -> Vec<Locked> {
    parse(Path::new(name), text.as_bytes()).expect("a list").packages
}

/// What was expected, and what was found.
fn refused(name: &str, bytes: &[u8]) -> (&'static str, String) {
    match parse(Path::new(name), bytes).expect_err("it is refused") {
        PythonError::Lock { path, expected, found } => {
            assert_eq!(path, name);
            (expected, found)
        }
        error => panic!("{error}"),
    }
}

fn names(lock: &Lock) -> Vec<(&str, &str, usize)> {
    lock.packages.iter().map(|package| (&*package.name, &*package.version, package.files.len())).collect()
}

fn six(lock: &Lock) -> Vec<(Option<&str>, &str)> {
    let six = lock.packages.iter().find(|package| package.name == "six").expect("it is listed");
    six.files.iter().map(|file| (file.name.as_deref(), &*file.sha256)).collect()
}

#[test]
fn the_lists_of_poetry_and_pdm_name_every_file() {
    for name in ["poetry.lock", "pdm.lock"] {
        let lock = written(name);
        assert_eq!(lock.kind, name);
        assert_eq!(names(&lock), [("colorama", "0.4.6", 2), ("six", "1.17.0", 2), ("typing-extensions", "4.16.0", 2)]);
        assert_eq!(six(&lock), [(Some(SIX_WHEEL), SIX), (Some("six-1.17.0.tar.gz"), SIX_SOURCES)]);
    }
}

#[test]
fn the_list_of_uv_has_the_project_itself_without_a_file() {
    let lock = written("uv.lock");
    let expected = [
        ("colorama", "0.4.6", 2),
        ("example-training", "0.1.0", 0),
        ("markupsafe", "3.0.4", 4),
        ("six", "1.17.0", 2),
        ("typing-extensions", "4.16.0", 2),
    ];
    assert_eq!((lock.kind, names(&lock).as_slice()), ("uv.lock", expected.as_slice()));
    assert_eq!(six(&lock), [(Some(SIX_WHEEL), SIX), (Some("six-1.17.0.tar.gz"), SIX_SOURCES)]);
}

#[test]
fn a_pylock_names_files_or_their_addresses() {
    let lock = written("pylock.uv.toml");
    assert_eq!(six(&lock), [(Some(SIX_WHEEL), SIX), (Some("six-1.17.0.tar.gz"), SIX_SOURCES)]);
    assert_eq!(lock.kind, "pylock.toml");
    let lock = written("pylock.toml");
    assert_eq!(names(&lock), [("six", "1.17.0", 1), ("typing-extensions", "4.16.0", 1)]);
    assert_eq!(six(&lock), [(Some(SIX_WHEEL), SIX)]);
}

#[test]
fn lists_with_hashes_alone_name_no_file() {
    for (name, kind) in [
        ("Pipfile.lock", "Pipfile.lock"),
        ("requirements.txt", "requirements.txt"),
        ("requirements-pip-tools.txt", "requirements.txt"),
    ] {
        let lock = written(name);
        assert_eq!(six(&lock), [(None, SIX), (None, SIX_SOURCES)], "{name}");
        assert_eq!(lock.kind, kind);
    }
    let lock = written("Pipfile.lock");
    assert_eq!(names(&lock), [("six", "1.17.0", 2), ("typing-extensions", "4.16.0", 2)]);
}

#[test]
fn the_requirements_of_the_examples_are_lists() {
    for (name, framework) in [("requirements-pytorch.txt", "torch"), ("requirements-tensorflow.txt", "tensorflow-cpu")]
    {
        let lock = read(&folder("../../examples/slsa-for-ml").join(name)).expect("a list");
        assert!(lock.packages.len() > 10 && lock.packages.iter().all(|package| !package.files.is_empty()), "{name}");
        assert!(lock.packages.iter().any(|package| package.name == framework), "{name}");
    }
}

#[test]
fn older_lists_of_poetry_and_pdm_have_the_files_apart() {
    let start = "[[package]]\nname = \"Six\"\nversion = \"1.17.0\"\n";
    let file = format!("[{{file = \"{SIX_WHEEL}\", hash = \"sha256:{SIX}\"}}]");
    for (name, key) in [("poetry.lock", "Six"), ("pdm.lock", "\"Six 1.17.0\"")] {
        let found = parsed(name, &format!("{start}[metadata.files]\n{key} = {file}\n"));
        assert_eq!(found[0].files, [LockedFile { name: Some(SIX_WHEEL.to_owned()), sha256: SIX.to_owned() }], "{name}");
    }
}

#[test]
fn requirements_are_read_as_pip_reads_them() {
    let text = format!(
        "\u{feff}# a comment \\\n--index-url https://example.com/simple\r\n-c constraints.txt\n\
         Foo.Bar[one, two] == 1.0 ; python_version < '3.13' and extra == 'a@b' --hash=sha256:{HASH} # why\n\
         baz===2.0+cu124 \\\n    --hash sha512:00 --hash=sha256:{HASH} \\\n  # between\n\
         old (==3) --hash=sha256:{HASH}\n\
         direct @ https://example.com/direct-4.0%2Bcpu-py3-none-any.whl#x=1 ; a == 'b' --hash=sha256:{HASH}\n\
         last==5 \\\n--hash=sha256:{}",
        HASH.to_uppercase()
    );
    let lock = parse(Path::new("deps.txt"), text.as_bytes()).expect("a list");
    let expected =
        [("foo-bar", "1.0", 1), ("baz", "2.0+cu124", 1), ("old", "3", 1), ("direct", "4.0+cpu", 1), ("last", "5", 1)];
    assert_eq!(names(&lock), expected);
    assert!(lock.packages.iter().all(|package| package.files[0].sha256 == HASH));
    assert_eq!(lock.packages[3].files[0].name.as_deref(), Some("direct-4.0+cpu-py3-none-any.whl"));
}

#[test]
fn requirements_that_are_not_pinned_or_have_no_hashes_are_refused() {
    let hash = format!("--hash=sha256:{HASH}");
    for (line, expected) in [
        (format!("foo>=1.0 {hash}"), "`NAME==VERSION` with hashes"),
        (format!("foo==1.* {hash}"), "`NAME==VERSION` with hashes"),
        (format!("foo==1.0,!=1.1 {hash}"), "`NAME==VERSION` with hashes"),
        (format!("foo {hash}"), "`NAME==VERSION` with hashes"),
        (format!("foo == {hash}"), "`NAME==VERSION` with hashes"),
        (format!("foo @ https://example.com/ {hash}"), "`NAME==VERSION` with hashes"),
        (format!("foo @ https://example.com/bar-1.0.tar.gz {hash}"), "`NAME==VERSION` with hashes"),
        (format!("./foo.whl {hash}"), "`NAME==VERSION` with hashes"),
        (format!("-foo==1 {hash}"), "packages with SHA-256 hashes"),
        (format!("~foo==1 {hash}"), "a package's name"),
        (format!("bar==1 {hash}\nfoo==1.0"), "hashes for every requirement"),
        ("foo==1.0 --hash=sha256:12".to_owned(), "a SHA-256 of 64 hex digits"),
        (format!("foo==1.0 --hash={HASH}"), "a hash as `sha256:HEX`"),
        ("foo==1.0 --hash=sha512:00".to_owned(), "packages with SHA-256 hashes"),
        ("foo==1.0 --hash".to_owned(), "hashes for every requirement"),
        ("-r other.txt".to_owned(), "all requirements in one file, each with hashes"),
        ("-rother.txt".to_owned(), "all requirements in one file, each with hashes"),
        ("--requirement=other.txt".to_owned(), "all requirements in one file, each with hashes"),
        ("-e .".to_owned(), "all requirements in one file, each with hashes"),
        ("--editable .".to_owned(), "all requirements in one file, each with hashes"),
        ("# nothing".to_owned(), "packages with SHA-256 hashes"),
    ] {
        assert_eq!(refused("requirements.txt", line.as_bytes()).0, expected, "{line}");
    }
}

#[test]
fn what_is_not_the_list_that_its_name_says_is_refused() {
    let name = "a list that ";
    for (file, text, expected, found) in [
        ("uv.lock", "version = 1\n[[package\n", "a list that uv wrote", "in line 2"),
        ("uv.lock", "version = 2\n", "version 1", "2"),
        ("uv.lock", "version = 1\n", "packages with SHA-256 hashes", "none"),
        ("uv.lock", "version = 1\n[[package]]\nversion = '1'\n", "a list that uv wrote", "name"),
        ("poetry.lock", "package = 3\n", "a list that Poetry wrote", "line 1"),
        ("pdm.lock", "[[package]]\nname = '/'\nversion = '1'\n", "a package's name", "`/`"),
        ("pylock.toml", "lock-version = '2.0'\n", "lock-version 1.N", "`2.0`"),
        ("pylock.toml", "created-by = 'x'\n", "a list as PEP 751 has it", "lock-version"),
        ("Pipfile.lock", "[]", "a list that Pipenv wrote", "an error"),
        ("Pipfile.lock", "{\"default\":{}}", "a member `_meta`", "none"),
        ("Pipfile.lock", "{\"_meta\":{\"pipfile-spec\":7}}", "pipfile-spec 6", "7"),
        (
            "Pipfile.lock",
            "{\"_meta\":{\"pipfile-spec\":6},\"default\":{\"a\":3}}",
            "a list that Pipenv wrote",
            "an error",
        ),
        ("Cargo.lock", "", NAMES, "another name"),
        ("uv.toml", "", NAMES, "another name"),
    ] {
        let (expects, finds) = refused(file, text.as_bytes());
        assert_eq!(expects, expected, "{name}{file}: {text}");
        assert!(finds.contains(found), "{file}: {finds}");
    }
    assert_eq!(refused("uv.lock", b"\xff").0, "UTF-8");
    let long = vec![b'\n'; 16 * 1024 * 1024 + 1];
    assert_eq!(refused("requirements.txt", &long).0, "at most 16 MiB");
    assert_eq!(refused("uv.lock", &long[..long.len() / 2 + 1]).0, "at most 8 MiB of TOML");
}

#[test]
fn deep_nesting_is_refused() {
    let depth = 200_000;
    let toml = format!("version = 1\nx = {}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(refused("uv.lock", toml.as_bytes()).0, "a list that uv wrote");
    let json = format!("{{\"_meta\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(refused("Pipfile.lock", json.as_bytes()).0, "a list that Pipenv wrote");
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in [folder.path().join("uv.lock"), folder.path().to_owned()] {
        let error = read(&path).expect_err("it is no file");
        assert!(matches!(error, PythonError::Read { .. }), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}

#[test]
fn a_list_is_found_where_there_is_one_kind() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    assert_eq!(find(folder.path()), None);
    write("requirements.txt", "numpy\n");
    assert_eq!(find(folder.path()), None, "requirements without hashes");
    write("uv.lock", "");
    assert_eq!(find(folder.path()), Some(folder.path().join("uv.lock")));
    write("requirements.txt", &format!("numpy==2 --hash=sha256:{HASH}\n"));
    assert_eq!(find(folder.path()), None, "two kinds");
    fs::remove_file(folder.path().join("uv.lock")).expect("it is ours");
    assert_eq!(find(folder.path()), Some(folder.path().join("requirements.txt")));
    fs::create_dir(folder.path().join("pdm.lock")).expect("a folder");
    assert_eq!(find(folder.path()), Some(folder.path().join("requirements.txt")), "a folder is no list");
}
