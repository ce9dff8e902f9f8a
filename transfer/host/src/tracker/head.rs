//! The head of an HTTP request (RFC 9112), as far as a tracker needs it.

/// How long a request's head may be, in bytes: room for a scrape of a hundred
/// torrents.
pub(super) const MAX_HEAD_LEN: usize = 8 * 1024;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// The path, without the query.
    pub(super) path: &'a str,
    /// What follows the question mark, still encoded.
    pub(super) query: &'a str,
    /// Whether the connection stays open after the reply.
    pub(super) keeps_alive: bool,
}

/// Why a request is not served; the connection closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadError {
    /// It is no HTTP, or not what we speak of it.
    Malformed,
    /// Another method than GET.
    Method,
    /// A body, which no request to a tracker has.
    Body,
    /// Longer than [`MAX_HEAD_LEN`].
    TooLong,
    /// A major version other than 1.
    Version,
}

impl HeadError {
    /// The status line's code and words.
    pub(super) const fn status(self) -> &'static str {
        match self {
            Self::Malformed => "400 Bad Request",
            Self::Method => "405 Method Not Allowed",
            Self::Body => "413 Content Too Large",
            Self::TooLong => "431 Request Header Fields Too Large",
            Self::Version => "505 HTTP Version Not Supported",
        }
    }
}

/// Reads the first request head in `input`: the head and its length in bytes,
/// or nothing when more bytes are needed. Of `input`, the first `scanned` bytes
/// are known to contain no end of a head.
///
/// # Errors
/// When it cannot become a request that we serve.
pub(super) fn parse(input: &[u8], scanned: usize) -> Result<Option<(Head<'_>, usize)>, HeadError> {
    // RFC 9112, 2.2: a server should skip an empty line before the request.
    let blank = input.iter().take_while(|&&byte| byte == b'\r' || byte == b'\n').count();
    let Some(end) = find_end(input, blank.max(scanned.saturating_sub(3))) else {
        return if input.len() >= MAX_HEAD_LEN { Err(HeadError::TooLong) } else { Ok(None) };
    };
    if end > MAX_HEAD_LEN {
        return Err(HeadError::TooLong);
    }
    let text = str::from_utf8(&input[blank..end]).map_err(|_| HeadError::Malformed)?;
    let (line, fields) = text.split_once('\n').ok_or(HeadError::Malformed)?;
    let mut words = line.trim_end_matches('\r').split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(HeadError::Malformed);
    };
    let mut keeps_alive = match version {
        "HTTP/1.1" => true,
        "HTTP/1.0" => false,
        _ if version.starts_with("HTTP/1.") => true,
        _ if version.starts_with("HTTP/") => return Err(HeadError::Version),
        _ => return Err(HeadError::Malformed),
    };
    if method != "GET" {
        let is_token = !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphabetic());
        return Err(if is_token { HeadError::Method } else { HeadError::Malformed });
    }
    for field in fields.lines().take_while(|line| !line.is_empty()) {
        let (name, value) = field.split_once(':').ok_or(HeadError::Malformed)?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("connection") {
            for option in value.split(',').map(str::trim) {
                if option.eq_ignore_ascii_case("close") {
                    keeps_alive = false;
                } else if option.eq_ignore_ascii_case("keep-alive") {
                    keeps_alive = true;
                }
            }
        } else if name.eq_ignore_ascii_case("content-length") && value != "0"
            || name.eq_ignore_ascii_case("transfer-encoding")
        {
            return Err(HeadError::Body);
        }
    }
    let target = origin_form(target).ok_or(HeadError::Malformed)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Some((Head { path, query, keeps_alive }, end)))
}

/// The target without scheme and host, which a client that takes us for a
/// proxy sends along.
fn origin_form(target: &str) -> Option<&str> {
    if target.starts_with('/') {
        return Some(target);
    }
    let rest = target.strip_prefix("http://")?;
    Some(rest.find('/').map_or("/", |slash| &rest[slash..]))
}

