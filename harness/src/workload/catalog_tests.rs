use std::io;

use proptest::prelude::*;

use super::*;

const HEADER: &str = "name,size_bytes,section,description\n";

fn read(text: &[u8]) -> Result<Catalog, CatalogError> {
    Catalog::read("songs.csv", text)
}

fn refusal(text: impl AsRef<[u8]>) -> String {
    read(text.as_ref()).expect_err("this catalogue is bad").to_string()
}

#[test]
fn the_embedded_catalogue_is_real_and_broad() {
    let catalog = Catalog::embedded();
    assert_eq!(catalog.len(), 2_354);
    let mut sections: Vec<_> = catalog.entries().iter().map(|e| e.section.clone()).collect();
    sections.sort_unstable();
    sections.dedup();
    assert_eq!(sections.len(), 58);
    let sizes = || catalog.entries().iter().map(|e| e.item.size_bytes());
    assert_eq!((sizes().min(), sizes().max()), (Some(880), Some(1_535_845_016)));
    assert!(catalog.entries().iter().all(|e| !e.description.is_empty()));
    assert_eq!(catalog.item(0).name(), "0ad-data_0.0.26-1_all.deb");
    assert_eq!(catalog.get(0).unwrap().item.size_bytes(), 1_377_557_908);
    assert!(catalog.get(2_354).is_none());
}

#[test]
fn quoted_fields_follow_rfc_4180() {
    let text = "\u{feff}section,name,description,size_bytes,extra\r\n\
                rock,\"a, \"\"b\"\" c.ogg\",\"two\r\nlines\",12,x\r\n\r\n\
                ,d.ogg,,18446744073709551615,\n";
    let catalog = read(text.as_bytes()).unwrap();
    assert_eq!(catalog.len(), 2);
    assert_eq!(catalog.item(0).name(), "a, \"b\" c.ogg");
    assert_eq!(&*catalog.get(0).unwrap().description, "two\r\nlines");
    assert_eq!(&*catalog.get(0).unwrap().section, "rock");
    assert_eq!(catalog.item(1).size_bytes(), u64::MAX);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let long = "x".repeat(256);
    let table: [(String, &str); 14] = [
        (String::new(), "songs.csv: the file is empty: start it with"),
        (HEADER.into(), "songs.csv: no items follow the header"),
        ("name,size,section,description\na,1,b,c\n".into(), "songs.csv:1: size_bytes: the header"),
        (
            "name,size_bytes,section,name,description\n".into(),
            "songs.csv:1: name: the header names",
        ),
        (
            format!("{HEADER}a,1,b,c\nd,2,e\n"),
            "songs.csv:3: description: 3 fields where the header",
        ),
        (
            format!("{HEADER}a,1,b,c,d\n"),
            "songs.csv:2: 5 fields where the header has 4: put quotes",
        ),
        (format!("{HEADER}a,12k,b,c\n"), "songs.csv:2: size_bytes: `12k` is not a whole number"),
        (format!("{HEADER}a,+5,b,c\n"), "songs.csv:2: size_bytes: `+5` is not"),
        (format!("{HEADER}a,,b,c\n"), "songs.csv:2: size_bytes: `` is not"),
        (format!("{HEADER}a,18446744073709551616,b,c\n"), "songs.csv:2: size_bytes: `1844674"),
        (format!("{HEADER}\"x\n\",1,b,c\n  ,2,b,c\n"), "songs.csv:4: name: an item needs a name"),
        (format!("{HEADER}...,1,b,c\n"), "songs.csv:2: name: `...` has no letter or digit"),
        (format!("{HEADER}{long},1,b,c\n"), "songs.csv:2: name: 256 bytes long, at most 255"),
        (
            format!("{HEADER}a,1,b,c\n\nb,1,,\na,2,,\n"),
            "songs.csv:5: name: `a` already stands on line 2",
        ),
    ];
    for (text, start) in table {
        let message = refusal(&text);
        assert!(message.starts_with(start), "{text:?} gave {message:?}");
    }
    let message = refusal([HEADER.as_bytes(), b"a,1,b,c\nb,2,\xff,\n"].concat());
    assert!(message.starts_with("songs.csv:3: section: not UTF-8"), "{message}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let error = Catalog::load(Path::new("no/such/songs.csv")).unwrap_err();
    assert!(error.to_string().starts_with("no/such/songs.csv: cannot be read: "), "{error}");

    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let error = Catalog::read("songs.csv", Broken).unwrap_err();
    assert!(error.to_string().ends_with("cannot be read: the disk is gone"), "{error}");
}

#[test]
fn a_million_rows_are_the_limit() {
    use core::fmt::Write as _;
    let mut text = HEADER.to_owned();
    for i in 0..=Catalog::MAX_ITEMS {
        writeln!(text, "{i},1,,").unwrap();
    }
    let message = refusal(&text);
    assert_eq!(message, "songs.csv:1000002: more than 1000000 items: split the file");
}

#[test]
fn thinning_keeps_the_spread() {
    let catalog = Catalog::embedded();
    let few = catalog.thinned(100);
    assert_eq!(few.len(), 100);
    assert_eq!(few.item(50), catalog.item(50 * 2_354 / 100));
    assert_eq!(catalog.thinned(0).len(), 1);
    assert_eq!(catalog.thinned(1_000_000), catalog);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
        let _ = read(&[HEADER.as_bytes(), &bytes].concat());
    }

    #[test]
    fn the_line_of_a_bad_row_is_right(
        descriptions in prop::collection::vec("[a-z,\n\"]{0,12}", 1..30),
        bad in any::<prop::sample::Index>(),
    ) {
        let bad = bad.index(descriptions.len());
        let mut text = HEADER.to_owned();
        let mut line = 2;
        let mut expected = 0;
        for (i, description) in descriptions.iter().enumerate() {
            let size = if i == bad { "many" } else { "7" };
            if i == bad {
                expected = line;
            }
            let quoted = description.replace('"', "\"\"");
            text += &format!("file{i},{size},s,\"{quoted}\"\n");
            line += 1 + description.matches('\n').count() as u64;
        }
        let error = read(text.as_bytes()).unwrap_err();
        prop_assert_eq!((error.line, error.field), (Some(expected), Some("size_bytes")));
    }
}
