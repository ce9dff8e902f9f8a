//! Where results go.

use std::fs::{self, OpenOptions};
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

/// The command that this process was given, quoted for a shell, after the
/// settings of the environment, without which it would not repeat the run.
pub fn command_line() -> String {
    let quote = |word: String| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%@+".contains(c);
        if !word.is_empty() && word.chars().all(is_plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    let mut settings: Vec<String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("OVERLAB_"))
        .map(|(name, value)| format!("{name}={}", quote(value)))
        .collect();
    settings.sort();
    let words = std::env::args_os().skip(1).map(|word| quote(word.to_string_lossy().into_owned()));
    let command = std::iter::once("overlab".to_string()).chain(words);
    settings.into_iter().chain(command).collect::<Vec<_>>().join(" ")
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
            report::write(path, report::json(document)).map_err(CliError::failed)?;
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

/// Checks, before a long run, that a file can be written there. A file that
/// stands there already keeps its content.
///
/// # Errors
/// When it cannot.
pub fn check_writable(path: &Path) -> Result<(), CliError> {
    if path == Path::new("-") {
        return Ok(());
    }
    let cannot = |problem: &dyn std::fmt::Display| {
        CliError::usage(format!("{}: cannot be written: {problem}", path.display()))
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if path.is_dir() {
        return Err(cannot(&"it is a folder"));
    }
    if !folder.is_dir() {
        return Err(cannot(&"its folder does not exist"));
    }
    let is_new = !path.exists();
    // To open a pipe or a device could block or have an effect.
    if is_new || path.is_file() {
        OpenOptions::new().append(true).create(true).open(path).map_err(|e| cannot(&e))?;
    }
    if is_new {
        fs::remove_file(path).map_err(|e| cannot(&e))?;
    }
    Ok(())
}

/// Writes a line to standard error. Nobody can be told when that fails.
pub fn complain(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").unwrap_or_default();
}

/// Tells the user something on standard error, unless asked to be quiet.
pub fn tell(common: &Common, text: &str) {
    if !common.quiet {
        complain(text);
    }
}
