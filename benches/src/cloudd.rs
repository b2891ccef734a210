//! The real `medmon-cloudd` with as many homes as are wanted, and what the kernel says of it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use medmon_cloudd::auth::token_hash;
use medmon_core::noun::{Envelope, Vital, Window};
use medmon_core::wire::envelope;
use medmon_kit::Clock;
use rusqlite::{Connection, params};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::measure;

/// Patience with a start.
const LIMIT: Duration = Duration::from_mins(1);
/// When the homes were bound, µs before the start.
const BOUND_US: i64 = 100 * 86_400_000_000;
/// The first homes are a ward of their own.
pub const WARD: u32 = 200;

/// A running cloud with its own folder; killed when dropped.
pub struct Cloudd {
    child: Server,
    folder: TempDir,
    port: u16,
    homes: u32,
    core: Option<&'static str>,
}

impl Cloudd {
    /// Starts it with homes that are enrolled and bound, each with its patient in one ward; on one core if one is named.
    pub fn start(homes: u32, core: Option<&'static str>) -> anyhow::Result<Self> {
        let folder = measure::folder()?;
        let port = medmon_testkit::free_port()?;
        // Once without them, for its schema.
        drop(run(folder.path(), port, None)?);
        fill(&folder.path().join("records.sqlite"), homes)?;
        let child = run(folder.path(), port, core)?;
        Ok(Self { child, folder, port, homes, core })
    }

    /// `kill -9`, and a start on the same files; gives how long that took until it was ready.
    pub fn kill_and_start(&mut self) -> anyhow::Result<Duration> {
        self.child.0.kill()?;
        self.child.0.wait()?;
        let began = std::time::Instant::now();
        self.child = run(self.folder.path(), self.port, self.core)?;
        Ok(began.elapsed())
    }

    /// Stops it in order, does something to its files, and starts it again.
    pub fn stop_and_start(&mut self, between: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
        if let Some(pid) = Pid::from_raw(self.child.0.id() as i32) {
            kill_process(pid, Signal::TERM)?;
        }
        self.child.0.wait()?;
        between(&self.folder.path().join("vitals"))?;
        self.child = run(self.folder.path(), self.port, self.core)?;
        Ok(())
    }

    /// How many homes.
    pub fn homes(&self) -> u32 {
        self.homes
    }

    /// A connection that is kept.
    pub async fn connect(&self) -> anyhow::Result<Line> {
        Line::open(self.port).await
    }

    /// CPU seconds so far, user and system.
    pub fn cpu_s(&self) -> anyhow::Result<f64> {
        measure::cpu_s_of(self.child.0.id())
    }

    /// The largest resident memory so far, MiB.
    pub fn peak_mib(&self) -> anyhow::Result<f64> {
        measure::kib_of(self.child.0.id(), "VmHWM:").map(|kib| kib / 1024.0)
    }

    /// Bytes that it had written to the disk so far.
    pub fn written(&self) -> anyhow::Result<f64> {
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.child.0.id()))?;
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        Ok(line.context("no write_bytes")?.trim().parse()?)
    }
}

/// A child that does not outlive this.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(folder: &Path, port: u16, core: Option<&str>) -> anyhow::Result<Server> {
    let program = std::env::current_exe()?.with_file_name("medmon-cloudd");
    anyhow::ensure!(program.exists(), "{} is not built; use `cargo xtask bench`", program.display());
    let program = program.display().to_string();
    let mut line: Vec<&str> = core.map(|core| vec!["taskset", "-c", core]).unwrap_or_default();
    line.push(&program);
    let child = Command::new(line[0])
        .args(&line[1..])
        .env("MEDMON_CLOUD__DATA_DIR", folder)
        .env("MEDMON_CLOUD__LISTEN", format!("127.0.0.1:{port}"))
        .env("MEDMON_CONFIG", "/dev/null")
        .env("RUST_LOG", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("medmon-cloudd did not start")?;
    let child = Server(child);
    let began = std::time::Instant::now();
    while !ready(port) {
        anyhow::ensure!(began.elapsed() < LIMIT, "medmon-cloudd is never ready");
        pause();
    }
    Ok(child)
}

#[expect(clippy::disallowed_methods, reason = "between two looks at another process; nothing tells when it is ready")]
fn pause() {
    std::thread::sleep(Duration::from_millis(2));
}

