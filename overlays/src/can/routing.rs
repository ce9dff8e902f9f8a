//! Forwarding: greedily, around dead neighbours, and out of dead ends.

use std::sync::Arc;

use super::message::{Message, Ring, Routed};
use super::zone::Destination;
use super::{Can, Context, Timer};
use crate::{Addr, Cause};

/// Dead ends that a node searches rings for at a time.
const MAX_RESCUES: usize = 16;
/// Rings that a node remembers having passed on.
const MAX_RINGS: usize = 64;

/// A message at a dead end, and the ring that is searched for a way on.
#[derive(Debug)]
pub(super) struct Rescue {
    search: u32,
    ttl: u8,
    routed: Box<Routed>,
    cause: Cause,
}

/// All of a node's dead ends.
#[derive(Debug, Default)]
pub(super) struct Rescues {
    open: Vec<Rescue>,
    last: u32,
    /// The rings passed on lately, each with how far it went on from here.
    seen: Vec<(Addr, u32, u8)>,
}

impl Can {
    /// The index of a reality, if it is one.
    pub(super) fn reality(&self, reality: u8) -> Option<usize> {
        let at = usize::from(reality);
        (at < self.spaces.len()).then_some(at)
    }

    /// The realities that a message may be moved on in.
    pub(super) fn realities_of(&self, routed: &Routed) -> core::ops::Range<usize> {
        match routed.reality {
            Routed::ANY_REALITY => 0..self.spaces.len(),
            r => self.reality(r).map_or(0..0, |at| at..at + 1),
        }
    }

    /// A message came that is on its way to a point.
    pub(super) fn on_route(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        parcel: u32,
        mut routed: Box<Routed>,
    ) {
        if parcel != 0 {
            cx.send(from, Message::Received { parcel });
        }
        if routed.ttl == 0 {
            return;
        }
        routed.ttl = (routed.ttl - 1).min(self.config.ttl);
        self.route(cx, from, routed);
    }

    /// Serves a message that came `from` a node if it has arrived, else moves it
    /// on.
    fn route(&mut self, cx: &mut Context<'_>, from: Addr, routed: Box<Routed>) {
        match self.arrived(&routed) {
            Some(reality) if self.ask_former_holder(cx, reality, from, &routed) => {}
            Some(reality) => self.serve(cx, reality, &routed),
            None if self.serve_from_cache(cx, &routed) => {}
            None if self.serve_departing(cx, &routed) => {}
            None => self.forward(cx, routed, 0),
        }
    }

    /// The reality in which a message has arrived here.
    fn arrived(&self, routed: &Routed) -> Option<usize> {
        self.realities_of(routed).find(|r| self.spaces[*r].owns(routed.point))
    }

    /// A message was not taken by the node that it was passed on to.
    pub(super) fn route_again(&mut self, cx: &mut Context<'_>, routed: Box<Routed>, tries: u8) {
        match self.arrived(&routed) {
            Some(reality) => self.serve(cx, reality, &routed),
            None => self.forward(cx, routed, tries),
        }
    }

    /// Passes a message on to the best neighbour, in whichever reality has it.
    pub(super) fn forward(&mut self, cx: &mut Context<'_>, routed: Box<Routed>, tries: u8) {
        let destination = Destination::new(routed.point, self.config.dimensions);
        let weighting = self.config.weighting;
        let next = self
            .realities_of(&routed)
            .filter_map(|r| self.spaces[r].next_hop(&destination, weighting, &[]))
            .min_by_key(|(_, distance)| *distance);
        match next {
            Some((to, _)) => self.pass_on(cx, to, routed, tries),
            None => self.search_ring(cx, routed),
        }
    }

    fn pass_on(&mut self, cx: &mut Context<'_>, to: Addr, routed: Box<Routed>, tries: u8) {
        if self.config.hop_acks {
            self.post(cx, to, Message::Route { parcel: 0, routed }, tries);
        } else {
            cx.send(to, Message::Route { parcel: 0, routed });
        }
    }

    /// No live neighbour is nearer to the destination: search an expanding
    /// ring for a node that is (§2.1).
    fn search_ring(&mut self, cx: &mut Context<'_>, routed: Box<Routed>) {
        let rescues = &mut self.aside.get_or_insert_default().rescues;
        if self.config.ring == 0 || rescues.open.len() >= MAX_RESCUES {
            return;
        }
        rescues.last = rescues.last.wrapping_add(1);
        let (search, cause) = (rescues.last, cx.cause());
        rescues.open.push(Rescue { search, ttl: 0, routed, cause });
        self.widen_ring(cx, search);
    }

