//! What must hold over a whole network at rest.

use std::collections::BTreeMap;

use super::space::Neighbour;
use super::zone::{Point, Zone};
use super::{Can, Phase};
use crate::Addr;

/// The most complaints of one kind; one is as good as a thousand.
const MAX_COMPLAINTS: usize = 8;

/// Checks one reality of a network: the zones of all members fill the space
/// without overlaps, and each node's neighbours are those that its zones
/// adjoin, with the zones that they have.
pub(super) fn reality(nodes: &[(Addr, &Can)], at: usize) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut holders: BTreeMap<Point, (Zone, Addr)> = BTreeMap::new();
    let mut sharers: BTreeMap<Zone, Vec<Addr>> = BTreeMap::new();
    for (addr, node) in nodes.iter().filter(|(_, node)| node.phase == Phase::Member) {
        let Some(space) = node.spaces.get(at) else { continue };
        if !space.is_placed() {
            complaints.push(format!("{addr} has no zone in reality {at}"));
        }
        for zone in space.zones() {
            sharers.entry(zone).or_default().push(*addr);
            if let Some((same, other)) = holders.insert(zone.first(), (zone, *addr))
                && (same != zone || node.config.peers == 1)
            {
                complaints.push(format!("{addr} and {other} both hold {zone}"));
            }
        }
    }
    if holders.is_empty() {
        return complaints;
    }
    tiling(&holders, &mut complaints);
    complaints.truncate(MAX_COMPLAINTS);
    if complaints.is_empty() {
        for (addr, node) in nodes.iter().filter(|(_, node)| node.phase == Phase::Member) {
            if complaints.len() < MAX_COMPLAINTS {
                complaints.extend(match node.config.peers {
                    1 => neighbours(*addr, node, at, &holders),
                    _ => neighbouring_zones(*addr, node, at, &holders)
                        .or_else(|| peers(*addr, node, at, &sharers)),
                });
            }
        }
    }
    complaints
}

fn tiling(holders: &BTreeMap<Point, (Zone, Addr)>, complaints: &mut Vec<String>) {
    let mut next = Some(Point(0));
    for (zone, addr) in holders.values() {
        match next {
            Some(point) if point == zone.first() => {}
            Some(point) if point < zone.first() => {
                complaints.push(format!("nobody holds what lies before {zone} of {addr}"));
            }
            _ => complaints.push(format!("{zone} of {addr} overlaps the zone before")),
        }
        next = zone.last().0.checked_add(1).map(Point);
    }
    if next.is_some() {
        complaints.push("nobody holds the last part of the space".into());
    }
}

/// The holders of all zones that adjoin `zone`, in the order of points.
pub(super) fn adjoining(
    holders: &BTreeMap<Point, (Zone, Addr)>,
    zone: Zone,
    dimensions: u32,
) -> Vec<(Zone, Addr)> {
    let mut found = Vec::new();
    for axis in 0..dimensions {
        for larger in [false, true] {
            let Some(cell) = zone.beside(axis, larger, dimensions) else { continue };
            let before = holders.range(..=cell.first()).next_back().map(|(_, h)| *h);
            match before.filter(|(z, _)| z.covers(cell)) {
                Some(holder) => found.push(holder),
                None => found.extend(
                    holders
                        .range(cell.first()..=cell.last())
                        .map(|(_, h)| *h)
                        .filter(|(z, _)| z.is_neighbour(zone, dimensions)),
                ),
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Where zones are shared, a node knows a peer of each zone beside its own.
fn neighbouring_zones(
    addr: Addr,
    node: &Can,
    at: usize,
    holders: &BTreeMap<Point, (Zone, Addr)>,
) -> Option<String> {
    let space = node.spaces.get(at)?;
    let adjoining = space.zones().flat_map(|z| adjoining(holders, z, node.config.dimensions));
    let own: Vec<Zone> = space.zones().collect();
    let mut due: Vec<Zone> = adjoining.map(|(z, _)| z).filter(|z| !own.contains(z)).collect();
    let mut known: Vec<Zone> = space.neighbours.iter().flat_map(|n| n.zones()).collect();
    due.sort_unstable();
    due.dedup();
    known.sort_unstable();
    known.dedup();
    (known != due).then(|| format!("{addr} knows the zones {known:?}, not {due:?}"))
}

/// Where zones are shared, a node that shares one has no other and knows all
/// its peers, and the neighbours that it knows hold what it believes.
fn peers(addr: Addr, node: &Can, at: usize, sharers: &BTreeMap<Zone, Vec<Addr>>) -> Option<String> {
    let space = node.spaces.get(at)?;
    let holds = |addr: Addr, zone: Zone| sharers.get(&zone).is_some_and(|s| s.contains(&addr));
    let stale = |n: &&Neighbour| n.zones().any(|zone| !holds(n.addr, zone));
    if let Some(stale) = space.neighbours.iter().find(stale) {
        return Some(format!("{addr} believes {} to hold {:?}", stale.addr, stale.state.claims));
    }
    let with_others = |zone: &Zone| sharers.get(zone).is_some_and(|s| s.len() > 1);
    if space.claims.len() > 1
        && let Some(shared) = space.zones().find(with_others)
    {
        return Some(format!("{addr} shares {shared} and holds other zones"));
    }
    let own = space.zones().filter_map(|zone| sharers.get(&zone)).flatten();
    let mut due: Vec<Addr> = own.copied().filter(|peer| *peer != addr).collect();
    let mut known: Vec<Addr> = space.mates.iter().map(|m| m.addr).collect();
    due.sort_unstable();
    known.sort_unstable();
    (known != due).then(|| format!("{addr} knows the peers {known:?}, not {due:?}"))
}

fn neighbours(
    addr: Addr,
    node: &Can,
    at: usize,
    holders: &BTreeMap<Point, (Zone, Addr)>,
) -> Option<String> {
    let space = node.spaces.get(at)?;
    let d = node.config.dimensions;
    let mut due: Vec<Addr> = space
        .zones()
        .flat_map(|zone| adjoining(holders, zone, d))
        .map(|(_, holder)| holder)
        .filter(|holder| *holder != addr)
        .collect();
    due.sort_unstable();
    due.dedup();
    let known: Vec<Addr> = space.neighbours.iter().map(|n| n.addr).collect();
    if due != known {
        return Some(format!("{addr} knows the neighbours {known:?}, not {due:?}"));
    }
    let stale = space
        .neighbours
        .iter()
        .find(|n| n.zones().any(|z| holders.get(&z.first()) != Some(&(z, n.addr))))?;
    Some(format!("{addr} believes {} to hold {:?}", stale.addr, stale.state.claims))
}
