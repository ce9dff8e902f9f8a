//! Aligned columns between box-drawing lines.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, ContentLineStyle,
    LineStyle, Table, TableStyle, Width,
};

use super::Paint;

/// The width that no table exceeds, in columns of the terminal.
pub const WIDTH: u16 = 100;

/// Lines between columns and rows, none around the table: the sides would
/// cost four columns and tell nothing.
const LINES: TableStyle = TableStyle::new()
    .top_border(LineStyle::none().fill('─').junction('┬'))
    .header_lines(ContentLineStyle::none().junction('│'))
    .header_separator(LineStyle::none().fill('═').junction('╪'))
    .content_lines(ContentLineStyle::none().junction('│'))
    .row_separator(LineStyle::none().fill('─').junction('┼'))
    .bottom_border(LineStyle::none().fill('─').junction('┴'));

/// The same without lines between rows, for rows of one line.
const CLOSE_LINES: TableStyle = TableStyle::new()
    .top_border(LineStyle::none().fill('─').junction('┬'))
    .header_lines(ContentLineStyle::none().junction('│'))
    .header_separator(LineStyle::none().fill('═').junction('╪'))
    .content_lines(ContentLineStyle::none().junction('│'))
    .bottom_border(LineStyle::none().fill('─').junction('┴'));

/// How a cell is to stand out, where colours are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    /// Not at all.
    #[default]
    Plain,
    /// A heading.
    Strong,
    /// As it should be.
    Good,
    /// Worth a look.
    Doubtful,
    /// Figures that are absent for a reason.
    Faint,
}

/// A cell: its lines and its tone.
pub(super) type Field = (String, Tone);

/// A plain cell.
pub(super) fn text(content: impl Into<String>) -> Field {
    (content.into(), Tone::Plain)
}

/// A table under construction.
pub(super) struct Grid {
    table: Table,
    paint: Paint,
}

impl Grid {
    /// A table whose rows have several lines each.
    pub(super) fn tall(header: &[&str], paint: Paint) -> Self {
        Self::new(header, LINES, paint)
    }

    /// A table whose rows have one line each.
    pub(super) fn close(header: &[&str], paint: Paint) -> Self {
        Self::new(header, CLOSE_LINES, paint)
    }

    fn new(header: &[&str], lines: TableStyle, paint: Paint) -> Self {
        let mut table = Table::new();
        table.load_style(lines);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
        match paint {
            Paint::Off => table.force_no_tty(),
            Paint::On => table.enforce_styling(),
        };
        let mut grid = Self { table, paint };
        let cells: Vec<Cell> =
            header.iter().map(|text| grid.cell((text.to_string(), Tone::Strong))).collect();
        grid.table.set_header(cells);
        // The outer columns need no distance from lines that are not there.
        if let Some(first) = grid.table.column_mut(0) {
            first.set_padding((0, 1));
        }
        if let Some(last) = grid.table.column_mut(header.len().saturating_sub(1)) {
            last.set_padding((1, 0));
        }
        grid
    }

    fn cell(&self, (content, tone): Field) -> Cell {
        let cell = Cell::new(content);
        match (self.paint, tone) {
            (Paint::Off, _) | (_, Tone::Plain) => cell,
            (_, Tone::Strong) => cell.add_attribute(Attribute::Bold),
            (_, Tone::Good) => cell.fg(Color::Green),
            (_, Tone::Doubtful) => cell.fg(Color::Yellow),
            (_, Tone::Faint) => cell.add_attribute(Attribute::Dim),
        }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, fields: impl IntoIterator<Item = Field>) {
        let cells: Vec<Cell> = fields.into_iter().map(|field| self.cell(field)).collect();
        self.table.add_row(cells);
    }

    /// Wraps a column at this many characters, so that others have room.
    pub(super) fn at_most(mut self, column: usize, characters: u16) -> Self {
        self.constrain(column, ColumnConstraint::UpperBoundary(Width::Fixed(characters + 1)));
        self
    }

    /// Keeps a column this many characters wide, so that its words stay
    /// together.
    pub(super) fn at_least(mut self, column: usize, characters: u16) -> Self {
        self.constrain(column, ColumnConstraint::LowerBoundary(Width::Fixed(characters + 1)));
        self
    }

    fn constrain(&mut self, column: usize, constraint: ColumnConstraint) {
        if let Some(column) = self.table.column_mut(column) {
            column.set_constraint(constraint);
        }
    }

    /// Aligns columns of numbers to the right.
    pub(super) fn right(mut self, columns: impl IntoIterator<Item = usize>) -> Self {
        for at in columns {
            if let Some(column) = self.table.column_mut(at) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self
    }

    /// The table as text, without blanks at the ends of lines.
    pub(super) fn finish(&self) -> String {
        let mut out: String = self.table.lines().fold(String::new(), |mut out, line| {
            out.push_str(line.trim_end());
            out.push('\n');
            out
        });
        if out.is_empty() {
            out.push('\n');
        }
        out
    }
}
