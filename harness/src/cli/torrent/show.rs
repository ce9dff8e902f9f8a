//! `overlab torrent show`.

use std::fmt::Write;

use clap::Args;
use transfer::metainfo::Version;
use transfer::{FileSpan, Magnet, Metainfo};

use super::super::args::Common;
use super::super::error::CliError;
use super::{Input, document, harmless, present};
use crate::report::figures;

/// Arguments of `torrent show`.
#[derive(Args, Debug)]
pub struct Show {
    #[command(flatten)]
    input: Input,
}

/// Shows a torrent.
///
/// # Errors
/// When the file is no torrent.
pub fn run(args: &Show, common: &Common) -> Result<(), CliError> {
    let torrent = args.input.read()?;
    let mut text = head(&torrent);
    tree(&mut text, torrent.info.layout().files());
    present(&text, &document(&torrent), common)
}

/// The link to the torrent.
pub fn magnet(torrent: &Metainfo) -> Magnet {
    Magnet {
        name: Some(torrent.info.name().to_string()),
        trackers: torrent.trackers.concat(),
        web_seeds: torrent.web_seeds.clone(),
        ..Magnet::new(torrent.info.info_hash())
    }
}

/// All but the files.
pub fn head(torrent: &Metainfo) -> String {
    let info = &torrent.info;
    let layout = info.layout();
    let mut text = format!("{}\n", harmless(info.name()));
    let mut line = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    let files = layout.files().iter().filter(|file| !file.padding).count();
    let size =
        format!("{} ({} bytes)", figures::bytes(layout.total_len() as f64), layout.total_len());
    match info.is_single_file() {
        true => line("size", &size),
        false => line("size", &format!("{size} in {files} {}", plural(files, "file"))),
    }
    let pieces = layout.pieces() as usize;
    let piece = figures::bytes(f64::from(layout.piece_len()));
    line("pieces", &format!("{pieces} {} of {piece}", plural(pieces, "piece")));
    line("info-hash", &info.info_hash().to_string());
    line("magnet", &magnet(torrent).to_string());
    if info.version() == Version::Hybrid {
        line("version", "1 and 2; read by its first part");
    }
    if info.is_private() {
        line("private", "peers may come from its trackers alone");
    }
    let mut labelled = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            line(name, &harmless(&value));
        }
    };
    labelled("source", info.source().map(str::to_string));
    for (i, tier) in torrent.trackers.iter().enumerate() {
        let name = if i == 0 { "trackers" } else { "then" };
        labelled(name, Some(tier.join(", ")));
    }
    for (i, url) in torrent.web_seeds.iter().enumerate() {
        labelled(if i == 0 { "web seeds" } else { "" }, Some(url.clone()));
    }
    for (i, node) in torrent.nodes.iter().enumerate() {
        labelled(if i == 0 { "DHT nodes" } else { "" }, Some(node.to_string()));
    }
    labelled("created", torrent.creation_date_s.map(date));
    labelled("created by", torrent.created_by.clone());
    labelled("comment", torrent.comment.clone());
    text
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_string() } else { format!("{noun}s") }
}

/// The files as a tree. Folders are named once where their files stand
/// together, as they do in every torrent that was made of a folder.
fn tree(text: &mut String, files: &[FileSpan]) {
    text.push_str("  files\n");
    let mut above: Vec<&str> = Vec::new();
    for file in files.iter().filter(|file| !file.padding) {
        let folders: Vec<&str> = file
            .path
            .as_str()
            .rsplit_once('/')
            .map_or_else(Vec::new, |(folders, _)| folders.split('/').collect());
        let common = above.iter().zip(&folders).take_while(|(a, b)| a == b).count();
        for (depth, folder) in folders.iter().enumerate().skip(common) {
            let _ = writeln!(text, "{:indent$}{}/", "", harmless(folder), indent = 4 + 2 * depth);
        }
        let indent = 4 + 2 * folders.len();
        let name = harmless(file.path.file_name());
        let width = 48_usize.saturating_sub(indent);
        let size = figures::bytes(file.len as f64);
        let _ = writeln!(text, "{:indent$}{name:<width$}  {size}", "");
        above = folders;
    }
}

/// A time since 1970 as a date and a time of day, UTC.
fn date(since_1970_s: i64) -> String {
    const DAY_S: i64 = 86_400;
    let (day, second) = (since_1970_s.div_euclid(DAY_S), since_1970_s.rem_euclid(DAY_S));
    // Days to a date of the Gregorian calendar, after Hinnant: years begin in
    // March, so that the leap day is the last of a year, in eras of 400 years.
    let day = i128::from(day) + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = match month {
        0..=9 => (month + 3, year + era * 400),
        _ => (month - 9, year + era * 400 + 1),
    };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{of_month:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let table = [
            (0, "1970-01-01 00:00:00 UTC"),
            (1_225_365_524, "2008-10-30 11:18:44 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_799, "2000-02-29 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
        ];
        for (since_1970_s, text) in table {
            assert_eq!(date(since_1970_s), text);
        }
        assert!(date(i64::MAX).ends_with(" UTC") && date(i64::MIN).ends_with(" UTC"));
    }
}
