//! The handshake in text.

use crate::gnutella06::handshake::Headers;
use crate::gnutella06::message::Message;
use crate::seam::{Addr, Wire};

fn socket(text: &str) -> Addr {
    Addr::from_socket(text.parse().unwrap())
}

#[test]
fn an_ultrapeers_greeting_to_the_byte() {
    let headers = Headers {
        ultrapeer: Some(true),
        listen: Some(socket("10.1.2.3:6346")),
        degree: Some(32),
        max_ttl: Some(3),
        ..Headers::default()
    };
    let connect = Message::Connect { headers: Box::new(headers) };
    let text = "GNUTELLA CONNECT/0.6\r\n\
                User-Agent: overlab/0.1\r\n\
                Listen-IP: 10.1.2.3:6346\r\n\
                X-Ultrapeer: True\r\n\
                X-Query-Routing: 0.1\r\n\
                X-Ultrapeer-Query-Routing: 0.1\r\n\
                X-Dynamic-Querying: 0.1\r\n\
                X-Ext-Probes: 0.1\r\n\
                Pong-Caching: 0.1\r\n\
                Bye-Packet: 0.1\r\n\
                GGEP: 0.5\r\n\
                X-Degree: 32\r\n\
                X-Max-TTL: 3\r\n\r\n";
    assert_eq!(String::from_utf8(connect.to_bytes()).unwrap(), text);
    assert_eq!(connect.encoded_len(), text.len());
    assert_eq!(Message::from_bytes(text.as_bytes()), Ok(connect));
}

#[test]
fn a_refusal_names_ultrapeers_to_try() {
    let headers = Headers {
        ultrapeer: Some(true),
        ultrapeer_needed: Some(true),
        try_ultrapeers: vec![socket("10.1.2.3:6346"), socket("10.1.2.4:1")],
        ..Headers::default()
    };
    let refusal = Message::Answer { code: 503, headers: Box::new(headers) };
    let text = String::from_utf8(refusal.to_bytes()).unwrap();
    assert!(text.starts_with("GNUTELLA/0.6 503 Service unavailable\r\n"));
    assert!(text.contains("\r\nX-Ultrapeer-Needed: True\r\n"));
    assert!(text.contains("\r\nX-Try-Ultrapeers: 10.1.2.3:6346,10.1.2.4:1\r\n"));
    assert_eq!(Message::from_bytes(text.as_bytes()), Ok(refusal));
}

#[test]
fn a_real_servents_answer_is_understood() {
    // As an acceptor of the time sent it: other names, other order, other case.
    let text = b"GNUTELLA/0.6 200 OK\r\n\
                 User-Agent: other/1.2.3 (2026-01-01; X11; Linux)\r\n\
                 Pong-Caching: 0.1\r\n\
                 GUID: 00112233445566ff8899aabbccddee00\r\n\
                 Remote-IP: 127.0.0.1\r\n\
                 x-ultrapeer:true\r\n\
                 Accept-Encoding: deflate\r\n\
                 X-ULTRAPEER-NEEDED: False\r\n\
                 X-Degree: 46\r\n\
                 X-Max-TTL: 4\r\n\
                 X-Try: 1.2.3.4:6346, 1.2.3.5:6347\r\n\
                 X-Live-Since: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\n";
    let Ok(Message::Answer { code: 200, headers }) = Message::from_bytes(text) else {
        panic!("not understood");
    };
    assert_eq!(headers.ultrapeer, Some(true));
    assert_eq!(headers.ultrapeer_needed, Some(false));
    assert_eq!((headers.degree, headers.max_ttl), (Some(46), Some(4)));
    assert_eq!(headers.try_ultrapeers, [socket("1.2.3.4:6346"), socket("1.2.3.5:6347")]);
    let newer = b"GNUTELLA CONNECT/0.7\r\n\r\n";
    assert!(matches!(Message::from_bytes(newer), Ok(Message::Connect { .. })));
}

#[test]
fn what_is_no_handshake_is_refused() {
    let long = format!("GNUTELLA CONNECT/0.6\r\nX: {}\r\n\r\n", "x".repeat(5000));
    for bad in [
        "GNUTELLA CONNECT/0.6\r\n",
        "GNUTELLA CONNECT/1.0\r\n\r\n",
        "GNUTELLA/0.6\r\n\r\n",
        "GNUTELLA/0.6 yes OK\r\n\r\n",
        "GNUTELLA/0.6 99999 OK\r\n\r\n",
        &long,
    ] {
        assert!(Message::from_bytes(bad.as_bytes()).is_err(), "{bad:.40}");
    }
    assert!(Message::from_bytes(b"GNUTELLA CONNECT/0.6\r\n\xff: 1\r\n\r\n").is_err());
    // More hosts than anybody would try are cut.
    let many = (0..50).map(|i| format!("1.2.3.{i}:1")).collect::<Vec<_>>().join(",");
    let text = format!("GNUTELLA/0.6 503 No\r\nX-Try-Ultrapeers: {many}\r\n\r\n");
    let Ok(Message::Answer { headers, .. }) = Message::from_bytes(text.as_bytes()) else {
        panic!("not understood");
    };
    assert_eq!(headers.try_ultrapeers.len(), 10);
}
