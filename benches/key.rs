//! Key operations: single ones, and the search for the closest of many by XOR
//! against the loop over bytes that one writes first. Both leave at the first
//! difference, so that the loop over bytes rarely sees a second byte here.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use overlays::{Key, Rng, Stream};
use rand::RngExt;

/// Identifiers in the search for the closest.
const IDS: usize = 100_000;
/// Pairs of keys for the single operations: few enough to stay in the cache.
const PAIRS: usize = 256;

fn keys(count: usize) -> Vec<Key> {
    let mut rng: Rng = Stream::Workload.rng(1);
    (0..count).map(|_| Key::from_bytes(rng.random())).collect()
}

/// Measures `operation` on pair after pair.
fn on_pairs<R>(c: &mut Criterion, name: &str, operation: impl Fn(Key, Key) -> R) {
    let keys = keys(2 * PAIRS);
    let mut group = c.benchmark_group("key");
    group.throughput(Throughput::Elements(PAIRS as u64));
    group.bench_function(name, |b| {
        b.iter(|| {
            for pair in keys.chunks_exact(2) {
                black_box(operation(black_box(pair[0]), black_box(pair[1])));
            }
        });
    });
    group.finish();
}

fn single(c: &mut Criterion) {
    on_pairs(c, "ring distance", Key::distance_to);
    on_pairs(c, "compare", |a, b| a < b);
    on_pairs(c, "xor", Key::xor);
    on_pairs(c, "common prefix", Key::common_prefix_bits);
    on_pairs(c, "digit", |a, _| a.digit(black_box(7), 4));
    on_pairs(c, "in interval", |a, b| a.in_half_open(Key::ZERO, b));
    on_pairs(c, "SHA-1 of 20 bytes", |a, _| Key::hash(&a.to_bytes()));
}

/// The XOR distance, byte by byte.
fn xor_bytes(a: &[u8; 20], b: &[u8; 20]) -> [u8; 20] {
    let mut distance = [0; 20];
    for i in 0..20 {
        distance[i] = a[i] ^ b[i];
    }
    distance
}

/// Whether `a` is less than `b`, byte by byte.
fn less_bytes(a: &[u8; 20], b: &[u8; 20]) -> bool {
    for i in 0..20 {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
    }
    false
}

fn closest(c: &mut Criterion) {
    let ids = keys(IDS);
    let target = Key::hash(b"target");
    let mut group = c.benchmark_group("key/closest of 100000 by xor");
    group.throughput(Throughput::Elements(IDS as u64));
    group.bench_function("words", |b| {
        b.iter(|| {
            let (target, mut best) = (black_box(target), ids[0]);
            for id in &ids {
                if id.xor(target) < best.xor(target) {
                    best = *id;
                }
            }
            best
        });
    });
    let ids: Vec<[u8; 20]> = ids.iter().map(|id| id.to_bytes()).collect();
    group.bench_function("bytes", |b| {
        b.iter(|| {
            let target = black_box(target);
            let (target, mut best) = (&target.to_bytes(), &ids[0]);
            for id in &ids {
                if less_bytes(&xor_bytes(id, target), &xor_bytes(best, target)) {
                    best = id;
                }
            }
            *best
        });
    });
    group.finish();
}

criterion_group!(benches, single, closest);
criterion_main!(benches);
