//! The board is remembered: whatever is written, and in whatever order, it is what somebody who remembers nothing is shown.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

use std::sync::Arc;

use medmon_api::alert::{Ack, Silence};
use medmon_api::assignment::Devices;
use medmon_api::board::{Board, Section};
use medmon_api::contact::{ContactPatch, NewContact};
use medmon_api::feeling::NewFeeling;
use medmon_api::gateway::{Enrol, Heartbeat, NewGateway};
use medmon_api::patient::{NewPatient, PatientPatch};
use medmon_api::ward::NewWard;
use medmon_cloudd::board::{Memory, build};
use medmon_cloudd::records::{Caller, Tx, assignment, contact, device, feeling, gateway, key, limits, patient, ward};
use medmon_cloudd::refusal::Refusal;
use medmon_cloudd::vitals::Batch;
use medmon_cloudd::{Cloud, CloudConfig, alerts, erase};
use medmon_core::ladder;
use medmon_core::noun::alert::Raised;
use medmon_core::noun::{
    Class, ClockQuality, Condition, Device, Direction, Fact, FactKind, Ieee, Language, Principal, Priority, ReadingId,
    Role, Settings, TextReason, Vital, Window,
};
use medmon_kit::Clock;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const ON_CALL: &str = "+33123456789";
const T0: i64 = 1_795_003_200_000_000;
const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;

/// A cloud without its door, and those who are in it.
struct World {
    _folder: TempDir,
    cloud: Arc<Cloud>,
    now_us: i64,
    site: Uuid,
    wards: Vec<Uuid>,
    patients: Vec<Uuid>,
    gateways: Vec<Uuid>,
    alerts: Vec<Uuid>,
    contacts: Vec<(Uuid, Uuid)>,
}

