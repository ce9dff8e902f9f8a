//! The transfer layer over real sockets and files.
//!
//! `transfer` decides, this package carries out: it owns the sockets, the
//! files, the threads and the clock.
