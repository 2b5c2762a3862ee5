//! What the bus (PCI) has: Google's TPUs, and accelerators that are not known.

use std::collections::BTreeMap;

use super::visible::visible;
use super::{Accelerator, Accelerators, Machine};

const DEVICES: &str = "sys/bus/pci/devices";
const GOOGLE: &str = "0x1ae0";
/// AMD's and NVIDIA's are asked of their drivers. Intel's of this class are in laptops, and train nothing.
const ASKED_ELSEWHERE: [&str; 3] = ["0x1002", "0x10de", "0x8086"];

pub(super) fn look(machine: &Machine, all: &mut Accelerators) {
    let mut chips = Vec::new();
    let mut unknown: BTreeMap<String, u32> = BTreeMap::new();
    for device in machine.names(DEVICES) {
        let id = |what: &str| machine.line(format!("{DEVICES}/{device}/{what}")).unwrap_or_default();
        let vendor = id("vendor");
        if ASKED_ELSEWHERE.contains(&vendor.as_str()) {
            continue;
        }
        if let Some(model) = Some(id("device")).filter(|_| vendor == GOOGLE).and_then(|device| tpu(&device)) {
            chips.push(model);
        } else if id("class").starts_with("0x12") {
            // The class of "processing accelerators".
            let count = unknown.entry(vendor).or_default();
            *count = count.saturating_add(1);
        }
    }
    // A container sees the bus, and without the devices none of what is on it.
    let has_device = machine.has("dev/vfio/vfio") || machine.names("dev").iter().any(|name| is_accel(name));
    let variable = machine.variable("TPU_VISIBLE_CHIPS").or_else(|| machine.variable("TPU_VISIBLE_DEVICES"));
    for place in visible(variable, if has_device { chips.len() } else { 0 }, |_, _| false) {
        all.count(Accelerator {
            vendor: "Google".to_owned(),
            model: chips[place].to_owned(),
            count: 1,
            driver: None,
            runtime: None,
        });
    }
    for (vendor, count) in unknown {
        all.gaps
            .push(format!("the bus has {count} accelerators of the vendor {vendor}, and nothing here can ask them"));
    }
}

fn is_accel(name: &str) -> bool {
    name.strip_prefix("accel").is_some_and(|number| number.bytes().next().is_some_and(|byte| byte.is_ascii_digit()))
}

fn tpu(device: &str) -> Option<&'static str> {
    match device {
        // The two have one number.
        "0x0027" => Some("TPU v2 or v3"),
        "0x005e" => Some("TPU v4"),
        "0x0062" => Some("TPU v5p"),
        "0x0063" => Some("TPU v5e"),
        "0x006f" => Some("TPU v6e"),
        "0x0076" => Some("TPU7x"),
        _ => None,
    }
}
