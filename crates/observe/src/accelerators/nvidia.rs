//! NVIDIA's GPUs, asked of the driver's library.

use std::ffi::OsStr;

use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml, cuda_driver_version_major, cuda_driver_version_minor};

use super::visible::{has_places, visible};
use super::{Accelerator, Accelerators, Machine};

/// The driver's library has this name everywhere; the one without a number comes with the development files. WSL has it in
/// a folder that the loader does not search.
#[cfg(target_os = "linux")]
const LIBRARIES: [&str; 3] = ["libnvidia-ml.so.1", "libnvidia-ml.so", "/usr/lib/wsl/lib/libnvidia-ml.so.1"];
#[cfg(windows)]
const LIBRARIES: [&str; 1] = ["nvml.dll"];

/// A GPU, or a part of one (MIG) that is used like one.
struct Gpu {
    model: String,
    uuid: String,
    parts: Vec<Gpu>,
}

pub(super) fn look(machine: &Machine, all: &mut Accelerators) {
    let is_loaded = is_loaded(machine);
    let nvml = match open() {
        Ok(nvml) => nvml,
        Err(NvmlError::LibloadingError(_) | NvmlError::DriverNotLoaded | NvmlError::LibraryNotFound) if !is_loaded => {
            return;
        }
        Err(error) => {
            let error = first_line(&error);
            all.gaps.push(format!("NVIDIA's driver is loaded, and its library could not be asked: {error}"));
            return;
        }
    };
    match ask(&nvml, all) {
        Ok((gpus, driver, runtime)) => count(machine, gpus, &driver, &runtime, all),
        Err(error) => {
            let error = first_line(&error);
            all.gaps.push(format!("NVIDIA's driver did not say which GPUs there are: {error}"));
        }
    }
}

fn is_loaded(machine: &Machine) -> bool {
    ["proc/driver/nvidia/version", "sys/module/nvidia/initstate", "dev/nvidiactl"].iter().any(|path| machine.has(path))
}

fn open() -> Result<Nvml, NvmlError> {
    let mut failed = NvmlError::LibraryNotFound;
    for library in LIBRARIES {
        match Nvml::builder().lib_path(OsStr::new(library)).init() {
            Err(error @ NvmlError::LibloadingError(_)) => failed = error,
            other => return other,
        }
    }
    Err(failed)
}

/// The GPUs in the bus's order, the version of the driver, and the runtime that it offers. A GPU that is ill is a gap.
fn ask(nvml: &Nvml, all: &mut Accelerators) -> Result<(Vec<Gpu>, String, String), NvmlError> {
    let driver = nvml.sys_driver_version()?;
    let version = nvml.sys_cuda_driver_version()?;
    let runtime = format!("CUDA {}.{}", cuda_driver_version_major(version), cuda_driver_version_minor(version));
    let mut gpus = Vec::new();
    for place in 0..nvml.device_count()? {
        match nvml.device_by_index(place).and_then(|device| gpu(&device)) {
            Ok(gpu) => gpus.push(gpu),
            Err(error) => {
                let error = first_line(&error);
                all.gaps.push(format!("NVIDIA's driver did not say what GPU {place} is: {error}"));
            }
        }
    }
    Ok((gpus, driver, runtime))
}

