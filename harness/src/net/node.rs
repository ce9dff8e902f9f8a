//! One node: its sockets, its machine, and the task that owns both.

use std::collections::{BTreeMap, VecDeque};
use std::future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use overlays::{
    Action, Addr, Cause, Cx, Effect, Machine, OpId, Outcome, Overlay, Profile, Reason, Rng, Span,
    Stream as RandomStream, Time, Transport, Wire,
};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::frame::{self, Header};
use super::handle::{Command, NodeHandle, SharedCounters};
use super::ledger::Ledger;
use super::limits::Limits;
use super::links::{Connection, Links, Standing};
use super::stream::{End, Origin, Overflow, Stream, StreamEvent, StreamId};
use super::timers::Timers;
use crate::sim::{Request, Verb};

/// How much later a machine learns that a stream was refused at once, so that
/// a machine which tries again at once cannot spin.
const REFUSAL_DELAY: Span = Span::from_ms(1);

/// How often a pair of free ports (UDP and TCP of one number) is looked for.
const BIND_ATTEMPTS: usize = 64;

/// What the nodes of one network have in common.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    /// Time zero.
    pub(super) epoch: Instant,
    /// The run's seed.
    pub(super) seed: u64,
    /// Whether upkeep timers run.
    pub(super) maintenance: bool,
    /// How many times as often as asked for.
    pub(super) upkeep_speed: u64,
    /// The limits of each node.
    pub(super) limits: Limits,
    /// Where costs are booked.
    pub(super) ledger: Ledger,
}

impl Shared {
    /// The time.
    pub(super) fn now(&self) -> Time {
        let us = self.epoch.elapsed().as_micros();
        Time::from_us(u64::try_from(us).unwrap_or(u64::MAX))
    }
}

/// The two sockets of a node, on one port.
#[derive(Debug)]
pub(super) struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
    addr: Addr,
}

impl Sockets {
    /// Binds both to one free port of this machine's loopback interface.
    pub(super) async fn bind() -> io::Result<Self> {
        let mut attempts = 0;
        loop {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let SocketAddr::V4(socket) = tcp.local_addr()? else {
                return Err(io::Error::other("an IPv4 listener has no IPv4 address"));
            };
            // The same number may be taken for UDP by another program.
            match UdpSocket::bind(socket).await {
                Ok(udp) => return Ok(Self { udp, tcp, addr: Addr::from_socket(socket) }),
                Err(e) if e.kind() != io::ErrorKind::AddrInUse => return Err(e),
                Err(e) if attempts == BIND_ATTEMPTS => return Err(e),
                Err(_) => attempts += 1,
            }
        }
    }

    /// Where the node will listen.
    pub(super) const fn addr(&self) -> Addr {
        self.addr
    }
}

/// Starts node number `index` on `tasks`. The profile's address must be that
/// of the sockets.
pub(super) fn start<O: Overlay>(
    config: &Arc<O::Config>,
    profile: Profile,
    index: u32,
    sockets: Sockets,
    shared: &Shared,
    tasks: &mut JoinSet<()>,
) -> NodeHandle {
    let (commands, orders) = mpsc::channel(shared.limits.commands);
    let (event_sender, events) = mpsc::channel(shared.limits.events);
    let counters = SharedCounters::default();
    let node = Node {
        machine: O::new(config, &profile),
        profile,
        index,
        rng: RandomStream::Protocol.rng_of(shared.seed, u64::from(index)),
        effects: Vec::new(),
        timers: Timers::new(shared.limits.timers),
        links: Links::default(),
        losses: VecDeque::new(),
        streams: JoinSet::new(),
        streams_opened: 0,
        event_sender,
        operations: BTreeMap::new(),
        counters: counters.clone(),
        shared: shared.clone(),
        udp: sockets.udp,
        outbox: Vec::new(),
        left: false,
    };
    tasks.spawn(node.run(sockets.tcp, orders, events));
    NodeHandle { commands, counters, profile }
}

/// Something that happens to a node.
enum Event<M> {
    Command(Option<Command>),
    Stream(StreamEvent<M>),
    Datagram(io::Result<(usize, SocketAddr)>),
    Accepted(io::Result<(TcpStream, SocketAddr)>),
    Due,
}

