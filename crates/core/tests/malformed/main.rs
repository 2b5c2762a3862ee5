//! Every malformed bundle, rebuilt with a signature that holds, is refused with the error that says what is wrong; and
//! what older or other tools write is accepted.

mod bundle;
#[path = "../forge/mod.rs"]
mod forge;
mod mutations;
mod names;
mod old_formats;
mod shards;
mod statement;
