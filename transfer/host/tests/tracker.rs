//! The tracker over real sockets, as honest and as hostile clients see it.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use transfer_host::tracker::{Options, Server, Status, StopHandle};

const HASH: &str = "info_hash=%33%82%0d%b6%dd%5e%59%28%d2%3b%c8%11%bb%ac%2fJ%e9L%b8%82";
const HASH_BYTES: &[u8; 20] =
    b"\x33\x82\x0d\xb6\xdd\x5e\x59\x28\xd2\x3b\xc8\x11\xbb\xac\x2fJ\xe9L\xb8\x82";

struct Tracker {
    address: SocketAddr,
    stop: StopHandle,
    thread: Option<JoinHandle<Status>>,
}

impl Tracker {
    fn start(change: impl FnOnce(&mut Options)) -> Self {
        let mut options =
            Options { listen: vec![(Ipv4Addr::LOCALHOST, 0).into()], ..Options::default() };
        change(&mut options);
        let server = Server::bind(&options).expect("loopback can be bound");
        let address = server.local_addresses().expect("it is bound")[0];
        let stop = server.stop_handle();
        let thread = Some(std::thread::spawn(move || server.run().expect("it serves")));
        Self { address, stop, thread }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
        stream
    }

    /// Sends `request` and reads until the tracker closes.
    fn exchange(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(request).expect("it reads");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).expect("it closes");
        reply
    }

    fn get(&self, target: &str) -> Vec<u8> {
        let reply = self.exchange(format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes());
        body(&reply).to_vec()
    }

    fn udp(&self) -> UdpSocket {
        let any: SocketAddr = match self.address {
            SocketAddr::V4(_) => (Ipv4Addr::LOCALHOST, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::LOCALHOST, 0).into(),
        };
        let socket = UdpSocket::bind(any).expect("loopback can be bound");
        socket.connect(self.address).expect("it can be connected");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
        socket
    }

    fn finish(mut self) -> Status {
        self.stop.stop();
        self.thread.take().expect("it ran").join().expect("it ends")
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

fn body(reply: &[u8]) -> &[u8] {
    let end = reply.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
    let head = str::from_utf8(&reply[..end]).expect("text");
    let len = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let body = &reply[end + 4..];
    assert_eq!(len.expect("a length").parse(), Ok(body.len()), "{head}");
    body
}

fn announce(port: u16, left: u64, more: &str) -> String {
    format!("/announce?{HASH}&peer_id=-OL0001-000000000000&port={port}&left={left}{more}")
}

/// Reads one reply of a connection that stays open.
fn read_reply(stream: &mut TcpStream) -> Vec<u8> {
    let mut reply = Vec::new();
    let mut byte = [0];
    while !reply.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a head");
        reply.push(byte[0]);
    }
    let head = String::from_utf8(reply).expect("text");
    let len = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; len.expect("a length").parse().expect("a number")];
    stream.read_exact(&mut body).expect("a body");
    body
}

#[test]
fn peers_find_each_other() {
    let tracker = Tracker::start(|_| {});
    let shell = |complete, incomplete, peers: &[u8]| {
        let mut text = format!(
            "d8:completei{complete}e10:downloadedi0e10:incompletei{incomplete}e\
             8:intervali1800e12:min intervali300e5:peers{}:",
            peers.len()
        )
        .into_bytes();
        text.extend_from_slice(peers);
        text.push(b'e');
        text
    };
    assert_eq!(tracker.get(&announce(0x1ae1, 0, "&event=started")), shell(1, 0, b""));
    let seed = b"\x7f\0\0\x01\x1a\xe1";
    assert_eq!(tracker.get(&announce(0x1ae2, 9, "&event=started")), shell(1, 1, seed));
    // A seed learns of leechers alone, a leaver of nobody.
    let leecher = b"\x7f\0\0\x01\x1a\xe2";
    assert_eq!(tracker.get(&announce(0x1ae3, 0, "")), shell(2, 1, leecher));
    assert_eq!(tracker.get(&announce(0x1ae3, 0, "&event=stopped")), shell(1, 1, b""));
    assert_eq!(
        tracker.get(&announce(0x1ae2, 0, "&event=completed&numwant=0")).len(),
        shell(2, 0, b"").len()
    );
    let mut scraped = b"d5:filesd20:".to_vec();
    scraped.extend_from_slice(HASH_BYTES);
    scraped.extend_from_slice(b"d8:completei2e10:downloadedi1e10:incompletei0eeee");
    assert_eq!(tracker.get(&format!("/scrape?{HASH}")), scraped);
    let metrics = String::from_utf8(tracker.get("/metrics")).expect("text");
    assert!(
        metrics.contains("overlab_tracker_announces_total{protocol=\"http\"} 5\n"),
        "{metrics}"
    );
    assert!(metrics.contains("overlab_tracker_peers{family=\"ipv4\"} 2\n"), "{metrics}");
    let status = tracker.finish();
    assert_eq!(status.counters.http_announces, 5);
    assert_eq!(status.figures.peers_v4, 2);
}

