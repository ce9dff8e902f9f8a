//! Where results go.

use std::io::{IsTerminal, Write};
use std::path::Path;

use super::args::{ColorChoice, Common};
use super::error::CliError;
use crate::document::Document;
use crate::report;
use crate::report::table::{self, Paint};

/// Whether to colour what goes to `stream`.
pub fn has_colour(common: &Common, stream: &impl IsTerminal) -> bool {
    match common.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        }
    }
}

/// The command that this process was given, quoted for a shell.
pub fn command_line() -> String {
    let quote = |word: String| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%@+".contains(c);
        if !word.is_empty() && word.chars().all(is_plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    let words = std::env::args().skip(1).map(quote);
    std::iter::once("overlab".to_string()).chain(words).collect::<Vec<_>>().join(" ")
}

/// Shows the document on standard output and writes its JSON where asked.
///
/// With `--json -`, standard output carries the JSON alone.
///
/// # Errors
/// When a file cannot be written.
pub fn show(document: &Document, common: &Common) -> Result<(), CliError> {
    let to_stdout = common.json.as_deref() == Some(Path::new("-"));
    if to_stdout {
        print(&report::json(document))?;
    } else {
        let paint = if has_colour(common, &std::io::stdout()) { Paint::On } else { Paint::Off };
        print(&table::screen(document, paint))?;
        if let Some(path) = &common.json {
            report::write(path, &report::json(document)).map_err(CliError::failed)?;
        }
    }
    Ok(())
}

/// Prints to standard output. A reader that has gone away, as `head` does, is
/// no error.
///
/// # Errors
/// When standard output cannot be written for another reason.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(stdout, "{text}{end}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Checks, before a long run, that a file can be written there.
///
/// # Errors
/// When it cannot.
pub fn check_writable(path: &Path) -> Result<(), CliError> {
    if path == Path::new("-") {
        return Ok(());
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let problem = if path.is_dir() {
        "it is a folder"
    } else if !folder.is_dir() {
        "its folder does not exist"
    } else {
        return Ok(());
    };
    Err(CliError::usage(format!("{}: cannot be written: {problem}", path.display())))
}

/// Tells the user something on standard error, unless asked to be quiet.
pub fn tell(common: &Common, text: &str) {
    if !common.quiet {
        eprintln!("{text}");
    }
}