struct Node<O: Overlay> {
    machine: O,
    profile: Profile,
    index: u32,
    rng: Rng,
    effects: Vec<Effect<O>>,
    timers: Timers<(Cause, <O as Machine>::Timer)>,
    links: Links,
    /// Streams that were refused or cut here, and when the machine is told.
    /// Until then, nothing is sent to these peers on streams: a machine that
    /// has not heard of the hole must not go on behind it.
    losses: VecDeque<(Time, Addr, Cause)>,
    streams: JoinSet<()>,
    streams_opened: StreamId,
    event_sender: mpsc::Sender<StreamEvent<<O as Machine>::Message>>,
    operations: BTreeMap<OpId, Operation>,
    counters: SharedCounters,
    shared: Shared,
    udp: UdpSocket,
    /// Datagrams that the last call into the machine left to be sent.
    outbox: Vec<(Addr, Vec<u8>)>,
    /// Whether the node has left the network and is to stop.
    left: bool,
}

/// An operation under way.
struct Operation {
    verb: Verb,
    reply: oneshot::Sender<(OpId, Outcome)>,
}

impl<O: Overlay> Node<O> {
    /// Runs the node until it is stopped or has left.
    async fn run(
        mut self,
        tcp: TcpListener,
        mut commands: mpsc::Receiver<Command>,
        mut events: mpsc::Receiver<StreamEvent<O::Message>>,
    ) {
        let mut datagram = vec![0; usize::from(u16::MAX)];
        let mut stopped = false;
        while !stopped && !self.left {
            let due = self.next_due();
            let event = tokio::select! {
                command = commands.recv() => Event::Command(command),
                Some(event) = events.recv() => Event::Stream(event),
                received = self.udp.recv_from(&mut datagram) => Event::Datagram(received),
                accepted = tcp.accept() => Event::Accepted(accepted),
                () = wait_until(due) => Event::Due,
            };
            match event {
                Event::Command(None | Some(Command::Stop)) => stopped = true,
                Event::Command(Some(command)) => self.on_command(command),
                Event::Stream(event) => self.on_stream_event(event),
                Event::Datagram(Ok((len, source))) => {
                    self.on_datagram(&datagram[..len], source);
                }
                // Neither error concerns this node's own sockets: a datagram's
                // bounced, or a connection died before it was accepted.
                Event::Datagram(Err(_)) | Event::Accepted(Err(_)) => {
                    tokio::task::yield_now().await;
                }
                Event::Accepted(Ok((socket, _))) => self.on_accepted(socket),
                Event::Due => self.on_due(),
            }
            for (to, frame) in self.outbox.drain(..) {
                if self.udp.send_to(&frame, to.to_socket()).await.is_err() {
                    self.counters.count(|c| c.unsent_datagrams += 1);
                }
            }
            while self.streams.try_join_next().is_some() {}
        }
        drop(tcp);
        self.finish(stopped, events).await;
        // Last, because a handle takes this for the sign that all is closed.
        drop(commands);
    }

    fn next_due(&self) -> Option<Instant> {
        let loss = self.losses.front().map(|&(due, ..)| due);
        let due = self.timers.next_due().into_iter().chain(loss).min()?;
        let due = Duration::from_micros(due.as_us());
        // A timer beyond what the clock can express is never due.
        self.shared.epoch.checked_add(due)
    }

    /// Ends what is under way, closes or cuts all streams.
    async fn finish(mut self, stopped: bool, mut events: mpsc::Receiver<StreamEvent<O::Message>>) {
        let now = self.shared.now();
        for (op, operation) in std::mem::take(&mut self.operations) {
            let outcome = Outcome::Failed(Reason::NodeDown);
            self.shared.ledger.finished(op, Cause::start(op), &outcome, now);
            // An error means that the caller has stopped waiting.
            let _ = operation.reply.send((op, outcome));
        }
        self.links.close_all();
        if !stopped {
            let drained = async {
                // Readers must not block on a full channel while their
                // streams write what is queued.
                loop {
                    tokio::select! {
                        ended = self.streams.join_next() => if ended.is_none() { return },
                        Some(_) = events.recv() => {}
                    }
                }
            };
            // Whatever has not ended by then is cut.
            let _ = timeout(self.shared.limits.linger, drained).await;
        }
        self.streams.shutdown().await;
    }

