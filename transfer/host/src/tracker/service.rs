//! What the tracker answers, for both protocols, apart from its sockets.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use transfer::tracker::{Announce, ConnectionIds, Refusal, Reply, Swarms};
use transfer::tracker_wire;
use transfer::tracker_wire::http::{self, Failure, QueryError, Retry, ScrapeReply};
use transfer::tracker_wire::udp::{self, Request};

use super::counters::Counters;
use super::head::{self, Head, HeadError};
use super::options::Options;

/// How many peers fit into a datagram that no network on the way splits: 1,232
/// bytes, what IPv6 guarantees, for an IPv6 client, and 1,472, an Ethernet
/// frame's, for an IPv4 client.
const UDP_ROOM_V4: u32 = (1472 - 20) / 6;
const UDP_ROOM_V6: u32 = (1232 - 20) / 18;

/// How many torrents an HTTP scrape names at most: more do not fit into a head.
const MAX_SCRAPE: usize = 512;

/// How many bytes of replies one connection may have outstanding: requests
/// behind wait until the client has read.
pub(super) const MAX_OUTPUT_LEN: usize = 64 * 1024;

/// The swarms, and how to speak of them.
pub(super) struct Service {
    pub(super) swarms: Swarms,
    pub(super) counters: Counters,
    ids: ConnectionIds,
    rng: Xoshiro256PlusPlus,
    reply: Reply,
    body: Vec<u8>,
    trusts_addresses: bool,
}

/// What became of the requests of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Served {
    /// How many bytes of the input are done with.
    pub(super) consumed: usize,
    /// How many requests were answered.
    pub(super) requests: usize,
    /// Whether the connection ends after the replies.
    pub(super) closes: bool,
    /// Whether it ends because of an error, with input that nobody reads.
    pub(super) is_refused: bool,
}

impl Service {
    /// With 48 bytes that nobody can guess.
    pub(super) fn new(options: &Options, secret: [u64; 6]) -> Self {
        let [table_a, table_b, ids_a, ids_b, seed_a, seed_b] = secret;
        Self {
            swarms: Swarms::new(options.config.clone(), [table_a, table_b]),
            counters: Counters::default(),
            ids: ConnectionIds::new([ids_a, ids_b]),
            rng: Xoshiro256PlusPlus::seed_from_u64(seed_a ^ seed_b.rotate_left(32)),
            reply: Reply::default(),
            body: Vec::new(),
            trusts_addresses: options.trusts_addresses,
        }
    }

    /// Answers all whole requests in `input`, of which `scanned` bytes are
    /// known to hold no end of a head.
    pub(super) fn http(
        &mut self,
        input: &[u8],
        scanned: usize,
        from: SocketAddr,
        now_us: u64,
        out: &mut Vec<u8>,
    ) -> Served {
        let mut served = Served::default();
        let mut scanned = scanned;
        while !served.closes && served.consumed < input.len() && out.len() < MAX_OUTPUT_LEN {
            match head::parse(&input[served.consumed..], scanned) {
                Ok(None) => break,
                Ok(Some((head, len))) => {
                    served.consumed += len;
                    served.requests += 1;
                    served.closes = !head.keeps_alive;
                    scanned = 0;
                    self.request(&head, from, now_us, out);
                }
                Err(error) => {
                    self.counters.http_malformed += 1;
                    served = Served { closes: true, is_refused: true, ..served };
                    refuse(error, out);
                }
            }
        }
        served
    }

    fn request(&mut self, head: &Head<'_>, from: SocketAddr, now_us: u64, out: &mut Vec<u8>) {
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        let status = match head.path {
            "/announce" => {
                self.counters.http_announces += 1;
                self.answer(&mut body, |service, body| {
                    service.http_announce(head.query, from, now_us, body)
                })
            }
            "/scrape" => {
                self.counters.http_scrapes += 1;
                self.answer(&mut body, |service, body| service.http_scrape(head.query, body))
            }
            "/metrics" => {
                self.counters.write_metrics(self.swarms.figures(), &mut body);
                "200 OK"
            }
            _ => {
                self.counters.http_not_found += 1;
                body.extend_from_slice(b"There are /announce, /scrape and /metrics.\n");
                "404 Not Found"
            }
        };
        write_response(status, "", head.keeps_alive, &body, out);
        self.body = body;
    }

