//! The datagrams of the UDP protocol, answered in batches.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::ops::Range;

use mio::net::UdpSocket;

use super::service::Service;

/// How many datagrams one socket is served at a time, so that none starves the
/// others. All their answers leave with one system call: beside the calls that
/// saves the receivers' wake-ups, of which each may cost an interrupt of
/// another processor.
const BATCH: usize = 64;

/// The longest datagram that is read whole; no client's is longer.
const DATAGRAM_LEN: usize = 2048;

/// The answers of a batch, kept for their memory.
#[derive(Default)]
pub(super) struct Datagrams {
    bytes: Vec<u8>,
    /// Who gets which bytes.
    answers: Vec<(SocketAddr, Range<usize>)>,
}

impl Datagrams {
    /// Answers a batch of datagrams; whether there may be more.
    pub(super) fn turn(&mut self, socket: &UdpSocket, service: &mut Service, now_us: u64) -> bool {
        self.bytes.clear();
        self.answers.clear();
        let mut datagram = [0; DATAGRAM_LEN];
        let mut may_have_more = true;
        for _ in 0..BATCH {
            let (len, from) = match socket.recv_from(&mut datagram) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    may_have_more = false;
                    break;
                }
                // Such as a port that an earlier answer did not reach.
                Err(_) => continue,
            };
            let start = self.bytes.len();
            service.datagram(&datagram[..len], from, now_us, &mut self.bytes);
            if start < self.bytes.len() {
                self.answers.push((from, start..self.bytes.len()));
            }
        }
        service.counters.udp_unsent += self.send(socket);
        may_have_more
    }

    /// Sends all answers; returns how many the system did not take.
    #[cfg(target_os = "linux")]
    fn send(&self, socket: &UdpSocket) -> u64 {
        use std::io::IoSlice;

        use rustix::net::addr::SocketAddrArg;
        use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};
        use smallvec::SmallVec;

        type Batch<T> = SmallVec<[T; BATCH]>;
        let addresses: Batch<SocketAddrAny> =
            self.answers.iter().map(|(address, _)| address.as_any()).collect();
        let contents: Batch<[IoSlice<'_>; 1]> =
            self.answers.iter().map(|(_, at)| [IoSlice::new(&self.bytes[at.clone()])]).collect();
        let mut nothing: Batch<SendAncillaryBuffer<'_, '_, '_>> =
            self.answers.iter().map(|_| SendAncillaryBuffer::default()).collect();
        let mut messages: Batch<MMsgHdr<'_>> = addresses
            .iter()
            .zip(&contents)
            .zip(&mut nothing)
            .map(|((address, content), none)| MMsgHdr::new_with_addr(address, content, none))
            .collect();
        let (mut unsent, mut done) = (0, 0);
        while done < messages.len() {
            match sendmmsg(socket, &mut messages[done..], SendFlags::empty()) {
                Ok(sent) => done += sent.max(1),
                // It tells of the first one only.
                Err(_) => {
                    done += 1;
                    unsent += 1;
                }
            }
        }
        unsent
    }

    /// Sends all answers; returns how many the system did not take.
    #[cfg(not(target_os = "linux"))]
    fn send(&self, socket: &UdpSocket) -> u64 {
        let is_unsent = |(address, at): &&(SocketAddr, Range<usize>)| {
            socket.send_to(&self.bytes[at.clone()], *address).is_err()
        };
        self.answers.iter().filter(is_unsent).count() as u64
    }
}
