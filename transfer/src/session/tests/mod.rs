//! Sessions against each other in memory, without sleeping.

mod hostile;
mod net;
mod picking;
mod scenarios;
