//! A host and a port, as links and metainfo name nodes and peers.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

/// The most bytes of a host's name (RFC 1035).
const MAX_HOST_BYTES: usize = 253;

/// A host by name or address, and a port of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    host: String,
    port: u16,
}

/// A text that is no host and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPortError;

impl HostPort {
    /// A host, by name or by address (that of IPv6 without brackets), and a port.
    ///
    /// # Errors
    /// When the host is empty, too long or has a character that no name has, or
    /// the port is 0.
    pub fn new(host: &str, port: u16) -> Result<Self, HostPortError> {
        let is_name = !host.is_empty()
            && host.len() <= MAX_HOST_BYTES
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
        if port == 0 || !(is_name || host.parse::<Ipv6Addr>().is_ok()) {
            return Err(HostPortError);
        }
        Ok(Self { host: host.to_string(), port })
    }

    /// The host, an address of IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, not 0.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address, if the host is one and no name.
    pub fn addr(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }
}

impl From<SocketAddr> for HostPort {
    fn from(addr: SocketAddr) -> Self {
        Self { host: addr.ip().to_string(), port: addr.port() }
    }
}

impl FromStr for HostPort {
    type Err = HostPortError;

    /// Reads `name:port`, `1.2.3.4:port` or `[::1]:port`.
    fn from_str(text: &str) -> Result<Self, HostPortError> {
        let (host, port) = text.rsplit_once(':').ok_or(HostPortError)?;
        let is_number = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port = if is_number { port.parse().map_err(|_| HostPortError)? } else { 0 };
        match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(inner) if inner.contains(':') => Self::new(inner, port),
            None if !host.contains(':') => Self::new(host, port),
            _ => Err(HostPortError),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for HostPortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no HOST:PORT")
    }
}

impl core::error::Error for HostPortError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_read_back() {
        for text in ["router.example.org:6881", "10.0.0.1:1", "[2001:db8::1]:65535", "a_b:80"] {
            let host: HostPort = text.parse().expect(text);
            assert_eq!(host.to_string(), text);
        }
        let v6: HostPort = "[::1]:80".parse().expect("IPv6");
        assert_eq!((v6.host(), v6.port()), ("::1", 80));
        assert_eq!(v6.addr(), Some("[::1]:80".parse().unwrap()));
        assert_eq!("a.org:80".parse::<HostPort>().unwrap().addr(), None);
        let addr: SocketAddr = "[::1]:80".parse().unwrap();
        assert_eq!(HostPort::from(addr), v6);
    }

    #[test]
    fn other_texts_are_refused() {
        let refused = [
            "", "a", ":80", "a:", "a:0", "a:65536", "a:+80", "a:-1", "::1:80", "[a]:80", "[::1]",
            "[::1:80", "a b:80", "a/b:80", "[::g]:1", "ä:80",
        ];
        for text in refused {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }
}
