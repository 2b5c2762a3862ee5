//! Commands that are run and traced: those that do as they say, and others.
#![cfg(target_os = "linux")]

use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model_transparency_observe::run::{FileUse, Observation, Outcome, RunError, Trace, run};

/// A process awaits all of its children while a command runs: one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const BOTH: [Observation; 2] = [Observation::None, Observation::Trace];

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shell(script: &str) -> Vec<OsString> {
    ["/bin/sh", "-c", script].map(OsString::from).to_vec()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().canonicalize().expect("a folder");
    (folder, path)
}

/// What a shell script does in a folder, which `$0` is.
fn traced(script: &str, folder: &Path) -> Trace {
    let command = [shell(script), vec![folder.into()]].concat();
    let outcome = run(&command, Observation::Trace).expect("traced");
    assert!(outcome.status.success(), "{script}: {outcome:?}");
    outcome.trace.expect("a trace")
}

fn python(script: &str, folder: &Path) -> Option<Trace> {
    let program = ["/usr/bin/python3", "/usr/local/bin/python3"].into_iter().find(|path| Path::new(path).exists())?;
    let command = [program.into(), "-c".into(), script.into(), folder.into()];
    let Outcome { status, trace, .. } = run(&command, Observation::Trace).expect("traced");
    assert!(status.success(), "{script}");
    trace
}

const READ: FileUse = FileUse { read: true, written: false, executed: false, removed: false };
const WRITTEN: FileUse = FileUse { read: false, written: true, executed: false, removed: false };

#[test]
fn it_ends_as_the_command_ends() {
    let _alone = alone();
    for observation in BOTH {
        let status = |script: &str| run(&shell(script), observation).expect("run").status;
        assert!(status("true").success(), "{observation:?}");
        assert_eq!(status("exit 3").code(), Some(3), "{observation:?}");
        assert_eq!(status("kill -9 $$").signal(), Some(9), "{observation:?}");
        assert_eq!(status("kill -TERM $$").signal(), Some(15), "{observation:?}");
    }
}

#[test]
fn what_is_no_program_is_not_started() {
    let _alone = alone();
    for observation in BOTH {
        for words in [vec!["/no/such/program".into()], vec!["/".into()], vec![]] {
            let error = run(&words, observation).expect_err("no program");
            assert!(matches!(error, RunError::Start { .. }), "{observation:?}: {error}");
        }
    }
}

#[test]
fn signals_reach_the_command() {
    let _alone = alone();
    for observation in BOTH {
        let (_folder, path) = folder();
        let script = format!("trap 'exit 7' TERM; : > {}; while :; do sleep 0.05; done", path.join("ready").display());
        let ready = path.join("ready");
        let teller = std::thread::spawn(move || {
            while !ready.exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).expect("sent");
        });
        let outcome = run(&shell(&script), observation).expect("run");
        teller.join().expect("told");
        assert_eq!(outcome.status.code(), Some(7), "{observation:?}");
    }
}

#[test]
fn what_the_command_leaves_behind_is_counted() {
    let _alone = alone();
    let (_folder, path) = folder();
    let pid = path.join("pid");
    let daemon =
        format!("setsid sh -c 'echo $$ > {0}; sleep 30' & while [ ! -s {0} ]; do sleep 0.01; done", pid.display());
    let number = || fs::read_to_string(&pid).expect("a number").trim().parse().expect("a number");
    let is_there = |number: i32| Path::new(&format!("/proc/{number}/exe")).read_link().is_ok();

    let outcome = run(&shell(&daemon), Observation::None).expect("run");
    assert!(outcome.status.success());
    assert!(outcome.still_running >= 1, "{outcome:?}");
    let left: i32 = number();
    assert!(is_there(left), "it goes on");
    let left = rustix::process::Pid::from_raw(left).expect("a process");
    rustix::process::kill_process(left, rustix::process::Signal::KILL).expect("killed");
    fs::remove_file(&pid).expect("removed");

    let outcome = run(&shell(&daemon), Observation::Trace).expect("run");
    assert!(outcome.status.success() && outcome.still_running >= 1, "{outcome:?}");
    assert!(!is_there(number()), "a traced process can't outlive its tracer");
    let gaps = outcome.trace.expect("a trace").gaps;
    assert!(gaps.iter().any(|gap| gap.contains("outlived the command were killed")), "{gaps:?}");
}

#[test]
fn a_child_that_ends_a_moment_later_is_awaited_and_seen() {
    let _alone = alone();
    let (_folder, path) = folder();
    let command = [shell("(sleep 0.1; echo late > $0/late) & true"), vec![path.clone().into()]].concat();
    let outcome = run(&command, Observation::Trace).expect("traced");
    let trace = outcome.trace.as_ref().expect("a trace");
    // A machine that is busy enough lets no moment suffice: then it is killed, and that is said.
    if outcome.still_running == 0 {
        assert_eq!(trace.files.get(&path.join("late")), Some(&WRITTEN), "{outcome:?}");
        assert!(trace.gaps.is_empty(), "{outcome:?}");
    } else {
        assert!(trace.gaps.iter().any(|gap| gap.contains("outlived the command were killed")), "{outcome:?}");
    }
}

