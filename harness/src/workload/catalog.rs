//! The items of an experiment, read from a table.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder};
use overlays::{Item, Key, Keywords};

use super::catalog_error::{
    CatalogError, CatalogProblem, MAX_DESCRIPTION, MAX_NAME, MAX_SECTION, excerpt,
};

/// One row of a catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct CatalogEntry {
    /// The item that peers share: name and size.
    pub item: Arc<Item>,
    /// What kind of thing it is, such as `games`.
    pub section: Box<str>,
    /// A line about it, for people.
    pub description: Box<str>,
}

/// All items that exist in an experiment, known by their index: the place of
/// their row. Never empty; all names differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalog {
    entries: Box<[CatalogEntry]>,
}

impl Catalog {
    /// The most items of a catalogue.
    pub const MAX_ITEMS: usize = 1_000_000;

    /// The most bytes of a catalogue file.
    pub const MAX_FILE_BYTES: u64 = 1 << 30;

    /// The catalogue inside the program: 2,354 files of the Debian archive.
    pub fn embedded() -> Self {
        const TABLE: &str = include_str!("../../data/catalog.csv");
        Self::read("embedded catalogue", TABLE.as_bytes())
            .expect("a test reads the embedded catalogue")
    }

    /// The catalogue in the file at `path`: comma-separated as in RFC 4180,
    /// with a header that names the columns `name`, `size_bytes`, `section`
    /// and `description` in any order. Further columns are ignored.
    ///
    /// # Errors
    /// When the file cannot be read or any row is not as it must be; nothing
    /// is skipped or mended silently.
    pub fn load(path: &Path) -> Result<Self, CatalogError> {
        let file = path.display().to_string();
        match File::open(path) {
            Ok(input) => Self::read(&file, input),
            Err(error) => Err(CatalogError {
                file,
                line: None,
                field: None,
                problem: CatalogProblem::Unreadable(error),
            }),
        }
    }

    /// The catalogue in `input`; `file` is its name for error messages.
    ///
    /// # Errors
    /// As for [`Catalog::load`].
    pub fn read(file: &str, input: impl Read) -> Result<Self, CatalogError> {
        // One byte more than allowed, so that an overlong file shows.
        let mut input = input.take(Self::MAX_FILE_BYTES + 1);
        let entries = Table::new(file).read(&mut input);
        if input.limit() == 0 {
            return Err(Table::new(file).error(None, None, CatalogProblem::TooManyBytes));
        }
        Ok(Self { entries: entries?.into() })
    }

    /// Every `len / count`-th item, in order, so that all parts of the
    /// catalogue stay represented; the whole catalogue if it is not longer.
    #[must_use]
    pub fn thinned(&self, count: usize) -> Self {
        let (len, count) = (self.entries.len(), count.clamp(1, self.entries.len()));
        Self { entries: (0..count).map(|i| self.entries[i * len / count].clone()).collect() }
    }

    /// The number of items, at least 1.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no items, which never happens.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The row at `index`.
    pub fn get(&self, index: u32) -> Option<&CatalogEntry> {
        self.entries.get(index as usize)
    }

    /// The item at `index`.
    ///
    /// # Panics
    /// When the catalogue has no such index.
    #[inline]
    pub fn item(&self, index: u32) -> &Arc<Item> {
        &self.entries[index as usize].item
    }

    /// All rows, by index.
    pub fn entries(&self) -> &[CatalogEntry] {
        &self.entries
    }
}

/// The columns, in the order in which their places are kept.
const COLUMNS: [&str; 4] = ["name", "size_bytes", "section", "description"];

/// A table while it is read.
struct Table<'a> {
    file: &'a str,
    /// The place of each of [`COLUMNS`] in a row.
    places: [usize; 4],
    /// Fields per row.
    width: usize,
}

impl<'a> Table<'a> {
    const fn new(file: &'a str) -> Self {
        Self { file, places: [0; 4], width: 0 }
    }

    fn error(
        &self,
        line: Option<u64>,
        field: Option<&'static str>,
        problem: CatalogProblem,
    ) -> CatalogError {
        CatalogError { file: self.file.to_owned(), line, field, problem }
    }

