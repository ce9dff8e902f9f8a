//! What users of nodes ask for.

use std::sync::Arc;

use overlays::{Addr, Item, Key, Query, Target};

use super::operations::Verb;

/// What the user of a node asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Enter the network through these members.
    Join(Vec<Addr>),
    /// Leave politely; the node stops when that is done.
    Leave,
    /// Share an item.
    Insert(Arc<Item>),
    /// Stop sharing the item with this key.
    Delete(Key),
    /// Search.
    Search(Query),
    /// Find the node responsible for a key.
    Locate(Key),
}

impl Request {
    /// The verb.
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Join(_) => Verb::Join,
            Self::Leave => Verb::Leave,
            Self::Insert(_) => Verb::Insert,
            Self::Delete(_) => Verb::Delete,
            Self::Search(Query { target: Target::Exact(_), .. }) => Verb::Search,
            Self::Search(_) => Verb::KeywordSearch,
            Self::Locate(_) => Verb::Locate,
        }
    }

    /// What it is about, as recordings show it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Join(via) => format!("via {via:?}"),
            Self::Leave => String::new(),
            Self::Insert(item) => item.name().into(),
            Self::Delete(key) | Self::Locate(key) => key.to_string(),
            Self::Search(query) => match &query.target {
                Target::Exact(key) => key.to_string(),
                Target::Keywords(words) => words.to_text(),
            },
        }
    }
}
