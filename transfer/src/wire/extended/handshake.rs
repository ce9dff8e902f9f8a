//! What peers tell of themselves (BEP 10).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Extension, read_dict};
use crate::bencode::{Dict, dict_with, int, string};
use crate::wire::WireError;

/// The longest name of a client that is kept, in characters.
const MAX_CLIENT_CHARS: usize = 64;

/// The handshake of the extension protocol. A peer may send another one later,
/// which says only what has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handshake {
    /// Under which numbers the sender receives the messages.
    pub numbers: Numbers,
    /// The port that the sender listens on, `p`.
    pub port: Option<u16>,
    /// What the sender calls its software, `v`. What is no printable text in it
    /// is replaced, and it ends after 64 characters.
    pub client: Option<String>,
    /// The address under which the sender sees the receiver, `yourip`.
    pub your_ip: Option<IpAddr>,
    /// Another address of the sender's, `ipv4`.
    pub ipv4: Option<Ipv4Addr>,
    /// Another address of the sender's, `ipv6`.
    pub ipv6: Option<Ipv6Addr>,
    /// How many requests the sender keeps before it drops any, `reqq`.
    pub request_queue: Option<u32>,
    /// The size of the info dictionary in bytes, if the sender has it (BEP 9).
    pub metadata_size: Option<u32>,
    /// Whether the sender downloads nothing (BEP 21).
    pub upload_only: Option<bool>,
}

impl Handshake {
    /// Its bytes: the payload of the extension message 0.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(192);
        dict_with(&mut out, |out| {
            if let Some(ip) = self.ipv4 {
                pair(out, "ipv4", |out| string(out, ip.octets()));
            }
            if let Some(ip) = self.ipv6 {
                pair(out, "ipv6", |out| string(out, ip.octets()));
            }
            pair(out, "m", |out| self.numbers.encode(out));
            if let Some(size) = self.metadata_size {
                pair(out, "metadata_size", |out| int(out, size.into()));
            }
            if let Some(port) = self.port {
                pair(out, "p", |out| int(out, port.into()));
            }
            if let Some(requests) = self.request_queue {
                pair(out, "reqq", |out| int(out, requests.into()));
            }
            if let Some(upload_only) = self.upload_only {
                pair(out, "upload_only", |out| int(out, upload_only.into()));
            }
            if let Some(client) = &self.client {
                pair(out, "v", |out| string(out, client));
            }
            match self.your_ip {
                Some(IpAddr::V4(ip)) => pair(out, "yourip", |out| string(out, ip.octets())),
                Some(IpAddr::V6(ip)) => pair(out, "yourip", |out| string(out, ip.octets())),
                None => {}
            }
        });
        out
    }

    /// Reads one. Keys that are unknown are passed over, and so is what a key
    /// has no sense with, such as an address of five bytes (BEP 10).
    ///
    /// # Errors
    ///
    /// If it is no dictionary.
    pub fn decode(payload: &[u8]) -> Result<Self, WireError> {
        let (dict, _) = read_dict(payload)?;
        Ok(Self {
            numbers: dict.dict("m").map_or_else(Numbers::default, Numbers::decode),
            port: number(dict, "p").filter(|port| *port != 0),
            client: dict.bytes("v").map(printable).filter(|name| !name.is_empty()),
            your_ip: dict.bytes("yourip").and_then(address),
            ipv4: dict.bytes("ipv4").and_then(|ip| <[u8; 4]>::try_from(ip).ok()).map(Into::into),
            ipv6: dict.bytes("ipv6").and_then(|ip| <[u8; 16]>::try_from(ip).ok()).map(Into::into),
            request_queue: number(dict, "reqq"),
            metadata_size: number(dict, "metadata_size").filter(|size| *size != 0),
            upload_only: dict.int("upload_only").map(|flag| flag != 0),
        })
    }
}

/// Under which numbers a peer receives the extension messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers([Option<u8>; Extension::ALL.len()]);

impl Numbers {
    /// Ours, of all messages that we know.
    #[must_use]
    pub fn ours() -> Self {
        let mut numbers = Self::default();
        for extension in Extension::ALL {
            numbers.set(extension, Some(extension.number()));
        }
        numbers
    }

    /// The number under which the peer receives a message; `None` if it does
    /// not.
    #[must_use]
    pub fn get(&self, extension: Extension) -> Option<u8> {
        self.0[extension as usize].filter(|number| *number != 0)
    }

    /// Changes the number of a message: `None` leaves it out, 0 takes back what
    /// an earlier handshake said.
    pub fn set(&mut self, extension: Extension, number: Option<u8>) {
        self.0[extension as usize] = number;
    }

    /// Takes over what a later handshake says.
    pub fn update(&mut self, later: &Self) {
        for (number, later) in self.0.iter_mut().zip(later.0) {
            *number = later.or(*number);
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        dict_with(out, |out| {
            for extension in Extension::ALL {
                if let Some(number) = self.0[extension as usize] {
                    pair(out, extension.name(), |out| int(out, number.into()));
                }
            }
        });
    }

    fn decode(dict: Dict<'_>) -> Self {
        let mut numbers = Self::default();
        for extension in Extension::ALL {
            numbers.set(extension, number(dict, extension.name()));
        }
        numbers
    }
}

fn pair(out: &mut Vec<u8>, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
    string(out, key);
    value(out);
}

/// The number under a key, if it is one of these.
fn number<N: TryFrom<i64>>(dict: Dict<'_>, key: &str) -> Option<N> {
    N::try_from(dict.int(key)?).ok()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// A stranger's text as it may be shown on a terminal.
fn printable(bytes: &[u8]) -> String {
    let replace = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    String::from_utf8_lossy(bytes).chars().map(replace).take(MAX_CLIENT_CHARS).collect()
}
