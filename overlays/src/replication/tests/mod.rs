//! Logs, replicas and peers on their own.

mod codec;
mod origin;
mod peers;
