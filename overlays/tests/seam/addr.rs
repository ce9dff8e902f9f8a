//! Addresses and the census of them.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use overlays::{Addr, Census, Holding, Item, Key, Profile};
use proptest::prelude::*;

use super::any_addr;

proptest! {
    #[test]
    fn round_trips(addr in any_addr(), index in any::<u32>()) {
        prop_assert_eq!(Addr::from_bytes(addr.to_bytes()), addr);
        prop_assert_eq!(Addr::from_socket(addr.to_socket()), addr);
        prop_assert_eq!(Addr::from_index(index).index(), index);
        prop_assert_eq!(Addr::from_index(index).port(), 0);
    }

    #[test]
    fn order_is_that_of_the_bytes(a in any_addr(), b in any_addr()) {
        prop_assert_eq!(a.cmp(&b), a.to_bytes().cmp(&b.to_bytes()));
    }
}

#[test]
fn written_as_node_or_socket() {
    assert_eq!(Addr::from_index(70_000).to_string(), "n70000");
    let socket = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 1), 8_080);
    assert_eq!(Addr::from_socket(socket).to_string(), "127.0.0.1:8080");
    assert_eq!(size_of::<Addr>(), 6);
    assert_eq!(Addr::from_index(1).key(), Key::hash(&[0, 0, 0, 1, 0, 0]));
}

#[test]
fn a_census_does_not_depend_on_the_order_of_its_lists() {
    let addrs = [3, 1, 2].map(Addr::from_index);
    let members = |list: &[Addr]| list.iter().map(|&addr| Profile::peer(addr)).collect();
    let holdings = |list: &[Addr]| -> Vec<Holding> {
        let names = ["b", "a"].map(|name| Arc::new(Item::new(name, 1)));
        let all =
            list.iter().flat_map(|&provider| names.clone().map(|item| Holding { item, provider }));
        all.collect()
    };
    let reversed = [addrs[2], addrs[1], addrs[0]];
    let a = Census::new(members(&addrs), addrs.to_vec(), holdings(&addrs));
    let b = Census::new(members(&reversed), reversed.to_vec(), holdings(&reversed));
    assert_eq!((&a.peers, &a.servers, &a.holdings), (&b.peers, &b.servers, &b.holdings));
    assert!(a.peers.is_sorted_by_key(|m| m.id));
    assert!(a.holdings.is_sorted_by_key(|h| (h.item.key(), h.provider)));
}
