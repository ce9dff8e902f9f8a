//! Asking the processor to fetch what the next events will need.
//!
//! The machines of a large network do not fit into any cache and are visited
//! in no order that hardware could guess. The queue knows who comes next, so
//! the waits can overlap. See `docs/reference/performance.md` for what it
//! brings.

/// Bytes that a processor fetches at a time.
const LINE: usize = 64;

/// The most lines fetched of one value; what lies further is rarely touched.
const MOST_LINES: usize = 5;

/// Starts fetching `value` without waiting for it.
#[inline]
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
pub(super) fn prefetch<T>(value: &T) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

    let start: *const T = value;
    let lines = size_of::<T>().div_ceil(LINE).min(MOST_LINES);
    for line in 0..lines {
        // SAFETY: a prefetch is a hint: it reads nothing into the program and
        // faults on no address. The address is computed without the claim
        // that it lies inside an object.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.cast::<i8>().wrapping_add(line * LINE)) };
    }
}

/// Elsewhere the hint is left out.
#[inline]
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn prefetch<T>(_value: &T) {}
