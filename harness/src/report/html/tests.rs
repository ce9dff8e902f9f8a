use super::*;
use crate::document::{OverlayRow, sample};

/// Elements that never have an end tag.
const VOID: [&str; 3] = ["meta", "br", "wbr"];

/// Checks that tags nest, that attributes are quoted, and that ids are unique.
fn check(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some(at) = rest.find('<') {
        let text = &rest[..at];
        assert!(open.last() == Some(&"style") || !text.contains('>'), "stray > in {text:?}");
        let end = at + rest[at..].find('>').unwrap();
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "before {:?}", &rest[..rest.len().min(80)]);
            continue;
        }
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
        let name = tag.split([' ', '/', '\n']).next().unwrap();
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{tag}");
        if let Some((_, id)) = tag.split_once(" id=\"") {
            let id = id.split('"').next().unwrap();
            assert!(ids.insert(id.to_string()), "{id} twice");
        }
        if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    for link in page.split("href=\"#").skip(1) {
        let target = link.split('"').next().unwrap();
        assert!(ids.contains(target), "nothing is called {target}");
    }
}

#[test]
fn the_page_is_well_formed_and_needs_nothing_else() {
    for document in [sample::comparison(), sample::simulation(), Document::default()] {
        let page = html(&document);
        check(&page);
        for outside in ["http:", "https:", "//", "<script", "<img", "<link", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        for broken in ["NaN", ">inf", "Some("] {
            assert!(!page.contains(broken), "{broken}");
        }
    }
}

#[test]
fn every_overlay_has_its_row_charts_and_section() {
    let document = sample::comparison();
    let page = html(&document);
    for (i, row) in document.overlays.iter().enumerate() {
        let heading = escape(row.heading());
        assert!(page.matches(&heading).count() > 10, "{heading}");
        for id in ["overlay", "latency", "hops", "types"] {
            assert!(
                page.contains(&format!("{id}-{i}\"")) || page.contains(&format!("{id}-{i}-t\""))
            );
        }
        for k in 0..5 {
            assert!(page.contains(&format!("growth-{i}-{k}-t")), "{heading} {k}");
        }
        assert!(page.contains(&row.trace_hash));
    }
    assert!(page.contains(&document.command) && page.contains(&document.trace_hash));
    assert!(page.contains("no keyword search"));
}

#[test]
fn hostile_names_are_text() {
    let mut document = sample::comparison();
    let hostile = "</title><script>alert('x')</script>\"&\u{202e}";
    document.command = hostile.into();
    document.title = Some(hostile.into());
    document.version = hostile.into();
    document.trace_hash = hostile.into();
    document.latency_model = Some(hostile.into());
    document.churn = Some(hostile.into());
    document.notes = vec![hostile.into()];
    if let Some(catalog) = &mut document.catalog {
        catalog.name = hostile.into();
    }
    for row in &mut document.overlays {
        row.title = hostile.into();
        row.idea = hostile.into();
        row.source = hostile.into();
        row.notes = vec![hostile.into()];
        row.parameters = vec![(hostile.into(), hostile.into())];
        row.messages_by_type[0].0 = hostile.into();
        row.trace_hash = hostile.into();
        if let Some(theory) = &mut row.theory {
            theory.search_latency = hostile.into();
        }
    }
    let page = html(&document);
    check(&page);
    assert!(!page.contains("<script") && !page.contains('\u{202e}'));
}

#[test]
fn a_row_without_figures_is_shown_with_its_reasons() {
    let mut document = sample::comparison();
    document.overlays.push(OverlayRow { overlay: "void".into(), ..OverlayRow::default() });
    let page = html(&document);
    check(&page);
    assert!(page.contains("not measured"));
}

/// Relative luminance as the accessibility guidelines (WCAG 2.2) define it.
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn contrast_suffices_in_light_and_dark() {
    let css = include_str!("style.css");
    let (light, dark) = css.split_once("prefers-color-scheme: dark").unwrap();
    for (scheme, block) in [("light", light), ("dark", dark)] {
        let colour = |name: &str| {
            let rest = block.split_once(&format!("--{name}: #")).unwrap().1;
            format!("#{}", &rest[..6])
        };
        for text in ["ink", "soft", "good", "doubt", "accent"] {
            for ground in ["paper", "wash"] {
                let ratio = contrast(&colour(text), &colour(ground));
                assert!(ratio >= 4.5, "{scheme}: {text} on {ground}: {ratio:.2}");
            }
        }
        for series in (1..=8).flat_map(|i| [format!("k{i}"), format!("s{i}")]) {
            let ratio = contrast(&colour(&series), &colour("paper"));
            assert!(ratio >= 3.0, "{scheme}: {series}: {ratio:.2}");
        }
    }
}

#[test]
fn many_overlays_reuse_colours_rather_than_lack_them() {
    let mut document = sample::comparison();
    let row = document.overlays[2].clone();
    for i in 0..9 {
        document.overlays.push(OverlayRow { overlay: format!("o{i}"), ..row.clone() });
    }
    check(&html(&document));
}
