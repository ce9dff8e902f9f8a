//! FastTrack networks in the simulator.

mod hardship;
mod lab;
mod settled;
mod supernodes;
