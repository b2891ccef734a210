//! What end-to-end tests share: the real binaries as processes, a cloud, a gateway, and patience with a limit.
#![allow(dead_code, reason = "each test executable uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Once;
use std::time::Duration;

use medmon_api::Client;

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
