//! Writing bencode. A dictionary's writer gives its keys in order.

/// Writes a number.
pub fn int(out: &mut Vec<u8>, number: i64) {
    out.push(b'i');
    if number < 0 {
        out.push(b'-');
    }
    decimal(out, number.unsigned_abs());
    out.push(b'e');
}

/// Writes a byte string behind its length.
pub fn string(out: &mut Vec<u8>, bytes: impl AsRef<[u8]>) {
    let bytes = bytes.as_ref();
    decimal(out, bytes.len() as u64);
    out.push(b':');
    out.extend_from_slice(bytes);
}

/// Writes a list of what `items` writes.
pub fn list_with(out: &mut Vec<u8>, items: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'l');
    items(out);
    out.push(b'e');
}

/// Writes a dictionary of what `pairs` writes: keys as [`string`]s, in
/// ascending order, each before its value.
pub fn dict_with(out: &mut Vec<u8>, pairs: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'd');
    pairs(out);
    out.push(b'e');
}

/// Writes the decimal digits of a number.
pub fn decimal(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// How many decimal digits a number has.
pub const fn decimal_len(number: u64) -> usize {
    match number.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}

/// Bytes that [`int`] writes.
pub const fn int_len(number: i64) -> usize {
    2 + (number < 0) as usize + decimal_len(number.unsigned_abs())
}

/// Bytes that [`string`] writes for a string of `len` bytes.
pub const fn string_len(len: usize) -> usize {
    decimal_len(len as u64) + 1 + len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_known_beforehand() {
        for number in [0, 1, -1, 9, 10, 99, 100, -100, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            int(&mut out, number);
            assert_eq!(out, format!("i{number}e").into_bytes());
            assert_eq!(out.len(), int_len(number));
        }
        for len in [0, 1, 9, 10, 100, 1000] {
            let mut out = Vec::new();
            string(&mut out, vec![7; len]);
            assert_eq!(out.len(), string_len(len));
        }
    }
}
