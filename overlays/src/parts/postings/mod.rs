//! Keyword search on top of any distributed hash table.
//!
//! A plain DHT finds an item by its key alone. With its keyword index switched
//! on, a provider stores its record once more under the hash of every word of
//! the name: all records under one word are that word's *posting list*. The
//! DHT keeps, copies and hands over these records as it does all others; this
//! organ says where they belong ([`Posting`]), how a search puts lists together
//! ([`Sift`], [`Searches`]) and when an insert of many records is through
//! ([`Publications`]).
//!
//! A search looks its words up one way or the other ([`Intersect`]):
//!
//! * At the *asker*: it fetches the list of every word, page by page, and
//!   keeps what is on all of them.
//! * Along the *path*: the query goes to the owner of its longest word, which
//!   picks from its list what matches the whole query, since a posting holds
//!   the name, and answers the asker. Only where that list is known to be cut
//!   short, the query travels on to the next word's owner with what was found.
//!   (Carrying what is left along the owners is Reynolds and Vahdat, Middleware
//!   2003; asking one owner with the whole expression is KAD.)
//!
//! Words differ in use as much as items in popularity, so that lists must be
//! bounded: one that has reached the DHT's `max_postings` refuses further
//! records and is *hot* from then on. A hot list says what is there but not
//! what is not: the asker does not count a record out because a hot list lacks
//! it, and a query along the path goes on. Where every word is hot, the answer
//! is what the lists have, and may be incomplete.

mod host;
mod posting;
mod publications;
mod searches;
mod sift;
#[cfg(test)]
mod tests;

pub use host::{KeywordHost, KeywordWork, PostingHost};
pub use posting::{HotLists, Posting, WHOLE, keyword_key};
pub use publications::Publications;
pub use searches::{Ended, Progress, Searches};
pub use sift::{List, PAGE, Place, Sift, Sifted, Step, Way};

crate::choice! {
    /// Where the posting lists of a query's words are put together.
    pub enum Intersect {
        /// At the asker, which fetches every list.
        Asker = "asker",
        /// Along the path of the query from owner to owner.
        Path = "path",
    }
}
