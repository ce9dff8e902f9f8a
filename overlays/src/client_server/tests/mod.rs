//! Nodes on fabricated contexts.
