//! The facts about the machine that the times depend on.

use std::fs;
use std::process::Command;
use std::thread;

use anyhow::Result;

use super::report::gigabytes;
use crate::process;
use crate::reference::Reference;
use crate::tool::Tool;
use crate::workspace::Workspace;

/// Pairs of a label and a value; a fact that the system does not tell is left out.
pub(crate) type Facts = Vec<(&'static str, String)>;

/// Collects the facts; those of a peer too, where one was measured.
pub(crate) fn facts(workspace: &Workspace, ours: &Tool, theirs: Option<&Reference>) -> Result<Facts> {
    let describe = ["describe", "--always", "--dirty"];
    let commit = process::stdout(Command::new("git").args(describe).current_dir(&workspace.root));
    let ours = match commit {
        Ok(commit) => format!("{}, commit {commit}", ours.version()?),
        Err(_) => ours.version()?,
    };
    let theirs = match theirs {
        Some(theirs) => Some(format!("{}, {}", theirs.tool.version()?, theirs.python_version)),
        None => None,
    };
    let facts = [
        ("processor", processor()),
        ("cores", thread::available_parallelism().ok().map(|cores| cores.to_string())),
        ("instructions", Some(instructions())),
        ("memory", memory_bytes().map(gigabytes)),
        ("system", quiet("uname", &["-srm"])),
        ("compiler", quiet("rustc", &["--version"])),
        ("ours", Some(ours)),
        ("theirs", theirs),
    ];
    Ok(facts.into_iter().filter_map(|(label, value)| Some((label, value?))).collect())
}

/// How much memory is free or holds files that are also on disk; only Linux tells.
pub(crate) fn available_memory_bytes() -> Option<u64> {
    memory_information("MemAvailable")
}

fn memory_bytes() -> Option<u64> {
    memory_information("MemTotal").or_else(|| quiet("sysctl", &["-n", "hw.memsize"])?.parse().ok())
}

fn memory_information(name: &str) -> Option<u64> {
    let kilobytes: u64 = field("/proc/meminfo", name)?.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

fn processor() -> Option<String> {
    field("/proc/cpuinfo", "model name")
        .or_else(|| quiet("sysctl", &["-n", "machdep.cpu.brand_string"]))
        .or_else(|| Some(std::env::consts::ARCH.to_owned()))
}

/// The first value of `name` in a file of `name: value` lines.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn quiet(program: &str, arguments: &[&str]) -> Option<String> {
    process::stdout(Command::new(program).args(arguments)).ok()
}

/// Which of the instructions that speed hashing up this processor has.
fn instructions() -> String {
    #[cfg(target_arch = "x86_64")]
    let known = [
        ("SHA-NI", std::arch::is_x86_feature_detected!("sha")),
        ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
        ("AVX-512", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    #[cfg(target_arch = "aarch64")]
    let known = [("SHA2", std::arch::is_aarch64_feature_detected!("sha2"))];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let known: [(&str, bool); 0] = [];
    known.map(|(name, present)| if present { name.to_owned() } else { format!("no {name}") }).join(", ")
}
