//! An HTTP connection of the tracker.

use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, SocketAddr};

use mio::net::TcpStream;

use super::service::Service;
use super::sockets;

/// How long a refused connection stays open, so that the client reads why
/// before the reset that its unread bytes cause, in microseconds.
const LINGER_US: u64 = 2_000_000;

/// How many bytes of a refused client are thrown away.
const MAX_DISCARDED: usize = 256 * 1024;

/// What the connections of a server share.
pub(super) struct Shared {
    /// Where input arrives before it is known to be incomplete.
    pub(super) input: Box<[u8]>,
    /// Where replies are written before they are known not to fit.
    pub(super) output: Vec<u8>,
    pub(super) request_timeout_us: u64,
    pub(super) idle_timeout_us: u64,
}

/// A connection between two of its events. Nothing is kept of one that is
/// idle but this.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    from: SocketAddr,
    /// The beginning of a request.
    input: Vec<u8>,
    /// How much of it is known to hold no end of a head.
    scanned: usize,
    /// Replies that the client has not taken yet, from `sent` on.
    output: Vec<u8>,
    sent: usize,
    state: State,
    /// When it is closed unless something happens.
    pub(super) deadline_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Closes once the output is sent.
    Closing,
    /// Closes once the output is sent and the client has closed or sent this
    /// many bytes.
    Refused(usize),
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It waits for its next event.
    Waits,
    /// It is over.
    Over,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, from: SocketAddr, deadline_us: u64) -> Self {
        Self {
            stream,
            from,
            input: Vec::new(),
            scanned: 0,
            output: Vec::new(),
            sent: 0,
            state: State::Open,
            deadline_us,
        }
    }

    /// Goes on until the socket has nothing more to give or to take. Without
    /// `to_end`, input shorter than the buffer is taken to be all there is:
    /// the next event tells of more.
    pub(super) fn turn(
        &mut self,
        shared: &mut Shared,
        service: &mut Service,
        now_us: u64,
        to_end: bool,
    ) -> Turn {
        self.run(shared, service, now_us, to_end).unwrap_or(Turn::Over)
    }

    fn run(
        &mut self,
        shared: &mut Shared,
        service: &mut Service,
        now_us: u64,
        to_end: bool,
    ) -> io::Result<Turn> {
        loop {
            if !self.flush()? {
                return Ok(Turn::Waits);
            }
            if self.state == State::Closing {
                return Ok(Turn::Over);
            }
            // Requests that waited until the output was sent.
            if self.has_waiting() {
                let input = std::mem::take(&mut self.input);
                self.serve(&input, shared, service, now_us)?;
                continue;
            }
            let len = match self.stream.read(&mut shared.input) {
                Ok(0) => return Ok(Turn::Over),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Turn::Waits),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            match &mut self.state {
                State::Refused(left) => match left.checked_sub(len) {
                    Some(rest) => *left = rest,
                    None => return Ok(Turn::Over),
                },
                State::Open | State::Closing => {
                    let buffer = std::mem::take(&mut shared.input);
                    let result = if self.input.is_empty() {
                        self.serve(&buffer[..len], shared, service, now_us)
                    } else {
                        let mut input = std::mem::take(&mut self.input);
                        input.extend_from_slice(&buffer[..len]);
                        self.serve(&input, shared, service, now_us)
                    };
                    shared.input = buffer;
                    result?;
                }
            }
            let is_all = len < shared.input.len() && !to_end && !self.has_waiting();
            if is_all && self.state == State::Open && self.output.is_empty() {
                return Ok(Turn::Waits);
            }
        }
    }

    /// Whether there is input that nobody has looked at.
    fn has_waiting(&self) -> bool {
        self.scanned < self.input.len()
    }

    /// Answers the requests in `input`, keeps what is no whole one, and sends
    /// as much as the client takes.
    fn serve(
        &mut self,
        input: &[u8],
        shared: &mut Shared,
        service: &mut Service,
        now_us: u64,
    ) -> io::Result<()> {
        shared.output.clear();
        let served = service.http(input, self.scanned, self.from, now_us, &mut shared.output);
        let rest = &input[served.consumed..];
        if served.closes {
            self.state = State::Closing;
            self.scanned = 0;
        } else {
            // Replies that fill the output leave whole requests behind them.
            let is_scanned = shared.output.len() < super::service::MAX_OUTPUT_LEN;
            self.scanned = if is_scanned { rest.len() } else { 0 };
            self.input = rest.to_vec();
        }
        if served.requests > 0 {
            let is_idle = self.input.is_empty() && !served.closes;
            let patience_us =
                if is_idle { shared.idle_timeout_us } else { shared.request_timeout_us };
            self.deadline_us = now_us + patience_us;
        }
        // Closing over input that nobody read resets the connection, and the
        // client may lose what it was told.
        let is_refused = served.is_refused || (served.closes && !rest.is_empty());
        if !shared.output.is_empty() {
            let sent = self.send(&shared.output, served.closes && !is_refused)?;
            self.output = shared.output[sent..].to_vec();
            self.sent = 0;
        }
        if is_refused {
            self.state = State::Refused(MAX_DISCARDED);
            self.deadline_us = now_us + LINGER_US;
            if self.output.is_empty() {
                self.stream.shutdown(Shutdown::Write)?;
            }
        }
        Ok(())
    }

    /// Sends what is outstanding; whether all of it is sent.
    fn flush(&mut self) -> io::Result<bool> {
        if self.sent < self.output.len() {
            let output = std::mem::take(&mut self.output);
            let sent = self.send(&output[self.sent..], self.state == State::Closing);
            self.output = output;
            self.sent += sent?;
            if self.sent < self.output.len() {
                return Ok(false);
            }
            self.output = Vec::new();
            self.sent = 0;
            if matches!(self.state, State::Refused(_)) {
                self.stream.shutdown(Shutdown::Write)?;
            }
        }
        Ok(true)
    }

    /// Sends as much as the client takes; with `is_end`, the connection is
    /// closed once that is all.
    fn send(&mut self, bytes: &[u8], is_end: bool) -> io::Result<usize> {
        let mut sent = 0;
        while sent < bytes.len() {
            match sockets::send(&mut self.stream, &bytes[sent..], is_end) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => sent += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }
}
