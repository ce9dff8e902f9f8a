//! The event loop of the tracker.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, UdpSocket};
use mio::{Events, Interest, Poll, Token, Waker};
use transfer::tracker::Figures;

use super::connection::{Connection, Shared, Turn};
use super::counters::Counters;
use super::datagrams::Datagrams;
use super::options::Options;
use super::service::Service;
use super::sockets;

/// How often what is too old is looked for, in microseconds.
const TICK_US: u64 = 1_000_000;

/// In how many ticks all torrents are looked at.
const SWEEP_TICKS: usize = 60;

/// How many connections are accepted at a time, so that one socket does not
/// starve the others.
const BATCH: usize = 256;

/// How much of a connection's input is read at once, in bytes.
const INPUT_LEN: usize = 16 * 1024;

const WAKER: Token = Token(0);

/// A tracker that listens; [`run`](Self::run) serves.
pub struct Server {
    poll: Poll,
    listeners: Vec<TcpListener>,
    sockets: Vec<UdpSocket>,
    /// Which of them may have more to give than was taken.
    pending: Vec<bool>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Where room is made next.
    hand: usize,
    max_connections: usize,
    service: Service,
    shared: Shared,
    datagrams: Datagrams,
    start: Instant,
    control: Arc<Control>,
}

/// What other threads may do and see.
struct Control {
    stopped: AtomicBool,
    waker: Waker,
    status: Mutex<Status>,
}

/// Ends a server from another thread or a signal handler's.
#[derive(Clone)]
pub struct StopHandle(Arc<Control>);

impl StopHandle {
    /// Makes [`Server::run`] return. What was accepted but not answered is
    /// dropped: clients ask again.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        if let Err(error) = self.0.waker.wake() {
            // It sees the flag at its next tick.
            tracing::debug!("the tracker could not be woken: {error}");
        }
    }
}

/// Shows how a server does, from another thread.
#[derive(Clone)]
pub struct Watch(Arc<Control>);

