//! `medmon demo` in a terminal of 80 x 24, as somebody who has just cloned the repository sees it: the board comes up, the
//! fall's text stands on the phone in full, one key and enter acknowledge, `q` gives the terminal back.

#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

/// Everything together has to be done by then.
const PATIENCE: Duration = Duration::from_secs(80);

/// A terminal with a program in it.
struct Terminal {
    screen: vt100::Parser,
    output: Receiver<Vec<u8>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    until: Instant,
}

impl Terminal {
    fn start(args: &[&str], folder: &std::path::Path) -> Self {
        let (rows, columns) = (NonZero::new(24).unwrap(), NonZero::new(80).unwrap());
        let size = PtySize { rows: rows.get(), cols: columns.get(), pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_medmon"));
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("HOME", folder);
        command.env("MEDMON_CONFIG", folder.join("none.toml"));
        std::fs::write(folder.join("none.toml"), "").unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let (mut reader, keys) = (pair.master.try_clone_reader().unwrap(), pair.master.take_writer().unwrap());
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let _master = pair.master;
            let mut buffer = [0; 4096];
            // A PTY whose program has ended answers with an error.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { screen: vt100::Parser::new(rows, columns, 0), output, keys, child, until: Instant::now() + PATIENCE }
    }

    /// Draws what comes until `seen` likes the screen.
    fn wait(&mut self, what: &str, seen: impl Fn(&str) -> bool) -> String {
        loop {
            let text = self.screen.screen().contents();
            if seen(&text) {
                return text;
            }
            let left = self.until.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(error) => panic!("never: {what} ({error})\n{text}"),
            }
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// The part of the screen below the phones' title, as one line.
fn phones(text: &str) -> String {
    let below = text.split_once("─ Phones").map(|(_, below)| below).unwrap_or_default();
    below.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The rows under a title of the board.
fn section<'a>(text: &'a str, title: &str) -> Vec<&'a str> {
    let rows = text.lines().skip_while(|line| !line.starts_with(&format!("─ {title}")));
    rows.skip(1).take_while(|line| !line.starts_with('─')).collect()
}

#[test]
fn the_demo_shows_the_falls_text_takes_an_acknowledgement_and_gives_the_terminal_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(&["demo", "--speed", "3"], folder.path());
    terminal.wait("the board is up", |text| text.contains("6 patients") && text.contains("DOE Jeanne 1941"));
    terminal.wait("the fall's text is on a phone in full", |text| {
        let phones = phones(text);
        phones.contains("Jeanne peut avoir besoin d'aide") && phones.contains("si vous vous en occupez.")
    });
    let fall = |row: &&str| row.contains("DOE Jeanne") && (row.contains("fall") || row.contains("long lie"));
    // Nobody has touched a key: the worst row is the selected one, and it is the first.
    let board = terminal.wait("the fall is on the board", |text| section(text, "Needs an answer").iter().any(fall));
    let rows = section(&board, "Needs an answer");
    assert!(rows[0].starts_with('▌'), "{board}");
    let worst = rows[0].get(20..).unwrap_or_default().split_whitespace().next().unwrap().to_owned();
    terminal.press("a");
    terminal.wait("the question is about the worst", |text| text.contains("[ Acknowledge ]") && text.contains(&worst));
    terminal.press("\r");
    let board = terminal.wait("the board shows who answers", |text| {
        section(text, "Answered").iter().any(|row| row.contains("A. Martin"))
    });
    assert!(board.contains("✓ 1"), "{board}");
    terminal.press("q");
    terminal.wait("the summary", |text| text.contains("readings"));
    let status = terminal.child.wait().unwrap();
    assert_eq!(status.exit_code(), 0, "nothing lost or missed of what had been played");
    let screen = terminal.screen.screen();
    assert!(!screen.alternate_screen() && !screen.hide_cursor(), "the terminal is given back");
}
