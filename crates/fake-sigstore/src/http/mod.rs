//! HTTP/1.1, as much of it as the services take.

mod message;
mod server;

pub(crate) use message::{Request, Response, find};
pub(crate) use server::{Handler, Server, bind, lock};
