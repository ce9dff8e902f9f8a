//! Identifiers bound to addresses (BEP 42).

use std::net::{IpAddr, Ipv4Addr};

use crate::Key;

/// The bits of an IPv4 address that count: fewer of the far parts, so that one
/// who owns a network does not own many identifiers.
const V4_MASK: u32 = 0x030f_3fff;
/// The same for the first half of an IPv6 address.
const V6_MASK: u64 = 0x0103_070f_1f3f_7fff;
/// Leading bits of an identifier that its address determines.
const BOUND_BITS: u32 = 21;

/// CRC-32C (Castagnoli), reflected, bit by bit: identifiers are made once.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }
        })
    })
}

fn checksum(ip: IpAddr, rand: u8) -> u32 {
    let r = rand & 7;
    match ip {
        IpAddr::V4(ip) => crc32c(&(ip.to_bits() & V4_MASK | u32::from(r) << 29).to_be_bytes()),
        IpAddr::V6(ip) => {
            let high = (ip.to_bits() >> 64) as u64;
            crc32c(&(high & V6_MASK | u64::from(r) << 61).to_be_bytes())
        }
    }
}

/// The identifier of the node at `ip`: its first 21 bits from the address, its
/// last byte `rand`, the rest from `random`.
pub fn secure_id(ip: IpAddr, rand: u8, random: Key) -> Key {
    let crc = checksum(ip, rand);
    let mut bytes = random.to_bytes();
    bytes[0] = (crc >> 24) as u8;
    bytes[1] = (crc >> 16) as u8;
    bytes[2] = (crc >> 8) as u8 & 0xf8 | bytes[2] & 7;
    bytes[19] = rand;
    Key::from_bytes(bytes)
}

/// Whether `id` may be that of the node at `ip`. Local addresses may have any.
pub fn is_secure(id: Key, ip: IpAddr) -> bool {
    let local = match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unique_local(),
    };
    let bound = secure_id(ip, id.to_bytes()[19], id);
    local || id.common_prefix_bits(bound) >= BOUND_BITS
}

/// The address behind four bytes.
pub(super) const fn v4(bits: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    /// The five vectors of BEP 42.
    #[test]
    fn vectors() {
        for (ip, rand, start) in [
            ([124, 31, 75, 21], 1, [0x5f, 0xbf, 0xbf]),
            ([21, 75, 31, 124], 86, [0x5a, 0x3c, 0xe9]),
            ([65, 23, 51, 170], 22, [0xa5, 0xd4, 0x32]),
            ([84, 124, 73, 14], 65, [0x1b, 0x03, 0x21]),
            ([43, 213, 53, 83], 90, [0xe5, 0x6f, 0x6c]),
        ] {
            let ip = IpAddr::from(ip);
            let id = secure_id(ip, rand, Key::ZERO).to_bytes();
            // The last three of these 24 bits are free.
            assert_eq!([id[0], id[1], id[2] & 0xf8], [start[0], start[1], start[2] & 0xf8], "{ip}");
            assert_eq!(id[19], rand);
            assert!(is_secure(Key::from_bytes(id), ip));
            assert!(is_secure(secure_id(ip, rand, Key::MAX), ip));
            let other = IpAddr::from([8, 8, 8, 8]);
            assert!(!is_secure(Key::from_bytes(id), other));
        }
    }

    #[test]
    fn crc32c_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn local_addresses_may_have_any() {
        assert!(is_secure(Key::ZERO, IpAddr::from([127, 0, 0, 1])));
        assert!(is_secure(Key::ZERO, IpAddr::V6(Ipv6Addr::LOCALHOST)));
        let ip = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6));
        assert!(is_secure(secure_id(ip, 5, Key::MAX), ip));
        assert!(!is_secure(secure_id(ip, 5, Key::MAX).xor(Key::power_of_two(150)), ip));
    }
}
