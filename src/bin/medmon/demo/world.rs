//! The demo's world: one cloud, and per home a dongle, a modem, relatives and a gateway, set up over the API as staff
//! would do it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use medmon_api::Client;
use medmon_api::assignment::Devices;
use medmon_api::contact::NewContact;
use medmon_api::gateway::NewGateway;
use medmon_api::patient::NewPatient;
use medmon_cloudd::{CloudConfig, Running};
use medmon_core::noun::{Binding, Device, Ieee, Language, Place, Role, Vital};
use medmon_gatewayd::Gateway;
use medmon_gatewayd::broker::RabbitUrl;
use medmon_gatewayd::config::{BrokerKind, GatewayConfig, ModemConfig};
use medmon_kit::Clock;
use medmon_sim::{Dongle, DongleOptions, Home, HomeCounts, Link, Modem, ModemOptions, Scenario, run_home};
use medmon_testkit::RabbitMq;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::summary::Summary;
use crate::args::DemoArgs;
use crate::tui::PhoneLine;

/// A setting up that takes longer is stuck.
const SET_UP: Duration = Duration::from_secs(30);
/// What is on the serial line at the end is waited for so long.
const LINE: Duration = Duration::from_secs(5);
/// Windows are sealed and sent so often: the board is to move while somebody watches.
const LIVE_INTERVAL_S: u32 = 5;
/// A sensor counts as silent after 2.5 times its cadence, and no cadence is shorter than this.
const SHORTEST_CADENCE_S: f64 = 10.0;

/// Where the homes are.
pub const ZONE: &str = "Europe/Paris";

/// One home and what runs in it.
pub struct House {
    /// Who lives there and what happens.
    pub home: Arc<Home>,
    /// The patient's id in the cloud.
    pub patient: Uuid,
    /// The gateway.
    pub gateway: Gateway,
    /// The virtual dongle.
    pub dongle: Arc<Dongle>,
    /// The virtual modem.
    pub modem: Arc<Modem>,
}

/// Everything that runs.
pub struct World {
    /// The homes.
    pub houses: Vec<House>,
    /// Staff that may do everything here.
    pub doctor: Client,
    /// For the dashboard.
    pub nurse_token: String,
    cloud: Running,
    cloud_stop: CancellationToken,
    link: Arc<Link>,
    link_cut: (f64, f64),
}

/// What was played: since when, and how many readings went over each home's serial line.
pub struct Played {
    /// UTC µs of the scenario's start.
    pub began_us: i64,
    /// UTC µs when the last sensor had spoken.
    pub ended_us: i64,
    /// A count a home.
    pub counts: Vec<HomeCounts>,
}

