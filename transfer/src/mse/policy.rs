//! Who wants encryption.

/// What a user wants of encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// None, neither to others nor from them.
    Off,
    /// Others may have it; we connect in plain, and choose plain among what
    /// others offer.
    #[default]
    Allowed,
    /// We connect with it first, and choose RC4 among what others offer; who
    /// does without is served in plain.
    Preferred,
    /// No byte in plain, in either direction.
    Required,
}

impl Encryption {
    /// What to offer when we connect; `None` is to connect in plain.
    #[must_use]
    pub const fn offer(self) -> Option<Methods> {
        match self {
            Self::Off | Self::Allowed => None,
            Self::Preferred => Some(Methods::BOTH),
            Self::Required => Some(Methods::RC4),
        }
    }

    /// Whether a peer that connects may do so in plain.
    #[must_use]
    pub const fn accepts_plain(self) -> bool {
        !matches!(self, Self::Required)
    }

    /// Whether a peer that connects may do so encryptedly.
    #[must_use]
    pub const fn accepts_encrypted(self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Which of the methods that a peer offers is to be spoken.
    pub(super) const fn select(self, offered: Methods) -> Option<Method> {
        let (rc4, plain) = (offered.contains(Method::Rc4), offered.contains(Method::Plain));
        match self {
            Self::Off => None,
            Self::Allowed if plain => Some(Method::Plain),
            Self::Allowed | Self::Preferred | Self::Required if rc4 => Some(Method::Rc4),
            Self::Preferred if plain => Some(Method::Plain),
            Self::Allowed | Self::Preferred | Self::Required => None,
        }
    }
}

/// What is spoken after the encryption handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// No cipher.
    Plain = 1,
    /// RC4.
    Rc4 = 2,
}

/// A set of methods, as `crypto_provide` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods(pub(super) u32);

impl Methods {
    /// Plain alone.
    pub const PLAIN: Self = Self(Method::Plain as u32);
    /// RC4 alone.
    pub const RC4: Self = Self(Method::Rc4 as u32);
    /// Either.
    pub const BOTH: Self = Self(Method::Plain as u32 | Method::Rc4 as u32);

    /// Whether a method is among them.
    #[must_use]
    pub const fn contains(self, method: Method) -> bool {
        self.0 & method as u32 != 0
    }

    /// The one that a responder selected, which must be one of these.
    pub(super) fn selected(self, bits: u32) -> Option<Method> {
        [Method::Plain, Method::Rc4]
            .into_iter()
            .find(|method| bits == *method as u32 && self.contains(*method))
    }
}
