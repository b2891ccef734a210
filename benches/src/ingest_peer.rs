//! Peers of ingest: Prometheus and VictoriaMetrics take the same windows, a home's five minutes a request, by remote
//! write. Neither syncs before it answers; goals are medmon's own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use medmon_testkit::{Prometheus, VictoriaMetrics};
use uuid::Uuid;

use crate::Bench;
use crate::figure::Figure;
use crate::measure;
use crate::wire;

/// The benches of this area.
pub const BENCHES: &[Bench] = &[
    (
        &[
            "ingest_peer/prometheus_samples_per_s",
            "ingest_peer/prometheus_cpu_s_per_million_samples",
            "ingest_peer/prometheus_bytes_per_sample",
            "ingest_peer/prometheus_day_ms",
            "ingest_peer/prometheus_average_200_ms",
        ],
        prometheus,
    ),
    (
        &[
            "ingest_peer/victoria_samples_per_s",
            "ingest_peer/victoria_cpu_s_per_million_samples",
            "ingest_peer/victoria_bytes_per_sample",
            "ingest_peer/victoria_day_ms",
            "ingest_peer/victoria_average_200_ms",
        ],
        victoria,
    ),
];

/// Statistics of a window.
const STATISTICS: usize = 5;
/// Bodies that the patients share.
const BODIES: u64 = 4;

/// A kept connection.
struct Line(BufReader<TcpStream>);

