//! Magnet links (BEP 9): a torrent by its hash alone.

use core::fmt;
use core::str::FromStr;

use crate::host_port::HostPort;
use crate::identity::InfoHash;
use crate::percent::{escape, unescape_str};

/// The most bytes of a link that is read.
pub const MAX_MAGNET_BYTES: usize = 64 * 1024;

/// Letters of a hash in base 32 (RFC 4648), and in hexadecimal.
const BASE32_LETTERS: usize = 32;
const HEX_LETTERS: usize = 40;

/// A link to a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Magnet {
    /// The torrent.
    pub info_hash: InfoHash,
    /// What to call it until its own name is known (`dn`).
    pub name: Option<String>,
    /// URLs of trackers (`tr`).
    pub trackers: Vec<String>,
    /// Peers to ask (`x.pe`).
    pub peers: Vec<HostPort>,
    /// URLs that serve the files over HTTP or FTP (`ws`).
    pub web_seeds: Vec<String>,
}

/// Why a text is no link to a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MagnetError {
    /// It does not begin with `magnet:?`.
    Scheme,
    /// It is longer than 64 KiB.
    TooLong,
    /// It has no `xt=urn:btih:` with a hash.
    NoHash,
    /// Its only hash is of version 2 (BEP 52).
    OnlyV2,
    /// A hash is neither 40 hexadecimal digits nor 32 of base 32.
    Hash(String),
    /// A parameter is not of its form.
    Invalid {
        /// Its name.
        name: String,
        /// Its value, as it stands.
        value: String,
    },
}

impl Magnet {
    /// A link with the hash alone.
    pub const fn new(info_hash: InfoHash) -> Self {
        Self {
            info_hash,
            name: None,
            trackers: Vec::new(),
            peers: Vec::new(),
            web_seeds: Vec::new(),
        }
    }
}

impl FromStr for Magnet {
    type Err = MagnetError;

    /// Reads a link. Names of parameters may carry numbers, as in `tr.1`;
    /// unknown ones are skipped, and of several hashes the first counts.
    fn from_str(text: &str) -> Result<Self, MagnetError> {
        const SCHEME: &str = "magnet:?";
        if text.len() > MAX_MAGNET_BYTES {
            return Err(MagnetError::TooLong);
        }
        let (scheme, query) = text.split_at_checked(SCHEME.len()).ok_or(MagnetError::Scheme)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(MagnetError::Scheme);
        }
        let mut info_hash = None;
        let mut has_v2 = false;
        let mut magnet = Self::new(InfoHash([0; 20]));
        for parameter in query.split('&') {
            let (name, escaped) = parameter.split_once('=').unwrap_or((parameter, ""));
            let invalid =
                || MagnetError::Invalid { name: name.to_string(), value: escaped.to_string() };
            let value = || unescape_str(escaped).ok_or_else(invalid);
            match plain_name(name) {
                "xt" => {
                    let value = value()?;
                    if let Some(hash) = strip_prefix_of_any_case(&value, "urn:btih:") {
                        info_hash = match info_hash {
                            None => Some(read_hash(hash)?),
                            first => first,
                        };
                    }
                    has_v2 |= strip_prefix_of_any_case(&value, "urn:btmh:").is_some();
                }
                "dn" => magnet.name = Some(value()?),
                "tr" => magnet.trackers.push(value()?),
                "ws" => magnet.web_seeds.push(value()?),
                "x.pe" => magnet.peers.push(value()?.parse().map_err(|_| invalid())?),
                _ => {}
            }
        }
        magnet.info_hash = info_hash.ok_or(match has_v2 {
            true => MagnetError::OnlyV2,
            false => MagnetError::NoHash,
        })?;
        Ok(magnet)
    }
}

/// The name without the number that may stand behind it.
fn plain_name(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((plain, number))
            if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            plain
        }
        _ => name,
    }
}

fn strip_prefix_of_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn read_hash(letters: &str) -> Result<InfoHash, MagnetError> {
    let hash = match letters.len() {
        HEX_LETTERS => read_digits::<4>(letters, |letter| char::from(letter).to_digit(16)),
        BASE32_LETTERS => read_digits::<5>(letters, |letter| match letter.to_ascii_uppercase() {
            c @ b'A'..=b'Z' => Some(u32::from(c - b'A')),
            c @ b'2'..=b'7' => Some(u32::from(c - b'2') + 26),
            _ => None,
        }),
        _ => None,
    };
    hash.map(InfoHash).ok_or_else(|| MagnetError::Hash(letters.to_string()))
}

