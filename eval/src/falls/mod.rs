//! Falls: recordings of staged falls and of daily life, by the placement of the sensor.

pub mod change;
pub mod report;
pub mod stream;
pub mod train;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use medmon_core::detect::fall::{Impact, Judge, Placement};
use medmon_core::noun::Place;

use crate::home::SECOND;
use crate::table::{Table, files};

/// The folder of the recordings.
pub const FOLDER: &str = "falls_umafall";
/// Placements by the name their files have.
pub const PLACES: [(&str, Place); 4] =
    [("waist", Place::Waist), ("chest", Place::Chest), ("pocket", Place::Pocket), ("wrist", Place::Wrist)];

/// Samples: s from the start, g.
pub type Samples = Vec<(f64, [f64; 3])>;

/// One recording of one sensor.
#[derive(Clone, Debug)]
pub struct Recording {
    /// As in the files.
    pub name: String,
    /// Who wore the sensor.
    pub subject: String,
    /// Whether it is a fall; `None` where nobody said.
    pub fall: Option<bool>,
    /// What the sensor saw.
    pub samples: Samples,
}

/// What the index says of a recording: who, and whether it is a fall.
type Labels = BTreeMap<String, (String, Option<bool>)>;

fn labels(folder: &Path) -> anyhow::Result<Labels> {
    let path = folder.join("index.csv");
    if !path.exists() {
        return Ok(Labels::new());
    }
    let index = Table::read(&path)?;
    let (name, subject, label) = (index.column("recording")?, index.column("subject")?, index.find("label"));
    let label = |row: crate::table::Row| match label.map(|label| row.text(label)) {
        None | Some("") => Ok(None),
        Some("fall") => Ok(Some(true)),
        Some("adl") => Ok(Some(false)),
        Some(other) => anyhow::bail!("{}: label `{other}` is neither fall nor adl", row.place()),
    };
    index.rows().map(|row| Ok((row.text(name).to_owned(), (row.text(subject).to_owned(), label(row)?)))).collect()
}

/// The recordings of one placement, of all subjects in `folder`; none where no file has it.
pub fn load(folder: &Path, place: &str) -> anyhow::Result<Vec<Recording>> {
    let labels = labels(folder)?;
    let mut all: Vec<Recording> = Vec::new();
    for (owner, path) in files(folder, &format!("_{place}.csv"))? {
        let table = Table::read(&path)?;
        let (name, time) = (table.column("recording")?, table.column("t_ms")?);
        let axes = [table.column("ax_g")?, table.column("ay_g")?, table.column("az_g")?];
        let first = all.len();
        for row in table.rows() {
            let recording = row.text(name);
            // Rows of one recording stand together; where they do not, they are sorted together.
            let at = match all[first..].iter().rposition(|known| known.name == recording) {
                Some(at) => first + at,
                None => {
                    let known = labels.get(recording);
                    let subject = known.map_or_else(|| owner.clone(), |known| known.0.clone());
                    let fall = known.and_then(|known| known.1);
                    all.push(Recording { name: recording.to_owned(), subject, fall, samples: Vec::new() });
                    all.len() - 1
                }
            };
            let cells = [row.number(axes[0])?, row.number(axes[1])?, row.number(axes[2])?];
            if let [Some(x), Some(y), Some(z)] = cells {
                let t = row.needed(time)? / 1000.0;
                all[at].samples.push((t, [x, y, z]));
            }
        }
    }
    all.retain(|recording| !recording.samples.is_empty());
    Ok(all)
}

/// The impacts in a recording, judged; what is too near its end is judged by what was seen.
pub fn impacts(samples: &Samples, placement: &Placement) -> Vec<Impact> {
    let mut judge = Judge::default();
    let mut impacts = Vec::new();
    let mut end = 0;
    for (t, axes) in samples {
        end = (t * 1e6).round() as i64;
        impacts.extend(judge.sample(end, *axes, placement));
    }
    impacts.extend(judge.ended(end + 60 * SECOND, placement));
    impacts
}

/// When the first fall in a recording is, s from its start.
pub fn fall_at(samples: &Samples, placement: &Placement) -> Option<f64> {
    let fall = impacts(samples, placement).into_iter().find(|impact| impact.fall)?;
    Some(fall.at_us as f64 / SECOND as f64)
}

/// All placements that `data` has recordings of: name, place, recordings.
pub fn load_all(data: &Path) -> anyhow::Result<Vec<(&'static str, Place, Vec<Recording>)>> {
    let folder = data.join(FOLDER);
    let all = PLACES.iter().map(|&(name, place)| {
        let recordings = load(&folder, name).with_context(|| format!("recordings of the {name}"))?;
        Ok((name, place, recordings))
    });
    let mut all = all.collect::<anyhow::Result<Vec<_>>>()?;
    all.retain(|(.., recordings)| !recordings.is_empty());
    Ok(all)
}
