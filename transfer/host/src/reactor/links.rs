//! Connections: how they come about, take their turns, and end.

use std::io;
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Token};
use rand::RngExt;
use socket2::{Domain, Protocol, Socket, Type};
use transfer::Block;
use transfer::mse::{MseError, Responder, Seed};
use transfer::session::{LinkId, StoreError};
use transfer::wire::{Handshake, Reserved};

use super::{Reactor, SWEEP_US};
use crate::disk::Fetch;
use crate::inbox::{Desk, ReceiveError};
use crate::link::{Cloak, HandshakeError, Link, Stage, TURN_BYTES};
use crate::outbox::MAX_WAITING_BYTES;

/// How long connecting and handshakes may take.
const OPENING_US: u64 = 10_000_000;
/// Connections to open that wait for others to come about.
const MAX_TO_CONNECT: usize = 1000;
/// Connections that are accepted and wait for us.
const BACKLOG: i32 = 128;
/// Connections accepted in one turn.
const ACCEPT_BATCH: usize = 64;
/// Below this many allowed bytes a limited connection waits.
const LEAST_TURN_BYTES: u64 = 1024;

pub fn listen_on(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        // IPv4 has a socket of its own.
        socket.set_only_v6(true)?;
    }
    // The port of a process that just ended is free.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Why a connection ended, in a word for the log.
#[derive(Debug)]
enum End {
    Io(io::Error),
    Protocol(ReceiveError),
    Cloak(MseError),
    UnknownTorrent,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Protocol(error) => error.fmt(f),
            Self::Cloak(error) => write!(f, "encryption: {error}"),
            Self::UnknownTorrent => f.write_str("it asks for a torrent that is not here"),
        }
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A number that no connection has, with its place in the list.
pub(super) fn vacant_id(links: &mut Vec<Option<Link>>, free: &mut Vec<u32>) -> u32 {
    free.pop().unwrap_or_else(|| {
        links.push(None);
        (links.len() - 1) as u32
    })
}