fn gpu(device: &Device<'_>) -> Result<Gpu, NvmlError> {
    // Drivers and GPUs without parts say that they do not know the question.
    let places = match device.mig_mode() {
        Ok(mode) if mode.current == 1 => 0..device.mig_device_count().unwrap_or(0),
        _ => 0..0,
    };
    let mut parts = Vec::new();
    for place in places {
        // The places of parts have gaps.
        match device.mig_device_by_index(place) {
            Ok(part) => parts.push(Gpu { model: part.name()?, uuid: part.uuid()?, parts: Vec::new() }),
            Err(NvmlError::NotFound | NvmlError::InvalidArg) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Gpu { model: device.name()?, uuid: device.uuid()?, parts })
}

fn count(machine: &Machine, gpus: Vec<Gpu>, driver: &str, runtime: &str, all: &mut Accelerators) {
    let variable = machine.variable("CUDA_VISIBLE_DEVICES");
    let mut models: Vec<&str> = gpus.iter().map(|gpu| gpu.model.as_str()).collect();
    models.sort_unstable();
    models.dedup();
    // CUDA's own order has the fastest first, and this one the bus's.
    if models.len() > 1 && has_places(variable) && machine.variable("CUDA_DEVICE_ORDER") != Some("PCI_BUS_ID") {
        let gap = "CUDA_VISIBLE_DEVICES counts GPUs of several models in CUDA's own order: which of them it shows is not known";
        all.gaps.push(gap.to_owned());
    }
    let is_named = |gpu: &Gpu, word: &str| {
        let starts = |uuid: &str| word.len() > "GPU-".len() && uuid.starts_with(word);
        // Older drivers name a part by its GPU: `MIG-GPU-UUID/1/0`.
        let of_gpu = word.strip_prefix("MIG-").is_some_and(|rest| rest.split('/').next() == Some(&*gpu.uuid));
        starts(&gpu.uuid) || of_gpu
    };
    let devices: Vec<Gpu> = gpus
        .into_iter()
        .flat_map(|mut gpu| {
            let parts = std::mem::take(&mut gpu.parts);
            if parts.is_empty() { vec![gpu] } else { parts }
        })
        .collect();
    for place in visible(variable, devices.len(), |place, word| is_named(&devices[place], word)) {
        all.count(Accelerator {
            vendor: "NVIDIA".to_owned(),
            model: devices[place].model.clone(),
            count: 1,
            driver: Some(driver.to_owned()),
            runtime: Some(runtime.to_owned()),
        });
    }
}

fn first_line(error: &NvmlError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;

    fn gpu(model: &str, uuid: &str, parts: Vec<Gpu>) -> Gpu {
        Gpu { model: model.to_owned(), uuid: uuid.to_owned(), parts }
    }

    fn counted(gpus: Vec<Gpu>, variables: &[(&str, &str)]) -> (Vec<(String, u32)>, usize) {
        let environment: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut all = Accelerators::default();
        let machine = Machine { root: PathBuf::from("/nowhere"), environment };
        count(&machine, gpus, "550.54", "CUDA 12.4", &mut all);
        (all.found.into_iter().map(|kind| (kind.model, kind.count)).collect(), all.gaps.len())
    }

    fn two_kinds() -> Vec<Gpu> {
        vec![gpu("A", "GPU-aa11", vec![]), gpu("B", "GPU-bb22", vec![]), gpu("A", "GPU-aa33", vec![])]
    }

    #[test]
    fn gpus_are_counted_by_model() {
        assert_eq!(counted(two_kinds(), &[]), (vec![("A".to_owned(), 2), ("B".to_owned(), 1)], 0));
        assert_eq!(counted(two_kinds(), &[("CUDA_VISIBLE_DEVICES", "")]), (vec![], 0));
        assert_eq!(counted(two_kinds(), &[("CUDA_VISIBLE_DEVICES", "GPU-bb")]), (vec![("B".to_owned(), 1)], 0));
    }

    #[test]
    fn places_among_several_models_are_a_gap_unless_the_order_is_the_buss() {
        let (found, gaps) = counted(two_kinds(), &[("CUDA_VISIBLE_DEVICES", "1")]);
        assert_eq!((found, gaps), (vec![("B".to_owned(), 1)], 1));
        let ordered = [("CUDA_VISIBLE_DEVICES", "1"), ("CUDA_DEVICE_ORDER", "PCI_BUS_ID")];
        assert_eq!(counted(two_kinds(), &ordered).1, 0);
    }

    #[test]
    fn the_parts_of_a_gpu_stand_for_it() {
        let parted = || {
            let part = |uuid| gpu("A MIG 1g.10gb", uuid, vec![]);
            vec![gpu("A", "GPU-aa11", vec![part("MIG-1122"), part("MIG-1133")])]
        };
        assert_eq!(counted(parted(), &[]), (vec![("A MIG 1g.10gb".to_owned(), 2)], 0));
        let one = [("CUDA_VISIBLE_DEVICES", "MIG-1133")];
        assert_eq!(counted(parted(), &one), (vec![("A MIG 1g.10gb".to_owned(), 1)], 0));
    }
}