fn ready(port: u16) -> bool {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut answer = [0; 12];
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer.ends_with(b"200")
}

fn id(kind: u64, home: u32) -> Uuid {
    Uuid::from_u64_pair(kind, home.into())
}

fn token(home: u32) -> String {
    format!("mm_{home:064}")
}

/// Homes as if each had been added, enrolled and bound; 100,000 by the API would take the bench an hour.
fn fill(records: &Path, homes: u32) -> anyhow::Result<()> {
    let mut db = Connection::open(records)?;
    let tx = db.transaction()?;
    let site: Vec<u8> = tx.query_row("SELECT id FROM site", [], |row| row.get(0))?;
    let ward: Vec<u8> = tx.query_row("SELECT id FROM ward", [], |row| row.get(0))?;
    let small = ward_of_200().into_bytes();
    let now_us = Clock::system().utc_us();
    tx.execute(
        "INSERT INTO ward (id, site, name, created_us) VALUES (?1, ?2, '200', ?3)",
        params![small, site, now_us],
    )?;
    let from_us = now_us - BOUND_US;
    let nurse = token_hash(&nurse()).context("a token")?;
    tx.execute(
        "INSERT INTO principal (id, site, name, role, token_hash, created_us) VALUES (?1, ?2, 'bench', 'nurse', ?3, ?4)",
        params![id(9, 0).into_bytes(), site, nurse, from_us],
    )?;
    for home in 0..homes {
        let (gateway, patient) = (id(1, home).into_bytes(), id(2, home).into_bytes());
        tx.prepare_cached(
            "INSERT INTO gateway (id, site, name, install, created_us, settings_version, settings_us, heard_us, pages_us)
             VALUES (?1, ?2, ?3, ?4, ?5, 1, ?5, ?6, ?6)",
        )?
        .execute(params![gateway, site, format!("gw-{home:06}"), id(3, home).into_bytes(), from_us, now_us])?;
        tx.prepare_cached(
            "INSERT INTO patient (id, site, ward, name, nickname, birth_year, language, time_zone, created_us)
             VALUES (?1, ?2, ?3, ?4, 'x', 1941, 'fr', 'Europe/Paris', ?5)",
        )?
        .execute(params![
            patient,
            site,
            if home < WARD { &small[..] } else { &ward },
            format!("PATIENT {home:06}"),
            from_us
        ])?;
        tx.prepare_cached(
            "INSERT INTO assignment (epoch, site, gateway, patient, subject, from_us, binding)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'confirmed')",
        )?
        .execute(params![home + 1, site, gateway, patient, id(4, home).into_bytes(), from_us])?;
        tx.prepare_cached(
            "INSERT INTO principal (id, site, gateway, name, role, token_hash, created_us)
             VALUES (?1, ?2, ?3, 'gw', 'gateway', ?4, ?5)",
        )?
        .execute(params![id(5, home).into_bytes(), site, gateway, token_hash(&token(home)), from_us])?;
    }
    Ok(tx.commit()?)
}

fn nurse() -> String {
    format!("mm_{:064x}", u128::MAX)
}

/// The ward of the first homes.
pub fn ward_of_200() -> Uuid {
    id(6, 0)
}

/// The patient of a home.
pub fn patient(home: u32) -> Uuid {
    id(2, home)
}

/// A home's windows of `minutes` minutes that begin at `start_us`: each vital by the minute, or by its window where that
/// is longer; a vital of single readings every minute.
pub fn windows(home: u32, sequence: u64, start_us: i64, minutes: u32, vitals: &[Vital]) -> Vec<Window> {
    let mut state = u64::from(home) * 0x9e37_79b9 + sequence * 0x85eb_ca6b + 1;
    let mut next = move |range: i32| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % range as u64) as i32
    };
    let mut windows = Vec::with_capacity(vitals.len() * minutes as usize);
    for vital in vitals {
        let span_s = vital.info().map_or(60, |row| row.window_s);
        let count = if span_s == 0 { 1 } else { 60 };
        for at in (0..minutes).step_by((span_s.max(60) / 60) as usize) {
            let base = 700 + (home % 200) as i32 + next(20);
            let (min, max) = (base - next(15), base + next(25));
            windows.push(Window {
                vital: *vital,
                start_us: start_us + i64::from(at) * 60_000_000,
                span_s: if span_s == 0 { 0 } else { 60.max(span_s) },
                min,
                max,
                sum: i64::from(base) * count + i64::from(next(300)),
                count: count as u32,
                last: min + next(max - min + 1),
                last_ms: if span_s == 0 { 0 } else { 59_000 },
                coverage: 1000,
                suspect: 0,
            });
        }
    }
    windows
}

