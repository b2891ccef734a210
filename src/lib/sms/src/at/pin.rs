//! How often the configured PIN was tried without success. A SIM locks itself after three wrong ones: a refused PIN is
//! never tried again, over a restart of the program neither.
//!
//! Not for: the dialogue (session.rs).

use std::io::Write;
use std::path::PathBuf;

use uuid::Uuid;

/// Tries whose answer was lost. A refusal counts as all of them.
const MOST: u8 = 2;

/// What is remembered of a PIN.
#[derive(Debug, Default)]
pub struct PinMemory {
    /// Where, beyond this program's life.
    file: Option<PathBuf>,
    /// Of which PIN, and how often.
    tried: Option<(Uuid, u8)>,
}

impl PinMemory {
    /// What the file says, if there is one.
    pub fn open(file: Option<PathBuf>) -> Self {
        let read = || {
            let text = std::fs::read_to_string(file.as_ref()?).ok()?;
            let (pin, tries) = text.trim().split_once(' ')?;
            Some((pin.parse().ok()?, tries.parse().ok()?))
        };
        let tried = read();
        Self { file, tried }
    }

    /// Whether this PIN may be tried.
    pub fn allows(&self, pin: &str) -> bool {
        self.tried.is_none_or(|(tried, tries)| tried != mark(pin) || tries < MOST)
    }

    /// It is about to be tried: written down first.
    pub fn try_now(&mut self, pin: &str) {
        let before = self.tried.filter(|(tried, _)| *tried == mark(pin)).map_or(0, |(_, tries)| tries);
        self.set(Some((mark(pin), before + 1)));
    }

    /// It is wrong.
    pub fn refused(&mut self, pin: &str) {
        self.set(Some((mark(pin), MOST)));
    }

    /// The SIM is open.
    pub fn accepted(&mut self) {
        if self.tried.is_some() {
            self.set(None);
        }
    }

    fn set(&mut self, tried: Option<(Uuid, u8)>) {
        self.tried = tried;
        let Some(file) = &self.file else { return };
        let written = match tried {
            None => std::fs::remove_file(file),
            Some((pin, tries)) => std::fs::File::create(file).and_then(|mut file| {
                writeln!(file, "{pin} {tries}")?;
                file.sync_all()
            }),
        };
        if let Err(error) = written {
            tracing::warn!(%error, file = %file.display(), "modem: what was tried of the PIN is not remembered");
        }
    }
}

/// Tells one PIN from another; the PIN itself stands in a file of its own.
fn mark(pin: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, pin.as_bytes())
}
