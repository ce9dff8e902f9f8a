//! Delays from measured network coordinates.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use overlays::{Rng, Span};

use super::draw::Salt;
use super::error::NetworkError;

/// The columns, as the first line names them.
const COLUMNS: [&str; 3] = ["x_ms", "y_ms", "height_ms"];
/// The most places that are read.
const MAX_PLACES: usize = 1_000_000;
/// The longest line that is read, in bytes.
const MAX_LINE: u64 = 1_000;
/// The largest coordinate, in milliseconds.
const MAX_MS: f32 = 1e6;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    x_ms: f32,
    y_ms: f32,
    height_ms: f32,
}

/// The model `coords`: Vivaldi coordinates with heights (Dabek et al., SIGCOMM
/// 2004 §5.4). Each node takes a random place; the one-way delay is the
/// distance in the plane plus both heights.
#[derive(Clone, Debug)]
pub struct Coordinates {
    salt: Salt,
    places: Box<[Place]>,
}

impl Coordinates {
    /// Reads places from a CSV file with the columns `x_ms,y_ms,height_ms`.
    ///
    /// # Errors
    /// When the file cannot be read, has no places or too many, or a field is
    /// not a number in range; says in which line and field.
    pub fn load(path: &Path, rng: &mut Rng) -> Result<Self, NetworkError> {
        let file = File::open(path).map_err(|e| NetworkError::file(path, e.to_string()))?;
        Self::read(BufReader::new(file), path, rng)
    }

    /// Reads places from the text of such a file; `path` is for errors.
    ///
    /// # Errors
    /// As [`Coordinates::load`].
    pub fn read(
        mut reader: impl BufRead,
        path: &Path,
        rng: &mut Rng,
    ) -> Result<Self, NetworkError> {
        let mut places = Vec::new();
        let mut text = Vec::new();
        for line in 1.. {
            text.clear();
            // A bounded read: a file without line breaks must not fill memory.
            let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut text);
            if read.map_err(|e| NetworkError::file(path, e.to_string()))? == 0 {
                break;
            }
            let problem = |field, problem: String| NetworkError::row(path, line, field, problem);
            if text.len() as u64 == MAX_LINE {
                return Err(problem("", format!("the line is longer than {MAX_LINE} bytes")));
            }
            let row = std::str::from_utf8(&text).map_err(|e| problem("", e.to_string()))?;
            let row = row.trim();
            if line == 1 {
                if row.trim_start_matches('\u{feff}') != COLUMNS.join(",") {
                    let expected = format!("expected the heading {}", COLUMNS.join(","));
                    return Err(problem("", expected));
                }
            } else if !row.is_empty() {
                places.push(Self::place(row).map_err(|(field, p)| problem(field, p))?);
            }
            if places.len() > MAX_PLACES {
                return Err(problem("", format!("more than {MAX_PLACES} places")));
            }
        }
        if places.is_empty() {
            return Err(NetworkError::file(path, "there are no places in it".into()));
        }
        Ok(Self { salt: Salt::new(rng), places: places.into() })
    }

    fn place(row: &str) -> Result<Place, (&'static str, String)> {
        let fields: Vec<&str> = row.split(',').collect();
        if fields.len() != COLUMNS.len() {
            return Err(("", format!("{} fields rather than {}", fields.len(), COLUMNS.len())));
        }
        let number = |i: usize, min: f32| {
            let text = fields[i].trim();
            let value: f32 =
                text.parse().map_err(|_| (COLUMNS[i], format!("`{text}` is not a number")))?;
            if (min..=MAX_MS).contains(&value) {
                Ok(value)
            } else {
                Err((COLUMNS[i], format!("`{text}` is not in {min}..={MAX_MS} milliseconds")))
            }
        };
        let (x_ms, y_ms) = (number(0, -MAX_MS)?, number(1, -MAX_MS)?);
        Ok(Place { x_ms, y_ms, height_ms: number(2, 0.0)? })
    }

    /// The delay between two nodes, to the microsecond.
    #[inline]
    pub fn one_way(&self, a: u32, b: u32) -> Span {
        let (a, b) = (self.place_of(a), self.place_of(b));
        let (dx, dy) = (f64::from(a.x_ms - b.x_ms), f64::from(a.y_ms - b.y_ms));
        // The root of a sum is correctly rounded everywhere, unlike `hypot`.
        let ms = (dx * dx + dy * dy).sqrt() + f64::from(a.height_ms) + f64::from(b.height_ms);
        Span::from_us(((ms * 1e3).round() as u64).max(1))
    }

    #[inline]
    fn place_of(&self, node: u32) -> Place {
        // There are at most a million places, so the count fits.
        self.places[self.salt.of_node(node).below(self.places.len() as u32) as usize]
    }
}
