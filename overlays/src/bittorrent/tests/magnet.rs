//! Magnet links.

use super::*;

#[test]
fn a_link_names_hash_name_size_and_trackers() {
    let item = Arc::new(Item::new("Popeye & Olive.mp4", 1024));
    let tracker = Addr::from_socket("192.0.2.7:6969".parse().unwrap());
    let magnet = Magnet::of(&item, &Arc::from([tracker]));
    let link = magnet.to_link();
    let expected = format!(
        "magnet:?xt=urn:btih:{}&dn=Popeye%20%26%20Olive.mp4&xl=1024\
         &tr=http%3A%2F%2F192.0.2.7%3A6969%2Fannounce",
        item.key()
    );
    assert_eq!(link, expected);
    assert_eq!(link.len(), magnet.encoded_len());
    assert_eq!(Magnet::parse(link.as_bytes()), Some(magnet));
}

#[test]
fn the_hash_alone_suffices() {
    let key = item("x").key();
    let bare = Magnet::parse(format!("magnet:?xt=urn:btih:{key}").as_bytes()).unwrap();
    assert_eq!(bare, Magnet { info_hash: key, item: None, trackers: Arc::default() });
    let with_more =
        format!("magnet:?tr=udp%3A%2F%2Fnobody&x.pe=1.2.3.4:5&xt=urn:btih:{key}&ws=http");
    assert_eq!(Magnet::parse(with_more.as_bytes()), Some(bare), "the rest is passed over");
}

#[test]
fn links_that_lie_or_lack_the_hash_are_refused() {
    let (key, other) = (item("x").key(), item("y").key());
    let refused = [
        String::new(),
        "magnet:?".into(),
        "magnet:?dn=x&xl=1".into(),
        "http://example.org/".into(),
        format!("magnet:?xt=urn:sha1:{key}"),
        "magnet:?xt=urn:btih:123".into(),
        format!("magnet:?xt=urn:btih:{other}&dn=x&xl=1"),
        format!("magnet:?xt=urn:btih:{key}&dn=%f&xl=1"),
        format!("magnet:?xt=urn:btih:{key}&dn=%ff&xl=1"),
        format!("magnet:?xt=urn:btih:{key}&xl=-1"),
        format!("magnet:?xt=urn:btih:{key}&xl=99999999999999999999"),
        format!("magnet:?xt=urn:btih:{key}&ws={}", "x".repeat(3000)),
    ];
    for link in refused {
        assert_eq!(Magnet::parse(link.as_bytes()), None, "{link}");
    }
    let many = format!("magnet:?xt=urn:btih:{key}{}", "&tr=http://1.2.3.4:5/announce".repeat(20));
    let many = Magnet::parse(many.as_bytes()).unwrap();
    assert_eq!(many.trackers.len(), 8, "further trackers are passed over");
}