#[test]
fn files_are_seen_by_what_is_done_to_them() {
    let _alone = alone();
    let (_folder, path) = folder();
    for name in ["read", "removed", "from", "linked"] {
        fs::write(path.join(name), name).expect("written");
    }
    std::os::unix::fs::symlink(path.join("read"), path.join("link")).expect("linked");
    let script = "cat $0/link; echo x > $0/new; rm $0/removed; mv $0/from $0/to; echo x >> $0/appended; \
                  ln $0/linked $0/hard; mknod $0/node p; cat $0/none 2> /dev/null; cd $0; cat ./read; true";
    let trace = traced(script, &path);
    let used = |name: &str| trace.files.get(&path.join(name)).copied();
    assert_eq!(used("read"), Some(READ));
    assert_eq!(used("link"), None, "a link is what it leads to");
    assert_eq!(used("new"), Some(WRITTEN));
    assert_eq!(used("appended"), Some(WRITTEN));
    assert_eq!(used("to"), Some(WRITTEN));
    assert_eq!(used("linked"), Some(READ), "what gets another name becomes what that names");
    assert_eq!(used("hard"), Some(WRITTEN));
    assert_eq!(used("node"), None, "a pipe is no file");
    assert_eq!(used("none"), None, "what failed is no use");
    for name in ["removed", "from"] {
        assert!(used(name).is_some_and(|used| used.removed), "{name}: {:?}", used(name));
    }
    let programs: Vec<_> = trace.files.iter().filter(|(_, used)| used.executed).map(|(path, _)| path).collect();
    assert!(programs.iter().any(|path| path.ends_with("cat")), "{programs:?}");
    assert!(trace.processes >= 6, "{}", trace.processes);
    assert!(!trace.files.contains_key(&path), "a folder is no file");
}

#[test]
fn threads_and_their_current_directories_are_followed() {
    let _alone = alone();
    let (_folder, path) = folder();
    fs::write(path.join("data"), "1").expect("written");
    let script = "
import os, sys, threading, subprocess
os.chdir(sys.argv[1])
def work(index):
    open('data').read()
    open(f'out{index}', 'w').write('x')
    os.rename(f'out{index}', f'final{index}')
threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
subprocess.run(['/bin/true'], check=True)
fd = os.open('.', os.O_RDONLY)
os.unlink('final7', dir_fd=fd)
";
    let Some(trace) = python(script, &path) else { return };
    let used = |name: &str| trace.files.get(&path.join(name)).copied().unwrap_or_default();
    assert_eq!(used("data"), READ);
    assert!((0..8).all(|index| used(&format!("final{index}")).written && used(&format!("out{index}")).removed));
    assert!(used("final7").removed);
}

#[test]
fn connections_are_seen_whether_or_not_they_work() {
    let _alone = alone();
    let (_folder, path) = folder();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let script = format!(
        "
import socket, sys
socket.create_connection(('127.0.0.1', {port})).close()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b'x', ('127.0.0.1', 9))
u = socket.socket(socket.AF_UNIX)
u.bind(sys.argv[1] + '/sock')
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1] + '/none')
except OSError:
    pass
"
    );
    let Some(trace) = python(&script, &path) else { return };
    let place = path.display();
    for expected in [
        format!("connect 127.0.0.1:{port}"),
        "send 127.0.0.1:9".to_owned(),
        format!("bind unix:{place}/sock"),
        format!("connect unix:{place}/none"),
    ] {
        assert!(trace.network.contains(&expected), "{expected} in {:?}", trace.network);
    }
}

#[test]
fn a_program_that_another_thread_starts_goes_on() {
    let _alone = alone();
    let (_folder, path) = folder();
    let script = "
import os, sys, threading
def work():
    os.execv('/bin/sh', ['/bin/sh', '-c', 'echo x > ' + sys.argv[1] + '/after'])
threading.Thread(target=work).start()
threading.Event().wait()
";
    let Some(trace) = python(script, &path) else { return };
    assert_eq!(trace.files.get(&path.join("after")), Some(&WRITTEN));
}

#[test]
fn a_process_that_is_stopped_goes_on_when_it_is_told_to() {
    let _alone = alone();
    let (_folder, path) = folder();
    let script = "sh -c 'kill -STOP $$; echo x > '$0/after & pid=$!; sleep 0.3; [ ! -e $0/after ] || exit 9; kill -CONT $pid; \
                  wait $pid";
    let trace = traced(script, &path);
    assert_eq!(trace.files.get(&path.join("after")), Some(&WRITTEN));
}

#[test]
fn a_command_that_traces_is_a_gap() {
    let _alone = alone();
    let (_folder, path) = folder();
    let script = "
import ctypes
ctypes.CDLL(None).ptrace(0, 0, 0, 0)
";
    let Some(trace) = python(script, &path) else { return };
    assert!(trace.gaps.iter().any(|gap| gap.contains("traced others")), "{:?}", trace.gaps);
}

