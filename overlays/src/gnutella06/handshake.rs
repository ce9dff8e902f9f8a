//! The handshake in text: three blocks of headers, as in HTTP.

use core::fmt::Write as _;

use crate::parts::servent::MAX_TRY;
use crate::seam::wire::Problem;
use crate::seam::{Addr, Reader, WireError};

/// The longest block that is read, in bytes.
const MAX_BLOCK_BYTES: usize = 4096;

/// What ends a block.
const END: &[u8] = b"\r\n\r\n";

/// How a dialler begins.
pub const GREETING: &str = "GNUTELLA CONNECT/0.6";
/// How an answer begins, before its code.
pub const ANSWER: &str = "GNUTELLA/0.6 ";

/// The headers that decide something here. Others are sent, or ignored.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Headers {
    /// `X-Ultrapeer`: whether the sender is, or offers to be, an ultrapeer.
    pub ultrapeer: Option<bool>,
    /// `X-Ultrapeer-Needed`: whether it would rather have an ultrapeer (true)
    /// or a leaf (false) at the other end.
    pub ultrapeer_needed: Option<bool>,
    /// `Listen-IP`: where it accepts connections. Firewalled servents leave it
    /// out.
    pub listen: Option<Addr>,
    /// `X-Degree`: links that it keeps to other ultrapeers.
    pub degree: Option<u8>,
    /// `X-Max-TTL`: highest TTL that it lets pass.
    pub max_ttl: Option<u8>,
    /// `X-Try-Ultrapeers`: hosts to turn to instead, at most [`MAX_TRY`].
    pub try_ultrapeers: Vec<Addr>,
}

impl Headers {
    /// The lines of the block after the first, and the empty line.
    fn text(&self) -> String {
        let mut text = String::from("User-Agent: overlab/0.1\r\n");
        let flag = |yes| if yes { "True" } else { "False" };
        let mut line = |name: &str, value: &dyn core::fmt::Display| {
            let _ = write!(text, "{name}: {value}\r\n");
        };
        if let Some(listen) = self.listen {
            line("Listen-IP", &listen.to_socket());
        }
        if let Some(ultrapeer) = self.ultrapeer {
            line("X-Ultrapeer", &flag(ultrapeer));
            line("X-Query-Routing", &"0.1");
            if ultrapeer {
                line("X-Ultrapeer-Query-Routing", &"0.1");
                line("X-Dynamic-Querying", &"0.1");
                line("X-Ext-Probes", &"0.1");
            }
            line("Pong-Caching", &"0.1");
            line("Bye-Packet", &"0.1");
            line("GGEP", &"0.5");
        }
        if let Some(needed) = self.ultrapeer_needed {
            line("X-Ultrapeer-Needed", &flag(needed));
        }
        if let Some(degree) = self.degree {
            line("X-Degree", &degree);
        }
        if let Some(max_ttl) = self.max_ttl {
            line("X-Max-TTL", &max_ttl);
        }
        if !self.try_ultrapeers.is_empty() {
            let hosts: Vec<String> =
                self.try_ultrapeers.iter().map(|a| a.to_socket().to_string()).collect();
            line("X-Try-Ultrapeers", &hosts.join(","));
        }
        text.push_str("\r\n");
        text
    }

    /// Takes in one header line. Names are of either case.
    fn take(&mut self, name: &str, value: &str) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("X-Ultrapeer") {
            self.ultrapeer = flag(value);
        } else if is("X-Ultrapeer-Needed") {
            self.ultrapeer_needed = flag(value);
        } else if is("Listen-IP") {
            self.listen = socket(value);
        } else if is("X-Degree") {
            self.degree = value.parse().ok();
        } else if is("X-Max-TTL") {
            self.max_ttl = value.parse().ok();
        } else if is("X-Try-Ultrapeers") || is("X-Try") {
            let hosts = value.split(',').filter_map(|host| socket(host.trim()));
            let room = MAX_TRY.saturating_sub(self.try_ultrapeers.len());
            self.try_ultrapeers.extend(hosts.take(room));
        }
    }
}

fn flag(value: &str) -> Option<bool> {
    if value.eq_ignore_ascii_case("true") {
        Some(true)
    } else if value.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn socket(value: &str) -> Option<Addr> {
    value.parse().ok().map(Addr::from_socket)
}

/// The block with which a dialler begins.
pub fn connect_text(headers: &Headers) -> String {
    format!("{GREETING}\r\n{}", headers.text())
}

/// The block that answers, on either side.
pub fn answer_text(code: u16, headers: &Headers) -> String {
    let reason = match code {
        200 => "OK",
        503 => "Service unavailable",
        _ => "No",
    };
    format!("{ANSWER}{code} {reason}\r\n{}", headers.text())
}

/// A block as it was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Block {
    /// `GNUTELLA CONNECT/0.6`
    Connect(Headers),
    /// `GNUTELLA/0.6 code reason`
    Answer(u16, Headers),
}

/// Takes the text up to and with the first empty line.
///
/// # Errors
/// When there is none within reach, or the text is not UTF-8.
pub fn take_block<'a>(r: &mut Reader<'a>) -> Result<&'a str, WireError> {
    let mut ahead = r.clone();
    let rest = ahead.take(ahead.remaining().min(MAX_BLOCK_BYTES), "block")?;
    let Some(len) = rest.windows(END.len()).position(|end| end == END) else {
        return Err(WireError { offset: r.offset(), field: "block", problem: Problem::Short(1) });
    };
    let bytes = r.take(len + END.len(), "block")?;
    core::str::from_utf8(&bytes[..len]).map_err(|_| WireError {
        offset: r.offset(),
        field: "block",
        problem: Problem::NotText,
    })
}

/// Reads one block of the handshake. Higher minor versions are accepted.
///
/// # Errors
/// When it is no such block.
pub fn read_block(r: &mut Reader<'_>) -> Result<Block, WireError> {
    let text = take_block(r)?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let mut headers = Headers::default();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        headers.take(name.trim(), value.trim());
    }
    if first.starts_with("GNUTELLA CONNECT/0.") {
        return Ok(Block::Connect(headers));
    }
    let code = first.strip_prefix("GNUTELLA/0.").and_then(|rest| rest.split(' ').nth(1));
    match code.and_then(|code| code.parse().ok()) {
        Some(code) => Ok(Block::Answer(code, headers)),
        None => Err(r.invalid("handshake", 0)),
    }
}
