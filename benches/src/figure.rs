//! A figure: a name, a value, its goal and its peer; as a line of JSON and as a row of a table.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Serialize, Serializer};

/// What a value has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// At least so much.
    AtLeast(f64),
    /// At most so much.
    AtMost(f64),
}

impl Goal {
    fn met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn show(self) -> String {
        match self {
            Self::AtLeast(least) => format!(">= {}", show(least)),
            Self::AtMost(most) => format!("<= {}", show(most)),
        }
    }
}

impl Serialize for Goal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.show())
    }
}

/// What one bench found.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    goal: Option<Goal>,
    met: Option<bool>,
    peer: Option<&'static str>,
    peer_value: Option<f64>,
    ratio: Option<f64>,
}

impl Figure {
    /// A value without goal or peer.
    pub fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, goal: None, met: None, peer: None, peer_value: None, ratio: None }
    }

    /// What it has to be.
    #[must_use]
    pub fn goal(self, goal: Goal) -> Self {
        Self { met: Some(goal.met(self.value)), goal: Some(goal), ..self }
    }

    /// What a peer reached in the same run.
    #[must_use]
    pub fn beside(self, peer: &'static str, value: f64) -> Self {
        Self { peer: Some(peer), peer_value: Some(value), ratio: Some(self.value / value), ..self }
    }
}

/// `gateway` means every figure of the area.
pub fn is_wanted(name: &str, wanted: &str) -> bool {
    name == wanted || name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
}

/// A line of JSON per figure.
pub fn write(path: &Path, figures: &[Figure]) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(flatten)]
        figure: &'a Figure,
        machine: &'a str,
    }
    let machine = machine();
    let mut lines = String::new();
    for figure in figures {
        writeln!(lines, "{}", serde_json::to_string(&Line { figure, machine: &machine })?)?;
    }
    Ok(std::fs::write(path, lines)?)
}

/// A row per figure.
pub fn table(figures: &[Figure]) -> String {
    let mut table =
        format!("{:<38} {:>10} {:<14} {:>11} {:<4} {:>10} peer\n", "figure", "value", "unit", "goal", "met", "peer's");
    for figure in figures {
        let goal = figure.goal.map(Goal::show).unwrap_or_default();
        let met = figure.met.map_or("", |met| if met { "yes" } else { "NO" });
        let peer_value = figure.peer_value.map(show).unwrap_or_default();
        let Figure { name, unit, peer, .. } = figure;
        let row = format!(
            "{name:<38} {:>10} {unit:<14} {goal:>11} {met:<4} {peer_value:>10} {}",
            show(figure.value),
            peer.unwrap_or_default()
        );
        table.push_str(row.trim_end());
        table.push('\n');
    }
    table
}

/// Three figures that mean something.
fn show(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

/// What it ran on.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    format!("{}, {cores} cores, {}", std::env::consts::ARCH, model.unwrap_or("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_all_its_figures() {
        assert!(is_wanted("gateway/rss_mib", "gateway") && is_wanted("gateway/rss_mib", "gateway/rss_mib"));
        assert!(!is_wanted("gateway/rss_mib", "gate"));
    }

    #[test]
    fn a_line_says_everything() {
        let figure = Figure::new("a/b", 3.0, "s").goal(Goal::AtMost(2.0)).beside("bare", 1.5);
        let line = serde_json::to_value(&figure).unwrap();
        assert_eq!(line["met"], false);
        assert_eq!(line["goal"], "<= 2");
        assert_eq!(line["ratio"], 2.0);
    }
}