    fn read(&mut self, input: impl Read) -> Result<Vec<CatalogEntry>, CatalogError> {
        // Rows of other widths are let through to be refused here, where the
        // error can say what to do.
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
        let mut row = ByteRecord::new();
        let Some(line) = self.next(&mut reader, &mut row)? else {
            return Err(self.error(None, None, CatalogProblem::Empty));
        };
        self.header(&row, line)?;
        let mut entries = Vec::new();
        let mut line_of_key: BTreeMap<Key, u64> = BTreeMap::new();
        while let Some(line) = self.next(&mut reader, &mut row)? {
            if entries.len() == Catalog::MAX_ITEMS {
                return Err(self.error(Some(line), None, CatalogProblem::TooManyRows));
            }
            let entry = self.entry(&row, line)?;
            if let Some(first_line) = line_of_key.insert(entry.item.key(), line) {
                let name = excerpt(entry.item.name());
                let problem = CatalogProblem::Duplicate { name, first_line };
                return Err(self.error(Some(line), Some("name"), problem));
            }
            entries.push(entry);
        }
        if entries.is_empty() {
            return Err(self.error(None, None, CatalogProblem::NoRows));
        }
        Ok(entries)
    }

    /// Reads the next row and tells on which line it starts, or `None` at the
    /// end. Blank lines are passed over.
    fn next(
        &self,
        reader: &mut csv::Reader<impl Read>,
        row: &mut ByteRecord,
    ) -> Result<Option<u64>, CatalogError> {
        match reader.read_byte_record(row) {
            Ok(true) => Ok(Some(row.position().map_or(1, csv::Position::line))),
            Ok(false) => Ok(None),
            Err(error) => {
                let line = error.position().map(csv::Position::line);
                let problem = match error.into_kind() {
                    csv::ErrorKind::Io(error) => CatalogProblem::Unreadable(error),
                    other => CatalogProblem::Unreadable(io::Error::other(format!("{other:?}"))),
                };
                Err(self.error(line, None, problem))
            }
        }
    }

    fn header(&mut self, row: &ByteRecord, line: u64) -> Result<(), CatalogError> {
        self.width = row.len();
        for (place, column) in self.places.iter_mut().zip(COLUMNS) {
            let mut found = (0..row.len()).filter(|i| row[*i].trim_ascii() == column.as_bytes());
            let problem = match (found.next(), found.next()) {
                (Some(only), None) => {
                    *place = only;
                    continue;
                }
                (Some(_), Some(_)) => CatalogProblem::RepeatedColumn,
                (None, _) => CatalogProblem::MissingColumn,
            };
            return Err(Self::new(self.file).error(Some(line), Some(column), problem));
        }
        Ok(())
    }

    fn entry(&self, row: &ByteRecord, line: u64) -> Result<CatalogEntry, CatalogError> {
        if row.len() != self.width {
            // The first column without a field is the one to name.
            let missing = (0..COLUMNS.len()).find(|c| self.places[*c] >= row.len());
            let problem = CatalogProblem::FieldCount { found: row.len(), expected: self.width };
            return Err(self.error(Some(line), missing.map(|c| COLUMNS[c]), problem));
        }
        let name = self.text(row, line, 0, MAX_NAME)?;
        let problem = if name.is_empty() {
            Some(CatalogProblem::EmptyName)
        } else if Keywords::of(name).is_empty() {
            Some(CatalogProblem::NoWord(excerpt(name)))
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(self.error(Some(line), Some(COLUMNS[0]), problem));
        }
        let size = self.text(row, line, 1, MAX_SECTION)?;
        let Some(size_bytes) = whole_number(size) else {
            let problem = CatalogProblem::NotANumber(excerpt(size));
            return Err(self.error(Some(line), Some(COLUMNS[1]), problem));
        };
        Ok(CatalogEntry {
            item: Arc::new(Item::new(name, size_bytes)),
            section: self.text(row, line, 2, MAX_SECTION)?.into(),
            description: self.text(row, line, 3, MAX_DESCRIPTION)?.into(),
        })
    }

    /// The text of a column, without blanks around it.
    fn text<'r>(
        &self,
        row: &'r ByteRecord,
        line: u64,
        column: usize,
        limit: usize,
    ) -> Result<&'r str, CatalogError> {
        let bytes = row[self.places[column]].trim_ascii();
        let problem = match core::str::from_utf8(bytes) {
            Ok(_) if bytes.len() > limit => CatalogProblem::TooLong { bytes: bytes.len(), limit },
            Ok(text) => return Ok(text),
            Err(_) => CatalogProblem::NotUtf8,
        };
        Err(self.error(Some(line), Some(COLUMNS[column]), problem))
    }
}

/// A number written with nothing but digits, which `str::parse` alone does not
/// insist on.
fn whole_number(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;
