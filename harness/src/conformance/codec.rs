//! Laws on the wire format, tried on what was really said.

use std::panic::{AssertUnwindSafe, catch_unwind};

use overlays::{Overlay, Rng, Stream, Wire};
use rand::Rng as _;

use super::varied::{self, Extras};
use super::{Findings, Trial, panic_text};
use crate::workload::draw;

/// Arbitrary byte strings tried.
const ARBITRARY: u32 = 4_000;
/// Damaged copies of each real message tried.
const DAMAGED: u32 = 24;
/// The longest arbitrary byte string.
const LONGEST: u64 = 300;

/// Messages of every kind that a varied run sends.
pub fn samples<O: Overlay>(trial: &Trial<O>) -> Vec<O::Message> {
    let extras = Extras { samples: true, ..Extras::default() };
    varied::run(trial, extras, |_, _| {}).sim.take_samples()
}

pub fn round_trips<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let kinds = O::Message::KINDS;
    let mut seen = vec![false; kinds.len()];
    let samples = samples(trial);
    for message in &samples {
        if let Some(seen) = seen.get_mut(message.kind()) {
            *seen = true;
        }
        if let Err(complaint) = sound(message) {
            findings.complain(complaint);
        }
    }
    let unseen = seen.iter().filter(|seen| !**seen).count();
    findings.figure("messages", samples.len() as f64);
    findings.figure("kinds seen", (kinds.len() - unseen) as f64);
    findings.figure("kinds", kinds.len() as f64);
    findings.demand(unseen < kinds.len(), || "no message was seen".into());
    findings
}

/// Whether a message keeps to the contract of [`Wire`].
fn sound<M: Wire>(message: &M) -> Result<(), String> {
    let bytes = message.to_bytes();
    if message.kind() >= M::KINDS.len() {
        return Err(format!("kind {} is not among the named: {message:?}", message.kind()));
    }
    if bytes.len() != message.encoded_len() {
        let announced = message.encoded_len();
        return Err(format!("{announced} bytes announced, {} written: {message:?}", bytes.len()));
    }
    if bytes.len() > M::MAX_BYTES {
        return Err(format!("{} bytes are over the limit: {message:?}", bytes.len()));
    }
    match M::from_bytes(&bytes) {
        Ok(back) if back == *message => Ok(()),
        Ok(back) => Err(format!("{message:?} reads back as {back:?}")),
        Err(error) => Err(format!("{message:?} does not read back: {error}")),
    }
}

/// Reads bytes of a stranger; a panic is the complaint.
pub fn read<M: Wire>(bytes: &[u8]) -> Result<Option<M>, String> {
    catch_unwind(AssertUnwindSafe(|| M::from_bytes(bytes).ok()))
        .map_err(|panic| format!("panicked on {}: {}", hex(bytes), panic_text(&*panic)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub fn garbage<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let mut rng = Stream::Workload.rng_of(trial.seed, 7);
    let mut inputs = Vec::new();
    for _ in 0..ARBITRARY {
        inputs.push(arbitrary(&mut rng));
    }
    for message in samples(trial) {
        let bytes = message.to_bytes();
        inputs.extend((0..DAMAGED).map(|_| damaged(&mut rng, &bytes)));
    }
    let mut readable = 0;
    for bytes in &inputs {
        match read::<O::Message>(bytes) {
            Ok(None) => {}
            Ok(Some(message)) => {
                readable += 1;
                if let Err(complaint) = sound(&message) {
                    findings.complain(format!("read from {}: {complaint}", hex(bytes)));
                }
            }
            Err(complaint) => findings.complain(complaint),
        }
    }
    findings.figure("inputs", inputs.len() as f64);
    findings.figure("read as a message", f64::from(readable));
    findings
}

fn arbitrary(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = vec![0; draw::below(rng, LONGEST) as usize];
    rng.fill_bytes(&mut bytes);
    // Small numbers are what kinds, counts and lengths look like.
    for byte in bytes.iter_mut().take(24) {
        if rng.next_u32() & 1 == 0 {
            *byte &= 0x0f;
        }
    }
    bytes
}

/// A copy with a few bytes changed, cut off, or added.
pub fn damaged(rng: &mut Rng, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if bytes.is_empty() {
        return vec![rng.next_u32() as u8];
    }
    for _ in 0..=draw::below(rng, 3) {
        let at = draw::index(rng, bytes.len());
        bytes[at] = match draw::below(rng, 4) {
            0 => 0,
            1 => 0xff,
            2 => bytes[at] ^ (1 << draw::below(rng, 8)),
            _ => rng.next_u32() as u8,
        };
    }
    match draw::below(rng, 6) {
        0 => bytes.truncate(draw::index(rng, bytes.len())),
        1 => bytes.push(rng.next_u32() as u8),
        _ => {}
    }
    bytes
}
