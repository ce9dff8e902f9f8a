//! Announces and scrapes over HTTP (BEP 3, 7, 23, 24, 31, 48): the query of the
//! request's URL, and the bencoded body of the reply. What carries them, HTTP
//! itself, is the host's.

mod reply;
mod request;

pub use reply::{
    AnnounceReply, DEFAULT_INTERVAL_S, Failure, MAX_PEERS, MAX_REPLY_BYTES, ReplyError, Retry,
    ScrapeReply, parse_announce_reply, parse_scrape_reply, write_announce_reply,
    write_compact_reply, write_failure, write_scrape_reply,
};
pub use request::{
    AnnounceRequest, MAX_QUERY_BYTES, QueryError, announce_url, parse_announce_query,
    parse_scrape_query, scrape_url,
};
