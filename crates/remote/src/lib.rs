//! Whatever leaves the process: services on the network today, devices next.
//!
//! The formats and every check of what comes back are in `model-transparency`; here is how to ask.

pub mod timestamp;
