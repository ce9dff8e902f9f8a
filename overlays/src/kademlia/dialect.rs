//! What sets Kademlia, Mainline and KAD apart.

use core::fmt;

use super::config::{Config, Settings};
use super::contact::Contact;
use super::message::{Body, Message};
use crate::parts::postings::keyword_key;
use crate::{About, Key, Profile, Reader, WireError, Writer};

/// A protocol of the Kademlia family: its defaults and its wire format. What
/// its nodes do is the same code for all, steered by [`Settings`].
pub trait Dialect: Clone + fmt::Debug + PartialEq + Send + Sync + 'static {
    /// Name, source and theory.
    const ABOUT: About;
    /// The names of its message kinds.
    const KINDS: &'static [&'static str];
    /// Bytes of an identifier on the wire.
    const KEY_BYTES: usize = Key::BYTES;
    /// Whether records name their items. Where they do not, a searcher asks
    /// the providers what they have.
    const NAMES_ITEMS: bool = true;
    /// How many records a search is taken to want where its messages do not
    /// say.
    const WANTED: Option<u16> = None;

    /// Whether word searches go by the organ that all DHTs share
    /// ([`crate::parts::postings`]), for which its messages have room.
    const SIFTS: bool = false;

    /// Its parameters by default.
    fn settings() -> Settings;

    /// The identifier of the node with this profile.
    fn id(config: &Config<Self>, profile: &Profile) -> Key {
        profile.id.truncated(config.bits())
    }

    /// Whether a node with this identifier and address is worth a place in a
    /// table.
    fn may_be_known(_: &Config<Self>, _: &Contact) -> bool {
        true
    }

    /// Under which key a word's records are kept.
    fn word_key(word: &str) -> Key {
        keyword_key(word)
    }

    /// Which of [`Dialect::KINDS`] a body is.
    fn kind(body: &Body) -> usize;

    /// How many bytes [`Dialect::encode`] writes.
    fn encoded_len(message: &Message<Self>) -> usize;

    /// Writes a message.
    fn encode(message: &Message<Self>, w: &mut Writer);

    /// Reads a message.
    ///
    /// # Errors
    /// When the bytes are not a message.
    fn decode(r: &mut Reader<'_>) -> Result<Message<Self>, WireError>;
}
