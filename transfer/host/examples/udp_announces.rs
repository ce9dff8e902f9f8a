//! Load for a UDP tracker: announces as fast as one thread can, with a window
//! of requests on the way, and prints the rate.
//!
//! `cargo run --release -p transfer-host --example udp_announces -- ADDRESS
//! SECONDS [PEERS [TORRENTS]]` announces PEERS peers at different addresses,
//! which the tracker has to trust, of TORRENTS torrents. With 0 peers, or
//! without, peers at our own address announce random torrents until the time
//! is over.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Requests on the way at once. What is lost is sent anew after the timeout.
const WINDOW: u64 = 256;

/// Requests sent in a row before answers are looked for.
const BURST: u64 = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let mut next = |what: &str| words.next().ok_or(format!("{what} is missing"));
    let tracker: SocketAddr = next("ADDRESS")?.parse()?;
    let seconds: u64 = next("SECONDS")?.parse()?;
    let peers: u64 = next("PEERS").ok().map_or(Ok(0), |n| n.parse())?;
    let peers = (peers > 0).then_some(peers);
    let torrents: u64 = next("TORRENTS").ok().map_or(Ok(1_000_000), |n| n.parse())?;

    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(tracker)?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    // The answers to a whole window of requests must find room.
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 4 << 20)?;
    let mut load = Load { socket, id: 0, connected: Instant::now(), answered: 0, errors: 0 };
    load.connect()?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let start = Instant::now();
    let (mut sent, mut lost) = (0u64, 0u64);
    let is_over = |sent: u64| match peers {
        Some(peers) => sent >= peers,
        None => start.elapsed() >= Duration::from_secs(seconds),
    };
    while !is_over(sent) {
        if load.connected.elapsed() > Duration::from_secs(50) {
            load.connect()?;
        }
        let burst: Vec<[u8; 98]> = (sent..sent + BURST)
            .map(|number| match peers {
                Some(_) => load.announce(number % torrents, number, rng.next_u32()),
                None => load.announce(rng.next_u64() % torrents, 0, rng.next_u32()),
            })
            .collect();
        load.send(&burst)?;
        sent += BURST;
        while sent - lost - load.answered - load.errors > WINDOW - BURST {
            if !load.receive()? {
                lost = sent - load.answered - load.errors;
            }
        }
    }
    while sent - lost > load.answered + load.errors && load.receive()? {}
    let elapsed = start.elapsed().as_secs_f64();
    let (answered, errors) = (load.answered, load.errors);
    println!(
        "{sent} announces sent, {answered} answered, {errors} errors in {elapsed:.2} s: {:.0} announces/s",
        answered as f64 / elapsed
    );
    Ok(())
}

struct Load {
    socket: UdpSocket,
    id: u64,
    connected: Instant,
    answered: u64,
    errors: u64,
}

impl Load {
    fn connect(&mut self) -> io::Result<()> {
        let request = [&0x0417_2710_1980_u64.to_be_bytes()[..], &[0; 8]].concat();
        self.socket.send(&request)?;
        let mut reply = [0; 2048];
        loop {
            let len = self.socket.recv(&mut reply)?;
            if len == 16 && reply[..4] == [0; 4] {
                let id: [u8; 8] = reply[8..16].try_into().map_err(io::Error::other)?;
                self.id = u64::from_be_bytes(id);
                self.connected = Instant::now();
                return Ok(());
            }
            self.answered += 1;
        }
    }

    /// The announce of BEP 15: of peer number `peer`, or of one at our address
    /// and a random port.
    fn announce(&self, torrent: u64, peer: u64, random: u32) -> [u8; 98] {
        let mut packet = [0; 98];
        packet[..8].copy_from_slice(&self.id.to_be_bytes());
        packet[11] = 1;
        packet[16..24].copy_from_slice(&torrent.to_be_bytes());
        // One in four is a seed.
        packet[71] = u8::from(!random.is_multiple_of(4));
        packet[83] = 2;
        if peer > 0 {
            packet[84..88].copy_from_slice(&(0x0a00_0000 + peer as u32).to_be_bytes());
        }
        packet[88..92].copy_from_slice(&random.to_be_bytes());
        packet[92..96].fill(0xff);
        packet[96..98].copy_from_slice(&(random as u16 | 1).to_be_bytes());
        packet
    }

    /// Sends a burst with one system call: what the tracker's core can take is
    /// asked, not what this one can give.
    #[cfg(target_os = "linux")]
    fn send(&self, burst: &[[u8; 98]]) -> io::Result<()> {
        use std::io::IoSlice;

        use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};
        let contents: Vec<[IoSlice<'_>; 1]> =
            burst.iter().map(|announce| [IoSlice::new(announce)]).collect();
        let mut nothing: Vec<SendAncillaryBuffer<'_, '_, '_>> =
            burst.iter().map(|_| SendAncillaryBuffer::default()).collect();
        let mut messages: Vec<MMsgHdr<'_>> = contents
            .iter()
            .zip(&mut nothing)
            .map(|(content, none)| MMsgHdr::new(content, none))
            .collect();
        let mut done = 0;
        while done < messages.len() {
            done += sendmmsg(&self.socket, &mut messages[done..], SendFlags::empty())?;
        }
        Ok(())
    }

    /// Sends a burst.
    #[cfg(not(target_os = "linux"))]
    fn send(&self, burst: &[[u8; 98]]) -> io::Result<()> {
        burst.iter().try_for_each(|announce| self.socket.send(announce).map(drop))
    }

    /// Takes one answer; `false` when none came in time.
    fn receive(&mut self) -> io::Result<bool> {
        let mut reply = [0; 2048];
        match self.socket.recv(&mut reply) {
            Ok(_) if reply[3] == 1 => self.answered += 1,
            Ok(_) => self.errors += 1,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }
}
