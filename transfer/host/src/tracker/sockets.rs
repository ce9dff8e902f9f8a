//! Listening sockets.

use std::io;
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream, UdpSocket};
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 4096;

/// What the system may buffer of datagrams while we are busy, in bytes. It
/// grants less where its own limit is lower.
const UDP_BUFFER_LEN: usize = 4 << 20;

/// How often another free port is tried when the one that TCP got is not free
/// for UDP.
const PORT_ATTEMPTS: usize = 16;

/// Binds TCP and UDP to the same address and port.
///
/// # Errors
/// When one of them cannot be bound.
pub(super) fn bind(address: SocketAddr) -> io::Result<(TcpListener, UdpSocket)> {
    let mut attempts = PORT_ATTEMPTS;
    loop {
        let tcp = listen(address)?;
        let chosen = tcp.local_addr()?;
        match datagrams(chosen) {
            Ok(udp) => return Ok((tcp, udp)),
            Err(error) if address.port() != 0 || attempts == 0 => return Err(error),
            Err(_) => attempts -= 1,
        }
    }
}

fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(address, Type::STREAM, Protocol::TCP)?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit it: replies are written at once and whole.
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::socket::setsockopt(&socket, DeferAccept, &SILENCE_S) {
        // Emulations of Linux may not know it; then connections come earlier.
        tracing::debug!("accepting cannot be deferred: {error}");
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

fn datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = open(address, Type::DGRAM, Protocol::UDP)?;
    socket.set_recv_buffer_size(UDP_BUFFER_LEN)?;
    socket.set_send_buffer_size(UDP_BUFFER_LEN)?;
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// How long the system keeps a connection to itself that has brought no data
/// yet, in seconds. By the time it is accepted, its request is there, so most
/// connections need no place among those that are watched.
#[cfg(target_os = "linux")]
const SILENCE_S: i32 = 1;

#[cfg(target_os = "linux")]
mod option {
    use nix::{libc, setsockopt_impl, sockopt_impl};

    sockopt_impl!(
        /// `TCP_DEFER_ACCEPT` (tcp(7)).
        DeferAccept,
        SetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_DEFER_ACCEPT,
        i32
    );
}
#[cfg(target_os = "linux")]
use option::DeferAccept;

/// Writes to a connection. With `is_end`, it is closed next: the system may
/// hold the last bytes back until then, and say the end in the same segment.
#[cfg(target_os = "linux")]
pub(super) fn send(stream: &mut TcpStream, bytes: &[u8], is_end: bool) -> io::Result<usize> {
    use rustix::net::SendFlags;
    let more = if is_end { SendFlags::MORE } else { SendFlags::empty() };
    Ok(rustix::net::send(stream, bytes, more | SendFlags::NOSIGNAL)?)
}

/// Writes to a connection, which with `is_end` is closed next.
#[cfg(not(target_os = "linux"))]
pub(super) fn send(stream: &mut TcpStream, bytes: &[u8], _is_end: bool) -> io::Result<usize> {
    io::Write::write(stream, bytes)
}
