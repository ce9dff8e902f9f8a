//! Connection ids of the UDP protocol (BEP 15).

use core::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

/// How long one slot of time lasts, in microseconds.
const SLOT_US: u64 = 60 * 1_000_000;

/// The bits of an id that tell the slot it was issued in.
const SLOT_BITS: u64 = 0b11;

/// Issues connection ids and tells those it issued from others, without
/// keeping any: an id is a keyed hash of the client's address and of the
/// minute. Who did not receive it at that address cannot guess it.
///
/// An id is good for two to three minutes: BEP 15 asks for two.
#[derive(Clone, Debug)]
pub struct ConnectionIds {
    key: [u64; 2],
}

impl ConnectionIds {
    /// With a secret key: whoever knows it can forge ids.
    pub const fn new(key: [u64; 2]) -> Self {
        Self { key }
    }

    /// The id for a client at `address`.
    pub fn issue(&self, address: IpAddr, now_us: u64) -> u64 {
        self.of_slot(address, now_us / SLOT_US)
    }

    /// Whether `id` was issued to `address` within the last two minutes.
    pub fn is_valid(&self, id: u64, address: IpAddr, now_us: u64) -> bool {
        let now = now_us / SLOT_US;
        // The two lowest bits tell how many slots ago the id was issued.
        let age = now.wrapping_sub(id) & SLOT_BITS;
        age <= 2 && age <= now && self.of_slot(address, now - age) == id
    }

    fn of_slot(&self, address: IpAddr, slot: u64) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.key[0], self.key[1]);
        match address.to_canonical() {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => hasher.write(&address.octets()),
        }
        hasher.write_u64(slot);
        (hasher.finish() & !SLOT_BITS) | (slot & SLOT_BITS)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000;

    proptest! {
        #[test]
        fn ids_are_good_for_two_minutes_and_not_for_four(
            issued_s in 0u64..1_000_000, age_s in 0u64..1000, address: IpAddr, key: [u64; 2],
        ) {
            let ids = ConnectionIds::new(key);
            let id = ids.issue(address, issued_s * SECOND);
            let is_valid = ids.is_valid(id, address, (issued_s + age_s) * SECOND);
            if age_s <= 120 {
                prop_assert!(is_valid);
            }
            if age_s >= 180 {
                prop_assert!(!is_valid);
            }
        }

        #[test]
        fn no_other_address_id_or_key_will_do(
            now_us in 0u64..u64::MAX / 2, address: IpAddr, other: IpAddr, flipped in 0u32..64, key: [u64; 2],
        ) {
            let ids = ConnectionIds::new(key);
            let id = ids.issue(address, now_us);
            prop_assert!(!ids.is_valid(id ^ (1 << flipped), address, now_us));
            let mapped = match address {
                IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()),
                IpAddr::V6(_) => address,
            };
            prop_assert!(ids.is_valid(id, mapped, now_us));
            if other.to_canonical() != address.to_canonical() {
                prop_assert!(!ids.is_valid(id, other, now_us));
            }
            let strangers = ConnectionIds::new([key[0] ^ 1, key[1]]);
            prop_assert!(!strangers.is_valid(id, address, now_us));
        }
    }
}