/// The 160 bits of digits of `BITS` bits each.
fn read_digits<const BITS: u32>(
    letters: &str,
    digit: impl Fn(u8) -> Option<u32>,
) -> Option<[u8; 20]> {
    let mut bytes = [0; 20];
    let mut next = bytes.iter_mut();
    let (mut pending, mut bits) = (0, 0);
    for letter in letters.bytes() {
        pending = pending << BITS | digit(letter)?;
        bits += BITS;
        if bits >= 8 {
            bits -= 8;
            *next.next()? = (pending >> bits) as u8;
            pending &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

impl fmt::Display for Magnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut link = format!("magnet:?xt=urn:btih:{}", self.info_hash);
        let mut add = |name: &str, value: &str| {
            link.push('&');
            link.push_str(name);
            link.push('=');
            escape(&mut link, value);
        };
        if let Some(name) = &self.name {
            add("dn", name);
        }
        self.trackers.iter().for_each(|url| add("tr", url));
        self.web_seeds.iter().for_each(|url| add("ws", url));
        self.peers.iter().for_each(|peer| add("x.pe", &peer.to_string()));
        f.write_str(&link)
    }
}

impl fmt::Display for MagnetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str("a magnet link begins with `magnet:?`"),
            Self::TooLong => write!(f, "the link is longer than {MAX_MAGNET_BYTES} bytes"),
            Self::NoHash => f.write_str("the link has no `xt=urn:btih:` with a hash"),
            Self::OnlyV2 => f.write_str(
                "the link is to a torrent of version 2 alone (BEP 52), which is not supported",
            ),
            Self::Hash(hash) => write!(
                f,
                "`{}` is no hash: 40 hexadecimal digits, or 32 of base 32",
                hash.escape_debug()
            ),
            Self::Invalid { name, value } => {
                write!(f, "`{}={}` is not of its form", name.escape_debug(), value.escape_debug())
            }
        }
    }
}

impl core::error::Error for MagnetError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

    #[test]
    fn both_forms_of_a_hash_are_read() {
        // SHA-1 of nothing.
        for link in [
            format!("magnet:?xt=urn:btih:{HEX}"),
            format!("MAGNET:?xt=URN:BTIH:{}", HEX.to_uppercase()),
            "magnet:?xt=urn:btih:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ".into(),
            "magnet:?xt=urn:btih:3i42h3s6nnfq2msvx7xzkyayscx5qbyj&xl=5".into(),
            format!("magnet:?dn=x&xt.1=urn:btmh:1220aa&xt.2=urn:btih:{HEX}"),
        ] {
            let magnet: Magnet = link.parse().expect(&link);
            assert_eq!(magnet.info_hash.to_string(), HEX, "{link}");
        }
    }

    #[test]
    fn all_parameters_are_read_and_written() {
        let link = format!(
            "magnet:?xt=urn:btih:{HEX}&dn=two%20words&tr=http%3A%2F%2Fa%2Fannounce\
             &tr=udp%3A%2F%2Fb%3A80&ws=http%3A%2F%2Fc%2F&x.pe=10.0.0.1%3A6881&x.pe=%5B%3A%3A1%5D%3A1"
        );
        let magnet: Magnet = link.parse().expect("a link");
        assert_eq!(magnet.name.as_deref(), Some("two words"));
        assert_eq!(magnet.trackers, ["http://a/announce", "udp://b:80"]);
        assert_eq!(magnet.web_seeds, ["http://c/"]);
        assert_eq!(magnet.peers, ["10.0.0.1:6881", "[::1]:1"].map(|p| p.parse().unwrap()));
        assert_eq!(magnet.to_string(), link);
        let plain: Magnet =
            format!("magnet:?xt=urn:btih:{HEX}&dn=two+words&tr.1=x&x.pe.2=h:1").parse().unwrap();
        assert_eq!((plain.name.as_deref(), plain.trackers.len()), (Some("two words"), 1));
        assert_eq!(plain.peers.len(), 1);
    }

    #[test]
    fn other_texts_are_refused() {
        let table = [
            ("", MagnetError::Scheme),
            ("http://a", MagnetError::Scheme),
            ("magnet:", MagnetError::Scheme),
            ("magnét:?x", MagnetError::Scheme),
            ("magnet:?", MagnetError::NoHash),
            ("magnet:?xt=urn:sha1:aa", MagnetError::NoHash),
            ("magnet:?xt=urn:btmh:1220aa", MagnetError::OnlyV2),
            ("magnet:?xt=urn:btih:aa", MagnetError::Hash("aa".into())),
        ];
        for (text, error) in table {
            assert_eq!(text.parse::<Magnet>(), Err(error), "{text}");
        }
        for bad in [HEX.replace('d', "g"), "1".repeat(32), "é".repeat(20)] {
            let error = format!("magnet:?xt=urn:btih:{bad}").parse::<Magnet>();
            assert_eq!(error, Err(MagnetError::Hash(bad)));
        }
        for bad in ["x.pe=nowhere", "x.pe=a:0", "dn=%", "tr=%ff"] {
            let error = format!("magnet:?xt=urn:btih:{HEX}&{bad}").parse::<Magnet>();
            assert!(matches!(error, Err(MagnetError::Invalid { .. })), "{bad}");
        }
        let long = format!("magnet:?xt=urn:btih:{HEX}&x={}", "x".repeat(MAX_MAGNET_BYTES));
        assert_eq!(long.parse::<Magnet>(), Err(MagnetError::TooLong));
    }

    proptest! {
        #[test]
        fn links_read_back(
            hash in any::<[u8; 20]>(),
            name in proptest::option::of(".{0,20}"),
            trackers in proptest::collection::vec(".{0,20}", 0..4),
        ) {
            let magnet = Magnet { name, trackers, ..Magnet::new(InfoHash(hash)) };
            prop_assert_eq!(magnet.to_string().parse::<Magnet>(), Ok(magnet));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,60}") {
            let _ = text.parse::<Magnet>();
            let _ = format!("magnet:?{text}").parse::<Magnet>();
        }
    }
}
