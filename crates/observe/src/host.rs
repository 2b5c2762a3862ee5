//! The machine, and a process's place among those that train together.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

const MAX_PROC_BYTES: u64 = 16 * 1024 * 1024;

/// The machine that this process runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// The operating system, such as `linux`.
    pub system: String,
    /// The instruction set, such as `x86_64`.
    pub architecture: String,
    /// The kernel's release, such as `6.1.0-18-amd64`.
    pub kernel: Option<String>,
    /// The distribution, such as `Debian GNU/Linux 12 (bookworm)`.
    pub distribution: Option<String>,
    /// The model of the processor.
    pub cpu_model: Option<String>,
    /// How many processors this process may use.
    pub cpu_count: Option<usize>,
    /// How much memory the machine has, in bytes. A container may be allowed less.
    pub memory_bytes: Option<u64>,
}

/// A process's place among those that train together, as its environment tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranks {
    /// How many processes there are.
    pub world_size: u64,
    /// Which of them this is, from 0.
    pub rank: Option<u64>,
    /// The variable that says how many there are.
    pub variable: &'static str,
}

/// Looks at the machine.
#[must_use]
pub fn host() -> Host {
    host_below(Path::new("/"))
}

/// Reads how many processes train together. None if the environment names no such number.
///
/// A launcher (`torchrun`, `mpirun`) sets these variables for the processes that it starts: around the launcher they
/// are not there. `SLURM_NTASKS` is also set in a batch script before `srun`.
#[must_use]
pub fn ranks(environment: &BTreeMap<String, String>) -> Option<Ranks> {
    const SOURCES: [(&str, &[&str]); 6] = [
        ("WORLD_SIZE", &["RANK"]),
        ("OMPI_COMM_WORLD_SIZE", &["OMPI_COMM_WORLD_RANK"]),
        ("PMI_SIZE", &["PMI_RANK"]),
        ("PMIX_SIZE", &["PMIX_RANK"]),
        ("SLURM_NTASKS", &["SLURM_PROCID"]),
        ("SLURM_NPROCS", &["SLURM_PROCID"]),
    ];
    let number = |name: &str| environment.get(name).and_then(|value| value.trim().parse::<u64>().ok());
    let found = SOURCES.iter().find_map(|(size, ranks)| {
        let world_size = number(size).filter(|&size| size > 0)?;
        // A rank outside the world is none.
        let rank = ranks.iter().find_map(|name| number(name)).filter(|&rank| rank < world_size);
        Some(Ranks { world_size, rank, variable: size })
    });
    found.or_else(|| tpu_workers(environment))
}

/// Reads the seeds that the environment fixes, by the variables' names.
#[must_use]
pub fn seeds(environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    // `random` is the default of Python, and no seed.
    const VARIABLES: [&str; 2] = ["PYTHONHASHSEED", "PL_GLOBAL_SEED"];
    VARIABLES
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), environment.get(*name)?.clone())))
        .filter(|(_, value)| value.parse::<u64>().is_ok())
        .collect()
}

/// A TPU slice names its workers, one process each.
fn tpu_workers(environment: &BTreeMap<String, String>) -> Option<Ranks> {
    let workers = environment.get("TPU_WORKER_HOSTNAMES").filter(|names| !names.trim().is_empty())?;
    let world_size = workers.split(',').filter(|name| !name.trim().is_empty()).count() as u64;
    let rank = environment.get("TPU_WORKER_ID").and_then(|id| id.trim().parse().ok()).filter(|rank| *rank < world_size);
    (world_size > 0).then_some(Ranks { world_size, rank, variable: "TPU_WORKER_HOSTNAMES" })
}

fn host_below(root: &Path) -> Host {
    Host {
        system: std::env::consts::OS.to_owned(),
        architecture: std::env::consts::ARCH.to_owned(),
        kernel: kernel(),
        distribution: text(&root.join("etc/os-release")).and_then(|text| distribution(&text)),
        cpu_model: text(&root.join("proc/cpuinfo")).and_then(|text| cpu_model(&text)),
        cpu_count: thread::available_parallelism().ok().map(Into::into),
        memory_bytes: text(&root.join("proc/meminfo")).and_then(|text| memory_bytes(&text)),
    }
}

#[cfg(unix)]
fn kernel() -> Option<String> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    (!release.is_empty()).then_some(release)
}

#[cfg(not(unix))]
fn kernel() -> Option<String> {
    None
}

