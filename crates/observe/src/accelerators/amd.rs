//! AMD's GPUs, as the kernel's compute driver lists them.

use super::visible::visible;
use super::{Accelerator, Accelerators, Machine};

const NODES: &str = "sys/class/kfd/kfd/topology/nodes";

/// A GPU in the driver's list.
struct Gpu {
    model: String,
    unique_id: Option<u64>,
}

pub(super) fn look(machine: &Machine, all: &mut Accelerators) {
    // A container sees the list, and without the device none of what is in it.
    if !machine.has("dev/kfd") {
        return;
    }
    let gpus: Vec<Gpu> = machine.names(NODES).iter().filter_map(|node| gpu(machine, node)).collect();
    let is_named = |gpu: &Gpu, word: &str| {
        let id = word.strip_prefix("GPU-").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        id.is_some() && id == gpu.unique_id
    };
    // The runtime leaves some, and what stands on it counts among these.
    let left =
        visible(machine.variable("ROCR_VISIBLE_DEVICES"), gpus.len(), |place, word| is_named(&gpus[place], word));
    let above = machine.variable("HIP_VISIBLE_DEVICES").or_else(|| machine.variable("CUDA_VISIBLE_DEVICES"));
    let left_above = visible(above, left.len(), |place, word| is_named(&gpus[left[place]], word));
    for place in left_above {
        all.count(Accelerator {
            vendor: "AMD".to_owned(),
            model: gpus[left[place]].model.clone(),
            count: 1,
            driver: machine.line("sys/module/amdgpu/version"),
            runtime: machine.line("opt/rocm/.info/version").map(|version| format!("ROCm {version}")),
        });
    }
}

/// A node of the list. None for a processor, and for a GPU that this process may not use: its properties can't be read.
fn gpu(machine: &Machine, node: &str) -> Option<Gpu> {
    let properties = machine.line(format!("{NODES}/{node}/properties"))?;
    let value = |name: &str| {
        let line = properties.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse::<u64>().ok())
    };
    value("simd_count").filter(|&count| count > 0)?;
    let name = value("drm_render_minor")
        .and_then(|minor| machine.line(format!("sys/class/drm/renderD{minor}/device/product_name")));
    let target = value("gfx_target_version").map(target);
    let device = value("device_id").unwrap_or(0);
    let model = match (name, target) {
        (Some(name), _) => name,
        (None, Some(target)) => format!("{target} (device 0x{device:04x})"),
        (None, None) => format!("device 0x{device:04x}"),
    };
    Some(Gpu { model, unique_id: value("unique_id") })
}

/// The instruction set's name: 90010 is `gfx90a`, 110000 is `gfx1100`.
fn target(version: u64) -> String {
    format!("gfx{}{:x}{:x}", version / 10_000, version / 100 % 100, version % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_the_names_that_compilers_use() {
        assert_eq!(
            [target(90_010), target(110_000), target(90_402), target(100_306)],
            ["gfx90a", "gfx1100", "gfx942", "gfx1036"]
        );
    }
}
