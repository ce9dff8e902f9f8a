use proptest::prelude::*;

use super::*;
use crate::bencode::{KeyOrder, dict_with, int, list_with, string};

const LIMITS: Limits = Limits::new(1 << 20);

fn parse(bytes: &[u8]) -> Result<Value<'_>, BencodeError> {
    Value::parse(bytes, &LIMITS)
}

/// What a value is, written anew.
fn written(value: Value<'_>, out: &mut Vec<u8>) {
    match value.kind() {
        Kind::Int(number) => int(out, number),
        Kind::Bytes(bytes) => string(out, bytes),
        Kind::List(list) => list_with(out, |out| list.iter().for_each(|v| written(v, out))),
        Kind::Dict(dict) => dict_with(out, |out| {
            for (key, value) in dict.iter() {
                string(out, key);
                written(value, out);
            }
        }),
    }
}

#[test]
fn the_examples_of_bep_3_are_read() {
    let text: &[u8] = b"d3:bari-3e3:fooli0ei42e4:spame4:spamd1:a1:bee";
    let value = parse(text).expect("bencoded");
    let dict = value.as_dict().expect("a dictionary");
    assert_eq!((value.bytes(), value.span()), (text, 0..45));
    assert_eq!(dict.int("bar"), Some(-3));
    let list: Vec<_> = dict.list("foo").expect("a list").iter().map(Value::kind).collect();
    assert_eq!(list, [Kind::Int(0), Kind::Int(42), Kind::Bytes(b"spam")]);
    assert_eq!(dict.dict("spam").and_then(|d| d.bytes("a")), Some(&b"b"[..]));
    assert_eq!(dict.dict("spam").and_then(|d| d.str("a")), Some("b"));
    assert_eq!(dict.get("spam").map(|v| (v.span(), v.bytes())), Some((36..44, &b"d1:a1:be"[..])));
    let inner = dict.dict("spam").and_then(|d| d.get("a")).expect("there");
    assert_eq!(&text[inner.span()], b"1:b");
    assert_eq!((dict.int("foo"), dict.get("nothing")), (None, None));
    assert_eq!(dict.iter().count(), 3);
}

#[test]
fn what_has_another_form_is_refused_where_it_is_wrong() {
    let table: [(&[u8], usize, Fault); 30] = [
        (b"", 0, Fault::Ends),
        (b"i", 1, Fault::Ends),
        (b"ie", 1, Fault::Digit),
        (b"i-e", 2, Fault::Digit),
        (b"i--1e", 2, Fault::Digit),
        (b"i03e", 1, Fault::Zero),
        (b"i-0e", 0, Fault::Zero),
        (b"i-03e", 2, Fault::Zero),
        (b"i 3e", 1, Fault::Digit),
        (b"i+3e", 1, Fault::Digit),
        (b"i3", 2, Fault::Ends),
        (b"3:ab", 0, Fault::Length),
        (b"3ab", 1, Fault::Digit),
        (b"03:abc", 0, Fault::Zero),
        (b"-1:a", 0, Fault::Type(b'-')),
        (b"e", 0, Fault::Type(b'e')),
        (b"x", 0, Fault::Type(b'x')),
        (b"l", 1, Fault::Ends),
        (b"d", 1, Fault::Ends),
        (b"d1:ae", 4, Fault::NoValue),
        (b"d1:a", 4, Fault::Ends),
        (b"d1:bi1e1:ai1ee", 7, Fault::Order),
        (b"d1:ai1e1:ai1ee", 7, Fault::Twice),
        (b"di1ei1ee", 1, Fault::Digit),
        (b"i1ei2e", 3, Fault::Trailing),
        (b"i9223372036854775808e", 0, Fault::Number),
        (b"i-9223372036854775809e", 0, Fault::Number),
        (b"99999999999999999999:a", 0, Fault::Number),
        (b"18446744073709551615:a", 0, Fault::Length),
        // Twelve bytes that ask for two gigabytes.
        (b"2147483647:x", 0, Fault::Length),
    ];
    for (text, offset, fault) in table {
        let error = parse(text).expect_err(&text.escape_ascii().to_string());
        assert_eq!(error, BencodeError { offset, fault }, "{}", text.escape_ascii());
        assert!(error.to_string().starts_with(&format!("byte {offset}: ")));
    }
    let kind = |text| parse(text).map(Value::kind);
    assert_eq!(kind(b"i9223372036854775807e"), Ok(Kind::Int(i64::MAX)));
    assert_eq!(kind(b"i-9223372036854775808e"), Ok(Kind::Int(i64::MIN)));
    assert_eq!(kind(b"0:"), Ok(Kind::Bytes(b"")));
}