impl Watch {
    /// How it did at its last tick, up to a second ago.
    pub fn status(&self) -> Status {
        *self.0.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a server does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// How much it holds.
    pub figures: Figures,
    /// What happened so far.
    pub counters: Counters,
    /// Open HTTP connections.
    pub connections: usize,
}

impl Server {
    /// Binds all sockets.
    ///
    /// # Errors
    /// When an address cannot be bound, or the system has no randomness.
    pub fn bind(options: &Options) -> io::Result<Self> {
        let poll = Poll::new()?;
        let control = Control {
            stopped: AtomicBool::new(false),
            waker: Waker::new(poll.registry(), WAKER)?,
            status: Mutex::default(),
        };
        let (mut listeners, mut sockets) = (Vec::new(), Vec::new());
        for &address in &options.listen {
            let (listener, socket) = sockets::bind(address).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
            })?;
            listeners.push(listener);
            sockets.push(socket);
        }
        let count = listeners.len();
        for (n, listener) in listeners.iter_mut().enumerate() {
            poll.registry().register(listener, Token(1 + n), Interest::READABLE)?;
        }
        for (n, socket) in sockets.iter_mut().enumerate() {
            poll.registry().register(socket, Token(1 + count + n), Interest::READABLE)?;
        }
        Ok(Self {
            poll,
            listeners,
            sockets,
            pending: vec![false; 2 * count],
            connections: Vec::new(),
            free: Vec::new(),
            hand: 0,
            max_connections: options.max_connections.max(1),
            service: Service::new(options, secret()?),
            shared: Shared {
                input: vec![0; INPUT_LEN].into(),
                output: Vec::new(),
                request_timeout_us: options.request_timeout_us,
                idle_timeout_us: options.idle_timeout_us,
            },
            datagrams: Datagrams::default(),
            start: Instant::now(),
            control: Arc::new(control),
        })
    }

    /// The addresses it listens on, for HTTP and UDP alike.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    /// What ends [`run`](Self::run).
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(Arc::clone(&self.control))
    }

    /// What shows how it does.
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.control))
    }

    /// Serves until it is stopped; returns what it did.
    ///
    /// # Errors
    /// When the system does not tell which sockets are ready.
    pub fn run(mut self) -> io::Result<Status> {
        let mut events = Events::with_capacity(1024);
        let mut next_tick_us = self.now_us() + TICK_US;
        while !self.control.stopped.load(Ordering::Acquire) {
            let now_us = self.now_us();
            let patience_us = match self.pending.contains(&true) {
                true => 0,
                false => next_tick_us.saturating_sub(now_us),
            };
            match self.poll.poll(&mut events, Some(Duration::from_micros(patience_us))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            let now_us = self.now_us();
            let first_connection = 1 + self.pending.len();
            for event in &events {
                match event.token().0.checked_sub(first_connection) {
                    Some(slot) => {
                        let is_ending = event.is_read_closed() || event.is_error();
                        self.serve_connection(slot, is_ending, now_us);
                    }
                    None if event.token() == WAKER => {}
                    None => self.pending[event.token().0 - 1] = true,
                }
            }
            for source in 0..self.pending.len() {
                if self.pending[source] {
                    self.pending[source] = match source.checked_sub(self.listeners.len()) {
                        None => self.accept(source, now_us),
                        Some(socket) => {
                            let socket = &self.sockets[socket];
                            self.datagrams.turn(socket, &mut self.service, now_us)
                        }
                    };
                }
            }
            if now_us >= next_tick_us {
                self.tick(now_us);
                next_tick_us = now_us + TICK_US;
            }
        }
        Ok(self.status())
    }

    fn now_us(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    fn status(&self) -> Status {
        Status {
            figures: self.service.swarms.figures(),
            counters: self.service.counters,
            connections: self.connections.len() - self.free.len(),
        }
    }

    /// Looks for what is too old.
    fn tick(&mut self, now_us: u64) {
        for slot in 0..self.connections.len() {
            if self.connections[slot].as_ref().is_some_and(|c| c.deadline_us <= now_us) {
                self.close(slot);
                self.service.counters.connections_timed_out += 1;
            }
        }
        let swarms = &mut self.service.swarms;
        let torrents = swarms.figures().torrents.div_ceil(SWEEP_TICKS);
        self.service.counters.expired += swarms.sweep(now_us, torrents) as u64;
        // Accepting may have failed for want of something that is there now.
        self.pending[..self.listeners.len()].fill(true);
        *self.control.status.lock().unwrap_or_else(PoisonError::into_inner) = self.status();
    }

    /// Accepts and serves a batch of connections; whether there may be more.
    fn accept(&mut self, listener: usize, now_us: u64) -> bool {
        for _ in 0..BATCH {
            let (stream, from) = match self.listeners[listener].accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                    ) =>
                {
                    continue;
                }
                Err(error) => {
                    // Out of descriptors, most likely; the next tick tries anew.
                    tracing::debug!("a connection could not be accepted: {error}");
                    self.evict();
                    return false;
                }
            };
            self.service.counters.connections += 1;
            let deadline_us = now_us + self.shared.request_timeout_us;
            let mut connection = Connection::new(stream, from, deadline_us);
            // Most clients have sent their request by now, and most want no
            // second one: such a connection is never registered.
            if connection.turn(&mut self.shared, &mut self.service, now_us, false) == Turn::Waits {
                self.keep(connection);
            }
        }
        true
    }

    /// Keeps a connection for its next event.
    fn keep(&mut self, mut connection: Connection) {
        if self.connections.len() - self.free.len() >= self.max_connections {
            self.evict();
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let token = Token(1 + self.pending.len() + slot);
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self.poll.registry().register(&mut connection.stream, token, interest) {
            Ok(()) => self.connections[slot] = Some(connection),
            Err(error) => {
                tracing::debug!("a connection could not be watched: {error}");
                self.free.push(slot);
            }
        }
    }

    /// Closes one connection, round and round, which is about the oldest. A
    /// client that has sent its request by the time it is accepted is served
    /// whatever others keep open.
    fn evict(&mut self) {
        for _ in 0..self.connections.len() {
            self.hand = (self.hand + 1) % self.connections.len();
            if self.connections[self.hand].is_some() {
                self.close(self.hand);
                self.service.counters.connections_evicted += 1;
                return;
            }
        }
    }

    fn close(&mut self, slot: usize) {
        // The system forgets a closed socket's registration.
        if self.connections[slot].take().is_some() {
            self.free.push(slot);
        }
    }

    fn serve_connection(&mut self, slot: usize, to_end: bool, now_us: u64) {
        // The events of one batch may come after the end of a connection.
        let Some(connection) = self.connections.get_mut(slot).and_then(Option::as_mut) else {
            return;
        };
        if connection.turn(&mut self.shared, &mut self.service, now_us, to_end) == Turn::Over {
            self.close(slot);
        }
    }
}

/// What nobody else knows.
fn secret() -> io::Result<[u64; 6]> {
    let mut words = [0; 6];
    for word in &mut words {
        *word = getrandom::u64().map_err(io::Error::other)?;
    }
    Ok(words)
}