#[test]
fn files_that_are_open_from_the_beginning_are_seen() {
    let _alone = alone();
    let (_folder, path) = folder();
    fs::write(path.join("input"), "x").expect("written");
    // As a shell would start it: the command of another process, which this one's descriptors are handed on to.
    let file = fs::File::open(path.join("input")).expect("a file");
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).expect("inherited");
    let trace = traced("true", &path);
    drop(file);
    assert_eq!(trace.files.get(&path.join("input")), Some(&READ));
}

#[test]
fn many_processes_are_seen() {
    let _alone = alone();
    let (_folder, path) = folder();
    let trace = traced("i=0; while [ $i -lt 200 ]; do (echo $i > $0/$i) & i=$((i+1)); done; wait", &path);
    assert_eq!(trace.files.iter().filter(|(file, used)| file.starts_with(&path) && used.written).count(), 200);
    assert!(trace.processes >= 200, "{}", trace.processes);
}

#[test]
fn calls_that_few_programs_make_are_seen() {
    let _alone = alone();
    let (_folder, path) = folder();
    for name in ["target", "moved", "q (deleted)"] {
        fs::write(path.join(name), name).expect("written");
    }
    fs::create_dir(path.join("turns")).expect("made");
    std::os::unix::fs::symlink(path.join("target"), path.join("link")).expect("linked");
    let script = "
import os, socket, stat, sys
os.chdir(sys.argv[1])
os.truncate('link', 1)
os.mknod('node', stat.S_IFREG | 0o644)
os.rename('/proc/self/cwd/moved', '/proc/thread-self/cwd/there')
open('q (deleted)').read()
os.close(os.open('turns', os.O_RDONLY))
os.rmdir('turns')
open('turns', 'w').write('x')
os.mkfifo('pipe')
os.close(os.open('pipe', os.O_RDONLY | os.O_NONBLOCK))
os.close(os.open('made', os.O_RDONLY | os.O_CREAT | os.O_EXCL))
s = socket.socket()
s.listen()
";
    let Some(trace) = python(script, &path) else { return };
    let used = |name: &str| trace.files.get(&path.join(name)).copied().unwrap_or_default();
    assert!(used("target").written && !used("link").written, "{:?}", trace.files);
    assert!(used("node").written && used("moved").removed && used("there").written && used("turns").written);
    assert!(used("q (deleted)").read && used("made").written);
    assert!(trace.gaps.iter().any(|gap| gap.contains("/pipe` is a pipe")), "{:?}", trace.gaps);
    assert!(trace.network.contains("listen"), "{:?}", trace.network);
}

#[test]
fn shared_memory_has_files() {
    let _alone = alone();
    let Ok(folder) = tempfile::tempdir_in("/dev/shm") else { return };
    let path = folder.path().canonicalize().expect("a folder");
    fs::write(path.join("data"), "1").expect("written");
    assert_eq!(traced("cat $0/data > /dev/null", &path).files.get(&path.join("data")), Some(&READ));
}

#[test]
fn what_is_left_behind_and_busy_is_ended() {
    let _alone = alone();
    let script = "i=0; while [ $i -lt 20 ]; do (while :; do : < /dev/null; done) & i=$((i+1)); done";
    let outcome = run(&shell(script), Observation::Trace).expect("traced");
    assert_eq!(outcome.still_running, 20, "{outcome:?}");
    let gaps = outcome.trace.expect("a trace").gaps;
    assert!(gaps.iter().any(|gap| gap.contains("outlived the command were killed")), "{gaps:?}");
}

#[test]
fn a_signal_that_is_ignored_stays_so() {
    let _alone = alone();
    let script = "grep SigIgn /proc/self/status > $0/ignored";
    let (_folder, path) = folder();
    // The disposition is the process's: the tests of this file are one.
    let command =
        [shell("trap '' HUP CHLD; exec \"$0\" \"$@\""), vec![std::env::current_exe().expect("a program").into()]];
    let inner = ["--exact", "--ignored", "--nocapture", "ignored_signals_in_a_process_of_their_own"].map(Into::into);
    let mut words = [command.concat(), inner.to_vec()].concat().into_iter();
    let status = std::process::Command::new(words.next().expect("a word"))
        .args(words)
        .env("SCRIPT", script)
        .env("FOLDER", &path)
        .status()
        .expect("run");
    assert!(status.success());
    for observation in BOTH {
        let text = fs::read_to_string(path.join(format!("{observation:?}"))).expect("written");
        let mask = u64::from_str_radix(text.trim().rsplit(['\t', ' ']).next().expect("a word"), 16).expect("a mask");
        assert_eq!(mask & 1, 1, "{observation:?}: {text}");
    }
}

#[test]
#[ignore = "run by another test, in a process that ignores signals"]
fn ignored_signals_in_a_process_of_their_own() {
    let (Some(script), Some(folder)) = (std::env::var_os("SCRIPT"), std::env::var_os("FOLDER")) else { return };
    for observation in BOTH {
        let command = [shell(script.to_str().expect("UTF-8")), vec![folder.clone()]].concat();
        let outcome = run(&command, observation).expect("run");
        assert!(outcome.status.success());
        let folder = Path::new(&folder);
        fs::rename(folder.join("ignored"), folder.join(format!("{observation:?}"))).expect("renamed");
    }
}
