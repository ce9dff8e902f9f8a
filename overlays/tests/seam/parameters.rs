//! The parameter and choice macros.

use overlays::{ParameterError, ParameterValue, Parameters, Span};

overlays::choice! {
    /// A way.
    pub enum Way {
        /// One.
        Here = "here",
        /// The other.
        There = "there",
    }
}

overlays::parameters! {
    /// A configuration with a parameter of each type.
    pub struct Config {
        /// How many
        /// hops.
        pub ttl: u8 = 7, in 1..=16;
        /// How often.
        pub rate: f64 = 0.5, in 0.0..=1.0;
        /// How long.
        pub wait: Span = Span::from_s(30);
        /// Whether.
        pub loud: bool = false;
        /// Which way.
        pub way: Way = Way::Here;
        /// How much.
        pub amount: u64 = 5;
    }
}

#[test]
fn defaults_and_list() {
    let list = Config::default().list();
    let rows: Vec<_> = list.iter().map(|p| (p.name, &*p.value, p.help, &*p.domain)).collect();
    let expected = [
        ("ttl", "7", "How many hops.", "whole numbers from 1 to 16"),
        ("rate", "0.5", "How often.", "numbers from 0 to 1"),
        ("wait", "30s", "How long.", "lengths of time such as 20ms or 30s"),
        ("loud", "off", "Whether.", "on or off"),
        ("way", "here", "Which way.", "here, there"),
        ("amount", "5", "How much.", "whole numbers"),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn what_is_set_is_listed_and_reads_back() {
    let mut config = Config::default();
    let settings = [
        ("ttl", "16"),
        ("rate", "0.25"),
        ("wait", "1500ms"),
        ("loud", "yes"),
        ("way", "there"),
        ("amount", "18446744073709551615"),
    ];
    for (name, value) in settings {
        config.set(name, value).unwrap();
    }
    let expected = Config {
        ttl: 16,
        rate: 0.25,
        wait: Span::from_ms(1_500),
        loud: true,
        way: Way::There,
        amount: u64::MAX,
    };
    assert_eq!(config, expected);
    let mut copy = Config::default();
    for parameter in config.list() {
        copy.set(parameter.name, &parameter.value).unwrap();
    }
    assert_eq!(copy, config);
}

#[test]
fn bad_values_change_nothing_and_are_explained() {
    let mut config = Config::default();
    let bad = [
        ("ttl", "0"),
        ("ttl", "17"),
        ("ttl", "300"),
        ("ttl", "-1"),
        ("ttl", "7.0"),
        ("ttl", ""),
        ("rate", "1.5"),
        ("rate", "nan"),
        ("rate", "inf"),
        ("wait", "30"),
        ("loud", "maybe"),
        ("way", "Here"),
        ("amount", "18446744073709551616"),
    ];
    for (name, value) in bad {
        let error = config.set(name, value).unwrap_err();
        assert!(matches!(error, ParameterError::Value { .. }), "{name}={value}: {error}");
    }
    assert_eq!(config, Config::default());
    let text = config.set("ttl", "17").unwrap_err().to_string();
    assert_eq!(text, "`17` is not a value of ttl, which takes whole numbers from 1 to 16");
    let text = config.set("tll", "1").unwrap_err().to_string();
    let known = "ttl, rate, wait, loud, way, amount";
    assert_eq!(text, format!("there is no parameter `tll`; there are: {known}"));
}

#[test]
fn every_choice_reads_back() {
    for way in [Way::Here, Way::There] {
        assert_eq!(Way::parse(&way.show()), Some(way));
    }
    for value in [true, false] {
        assert_eq!(bool::parse(&value.show()), Some(value));
    }
}
