//! Nodes on fabricated contexts.

mod codec;
mod nodes;
mod store;
