//! The parameters that the three dialects share, with defaults of their own.

use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use super::dialect::Dialect;
use crate::parts::postings::Intersect;
use crate::{Parameter, ParameterError, Parameters, Span};

const MS: Span = Span::from_ms(1);
const DAY: Span = Span::from_s(86_400);
const WEEK: Span = Span::from_s(7 * 86_400);
const MINUTE: Span = Span::from_s(60);
const HOUR: Span = Span::from_s(3600);

crate::parameters! {
    /// The parameters of Kademlia and its dialects. The defaults here are the
    /// paper's; Mainline and KAD change some of them.
    pub struct Settings {
        /// Bits of an identifier.
        pub id_bits: u32 = 160, in 1..=160;
        /// Contacts in a k-bucket, and nodes that a lookup ends with (§2.2, §2.3).
        pub k: usize = 20, in 1..=64;
        /// Requests that a lookup has under way at a time (§2.3).
        pub alpha: usize = 3, in 1..=32;
        /// Nodes that each record is stored at: the closest to its key.
        pub replicas: usize = 20, in 1..=64;
        /// How long a request waits for its answer.
        pub request_timeout: Span = Span::from_s(1), in MS..=HOUR;
        /// How often an unanswered request is sent again.
        pub retries: u8 = 1, in 0..=10;
        /// A bucket in whose range nothing was looked up for this long is
        /// refreshed.
        pub refresh: Span = HOUR, in Span::from_s(1)..=WEEK;
        /// A contact not heard of for this long is pinged before a newcomer is
        /// turned away from its full bucket; 0 pings each time (§2.2).
        pub questionable: Span = Span::from_s(900), in Span::ZERO..=WEEK;
        /// Requests in a row that a contact may leave unanswered before it is
        /// no longer used (§4.1).
        pub stale: u8 = 5, in 1..=100;
        /// Newcomers to a full bucket that wait for a place in it (§4.1).
        pub replacements: usize = 8, in 0..=64;
        /// Whether a node that sends a request must answer a ping before it is
        /// used.
        pub verify: bool = false;
        /// Whether firewalled nodes are read-only: they ask, but are in
        /// nobody's table and answer nothing (BEP 43).
        pub read_only: bool = false;
        /// Whether identifiers are bound to addresses (BEP 42).
        pub secure_ids: bool = false;
        /// Time between two copies of a record by those who hold it to those
        /// now closest to the key; 0 leaves it to the provider (§2.5).
        pub replicate: Span = HOUR, in Span::ZERO..=WEEK;
        /// Time between two announcements of a shared item by its provider.
        pub republish: Span = DAY, in MINUTE..=WEEK;
        /// The same under the words of its name.
        pub keyword_republish: Span = DAY, in MINUTE..=WEEK;
        /// How long a record is kept after its provider announced it.
        pub expire: Span = DAY, in MINUTE..=WEEK;
        /// The same for records under a keyword.
        pub keyword_expire: Span = DAY, in MINUTE..=WEEK;
        /// Whether a search leaves a copy at the closest node that it saw
        /// without one (§2.3).
        pub cache: bool = true;
        /// Whether a delete withdraws records, instead of waiting for them to
        /// expire.
        pub withdraw: bool = true;
        /// Whether a polite leave withdraws what the leaver provides, for a
        /// lookup per record. The papers have no farewell: who leaves sends
        /// nothing, and its records expire.
        pub farewell: bool = false;
        /// Whether storing takes a token from the node that is to store;
        /// Mainline's format alone has room for one.
        pub tokens: bool = false;
        /// Whether items are also published under the words of their names;
        /// Mainline's format has no room for that.
        pub keywords: bool = false;
        /// Where the posting lists of a query's words are put together. KAD has
        /// its own way, which is like `path`.
        pub intersect: Intersect = Intersect::Path;
        /// Leading bits that a key must share with a node that keeps it,
        /// unless the node is one of the closest it knows; 0 for no such rule.
        pub tolerance_bits: u32 = 0, in 0..=64;
        /// Whether a converged start prefers contacts that are near in the
        /// network below.
        pub proximity: bool = false;
        /// Records kept under one key.
        pub max_providers: usize = 1024, in 1..=65_536;
        /// Records that a node keeps.
        pub max_records: usize = 100_000, in 1..=10_000_000;
        /// Lookups that a node has under way at a time.
        pub max_lookups: usize = 1024, in 8..=65_536;
    }
}

/// The configuration of one dialect: the shared [`Settings`] with its own
/// defaults.
pub struct Config<D> {
    settings: Settings,
    dialect: PhantomData<fn() -> D>,
}

impl<D> Clone for Config<D> {
    fn clone(&self) -> Self {
        Self { settings: self.settings.clone(), dialect: PhantomData }
    }
}

impl<D> core::fmt::Debug for Config<D> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.settings.fmt(f)
    }
}

impl<D: Dialect> Default for Config<D> {
    fn default() -> Self {
        Self { settings: D::settings(), dialect: PhantomData }
    }
}

impl<D> Deref for Config<D> {
    type Target = Settings;
    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl<D> DerefMut for Config<D> {
    fn deref_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }
}

impl<D: Dialect> Parameters for Config<D> {
    fn set(&mut self, name: &str, value: &str) -> Result<(), ParameterError> {
        self.settings.set(name, value)
    }

    fn list(&self) -> Vec<Parameter> {
        self.settings.list()
    }
}

impl<D: Dialect> Config<D> {
    /// Bits of an identifier that count: no more than the wire format holds.
    pub(crate) fn bits(&self) -> u32 {
        self.id_bits.min(D::KEY_BYTES as u32 * 8)
    }
}
