//! Landmark ordering (§3.6): nodes that are near each other in the network get
//! zones that are near each other in the space.
//!
//! A joiner measures the round-trip times to m well-known machines and orders
//! them. There are m! orderings, and each has its portion of the space: the
//! first axis is cut into m parts, one for each landmark that may be nearest,
//! the next axis into m-1 parts for the second, and so on, around the axes. The
//! joiner's random point lies in the portion of its ordering.

use rand::RngExt;

use super::message::Message;
use super::overload::{elapsed, stamp};
use super::zone::{MAX_DIMENSIONS, Point};
use super::{Can, Context, Timer};
use crate::{Addr, ParameterValue, Rng, Span};

/// The most landmarks: 8! portions are 40,320.
const MAX_LANDMARKS: usize = 8;

/// The well-known machines that joiners measure their distance to; none
/// switches the ordering off.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Landmarks(Vec<Addr>);

impl Landmarks {
    /// Their addresses.
    pub fn addrs(&self) -> &[Addr] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A random point in the portion of the space for these round-trip times,
    /// one for each landmark; those without one count as the farthest.
    pub(super) fn point(&self, rtts: &[Option<Span>], dimensions: u32, rng: &mut Rng) -> Point {
        let mut order: Vec<usize> = (0..self.0.len()).collect();
        order.sort_by_key(|i| {
            let rtt = rtts.get(*i).copied().flatten();
            (rtt.is_none(), rtt.map_or(0, Span::as_us), *i)
        });
        point_in(&portion(&order, dimensions), dimensions, rng)
    }
}

/// What of each axis belongs to an ordering of the landmarks, nearest first, as
/// start and end in 2^-32 of the axis.
pub(super) fn portion(order: &[usize], dimensions: u32) -> [(u64, u64); MAX_DIMENSIONS as usize] {
    let mut spans = [(0, 1 << 32); MAX_DIMENSIONS as usize];
    let mut left: Vec<usize> = order.to_vec();
    left.sort_unstable();
    for (rank, landmark) in order.iter().enumerate() {
        let parts = left.len() as u64;
        let Some(digit) = left.iter().position(|l| l == landmark) else { continue };
        left.remove(digit);
        let axis = rank % dimensions.clamp(1, MAX_DIMENSIONS) as usize;
        let (start, end) = spans[axis];
        let part = |n: usize| start + (end - start) * n as u64 / parts;
        spans[axis] = (part(digit), part(digit + 1));
    }
    spans
}

fn point_in(spans: &[(u64, u64)], dimensions: u32, rng: &mut Rng) -> Point {
    let inside = |(start, end): &(u64, u64)| rng.random_range(*start..*end) as u32;
    let coordinates: Vec<u32> = spans.iter().take(dimensions as usize).map(inside).collect();
    Point::at(&coordinates)
}

impl ParameterValue for Landmarks {
    fn parse(text: &str) -> Option<Self> {
        let addrs: Vec<Addr> = match text.parse::<u32>() {
            Ok(count) => (0..count.min(MAX_LANDMARKS as u32 + 1)).map(Addr::from_index).collect(),
            Err(_) => text
                .split('+')
                .map(|addr| addr.parse().ok().map(Addr::from_socket))
                .collect::<Option<_>>()?,
        };
        (addrs.len() <= MAX_LANDMARKS).then_some(Self(addrs))
    }

    fn show(&self) -> String {
        if self.0.iter().zip(0..).all(|(addr, i)| *addr == Addr::from_index(i)) {
            return self.0.len().to_string();
        }
        let addrs: Vec<String> = self.0.iter().map(|a| a.to_socket().to_string()).collect();
        addrs.join("+")
    }

    fn domain() -> String {
        format!(
            "0 to {MAX_LANDMARKS}, for the first peers of the simulation, or as many addresses such as 192.0.2.1:4000+192.0.2.2:4000"
        )
    }
}

/// What a joiner knows of the landmarks.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// A round-trip time for each landmark that has answered.
    pub(super) rtts: Vec<Option<Span>>,
    /// Whether answers are awaited.
    open: bool,
}

impl Can {
    /// Asks the landmarks for a sign of life, to measure how far they are.
    /// Returns whether there are any.
    pub(super) fn survey(&mut self, cx: &mut Context<'_>) -> bool {
        let config = self.config.clone();
        let landmarks = config.landmarks.addrs();
        if landmarks.is_empty() {
            return false;
        }
        let (me, nonce) = (cx.me(), stamp(cx.now()));
        let Some(joining) = self.joining() else { return false };
        let own = |addr: &Addr| (*addr == me).then_some(Span::ZERO);
        joining.survey = Survey { rtts: landmarks.iter().map(own).collect(), open: true };
        let (reality, step) = (joining.reality, joining.next_step());
        for addr in landmarks.iter().filter(|addr| **addr != me) {
            cx.send(*addr, Message::Probe { reality, nonce });
        }
        cx.wake(config.request_timeout, Timer::Join(step));
        true
    }

    /// A landmark may have answered; when all have, the join goes on.
    pub(super) fn on_surveyed(&mut self, cx: &mut Context<'_>, from: Addr, nonce: u32) {
        let config = self.config.clone();
        let Some(rtt) = elapsed(nonce, cx.now()) else { return };
        let Some(joining) = self.joining().filter(|j| j.survey.open) else { return };
        for (addr, known) in config.landmarks.addrs().iter().zip(&mut joining.survey.rtts) {
            if *addr == from && known.is_none() {
                *known = Some(rtt);
            }
        }
        if joining.survey.rtts.iter().all(Option::is_some) {
            self.try_point(cx);
        }
    }
}

impl Survey {
    /// No more answers are waited for.
    pub(super) fn close(&mut self) {
        self.open = false;
    }
}
