//! `monitor`: who signs as us, and whether the log shows everybody the same.

use anyhow::Result;

use super::Scene;
use super::report::Report;
use super::sandbox::Sandbox;
use crate::outcome::Outcome;

/// Watches the log that the other parts wrote to.
pub(super) fn run(scene: &Scene) -> Result<Outcome> {
    let mut report = Report::new("Monitor");
    let sandbox = Sandbox::new(scene.folder(), "monitor", &scene.stack)?;
    if !sandbox.run(&scene.ours, "--help")?.stdout().contains("\n  monitor ") {
        report.skip("our entries among others", "this command has no `monitor`");
        report.skip("a log that forks", "this command has no `monitor`");
        return Ok(report.close());
    }
    Ok(report.close())
}
