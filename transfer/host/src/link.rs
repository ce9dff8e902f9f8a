//! One connection: its socket, and the bytes that are on their way.

use std::io;
use std::net::SocketAddr;

use mio::net::TcpStream;
use transfer::BLOCK_LEN;

use crate::inbox::Inbox;
use crate::outbox::Outbox;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The system is still connecting.
    Connecting,
    /// Handshakes are exchanged.
    Handshake,
    /// Both handshakes were read: the session knows of it.
    Open,
    /// Nothing more is read; it goes when the session says so.
    Closing,
}

/// One connection.
#[derive(Debug)]
pub struct Link {
    /// The socket.
    pub stream: TcpStream,
    /// The other end.
    pub addr: SocketAddr,
    /// The torrent that it is for; known from the start if we connected.
    pub torrent: Option<u32>,
    /// Whether the peer connected to us.
    pub incoming: bool,
    /// How far it is.
    pub stage: Stage,
    /// Whether the socket may have bytes for us.
    pub readable: bool,
    /// Whether the socket may take bytes.
    pub writable: bool,
    /// Whether the peer has ended its side, or the connection is broken.
    pub hung_up: bool,
    /// Whether a rate limit keeps it from receiving until a timer comes.
    pub receive_throttled: bool,
    /// Whether a rate limit keeps it from sending blocks until a timer comes.
    pub send_throttled: bool,
    /// Whether it stands in the list of those with something to do.
    pub queued: bool,
    /// Whether our handshake is sent or on its way.
    pub greeted: bool,
    /// When it must be open, in microseconds.
    pub deadline_us: u64,
    /// What has been received and not yet understood.
    pub inbox: Inbox,
    /// What is to be sent.
    pub outbox: Outbox,
    /// Whether the session has blocks for it.
    pub upload_ready: bool,
}

/// About this much is sent or received in one turn of a connection, in bytes.
pub const TURN_BYTES: usize = 16 * BLOCK_LEN as usize;

impl Link {
    /// A connection that has just been made or accepted.
    pub fn new(
        stream: TcpStream,
        addr: SocketAddr,
        torrent: Option<u32>,
        deadline_us: u64,
    ) -> Self {
        let incoming = torrent.is_none();
        Self {
            stream,
            addr,
            torrent,
            incoming,
            stage: if incoming { Stage::Handshake } else { Stage::Connecting },
            readable: incoming,
            writable: incoming,
            hung_up: false,
            receive_throttled: false,
            send_throttled: false,
            queued: false,
            greeted: false,
            deadline_us,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            upload_ready: false,
        }
    }

    /// Whether it can go on now.
    pub fn has_work(&self) -> bool {
        match self.stage {
            Stage::Connecting => self.writable,
            Stage::Closing => false,
            Stage::Handshake | Stage::Open => {
                let may_upload = self.upload_ready && !self.send_throttled;
                (self.readable && !self.receive_throttled)
                    || (self.writable && (!self.outbox.is_empty() || may_upload))
            }
        }
    }

    /// Whether the system has connected; an error if it could not.
    ///
    /// # Errors
    /// When the connection failed.
    pub fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends what waits, up to `allowed` bytes. Returns how many went.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn write(&mut self, allowed: usize) -> io::Result<usize> {
        let mut sent = 0;
        while !self.outbox.is_empty() && sent < allowed {
            match self.outbox.write(&self.stream, allowed - sent) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => sent += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.writable = false;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }
}
