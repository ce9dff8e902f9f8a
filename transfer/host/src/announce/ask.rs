//! Asking a tracker, on a thread of its own (BEP 3, 15, 23).
//!
//! A name may take long to resolve and a tracker long to answer, and neither
//! happens often: a short-lived thread per question is simple and costs nothing
//! in between. The event loop is woken by the answer.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use transfer::tracker_wire::Announce;
use transfer::tracker_wire::http::{
    self, AnnounceRequest, MAX_REPLY_BYTES, ReplyError, Retry, announce_url,
};
use transfer::tracker_wire::udp::{self, Family, Reply, Request};

use super::{Peers, Question, Refusal};

/// Redirections of one question.
const MAX_REDIRECTS: u32 = 5;

/// Asks a tracker and waits for its answer.
///
/// # Errors
/// Why there is none.
pub fn ask(question: &Question, announce: Announce, salt: u32) -> Result<Peers, Refusal> {
    let url = question.url.as_str();
    match url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()).as_deref() {
        Some("http" | "https") => ask_http(question, announce),
        Some("udp") => ask_udp(question, announce, salt),
        _ => Err(refuse(format!("{url}: neither http, https nor udp"))),
    }
}

fn refuse(reason: impl ToString) -> Refusal {
    Refusal { reason: reason.to_string(), never: false }
}

fn ask_http(question: &Question, announce: Announce) -> Result<Peers, Refusal> {
    let mut request = AnnounceRequest::new(announce);
    request.tracker_id = question.tracker_id.clone();
    let url = announce_url(&question.url, &request);
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(question.patience))
        .max_redirects(MAX_REDIRECTS)
        // A refusal comes with any status, and its body says why.
        .http_status_as_error(false)
        .user_agent(concat!("overlab/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut response = agent.get(&url).call().map_err(refuse)?;
    let status = response.status();
    let body = response
        .body_mut()
        .with_config()
        .limit(MAX_REPLY_BYTES as u64)
        .read_to_vec()
        .map_err(refuse)?;
    match http::parse_announce_reply(&body) {
        Ok(reply) => Ok(Peers {
            interval_s: reply.interval_s,
            min_interval_s: reply.min_interval_s,
            peers: reply.peers.iter().map(|peer| peer.addr).collect(),
            warning: reply.warning,
            tracker_id: reply.tracker_id,
        }),
        Err(ReplyError::Failure(failure)) => {
            Err(Refusal { never: failure.retry == Retry::Never, reason: failure.reason })
        }
        Err(_) if !status.is_success() => Err(refuse(format!("HTTP status {status}"))),
        Err(error) => Err(refuse(format!("its answer is none: {error}"))),
    }
}

fn ask_udp(question: &Question, announce: Announce, salt: u32) -> Result<Peers, Refusal> {
    let (host, path) = host_of(&question.url)
        .ok_or_else(|| refuse(format!("{}: no host and port", question.url)))?;
    let end = Instant::now() + question.patience;
    let mut last = refuse(format!("{host}: no such host"));
    for addr in host.to_socket_addrs().map_err(|error| refuse(format!("{host}: {error}")))? {
        match Exchange::open(addr, end, salt).and_then(|exchange| exchange.run(&announce, path)) {
            Ok(outcome) => return outcome,
            Err(error) => last = refuse(format!("{addr}: {error}")),
        }
    }
    Err(last)
}

/// `host:port`, and the path that follows it, of a `udp://` URL.
fn host_of(url: &str) -> Option<(&str, &str)> {
    let (_, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    host.rsplit_once(':')?;
    Some((host, path))
}

/// The datagrams of one question.
struct Exchange {
    socket: UdpSocket,
    family: Family,
    end: Instant,
    transaction: u32,
}

impl Exchange {
    fn open(addr: SocketAddr, end: Instant, salt: u32) -> io::Result<Self> {
        let any: SocketAddr = match addr {
            SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
            SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        // From others nothing is received then.
        socket.connect(addr)?;
        Ok(Self { socket, family: Family::of(&addr), end, transaction: salt })
    }

    fn run(mut self, announce: &Announce, path: &str) -> io::Result<Result<Peers, Refusal>> {
        let transaction = self.next_transaction();
        let mut datagram = Vec::new();
        Request::Connect { transaction }.encode(&mut datagram);
        let connection = match self.exchange(&datagram, transaction)? {
            Reply::Connect { connection, .. } => connection,
            Reply::Error { message, .. } => return Ok(Err(refuse(message))),
            _ => return Ok(Err(refuse("its answer is to something else"))),
        };
        let transaction = self.next_transaction();
        let announce = announce.clone();
        datagram.clear();
        Request::Announce { connection, transaction, announce }.encode(&mut datagram);
        if path.len() > 1 {
            udp::write_url_data(&mut datagram, path);
        }
        Ok(match self.exchange(&datagram, transaction)? {
            Reply::Announce { interval_s, peers, .. } => {
                Ok(Peers { interval_s, peers, ..Peers::default() })
            }
            Reply::Error { message, .. } => Err(refuse(message)),
            _ => Err(refuse("its answer is to something else")),
        })
    }

    fn next_transaction(&mut self) -> u32 {
        self.transaction = self.transaction.wrapping_mul(0x9e37_79b1).wrapping_add(1);
        self.transaction
    }

    /// Sends until an answer comes: again after 15 s, 30 s, and so on.
    fn exchange(&self, datagram: &[u8], transaction: u32) -> io::Result<Reply> {
        let mut buffer = vec![0; udp::MAX_DATAGRAM];
        for n in 0.. {
            self.socket.send(datagram)?;
            let again = Instant::now() + Duration::from_secs(u64::from(udp::timeout_s(n)));
            let wait_until = again.min(self.end);
            while let Some(left) = remaining(wait_until) {
                self.socket.set_read_timeout(Some(left))?;
                match self.socket.recv(&mut buffer) {
                    Ok(len) => {
                        if let Ok(reply) = Reply::decode(&buffer[..len], self.family)
                            && reply.transaction() == transaction
                        {
                            return Ok(reply);
                        }
                    }
                    Err(error) if is_timeout(&error) => {}
                    Err(error) => return Err(error),
                }
            }
            if remaining(self.end).is_none() {
                break;
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// The time until then; none if that is over.
fn remaining(end: Instant) -> Option<Duration> {
    end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}

fn is_timeout(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_paths() {
        assert_eq!(host_of("udp://a.b:80/announce?x=1"), Some(("a.b:80", "/announce?x=1")));
        assert_eq!(host_of("udp://[::1]:6969"), Some(("[::1]:6969", "")));
        assert_eq!(host_of("udp://nowhere/announce"), None);
    }
}
