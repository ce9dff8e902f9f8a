use super::*;
use crate::document::sample;
use crate::report::snapshot;

fn widest(text: &str) -> usize {
    text.lines()
        .filter(|line| !line.starts_with("Repeat with"))
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(0)
}

#[test]
fn the_comparison_looks_as_it_should() {
    let shown = screen(&sample::comparison(), Paint::Off);
    snapshot::check("snapshots/compare.txt", &shown);
    assert!(widest(&shown) <= usize::from(WIDTH), "{}\n{shown}", widest(&shown));
}

#[test]
fn the_detail_looks_as_it_should() {
    let shown = screen(&sample::simulation(), Paint::Off);
    snapshot::check("snapshots/sim.txt", &shown);
    assert!(widest(&shown) <= usize::from(WIDTH), "{}\n{shown}", widest(&shown));
}

#[test]
fn a_missing_search_says_why_and_is_never_zero() {
    let mut document = sample::comparison();
    document.overlays.remove(1);
    document.overlays.remove(0);
    let shown = comparison(&document, Paint::Off);
    assert!(shown.contains(NO_KEYWORDS), "{shown}");
    let detail = detail(&sample::simulation(), Paint::Off);
    let line = detail.lines().find(|line| line.contains("keyword search")).unwrap();
    assert!(line.contains(NO_KEYWORDS) && !line.contains(" 0"), "{line}");
}

#[test]
fn colours_change_nothing_but_colours() {
    let document = sample::comparison();
    let painted = screen(&document, Paint::On);
    assert!(painted.contains("\u{1b}["));
    let mut bare = String::new();
    let mut rest = painted.as_str();
    while let Some(at) = rest.find('\u{1b}') {
        bare.push_str(&rest[..at]);
        let end = rest[at..].find('m').unwrap();
        rest = &rest[at + end + 1..];
    }
    bare.push_str(rest);
    let words = |text: &str| text.split_whitespace().map(String::from).collect::<Vec<_>>();
    assert_eq!(words(&bare), words(&screen(&document, Paint::Off)));
    assert!(!screen(&document, Paint::Off).contains('\u{1b}'));
}

#[test]
fn an_empty_document_and_an_empty_row_are_shown() {
    let mut document = Document::default();
    assert!(screen(&document, Paint::Off).contains("Overlays compared"));
    document.overlays.push(OverlayRow { overlay: "void".into(), ..OverlayRow::default() });
    for kind in [Kind::Compare, Kind::Sim] {
        document.kind = kind;
        let shown = screen(&document, Paint::Off);
        assert!(shown.contains("void") && !shown.contains("NaN"), "{shown}");
    }
    assert!(comparison(&document, Paint::Off).contains(NOT_MEASURED));
}

#[test]
fn hostile_names_cannot_move_the_cursor() {
    let mut document = sample::comparison();
    document.overlays[0].title = "\u{1b}[2Jevil\nname".into();
    document.command = "x\u{7}".into();
    for text in [comparison(&document, Paint::Off), detail(&document, Paint::Off)] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'));
    }
}