#[test]
fn depth_is_limited_without_recursion() {
    let nested = |depth: usize| [vec![b'l'; depth], vec![b'e'; depth]].concat();
    for limit in [1, 8, 100, 100_000] {
        let limits = LIMITS.depth(limit);
        assert!(Value::parse(&nested(limit), &limits).is_ok());
        let error = Value::parse(&nested(limit + 1), &limits).expect_err("deeper");
        assert_eq!(error, BencodeError { offset: limit, fault: Fault::Depth(limit) });
    }
    assert!(parse(&[b'l'; 20_000]).is_err());
    assert!(parse(&b"d1:a".repeat(5_000)).is_err());
    assert!(parse(&[b'9'; 100_000]).is_err(), "digits without end");
    assert_eq!(Value::parse(b"i1e", &LIMITS.depth(0)).map(Value::as_int), Ok(Some(1)));
    assert!(Value::parse(b"le", &LIMITS.depth(0)).is_err());
}

#[test]
fn size_is_limited() {
    let limits = Limits::new(6);
    assert!(Value::parse(b"4:spam", &limits).is_ok());
    let over = BencodeError { offset: 6, fault: Fault::Size(6) };
    assert_eq!(Value::parse(b"5:spams", &limits), Err(over));
    assert_eq!(Value::parse_first(b"5:spams", &limits), Err(over));
    assert_eq!(Value::parse_first(b"4:spamsss", &limits).map(|v| v.span()), Ok(0..6));
    assert!(matches!(
        Value::parse_first(b"x:spamsss", &limits),
        Err(BencodeError { fault: Fault::Type(b'x'), .. })
    ));
}

#[test]
fn keys_in_any_order_are_an_option_but_never_twice() {
    let any = LIMITS.key_order(KeyOrder::Any);
    let value = Value::parse(b"d1:bi1e1:ai2e1:cd1:zi0e1:yi5eee", &any).expect("any order");
    let dict = value.as_dict().expect("a dictionary");
    assert_eq!((dict.int("a"), dict.int("b")), (Some(2), Some(1)));
    assert_eq!(dict.dict("c").and_then(|c| c.int("y")), Some(5));
    assert_eq!(
        Value::parse(b"d1:bi1e1:ai2e1:bi3ee", &any),
        Err(BencodeError { offset: 13, fault: Fault::Twice })
    );
    assert!(Value::parse(b"d1:x1:y1:bd1:bi1e1:ai2e1:bi3eee", &any).is_err());
}

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| {
            let mut out = Vec::new();
            int(&mut out, number);
            out
        }),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(|bytes| {
            let mut out = Vec::new();
            string(&mut out, bytes);
            out
        }),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let key = proptest::collection::vec(any::<u8>(), 0..4);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(|items| {
                let mut out = Vec::new();
                list_with(&mut out, |out| items.iter().for_each(|item| out.extend(item)));
                out
            }),
            proptest::collection::btree_map(key, inner, 0..6).prop_map(|pairs| {
                let mut out = Vec::new();
                dict_with(&mut out, |out| {
                    for (key, value) in &pairs {
                        string(out, key);
                        out.extend(value);
                    }
                });
                out
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_written_to_the_same_bytes(bytes in any_value()) {
        let value = parse(&bytes);
        prop_assert!(value.is_ok(), "{:?}", value);
        let mut again = Vec::new();
        written(value.unwrap(), &mut again);
        prop_assert_eq!(again, bytes);
    }

    #[test]
    fn whatever_is_read_writes_back_to_the_same_bytes(
        bytes in proptest::collection::vec(
            prop_oneof![Just(b'e'), Just(b'i'), Just(b'l'), Just(b'd'), Just(b':'), b'0'..=b'9'],
            0..40,
        ),
    ) {
        if let Ok(value) = parse(&bytes) {
            let mut again = Vec::new();
            written(value, &mut again);
            prop_assert_eq!(again, bytes);
        }
    }

    /// A cut input is torn, never another value.
    #[test]
    fn torn_values_are_refused(bytes in any_value(), at in any::<prop::sample::Index>()) {
        let cut = at.index(bytes.len());
        prop_assert!(parse(&bytes[..cut]).is_err());
    }
}
