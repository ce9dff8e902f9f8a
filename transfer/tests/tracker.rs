//! The tracker's swarms against a naive model, and the fairness of samples.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::prelude::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use transfer::InfoHash;
use transfer::tracker::{Announce, Config, Refusal, Reply, Swarms};
use transfer::tracker_wire::{Event, Scrape};

const SECOND: u64 = 1_000_000;

fn announce(torrent: u8, address: SocketAddr) -> Announce {
    Announce {
        info_hash: InfoHash([torrent; 20]),
        address,
        event: Event::Regular,
        is_seed: false,
        key: 0,
        want: None,
        room: u32::MAX,
        both_families: false,
    }
}

fn v4(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), port)
}

fn v6(network: u16, host: u16, port: u16) -> SocketAddr {
    let address = Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, host);
    SocketAddr::new(IpAddr::V6(address), port)
}

fn peers(reply: &Reply) -> Vec<SocketAddr> {
    let four = reply.peers.chunks_exact(6).map(|c| {
        let address: [u8; 4] = c[..4].try_into().expect("as long as cut");
        SocketAddr::new(address.into(), u16::from_be_bytes([c[4], c[5]]))
    });
    let six = reply.peers6.chunks_exact(18).map(|c| {
        let address: [u8; 16] = c[..16].try_into().expect("as long as cut");
        SocketAddr::new(address.into(), u16::from_be_bytes([c[16], c[17]]))
    });
    assert_eq!(reply.peers.len() % 6 + reply.peers6.len() % 18, 0);
    four.chain(six).collect()
}

/// The specification in the plainest words.
#[derive(Default)]
struct Model {
    listed: BTreeMap<(InfoHash, SocketAddr), Listed>,
    completed: BTreeMap<InfoHash, u32>,
    seen_s: BTreeMap<InfoHash, u32>,
}

#[derive(Clone, Copy)]
struct Listed {
    is_seed: bool,
    key: u32,
    seen_s: u32,
}

impl Model {
    fn network(address: SocketAddr) -> (bool, u128) {
        match address.ip() {
            IpAddr::V4(a) => (false, u128::from(a.to_bits())),
            IpAddr::V6(a) => (true, a.to_bits() >> 64),
        }
    }

    fn announce(&mut self, a: &Announce, now_s: u32, config: &Config) -> Result<(), Refusal> {
        let id = (a.info_hash, a.address);
        let known = self.listed.get(&id).copied();
        let exists = self.seen_s.contains_key(&a.info_hash);
        if a.event == Event::Stopped || (a.address.port() == 0 && !exists) {
            if exists {
                self.seen_s.insert(a.info_hash, now_s);
            }
            if known.is_some_and(|k| k.key == 0 || a.key == 0 || k.key == a.key) {
                self.listed.remove(&id);
            }
            return Ok(());
        }
        if !exists && self.seen_s.len() as u32 >= config.max_torrents {
            return Err(Refusal::TooManyTorrents);
        }
        let is_full = self.listed.len() as u32 >= config.max_peers;
        if !exists && is_full {
            return Err(Refusal::TooManyPeers);
        }
        self.seen_s.insert(a.info_hash, now_s);
        if a.address.port() == 0 {
            return Ok(());
        }
        if known.is_none() {
            if is_full {
                return Err(Refusal::TooManyPeers);
            }
            let of_network = |(hash, address): &(InfoHash, SocketAddr)| {
                *hash == a.info_hash && Self::network(*address) == Self::network(a.address)
            };
            let count = self.listed.keys().filter(|id| of_network(id)).count();
            if count as u32 >= config.max_peers_per_address {
                return Err(Refusal::TooManyOfAddress);
            }
        }
        self.listed.insert(id, Listed { is_seed: a.is_seed, key: a.key, seen_s: now_s });
        if a.event == Event::Completed && a.is_seed && !known.is_some_and(|k| k.is_seed) {
            *self.completed.entry(a.info_hash).or_default() += 1;
        }
        Ok(())
    }

    fn sweep(&mut self, now_s: u32, config: &Config) {
        self.listed.retain(|_, p| now_s.saturating_sub(config.peer_timeout_s) <= p.seen_s);
        let is_full = self.seen_s.len() as u32 >= config.max_torrents;
        let (listed, completed) = (&self.listed, &mut self.completed);
        self.seen_s.retain(|hash, seen_s| {
            let has_peers = listed.keys().any(|(h, _)| h == hash);
            let is_old = is_full || now_s.saturating_sub(config.torrent_timeout_s) > *seen_s;
            let stays = has_peers || (completed.contains_key(hash) && !is_old);
            if !stays {
                completed.remove(hash);
            }
            stays
        });
    }

