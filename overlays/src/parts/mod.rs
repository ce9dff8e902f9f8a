//! Organs that several overlays share.