impl Reactor {
    pub(super) fn accept(&mut self, at: usize) {
        for _ in 0..ACCEPT_BATCH {
            let Some(listener) = self.listeners.get(at) else { return };
            match listener.accept() {
                Ok((stream, addr)) => {
                    if self.open_links() < self.settings.max_links {
                        let responder = Responder::new(self.settings.encryption, self.mse_seed());
                        self.add_link(stream, addr, None, Cloak::Listening(Box::new(responder)));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // Out of descriptors, or the peer has gone already.
                    tracing::debug!("accepting: {error}");
                    return;
                }
            }
        }
        // There may be more, and the listener does not tell again.
        if let Err(error) = self.listeners[at..=at].iter_mut().try_for_each(|listener| {
            self.poll.registry().reregister(
                listener,
                Token(super::LISTENERS + at),
                Interest::READABLE,
            )
        }) {
            tracing::warn!("a listening socket: {error}");
        }
    }

    fn open_links(&self) -> usize {
        self.links.len() - self.free_links.len()
    }

    /// Connects to a peer for a torrent, now or when fewer are being connected.
    pub(super) fn connect(&mut self, torrent: u32, addr: SocketAddr) {
        if self.half_open >= self.settings.max_half_open {
            if self.to_connect.len() < MAX_TO_CONNECT {
                self.to_connect.push_back((torrent, addr));
            } else {
                self.connect_failed(torrent, addr);
            }
            return;
        }
        if self.open_links() >= self.settings.max_links {
            self.connect_failed(torrent, addr);
            return;
        }
        match TcpStream::connect(addr) {
            Ok(stream) => {
                self.half_open += 1;
                let encrypted = self.settings.encryption.offer().is_some();
                self.add_link(stream, addr, Some(torrent), Cloak::Settled { encrypted });
            }
            Err(error) => {
                tracing::debug!("{addr}: {error}");
                self.connect_failed(torrent, addr);
            }
        }
    }

    fn connect_failed(&mut self, torrent: u32, addr: SocketAddr) {
        if let Some(session) = self.torrents.get_mut(&torrent).and_then(|t| t.session.as_mut()) {
            session.connect_failed(addr, self.now_us);
        }
        // The effects are run by whoever brought us here, or at the next turn.
        self.pending_effects.insert(torrent);
    }

    fn connect_more(&mut self) {
        while self.half_open < self.settings.max_half_open
            && let Some((torrent, addr)) = self.to_connect.pop_front()
        {
            self.connect(torrent, addr);
        }
    }

    fn add_link(
        &mut self,
        mut stream: TcpStream,
        addr: SocketAddr,
        torrent: Option<u32>,
        cloak: Cloak,
    ) -> u32 {
        let id = vacant_id(&mut self.links, &mut self.free_links);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(&mut stream, Token(id as usize), interest);
        let deadline_us = self.now_us + OPENING_US;
        let link = Link::new(stream, addr, torrent, cloak, deadline_us);
        self.next_sweep_us = self.next_sweep_us.min(self.now_us + SWEEP_US);
        self.links[id as usize] = Some(link);
        if let Some(torrent) = torrent.and_then(|key| self.torrents.get_mut(&key)) {
            torrent.links.insert(id);
        }
        match registered {
            Ok(()) => self.make_ready(id),
            Err(error) => self.end(id, &End::Io(error)),
        }
        id
    }

    pub(super) fn socket_ready(&mut self, id: u32, readable: bool, writable: bool, closed: bool) {
        if let Some(link) = self.links.get_mut(id as usize).and_then(Option::as_mut) {
            link.readable |= readable;
            link.writable |= writable || closed;
            link.hung_up |= closed;
            self.make_ready(id);
        }
    }

    /// Puts a connection in the list of those with something to do, if it has.
    pub(super) fn make_ready(&mut self, id: u32) {
        if let Some(link) = self.links.get_mut(id as usize).and_then(Option::as_mut)
            && !link.queued
            && link.has_work()
        {
            link.queued = true;
            self.ready.push_back(id);
        }
    }

    /// A connection's turn: it receives, its session decides, it sends.
    pub(super) fn turn(&mut self, id: u32) {
        let Some(link) = self.links.get_mut(id as usize).and_then(Option::as_mut) else { return };
        link.queued = false;
        let result = match link.stage {
            Stage::Connecting => self.turn_connecting(id),
            Stage::Handshake => self.turn_handshake(id),
            Stage::Open => self.turn_receive(id),
            Stage::Closing => Ok(()),
        };
        let result = result.and_then(|()| {
            self.run_pending_effects();
            self.turn_send(id)
        });
        if let Err(end) = result {
            self.end(id, &end);
        }
        self.run_pending_effects();
        self.make_ready(id);
    }

    fn turn_connecting(&mut self, id: u32) -> Result<(), End> {
        let ours = self.handshake_for(id);
        let seed = self.mse_seed();
        let Some(link) = self.links.get_mut(id as usize).and_then(Option::as_mut) else {
            return Ok(());
        };
        link.writable = false;
        if !link.is_connected()? {
            return Ok(());
        }
        self.half_open -= 1;
        link.stage = Stage::Handshake;
        link.writable = true;
        link.readable = true;
        link.stream.set_nodelay(true)?;
        if let Some(ours) = ours {
            link.greet_first(&ours, self.settings.encryption, seed);
        }
        self.connect_more();
        self.turn_handshake(id)
    }

    fn handshake_for(&self, id: u32) -> Option<Handshake> {
        let torrent = self.links.get(id as usize)?.as_ref()?.torrent?;
        let info_hash = self.torrents.get(&torrent)?.shared.info_hash;
        Some(Handshake { reserved: Reserved::OURS, info_hash, peer_id: self.peer_id })
    }

    fn turn_handshake(&mut self, id: u32) -> Result<(), End> {
        let tags = &self.by_tag;
        let Some(link) = self.links.get_mut(id as usize).and_then(Option::as_mut) else {
            return Ok(());
        };
        match link.receive_handshake(|tag| tags.get(&tag).copied()) {
            Ok(()) => {}
            Err(HandshakeError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                link.readable = false;
            }
            Err(HandshakeError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(HandshakeError::Io(error)) => return Err(error.into()),
            Err(HandshakeError::Cloak(error)) => return Err(End::Cloak(error)),
        }
        self.answer_handshake(id)?;
        let Some(link) = self.links.get_mut(id as usize).and_then(Option::as_mut) else {
            return Ok(());
        };
        let (Some(bytes), Some(key)) =
            (link.inbox.waiting().first_chunk::<{ Handshake::LEN }>(), link.torrent)
        else {
            return Ok(());
        };
        let handshake =
            Handshake::decode(bytes).map_err(|e| End::Protocol(ReceiveError::Malformed(e)))?;
        let Some(session) = self.torrents.get_mut(&key).and_then(|t| t.session.as_mut()) else {
            return Err(End::UnknownTorrent);
        };
        link.inbox.consume(Handshake::LEN);
        link.stage = Stage::Open;
        let (addr, incoming) = (link.addr, link.incoming);
        let encrypted = matches!(link.cloak, Cloak::Settled { encrypted: true });
        session.link_opened(LinkId(id), addr, incoming, &handshake, encrypted, self.now_us);
        self.pending_effects.insert(key);
        Ok(())
    }

    /// Answers the handshake of a peer that connected to us, as soon as it has
    /// named the torrent.
    fn answer_handshake(&mut self, id: u32) -> Result<(), End> {
        let Some(link) = self.links.get_mut(id as usize).and_then(Option::as_mut) else {
            return Ok(());
        };
        let Some(head) = link.inbox.waiting().first_chunk::<{ Handshake::HEAD_LEN }>() else {
            return Ok(());
        };
        if link.greeted || !matches!(link.cloak, Cloak::Settled { .. }) {
            return Ok(());
        }
        let (_, info_hash) = Handshake::decode_head(head)
            .map_err(|error| End::Protocol(ReceiveError::Malformed(error)))?;
        let key = *self.by_hash.get(&info_hash).ok_or(End::UnknownTorrent)?;
        let torrent = self.torrents.get_mut(&key).ok_or(End::UnknownTorrent)?;
        link.awaits_check = torrent.session.is_none();
        if link.awaits_check {
            return Ok(());
        }
        torrent.links.insert(id);
        link.torrent = Some(key);
        link.stream.set_nodelay(true)?;
        let ours = Handshake { reserved: Reserved::OURS, info_hash, peer_id: self.peer_id };
        link.outbox.push_bytes(&ours.encode());
        link.greeted = true;
        Ok(())
    }

    fn turn_receive(&mut self, id: u32) -> Result<(), End> {
        let Some(link) = self.links.get_mut(id as usize).and_then(Option::as_mut) else {
            return Ok(());
        };
        let Some(torrent) = link.torrent.and_then(|key| self.torrents.get_mut(&key)) else {
            return Ok(());
        };
        if !link.readable || link.receive_throttled {
            return Ok(());
        }
        let now_us = self.now_us;
        let allowed = torrent.download.available(now_us).min(self.download.available(now_us));
        if allowed < LEAST_TURN_BYTES {
            let ready_us = self.download.ready_us().max(torrent.download.ready_us());
            link.receive_throttled = true;
            self.throttle(id, ready_us);
            return Ok(());
        }
        let Some(session) = torrent.session.as_mut() else { return Ok(()) };
        let limit = TURN_BYTES.min(usize::try_from(allowed).unwrap_or(usize::MAX));
        let mut desk = Desk {
            session,
            assemblies: &mut torrent.assemblies,
            pool: &mut self.pool,
            link: LinkId(id),
            limits: torrent.limits,
            now_us,
        };
        let received = link.inbox.receive(&mut link.stream, limit, &mut desk);
        self.pending_effects.extend(link.torrent);
        match received {
            Ok((n, full)) => {
                torrent.note_payload();
                torrent.download.spend(n as u64);
                self.download.spend(n as u64);
                if !full && !link.hung_up {
                    link.readable = false;
                }
                Ok(())
            }
            Err(ReceiveError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                link.readable = false;
                Ok(())
            }
            Err(ReceiveError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(ReceiveError::Refused) => {
                link.stage = Stage::Closing;
                Ok(())
            }
            Err(error @ ReceiveError::Malformed(_)) => {
                link.stage = Stage::Closing;
                tracing::debug!("{}: {error}", link.addr);
                session_malformed(torrent, id, now_us);
                Ok(())
            }
            Err(error) => Err(End::Protocol(error)),
        }
    }

    fn turn_send(&mut self, id: u32) -> Result<(), End> {
        let mut left = TURN_BYTES;
        while left > 0 {
            self.fill_outbox(id)?;
            let Some(link) = self.links.get_mut(id as usize).and_then(Option::as_mut) else {
                return Ok(());
            };
            if link.outbox.is_empty() || !link.writable || link.stage == Stage::Connecting {
                return Ok(());
            }
            let sent = link.write(left)?;
            left = left.saturating_sub(sent.max(1));
            if let Some(torrent) = link.torrent.and_then(|key| self.torrents.get_mut(&key)) {
                torrent.upload.spend(sent as u64);
                self.upload.spend(sent as u64);
                while let Some(block) = link.outbox.next_sent() {
                    if let Some(session) = torrent.session.as_mut() {
                        session.upload_done(LinkId(id), block, self.now_us);
                    }
                }
                self.pending_effects.extend(link.torrent);
            }
            if link.outbox.len() > MAX_WAITING_BYTES {
                return Err(End::Io(io::ErrorKind::OutOfMemory.into()));
            }
        }
        Ok(())
    }

    /// Takes blocks that a peer is to get, when nothing else waits to be sent.
    fn fill_outbox(&mut self, id: u32) -> Result<(), End> {
        let Some(link) = self.links.get_mut(id as usize).and_then(Option::as_mut) else {
            return Ok(());
        };
        let waits = link.send_throttled || !link.outbox.is_empty() || !link.writable;
        let has_none = !link.upload_ready && link.cold.is_empty();
        if waits || link.awaits_disk || has_none {
            return Ok(());
        }
        let Some(torrent) = link.torrent.and_then(|key| self.torrents.get_mut(&key)) else {
            return Ok(());
        };
        let (Some(session), Some(content)) = (torrent.session.as_mut(), &torrent.content) else {
            return Ok(());
        };
        let now_us = self.now_us;
        let allowed = torrent.upload.available(now_us).min(self.upload.available(now_us));
        // What the disk thread has read goes first; it is in memory now.
        let mut blocks = std::mem::take(&mut link.cold);
        let was_cold = !blocks.is_empty();
        let mut bytes = if was_cold { TURN_BYTES } else { 0 };
        // A block goes whole once there is a token for its first byte: the debt
        // is paid before the next.
        while bytes < TURN_BYTES && (bytes as u64) < allowed {
            let Some(block) = session.next_upload(LinkId(id), now_us) else {
                link.upload_ready = false;
                break;
            };
            bytes += block.len as usize;
            blocks.push(block);
        }
        if blocks.is_empty() && link.upload_ready {
            let ready_us = self.upload.ready_us().max(torrent.upload.ready_us());
            link.send_throttled = true;
            self.throttle(id, ready_us);
            return Ok(());
        }
        let piece_len = content.info.layout().piece_len();
        match link.outbox.push_blocks(&blocks, piece_len, &*content.store, was_cold) {
            Ok(pushed) if pushed == blocks.len() => Ok(()),
            Ok(pushed) => {
                link.cold = blocks.split_off(pushed);
                link.awaits_disk = true;
                let layout = content.info.layout();
                let place = |block: &Block| {
                    (layout.piece_offset(block.piece) + u64::from(block.begin), block.len)
                };
                let ranges = link.cold.iter().map(place).collect();
                self.disk.fetch(Fetch { link: id, ranges, store: content.store.clone() });
                Ok(())
            }
            Err(error) => {
                torrent.fail(format!("reading what is to be sent: {error}"));
                session_store_failed(torrent, blocks[0].piece, now_us);
                Err(error.into())
            }
        }
    }

    /// Has the timer make a connection go on that a rate limit holds back.
    fn throttle(&mut self, id: u32, ready_us: u64) {
        if !self.throttled.contains(&id) {
            self.throttled.push(id);
        }
        self.throttled_until_us = self.throttled_until_us.min(ready_us);
    }

    /// Ends a connection of which the session does not know yet that it is over.
    fn end(&mut self, id: u32, end: &End) {
        let Some(link) = self.links.get(id as usize).and_then(Option::as_ref) else { return };
        tracing::debug!("{}: closed: {end}", link.addr);
        let (stage, addr, key) = (link.stage, link.addr, link.torrent);
        let incoming = link.incoming;
        if let Some(torrent) = key.and_then(|key| self.torrents.get_mut(&key))
            && let Some(session) = torrent.session.as_mut()
        {
            match stage {
                Stage::Open | Stage::Closing => session.link_closed(LinkId(id), self.now_us),
                Stage::Connecting | Stage::Handshake if !incoming => {
                    if let Some(key) = key
                        && self.try_other_way(id)
                    {
                        tracing::debug!("{addr}: once more, the other way, for torrent {key}");
                        return;
                    }
                    if let Some(session) =
                        key.and_then(|key| self.torrents.get_mut(&key)?.session.as_mut())
                    {
                        session.connect_failed(addr, self.now_us);
                    }
                }
                Stage::Connecting | Stage::Handshake => {}
            }
            self.pending_effects.extend(key);
        }
        self.drop_link(id);
    }

    /// Connects again to a peer that ended our handshake without a word: in plain
    /// if it was encrypted, encrypted if it was in plain, once. Returns whether
    /// there is such a second try, which has then taken the first one's place.
    fn try_other_way(&mut self, id: u32) -> bool {
        let Some(link) = self.links.get(id as usize).and_then(Option::as_ref) else { return false };
        let policy = self.settings.encryption;
        let was_encrypted = link.asked_for_encryption;
        let is_allowed =
            if was_encrypted { policy.accepts_plain() } else { policy.accepts_encrypted() };
        if link.stage != Stage::Handshake || link.has_heard || link.is_second_try || !is_allowed {
            return false;
        }
        let (addr, torrent) = (link.addr, link.torrent);
        let Ok(stream) = TcpStream::connect(addr) else { return false };
        self.drop_link(id);
        self.half_open += 1;
        let cloak = Cloak::Settled { encrypted: !was_encrypted };
        let again = self.add_link(stream, addr, torrent, cloak);
        if let Some(link) = self.links.get_mut(again as usize).and_then(Option::as_mut) {
            link.is_second_try = true;
        }
        true
    }

    /// What an encryption handshake draws its secret from.
    fn mse_seed(&mut self) -> Seed {
        let mut seed = [0; 32];
        if getrandom::fill(&mut seed).is_err() {
            // It hides what is spoken; it is no protection.
            self.rng.fill(&mut seed);
        }
        Seed(seed)
    }

    /// Closes a connection that the session has forgotten.
    pub(super) fn drop_link(&mut self, id: u32) {
        let Some(mut link) = self.links.get_mut(id as usize).and_then(Option::take) else { return };
        if link.stage == Stage::Connecting {
            self.half_open -= 1;
        }
        if let Err(error) = self.poll.registry().deregister(&mut link.stream) {
            tracing::debug!("{}: {error}", link.addr);
        }
        if let Some(torrent) = link.torrent.and_then(|key| self.torrents.get_mut(&key)) {
            torrent.links.remove(&id);
            if let Some(block) = link.inbox.receiving() {
                torrent.assemblies.interrupted(&block);
            }
        }
        if link.awaits_disk {
            self.disk.forget(id);
        }
        self.ready.retain(|ready| *ready != id);
        self.throttled.retain(|throttled| *throttled != id);
        self.free_links.push(id);
        self.connect_more();
    }

    /// Has the handshakes go on that waited for a torrent to be checked.
    pub(super) fn greet_waiting(&mut self) {
        for id in 0..self.links.len() {
            if let Some(link) = self.links[id].as_mut().filter(|link| link.awaits_check) {
                link.awaits_check = false;
                link.readable = true;
                self.make_ready(id as u32);
            }
        }
    }

    /// Ends connections that have not come about in time.
    pub(super) fn sweep(&mut self) {
        let mut late = Vec::new();
        let mut is_opening = false;
        for (id, link) in self.links.iter().enumerate() {
            if let Some(link) = link
                && matches!(link.stage, Stage::Connecting | Stage::Handshake)
            {
                is_opening = true;
                if link.deadline_us <= self.now_us {
                    late.push(id as u32);
                }
            }
        }
        self.next_sweep_us = if is_opening { self.now_us + SWEEP_US } else { u64::MAX };
        for id in late {
            self.end(id, &End::Io(io::ErrorKind::TimedOut.into()));
            self.run_pending_effects();
        }
    }
}

fn session_malformed(torrent: &mut crate::torrent::Torrent, id: u32, now_us: u64) {
    if let Some(session) = torrent.session.as_mut() {
        session.malformed(LinkId(id), now_us);
    }
}

fn session_store_failed(torrent: &mut crate::torrent::Torrent, piece: u32, now_us: u64) {
    if let Some(session) = torrent.session.as_mut() {
        session.store_failed(piece, StoreError::Failed, now_us);
    }
}