/// One of a list, if there is any.
fn one<T: Copy>(list: &[T], number: u8) -> Option<T> {
    (!list.is_empty()).then(|| list[usize::from(number) % list.len()])
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = CloudConfig { data_dir: folder.path().into(), ..CloudConfig::default() };
        let cloud = Cloud::open(&config, Clock::scaled(1.0, T0), CancellationToken::new()).await.unwrap();
        let site = cloud.records.read(|db| Ok(ward::find_site(db, None)?.id)).await.unwrap();
        let (wards, patients, gateways, alerts, contacts) = Default::default();
        let cloud = Arc::new(cloud);
        let mut world = Self { _folder: folder, cloud, now_us: T0, site, wards, patients, gateways, alerts, contacts };
        for name in ["A", "B"] {
            let new = NewWard { name: name.into(), on_call_phone: Some(ON_CALL.into()) };
            let admin = world.caller(Role::Admin, None, None);
            let added = world.cloud.write(admin, move |tx| ward::add(tx, &new)).await.unwrap();
            world.wards.push(added.id);
        }
        world
    }

    fn caller(&self, role: Role, ward: Option<Uuid>, patient: Option<Uuid>) -> Caller {
        let (id, name, site) = (Uuid::from_u128(1), "A. Martin".into(), self.site);
        let principal = Principal { id, name, role, site, ward, patient, gateway: None, expires_us: None };
        Caller { principal, now_us: self.now_us }
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.cloud.write(self.caller(Role::Doctor, None, None), work).await
    }

    /// Does what the numbers say; what is refused changes nothing, which is to be seen as well.
    async fn step(&mut self, what: u8, a: u8, b: u8) {
        self.now_us += i64::from(b) * SECOND;
        let (p, g) = (one(&self.patients, a), one(&self.gateways, b));
        match what {
            0 | 1 => self.add(what == 0, a, b).await,
            2..=8 if p.is_none() => {}
            2 => drop(self.write(move |tx| patient::edit(tx, p.unwrap(), &patch(b))).await),
            3 => {
                let ward = one(&self.wards, b);
                let patch = PatientPatch { ward, ..PatientPatch::default() };
                drop(self.write(move |tx| patient::edit(tx, p.unwrap(), &patch)).await);
            }
            4 => {
                let new = NewFeeling { mood: 1 + b % 5, pain: None, text: format!("{b}") };
                drop(self.write(move |tx| feeling::add(tx, p.unwrap(), &new)).await);
            }
            5 => {
                let vitals = vec![Vital::HEART_RATE, Vital::GLUCOSE];
                let listed = Device { ieee: Ieee(u64::from(a)), label: "band".into(), vitals, place: None };
                let cadences = [(Vital::HEART_RATE, u32::from(b) * 10)].into();
                let cadences_of = [(Ieee(u64::from(a)), [(Vital::GLUCOSE, 30)].into())].into();
                let devices = if b.is_multiple_of(2) { vec![listed] } else { Vec::new() };
                let new = Devices { devices, cadences, cadences_of };
                drop(self.write(move |tx| device::set(tx, p.unwrap(), &new)).await);
            }
            6 => {
                let patch = [("heart_rate.high_urgent".to_owned(), Some(100.0 + f64::from(b)))].into();
                drop(self.write(move |tx| limits::set(tx, p.unwrap(), &patch, None)).await);
            }
            7 => drop(self.write(move |tx| assignment::unbind(tx, p.unwrap())).await),
            8 => self.contact(p.unwrap(), a, b).await,
            9 | 10 => {
                if let (Some(p), Some(g)) = (p, g) {
                    drop(self.write(move |tx| assignment::bind(tx, p, g)).await);
                }
            }
            11..=13 => {
                if let Some(g) = g {
                    drop(self.write(move |tx| beat(tx, g, a)).await);
                }
            }
            14..=18 => self.fact(g, a, b).await,
            19 => {
                if let Some(alert) = one(&self.alerts, a) {
                    drop(self.write(move |tx| alerts::acknowledge(tx, alert, &Ack::default())).await);
                }
            }
            20 => {
                if let Some(alert) = one(&self.alerts, a) {
                    let silence = Silence { for_s: 600, reason: format!("care {b}") };
                    drop(self.write(move |tx| alerts::silence(tx, alert, &silence)).await);
                }
            }
            21 | 22 => self.windows(p, a, b).await,
            23 => {
                let vitals = self.caller(Role::Doctor, None, None);
                if let Some(p) = p {
                    drop(erase::vitals(&self.cloud, vitals, p).await);
                }
            }
            24 => {
                // By nobody's function, and undone in the middle of a group.
                let ward = one(&self.wards, a).unwrap();
                let phone = format!("+3312345{b:04}");
                let by_hand = self.write(move |tx| {
                    tx.db.execute("UPDATE ward SET on_call_phone = ?2 WHERE id = ?1", (key(ward), phone))?;
                    Ok(())
                });
                let undone = self.write(|tx| {
                    tx.db.execute("UPDATE patient SET name = 'undone'", [])?;
                    Err::<(), _>(Refusal::Busy("a test"))
                });
                let (by_hand, undone) = tokio::join!(by_hand, undone);
                assert!(by_hand.is_ok() && undone.is_err());
            }
            _ => self.now_us += i64::from(a) * HOUR / 8,
        }
    }

    async fn add(&mut self, person: bool, a: u8, b: u8) {
        if person {
            let new = NewPatient {
                name: format!("P{}", a % 8),
                nickname: "Jeanne".into(),
                birth_year: 1941,
                ward: one(&self.wards, b),
                language: Language::Fr,
                time_zone: None,
                phone: None,
            };
            self.patients.extend(self.write(move |tx| patient::add(tx, &new)).await.map(|row| row.id));
        } else {
            let (name, install) = (format!("gw {}", self.gateways.len()), Uuid::now_v7());
            // The fleet is the admin's.
            let admin = self.caller(Role::Admin, None, None);
            let added = self.cloud.write(admin, move |tx| {
                let code = gateway::add(tx, &NewGateway { name })?.code;
                Ok(gateway::enrol(tx, &Enrol { code, install })?.0)
            });
            self.gateways.extend(added.await);
        }
    }

    async fn contact(&mut self, patient: Uuid, a: u8, b: u8) {
        match (one(&self.contacts, a), b % 3) {
            (Some((patient, id)), 0) => drop(self.write(move |tx| contact::remove(tx, patient, id)).await),
            (Some((patient, id)), 1) => {
                let patch = ContactPatch { name: Some(format!("Contact {b}")), ..ContactPatch::default() };
                drop(self.write(move |tx| contact::edit(tx, patient, id, &patch)).await);
            }
            _ => {
                let (name, phone) = (format!("Contact {a}"), format!("+3398765{b:04}"));
                let new = NewContact { name, phone, relation: "x".into(), language: Language::Fr, position: None };
                let added = self.write(move |tx| contact::add(tx, patient, &new)).await;
                self.contacts.extend(added.map(|contact| (patient, contact.id)));
            }
        }
    }

    async fn fact(&mut self, gateway: Option<Uuid>, a: u8, b: u8) {
        let Some(gateway) = gateway else { return };
        let (site, now_us) = (self.site, self.now_us);
        let alert = one(&self.alerts, a).filter(|_| !b.is_multiple_of(3)).unwrap_or_else(Uuid::now_v7);
        let on_call = Settings { on_call_phone: Some(ON_CALL.into()), ..Settings::default() };
        let on_call = ladder::everybody(&on_call).into_iter().next().map_or(Uuid::nil(), |on_call| on_call.id);
        let contact = one(&self.contacts, b).map_or(on_call, |(_, id)| id);
        let done = self.write(move |tx| {
            let epoch = assignment::open_of_gateway(tx.db, gateway)?.map_or(0, |open| open.epoch);
            let kind = match b % 6 {
                0 | 3 => FactKind::Raised(raised(epoch, a, b, now_us)),
                1 => FactKind::Cleared,
                2 => FactKind::Notified { contact, channel: "modem".into(), reason: TextReason::Raised, step: 0 },
                4 => FactKind::TakenOver { by: "cloud".into() },
                _ => FactKind::Worsened {
                    priority: Priority::High,
                    condition: Condition::Tachycardia,
                    explanation: format!("{b} bpm"),
                },
            };
            let fact = Fact { id: Uuid::now_v7(), alert, at_us: now_us, author: "gateway".into(), kind };
            let body = serde_json::to_value(&fact).map_err(Refusal::internal)?;
            alerts::take(tx, gateway, site, &[body])
        });
        if done.await.is_ok() && !self.alerts.contains(&alert) {
            self.alerts.push(alert);
        }
    }

    async fn windows(&self, patient: Option<Uuid>, a: u8, b: u8) {
        let Some(patient) = patient else { return };
        let open = self.cloud.records.read(move |db| assignment::open_of_patient(db, patient)).await.unwrap();
        let vital = if a.is_multiple_of(2) { Vital::HEART_RATE } else { Vital::TEMPERATURE };
        if let Some(open) = open {
            let window = Window::of(vital, self.now_us - 30 * SECOND, 300 + i32::from(b), 1000, b.is_multiple_of(2));
            let batch = Batch { subject: open.subject, windows: vec![window], gaps: Vec::new() };
            self.cloud.vitals.take(1, vec![batch]).await.unwrap();
        }
    }

    /// Who was texted, as a doctor's board has it.
    async fn texted(&self) -> Vec<String> {
        let caller = self.caller(Role::Doctor, None, None);
        let json = build(&self.cloud, &self.cloud.board, &caller, None).await.unwrap();
        let board: Board = serde_json::from_slice(&json).unwrap();
        let notices = board.rows.into_iter().flat_map(|row| row.alerts).flat_map(|alert| alert.notices);
        notices.map(|notice| notice.name.unwrap_or_else(|| "?".into())).collect()
    }

    /// What each kind of person is shown, by who remembers and by who does not.
    async fn look(&self, fresh: bool) {
        let first = self.patients.first().copied();
        let people = [
            (self.caller(Role::Doctor, None, None), None),
            (self.caller(Role::Doctor, None, None), Some(self.wards[1])),
            (self.caller(Role::Nurse, Some(self.wards[0]), None), None),
            (self.caller(Role::Patient, None, first), None),
            (self.caller(Role::Relative, None, first), None),
        ];
        for (caller, ward) in people {
            let board = async |memory: &Arc<Memory>| {
                let json = build(&self.cloud, memory, &caller, ward).await.unwrap();
                let board: Board = serde_json::from_slice(&json).unwrap();
                // The same bytes as the document's own, field by field.
                assert_eq!(String::from_utf8(json).unwrap(), serde_json::to_string(&board).unwrap());
                board
            };
            let remembered = board(&self.cloud.board).await;
            assert!(remembered.rows.is_sorted_by_key(|row| row.section));
            if fresh {
                assert_eq!(remembered, board(&Arc::default()).await, "{:?}", caller.principal.role);
            }
        }
    }
}