/// Where the first head after `from` ends: behind an empty line.
fn find_end(input: &[u8], from: usize) -> Option<usize> {
    let mut position = from;
    loop {
        let line_end = position + input.get(position..)?.iter().position(|&b| b == b'\n')?;
        match &input[line_end + 1..] {
            [b'\n', ..] => return Some(line_end + 2),
            [b'\r', b'\n', ..] => return Some(line_end + 3),
            _ => position = line_end + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head<'a>(path: &'a str, query: &'a str, keeps_alive: bool) -> Head<'a> {
        Head { path, query, keeps_alive }
    }

    #[test]
    fn requests_are_read() {
        let cases: [(&str, Head<'_>); 8] = [
            ("GET /announce?a=b HTTP/1.1\r\nHost: x\r\n\r\n", head("/announce", "a=b", true)),
            ("GET /announce?a=b HTTP/1.0\r\n\r\n", head("/announce", "a=b", false)),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", head("/", "", true)),
            ("GET / HTTP/1.1\r\nconnection:close\r\n\r\n", head("/", "", false)),
            ("GET / HTTP/1.1\r\nConnection: TE, close\r\n\r\n", head("/", "", false)),
            ("GET /s?x HTTP/1.1\nHost: y\n\n", head("/s", "x", true)),
            ("\r\nGET /s?x?y HTTP/1.1\r\nContent-Length: 0\r\n\r\n", head("/s", "x?y", true)),
            ("GET http://h:1/a?b HTTP/1.1\r\n\r\n", head("/a", "b", true)),
        ];
        for (text, expected) in cases {
            let (head, len) = parse(text.as_bytes(), 0).unwrap().unwrap();
            assert_eq!((head, len), (expected, text.len()), "{text}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let cases = [
            ("\x16\x03\x01\x02\x00\n\n", HeadError::Malformed),
            ("\x13BitTorrent protocol\n\n", HeadError::Malformed),
            ("GET /\r\n\r\n", HeadError::Malformed),
            ("GET / x HTTP/1.1\r\n\r\n", HeadError::Malformed),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", HeadError::Malformed),
            ("GET ftp://x/ HTTP/1.1\r\n\r\n", HeadError::Malformed),
            ("POST / HTTP/1.1\r\n\r\n", HeadError::Method),
            ("HEAD / HTTP/1.1\r\n\r\n", HeadError::Method),
            ("GET / HTTP/2.0\r\n\r\n", HeadError::Version),
            ("GET / HTTP/1.1\r\nContent-Length: 7\r\n\r\n", HeadError::Body),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", HeadError::Body),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text.as_bytes(), 0), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn a_head_has_a_bound() {
        let mut long = b"GET /".to_vec();
        long.resize(MAX_HEAD_LEN - 1, b'a');
        assert_eq!(parse(&long, 0), Ok(None));
        long.push(b'a');
        assert_eq!(parse(&long, 0), Err(HeadError::TooLong));
        long.extend_from_slice(b" HTTP/1.1\r\n\r\n");
        assert_eq!(parse(&long, 0), Err(HeadError::TooLong));
    }

    proptest! {
        #[test]
        fn a_head_in_parts_is_the_head_as_a_whole(cut in 0usize..48, bare: bool) {
            let end = if bare { "\n" } else { "\r\n" };
            let text = format!("GET /a?b HTTP/1.1{end}Host: somewhere{end}{end}GET /next");
            let whole = parse(text.as_bytes(), 0).unwrap().unwrap();
            let cut = cut.min(whole.1 - 1);
            prop_assert_eq!(parse(&text.as_bytes()[..cut], 0), Ok(None));
            prop_assert_eq!(parse(text.as_bytes(), cut).unwrap().unwrap(), whole);
        }

        #[test]
        fn no_bytes_do_harm(input: Vec<u8>, scanned in 0usize..64) {
            // Only what was scanned already may be claimed as such.
            let scanned = if find_end(&input, 0).is_none() { scanned } else { 0 };
            if let Ok(Some((_, len))) = parse(&input, scanned) {
                prop_assert!(len <= input.len());
            }
        }
    }
}
