//! The core of an overlay's chapter, as a terminal shows it.

use crate::report::table::wrapped;

/// The chapters, by the names of the overlays that they are about.
const CHAPTERS: [(&[&str], &str, &str); 11] = [
    (&["napster"], "napster.md", include_str!("../../../docs/overlays/napster.md")),
    (&["gnutella"], "gnutella.md", include_str!("../../../docs/overlays/gnutella.md")),
    (&["gnutella06"], "gnutella06.md", include_str!("../../../docs/overlays/gnutella06.md")),
    (&["fasttrack"], "fasttrack.md", include_str!("../../../docs/overlays/fasttrack.md")),
    (&["chord"], "chord.md", include_str!("../../../docs/overlays/chord.md")),
    (&["can"], "can.md", include_str!("../../../docs/overlays/can.md")),
    (&["pastry"], "pastry.md", include_str!("../../../docs/overlays/pastry.md")),
    (
        &["kademlia", "mainline", "kad"],
        "kademlia.md",
        include_str!("../../../docs/overlays/kademlia.md"),
    ),
    (&["bittorrent"], "bittorrent.md", include_str!("../../../docs/overlays/bittorrent.md")),
    (
        &["client-server"],
        "client-server.md",
        include_str!("../../../docs/overlays/client-server.md"),
    ),
    (&["replication"], "replication.md", include_str!("../../../docs/overlays/replication.md")),
];

/// What the chapter on an overlay says before its first section: the picture
/// and the idea. `None` where there is no chapter.
pub(super) fn core_of(overlay: &str) -> Option<String> {
    let (_, file, chapter) = CHAPTERS.iter().find(|(names, ..)| names.contains(&overlay))?;
    let mut text = plain(chapter.split("\n## ").next().unwrap_or_default());
    text.push_str(&format!("The whole chapter: docs/overlays/{file}\n"));
    Some(text)
}

/// Markdown without its title, wrapped, and with the words of links and
/// pictures only.
fn plain(markdown: &str) -> String {
    let mut text = String::new();
    let mut paragraph = Vec::new();
    let mut in_code = false;
    for line in markdown.lines().filter(|line| !line.starts_with("# ")).chain([""]) {
        let is_fence = line.starts_with("```");
        if in_code && !is_fence {
            text.push_str(format!("  {line}").trim_end());
            text.push('\n');
            continue;
        }
        let stands_alone = line.starts_with(['|', '-']);
        if (line.is_empty() || is_fence || stands_alone) && !paragraph.is_empty() {
            text.push_str(&wrapped(&without_links(&paragraph.join(" "))));
            text.push_str("\n\n");
            paragraph.clear();
        }
        if is_fence {
            in_code = !in_code;
            text.push_str(if in_code { "" } else { "\n" });
        } else if stands_alone {
            text.push_str(&without_links(line));
            text.push('\n');
        } else if line.is_empty() && !text.is_empty() && !text.ends_with("\n\n") {
            text.push('\n');
        } else if !line.is_empty() {
            paragraph.push(line);
        }
    }
    text
}

/// `[words](target)` becomes its words.
fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, words, after)) = next_link(rest) {
        out.push_str(before.strip_suffix('!').unwrap_or(before));
        out.push_str(words);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What stands before the next link, its words, and what stands behind it.
fn next_link(text: &str) -> Option<(&str, &str, &str)> {
    let middle = text.find("](")?;
    let start = text[..middle].rfind('[')?;
    let end = middle + text[middle..].find(')')?;
    Some((&text[..start], &text[start + 1..middle], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;

    #[test]
    fn every_overlay_has_a_chapter_with_a_core() {
        for entry in registry::all() {
            let name = entry.about().name;
            let core = core_of(name).unwrap_or_else(|| panic!("no chapter on {name}"));
            assert!(core.len() > 400, "{name}: {core}");
            assert!(!core.contains("](") && !core.contains("```"), "{name}: {core}");
        }
        assert_eq!(core_of("nothing"), None);
    }

    #[test]
    fn markdown_becomes_plain() {
        let markdown = "# Title\n\n*Idea.*\n\n![A picture](a.svg)\n\nTwo\n[lines](b.md#c) [x].\n\n\
                        ```text\n a  b\n\n c\n```\n\n| a | b |\n|---|---|\n| [1](x) | 2 |\n\nEnd.\n";
        let expected = "*Idea.*\n\nA picture\n\nTwo lines [x].\n\n   a  b\n\n   c\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nEnd.\n\n";
        assert_eq!(plain(markdown), expected);
    }
}
