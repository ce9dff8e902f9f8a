//! One connection: its socket, and the bytes that are on their way.

use std::io::{self, Read};
use std::net::SocketAddr;

use mio::net::TcpStream;
use transfer::mse::{
    Accepted, Encryption, Established, Initiator, Methods, MseError, Responder, Seed, TorrentTag,
};
use transfer::wire::Handshake;
use transfer::{BLOCK_LEN, Block, InfoHash};

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

/// How far the encryption of a connection is agreed on.
pub enum Cloak {
    /// It goes in plain, or both sides have their ciphers.
    Settled {
        /// Whether the encryption handshake was gone through.
        encrypted: bool,
    },
    /// We connected and asked for it.
    Asking(Box<Initiator>),
    /// The peer connected, and its first bytes say whether it wants it.
    Listening(Box<Responder>),
}

/// Why a handshake does not go on.
#[derive(Debug)]
pub enum HandshakeError {
    /// The connection says so.
    Io(io::Error),
    /// The encryption handshake failed.
    Cloak(MseError),
}

/// Read at a time while encryption is agreed on, in bytes.
const CLOAK_READ_LEN: usize = 2048;

/// One connection.
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
    /// How far the encryption is agreed on.
    pub cloak: Cloak,
    /// Whether we connected and asked for encryption.
    pub asked_for_encryption: bool,
    /// Whether the other way, in plain or encrypted, was tried before.
    pub is_second_try: bool,
    /// Whether it waits until it is known which pieces of its torrent are there.
    pub awaits_check: bool,
    /// Whether the peer has said anything.
    pub has_heard: bool,
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
    /// Blocks that were to be sent and were not in memory.
    pub cold: Vec<Block>,
    /// Whether the disk thread is reading them.
    pub awaits_disk: bool,
}

/// About this much is sent or received in one turn of a connection, in bytes.
pub const TURN_BYTES: usize = 16 * BLOCK_LEN as usize;

impl Link {
    /// A connection that has just been made or accepted.
    pub fn new(
        stream: TcpStream,
        addr: SocketAddr,
        torrent: Option<u32>,
        cloak: Cloak,
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
            asked_for_encryption: !incoming && matches!(cloak, Cloak::Settled { encrypted: true }),
            cloak,
            is_second_try: false,
            awaits_check: false,
            has_heard: false,
            greeted: false,
            deadline_us,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            upload_ready: false,
            cold: Vec::new(),
            awaits_disk: false,
        }
    }

    /// Whether it can go on now.
    pub fn has_work(&self) -> bool {
        match self.stage {
            Stage::Connecting => self.writable,
            Stage::Closing => false,
            Stage::Handshake if self.awaits_check => false,
            Stage::Handshake | Stage::Open => {
                let has_blocks = self.upload_ready || !self.cold.is_empty();
                let may_upload = has_blocks && !self.send_throttled && !self.awaits_disk;
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

    /// Sends our handshake first, since we connected: in plain, or within the
    /// encryption handshake.
    pub fn greet_first(&mut self, ours: &Handshake, policy: Encryption, seed: Seed) {
        self.greeted = true;
        if self.asked_for_encryption {
            let offer = policy.offer().unwrap_or(Methods::BOTH);
            let mut out = Vec::new();
            let asking = Initiator::new(ours.info_hash, offer, &ours.encode(), seed, &mut out);
            self.outbox.push_bytes(&out);
            self.cloak = Cloak::Asking(Box::new(asking));
        } else {
            self.outbox.push_bytes(&ours.encode());
        }
    }

    /// Receives what there is of handshakes. `find` says which torrent has a tag.
    ///
    /// # Errors
    /// When the connection is gone, has nothing more now (`WouldBlock`), or the
    /// encryption handshake fails.
    pub fn receive_handshake(
        &mut self,
        find: impl Fn(TorrentTag) -> Option<InfoHash>,
    ) -> Result<(), HandshakeError> {
        while self.readable && !matches!(self.cloak, Cloak::Settled { .. }) {
            let mut bytes = [0; CLOAK_READ_LEN];
            // A handshake in plain is read alone, so that what follows it is
            // received well.
            let room = match self.cloak {
                Cloak::Listening(_) if !self.has_heard => Handshake::LEN,
                _ => CLOAK_READ_LEN,
            };
            let n = self.stream.read(&mut bytes[..room]).map_err(HandshakeError::Io)?;
            if n == 0 {
                return Err(HandshakeError::Io(io::ErrorKind::UnexpectedEof.into()));
            }
            self.has_heard = true;
            self.uncloak(&bytes[..n], &find).map_err(HandshakeError::Cloak)?;
        }
        let missing = Handshake::LEN.saturating_sub(self.inbox.waiting().len());
        if self.readable && missing > 0 {
            self.inbox.fill(&mut self.stream, missing).map_err(HandshakeError::Io)?;
            self.has_heard = true;
        }
        Ok(())
    }

    /// Passes bytes to the encryption handshake.
    fn uncloak(
        &mut self,
        bytes: &[u8],
        find: impl Fn(TorrentTag) -> Option<InfoHash>,
    ) -> Result<(), MseError> {
        let mut out = Vec::new();
        let accepted = match &mut self.cloak {
            Cloak::Settled { .. } => return Ok(()),
            Cloak::Asking(asking) => asking.receive(bytes, &mut out)?.map(Accepted::Encrypted),
            Cloak::Listening(listening) => listening.receive(bytes, find, &mut out)?,
        };
        self.outbox.push_bytes(&out);
        match accepted {
            None => {}
            Some(Accepted::Plain(received)) => {
                self.cloak = Cloak::Settled { encrypted: false };
                self.inbox.preload(&received);
            }
            Some(Accepted::Encrypted(established)) => self.established(established),
        }
        Ok(())
    }

    fn established(&mut self, established: Established) {
        self.cloak = Cloak::Settled { encrypted: established.ciphers.is_some() };
        self.inbox.preload(&established.received);
        if let Some(ciphers) = established.ciphers {
            self.inbox.decrypt_with(ciphers.receive);
            self.outbox.encrypt_with(ciphers.send);
        }
    }
}