    /// Calls the machine and carries out what it wants.
    fn drive(&mut self, cause: Cause, call: impl FnOnce(&mut O, &mut Cx<'_, O>)) {
        let now = self.shared.now();
        let mut effects = std::mem::take(&mut self.effects);
        let mut cx = Cx::new(now, self.profile.addr, cause, false, &mut self.rng, &mut effects);
        call(&mut self.machine, &mut cx);
        for effect in effects.drain(..) {
            self.carry_out(effect, now);
        }
        self.effects = effects;
    }

    fn carry_out(&mut self, effect: Effect<O>, now: Time) {
        let cause = effect.cause;
        match effect.action {
            Action::Send { to, message } => self.send(cause, to, &message),
            Action::Wake { after, timer } => self.set_timer(now + after, (cause, timer)),
            Action::Upkeep { after, timer } => {
                if self.shared.maintenance {
                    let after = Span::from_us(after.as_us() / self.shared.upkeep_speed);
                    self.set_timer(now + after, (Cause::UPKEEP, timer));
                }
            }
            Action::Answer { op, .. } => self.shared.ledger.answered(op, cause, now),
            Action::Finish { op, outcome } => self.end_operation(op, cause, outcome, now),
            Action::Close { peer } => self.links.close(peer),
            // Contexts are made with recording off, so none arrives.
            Action::Note(_) => {}
        }
    }

    fn send(&mut self, cause: Cause, to: Addr, message: &O::Message) {
        let cause = cause.next(message.is_reply());
        self.shared.ledger.sent(cause, message);
        let frame = frame::encode(&Header { sender: self.profile.addr, cause }, message);
        match O::transport(message) {
            Transport::Datagram => self.queue_datagram(to, frame),
            Transport::Stream => self.send_on_stream(cause, to, frame),
        }
    }

    fn queue_datagram(&mut self, to: Addr, frame: Vec<u8>) {
        if frame.len() > frame::MAX_DATAGRAM_BYTES {
            self.counters.count(|c| c.oversized_datagrams += 1);
        } else {
            self.outbox.push((to, frame));
        }
    }

    fn send_on_stream(&mut self, cause: Cause, to: Addr, frame: Vec<u8>) {
        if self.losses.iter().any(|&(_, peer, _)| peer == to) {
            return;
        }
        if !self.links.contains(to) {
            if self.links.len() >= self.shared.limits.streams {
                self.counters.count(|c| c.refused_streams += 1);
                self.lose(to, cause);
                return;
            }
            let connection = self.connect(Origin::Opened(to), cause);
            self.links.open(to, connection);
        }
        if let Err(Overflow) = self.links.push(to, frame) {
            self.counters.count(|c| c.overflowed_streams += 1);
            self.links.cut(to);
            self.lose(to, cause);
        }
    }

    fn lose(&mut self, peer: Addr, cause: Cause) {
        self.losses.push_back((self.shared.now() + REFUSAL_DELAY, peer, cause));
    }

    fn connect(&mut self, origin: Origin, opened_for: Cause) -> Connection {
        self.streams_opened += 1;
        let id = self.streams_opened;
        let opened_here = matches!(origin, Origin::Opened(_));
        let (queue, stream) = Stream::new(id, self.event_sender.clone(), self.shared.limits);
        let abort = self.streams.spawn(stream.run(origin));
        Connection { id, opened_here, opened_for, queue, abort }
    }

    fn set_timer(&mut self, due: Time, what: (Cause, O::Timer)) {
        if !self.timers.set(due, what) {
            self.counters.count(|c| c.refused_timers += 1);
        }
    }

    fn end_operation(&mut self, op: OpId, cause: Cause, outcome: Outcome, now: Time) {
        let Some(operation) = self.operations.remove(&op) else {
            self.counters.count(|c| c.stray_outcomes += 1);
            return;
        };
        self.shared.ledger.finished(op, cause, &outcome, now);
        self.left |= operation.verb == Verb::Leave && outcome == Outcome::Done;
        // An error means that the caller has stopped waiting.
        let _ = operation.reply.send((op, outcome));
    }

    fn on_command(&mut self, command: Command) {
        // An error of a reply means that the caller has stopped waiting.
        match command {
            Command::Ask(request, reply) => self.on_request(&request, reply),
            Command::Footprint(reply) => {
                let _ = reply.send(self.machine.footprint());
            }
            Command::Neighbours(reply) => {
                let mut neighbours = Vec::new();
                self.machine.neighbours(&mut |peer| neighbours.push(peer));
                let _ = reply.send(neighbours);
            }
            Command::Stop => {}
        }
    }

    fn on_request(&mut self, request: &Request, reply: oneshot::Sender<(OpId, Outcome)>) {
        let verb = request.verb();
        let room = self.operations.len() < self.shared.limits.operations;
        let now = self.shared.now();
        let started = room.then(|| self.shared.ledger.start(verb, self.index, now)).flatten();
        let Some(op) = started else {
            self.counters.count(|c| c.refused_operations += 1);
            let _ = reply.send((OpId::NONE, Outcome::Failed(Reason::Full)));
            return;
        };
        self.operations.insert(op, Operation { verb, reply });
        self.drive(Cause::start(op), |machine, cx| match request {
            Request::Join(via) => machine.join(cx, op, via),
            Request::Leave => machine.leave(cx, op),
            Request::Insert(item) => machine.insert(cx, op, item),
            Request::Delete(key) => machine.delete(cx, op, key),
            Request::Search(query) => machine.search(cx, op, query),
            Request::Locate(key) => machine.locate(cx, op, key),
        });
    }

    fn on_datagram(&mut self, bytes: &[u8], source: SocketAddr) {
        let decoded = frame::decode::<O::Message>(bytes)
            .ok()
            .filter(|(header, _)| SocketAddr::V4(header.sender.to_socket()) == source);
        match decoded {
            Some((header, message)) => self.on_message(header, message),
            None => self.counters.count(|c| c.malformed_datagrams += 1),
        }
    }

    fn on_message(&mut self, header: Header, message: O::Message) {
        self.counters.count(|c| c.received_messages += 1);
        self.shared.ledger.received(header.cause, self.index, &message);
        self.drive(header.cause, |machine, cx| machine.on_message(cx, header.sender, message));
    }

    fn on_lost(&mut self, peer: Addr, cause: Cause) {
        self.drive(cause, |machine, cx| machine.on_lost(cx, peer));
    }

    fn on_stream_event(&mut self, event: StreamEvent<O::Message>) {
        match event {
            StreamEvent::Message(id, header, message) => {
                match self.links.identify(id, header.sender) {
                    Standing::Known => {}
                    Standing::Replaced => self.on_lost(header.sender, Cause::UPKEEP),
                    Standing::Closed => return,
                }
                self.on_message(header, message);
            }
            StreamEvent::Ended(id, end) => {
                self.counters.count(|c| match end {
                    End::Closed => {}
                    End::Unreachable => c.unreachable_streams += 1,
                    End::Silent => c.silent_streams += 1,
                    End::Malformed => c.malformed_streams += 1,
                });
                if let Some((peer, opened_for)) = self.links.end(id) {
                    // A stream that never came about fails whoever wanted it;
                    // one that breaks later is nobody's doing.
                    let refused = end == End::Unreachable;
                    self.on_lost(peer, if refused { opened_for } else { Cause::UPKEEP });
                }
            }
        }
    }

    fn on_accepted(&mut self, socket: TcpStream) {
        let limits = &self.shared.limits;
        let full = self.links.len() >= limits.streams || self.links.strangers() >= limits.strangers;
        let walled = self.profile.firewalled && !O::PUNCHES_HOLES;
        if walled || full {
            self.counters.count(|c| c.refused_streams += 1);
            return;
        }
        let connection = self.connect(Origin::Accepted(socket), Cause::UPKEEP);
        self.links.accept(connection);
    }

    /// Hands out one thing that is due; the next turn of the loop sees the
    /// rest, so that sockets are served in between.
    fn on_due(&mut self) {
        let now = self.shared.now();
        if let Some((_, peer, cause)) = self.losses.pop_front_if(|&mut (due, ..)| due <= now) {
            self.on_lost(peer, cause);
        } else if let Some((cause, timer)) = self.timers.pop_due(now) {
            self.drive(cause, |machine, cx| machine.on_timer(cx, timer));
        }
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => future::pending().await,
    }
}
