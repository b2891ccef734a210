//! All printing of data: one list of columns serves terminal, pipe, csv; JSON is the API's own document.
//!
//! Not for errors and notes: those go to stderr.

use std::io::{IsTerminal, Write, stdout};

use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::args::Output;

/// Where a cell's text comes from.
pub type Cell<'a, T> = Box<dyn Fn(&T) -> String + 'a>;

/// A column of a list, a line of a single thing.
pub struct Column<'a, T> {
    title: &'static str,
    wide: bool,
    cell: Cell<'a, T>,
}

impl<'a, T: 'a> Column<'a, T> {
    /// The same column of something that has a `T` in it.
    pub fn of<U: 'a>(self, inner: impl Fn(&U) -> &T + 'a) -> Column<'a, U> {
        Column { title: self.title, wide: self.wide, cell: Box::new(move |outer| (self.cell)(inner(outer))) }
    }
}

/// A column that is always there.
pub fn column<'a, T>(title: &'static str, cell: impl Fn(&T) -> String + 'a) -> Column<'a, T> {
    Column { title, wide: false, cell: Box::new(cell) }
}

/// A column that a narrow table leaves out.
pub fn wide<'a, T>(title: &'static str, cell: impl Fn(&T) -> String + 'a) -> Column<'a, T> {
    Column { title, wide: true, cell: Box::new(cell) }
}

/// Prints data on stdout.
#[derive(Clone, Debug)]
pub struct Printer {
    format: Output,
    quiet: bool,
    terminal: bool,
    zone: TimeZone,
}

impl Printer {
    /// For this process's stdout.
    pub fn stdout(format: Output, quiet: bool, zone: TimeZone) -> Self {
        Self { format, quiet, terminal: stdout().is_terminal(), zone }
    }

    /// The zone times are shown in.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The format asked for.
    pub fn format(&self) -> Output {
        self.format
    }

    /// Whether a document is asked for, not columns.
    pub fn is_json(&self) -> bool {
        matches!(self.format, Output::Json | Output::Jsonl)
    }

    /// Whether only ids are asked for.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether a person reads it.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// A time as its reader wants it: wall clock on a terminal, RFC 3339 UTC for programs.
    pub fn time(&self, at: Timestamp) -> String {
        if self.terminal && matches!(self.format, Output::Table | Output::Wide) {
            at.to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
        } else {
            at.to_string()
        }
    }

    /// Likewise, or nothing.
    pub fn time_or_none(&self, at: Option<Timestamp>) -> String {
        at.map(|at| self.time(at)).unwrap_or_default()
    }

    /// The id of another thing, short where a person reads it.
    pub fn id(&self, id: Uuid) -> String {
        let id = id.to_string();
        if self.terminal && self.format == Output::Table { id.chars().take(13).collect() } else { id }
    }

