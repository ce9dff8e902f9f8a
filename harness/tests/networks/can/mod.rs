//! CAN over networks: the figures of its paper, and networks that heal.

mod figures;
mod hardship;
