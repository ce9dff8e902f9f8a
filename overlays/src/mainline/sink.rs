//! Where bencoding goes. The simulator asks the length of every message, so
//! there is a way to have it without writing.

/// Where bencoding goes: into bytes, or only counted.
pub(super) trait Sink {
    /// Takes these bytes.
    fn put(&mut self, bytes: &[u8]);

    /// A string.
    fn string(&mut self, bytes: &[u8]) {
        self.head(bytes.len());
        self.put(bytes);
    }

    /// The length of a string whose bytes follow.
    fn head(&mut self, len: usize) {
        self.decimal(len as u64);
        self.put(b":");
    }

    /// A number.
    fn int(&mut self, value: i64) {
        self.put(b"i");
        if value < 0 {
            self.put(b"-");
        }
        self.decimal(value.unsigned_abs());
        self.put(b"e");
    }

    /// Plain decimal digits.
    fn decimal(&mut self, value: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = value;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.put(&digits[at..]);
    }
}

impl Sink for crate::Writer {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
    }
}

/// Counts bytes.
#[derive(Debug, Default)]
pub(super) struct Counter(pub(super) usize);

impl Sink for Counter {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}
