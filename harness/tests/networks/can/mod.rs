//! CAN over networks: the figures of its paper, networks that heal, and the laws.

mod figures;
mod hardship;
mod laws;