#[test]
fn failures_are_told() {
    let tracker = Tracker::start(|options| options.config.max_peers_per_address = 1);
    assert_eq!(tracker.get("/announce?port=1"), b"d14:failure reason20:info_hash is missinge");
    assert_eq!(
        tracker.get("/scrape?info_hash=x"),
        b"d14:failure reason28:info_hash is not of its forme"
    );
    assert!(tracker.get("/scrape").starts_with(b"d14:failure reason"));
    assert!(tracker.get(&announce(1, 1, "")).starts_with(b"d8:complete"));
    assert!(tracker.get(&announce(2, 1, "")).starts_with(b"d14:failure reason"));
    assert!(tracker.exchange(b"GET / HTTP/1.0\r\n\r\n").starts_with(b"HTTP/1.1 404 "));
    let counters = tracker.finish().counters;
    assert_eq!((counters.refused, counters.http_malformed, counters.http_not_found), (1, 3, 1));
}

#[test]
fn a_connection_serves_many_requests_in_order() {
    let tracker = Tracker::start(|_| {});
    let mut stream = tracker.connect();
    for port in 1..20 {
        let request =
            format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", announce(port, 1, "&numwant=99"));
        // In pieces, as networks deliver.
        let (first, second) = request.as_bytes().split_at(usize::from(port) * 7);
        stream.write_all(first).expect("it reads");
        std::thread::sleep(Duration::from_millis(2));
        stream.write_all(second).expect("it reads");
        let expected = format!("10:incompletei{port}e");
        let reply = read_reply(&mut stream);
        assert!(reply.windows(expected.len()).any(|w| w == expected.as_bytes()));
    }
    // Five hundred at once, more than fit into what is buffered of replies.
    let request = format!("GET {} HTTP/1.1\r\n\r\n", announce(1, 1, "&numwant=99"));
    let mut all = request.repeat(500);
    all.push_str("GET /scrape HTTP/1.1\r\nConnection: close\r\n\r\n");
    let mut writer = stream.try_clone().expect("it can be cloned");
    let writing = std::thread::spawn(move || writer.write_all(all.as_bytes()));
    std::thread::sleep(Duration::from_millis(50));
    for _ in 0..500 {
        assert!(read_reply(&mut stream).starts_with(b"d8:complete"));
    }
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("it closes");
    assert!(body(&rest).starts_with(b"d14:failure reason"));
    writing.join().expect("it ends").expect("all was read");
    assert_eq!(tracker.finish().counters.http_announces, 519);
}

#[test]
fn garbage_is_refused_with_a_reason() {
    let tracker = Tracker::start(|_| {});
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(200_000));
    let cases: [(&[u8], &str); 6] = [
        (b"\x13BitTorrent protocol and so on\r\n\r\n", "400"),
        (b"POST /announce HTTP/1.1\r\n\r\n", "405"),
        (b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "413"),
        (b"GET / HTTP/2.0\r\n\r\n", "505"),
        (b"\0\xff\n\n", "400"),
        (long.as_bytes(), "431"),
    ];
    for (request, code) in cases {
        let reply = tracker.exchange_refused(request);
        let start = String::from_utf8_lossy(&reply[..reply.len().min(40)]).into_owned();
        assert!(start.starts_with(&format!("HTTP/1.1 {code} ")), "{start}");
        body(&reply);
    }
    assert_eq!(tracker.finish().counters.http_malformed, 6);
}

