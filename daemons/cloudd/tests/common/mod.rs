//! A cloud on a free port with people, a patient and a gateway, for the tests of the API.

#![allow(dead_code, reason = "each test program uses its own part of it")]

use std::path::Path;

use medmon_api::Client;
use medmon_api::assignment::Assignment;
use medmon_api::gateway::{Enrol, Heartbeat, Lane, NewGateway};
use medmon_api::patient::{NewPatient, Patient};
use medmon_api::ward::{NewWard, Ward};
use medmon_cloudd::config::{SmsConfig, VitalsConfig};
use medmon_cloudd::{CloudConfig, Running, run};
use medmon_core::noun::alert::Raised;
use medmon_core::noun::{
    Class, Condition, Direction, Envelope, Fact, FactKind, Gap, Ieee, Language, Priority, ReadingId, Role, Vital,
    Window,
};
use medmon_core::wire::envelope;
use medmon_kit::Clock;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// When the tests begin, µs UTC: a whole hour.
pub const T0: i64 = 1_795_003_200_000_000;
pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;

pub struct World {
    pub folder: TempDir,
    pub clock: Clock,
    pub shutdown: CancellationToken,
    pub running: Running,
    pub admin: Client,
    pub doctor: Client,
    pub nurse: Client,
    pub ward: Ward,
    pub sms: SmsConfig,
    pub vitals: VitalsConfig,
}

pub async fn start(folder: &Path, clock: &Clock, shutdown: &CancellationToken, sms: &SmsConfig) -> Running {
    start_on(folder, clock, shutdown, sms, &VitalsConfig::default()).await
}

async fn start_on(
    folder: &Path,
    clock: &Clock,
    shutdown: &CancellationToken,
    sms: &SmsConfig,
    vitals: &VitalsConfig,
) -> Running {
    let (listen, data_dir, sms, vitals) = ("127.0.0.1:0".into(), folder.into(), sms.clone(), vitals.clone());
    let config = CloudConfig { listen, data_dir, sms, vitals, ..CloudConfig::default() };
    run(config, clock.clone(), shutdown.clone()).await.unwrap()
}

impl World {
    pub async fn new() -> Self {
        Self::with(1.0, SmsConfig::default()).await
    }

    /// With a clock that runs `speed` times as fast, and something that carries texts.
    pub async fn with(speed: f64, sms: SmsConfig) -> Self {
        Self::on(speed, sms, VitalsConfig::default()).await
    }

    /// The same, with its vitals where `vitals` says.
    pub async fn on(speed: f64, sms: SmsConfig, vitals: VitalsConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::scaled(speed, T0);
        let shutdown = CancellationToken::new();
        let running = start_on(folder.path(), &clock, &shutdown, &sms, &vitals).await;
        let admin = client(&running, Role::Admin, None, None).await;
        let new = NewWard { name: "Les Tilleuls".into(), on_call_phone: Some("+33 1 23 45 67 89".into()) };
        let ward = admin.add_ward(&new).await.unwrap();
        let doctor = client(&running, Role::Doctor, None, None).await;
        let nurse = client(&running, Role::Nurse, Some(&ward.name), None).await;
        Self { folder, clock, shutdown, running, admin, doctor, nurse, ward, sms, vitals }
    }

    pub async fn client(&self, role: Role, ward: Option<&str>, patient: Option<Uuid>) -> Client {
        client(&self.running, role, ward, patient).await
    }

    pub async fn patient(&self, name: &str) -> Patient {
        self.doctor.add_patient(&new_patient(name, self.ward.id)).await.unwrap()
    }

    /// An enrolled gateway that nobody is bound to.
    pub async fn gateway(&self, name: &str) -> Home {
        let added = self.admin.add_gateway(&NewGateway { name: name.into() }).await.unwrap();
        let install = Uuid::now_v7();
        let nobody = self.admin.with_token(None).unwrap();
        let enrolled = nobody.enrol(&Enrol { code: added.code, install }).await.unwrap();
        let client = nobody.with_token(Some(&enrolled.token)).unwrap();
        Home { client, token: enrolled.token, id: enrolled.gateway, install, epoch: 0 }
    }

    /// A patient bound to a gateway that has confirmed it.
    pub async fn home(&self, name: &str) -> (Patient, Home) {
        let patient = self.patient(name).await;
        let mut home = self.gateway(&format!("gw of {name}")).await;
        let bound: Assignment = self.doctor.bind(patient.id, home.id).await.unwrap();
        home.epoch = bound.epoch;
        home.beat().await;
        (patient, home)
    }

