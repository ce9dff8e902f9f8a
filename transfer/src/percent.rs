//! Percent-encoding of bytes in URLs (RFC 3986).

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Writes bytes so that they can stand anywhere in a URL: all but letters,
/// digits and `-._~` as `%XX`.
pub(crate) fn escape(out: &mut String, bytes: impl AsRef<[u8]>) {
    for byte in bytes.as_ref() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(*byte));
            }
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

/// The bytes that the text stands for, one after the other; `None` for a `%`
/// without two hexadecimal digits. A `+` is a space, as in any query.
pub(crate) fn unescape(text: &[u8]) -> impl Iterator<Item = Option<u8>> {
    let mut rest = text.iter();
    core::iter::from_fn(move || match rest.next()? {
        b'%' => {
            let mut digit = || char::from(*rest.next()?).to_digit(16);
            let byte = digit().and_then(|high| Some((high << 4 | digit()?) as u8));
            Some(byte)
        }
        b'+' => Some(Some(b' ')),
        byte => Some(Some(*byte)),
    })
}

/// The bytes that the text stands for, if they are exactly `N`.
pub(crate) fn unescape_array<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let mut escaped = unescape(text);
    for byte in &mut bytes {
        *byte = escaped.next()??;
    }
    escaped.next().is_none().then_some(bytes)
}

/// The bytes that the text stands for.
pub(crate) fn unescape_bytes(text: &[u8]) -> Option<Vec<u8>> {
    unescape(text).collect()
}

/// The text that the text stands for.
pub(crate) fn unescape_str(text: &str) -> Option<String> {
    String::from_utf8(unescape_bytes(text.as_bytes())?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["%", "%1", "%g0", "%1g", "a%", "% 1"] {
            assert_eq!(unescape_bytes(text.as_bytes()), None, "{text}");
        }
        assert_eq!(unescape_str("a+b%20c%c3%A4"), Some("a b cä".into()));
        assert_eq!(unescape_str("%ff"), None);
        assert_eq!(unescape_array(b"a%00"), Some([b'a', 0]));
        assert_eq!(unescape_array::<2>(b"abc"), None);
        assert_eq!(unescape_array::<4>(b"abc"), None);
    }

    proptest! {
        #[test]
        fn bytes_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut text = String::new();
            escape(&mut text, &bytes);
            prop_assert_eq!(unescape_bytes(text.as_bytes()), Some(bytes));
        }
    }
}