    /// Prints a list. `empty` is the sentence for none, with the next command.
    pub fn list<T: Serialize>(
        &self,
        items: &[T],
        id: impl Fn(&T) -> String,
        columns: &[Column<'_, T>],
        empty: &str,
    ) -> anyhow::Result<()> {
        self.list_by("id", items, id, columns, empty)
    }

    /// Prints a list of things that have no id but another key, called `key`.
    pub fn list_by<T: Serialize>(
        &self,
        key: &str,
        items: &[T],
        id: impl Fn(&T) -> String,
        columns: &[Column<'_, T>],
        empty: &str,
    ) -> anyhow::Result<()> {
        if items.is_empty() && !self.is_json() && !self.quiet {
            eprintln!("{empty}");
        }
        write(&self.render_list(key, items, id, columns)?)
    }

    /// Prints one thing.
    pub fn item<T: Serialize>(&self, item: &T, id: &str, columns: &[Column<'_, T>]) -> anyhow::Result<()> {
        write(&self.render_item(item, id, columns)?)
    }

    /// Prints a document, whatever format is asked for.
    pub fn document(&self, value: &impl Serialize) -> anyhow::Result<()> {
        write(&self.json(value)?)
    }

    fn json(&self, value: &impl Serialize) -> anyhow::Result<String> {
        let json = match self.format {
            Output::Jsonl => serde_json::to_string(value)?,
            _ => serde_json::to_string_pretty(value)?,
        };
        Ok(json + "\n")
    }

    fn render_list<T: Serialize>(
        &self,
        key: &str,
        items: &[T],
        id: impl Fn(&T) -> String,
        columns: &[Column<'_, T>],
    ) -> anyhow::Result<String> {
        if self.quiet {
            return Ok(items.iter().map(|item| id(item) + "\n").collect());
        }
        match self.format {
            Output::Json => self.json(&items),
            Output::Jsonl => items.iter().map(|item| self.json(item)).collect(),
            Output::Csv => {
                let header: Vec<_> = [key.to_owned()].into_iter().chain(columns.iter().map(title)).collect();
                let mut text = csv_line(&header);
                for item in items {
                    let cells = columns.iter().map(|column| (column.cell)(item));
                    text += &csv_line(&[id(item)].into_iter().chain(cells).collect::<Vec<_>>());
                }
                Ok(text)
            }
            Output::Table | Output::Wide => {
                let all = self.format == Output::Wide;
                let columns: Vec<_> = columns.iter().filter(|column| all || !column.wide).collect();
                let ids: Vec<_> = items.iter().map(&id).collect();
                let ids = if self.terminal && !all && key == "id" { shortest(&ids) } else { ids };
                let rows = items.iter().zip(ids).map(|(item, id)| {
                    let cells = columns.iter().map(|column| flat(&(column.cell)(item)));
                    [id].into_iter().chain(cells).collect::<Vec<_>>()
                });
                if !self.terminal {
                    return Ok(rows.map(|row| row.join("\t") + "\n").collect());
                }
                let rows: Vec<_> = rows.collect();
                if rows.is_empty() {
                    return Ok(String::new());
                }
                let header =
                    [key.to_uppercase()].into_iter().chain(columns.iter().map(|column| column.title.to_uppercase()));
                Ok(columns_of(header.collect(), rows))
            }
        }
    }

    fn render_item<T: Serialize>(&self, item: &T, id: &str, columns: &[Column<'_, T>]) -> anyhow::Result<String> {
        if self.quiet {
            return Ok(format!("{id}\n"));
        }
        match self.format {
            Output::Json | Output::Jsonl => self.json(item),
            Output::Csv => {
                self.render_list("id", &[item], |_| id.to_owned(), &columns.iter().map(by_ref).collect::<Vec<_>>())
            }
            Output::Table | Output::Wide => {
                let id_line = (!id.is_empty()).then(|| ("id".to_owned(), id.to_owned()));
                let lines = columns.iter().map(|column| (column.title.to_owned(), flat(&(column.cell)(item))));
                let lines: Vec<_> = id_line.into_iter().chain(lines).collect();
                let width = lines.iter().map(|(title, _)| title.chars().count()).max().unwrap_or(0);
                let line = |(title, value): (String, String)| {
                    if self.terminal { format!("{title:<width$}  {value}\n") } else { format!("{title}\t{value}\n") }
                };
                Ok(lines.into_iter().map(line).collect())
            }
        }
    }
}

/// Prints a text as it is, and an end of line. What a terminal would take for a command is taken out.
pub fn text(text: &str) -> anyhow::Result<()> {
    write(&format!("{}\n", printable(text)))
}

/// Writes text on stdout. A closed pipe is an `io::Error` at the top of the chain, see `fail::report`.
pub fn write(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn by_ref<'a, T>(column: &'a Column<'_, T>) -> Column<'a, &'a T> {
    Column { title: column.title, wide: column.wide, cell: Box::new(|item: &&T| (column.cell)(item)) }
}

fn title<T>(column: &Column<'_, T>) -> String {
    column.title.replace(' ', "_")
}

/// Columns for a terminal, as wide as it is.
pub fn columns_of(header: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header).add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

/// A JSON value in a cell.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect::<Vec<_>>().join(" ")
        }
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// A text on one line, without what a terminal would obey.
fn flat(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Lines as they are, without what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')).collect()
}

/// RFC 4180.
pub fn csv_line(cells: &[String]) -> String {
    let quote = |cell: &String| {
        if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() }
    };
    cells.iter().map(quote).collect::<Vec<_>>().join(",") + "\n"
}

/// Each id cut to what tells it from the others, at least eight letters.
fn shortest(ids: &[String]) -> Vec<String> {
    let shared = |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let cut = |(index, id): (usize, &String)| {
        let others = ids.iter().enumerate().filter(|(other, text)| *other != index && *text != id);
        let length = others.map(|(_, other)| shared(id, other) + 1).max().unwrap_or(0).max(8);
        id.chars().take(length).collect()
    };
    ids.iter().enumerate().map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Thing {
        id: String,
        name: String,
        at: Timestamp,
    }

    fn things() -> Vec<Thing> {
        let thing = |id: &str, name: &str| Thing {
            id: id.to_owned(),
            name: name.to_owned(),
            at: "2026-03-01T12:00:00Z".parse().unwrap(),
        };
        vec![thing("0199aaaa-1111", "DOE, \"J\""), thing("0199aaaa-2222", "tab\there \u{1b}[2J")]
    }

    fn rendered(format: Output, terminal: bool, quiet: bool) -> String {
        let printer = Printer { format, quiet, terminal, zone: TimeZone::get("Europe/Paris").unwrap() };
        let columns =
            [column("name", |thing: &Thing| thing.name.clone()), wide("at", |thing: &Thing| printer.time(thing.at))];
        let list = printer.render_list("id", &things(), |thing| thing.id.clone(), &columns).unwrap();
        let item = printer.render_item(&things()[0], "0199aaaa-1111", &columns).unwrap();
        format!("{list}-- item\n{item}")
    }

    #[test]
    fn one_list_of_columns_serves_every_format() {
        insta::assert_snapshot!("terminal", rendered(Output::Table, true, false));
        insta::assert_snapshot!("terminal_wide", rendered(Output::Wide, true, false));
        insta::assert_snapshot!("pipe", rendered(Output::Table, false, false));
        insta::assert_snapshot!("json", rendered(Output::Json, false, false));
        insta::assert_snapshot!("jsonl", rendered(Output::Jsonl, false, false));
        insta::assert_snapshot!("csv", rendered(Output::Csv, false, false));
        assert_eq!(rendered(Output::Table, true, true), "0199aaaa-1111\n0199aaaa-2222\n-- item\n0199aaaa-1111\n");
    }

    #[test]
    fn ids_are_cut_to_what_tells_them_apart() {
        let ids = ["0199aaaa-1111", "0199aaaa-1222", "01aa0000-0000"].map(str::to_owned);
        assert_eq!(shortest(&ids), ["0199aaaa-11", "0199aaaa-12", "01aa0000"]);
    }
}