impl World {
    /// Starts the cloud and every home, and waits until each gateway works for its patient.
    pub async fn build(
        scenario: Scenario,
        rabbitmq: Option<&RabbitMq>,
        folder: &Path,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let cloud_stop = CancellationToken::new();
        let data_dir = folder.join("cloud");
        let config = CloudConfig { listen: "127.0.0.1:0".into(), data_dir, ..CloudConfig::default() };
        let cloud = medmon_cloudd::run(config, clock.clone(), cloud_stop.clone()).await?;
        let token = async |role, name: &'static str| {
            let created = cloud.cloud.create_token(role, name, None, None, None).await;
            created.map(|created| created.token).map_err(|error| anyhow::anyhow!("{error}"))
        };
        let admin = Client::new(&cloud.url(), Some(&token(Role::Admin, "demo").await?))?;
        let doctor = Client::new(&cloud.url(), Some(&token(Role::Doctor, "A. Blanc").await?))?;
        let nurse_token = token(Role::Nurse, "A. Martin").await?;
        let link = Arc::new(Link::open(cloud.address)?);
        let mut houses = Vec::new();
        for (index, home) in scenario.homes.into_iter().enumerate() {
            let folder = folder.join(format!("home-{index}"));
            let staff = Staff { admin: &admin, doctor: &doctor, link: &link, rabbitmq };
            houses.push(staff.move_in(home, folder, index, clock).await?);
        }
        let world = Self { houses, doctor, nurse_token, cloud, cloud_stop, link, link_cut: scenario.link_cut };
        world.wait_until_bound(clock).await?;
        Ok(world)
    }

    /// The cloud's address, past the link that the scenario cuts.
    pub fn url(&self) -> String {
        self.cloud.url()
    }

    async fn wait_until_bound(&self, clock: &Clock) -> anyhow::Result<()> {
        for house in &self.houses {
            let bound = async {
                house.dongle.ready().await;
                loop {
                    let open = self.doctor.assignments(house.patient).await?;
                    if open.iter().any(|assignment| assignment.binding == Binding::Confirmed) {
                        return anyhow::Ok(());
                    }
                    clock.sleep(Duration::from_millis(20)).await;
                }
            };
            let waited = tokio::time::timeout(SET_UP, bound).await;
            waited.with_context(|| format!("the gateway of {} did not come up", house.home.patient.name()))??;
        }
        Ok(())
    }

    /// Every text and every answer, as a phone would show them.
    pub fn phone_lines(&self, clock: &Clock) -> mpsc::Receiver<PhoneLine> {
        let (lines, receiver) = mpsc::channel(100);
        for house in &self.houses {
            let (mut sent, lines, home) = (house.modem.sent(), lines.clone(), Arc::clone(&house.home));
            let (modem, clock) = (Arc::clone(&house.modem), clock.clone());
            tokio::spawn(async move {
                let name = |phone: &str| {
                    let relative = home.relatives.iter().find(|relative| relative.phone == phone);
                    relative.map_or_else(|| phone.to_owned(), |relative| relative.name.clone())
                };
                let mut received = modem.received();
                loop {
                    let line = tokio::select! {
                        Ok(text) = sent.recv() => PhoneLine {
                            at: medmon_api::time(text.at_utc_us),
                            from: home.patient.nickname.clone(),
                            to: name(&text.to),
                            text: text.text,
                            incoming: false,
                        },
                        Ok((from, text)) = received.recv() => PhoneLine {
                            at: medmon_api::time(clock.utc_us()),
                            from: name(&from),
                            to: home.patient.nickname.clone(),
                            text,
                            incoming: true,
                        },
                        else => return,
                    };
                    if lines.send(line).await.is_err() {
                        return;
                    }
                }
            });
        }
        receiver
    }

    /// Lets everything happen until `stop`.
    pub fn play(&self, clock: &Clock, stop: &CancellationToken) -> JoinHandle<anyhow::Result<Played>> {
        let began_us = clock.utc_us();
        let homes: Vec<_> = self
            .houses
            .iter()
            .map(|house| {
                for relative in house.home.relatives.clone() {
                    let (modem, clock, stop) = (Arc::clone(&house.modem), clock.clone(), stop.clone());
                    tokio::spawn(async move { relative.watch(&modem, &clock, stop).await });
                }
                let (home, dongle) = (Arc::clone(&house.home), Arc::clone(&house.dongle));
                let (clock, stop) = (clock.clone(), stop.clone());
                tokio::spawn(async move { run_home(&home, &dongle, &clock, stop).await })
            })
            .collect();
        let (link, (cut_s, heal_s)) = (Arc::clone(&self.link), self.link_cut);
        let (clock, stop) = (clock.clone(), stop.clone());
        tokio::spawn(async move {
            if cut_s.is_finite() {
                tokio::select! {
                    () = cut(&link, cut_s, heal_s, &clock) => {}
                    () = stop.cancelled() => link.heal(),
                }
            }
            let mut counts = Vec::new();
            for home in homes {
                counts.push(home.await?);
            }
            Ok(Played { began_us, ended_us: clock.utc_us(), counts })
        })
    }

    /// Ends everything in the order of the data and says what came of it.
    pub async fn finish(self, played: Played, args: &DemoArgs, clock: &Clock) -> anyhow::Result<Summary> {
        for (house, counts) in self.houses.iter().zip(&played.counts) {
            let heard = async {
                while accepted(&house.gateway) < reports(counts) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            // What does not come is lost, and the summary says so.
            let _ = tokio::time::timeout(LINE, heard).await;
        }
        let (mut locals, mut homes) = (Vec::new(), Vec::new());
        let mut stopping = Vec::new();
        for house in self.houses {
            locals.push(house.gateway.local.clone());
            homes.push((house.home, house.patient));
            stopping.push(tokio::spawn(house.gateway.stop()));
        }
        for stopped in stopping {
            stopped.await?;
        }
        let summary = Summary::gather(&self.doctor, &homes, &locals, &played, args, clock).await?;
        self.cloud_stop.cancel();
        self.cloud.finished().await?;
        Ok(summary)
    }
}