    fn figures(&self, hash: InfoHash) -> Scrape {
        let of = |is_seed: bool| {
            self.listed.iter().filter(|((h, _), p)| *h == hash && p.is_seed == is_seed).count()
        };
        Scrape {
            seeds: of(true) as u32,
            leechers: of(false) as u32,
            downloaded: self.completed.get(&hash).copied().unwrap_or(0),
        }
    }

    /// Whom the announcer may be told of: of its IP version, or of the other.
    fn others(&self, a: &Announce, own_family: bool) -> BTreeSet<SocketAddr> {
        let is_other = |(hash, address): &(InfoHash, SocketAddr), p: &Listed| {
            *hash == a.info_hash
                && *address != a.address
                && (address.is_ipv4() == a.address.is_ipv4()) == own_family
                && !(a.is_seed && p.is_seed)
        };
        self.listed.iter().filter(|(id, p)| is_other(id, p)).map(|((_, a), _)| *a).collect()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Announce(Announce),
    Wait(u32),
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let address = prop_oneof![
        4 => (0u8..6, 0u16..14).prop_map(|(host, port)| v4(host, port)),
        2 => (0u16..3, 0u16..4, 1u16..8).prop_map(|(net, host, port)| v6(net, host, port)),
    ];
    let event = prop_oneof![
        4 => Just(Event::Regular),
        4 => Just(Event::Started),
        2 => Just(Event::Completed),
        2 => Just(Event::Stopped),
    ];
    let want = prop::option::of(0u32..60);
    let announces =
        (0u8..5, address, event, any::<bool>(), 0u32..3, want, 0u32..300, any::<bool>()).prop_map(
            |(torrent, address, event, is_seed, key, want, room, both_families)| {
                // Most are of one torrent, which grows beyond what is scanned.
                let base = announce(torrent.saturating_sub(2), address);
                Step::Announce(Announce { event, is_seed, key, want, room, both_families, ..base })
            },
        );
    let step = prop_oneof![
        60 => announces,
        2 => (0u32..700).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
    ];
    prop::collection::vec(step, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn swarms_do_what_the_model_does(
        steps in steps(), seed: u64, key: [u64; 2], max_peers in 20u32..120, max_torrents in 1u32..4,
    ) {
        let config = Config {
            peer_timeout_s: 900,
            torrent_timeout_s: 1500,
            default_want: 5,
            max_want: 50,
            max_torrents,
            max_peers,
            max_peers_per_address: 10,
            ..Config::default()
        };
        let mut swarms = Swarms::new(config.clone(), key);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut model = Model::default();
        let mut now_s = 0u32;
        let mut reply = Reply::default();
        for step in &steps {
            let now_us = u64::from(now_s) * SECOND;
            match step {
                Step::Wait(seconds) => now_s += seconds,
                Step::Sweep => {
                    model.sweep(now_s, &config);
                    swarms.sweep(now_us, usize::MAX);
                }
                Step::Announce(a) => {
                    let result = swarms.announce(a, now_us, &mut rng, &mut reply);
                    prop_assert_eq!(result, model.announce(a, now_s, &config));
                    if result.is_ok() {
                        check_reply(a, &reply, &model, &config)?;
                    }
                }
            }
            for torrent in 0..3 {
                let hash = InfoHash([torrent; 20]);
                prop_assert_eq!(swarms.scrape(&hash), model.figures(hash));
            }
            let figures = swarms.figures();
            let of = |is_v4| model.listed.keys().filter(|(_, a)| a.is_ipv4() == is_v4).count();
            prop_assert_eq!((figures.peers_v4, figures.peers_v6), (of(true), of(false)));
            prop_assert_eq!(figures.torrents, model.seen_s.len());
        }
    }
}

fn check_reply(
    a: &Announce,
    reply: &Reply,
    model: &Model,
    config: &Config,
) -> Result<(), TestCaseError> {
    let told = peers(reply);
    let set: BTreeSet<SocketAddr> = told.iter().copied().collect();
    prop_assert_eq!(set.len(), told.len(), "nobody is told of twice");
    let want = match a.event {
        Event::Stopped => 0,
        _ => a.want.unwrap_or(config.default_want).min(config.max_want).min(a.room) as usize,
    };
    let (own, other) = (model.others(a, true), model.others(a, false));
    let is_known = model.seen_s.contains_key(&a.info_hash);
    let from_own = want.min(own.len());
    let from_other = if a.both_families { (want - from_own).min(other.len()) } else { 0 };
    prop_assert_eq!(set.intersection(&own).count(), from_own);
    prop_assert_eq!(set.intersection(&other).count(), from_other);
    prop_assert_eq!(set.len(), from_own + from_other);
    if is_known {
        prop_assert_eq!(reply.figures, model.figures(a.info_hash));
    }
    Ok(())
}

/// A swarm of `count` leechers at different addresses.
fn swarm_of(count: u32, rng: &mut Xoshiro256PlusPlus) -> Swarms {
    let mut swarms = Swarms::new(Config::default(), [1, 2]);
    let mut reply = Reply::default();
    for n in 0..count {
        let address = SocketAddr::new(Ipv4Addr::from_bits(0x0a00_0000 + n).into(), 6881);
        let a = Announce { want: Some(0), ..announce(1, address) };
        swarms.announce(&a, 0, rng, &mut reply).expect("there is room");
    }
    swarms
}

#[test]
fn all_peers_are_drawn_equally_often() {
    const PEERS: u32 = 200;
    const WANT: u32 = 20;
    const DRAWS: u32 = 20_000;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut swarms = swarm_of(PEERS, &mut rng);
    let mut reply = Reply::default();
    let mut seen: BTreeMap<SocketAddr, u32> = BTreeMap::new();
    let own = v4(100, 6881);
    for _ in 0..DRAWS {
        let a = Announce { want: Some(WANT), ..announce(1, own) };
        swarms.announce(&a, 0, &mut rng, &mut reply).unwrap();
        peers(&reply).into_iter().for_each(|peer| *seen.entry(peer).or_default() += 1);
    }
    assert_eq!(seen.len() as u32, PEERS - 1, "all but the announcer itself");
    assert!(!seen.contains_key(&own));
    let expected = f64::from(DRAWS * WANT) / f64::from(PEERS - 1);
    let chi2: f64 = seen.values().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
    // Without replacement, each peer's count varies by 1 - 20/199 of Poisson's;
    // 198 degrees of freedom have a standard deviation of 20.
    assert!((100.0..280.0).contains(&chi2), "chi-squared is {chi2}");
}

#[test]
fn all_sets_are_drawn_equally_often() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
    let mut swarms = swarm_of(5, &mut rng);
    let mut reply = Reply::default();
    let mut seen: BTreeMap<BTreeSet<SocketAddr>, u32> = BTreeMap::new();
    for _ in 0..10_000 {
        // Nobody's port 0 is listed, so the choice is of all five.
        let a = Announce { want: Some(2), ..announce(1, v4(9, 0)) };
        swarms.announce(&a, 0, &mut rng, &mut reply).unwrap();
        *seen.entry(peers(&reply).into_iter().collect()).or_default() += 1;
    }
    assert_eq!(seen.len(), 10);
    assert!(seen.values().all(|n| (880..1120).contains(n)), "{seen:?}");
}

#[test]
fn one_seed_one_sequence() {
    let run = || {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut swarms = swarm_of(500, &mut rng);
        let mut reply = Reply::default();
        swarms.announce(&announce(1, v4(0, 1)), 0, &mut rng, &mut reply).unwrap();
        reply
    };
    assert_eq!(run(), run());
}

#[test]
fn a_sweep_in_parts_finds_all_that_expired() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
    let mut swarms = Swarms::new(Config::default(), [1, 2]);
    let mut reply = Reply::default();
    for torrent in 0..100 {
        let when = u64::from(torrent % 2) * 2000 * SECOND;
        for host in 0..40 {
            swarms.announce(&announce(torrent, v4(host, 1)), when, &mut rng, &mut reply).unwrap();
        }
    }
    // Half are older than 2,700 s; none is thrown out before its time.
    let now_us = 2800 * SECOND;
    let dropped: usize = (0..10).map(|_| swarms.sweep(now_us, 10)).sum();
    assert_eq!(dropped, 2000);
    let figures = swarms.figures();
    assert_eq!((figures.torrents, figures.peers_v4), (50, 2000));
}