    /// Tells a client of its mistake in place of an answer. Trackers do that
    /// with the status of success, for clients look no further at others.
    fn answer(
        &mut self,
        body: &mut Vec<u8>,
        answer: impl FnOnce(&mut Self, &mut Vec<u8>) -> Result<(), QueryError>,
    ) -> &'static str {
        if let Err(error) = answer(self, body) {
            self.counters.http_malformed += 1;
            write_failure(error, body);
        }
        "200 OK"
    }

    fn http_announce(
        &mut self,
        query: &str,
        from: SocketAddr,
        now_us: u64,
        body: &mut Vec<u8>,
    ) -> Result<(), QueryError> {
        let told = http::parse_announce_query(query.as_bytes())?.announce;
        match self.announce(&told, from, true, now_us) {
            Ok(()) => {
                let Reply { figures, peers, peers6 } = &self.reply;
                let config = self.swarms.config();
                let intervals = (config.interval_s, config.min_interval_s);
                http::write_compact_reply(body, intervals, *figures, peers, peers6);
            }
            Err(refusal) => write_failure(refusal, body),
        }
        Ok(())
    }

    fn http_scrape(&mut self, query: &str, body: &mut Vec<u8>) -> Result<(), QueryError> {
        let hashes = http::parse_scrape_query(query.as_bytes(), MAX_SCRAPE)?;
        if hashes.is_empty() {
            // A list of everything would cost us more than the question costs.
            return Err(QueryError::Missing("info_hash"));
        }
        let torrents = hashes.into_iter().map(|hash| (hash, self.swarms.scrape(&hash))).collect();
        http::write_scrape_reply(body, &ScrapeReply { torrents, min_interval_s: None });
        Ok(())
    }

    fn announce(
        &mut self,
        told: &tracker_wire::Announce,
        from: SocketAddr,
        is_http: bool,
        now_us: u64,
    ) -> Result<(), Refusal> {
        let from = from.ip().to_canonical();
        let ip = told.ip.filter(|_| self.trusts_addresses).unwrap_or(from);
        let announce = Announce {
            info_hash: told.info_hash,
            address: SocketAddr::new(ip, told.port),
            event: told.event,
            is_seed: told.left == 0,
            key: told.key.unwrap_or(0),
            want: told.num_want,
            room: match from {
                _ if is_http => u32::MAX,
                IpAddr::V4(_) => UDP_ROOM_V4,
                IpAddr::V6(_) => UDP_ROOM_V6,
            },
            both_families: is_http,
        };
        let result = self.swarms.announce(&announce, now_us, &mut self.rng, &mut self.reply);
        self.counters.refused += u64::from(result.is_err());
        result
    }

    /// Appends the answer to a datagram, if there is one.
    pub(super) fn datagram(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        now_us: u64,
        out: &mut Vec<u8>,
    ) {
        let Ok(request) = Request::decode(datagram) else {
            self.counters.udp_malformed += 1;
            return;
        };
        let family = udp::Family::of(&from);
        match request {
            Request::Connect { transaction } => {
                self.counters.udp_connects += 1;
                let connection = self.ids.issue(from.ip(), now_us);
                udp::Reply::Connect { transaction, connection }.encode(out, family);
            }
            Request::Announce { connection, transaction, .. }
            | Request::Scrape { connection, transaction, .. }
                if !self.ids.is_valid(connection, from.ip(), now_us) =>
            {
                // The sender may be forged; the answer is shorter than the
                // shortest scrape, so nobody gains by that.
                self.counters.udp_bad_connections += 1;
                write_error(out, transaction, "connection id unknown");
            }
            Request::Announce { transaction, announce, .. } => {
                self.counters.udp_announces += 1;
                match self.announce(&announce, from, false, now_us) {
                    Ok(()) => {
                        let Reply { figures, peers, peers6 } = &self.reply;
                        let is_ipv4 = from.ip().to_canonical().is_ipv4();
                        let peers = if is_ipv4 { peers } else { peers6 };
                        let interval_s = self.swarms.config().interval_s;
                        udp::write_compact_reply(out, transaction, interval_s, *figures, peers);
                    }
                    Err(refusal) => write_error(out, transaction, refusal.reason()),
                }
            }
            Request::Scrape { transaction, torrents, .. } => {
                self.counters.udp_scrapes += 1;
                let torrents = torrents.iter().map(|hash| self.swarms.scrape(hash)).collect();
                udp::Reply::Scrape { transaction, torrents }.encode(out, family);
            }
        }
    }
}

fn write_error(out: &mut Vec<u8>, transaction: u32, message: &str) {
    let message = message.to_string();
    udp::Reply::Error { transaction, message }.encode(out, udp::Family::V4);
}

fn refuse(error: HeadError, out: &mut Vec<u8>) {
    let status = error.status();
    let extra = if error == HeadError::Method { "Allow: GET\r\n" } else { "" };
    write_response(status, extra, false, format!("{status}\n").as_bytes(), out);
}

fn write_response(status: &str, extra: &str, keeps_alive: bool, body: &[u8], out: &mut Vec<u8>) {
    let connection = if keeps_alive { "keep-alive" } else { "close" };
    write_text(
        out,
        format_args!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
             Connection: {connection}\r\n{extra}\r\n",
            body.len()
        ),
    );
    out.extend_from_slice(body);
}

fn write_failure(reason: impl std::fmt::Display, body: &mut Vec<u8>) {
    http::write_failure(body, &Failure { reason: reason.to_string(), retry: Retry::Unsaid });
}

/// Memory takes all that is written to it.
pub(super) fn write_text(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).unwrap_or_default();
}
