//! Real interpreters, and commands that lead to them.

use super::*;

/// Writes a program, so that no other test's child can hold it open for writing when it is started.
#[cfg(unix)]
pub(super) fn write_program(path: &Path, text: &str) {
    let script = ["-c", "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\""];
    let status = std::process::Command::new("sh").args(script).arg(path).arg(text).status();
    assert!(status.is_ok_and(|status| status.success()), "{}", path.display());
}

#[test]
fn frameworks_are_told_from_other_packages() {
    let package = |name: &str| Installed { name: name.to_owned(), version: "1".to_owned(), tags: Vec::new() };
    let packages = ["numpy", "requests", "scikit-learn", "torch", "torch-extra"].map(package).to_vec();
    let python = Python { packages, ..Python::default() };
    let found: Vec<&str> = python.frameworks().iter().map(|package| package.name.as_str()).collect();
    assert_eq!(found, ["numpy", "scikit-learn", "torch"]);
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsString;
    use std::fs;
    use std::process::Command;

    use super::super::interpreter::interpreter;
    use super::*;

    /// A folder with programs, which is the directory and its `bin` the `PATH`.
    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().expect("a folder"));
            for program in ["python3", "python3.11", "bash", "env", "nohup", "mpirun", "uv"] {
                folder.program(&format!("bin/{program}"), "\u{7f}ELF");
            }
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn file(&self, name: &str, text: &str) {
            let path = self.path(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }

        fn program(&self, name: &str, text: &str) {
            let path = self.path(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            write_program(&path, text);
        }

        fn interpreter(&self, command: &str) -> Option<String> {
            let words: Vec<&OsStr> = command.split(' ').map(OsStr::new).collect();
            let path = OsString::from(self.path("bin"));
            let found = interpreter(&words, self.0.path(), Some(path))?;
            Some(found.strip_prefix(self.0.path()).expect("it is inside").display().to_string())
        }
    }

    #[test]
    fn an_interpreter_is_found_by_name_and_by_path() {
        let folder = Folder::new();
        folder.program("venv/bin/python", "");
        folder.file("bin/python", "not executable");
        for (command, expected) in [
            ("python3 train.py", Some("bin/python3")),
            ("python3.11 -m torch.distributed.run train.py", Some("bin/python3.11")),
            ("venv/bin/python train.py", Some("venv/bin/python")),
            ("./venv/bin/python train.py", Some("venv/bin/python")),
            ("python train.py", None),
            ("python3.12 train.py", None),
            ("python3-config --cflags", None),
            ("", None),
        ] {
            assert_eq!(folder.interpreter(command).as_deref(), expected, "{command}");
        }
        let absolute = format!("{} train.py", folder.path("venv/bin/python").display());
        assert_eq!(folder.interpreter(&absolute).as_deref(), Some("venv/bin/python"));
        assert_eq!(interpreter(&[], folder.0.path(), None), None);
        assert_eq!(interpreter(&[OsStr::new("python3")], folder.0.path(), None), None);
    }

    #[test]
    fn a_script_names_its_interpreter_in_its_first_lines() {
        let folder = Folder::new();
        let env = folder.path("bin/env").display().to_string();
        let python = folder.path("bin/python3").display().to_string();
        for (first, expected) in [
            (format!("#!{python}\n"), Some("bin/python3")),
            (format!("#!{python} -I\nimport re\n"), Some("bin/python3")),
            (format!("#! {env} python3\r\n"), Some("bin/python3")),
            (format!("#!{env} -S python3 -u\n"), Some("bin/python3")),
            (format!("#!{env} -Spython3\n"), Some("bin/python3")),
            (format!("#!{env} -S A=b python3.11\n"), Some("bin/python3.11")),
            (format!("#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"), Some("bin/python3")),
            (format!("#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n"), Some("bin/python3")),
            (format!("#!/bin/sh\nexec {python} train.py\n"), None),
            (format!("#!/bin/sh\n'''exec' \"{python}"), None),
            (format!("#!{env} bash\n"), None),
            (format!("#!{env} python3.12\n"), None),
            (format!("#!{env} --unknown python3\n"), None),
            (format!("#!{env}\n"), None),
            ("#!".to_owned(), None),
            ("#!\n".to_owned(), None),
            ("import torch\n".to_owned(), None),
            (String::new(), None),
        ] {
            folder.program("bin/torchrun", &first);
            assert_eq!(folder.interpreter("torchrun --nproc-per-node 2 train.py").as_deref(), expected, "{first}");
        }
    }

    #[test]
    fn a_script_that_names_itself_is_no_endless_loop() {
        let folder = Folder::new();
        let itself = folder.path("bin/loop").display().to_string();
        folder.program("bin/loop", &format!("#!{itself}\n"));
        assert_eq!(folder.interpreter("loop"), None);
    }

    #[test]
    fn programs_that_start_another_are_looked_through() {
        let folder = Folder::new();
        folder.program("other/python3", "");
        folder.program("train.sh", "#!/bin/bash\npython3 train.py\n");
        for (command, expected) in [
            ("env python3 train.py", Some("bin/python3")),
            ("env -u FOO A=b python3 train.py", Some("bin/python3")),
            ("env -i python3 train.py", None),
            ("env PATH=other python3 train.py", Some("other/python3")),
            ("env A=b", None),
            ("nohup python3 train.py", Some("bin/python3")),
            ("mpirun -np 4 python3 train.py", Some("bin/python3")),
            ("nohup env python3 train.py", Some("bin/python3")),
            ("mpirun -np 4 bash -c python3", None),
            ("mpirun -np 4", None),
            ("./train.sh", None),
            ("bash train.sh", None),
        ] {
            assert_eq!(folder.interpreter(command).as_deref(), expected, "{command}");
        }
    }

    #[test]
    fn uv_runs_in_the_environment_of_the_project() {
        let folder = Folder::new();
        assert_eq!(folder.interpreter("uv run train.py"), None, "no project");
        folder.file("pyproject.toml", "");
        assert_eq!(folder.interpreter("uv run train.py"), None, "no environment");
        folder.program(".venv/bin/python", "");
        folder.file(".venv/pyvenv.cfg", "");
        folder.file("train.py", "import torch\n");
        folder.file("alone.py", "# /// script\n# dependencies = []\n# ///\n");
        for (command, expected) in [
            ("uv run train.py", Some(".venv/bin/python")),
            ("uv run --extra gpu python3 train.py --project mine", Some(".venv/bin/python")),
            ("uv run -- train.py --with data", Some(".venv/bin/python")),
            ("uv run --with torch train.py", None),
            ("uv run --project=elsewhere train.py", None),
            ("uv run alone.py", None),
            ("uv sync", None),
        ] {
            assert_eq!(folder.interpreter(command).as_deref(), expected, "{command}");
        }
    }

    #[test]
    fn other_tools_are_asked_for_the_environment_of_the_project() {
        let folder = Folder::new();
        folder.program("env/bin/python", "");
        let answer = folder.path("env/bin/python").display().to_string();
        let tool =
            |condition: &str| format!("#!/bin/sh\n[ \"$*\" = '{condition}' ] || exit 1\necho note\necho {answer}\n");
        folder.program("bin/poetry", &tool("env info --executable"));
        folder.program("bin/pdm", &tool("info --python"));
        folder.program("bin/pipenv", &tool("--py"));
        for name in ["poetry", "pdm", "pipenv"] {
            let found = folder.interpreter(&format!("{name} run python train.py"));
            assert_eq!(found.as_deref(), Some("env/bin/python"), "{name}");
            assert_eq!(folder.interpreter(&format!("{name} install")), None);
        }
        folder.program("bin/poetry", "#!/bin/sh\necho relative/python\n");
        assert_eq!(folder.interpreter("poetry run python train.py"), None);
        folder.program(
            "bin/pyenv",
            &format!("#!/bin/sh\n[ \"$*\" = 'which torchrun' ] && echo {}\n", folder.path("real").display()),
        );
        folder.program("real", &format!("#!{answer}\n"));
        folder.program("shims/torchrun", "#!/usr/bin/env bash\nexec pyenv exec\n");
        assert_eq!(folder.interpreter("shims/torchrun train.py").as_deref(), Some("env/bin/python"));
    }

    /// A virtual environment of the system's Python, and the folder that packages are in.
    fn environment(folder: &Path) -> (PathBuf, PathBuf) {
        let made = Command::new("python3").args(["-m", "venv", "--without-pip", "venv"]).current_dir(folder).status();
        assert!(made.expect("python3 is installed").success());
        let lib =
            fs::read_dir(folder.join("venv/lib")).expect("a folder").next().expect("a version").expect("an entry");
        (folder.join("venv/bin/python"), lib.path().join("site-packages"))
    }

    /// Describes a package as an installer does, in a folder of packages.
    fn install(packages: &Path, name: &str, version: &str, files: &[(&str, &str)]) {
        let info = packages.join(format!("{name}-{version}.dist-info"));
        fs::create_dir_all(&info).expect("a folder");
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nText: not a field\n");
        for (file, text) in [("METADATA", metadata.as_str())].iter().chain(files) {
            fs::write(info.join(file), text).expect("a file");
        }
    }

    fn described(python: &Python) -> Vec<(&str, &str, usize)> {
        python.packages.iter().map(|package| (&*package.name, &*package.version, package.tags.len())).collect()
    }

    const WHEEL: (&str, &str) = ("WHEEL", "Wheel-Version: 1.0\nTag: py2-none-any\nTag: py3-none-any\n");
    const INTRUDER: &str = "open('imported', 'w').close()\n";

    #[test]
    fn an_interpreter_tells_what_is_installed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (python, packages) = environment(folder.path());
        let editable = ("direct_url.json", "{\"dir_info\": {\"editable\": true}}");
        install(&packages, "Typing_Extensions", "4.16.0", &[WHEEL, ("INSTALLER", "pip\n")]);
        install(&packages, "by.conda", "1.0", &[WHEEL, ("INSTALLER", "conda\n")]);
        install(&packages, "mine", "0.1", &[WHEEL, ("INSTALLER", "uv"), editable]);
        install(&packages, "nowhere", "1", &[WHEEL]);
        fs::create_dir(packages.join("~orch-2.0.dist-info")).expect("a folder");
        let found = installed(&python, folder.path()).expect("an answer");
        assert_eq!((found.executable.as_path(), found.implementation.as_str()), (python.as_path(), "CPython"));
        assert!(found.version.starts_with("3."), "{}", found.version);
        let expected =
            [("by-conda", "1.0", 0), ("mine", "0.1", 0), ("nowhere", "1", 0), ("typing-extensions", "4.16.0", 2)];
        assert_eq!(described(&found), expected);
    }

    #[test]
    fn what_is_on_the_path_is_listed_and_never_imported() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_, packages) = environment(folder.path());
        install(&packages, "torch", "2.0", &[]);
        let added = folder.path().join("added");
        install(&added, "torch", "3.0", &[]);
        install(&added, "extra", "1.0", &[]);
        for module in ["json.py", "platform.py", "importlib.py", "torch.py", "extra.py"] {
            for place in [folder.path(), &added, &packages] {
                fs::write(place.join(module), INTRUDER).expect("a file");
            }
        }
        let python = folder.path().join("python");
        write_program(&python, "#!/bin/sh\nPYTHONPATH=added exec venv/bin/python \"$@\"\n");
        let found = installed(&python, folder.path()).expect("an answer");
        assert_eq!(described(&found), [("extra", "1.0", 0), ("torch", "3.0", 0)]);
        assert!(!folder.path().join("imported").exists());
        assert!(!added.join("__pycache__").exists() && !packages.join("__pycache__").exists());
    }
}
