//! Asking the processor to fetch memory before it is needed.

/// Bytes that a processor fetches at a time.
const LINE: usize = 64;

/// The most lines fetched of one value; what lies further is rarely touched.
const MOST_LINES: usize = 8;

/// Starts fetching the first bytes of `value` without waiting for them: for
/// [`super::Machine::warm`], where a plain read would hold up the events at
/// hand. Elsewhere than on x86-64 it does nothing.
#[inline]
#[allow(unsafe_code)]
pub fn prefetch<T: ?Sized>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

        let start = core::ptr::from_ref(value).cast::<i8>();
        let bytes = size_of_val(value).min(MOST_LINES * LINE);
        // SAFETY: a prefetch is a hint: it reads nothing into the program and
        // faults on no address. The address is computed without the claim that
        // it lies inside an object.
        let fetch = |at| unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(at)) };
        (0..bytes.div_ceil(LINE)).for_each(|line| fetch(line * LINE));
        // A value that does not begin with a line ends in one more.
        if bytes > 1 && align_of_val(value) < LINE {
            fetch(bytes - 1);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (value, LINE, MOST_LINES);
}
