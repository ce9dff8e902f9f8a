//! Peers from peers (BEP 11).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::read_dict;
use crate::bencode::{Dict, dict_with, string};
use crate::wire::WireError;

/// The most peers in each of the two lists of a message that we send (BEP 11).
pub const MAX_PEX_SENT: usize = 50;

/// The most that are read of each list: as clients differ in whether the limit
/// is on both kinds of addresses together, twice of what may be sent. Those
/// beyond are passed over, which costs an honest peer nothing and a flooding one
/// his flood.
pub const MAX_PEX_READ: usize = 2 * MAX_PEX_SENT;

/// The bytes of an address and a port.
const V4_LEN: usize = 6;
const V6_LEN: usize = 18;

/// How the sender's peers changed since its last message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pex {
    /// Peers that it is now connected to.
    pub added: Vec<PexPeer>,
    /// Peers that it no longer is.
    pub dropped: Vec<SocketAddr>,
}

/// A peer and what the sender knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PexPeer {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What is known of it.
    pub flags: PexFlags,
}

/// What is known of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PexFlags(pub u8);

impl PexFlags {
    /// It would rather be connected to encryptedly.
    pub const ENCRYPTION: Self = Self(0x01);
    /// It downloads nothing.
    pub const UPLOAD_ONLY: Self = Self(0x02);
    /// It speaks uTP.
    pub const UTP: Self = Self(0x04);
    /// It helps others through their gateways.
    pub const HOLEPUNCH: Self = Self(0x08);
    /// The sender connected to it, so it can be reached.
    pub const REACHABLE: Self = Self(0x10);

    /// Whether all of these are set.
    #[must_use]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }
}

impl Pex {
    /// Its bytes, the payload of the extension message, with the first
    /// [`MAX_PEX_SENT`] peers of each list.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let added = &self.added[..self.added.len().min(MAX_PEX_SENT)];
        let dropped = &self.dropped[..self.dropped.len().min(MAX_PEX_SENT)];
        let [mut v4, mut v6, mut flags4, mut flags6] = [const { Vec::new() }; 4];
        for peer in added {
            compact(peer.addr, &mut v4, &mut v6);
            if peer.addr.is_ipv4() { &mut flags4 } else { &mut flags6 }.push(peer.flags.0);
        }
        let [mut dropped4, mut dropped6] = [const { Vec::new() }; 2];
        for addr in dropped {
            compact(*addr, &mut dropped4, &mut dropped6);
        }
        let mut out = Vec::new();
        dict_with(&mut out, |out| {
            let lists = [
                ("added", v4),
                ("added.f", flags4),
                ("added6", v6),
                ("added6.f", flags6),
                ("dropped", dropped4),
                ("dropped6", dropped6),
            ];
            for (key, list) in lists {
                string(out, key);
                string(out, list);
            }
        });
        out
    }

    /// Reads one. Addresses that no one can be connected to, of port 0 or
    /// multicast, are left out, and those beyond [`MAX_PEX_READ`].
    ///
    /// # Errors
    ///
    /// If it is no dictionary, or a list does not consist of whole addresses or
    /// has flags for another number of peers.
    pub fn decode(payload: &[u8]) -> Result<Self, WireError> {
        let (dict, _) = read_dict(payload)?;
        let mut pex = Self::default();
        for (key, flags_key, len) in [("added", "added.f", V4_LEN), ("added6", "added6.f", V6_LEN)]
        {
            let addrs = addresses(dict, key, len)?;
            let flags = dict.bytes(flags_key).unwrap_or_default();
            if !flags.is_empty() && flags.len() != addrs.len() {
                return Err(WireError::Extension(flags_key));
            }
            let flags = flags.iter().copied().chain(core::iter::repeat(0)).map(PexFlags);
            let peers = addrs.zip(flags).map(|(addr, flags)| PexPeer { addr, flags });
            pex.added.extend(peers.filter(|peer| is_connectable(peer.addr)));
        }
        for (key, len) in [("dropped", V4_LEN), ("dropped6", V6_LEN)] {
            pex.dropped.extend(addresses(dict, key, len)?.filter(|addr| is_connectable(*addr)));
        }
        pex.added.truncate(MAX_PEX_READ);
        pex.dropped.truncate(MAX_PEX_READ);
        Ok(pex)
    }
}

fn compact(addr: SocketAddr, v4: &mut Vec<u8>, v6: &mut Vec<u8>) {
    let out = match addr.ip() {
        IpAddr::V4(ip) => {
            v4.extend_from_slice(&ip.octets());
            v4
        }
        IpAddr::V6(ip) => {
            v6.extend_from_slice(&ip.octets());
            v6
        }
    };
    out.extend_from_slice(&addr.port().to_be_bytes());
}

/// The addresses in a list of such of `len` bytes each.
fn addresses<'a>(
    dict: Dict<'a>,
    key: &'static str,
    len: usize,
) -> Result<impl ExactSizeIterator<Item = SocketAddr> + 'a, WireError> {
    let list = dict.bytes(key).unwrap_or_default();
    if !list.len().is_multiple_of(len) {
        return Err(WireError::Extension(key));
    }
    Ok(list.chunks_exact(len).map(|entry| {
        let (ip, port) = entry.split_at(entry.len() - 2);
        let ip = match <[u8; 4]>::try_from(ip) {
            Ok(v4) => Ipv4Addr::from(v4).into(),
            Err(_) => {
                let mut v6 = [0; 16];
                v6.copy_from_slice(ip);
                IpAddr::from(Ipv6Addr::from(v6))
            }
        };
        SocketAddr::new(ip, u16::from_be_bytes([port[0], port[1]]))
    }))
}

fn is_connectable(addr: SocketAddr) -> bool {
    let is_broadcast = matches!(addr.ip(), IpAddr::V4(ip) if ip.is_broadcast());
    addr.port() != 0 && !addr.ip().is_unspecified() && !addr.ip().is_multicast() && !is_broadcast
}