    /// Ends the cloud and starts it again on the same files, at the same clock.
    pub async fn restart(self) -> Self {
        self.restart_after(|_| {}).await
    }

    /// The same; `away` moves the clock while the cloud is away.
    pub async fn restart_after(mut self, away: impl FnOnce(&Clock)) -> Self {
        self.shutdown.cancel();
        self.running.finished().await.unwrap();
        away(&self.clock);
        self.shutdown = CancellationToken::new();
        self.running = start_on(self.folder.path(), &self.clock, &self.shutdown, &self.sms, &self.vitals).await;
        self.admin = client(&self.running, Role::Admin, None, None).await;
        self.doctor = client(&self.running, Role::Doctor, None, None).await;
        self.nurse = client(&self.running, Role::Nurse, Some(&self.ward.name), None).await;
        self
    }
}

pub async fn client(running: &Running, role: Role, ward: Option<&str>, patient: Option<Uuid>) -> Client {
    let name = format!("A. {role}");
    let made = running.cloud.create_token(role, &name, None, ward, patient).await.unwrap();
    Client::new(&running.url(), Some(&made.token)).unwrap()
}

pub fn new_patient(name: &str, ward: Uuid) -> NewPatient {
    NewPatient {
        name: name.into(),
        nickname: "Jeanne".into(),
        birth_year: 1941,
        ward: Some(ward),
        language: Language::Fr,
        time_zone: Some("Europe/Paris".into()),
        phone: None,
    }
}

/// A gateway as the cloud sees it.
pub struct Home {
    pub client: Client,
    pub token: String,
    pub id: Uuid,
    pub install: Uuid,
    pub epoch: u64,
}

impl Home {
    /// The same home after the cloud came back on another port.
    pub fn at(self, world: &World) -> Self {
        Self { client: Client::new(&world.running.url(), Some(&self.token)).unwrap(), ..self }
    }

    pub async fn beat(&self) {
        let settings = self.client.settings(None, 0).await.unwrap().unwrap();
        let beat = Heartbeat { settings_version: settings.version, epoch: settings.epoch, ..Heartbeat::default() };
        self.client.heartbeat(&beat).await.unwrap();
    }

    /// An envelope of heart rate windows, one a minute from `minute` after [`T0`].
    pub fn envelope(&self, sequence: u64, minute: i64, bpm: &[i32]) -> Envelope {
        let windows = bpm.iter().enumerate().map(|(index, bpm)| {
            let at_us = T0 + (minute + index as i64) * MINUTE + 30 * SECOND;
            Window::of(Vital::HEART_RATE, at_us, bpm * 10, 1000, true)
        });
        Envelope {
            install: self.install,
            stream: 0,
            sequence,
            epoch: self.epoch,
            sealed_us: T0,
            windows: windows.collect(),
            gaps: Vec::new(),
        }
    }

    pub async fn send(&self, envelopes: &[Envelope]) -> Vec<medmon_core::noun::Verdict> {
        let sealed: Vec<Vec<u8>> = envelopes.iter().map(envelope::encode).collect();
        self.client.ingest(Lane::Live, sealed.iter().map(Vec::as_slice)).await.unwrap()
    }

    pub fn raised(&self, alert: Uuid, priority: Priority) -> Fact {
        let raised = Raised {
            epoch: self.epoch,
            vital: Vital::HEART_RATE,
            direction: Direction::High,
            condition: Condition::Tachycardia,
            class: Class::Physiological,
            priority,
            onset_us: T0,
            device: Ieee(1),
            reading: ReadingId::default(),
            completed_us: T0 + SECOND,
            settings_version: 1,
            explanation: "142 bpm for 60 s at rest".into(),
            contact: None,
        };
        fact(alert, T0 + SECOND, FactKind::Raised(raised))
    }
}

pub fn fact(alert: Uuid, at_us: i64, kind: FactKind) -> Fact {
    Fact { id: Uuid::now_v7(), alert, at_us, author: "gateway".into(), kind }
}

pub fn gap(from_us: i64, to_us: i64) -> Gap {
    Gap { vital: Vital::HEART_RATE, device: Ieee(1), from_us, to_us, lost: 3 }
}

/// Copies a folder as it is.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}
