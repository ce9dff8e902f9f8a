//! Compact node addresses.

use core::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::key::Key;

/// Where a node is reached: an IPv4 address and a port, six bytes.
///
/// Over sockets it is just that. In the simulator the node's index takes the
/// place of the IPv4 address and the port is zero; no overlay can tell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr {
    ip: [u16; 2],
    port: u16,
}

impl Addr {
    /// Bytes of an address on the wire.
    pub const BYTES: usize = 6;

    /// The address of the simulator's node `index`.
    #[inline]
    pub const fn from_index(index: u32) -> Self {
        Self { ip: [(index >> 16) as u16, index as u16], port: 0 }
    }

    /// The simulator's node index behind this address.
    #[inline]
    pub const fn index(self) -> u32 {
        (self.ip[0] as u32) << 16 | self.ip[1] as u32
    }

    /// The address and port of a socket.
    pub const fn from_socket(socket: SocketAddrV4) -> Self {
        let ip = socket.ip().to_bits();
        Self { ip: [(ip >> 16) as u16, ip as u16], port: socket.port() }
    }

    /// The socket to send to.
    pub const fn to_socket(self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::from_bits(self.index()), self.port)
    }

    /// The port; zero in the simulator.
    #[inline]
    pub const fn port(self) -> u16 {
        self.port
    }

    /// Six bytes in network order: address, then port.
    pub const fn to_bytes(self) -> [u8; 6] {
        let ip = self.index().to_be_bytes();
        let port = self.port.to_be_bytes();
        [ip[0], ip[1], ip[2], ip[3], port[0], port[1]]
    }

    /// The address in six bytes of network order.
    pub const fn from_bytes(b: [u8; 6]) -> Self {
        Self {
            ip: [u16::from_be_bytes([b[0], b[1]]), u16::from_be_bytes([b[2], b[3]])],
            port: u16::from_be_bytes([b[4], b[5]]),
        }
    }

    /// The identifier a DHT node takes from its address: SHA-1 over the six
    /// bytes (Chord hashes the node's IP address, SIGCOMM 2001 §4.2; the port
    /// tells apart nodes that share one).
    pub fn key(self) -> Key {
        Key::hash(&self.to_bytes())
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.port == 0 { write!(f, "n{}", self.index()) } else { self.to_socket().fmt(f) }
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
