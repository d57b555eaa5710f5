//! A table for terminals of any width: columns are as wide as their cells, none is ever cut, and what finds no room
//! goes below its row.

use std::fmt::Write;
use std::iter::repeat;

use anstyle::Style;

use crate::terminal::Canvas;
use crate::waterfall::{BOLD, DIM, wrapped};

const GAP: &str = "  ";
const INDENT: usize = 4;
/// A text is not wrapped beside its row in less: short lines are hard to read.
const NARROWEST: usize = 60;
/// What stands where there is nothing.
const NOTHING: &str = "-";

#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) style: Style,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }

    /// What there is, if there is something.
    pub(crate) fn maybe(text: Option<String>) -> Self {
        text.map_or_else(|| Self::new(NOTHING, DIM), |text| Self::new(text, Style::new()))
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A row: a cell for each column, and texts of any length.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) cells: Vec<Cell>,
    pub(crate) texts: Vec<Cell>,
}

pub(crate) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Row>,
}

impl Table {
    /// The head of the first column is that of the table too.
    pub(crate) fn new(columns: impl IntoIterator<Item = (String, Align)>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn draw(&self, canvas: Canvas) -> String {
        let widths = self.widths(canvas.width);
        let heads = self.columns.iter().enumerate();
        let heads = heads.map(|(index, (head, _))| Cell::new(head, if index == 0 { BOLD } else { DIM }));
        let mut drawing = String::new();
        self.line(&mut drawing, &widths, &heads.collect::<Vec<_>>());
        drawing.push('\n');
        let used = widths.iter().map(|width| width + GAP.len()).sum();
        let room = canvas.width.saturating_sub(used);
        for row in &self.rows {
            let blanks = self.line(&mut drawing, &widths, &row.cells);
            let texts: Vec<_> = row.texts.iter().cloned().chain(self.left_over(row, widths.len())).collect();
            let longest = texts.iter().map(Cell::width).max().unwrap_or_default();
            let is_beside = room >= longest.min(NARROWEST);
            let (room, indent) = if is_beside { (room, used) } else { (canvas.width.saturating_sub(INDENT), INDENT) };
            let lines = texts.iter().flat_map(|text| wrapped(&text.text, room).into_iter().zip(repeat(text.style)));
            for (index, (line, style)) in lines.enumerate() {
                let blanks = if is_beside && index == 0 {
                    blanks
                } else {
                    drawing.push('\n');
                    indent
                };
                let _ = write!(drawing, "{:blanks$}{style}{line}{style:#}", "");
            }
            drawing.push('\n');
        }
        drawing
    }

    /// Of the columns that fit, with the first in any case.
    fn widths(&self, room: usize) -> Vec<usize> {
        let widths = self.columns.iter().enumerate().map(|(index, (head, _))| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(index)).map(Cell::width);
            cells.chain([head.chars().count()]).max().unwrap_or_default()
        });
        let mut used = 0;
        let fitting = widths.enumerate().take_while(|(index, width)| {
            used += width + if *index == 0 { 0 } else { GAP.len() };
            *index == 0 || used <= room
        });
        fitting.map(|(_, width)| width).collect()
    }

    /// Draws cells, and returns the blanks to whatever follows.
    fn line(&self, drawing: &mut String, widths: &[usize], cells: &[Cell]) -> usize {
        let mut blanks = 0;
        for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(&self.columns) {
            let free = width.saturating_sub(cell.width());
            let (before, after) = if *align == Align::Left { (0, free) } else { (free, 0) };
            let Cell { text, style } = cell;
            let _ = write!(drawing, "{:1$}{style}{text}{style:#}", "", blanks + before);
            blanks = after + GAP.len();
        }
        blanks
    }

    /// What of a row has no column.
    fn left_over(&self, row: &Row, columns: usize) -> Option<Cell> {
        let cells = self.columns.iter().zip(&row.cells).skip(columns).filter(|(_, cell)| cell.text != NOTHING);
        let texts: Vec<_> = cells.map(|((head, _), cell)| format!("{head} {}", cell.text)).collect();
        (!texts.is_empty()).then(|| Cell::new(texts.join(", "), Style::new()))
    }
}

#[cfg(test)]
mod tests;