async fn cut(link: &Link, cut_s: f64, heal_s: f64, clock: &Clock) {
    clock.sleep(Duration::from_secs_f64(cut_s)).await;
    link.cut();
    clock.sleep(Duration::from_secs_f64(heal_s - cut_s)).await;
    link.heal();
}

fn accepted(gateway: &Gateway) -> u64 {
    gateway.local.counters.snapshot().get("readings_accepted").copied().unwrap_or(0)
}

/// Reports that carry the sent readings: a burst of samples is one.
fn reports(counts: &HomeCounts) -> u64 {
    let burst = medmon_sim::home::BURST;
    let reports = counts.sent.iter().map(|((_, vital), count)| match vital {
        medmon_sim::patient::Vital::Acceleration => count / burst,
        _ => *count,
    });
    reports.sum()
}

/// Who sets a home up.
struct Staff<'a> {
    admin: &'a Client,
    doctor: &'a Client,
    link: &'a Link,
    rabbitmq: Option<&'a RabbitMq>,
}

impl Staff<'_> {
    /// Opens the record, adds contacts and sensors, enrols the gateway, binds it, switches it on.
    async fn move_in(&self, home: Home, folder: PathBuf, index: usize, clock: &Clock) -> anyhow::Result<House> {
        let dongle = Arc::new(Dongle::open(DongleOptions::default(), clock.clone())?);
        let modem = Arc::new(Modem::open(ModemOptions::default(), clock.clone())?);
        for device in &home.devices {
            dongle.know(device.spec());
        }
        let language = |code: &str| if code == "fr" { Language::Fr } else { Language::En };
        let patient = &home.patient;
        let record = NewPatient {
            name: patient.name(),
            nickname: patient.nickname.clone(),
            birth_year: patient.birth_year as i16,
            ward: None,
            language: Language::Fr,
            time_zone: Some(ZONE.into()),
            phone: None,
        };
        let patient = self.doctor.add_patient(&record).await?.id;
        for relative in &home.relatives {
            let contact = NewContact {
                name: relative.name.clone(),
                phone: relative.phone.clone(),
                relation: String::new(),
                language: language(relative.language),
                position: None,
            };
            self.doctor.add_contact(patient, &contact).await?;
        }
        self.doctor.set_devices(patient, &devices(&home)).await?;
        let gateway = NewGateway { name: format!("gw-{:04}", index + 1) };
        let gateway = self.admin.add_gateway(&gateway).await?;
        let mut config = GatewayConfig { name: gateway.gateway.name, data_dir: folder, ..GatewayConfig::default() };
        config.radio.port = dongle.port().to_owned();
        config.sms.modem =
            Some(ModemConfig { port: modem.port().to_owned(), baud: 115_200, pin_file: None, number: None });
        config.uplink.url = Some(format!("http://{}", self.link.addr()));
        config.uplink.live_interval_s = LIVE_INTERVAL_S;
        if let Some(rabbitmq) = self.rabbitmq {
            (config.broker.kind, config.broker.url) = (BrokerKind::Rabbitmq, RabbitUrl::new(rabbitmq.url(index)));
        }
        medmon_gatewayd::enrol(&config, &gateway.code, clock).await?;
        self.doctor.bind(patient, gateway.gateway.id).await?;
        let gateway = Gateway::start(config, clock.clone()).await?;
        Ok(House { home: Arc::new(home), patient, gateway, dongle, modem })
    }
}

/// The sensors of a home as staff would enter them, with the cadence each really has.
fn devices(home: &Home) -> Devices {
    let vital = |vital: medmon_sim::patient::Vital| Vital::by_name(vital.name());
    let mut entered = Devices::default();
    for device in &home.devices {
        let place = device.place.and_then(|place| match place {
            "waist" => Some(Place::Waist),
            "wrist" => Some(Place::Wrist),
            "chest" => Some(Place::Chest),
            "pocket" => Some(Place::Pocket),
            _ => None,
        });
        entered.devices.push(Device {
            ieee: Ieee(device.ieee),
            label: device.label.clone(),
            vitals: device.vitals.iter().filter_map(|(own, _)| vital(*own)).collect(),
            place,
        });
        for (own, interval_s) in &device.vitals {
            if let Some(vital) = vital(*own).filter(|vital| *vital != Vital::BATTERY) {
                entered.cadences.insert(vital, interval_s.max(SHORTEST_CADENCE_S).ceil() as u32);
            }
        }
    }
    entered
}
