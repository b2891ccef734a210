//! What end-to-end tests share: the real binaries as processes, a cloud, a gateway, and patience with a limit.
#![allow(dead_code, reason = "each test executable uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Once};
use std::time::Duration;

use medmon_api::alert::AlertQuery;
use medmon_api::assignment::Devices;
use medmon_api::gateway::NewGateway;
use medmon_api::patient::NewPatient;
use medmon_api::vitals::{Series, SeriesQuery};
use medmon_api::{Client, PageQuery};
use medmon_cloudd::CloudConfig;
use medmon_core::noun::{Binding, Device, Ieee, Language, Role, Vital};
use medmon_gatewayd::Gateway;
use medmon_gatewayd::config::GatewayConfig;
use medmon_gatewayd::radio::RadioState;
use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, Dongle, DongleOptions, Link, air};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The binary `name`, built if it is not there.
pub fn binary(name: &str) -> PathBuf {
    static BUILD: Once = Once::new();
    let folder = Path::new(env!("CARGO_BIN_EXE_medmon")).parent().unwrap();
    BUILD.call_once(|| {
        // A plain `cargo test` builds only its own package's binaries.
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "-p", "medmon-gatewayd", "-p", "medmon-cloudd", "--bins"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("CARGO_TARGET_DIR", folder.parent().unwrap())
            .status();
        let present = ["medmon-gatewayd", "medmon-cloudd"].iter().all(|name| folder.join(name).exists());
        assert!(built.is_ok_and(|status| status.success()) || present, "the daemons are not built");
    });
    folder.join(name)
}

