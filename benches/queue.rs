//! The event queue against a binary heap, in the hold model: with n events
//! pending, take the first and push one some random time later.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use harness::sim::queue::EventQueue;
use overlays::{Rng, Span, Stream, Time};
use rand::RngExt;

/// An event of the size that the simulator's have.
type Event = [u32; 6];

/// An entry of the heap, the earliest on top.
#[derive(PartialEq, Eq)]
struct Later(Time, u64, Event);

impl Ord for Later {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.0, other.1).cmp(&(self.0, self.1))
    }
}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Default)]
struct Heap {
    heap: BinaryHeap<Later>,
    pushed: u64,
}

/// What is measured of both.
trait Queue: Default {
    fn push(&mut self, at: Time, event: Event);
    fn pop(&mut self) -> Option<(Time, Event)>;
}

impl Queue for Heap {
    fn push(&mut self, at: Time, event: Event) {
        self.heap.push(Later(at, self.pushed, event));
        self.pushed += 1;
    }
    fn pop(&mut self) -> Option<(Time, Event)> {
        self.heap.pop().map(|Later(at, _, event)| (at, event))
    }
}

impl Queue for EventQueue<Event> {
    fn push(&mut self, at: Time, event: Event) {
        Self::push(self, at, event);
    }
    fn pop(&mut self) -> Option<(Time, Event)> {
        Self::pop(self)
    }
}

/// Delays as a network has them: nine messages of 10 to 90 ms for a timer of
/// up to 20 s. What is pending is then mostly timers.
fn delay(rng: &mut Rng) -> Span {
    let us = if rng.random_range(0..10_u32) == 0 {
        rng.random_range(0..20_000_000)
    } else {
        rng.random_range(10_000..90_000)
    };
    Span::from_us(us)
}

/// A queue of `pending` events in its steady state.
fn steady<Q: Queue>(pending: u32, rng: &mut Rng) -> Q {
    let mut queue = Q::default();
    for i in 0..pending {
        queue.push(Time::ZERO + delay(rng), [i; 6]);
    }
    for _ in 0..2 * pending {
        hold(&mut queue, rng);
    }
    queue
}

fn hold<Q: Queue>(queue: &mut Q, rng: &mut Rng) {
    if let Some((at, event)) = queue.pop() {
        queue.push(at + delay(rng), black_box(event));
    }
}

fn bench<Q: Queue>(c: &mut Criterion, name: &str) {
    let mut group = c.benchmark_group("queue");
    group.throughput(Throughput::Elements(1));
    for pending in [1_000, 100_000, 1_000_000] {
        group.bench_function(BenchmarkId::new(name, pending), |b| {
            let mut rng = Stream::Network.rng(1);
            let mut queue = steady::<Q>(pending, &mut rng);
            b.iter(|| hold(&mut queue, &mut rng));
        });
    }
    group.finish();
}

fn queues(c: &mut Criterion) {
    bench::<EventQueue<Event>>(c, "wheel");
    bench::<Heap>(c, "heap");
}

criterion_group!(benches, queues);
criterion_main!(benches);