fn text(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(MAX_PROC_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn distribution(os_release: &str) -> Option<String> {
    let line = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let value = line.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let value = |wanted: &str| {
        cpuinfo.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == wanted && !value.trim().is_empty()).then(|| value.trim().to_owned())
        })
    };
    // Arm's kernels name no model, but who designed which part.
    let part = || Some(format!("implementer {} part {}", value("CPU implementer")?, value("CPU part")?));
    value("model name").or_else(part)
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix("kB")?;
    value.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_machine_is_described_from_what_the_kernel_says() {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(root.path().join("proc")).expect("a folder");
        fs::create_dir_all(root.path().join("etc")).expect("a folder");
        fs::write(root.path().join("proc/cpuinfo"), "processor\t: 0\nmodel name\t: Example 9000\n").expect("a file");
        fs::write(root.path().join("proc/meminfo"), "MemTotal:       16384 kB\nMemFree: 1 kB\n").expect("a file");
        fs::write(root.path().join("etc/os-release"), "NAME=x\nPRETTY_NAME=\"Example Linux 1\"\n").expect("a file");
        let found = host_below(root.path());
        assert_eq!(found.cpu_model.as_deref(), Some("Example 9000"));
        assert_eq!(found.memory_bytes, Some(16384 * 1024));
        assert_eq!(found.distribution.as_deref(), Some("Example Linux 1"));
        assert_eq!(found.system, std::env::consts::OS);
        assert!(found.cpu_count.is_some_and(|count| count > 0));
    }

    #[test]
    fn what_the_kernel_does_not_say_is_not_known() {
        let root = tempfile::tempdir().expect("a folder");
        let found = host_below(root.path());
        assert_eq!((found.cpu_model, found.memory_bytes, found.distribution), (None, None, None));
        assert_eq!(memory_bytes("MemTotal: 99999999999999999999 kB"), None);
        assert_eq!(memory_bytes("MemTotal: 18446744073709551615 kB"), None);
        assert_eq!(cpu_model("model name\t:\n"), None);
        assert_eq!(distribution("PRETTY_NAME=\"\""), None);
    }

    #[test]
    fn an_arm_processor_is_named_by_its_parts() {
        let found = cpu_model("CPU implementer\t: 0x41\nCPU part\t: 0xd40\n");
        assert_eq!(found.as_deref(), Some("implementer 0x41 part 0xd40"));
    }

    #[test]
    fn each_launcher_says_how_many_there_are() {
        for (variables, size, rank, variable) in [
            (&[("WORLD_SIZE", "8"), ("RANK", "3"), ("SLURM_NTASKS", "2")][..], 8, Some(3), "WORLD_SIZE"),
            (&[("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_RANK", "0")], 4, Some(0), "OMPI_COMM_WORLD_SIZE"),
            (&[("PMI_SIZE", "2"), ("PMI_RANK", "1")], 2, Some(1), "PMI_SIZE"),
            (&[("SLURM_NTASKS", "16"), ("SLURM_PROCID", "15")], 16, Some(15), "SLURM_NTASKS"),
            (&[("TPU_WORKER_HOSTNAMES", "a,b"), ("TPU_WORKER_ID", "1")], 2, Some(1), "TPU_WORKER_HOSTNAMES"),
            (&[("WORLD_SIZE", "1")], 1, None, "WORLD_SIZE"),
        ] {
            assert_eq!(
                ranks(&environment(variables)),
                Some(Ranks { world_size: size, rank, variable }),
                "{variables:?}"
            );
        }
    }

    #[test]
    fn nonsense_is_no_rank() {
        for variables in [&[][..], &[("WORLD_SIZE", "many")], &[("WORLD_SIZE", "0")], &[("RANK", "1")]] {
            assert_eq!(ranks(&environment(variables)), None, "{variables:?}");
        }
        let outside = ranks(&environment(&[("WORLD_SIZE", "2"), ("RANK", "2")]));
        assert_eq!(outside, Some(Ranks { world_size: 2, rank: None, variable: "WORLD_SIZE" }));
    }

    #[test]
    fn only_numbers_are_seeds() {
        let variables = environment(&[("PYTHONHASHSEED", "random"), ("PL_GLOBAL_SEED", "42"), ("HOME", "/")]);
        assert_eq!(seeds(&variables), environment(&[("PL_GLOBAL_SEED", "42")]));
    }
}
