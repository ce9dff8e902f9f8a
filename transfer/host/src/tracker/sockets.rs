//! Listening sockets.

use std::io;
use std::net::SocketAddr;

use mio::net::{TcpListener, UdpSocket};
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
