//! Tokens: the right to announce, for those who asked before (BEP 5).

use crate::{Addr, Key, Span, Time};

/// How often the secret changes.
const SECRET_CHANGES: Span = Span::from_s(300);

/// Tokens of one node: SHA-1 over the asker's address and a secret. The secret
/// changes every five minutes, and a token of the one before is still good, so
/// that a token is accepted until it is five to ten minutes old.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tokens {
    /// What nobody else knows; the secret of a time follows from it.
    seed: u64,
}

impl Tokens {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    fn of_period(&self, addr: Addr, period: u64) -> Key {
        let mut text = [0; 20];
        // The address without the port: BEP 5 hashes the IP address.
        text[..4].copy_from_slice(&addr.to_bytes()[..4]);
        text[4..12].copy_from_slice(&self.seed.to_be_bytes());
        text[12..].copy_from_slice(&period.to_be_bytes());
        Key::hash(&text)
    }

    const fn period(now: Time) -> u64 {
        now.as_us() / SECRET_CHANGES.as_us()
    }

    /// The token for whoever is at `addr`.
    pub(super) fn give(&self, addr: Addr, now: Time) -> Box<[u8]> {
        self.of_period(addr, Self::period(now)).to_bytes().into()
    }

    /// Whether `token` is one given to `addr` lately.
    pub(super) fn accept(&self, token: &[u8], addr: Addr, now: Time) -> bool {
        let period = Self::period(now);
        let given = |p| self.of_period(addr, p).to_bytes() == token;
        given(period) || period > 0 && given(period - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_five_to_ten_minutes() {
        let tokens = Tokens::new(7);
        let (one, two) = (Addr::from_index(1), Addr::from_index(2));
        let at = |s: u64| Time::from_us(s * 1_000_000);
        for given in [0, 1, 150, 299, 300, 1234] {
            let token = tokens.give(one, at(given));
            assert!(tokens.accept(&token, one, at(given)));
            assert!(tokens.accept(&token, one, at(given + 300)));
            assert!(!tokens.accept(&token, one, at(given + 601)));
            assert!(!tokens.accept(&token, two, at(given)), "it is bound to an address");
        }
        assert!(!tokens.accept(b"", one, at(5)));
        assert!(!Tokens::new(8).accept(&tokens.give(one, at(5)), one, at(5)));
    }

    #[test]
    fn the_port_does_not_count() {
        let tokens = Tokens::new(7);
        let [one, other] = [[1, 2, 3, 4, 0, 1], [1, 2, 3, 4, 0, 2]].map(Addr::from_bytes);
        assert!(tokens.accept(&tokens.give(one, Time::ZERO), other, Time::ZERO));
    }
}