impl Line {
    fn open(url: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(url.trim_start_matches("http://"))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    fn post(&mut self, body: &[u8]) -> anyhow::Result<()> {
        let mut request = format!(
            "POST /api/v1/write HTTP/1.1\r\nHost: peer\r\nContent-Encoding: snappy\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.0.get_mut().write_all(&request)?;
        self.answer().map(drop)
    }

    fn get(&mut self, path: &str) -> anyhow::Result<Vec<u8>> {
        write!(self.0.get_mut(), "GET {path} HTTP/1.1\r\nHost: peer\r\n\r\n")?;
        self.answer()
    }

    fn answer(&mut self) -> anyhow::Result<Vec<u8>> {
        let (mut length, mut chunked, mut status) = (0, false, String::new());
        loop {
            let mut line = String::new();
            anyhow::ensure!(self.0.read_line(&mut line)? > 0, "the peer hung up");
            let line = line.trim_end().to_ascii_lowercase();
            if status.is_empty() {
                status.clone_from(&line);
            } else if line.is_empty() {
                break;
            } else if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse()?;
            } else if line == "transfer-encoding: chunked" {
                chunked = true;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        while chunked {
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim_end(), 16)?;
            let start = body.len();
            body.resize(start + size + 2, 0);
            self.0.read_exact(&mut body[start..])?;
            body.truncate(start + size);
            chunked = size > 0;
        }
        let text = || String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
        anyhow::ensure!(status.starts_with("http/1.1 2"), "{status}: {}", text());
        Ok(body)
    }
}

/// What a peer reached.
struct Reached {
    samples: f64,
    per_s: f64,
    cpu_s_per_million: f64,
    day_ms: f64,
    average_ms: f64,
}

fn subject(patient: u128) -> Uuid {
    Uuid::from_u128(patient.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

/// A day of a ward of 200, five minutes of one home a request, over two connections; then the questions, each 21 times,
/// of which the median counts: 24 h of every statistic of one heart, and the mean of 24 h for each of the 200.
fn reach(url: &str, pid: u32, flush: Option<&str>, quick: bool) -> anyhow::Result<Reached> {
    let (patients, runs) = if quick { (10, 3) } else { (200, 21) };
    let bodies: Vec<Vec<Vec<_>>> = (0..BODIES.min(patients)).map(|seed| wire::spans(&wire::day(seed), 5)).collect();
    let (mut samples, mut requests) = (0, [Vec::new(), Vec::new()]);
    for span in 0..bodies[0].len() {
        for patient in 0..patients {
            let windows = bodies[(patient % bodies.len() as u64) as usize].get(span).map_or(&[][..], Vec::as_slice);
            samples += windows.len() * STATISTICS;
            requests[(patient % 2) as usize].push(wire::remote_write(subject(u128::from(patient)), windows)?);
        }
    }
    let (cpu_s, began) = (measure::cpu_s_of(pid)?, Instant::now());
    std::thread::scope(|scope| {
        let send = |bodies: &[Vec<u8>]| {
            let mut line = Line::open(url)?;
            bodies.iter().try_for_each(|body| line.post(body))
        };
        let sent = requests.each_ref().map(|bodies| scope.spawn(move || send(bodies)));
        sent.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("a sender panicked"))?)
    })?;
    let (wall_s, cpu_s) = (began.elapsed().as_secs_f64(), measure::cpu_s_of(pid)? - cpu_s);
    let mut line = Line::open(url)?;
    if let Some(path) = flush {
        line.get(path)?;
    }
    let time = wire::MIDNIGHT_US / 1_000_000 + 86_400;
    let mut ask = |query: String, least: usize| {
        let path = format!("/api/v1/query?nocache=1&time={time}&query={query}");
        let mut times = Vec::new();
        for _ in 0..runs {
            let asked = Instant::now();
            let answer = line.get(&path)?;
            times.push(asked.elapsed());
            anyhow::ensure!(answer.len() >= least, "{}", String::from_utf8_lossy(&answer));
        }
        Ok(measure::quantile_ms(&mut times, 0.5))
    };
    let one = subject(0);
    let day_ms = ask(
        format!("%7B__name__%3D~%22medmon_heart_rate_.%2B%22%2Csubject%3D%22{one}%22%7D%5B24h%5D"),
        1440 * STATISTICS * 8,
    )?;
    let mean = "sum_over_time(medmon_heart_rate_sum%5B24h%5D)%2Fsum_over_time(medmon_heart_rate_count%5B24h%5D)";
    let average_ms = ask(mean.into(), patients as usize * 36)?;
    let samples = samples as f64;
    let (per_s, cpu_s_per_million) = (samples / wall_s, cpu_s / samples * 1e6);
    Ok(Reached { samples, per_s, cpu_s_per_million, day_ms, average_ms })
}

fn bytes_in(folder: &Path) -> anyhow::Result<f64> {
    let mut bytes = 0.0;
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { bytes_in(&entry.path())? } else { entry.metadata()?.len() as f64 };
    }
    Ok(bytes)
}

/// Bytes at rest are those of a snapshot, which is blocks: its write-ahead log is not counted.
fn prometheus(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let folder = measure::folder()?;
    let server = Prometheus::start(folder.path())?;
    let reached = reach(&server.url(), server.pid().context("it runs")?, None, quick)?;
    let mut line = Line::open(&server.url())?;
    write!(line.0.get_mut(), "POST /api/v1/admin/tsdb/snapshot HTTP/1.1\r\nHost: peer\r\nContent-Length: 0\r\n\r\n")?;
    line.answer()?;
    let bytes = bytes_in(&server.folder().join("data/snapshots"))?;
    Ok(vec![
        Figure::new("ingest_peer/prometheus_samples_per_s", reached.per_s, "/s"),
        Figure::new("ingest_peer/prometheus_cpu_s_per_million_samples", reached.cpu_s_per_million, "CPU-s"),
        Figure::new("ingest_peer/prometheus_bytes_per_sample", bytes / reached.samples, "B"),
        Figure::new("ingest_peer/prometheus_day_ms", reached.day_ms, "ms"),
        Figure::new("ingest_peer/prometheus_average_200_ms", reached.average_ms, "ms"),
    ])
}

/// Bytes at rest are those of its data folder after a merge.
fn victoria(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let folder = measure::folder()?;
    let mut server = VictoriaMetrics::start(folder.path())?;
    let reached = reach(&server.url(), server.pid().context("it runs")?, Some("/internal/force_flush"), quick)?;
    Line::open(&server.url())?.get("/internal/force_merge")?;
    server.stop();
    let bytes = bytes_in(&server.folder().join("data"))?;
    Ok(vec![
        Figure::new("ingest_peer/victoria_samples_per_s", reached.per_s, "/s"),
        Figure::new("ingest_peer/victoria_cpu_s_per_million_samples", reached.cpu_s_per_million, "CPU-s"),
        Figure::new("ingest_peer/victoria_bytes_per_sample", bytes / reached.samples, "B"),
        Figure::new("ingest_peer/victoria_day_ms", reached.day_ms, "ms"),
        Figure::new("ingest_peer/victoria_average_200_ms", reached.average_ms, "ms"),
    ])
}
