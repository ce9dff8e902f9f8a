//! The secret that two peers agree on (Diffie-Hellman).

use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams};
use crypto_bigint::{U192, U768, const_monty_params};

use super::error::MseError;

const_monty_params!(
    Prime,
    U768,
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74\
     020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437\
     4fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563"
);

/// An element of the group, or its absence.
type Element = ConstMontyForm<Prime, { U768::LIMBS }>;

/// The bytes of a public key, and of the secret.
pub(super) const KEY_LEN: usize = 96;

/// The private key of one side, for one handshake.
pub(super) struct Secret(U192);

impl Secret {
    /// The bytes that one is made of: 160 bits, more than which make it no
    /// safer.
    pub(super) const LEN: usize = 20;

    pub(super) fn new(bytes: [u8; Self::LEN]) -> Self {
        let mut padded = [0; 24];
        padded[4..].copy_from_slice(&bytes);
        Self(U192::from_be_slice(&padded))
    }

    /// What the other side gets: 2 to the power of it.
    pub(super) fn public_key(&self) -> [u8; KEY_LEN] {
        self.raise(&U768::from_u8(2))
    }

    /// The secret that both sides get out of the other one's public key.
    ///
    /// # Errors
    ///
    /// [`MseError::Key`] for 0, 1, the prime less one, and what is no less than
    /// the prime.
    pub(super) fn shared(&self, public_key: &[u8; KEY_LEN]) -> Result<[u8; KEY_LEN], MseError> {
        let key = U768::from_be_slice(public_key);
        let last = Prime::PARAMS.modulus().as_ref().wrapping_sub(&U768::ONE);
        if key <= U768::ONE || key >= last {
            return Err(MseError::Key);
        }
        Ok(self.raise(&key))
    }

    fn raise(&self, base: &U768) -> [u8; KEY_LEN] {
        let bits = 8 * Self::LEN as u32;
        let power = Element::new(base).pow_bounded_exp(&self.0, bits).retrieve();
        let mut out = [0; KEY_LEN];
        out.copy_from_slice(power.to_be_bytes().as_ref());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        assert_eq!(text.len(), 2 * N);
        core::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    }

    const PRIME: &str = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74\
        020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437\
        4fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563";

    /// Private keys, public keys and secrets, computed with Python's `pow`; the
    /// first two private keys are the SHA-1 of `A` and of `B`.
    const VECTORS: [[&str; 5]; 2] = [
        [
            "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b",
            "04a91fac325a9f49f0a336b912624546ea08243b9cec068dc00a83b2984b78bced551d90bd839c5a29559f5496f91b0cdd3e8f742b0a9d614497753fac6e5f2cb7f5868b240a71135b62dd526337c94d752f9a2e7f141ce3f11bca192d5bf4b9",
            "ae4f281df5a5d0ff3cad6371f76d5c29b6d953ec",
            "470e11c1439c180be5c11beb35ce475966e2bb2af81ce853ea7c6fb106aa1ed95fe82d1fde9b4f2c7121502c24990b7a36484f9120571bbedf33254720bee1176da979a5b0aabcbf6d859ca4c192ba710985736833122113f73057950c2b505f",
            "91fa7eaf3f0e908ca720bbab88f7fea4336ef315128e0e73939e1bd82bbce93f0f69cf1407659f6c02c5982a948730cda7a3143db001820b7e90460553b9d907194605489489597ba0b91bc9755446d1a87f4b4850b349398314d386114c698f",
        ],
        [
            "8000000000000000000000000000000000000001",
            "39d9ec44281d2e5ee3e81f11bc600293e32e6fe21bf4a8d82a918cd92429f339cfc86a83d144360f60944f1081c632e73f1b4e1916fa98ad18ddf39d1279b70bbdded9d119c93710877253c1ff2a61970eca4db07216d6d140b8c3182f76e172",
            "0000000000000000000000000000000000000002",
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000004",
            "f4d560a17b256a6c5ee4f7170b2e9ba4d6e24321dcafdd5d74e4413af851eeaeae5747db7ef21493ecc511a336ebf7e4fff32abe4ee964a1a8d8294857cd88eababd7504b10eebeab6107312f631f06d64fcc451b1d95582eb302f82031e4613",
        ],
    ];

    #[test]
    fn keys_and_secrets() {
        for [private_a, public_a, private_b, public_b, shared] in VECTORS {
            let (a, b) = (Secret::new(hex(private_a)), Secret::new(hex(private_b)));
            assert_eq!(a.public_key(), hex(public_a));
            assert_eq!(b.public_key(), hex(public_b));
            assert_eq!(a.shared(&hex(public_b)), Ok(hex(shared)));
            assert_eq!(b.shared(&hex(public_a)), Ok(hex(shared)));
        }
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        let secret = Secret::new([7; 20]);
        let prime: [u8; KEY_LEN] = hex(PRIME);
        let plus = |by: i8| {
            let mut key = prime;
            key[95] = key[95].wrapping_add_signed(by);
            key
        };
        let mut one = [0; KEY_LEN];
        one[95] = 1;
        for key in [[0; KEY_LEN], one, plus(-1), prime, plus(1), [0xff; KEY_LEN]] {
            assert_eq!(secret.shared(&key), Err(MseError::Key));
        }
        assert!(secret.shared(&plus(-2)).is_ok());
    }
}