#[test]
fn only_listed_torrents_are_served_when_there_is_a_list() {
    let allowed = Some([InfoHash([1; 20])].into());
    let mut swarms = Swarms::new(Config { allowed, ..Config::default() }, [1, 2]);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    let mut reply = Reply::default();
    let mut try_it =
        |torrent| swarms.announce(&announce(torrent, v4(1, 1)), 0, &mut rng, &mut reply);
    assert_eq!(try_it(1), Ok(()));
    assert_eq!(try_it(2), Err(Refusal::NotAllowed));
}

#[test]
fn a_late_stop_of_the_old_client_does_not_remove_the_new_one() {
    let mut swarms = Swarms::new(Config::default(), [1, 2]);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(6);
    let mut reply = Reply::default();
    let mut tell = |event, key| {
        let a = Announce { event, key, ..announce(1, v4(1, 1)) };
        swarms.announce(&a, 0, &mut rng, &mut reply).unwrap();
        swarms.scrape(&a.info_hash).leechers
    };
    assert_eq!(tell(Event::Started, 11), 1);
    assert_eq!(tell(Event::Started, 22), 1, "the same address is one peer");
    assert_eq!(tell(Event::Stopped, 11), 1, "the key is another's");
    assert_eq!(tell(Event::Stopped, 22), 0);
}
