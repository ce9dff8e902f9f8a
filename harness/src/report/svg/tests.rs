use proptest::prelude::*;

use super::canvas::{Anchor, Canvas};
use super::scale::Scale;
use super::*;
use crate::stats::{Fit, Summary, Tally};

fn sane(svg: &str) {
    for bad in ["NaN", "inf", "undefined"] {
        assert!(!svg.contains(bad), "{bad} in {svg}");
    }
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"));
    assert!(svg.contains("<title ") && svg.contains("<desc "));
}

#[test]
fn linear_ticks_are_round_and_within() {
    let scale = Scale::linear([0.0, 655.0], 0.0, 100.0);
    assert_eq!(scale.ticks(4), [0.0, 200.0, 400.0, 600.0, 800.0]);
    assert_eq!((scale.at(0.0), scale.at(800.0), scale.at(400.0)), (0.0, 100.0, 50.0));
    assert_eq!((scale.at(-5.0), scale.at(1e9)), (0.0, 100.0), "held within the axis");
    let below = Scale::linear([-3.0, 3.0], 0.0, 100.0);
    assert_eq!(below.ticks(4), [-4.0, -2.0, 0.0, 2.0, 4.0]);
}

#[test]
fn log_ticks_are_powers_of_ten_or_their_parts() {
    assert_eq!(Scale::log([1.0, 1000.0], 0.0, 90.0).ticks(4), [1.0, 10.0, 100.0, 1000.0]);
    assert_eq!(Scale::log([3.0, 60.0], 0.0, 90.0).ticks(5), [5.0, 10.0, 20.0, 50.0]);
    let scale = Scale::log([1.0, 1000.0], 0.0, 90.0);
    assert!((scale.at(10.0) - 30.0).abs() < 1e-9);
    assert_eq!(Scale::log([64.0, 1024.0], 0.0, 1.0).powers_of_two(2), [64.0, 256.0, 1024.0]);
}

#[test]
fn a_logarithmic_axis_keeps_a_place_for_zero() {
    let scale = Scale::fitting([0.0, 1.0, 5000.0], 0.0, 100.0);
    assert!(scale.is_log());
    assert_eq!(scale.ticks(4)[0], 0.0);
    assert_eq!(scale.at(0.0), 0.0);
    assert!((scale.at(1.0) - 10.0).abs() < 1e-9 && (scale.at(5000.0) - 100.0).abs() < 1e-9);
}

#[test]
fn odd_values_make_an_axis_all_the_same() {
    for values in [vec![], vec![f64::NAN], vec![0.0], vec![f64::INFINITY, 2.0], vec![1e300]] {
        for scale in [
            Scale::linear(values.clone(), 0.0, 10.0),
            Scale::log(values.clone(), 0.0, 10.0),
            Scale::fitting(values.clone(), 0.0, 10.0),
        ] {
            assert!((0.0..=10.0).contains(&scale.at(1.0)));
            assert_eq!(scale.at(f64::NAN), 0.0);
            assert!(scale.ticks(4).len() <= 8, "{scale:?}");
            assert!(scale.powers_of_two(4).len() <= 8, "{scale:?}");
        }
    }
}

#[test]
fn text_is_escaped_and_coordinates_are_finite() {
    let mut canvas = Canvas::new(10.0, 10.0);
    canvas.text((f64::NAN, 1.0), Anchor::Start, "name", "<script>\"&'\u{1b}");
    canvas.line((0.05, f64::INFINITY), (-0.01, 3.0), "axis");
    canvas.path(&[(1.0, 1.0)], "line");
    let svg = canvas.finish("x", "a<b", "");
    sane(&svg);
    assert!(svg.contains("&lt;script&gt;&quot;&amp;&#39;\u{fffd}") && svg.contains("a&lt;b"));
    assert!(!svg.contains("polyline"), "a single point is no line");
}

#[test]
fn charts_of_nothing_are_sane() {
    sane(&bars("x", "hops", &Summary::default(), "c1", "a"));
    sane(&ranges(&[], "x", "a"));
    sane(&ranges(
        &[Range { name: "x".into(), colour: colour(0), figures: Err("not measured") }],
        "x",
        "a",
    ));
    sane(&growth("x", &[], None, "c1", "a"));
    sane(&stack("x", &[], "a"));
    sane(&curves(&[], 0, "c1", "a"));
    let flat = Summary::default();
    sane(&curves(&[Curve { name: "x", summary: &flat }], 0, "c1", "a"));
}

#[test]
fn a_stack_fills_its_width() {
    let parts = vec![("Ping".to_string(), 1), ("Pong".to_string(), 2), ("None".to_string(), 0)];
    let svg = stack("x", &parts, "a");
    sane(&svg);
    assert_eq!(svg.matches("<rect").count(), 2);
    assert!(svg.contains("None: 0, 0 %"), "parts without a bar are still told");
    assert!(svg.contains(r#"x="240""#), "{svg}");
}

#[test]
fn a_growth_chart_draws_theory_only_where_it_is_contradicted() {
    let points: Vec<(f64, f64)> =
        (6..=10).map(|k| (f64::from(1 << k), f64::from(k) / 2.0)).collect();
    let agrees = Fit::of(&points, overlays::Growth::Log).unwrap();
    let contradicts = Fit::of(&points, overlays::Growth::Constant).unwrap();
    assert!(!growth("x", &points, Some(&agrees), "c1", "a").contains("theory\""));
    let svg = growth("x", &points, Some(&contradicts), "c1", "a");
    assert!(svg.contains("class=\"theory\""), "{svg}");
    assert!(svg.contains("0.50 log₂ n"), "{svg}");
}

proptest! {
    #[test]
    fn ticks_ascend_within_the_axis(a in -1e9f64..1e9, b in 0.001f64..1e9, wanted in 2usize..7) {
        for scale in [Scale::linear([a, b], 0.0, 1.0), Scale::log([a, b], 0.0, 1.0)] {
            let ticks = scale.ticks(wanted);
            prop_assert!(ticks.windows(2).all(|w| w[0] < w[1]), "{ticks:?}");
            let places: Vec<f64> = ticks.iter().map(|&t| scale.at(t)).collect();
            prop_assert!(places.windows(2).all(|w| w[0] < w[1]), "{ticks:?}: {places:?}");
            prop_assert!(ticks.len() <= 2 * wanted + 3, "{ticks:?}");
        }
    }

    #[test]
    fn no_samples_break_a_chart(samples in prop::collection::vec(any::<u64>(), 0..60)) {
        use crate::stats::Detail;
        let tally: Tally = samples.into_iter().collect();
        for detail in [Detail::Histogram, Detail::Curve] {
            let Some(s) = tally.summary_with(1.0, detail) else { continue };
            sane(&bars("x", "hops", &s, "c1", "a"));
            sane(&curves(&[Curve { name: "x", summary: &s }], 0, "c1", "a"));
            let row = Range { name: "x".into(), colour: colour(0), figures: Ok(&s) };
            sane(&ranges(&[row], "x", "a"));
        }
    }
}
