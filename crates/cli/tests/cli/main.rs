//! The command as a stranger runs it: output, exit codes, files left behind.

mod bad_input;
mod bundles;
mod compatibility;
mod keys;
mod output;
mod support;
mod targets;
mod verdicts;