fn patch(number: u8) -> PatientPatch {
    match number % 4 {
        0 => PatientPatch { name: Some(format!("P{number}")), ..PatientPatch::default() },
        1 => PatientPatch { birth_year: Some(1900 + i16::from(number % 100)), ..PatientPatch::default() },
        2 => PatientPatch { archived: Some(true), ..PatientPatch::default() },
        _ => PatientPatch { archived: Some(false), ..PatientPatch::default() },
    }
}

fn beat(tx: &Tx<'_>, gateway: Uuid, number: u8) -> Result<(), Refusal> {
    let epoch = assignment::open_of_gateway(tx.db, gateway)?.map_or(0, |open| open.epoch);
    let settings_version = gateway::settings_version(tx.db, gateway)? - u64::from(number.is_multiple_of(3));
    let clock = if number.is_multiple_of(2) { ClockQuality::Synced } else { ClockQuality::Holdover };
    gateway::heartbeat(tx, gateway, &Heartbeat { settings_version, epoch, clock, ..Heartbeat::default() })
}

fn raised(epoch: u64, a: u8, b: u8, now_us: i64) -> Raised {
    Raised {
        epoch,
        vital: Vital::HEART_RATE,
        direction: Direction::High,
        condition: if a.is_multiple_of(4) { Condition::Drill } else { Condition::Tachycardia },
        class: if a.is_multiple_of(3) { Class::Technical } else { Class::Physiological },
        priority: [Priority::Low, Priority::Medium, Priority::High][usize::from(b) % 3],
        onset_us: now_us - SECOND,
        device: Ieee(1),
        reading: ReadingId::default(),
        completed_us: now_us,
        settings_version: 1,
        explanation: "142 bpm, \"age_s\": 3".into(),
        contact: None,
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_is_remembered_is_what_the_records_have(
        steps in prop::collection::vec((0u8..26, any::<u8>(), 0u8..60, 0u8..4), 40..120),
    ) {
        block_on(async {
            let mut world = World::new().await;
            // Two homes; an alert of which whoever is on call is texted, and one of which a contact is.
            let homes = [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0), (9, 0, 0), (9, 1, 1), (11, 0, 0)];
            let texted = [(14, 1, 0), (14, 0, 2), (8, 0, 2), (14, 1, 6), (14, 1, 2)];
            for (what, a, b) in homes.into_iter().chain(texted) {
                world.step(what, a, b).await;
            }
            assert_eq!(world.texted().await, ["on call", "Contact 0"]);
            world.step(8, 0, 1).await;
            assert_eq!(world.texted().await, ["on call", "Contact 1"]);
            world.step(24, 0, 1).await;
            assert_eq!(world.texted().await, ["?", "Contact 1"], "nobody has that number any more");
            for (what, a, b, look) in steps {
                world.step(what, a, b).await;
                if look > 0 {
                    // Somebody who remembers nothing lets all notes go: never before who remembers has read them.
                    world.look(look > 2).await;
                }
            }
            world.look(true).await;
        });
    }
}

