use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::*;

/// The definition of what the queue does: by time, then by order of pushing.
#[derive(Default)]
struct Model {
    heap: BinaryHeap<Reverse<(u64, u32)>>,
    pushed: u32,
}

/// The queue beside its model.
#[derive(Default)]
struct Pair {
    queue: EventQueue<u32>,
    model: Model,
    now: u64,
}

impl Pair {
    fn push(&mut self, at: u64) {
        self.queue.push(Time::from_us(at), self.model.pushed);
        self.model.heap.push(Reverse((at, self.model.pushed)));
        self.model.pushed += 1;
    }

    fn pop(&mut self) {
        let expected = self.model.heap.pop().map(|Reverse((at, event))| (Time::from_us(at), event));
        assert_eq!(self.queue.pop(), expected);
        if let Some((at, _)) = expected {
            self.now = at.as_us();
        }
        assert_eq!(self.queue.len(), self.model.heap.len());
        assert_eq!(self.queue.is_empty(), self.model.heap.is_empty());
    }

    fn peek(&mut self) {
        let expected = self.model.heap.peek().map(|Reverse((at, _))| Time::from_us(*at));
        assert_eq!(self.queue.next_time(), expected);
    }

    fn drain(&mut self) {
        for _ in 0..=self.model.heap.len() {
            self.peek();
            self.pop();
        }
        assert!(self.queue.is_empty());
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// So many events, this long from now.
    Push(u64, usize),
    /// At the end of time.
    PushLast(u64),
    Pop(usize),
    Peek,
}

fn step() -> impl Strategy<Value = Step> {
    let delay = prop_oneof![
        Just(0),
        0..4_u64,
        0..256_u64,
        0..100_000_u64,
        0..3_000_000_u64,
        0..7_000_000_000_u64,
        0..1_000_000_000_000_000_u64,
        // The edges of the digits.
        (prop_oneof![Just(12), Just(22), Just(32), Just(44)], 0..3_u64)
            .prop_map(|(bits, offset)| (1 << bits) + offset - 1),
    ];
    prop_oneof![
        4 => (delay.clone(), Just(1)).prop_map(|(d, n)| Step::Push(d, n)),
        1 => (delay, 1..200_usize).prop_map(|(d, n)| Step::Push(d, n)),
        1 => (0..3_u64).prop_map(Step::PushLast),
        4 => (1..4_usize).prop_map(Step::Pop),
        1 => (1..200_usize).prop_map(Step::Pop),
        2 => Just(Step::Peek),
    ]
}

proptest! {
    #[test]
    fn behaves_as_a_heap_of_time_and_order(steps in prop::collection::vec(step(), 1..120)) {
        let mut pair = Pair::default();
        for step in steps {
            match step {
                Step::Push(delay, count) => {
                    let at = pair.now.saturating_add(delay);
                    for _ in 0..count {
                        pair.push(at);
                    }
                }
                Step::PushLast(before) => pair.push((u64::MAX - before).max(pair.now)),
                Step::Pop(count) => {
                    // Never to the end of time, from where nothing goes on.
                    for _ in 0..count {
                        if pair.model.heap.peek().is_some_and(|e| e.0.0 < u64::MAX - 3) {
                            pair.pop();
                        }
                    }
                }
                Step::Peek => pair.peek(),
            }
        }
        pair.drain();
    }

    #[test]
    fn holds_its_order_in_dense_buckets(
        delays in prop::collection::vec(0..2_000_u64, 1..3_000),
        refill in prop::collection::vec(0..600_u64, 1..3_000),
    ) {
        let mut pair = Pair::default();
        for delay in delays {
            pair.push(1_000_000 + delay);
        }
        for delay in refill {
            pair.pop();
            pair.push(pair.now + delay);
        }
        pair.drain();
    }
}

#[test]
fn an_empty_queue_has_nothing() {
    let mut queue = EventQueue::<u8>::new();
    assert_eq!(queue.pop(), None);
    assert_eq!(queue.next_time(), None);
    assert!(queue.upcoming(0).is_none());
    assert_eq!(queue.len(), 0);
}

#[test]
fn the_end_of_time_comes_last() {
    let mut queue = EventQueue::new();
    queue.push(Time::NEVER, 'z');
    queue.push(Time::from_us(u64::MAX - 1), 'y');
    queue.push(Time::from_us(5), 'a');
    assert_eq!(queue.pop(), Some((Time::from_us(5), 'a')));
    assert_eq!(queue.next_time(), Some(Time::from_us(u64::MAX - 1)));
    queue.push(Time::from_us(6), 'b');
    assert_eq!(queue.pop(), Some((Time::from_us(6), 'b')));
    assert_eq!(queue.pop(), Some((Time::from_us(u64::MAX - 1), 'y')));
    assert_eq!(queue.pop(), Some((Time::NEVER, 'z')));
    queue.push(Time::NEVER, '+');
    assert_eq!(queue.pop(), Some((Time::NEVER, '+')));
    assert_eq!(queue.pop(), None);
}

#[test]
fn looking_at_the_next_time_keeps_earlier_ones_open() {
    for later in [300, 5_000_000, 6_000_000_000, 1 << 50] {
        let mut queue = EventQueue::new();
        queue.push(Time::from_us(later), 'b');
        assert_eq!(queue.next_time(), Some(Time::from_us(later)));
        queue.push(Time::from_us(2), 'a');
        assert_eq!(queue.next_time(), Some(Time::from_us(2)));
        assert_eq!(queue.pop(), Some((Time::from_us(2), 'a')));
        assert_eq!(queue.next_time(), Some(Time::from_us(later)));
        assert_eq!(queue.pop(), Some((Time::from_us(later), 'b')));
        assert_eq!(queue.next_time(), None);
    }
}

#[test]
fn upcoming_shows_what_pops_next() {
    let mut queue = EventQueue::new();
    for i in 0..100_u64 {
        queue.push(Time::from_us(4_096 + i * 7 % 256), i);
    }
    assert!(queue.upcoming(0).is_none(), "no bucket is open yet");
    queue.pop();
    for _ in 0..50 {
        let (first, later) = (*queue.upcoming(0).unwrap(), *queue.upcoming(3).unwrap());
        assert_eq!(queue.pop().unwrap().1, first);
        queue.pop();
        queue.pop();
        if queue.upcoming(0).is_some() {
            assert_eq!(*queue.upcoming(0).unwrap(), later);
        }
        if queue.len() < 8 {
            return;
        }
    }
}

/// A million timers over 20 seconds: nearly no memory beyond the entries.
#[test]
fn memory_is_the_entries_and_a_few_percent() {
    const EVENTS: u64 = 1_000_000;
    let mut queue = EventQueue::new();
    for i in 0..EVENTS {
        queue.push(Time::from_us(i * 7_919 % 20_000_000), [0_u32; 6]);
    }
    for _ in 0..2 * EVENTS {
        let (at, event) = queue.pop().unwrap();
        queue.push(at + overlays::Span::from_s(20), event);
    }
    let per_event = queue.pool.bytes() as f64 / EVENTS as f64;
    assert!(per_event < 28.0 * 1.12, "{per_event} bytes for an entry of 28");
    assert!(queue.opened.capacity() < 1 << 17);
}

/// A burst into the open bucket, ahead of many that wait there, must not take
/// quadratic time: shifting them would be 10^10 moves.
#[test]
fn bursts_into_the_open_bucket_cost_what_they_are() {
    let mut queue = EventQueue::new();
    let mut expected = 0;
    for _ in 0..100_000 {
        queue.push(Time::from_us(11_200), 2);
    }
    queue.push(Time::from_us(11_100), 0);
    assert_eq!(queue.pop(), Some((Time::from_us(11_100), 0)));
    for _ in 0..100_000 {
        queue.push(Time::from_us(11_150), 1);
    }
    while let Some((_, kind)) = queue.pop() {
        assert!(kind >= expected);
        expected = kind;
    }
    assert_eq!(queue.len(), 0);
}