impl Tracker {
    /// As `exchange`, for a request that is not read to its end.
    fn exchange_refused(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(request).expect("it reads or discards");
        stream.shutdown(Shutdown::Write).expect("it is open");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).expect("it closes");
        reply
    }
}

#[test]
fn slow_clients_keep_nobody_else_out() {
    let tracker = Tracker::start(|options| {
        options.max_connections = 20;
        options.request_timeout_us = 1_500_000;
    });
    let mut slow: Vec<TcpStream> = (0..60).map(|_| tracker.connect()).collect();
    for stream in &mut slow {
        // Those that were evicted already may refuse it.
        let _ = stream.write_all(b"GET /announce?");
    }
    assert!(tracker.get(&announce(1, 1, "")).starts_with(b"d8:complete"));
    let start = Instant::now();
    for stream in &mut slow {
        match stream.read(&mut [0; 16]) {
            Ok(0) => {}
            Ok(_) => panic!("there is nothing to answer"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "closed by then"),
        }
    }
    assert!(start.elapsed() < Duration::from_secs(8));
    let status = tracker.finish();
    assert_eq!(status.connections, 0);
    assert_eq!(status.counters.connections, 61);
    assert!(status.counters.connections_evicted >= 40, "{:?}", status.counters);
    assert!(status.counters.connections_timed_out >= 19, "{:?}", status.counters);
}

fn ask(socket: &UdpSocket, request: &[u8]) -> Vec<u8> {
    socket.send(request).expect("it can be sent");
    let mut reply = [0; 2048];
    let len = socket.recv(&mut reply).expect("an answer");
    reply[..len].to_vec()
}

fn udp_announce(connection: &[u8], left: u8, event: u8, port: u16) -> Vec<u8> {
    let mut bytes = [connection, &[0, 0, 0, 1, 0, 0, 0, 77]].concat();
    bytes.extend_from_slice(HASH_BYTES);
    bytes.extend_from_slice(b"-OL0001-000000000000");
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, left]);
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[0, 0, 0, event]);
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[0xff; 4]);
    bytes.extend_from_slice(&port.to_be_bytes());
    bytes
}

const CONNECT: [u8; 16] = [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 0, 0, 0, 77];