/// A reading must not let go the note of what was being written while it began.
#[test]
fn what_is_written_while_it_is_read_is_read_the_next_time() {
    block_on(async {
        let mut world = World::new().await;
        for _ in 0..20 {
            world.step(0, 0, 0).await;
        }
        let asked = tokio::spawn({
            let (cloud, caller) = (Arc::clone(&world.cloud), world.caller(Role::Doctor, None, None));
            async move {
                loop {
                    build(&cloud, &cloud.board, &caller, None).await.unwrap();
                }
            }
        });
        for turn in 0..100u8 {
            let names = world.patients.iter().map(|id| {
                let (id, name) = (*id, format!("{turn} {id}"));
                let patch = PatientPatch { name: Some(name), ..PatientPatch::default() };
                world.write(move |tx| patient::edit(tx, id, &patch))
            });
            futures_util::future::try_join_all(names).await.unwrap();
            let caller = world.caller(Role::Doctor, None, None);
            let json = build(&world.cloud, &world.cloud.board, &caller, None).await.unwrap();
            let board: Board = serde_json::from_slice(&json).unwrap();
            let wanted = format!("{turn} ");
            assert!(board.rows.iter().all(|row| row.name.starts_with(&wanted)), "an answered write is not shown");
            assert!(board.rows.iter().all(|row| row.section == Section::Calm));
        }
        asked.abort();
    });
}