    /// Searches the next wider ring.
    pub(super) fn widen_ring(&mut self, cx: &mut Context<'_>, search: u32) {
        let Some(aside) = &mut self.aside else { return };
        let open = &mut aside.rescues.open;
        let Some(at) = open.iter().position(|r| r.search == search) else { return };
        if open[at].ttl >= self.config.ring {
            open.swap_remove(at);
            return;
        }
        open[at].ttl += 1;
        let (ttl, point, cause) = (open[at].ttl, open[at].routed.point, open[at].cause);
        let realities = {
            let routed = open[at].routed.clone();
            self.realities_of(&routed)
        };
        let cx = &mut cx.on_behalf_of(cause);
        let destination = Destination::new(point, self.config.dimensions);
        for at in realities {
            let space = &self.spaces[at];
            let ring = Ring {
                search,
                asker: cx.me(),
                reality: at as u8,
                point,
                distance_squared: space.distance_squared(&destination),
            };
            for neighbour in &space.neighbours {
                cx.send(neighbour.addr, Message::Ring { ttl, ring: Box::new(ring.clone()) });
            }
        }
        cx.wake(self.config.request_timeout, Timer::Rescue(search));
    }

    /// Somebody at a dead end asks for a way on.
    pub(super) fn on_ring(&mut self, cx: &mut Context<'_>, from: Addr, ttl: u8, ring: Box<Ring>) {
        let Some(reality) = self.reality(ring.reality) else { return };
        let ttl = ttl.min(self.config.ring);
        if ttl == 0 || ring.asker == cx.me() || self.was_passed_on(&ring, ttl) {
            return;
        }
        let space = &self.spaces[reality];
        let destination = Destination::new(ring.point, self.config.dimensions);
        let own = space.distance_squared(&destination);
        let others = space.neighbours.iter().filter(|n| n.is_responsive() && n.addr != ring.asker);
        let distances = others.flat_map(|n| n.zones()).map(|z| destination.distance_squared(z));
        if distances.chain([own]).any(|d| d < ring.distance_squared) {
            return cx.send(ring.asker, Message::Nearer { search: ring.search });
        }
        if ttl > 1 {
            for to in space.neighbours.iter().map(|n| n.addr) {
                if to != from && to != ring.asker {
                    cx.send(to, Message::Ring { ttl: ttl - 1, ring: ring.clone() });
                }
            }
        }
    }

    /// Notes that a ring passes here, and whether it did before and went on at
    /// least as far.
    fn was_passed_on(&mut self, ring: &Ring, ttl: u8) -> bool {
        let seen = &mut self.aside.get_or_insert_default().rescues.seen;
        let known = seen
            .iter_mut()
            .find(|(asker, search, _)| (*asker, *search) == (ring.asker, ring.search));
        match known {
            Some((_, _, reached)) if *reached >= ttl => return true,
            Some((_, _, reached)) => *reached = ttl,
            None => {
                if seen.len() >= MAX_RINGS {
                    seen.remove(0);
                }
                seen.push((ring.asker, ring.search, ttl));
            }
        }
        false
    }

    /// A ring found a way on.
    pub(super) fn on_nearer(&mut self, cx: &mut Context<'_>, from: Addr, search: u32) {
        let Some(aside) = &mut self.aside else { return };
        let open = &mut aside.rescues.open;
        let Some(at) = open.iter().position(|r| r.search == search) else { return };
        let rescue = open.swap_remove(at);
        let cx = &mut cx.on_behalf_of(rescue.cause);
        self.pass_on(cx, from, rescue.routed, 0);
    }

    /// Sends a request on its way from here.
    pub(super) fn set_out(&mut self, cx: &mut Context<'_>, routed: Routed) {
        self.route(cx, cx.me(), Box::new(routed));
    }

    /// The longest path that a message can need, judging by the node's own
    /// zone: half of the zones along each axis.
    pub(super) fn longest_path(&self) -> u64 {
        let d = self.config.dimensions;
        let depth = self.spaces.iter().flat_map(|s| s.zones()).map(|z| z.depth()).max();
        let depth = depth.unwrap_or(0);
        (0..d).map(|axis| (1_u64 << ((depth + d - 1 - axis) / d).min(32)) / 2).sum()
    }
}

impl Routed {
    /// A request of this node, in whatever reality is nearest.
    pub(super) fn errand_of(
        origin: Addr,
        point: super::zone::Point,
        errand: Arc<super::message::Errand>,
        ttl: u16,
    ) -> Self {
        Self { origin, request: 0, leg: 0, reality: Self::ANY_REALITY, point, ttl, errand }
    }
}
