//! One TCP connection: the task that reads, decodes and writes.

use std::future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use overlays::{Addr, Wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::frame::{self, Header};
use super::limits::Limits;

/// A connection's number at its node.
pub(super) type StreamId = u64;

/// What a connection tells its node.
#[derive(Debug)]
pub(super) enum StreamEvent<M> {
    /// A message came. Its header's sender is who is at the other end.
    Message(StreamId, Header, M),
    /// The connection is over; nothing follows.
    Ended(StreamId, End),
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Closed by either side, or broken.
    Closed,
    /// It could not be established.
    Unreachable,
    /// It was accepted and sent no whole frame in time.
    Silent,
    /// It carried something other than frames of this overlay.
    Malformed,
}

/// How a connection came about.
#[derive(Debug)]
pub(super) enum Origin {
    /// This node opens it, to this peer.
    Opened(Addr),
    /// Somebody opened it to this node.
    Accepted(TcpStream),
}

/// The node's end of the queue to a connection's writer. Dropping it closes
/// the connection once what is queued has been written.
#[derive(Debug)]
pub(super) struct Queue {
    frames: mpsc::Sender<Vec<u8>>,
    queued_bytes: Arc<AtomicUsize>,
    limit_bytes: usize,
    /// Dropped with the queue, which starts the linger time.
    _closing: oneshot::Sender<()>,
}

/// The queue is full: the peer reads too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Queue {
    /// Queues a frame. A frame for a connection that has just ended is lost;
    /// its end is on the way to the node as an event.
    pub(super) fn push(&self, frame: Vec<u8>) -> Result<(), Overflow> {
        let bytes = frame.len();
        if self.queued_bytes.load(Ordering::Relaxed) + bytes > self.limit_bytes {
            return Err(Overflow);
        }
        self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        match self.frames.try_send(frame) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Overflow),
        }
    }
}

/// A connection about to run: the task's side.
#[derive(Debug)]
pub(super) struct Stream<M> {
    id: StreamId,
    frames: mpsc::Receiver<Vec<u8>>,
    queued_bytes: Arc<AtomicUsize>,
    closing: oneshot::Receiver<()>,
    events: mpsc::Sender<StreamEvent<M>>,
    limits: Limits,
}

impl<M: Wire> Stream<M> {
    /// A connection and the queue to it.
    pub(super) fn new(
        id: StreamId,
        events: mpsc::Sender<StreamEvent<M>>,
        limits: Limits,
    ) -> (Queue, Self) {
        let (sender, frames) = mpsc::channel(limits.queued_frames);
        let (closed, closing) = oneshot::channel();
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let queue = Queue {
            frames: sender,
            queued_bytes: Arc::clone(&queued_bytes),
            limit_bytes: limits.queued_bytes,
            _closing: closed,
        };
        (queue, Self { id, frames, queued_bytes, closing, events, limits })
    }

    /// Runs the connection to its end.
    pub(super) async fn run(self, origin: Origin) {
        let Self { id, frames, queued_bytes, closing, events, limits } = self;
        let linger = async {
            // Resolves when the node drops its end of the queue.
            let _ = closing.await;
            sleep(limits.linger).await;
            End::Closed
        };
        let work = async {
            let (socket, peer) = match establish(origin, &limits).await {
                Ok(established) => established,
                Err(end) => return end,
            };
            let (read, write) = socket.into_split();
            let reader = Reading { id, peer, events: &events, limits: &limits };
            tokio::select! {
                end = reader.run(read) => end,
                Err(_) = write_frames(write, frames, &queued_bytes) => End::Closed,
            }
        };
        let end = tokio::select! { end = work => end, end = linger => end };
        // An error means that the node has stopped and needs no event.
        let _ = events.send(StreamEvent::Ended(id, end)).await;
    }
}

/// A connected socket, and the peer if it is known already.
async fn establish(origin: Origin, limits: &Limits) -> Result<(TcpStream, Option<Addr>), End> {
    let (socket, peer) = match origin {
        Origin::Accepted(socket) => (socket, None),
        Origin::Opened(peer) => {
            match timeout(limits.handshake, TcpStream::connect(peer.to_socket())).await {
                Ok(Ok(socket)) => (socket, Some(peer)),
                Ok(Err(_)) | Err(_) => return Err(End::Unreachable),
            }
        }
    };
    // Without this, small frames would wait for the acknowledgement of the one
    // before. A socket that refuses the option still works.
    let _ = socket.set_nodelay(true);
    Ok((socket, peer))
}

/// Writes frames as they come. Returns only on an error: after the last frame
/// it shuts its direction down and leaves it to the reader to see the peer
/// close the other one, since closing at once would discard what is in flight.
async fn write_frames(
    write: OwnedWriteHalf,
    mut frames: mpsc::Receiver<Vec<u8>>,
    queued_bytes: &AtomicUsize,
) -> io::Result<()> {
    let mut write = BufWriter::new(write);
    while let Some(frame) = frames.recv().await {
        let len = u32::try_from(frame.len()).expect("frames are far smaller than 4 GiB");
        write.write_all(&len.to_be_bytes()).await?;
        write.write_all(&frame).await?;
        queued_bytes.fetch_sub(frame.len(), Ordering::Relaxed);
        if frames.is_empty() {
            write.flush().await?;
        }
    }
    write.shutdown().await?;
    future::pending().await
}

/// The reading direction.
struct Reading<'a, M> {
    id: StreamId,
    peer: Option<Addr>,
    events: &'a mpsc::Sender<StreamEvent<M>>,
    limits: &'a Limits,
}

impl<M: Wire> Reading<'_, M> {
    /// Reads frames until the connection ends or something else comes.
    async fn run(mut self, read: OwnedReadHalf) -> End {
        let Ok(remote) = read.peer_addr() else { return End::Closed };
        let mut read = BufReader::new(read);
        let mut bytes = Vec::new();
        loop {
            let next = read_frame::<M>(&mut read, &mut bytes);
            let received = match self.peer {
                Some(_) => next.await,
                None => timeout(self.limits.handshake, next).await.unwrap_or(Err(End::Silent)),
            };
            if let Err(end) = received {
                return end;
            }
            let Ok((header, message)) = frame::decode::<M>(&bytes) else { return End::Malformed };
            match self.peer {
                Some(peer) if header.sender != peer => return End::Malformed,
                None if header.sender.to_socket().ip() != &remote.ip() => return End::Malformed,
                _ => self.peer = Some(header.sender),
            }
            let event = StreamEvent::Message(self.id, header, message);
            if self.events.send(event).await.is_err() {
                return End::Closed;
            }
        }
    }
}

/// Reads one frame into `bytes`, which grow with what arrives and not with
/// what was announced.
async fn read_frame<M: Wire>(
    read: &mut BufReader<OwnedReadHalf>,
    bytes: &mut Vec<u8>,
) -> Result<(), End> {
    let len = match read.read_u32().await {
        Ok(len) => len as usize,
        Err(_) => return Err(End::Closed),
    };
    if !(frame::MIN_BYTES..=frame::max_bytes::<M>()).contains(&len) {
        return Err(End::Malformed);
    }
    bytes.clear();
    match read.take(len as u64).read_to_end(bytes).await {
        Ok(read) if read == len => Ok(()),
        Ok(_) | Err(_) => Err(End::Closed),
    }
}