/// The same as its gateway seals it.
pub fn seal(home: u32, sequence: u64, start_us: i64, minutes: u32, vitals: &[Vital]) -> Vec<u8> {
    let windows = windows(home, sequence, start_us, minutes, vitals);
    let (install, epoch) = (id(3, home), u64::from(home) + 1);
    let sealed_us = start_us + i64::from(minutes) * 60_000_000;
    envelope::encode(&Envelope { install, stream: 0, sequence, epoch, sealed_us, windows, gaps: Vec::new() })
}

/// A kept HTTP connection that costs the client next to nothing.
pub struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    /// Opens one.
    pub async fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// One envelope of a home; an error unless it is stored.
    pub async fn send(&mut self, home: u32, sealed: &[u8]) -> anyhow::Result<()> {
        let mut request = format!(
            "POST /v1/ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
            token(home),
            sealed.len() + 4
        )
        .into_bytes();
        request.extend_from_slice(&(sealed.len() as u32).to_le_bytes());
        request.extend_from_slice(sealed);
        let answer = self.call(&request).await?;
        anyhow::ensure!(answer.ends_with(br#"[{"verdict":"stored"}]"#), "{}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    /// How many envelopes of a home the cloud holds, as a heartbeat's answer says.
    pub async fn held(&mut self, home: u32) -> anyhow::Result<u64> {
        let token = token(home);
        let body = r#"{"sms_waiting":0}"#;
        let length = body.len();
        let answer = self
            .call(
                format!("POST /v1/gateways/self/heartbeat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
                    .as_bytes(),
            )
            .await?;
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(0) + 4;
        let answer: serde_json::Value = serde_json::from_slice(&answer[head..])?;
        let held = &answer["held"][0];
        let holes = held["holes"].as_array().map_or(0, |holes| {
            holes.iter().map(|hole| hole[1].as_u64().unwrap_or(0) - hole[0].as_u64().unwrap_or(0) + 1).sum::<u64>()
        });
        Ok(held["high"].as_u64().unwrap_or(0) - holes)
    }

    /// What the nurse reads at a path; gives the body's length.
    pub async fn get(&mut self, path: &str) -> anyhow::Result<usize> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", nurse());
        let answer = self.call(request.as_bytes()).await?;
        anyhow::ensure!(answer.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&answer));
        Ok(answer.len())
    }

    /// Remote write to a peer; an error unless it is taken.
    pub async fn peer_post(&mut self, path: &str, body: &[u8]) -> anyhow::Result<()> {
        let length = body.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Encoding: snappy\r\nContent-Length: {length}\r\n\r\n");
        let answer = self.call(&[head.as_bytes(), body].concat()).await?;
        anyhow::ensure!(answer.starts_with(b"HTTP/1.1 2"), "{path}: {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    /// What a peer answers at a path; gives the body, in chunks if it came so.
    pub async fn peer_get(&mut self, path: &str) -> anyhow::Result<Vec<u8>> {
        let answer = self.call(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await?;
        anyhow::ensure!(answer.starts_with(b"HTTP/1.1 2"), "{path}: {}", String::from_utf8_lossy(&answer));
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(0) + 4;
        Ok(answer[head..].to_vec())
    }

    async fn call(&mut self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if let Some(length) = whole(&self.buffer)
                && self.buffer.len() >= length
            {
                return Ok(self.buffer[..length].to_vec());
            }
            anyhow::ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the connection ended");
        }
    }
}

/// The length of an answer with its head, once that is there.
fn whole(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).ok()?.to_ascii_lowercase();
    if text.contains("\ntransfer-encoding: chunked") {
        return buffer[head - 2..].ends_with(b"\r\n0\r\n\r\n").then_some(buffer.len());
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    Some(head + length.unwrap_or(0))
}
