//! As much of HTTP/1.0 as announces and an index site need (RFC 1945).

use crate::parts::bencode::{decimal, decimal_len};
use crate::seam::{Reader, WireError, Writer};

/// The longest request line that is read, in bytes.
const MAX_LINE_BYTES: usize = 8_192;
/// The most header lines that are read.
const MAX_HEADERS: usize = 64;

const VERSION: &[u8] = b" HTTP/1.0\r\n";
const LENGTH: &[u8] = b"Content-Length: ";
const TYPE: &[u8] = b"Content-Type: text/plain\r\n";

/// What a client asks.
pub struct Request<'a> {
    /// `GET`, `HEAD` or `POST`.
    pub method: &'a [u8],
    /// The path, up to the question mark.
    pub path: &'a [u8],
    /// What follows the question mark.
    pub query: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

/// What a server answers.
pub struct Response<'a> {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

/// The line up to the next end of line.
fn line<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], WireError> {
    let mut ahead = r.clone();
    let mut len = 0;
    while ahead.u8()? != b'\n' {
        len += 1;
        if len > MAX_LINE_BYTES {
            return Err(r.too_long("line", len as u64));
        }
    }
    let line = r.take(len + 1, "line")?;
    let line = &line[..len];
    Ok(line.strip_suffix(b"\r").unwrap_or(line))
}

/// Reads the header lines and the body whose length they tell.
fn body<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], WireError> {
    let mut len = 0;
    for _ in 0..MAX_HEADERS {
        let header = line(r)?;
        if header.is_empty() {
            return r.take(len, "body");
        }
        let name = &LENGTH[..LENGTH.len() - 1];
        if header.len() >= name.len() && header[..name.len()].eq_ignore_ascii_case(name) {
            let value = super::text::number(header[name.len()..].trim_ascii());
            len = value
                .and_then(|len| usize::try_from(len).ok())
                .ok_or_else(|| r.invalid("content length", 0))?;
        }
    }
    Err(r.too_long("headers", MAX_HEADERS as u64))
}

/// Reads a request.
///
/// # Errors
/// When the input is no request, ends early or has lines over the limits.
pub fn read_request<'a>(r: &mut Reader<'a>) -> Result<Request<'a>, WireError> {
    let first = line(r)?;
    let mut words = first.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next())
    else {
        return Err(r.invalid("request line", 0));
    };
    if !version.starts_with(b"HTTP/1.") || words.next().is_some() {
        return Err(r.invalid("request line", 0));
    }
    let mark = target.iter().position(|&byte| byte == b'?');
    let (path, query) = match mark {
        Some(at) => (&target[..at], &target[at + 1..]),
        None => (target, &target[target.len()..]),
    };
    Ok(Request { method, path, query, body: body(r)? })
}

/// Reads a response.
///
/// # Errors
/// When the input is no response, ends early or has lines over the limits.
pub fn read_response<'a>(r: &mut Reader<'a>) -> Result<Response<'a>, WireError> {
    let first = line(r)?;
    let status = first
        .strip_prefix(b"HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .and_then(super::text::number)
        .ok_or_else(|| r.invalid("status line", 0))?;
    Ok(Response { status: status as u16, body: body(r)? })
}

/// Writes a request without a body; `target` is the path and, behind a
/// question mark, the query.
pub fn write_get(w: &mut Writer, method: &[u8], target: impl FnOnce(&mut Writer)) {
    w.bytes(method);
    w.u8(b' ');
    target(w);
    w.bytes(VERSION);
    w.bytes(b"\r\n");
}

/// Bytes that [`write_get`] writes.
pub const fn get_len(method: &[u8], target: usize) -> usize {
    method.len() + 1 + target + VERSION.len() + 2
}

/// Writes a request with a body of `len` bytes, which follow.
pub fn write_post(w: &mut Writer, path: &[u8], len: usize) {
    w.bytes(b"POST ");
    w.bytes(path);
    w.bytes(VERSION);
    w.bytes(LENGTH);
    decimal(w, len as u64);
    w.bytes(b"\r\n\r\n");
}

/// Bytes of a request with a body of `len` bytes.
pub const fn post_len(path: &[u8], len: usize) -> usize {
    5 + path.len() + VERSION.len() + LENGTH.len() + decimal_len(len as u64) + 4 + len
}

/// The line that a status code stands on.
const fn status_line(status: u16) -> &'static [u8] {
    match status {
        200 => b"HTTP/1.0 200 OK\r\n",
        201 => b"HTTP/1.0 201 Created\r\n",
        204 => b"HTTP/1.0 204 No Content\r\n",
        507 => b"HTTP/1.0 507 Insufficient Storage\r\n",
        _ => b"HTTP/1.0 404 Not Found\r\n",
    }
}

/// Writes the head of a response with a body of `len` bytes, which follow.
pub fn write_ok(w: &mut Writer, len: usize) {
    w.bytes(status_line(200));
    w.bytes(TYPE);
    w.bytes(LENGTH);
    decimal(w, len as u64);
    w.bytes(b"\r\n\r\n");
}

/// Bytes of a response with a body of `len` bytes.
pub const fn ok_len(len: usize) -> usize {
    status_line(200).len() + TYPE.len() + LENGTH.len() + decimal_len(len as u64) + 4 + len
}

/// Writes a response without a body.
pub fn write_status(w: &mut Writer, status: u16) {
    w.bytes(status_line(status));
    w.bytes(b"\r\n");
}

/// Bytes that [`write_status`] writes.
pub const fn status_len(status: u16) -> usize {
    status_line(status).len() + 2
}