#[test]
fn udp_clients_are_served_once_they_are_connected() {
    let tracker = Tracker::start(|_| {});
    let socket = tracker.udp();
    // Short packets and strange ones have no answer; the next one has.
    for garbage in [&b""[..], b"x", &CONNECT[..15], &[7; 300]] {
        socket.send(garbage).expect("it can be sent");
    }
    let error = ask(&socket, &udp_announce(&[1; 8], 0, 2, 6881));
    assert_eq!(error, b"\0\0\0\x03\0\0\0\x4dconnection id unknown");
    let connected = ask(&socket, &CONNECT);
    assert_eq!(connected[..8], [0, 0, 0, 0, 0, 0, 0, 77]);
    let id = &connected[8..16];
    let first = ask(&socket, &udp_announce(id, 0, 2, 0x1ae1));
    assert_eq!(first, [0, 0, 0, 1, 0, 0, 0, 77, 0, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
    let second = ask(&socket, &udp_announce(id, 9, 2, 0x1ae2));
    assert_eq!(second[8..20], [0, 0, 7, 8, 0, 0, 0, 1, 0, 0, 0, 1]);
    assert_eq!(second[20..], [127, 0, 0, 1, 0x1a, 0xe1]);
    let mut scrape = [id, &[0, 0, 0, 2, 0, 0, 0, 77]].concat();
    scrape.extend_from_slice(HASH_BYTES);
    scrape.extend_from_slice(&[9; 20]);
    let scraped = ask(&socket, &scrape);
    assert_eq!(scraped[..8], [0, 0, 0, 2, 0, 0, 0, 77]);
    assert_eq!(scraped[8..20], [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(scraped[20..], [0; 12]);
    let counters = tracker.finish().counters;
    assert_eq!((counters.udp_malformed, counters.udp_bad_connections), (4, 1));
    assert_eq!((counters.udp_connects, counters.udp_announces, counters.udp_scrapes), (1, 2, 1));
}

#[test]
fn every_datagram_of_a_burst_has_its_own_answer() {
    for loopback in [Ipv4Addr::LOCALHOST.into(), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let tracker = Tracker::start(|o| o.listen = vec![(loopback, 0).into()]);
        let clients: Vec<UdpSocket> = (0..3).map(|_| tracker.udp()).collect();
        let request = |client: u8, turn: u8| [&CONNECT[..12], &[client, 1, 2, turn]].concat();
        for turn in 0..100 {
            for (client, socket) in clients.iter().enumerate() {
                socket.send(&request(client as u8, turn)).expect("it can be sent");
            }
        }
        for (client, socket) in clients.iter().enumerate() {
            for turn in 0..100 {
                let mut reply = [0; 2048];
                assert_eq!(socket.recv(&mut reply).expect("an answer"), 16);
                assert_eq!(reply[..8], [0, 0, 0, 0, client as u8, 1, 2, turn]);
            }
        }
        let counters = tracker.finish().counters;
        assert_eq!((counters.udp_connects, counters.udp_unsent), (300, 0));
    }
}

#[test]
fn a_client_may_take_its_time() {
    let tracker = Tracker::start(|_| {});
    let mut stream = tracker.connect();
    // Longer than the system waits for data before a connection is accepted.
    std::thread::sleep(Duration::from_millis(1500));
    for part in ["GET ", &announce(1, 1, ""), " HTTP/1.0\r\n", "\r\n"] {
        std::thread::sleep(Duration::from_millis(20));
        stream.write_all(part.as_bytes()).expect("it reads");
    }
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("it closes");
    assert!(body(&reply).starts_with(b"d8:complete"));
    assert_eq!(tracker.finish().counters.http_announces, 1);
}

#[test]
fn ipv6_peers_are_listed_apart() {
    let tracker = Tracker::start(|o| o.listen = vec![(Ipv6Addr::LOCALHOST, 0).into()]);
    tracker.get(&announce(0x1ae1, 0, ""));
    let reply = tracker.get(&announce(0x1ae2, 1, ""));
    let mut expected = b"5:peers0:6:peers618:".to_vec();
    expected.extend_from_slice(&Ipv6Addr::LOCALHOST.octets());
    expected.extend_from_slice(b"\x1a\xe1e");
    assert!(reply.ends_with(&expected), "{}", reply.escape_ascii());
    let socket = tracker.udp();
    let connected = ask(&socket, &CONNECT);
    let announced = ask(&socket, &udp_announce(&connected[8..16], 1, 0, 0x1ae3));
    assert_eq!(announced.len(), 20 + 2 * 18);
    assert_eq!(tracker.finish().figures.peers_v6, 3);
}

#[test]
fn another_address_is_believed_only_if_asked_to() {
    for trusts in [false, true] {
        let tracker = Tracker::start(|options| options.trusts_addresses = trusts);
        tracker.get(&announce(0x1ae1, 0, "&ip=192.0.2.9"));
        let reply = tracker.get(&announce(0x1ae2, 1, ""));
        let expected: &[u8] =
            if trusts { b"\xc0\0\x02\x09\x1a\xe1e" } else { b"\x7f\0\0\x01\x1a\xe1e" };
        assert!(reply.ends_with(expected), "{}", reply.escape_ascii());
    }
}

#[test]
fn a_stop_ends_it_at_once_and_frees_the_port() {
    let tracker = Tracker::start(|_| {});
    let address = tracker.address;
    let mut slow = tracker.connect();
    // Without a byte, the system would hold the connection back for a second,
    // and tell its client of no end.
    slow.write_all(b"G").expect("it listens");
    let start = Instant::now();
    tracker.finish();
    assert!(start.elapsed() < Duration::from_millis(900));
    match slow.read(&mut [0; 1]) {
        Ok(len) => assert_eq!(len, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    let again = Server::bind(&Options { listen: vec![address], ..Options::default() });
    assert!(again.is_ok());
}
