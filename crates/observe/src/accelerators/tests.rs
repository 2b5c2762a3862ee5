//! Machines of all kinds, as files.

use super::*;

struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        Self(root)
    }

    fn machine(&self, variables: &[(&str, &str)]) -> Machine {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Machine { root: self.0.path().to_owned(), environment }
    }
}

const NODE: &str = "sys/class/kfd/kfd/topology/nodes";
const MI210: &str = "cpu_cores_count 0\nsimd_count 416\nvendor_id 4098\ndevice_id 29711\ndrm_render_minor 128\ngfx_target_version 90010\nunique_id 1311768467294899695\n";
const OTHER: &str = "simd_count 192\ndevice_id 29772\ndrm_render_minor 129\ngfx_target_version 110000\nunique_id 7\n";

fn amd_machine() -> Files {
    let path = |node: &str| format!("{NODE}/{node}/properties");
    Files::new(&[
        ("dev/kfd", ""),
        (&path("0"), "cpu_cores_count 64\nsimd_count 0\n"),
        (&path("2"), MI210),
        (&path("10"), OTHER),
        (&path("11"), ""),
        ("sys/class/drm/renderD128/device/product_name", "AMD INSTINCT MI210\n"),
        ("sys/module/amdgpu/version", "6.7.0\n"),
        ("opt/rocm/.info/version", "6.1.0-82\n"),
    ])
}

fn amd_models(variables: &[(&str, &str)]) -> Vec<(String, u32)> {
    let files = amd_machine();
    let mut all = Accelerators::default();
    amd::look(&files.machine(variables), &mut all);
    all.found.into_iter().map(|kind| (kind.model, kind.count)).collect()
}

#[test]
fn a_machine_without_accelerators_has_none_and_no_gap() {
    let files = Files::new(&[("dev/null", ""), ("sys/bus/pci/devices/0000:00:00.0/vendor", "0x8086\n")]);
    let mut all = Accelerators::default();
    amd::look(&files.machine(&[]), &mut all);
    bus::look(&files.machine(&[]), &mut all);
    assert_eq!(all, Accelerators::default());
}

#[test]
fn gpus_of_amd_are_named_by_the_board_or_the_instruction_set() {
    let found = amd_models(&[]);
    assert_eq!(found, [("AMD INSTINCT MI210".to_owned(), 1), ("gfx1100 (device 0x744c)".to_owned(), 1)]);
    let files = amd_machine();
    let mut all = Accelerators::default();
    amd::look(&files.machine(&[]), &mut all);
    let versions: Vec<_> = all.found.iter().map(|kind| (kind.driver.as_deref(), kind.runtime.as_deref())).collect();
    assert_eq!(versions, [(Some("6.7.0"), Some("ROCm 6.1.0-82")); 2]);
}

#[test]
fn gpus_of_amd_are_hidden_by_the_runtime_and_by_what_stands_on_it() {
    let second = [("gfx1100 (device 0x744c)".to_owned(), 1)];
    assert_eq!(amd_models(&[("ROCR_VISIBLE_DEVICES", "1")]), second);
    assert_eq!(amd_models(&[("HIP_VISIBLE_DEVICES", "1")]), second);
    assert_eq!(amd_models(&[("ROCR_VISIBLE_DEVICES", "1"), ("HIP_VISIBLE_DEVICES", "0")]), second);
    assert_eq!(amd_models(&[("ROCR_VISIBLE_DEVICES", "1"), ("HIP_VISIBLE_DEVICES", "1")]), []);
    let first = [("AMD INSTINCT MI210".to_owned(), 1)];
    assert_eq!(amd_models(&[("ROCR_VISIBLE_DEVICES", "GPU-1234567890abcdef")]), first);
    assert_eq!(amd_models(&[("CUDA_VISIBLE_DEVICES", "")]), []);
}

#[test]
fn gpus_of_amd_do_not_count_without_the_device() {
    let files = amd_machine();
    fs::remove_file(files.0.path().join("dev/kfd")).expect("it is ours");
    let mut all = Accelerators::default();
    amd::look(&files.machine(&[]), &mut all);
    assert_eq!(all, Accelerators::default());
}

#[test]
fn tpus_are_counted_by_their_generation() {
    let path = |place: u32, what: &str| format!("sys/bus/pci/devices/0000:00:0{place}.0/{what}");
    let mut files = vec![("dev/vfio/vfio".to_owned(), "")];
    for place in 4..8 {
        files.extend([(path(place, "vendor"), "0x1ae0\n"), (path(place, "device"), "0x0063\n")]);
    }
    // Google makes other devices, such as network cards.
    files.extend([(path(8, "vendor"), "0x1ae0\n"), (path(8, "device"), "0x0042\n"), (path(8, "class"), "0x020000\n")]);
    let files = Files::new(&files.iter().map(|(path, text)| (path.as_str(), *text)).collect::<Vec<_>>());
    let counted = |variables: &[(&str, &str)]| {
        let mut all = Accelerators::default();
        bus::look(&files.machine(variables), &mut all);
        assert_eq!(all.gaps, Vec::<String>::new());
        all.found.into_iter().map(|kind| (kind.model, kind.count)).collect::<Vec<_>>()
    };
    assert_eq!(counted(&[]), [("TPU v5e".to_owned(), 4)]);
    assert_eq!(counted(&[("TPU_VISIBLE_CHIPS", "0,1")]), [("TPU v5e".to_owned(), 2)]);
}

#[test]
fn accelerators_that_are_not_known_are_a_gap() {
    let path = |place: u32, what: &str| format!("sys/bus/pci/devices/0000:00:0{place}.0/{what}");
    let (first, second, third) = (path(1, "vendor"), path(2, "vendor"), path(3, "vendor"));
    let (class, other, third_class) = (path(1, "class"), path(2, "class"), path(3, "class"));
    let files = Files::new(&[
        (&first, "0x1da3\n"),
        (&class, "0x120000\n"),
        (&second, "0x1da3\n"),
        (&other, "0x120000\n"),
        (&third, "0x8086\n"),
        (&third_class, "0x120000\n"),
    ]);
    let mut all = Accelerators::default();
    bus::look(&files.machine(&[]), &mut all);
    let gap = "the bus has 2 accelerators of the vendor 0x1da3, and nothing here can ask them";
    assert_eq!((all.found.len(), all.gaps), (0, vec![gap.to_owned()]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_driver_whose_library_is_missing_is_a_gap() {
    let files = Files::new(&[("proc/driver/nvidia/version", "NVRM version: 550.54\n")]);
    let mut all = Accelerators::default();
    nvidia::look(&files.machine(&[("CUDA_VISIBLE_DEVICES", "")]), &mut all);
    // A machine with the driver answers, and then there is no gap.
    if !Path::new("/proc/driver/nvidia/version").exists() {
        assert_eq!(all.gaps.len(), 1, "{:?}", all.gaps);
        assert!(all.gaps[0].starts_with("NVIDIA's driver is loaded"), "{:?}", all.gaps);
    }
    assert_eq!(all.found, []);
}
