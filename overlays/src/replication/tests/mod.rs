//! Peers on fabricated contexts.
