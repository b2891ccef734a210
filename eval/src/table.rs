//! Tables from outside: CSV with a header line, gzipped or not. What is wrong with one names the file and the line.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use csv::StringRecord;
use flate2::read::GzDecoder;

/// A table, read whole.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    headers: StringRecord,
    rows: Vec<StringRecord>,
}

/// One row of a table.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    table: &'a Table,
    cells: &'a StringRecord,
}

impl Table {
    /// Reads a table.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let zipped = path.extension().is_some_and(|end| end == "gz");
        let plain: Box<dyn Read> = if zipped { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
        let mut reader = csv::Reader::from_reader(plain);
        let headers = reader.headers().with_context(|| path.display().to_string())?.clone();
        let rows = reader.records().collect::<Result<_, _>>().with_context(|| path.display().to_string())?;
        Ok(Self { path: path.to_owned(), headers, rows })
    }

    /// The place of a column; `None` where there is none of that name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.headers.iter().position(|header| header.trim() == name)
    }

    /// The place of a column that has to be there.
    pub fn column(&self, name: &str) -> anyhow::Result<usize> {
        self.find(name).with_context(|| format!("{}: no column `{name}`", self.path.display()))
    }

    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { table: self, cells })
    }
}

impl<'a> Row<'a> {
    /// The text of a cell; an empty cell is empty text.
    pub fn text(self, column: usize) -> &'a str {
        self.cells.get(column).unwrap_or_default().trim()
    }

    /// The number in a cell; `None` where the sample is missing.
    pub fn number(self, column: usize) -> anyhow::Result<Option<f64>> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        let number: f64 = text.parse().with_context(|| format!("{}: `{text}` is not a number", self.place()))?;
        ensure!(number.is_finite(), "{}: `{text}` is not a number", self.place());
        Ok(Some(number))
    }

    /// The number in a cell that has to be there.
    pub fn needed(self, column: usize) -> anyhow::Result<f64> {
        self.number(column)?.with_context(|| format!("{}: no value", self.place()))
    }

    /// File and line, for errors.
    pub fn place(self) -> String {
        let line = self.cells.position().map_or(0, csv::Position::line);
        format!("{}:{line}", self.table.path.display())
    }
}

/// Files of `folder` that end in `end`, plain or gzipped, by name without that end; in the order of their names.
pub fn files(folder: &Path, end: &str) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(stem) = name.strip_suffix(".gz").unwrap_or(&name).strip_suffix(end) {
            found.push((stem.to_owned(), path));
        }
    }
    found.sort();
    Ok(found)
}