/// A program that ends with the test.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts `binary` with `env`; its log goes to `log`.
    pub fn start(name: &str, env: &[(&str, String)], log: &Path) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
        let mut command = Command::new(binary(name));
        command.envs(env.iter().map(|(key, value)| (key, value))).stdin(Stdio::null()).stdout(Stdio::null());
        Self { child: command.stderr(log).spawn().unwrap() }
    }

    /// SIGKILL, as a power cut or the kernel would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and waits for the end.
    pub async fn terminate(mut self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        until("the program ends", async || self.child.try_wait().unwrap().is_some()).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `binary` to its end.
pub fn output(name: &str, args: &[&str], env: &[(&str, String)]) -> Output {
    let mut command = Command::new(binary(name));
    command.args(args).envs(env.iter().map(|(key, value)| (key, value))).stdin(Stdio::null()).output().unwrap()
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Polls until `done`, for a minute at most.
pub async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// A cloud as a process of its own.
pub struct Cloud {
    /// Its environment, for its other commands.
    pub env: Vec<(&'static str, String)>,
    /// Where it answers.
    pub url: String,
    process: Option<Process>,
    log: PathBuf,
}

impl Cloud {
    /// Starts one under `folder` and waits until it answers.
    pub async fn start(folder: &Path) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let env = vec![
            ("MEDMON_CLOUD__LISTEN", listen.clone()),
            ("MEDMON_CLOUD__DATA_DIR", folder.join("cloud").display().to_string()),
            ("MEDMON_CONFIG", empty_config(folder)),
        ];
        let mut cloud = Self { env, url: format!("http://{listen}"), process: None, log: folder.join("cloudd.log") };
        cloud.restart().await;
        cloud
    }

    /// Starts it, again if it was killed.
    pub async fn restart(&mut self) {
        self.process = Some(Process::start("medmon-cloudd", &self.env, &self.log));
        let client = Client::new(&self.url, None).unwrap();
        until("the cloud answers", async || client.ready().await.is_ok()).await;
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    /// A client with a token of its own, made by the operator's command.
    pub fn client(&self, role: &str) -> Client {
        Client::new(&self.url, Some(&self.token(role))).unwrap()
    }

    /// A token, made by the operator's command.
    pub fn token(&self, role: &str) -> String {
        let made = output("medmon-cloudd", &["token", "create", "--role", role, "--name", role], &self.env);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }
}

/// A configuration file that says nothing, so that none of this machine is read.
pub fn empty_config(folder: &Path) -> String {
    let path = folder.join("empty.toml");
    std::fs::write(&path, "").unwrap();
    path.display().to_string()
}

/// A cloud and a home in this process: a patient with a chest strap, bound to a gateway that is enrolled and not started.
pub struct Home {
    /// Time as it is, and the cloud's.
    pub real: Clock,
    /// The home's machine; its UTC may be moved.
    pub machine: Clock,
    /// Who runs the cloud.
    pub admin: Client,
    /// Who keeps the records.
    pub doctor: Client,
    /// Whose home it is.
    pub patient: Uuid,
    /// The gateway in the cloud's records.
    pub gateway: Uuid,
    /// Its internet.
    pub link: Link,
    /// Its radio.
    pub dongle: Arc<Dongle>,
    /// How it is started.
    pub config: GatewayConfig,
    stop: CancellationToken,
    cloud: Option<medmon_cloudd::Running>,
}

/// The chest strap.
pub const STRAP: u64 = 0x0012_4b00_2a5c_0d01;

impl Home {
    /// Under `folder`.
    pub async fn new(folder: &Path) -> Self {
        Self::by(folder, Clock::system(), Clock::system()).await
    }

    /// Under `folder`, with the world's clock and that of the home's machine.
    pub async fn by(folder: &Path, real: Clock, machine: Clock) -> Self {
        let stop = CancellationToken::new();
        let data_dir = folder.join("cloud");
        let cloud = CloudConfig { listen: "127.0.0.1:0".into(), data_dir, ..CloudConfig::default() };
        let cloud = medmon_cloudd::run(cloud, real.clone(), stop.clone()).await.unwrap();
        let client = async |role, name: &'static str| {
            let made = cloud.cloud.create_token(role, name, None, None, None).await.unwrap();
            Client::new(&cloud.url(), Some(&made.token)).unwrap()
        };
        let (admin, doctor) = (client(Role::Admin, "admin").await, client(Role::Doctor, "A. Blanc").await);
        let patient = NewPatient {
            name: "DOE Jeanne".into(),
            nickname: "Jeanne".into(),
            birth_year: 1941,
            ward: None,
            language: Language::Fr,
            time_zone: None,
            phone: None,
        };
        let patient = doctor.add_patient(&patient).await.unwrap().id;
        let strap = Device { ieee: Ieee(STRAP), label: String::new(), vitals: vec![Vital::HEART_RATE], place: None };
        doctor.set_devices(patient, &Devices { devices: vec![strap], ..Devices::default() }).await.unwrap();
        let link = Link::open(cloud.address).unwrap();
        let dongle = Arc::new(Dongle::open(DongleOptions::default(), real.clone()).unwrap());
        dongle.know(DeviceSpec::sensor(STRAP, "medmon-sensor", &[air::CLUSTER_HEART_RATE]));
        let mut config = GatewayConfig { data_dir: folder.join("gateway"), ..GatewayConfig::default() };
        config.radio.port = dongle.port().to_owned();
        config.uplink.url = Some(format!("http://{}", link.addr()));
        config.uplink.live_interval_s = 1;
        let added = admin.add_gateway(&NewGateway { name: "gw-0001".into() }).await.unwrap();
        medmon_gatewayd::enrol(&config, &added.code, &machine).await.unwrap();
        doctor.bind(patient, added.gateway.id).await.unwrap();
        let (gateway, cloud) = (added.gateway.id, Some(cloud));
        Self { real, machine, admin, doctor, patient, gateway, link, dongle, config, stop, cloud }
    }

    /// Starts the gateway and waits until its radio runs.
    pub async fn start(&self) -> Gateway {
        let gateway = Gateway::start(self.config.clone(), self.machine.clone()).await.unwrap();
        let running = async || matches!(*gateway.local.radio.borrow(), RadioState::Running { .. });
        until("the radio runs", running).await;
        gateway
    }

    /// Waits until the gateway works for the patient.
    pub async fn bound(&self) {
        let bound = async || self.doctor.assignments(self.patient).await.unwrap()[0].binding == Binding::Confirmed;
        until("the gateway is bound", bound).await;
    }

    /// Heart rates, and all of them accepted.
    pub async fn speak(&self, gateway: &Gateway, rates: impl IntoIterator<Item = u16>) {
        let accepted = || gateway.local.counters.snapshot().get("readings_accepted").copied().unwrap_or(0);
        let mut expected = accepted();
        for bpm in rates {
            assert!(self.dongle.report(STRAP, 1, &[air::heart_rate(bpm)]).await);
            expected += 1;
        }
        until("the readings are accepted", async || accepted() == expected).await;
    }

    /// The patient's alerts at the cloud.
    pub async fn alerts(&self) -> Vec<medmon_api::alert::Alert> {
        let (all, first) = (AlertQuery::default(), PageQuery::default());
        self.doctor.patient_alerts(self.patient, &all, &first).await.unwrap().items
    }

    /// Heart rates that the cloud holds for the patient since an hour ago.
    pub async fn series(&self) -> Series {
        let since = Some(medmon_api::time(self.real.utc_us() - 3_600_000_000));
        let query = SeriesQuery { since, ..SeriesQuery::default() };
        self.doctor.vitals(self.patient, Vital::HEART_RATE, &query).await.unwrap()
    }

    /// How a program reaches the cloud as `role`: its environment.
    pub async fn env(&self, role: Role, folder: &Path) -> Vec<(&'static str, String)> {
        let cloud = self.cloud.as_ref().unwrap();
        let made = cloud.cloud.create_token(role, "A. Martin", None, None, None).await.unwrap();
        let home = folder.display().to_string();
        vec![
            ("HOME", home.clone()),
            ("XDG_STATE_HOME", home),
            ("MEDMON_CONFIG", empty_config(folder)),
            ("MEDMON_CLIENT__URL", cloud.url()),
            ("MEDMON_TOKEN", made.token),
        ]
    }

    /// Ends the cloud, does something to its data folder, and starts it again at the same address.
    pub async fn with_cloud_down(&mut self, between: impl FnOnce(&Path)) {
        let Some(cloud) = self.cloud.take() else { panic!("it is down") };
        let (address, data_dir) = (cloud.address, self.config.data_dir.with_file_name("cloud"));
        std::mem::take(&mut self.stop).cancel();
        cloud.finished().await.unwrap();
        between(&data_dir);
        let config = CloudConfig { listen: address.to_string(), data_dir, ..CloudConfig::default() };
        self.cloud = Some(medmon_cloudd::run(config, self.real.clone(), self.stop.clone()).await.unwrap());
    }

    /// Ends the cloud.
    pub async fn end(self) {
        self.stop.cancel();
        if let Some(cloud) = self.cloud {
            cloud.finished().await.unwrap();
        }
    }
}

/// Readings in a series.
pub fn counted(series: &Series) -> u64 {
    series.points.iter().map(|point| point.count).sum()
}
