//! A doctor's day on the command line, against the real daemons: the set-up of README, a patient's record, an alert, and
//! what a script relies on: exit codes, stdout apart from stderr, documents of a stable shape.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use jiff::Timestamp;
use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, Dongle, DongleOptions, air};
use serde_json::Value;
use uuid::Uuid;

use common::{Cloud, Process, binary, output, until};

const STRAP: u64 = 0x0012_4b00_2a5c_0d01;
const BELT: u64 = 0x0012_4b00_2a5c_0d02;

/// Somebody with a token and a home of their own.
struct Caller {
    env: Vec<(&'static str, String)>,
}

impl Caller {
    fn new(folder: &Path, cloud: &Cloud, role: &str) -> Self {
        let home = folder.join(role).display().to_string();
        let env = vec![
            ("HOME", home.clone()),
            ("XDG_STATE_HOME", home),
            ("MEDMON_CONFIG", common::empty_config(folder)),
            ("MEDMON_CLIENT__URL", cloud.url.clone()),
            ("MEDMON_CLIENT__TIME_ZONE", "Europe/Paris".into()),
            ("MEDMON_TOKEN", cloud.token(role)),
        ];
        Self { env }
    }

    fn with(&self, key: &'static str, value: &str) -> Self {
        let mut env = self.env.clone();
        env.retain(|(other, _)| *other != key);
        env.push((key, value.to_owned()));
        Self { env }
    }

    fn run(&self, args: &[&str]) -> Said {
        Said::of(args, &output("medmon", args, &self.env))
    }

    /// With something on stdin.
    fn piped(&self, args: &[&str], text: &str) -> Said {
        let mut command = Command::new(binary("medmon"));
        command.args(args).envs(self.env.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        Said::of(args, &child.wait_with_output().unwrap())
    }

    /// The one line of an answer that has to succeed.
    fn line(&self, args: &[&str]) -> String {
        let said = self.run(args);
        assert_eq!(said.code, 0, "{said:?}");
        said.out.trim().to_owned()
    }

    fn document(&self, args: &[&str]) -> Value {
        let text = self.line(&[args, &["-o", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
    _args: String,
}

impl Said {
    fn of(args: &[&str], output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let code = output.status.code().unwrap();
        Self { code, out: text(&output.stdout), err: text(&output.stderr), _args: args.join(" ") }
    }
}

/// A document without what differs from run to run: ids, times, figures, addresses.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Number(_) => "[number]".into(),
        Value::String(text) if text.parse::<Uuid>().is_ok() => "[id]".into(),
        Value::String(text) if text.parse::<Timestamp>().is_ok() => "[time]".into(),
        other => other.clone(),
    }
}

fn gateway_env(folder: &Path, cloud: &Cloud, dongle: &Dongle) -> Vec<(&'static str, String)> {
    vec![
        ("MEDMON_CONFIG", common::empty_config(folder)),
        ("MEDMON_GATEWAY__NAME", "gw-0001".into()),
        ("MEDMON_GATEWAY__DATA_DIR", folder.join("gateway").display().to_string()),
        ("MEDMON_GATEWAY__RADIO__PORT", dongle.port().display().to_string()),
        ("MEDMON_GATEWAY__UPLINK__URL", cloud.url.clone()),
        ("MEDMON_GATEWAY__UPLINK__LIVE_INTERVAL_S", "1".into()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doctor_sets_a_home_up_and_answers_an_alert_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut cloud = Cloud::start(folder).await;
    let (admin, doctor) = (Caller::new(folder, &cloud, "admin"), Caller::new(folder, &cloud, "doctor"));
    let dongle = Dongle::open(DongleOptions::default(), Clock::system()).unwrap();
    for (ieee, cluster) in [(STRAP, air::CLUSTER_HEART_RATE), (BELT, air::CLUSTER_ACCELERATION)] {
        dongle.know(DeviceSpec::sensor(ieee, "medmon-sensor", &[cluster]));
    }

    // The set-up, in README's order.
    let env = gateway_env(folder, &cloud, &dongle);
    let code = admin.line(&["gateway", "add", "--name", "gw-0001"]);
    let enrolled = output("medmon-gatewayd", &["enrol", &code], &env);
    assert!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
    let who = ["--name", "DOE Jeanne", "--nickname", "Jeanne", "--birth-year", "1941"];
    let patient = doctor.line(&[&["patient", "add"], &who[..]].concat());
    assert!(patient.parse::<Uuid>().is_ok(), "{patient}");
    let contact = ["contact", "add", "--patient", "DOE", "--name", "Paul", "--phone", "+33612345678"];
    let unasked = doctor.run(&contact);
    assert_eq!(unasked.code, 2, "{unasked:?}");
    assert!(unasked.err.contains("DOE Jeanne, born 1941") && unasked.err.contains("--yes"), "{unasked:?}");
    assert_eq!(doctor.line(&["contact", "list", "--patient", "DOE", "-q"]), "", "a refusal changes nothing");
    doctor.line(&[&contact[..], &["--yes"]].concat());
    for (device, vital) in [("00124b002a5c0d01", "heart_rate"), ("00124b002a5c0d02", "acceleration")] {
        let place: &[&str] = if vital == "acceleration" { &["--place", "waist"] } else { &[] };
        doctor.line(&[&["device", "assign", device, "--patient", "DOE", "--vitals", vital, "--yes"], place].concat());
    }
    doctor.line(&["patient", "bind", "DOE", "--gateway", "gw-0001", "--yes"]);
    let gateway = Process::start("medmon-gatewayd", &env, &folder.join("gatewayd.log"));
    dongle.ready().await;
    until("the gateway confirms the binding", async || {
        doctor.document(&["patient", "show", "DOE"])["assignment"]["binding"] == "confirmed"
    })
    .await;

    // The record.
    doctor.line(&["limits", "set", "--patient", &patient, "heart_rate.high_urgent=140", "--yes"]);
    let limits = doctor.document(&["limits", "show", "--patient", "DOE"]);
    let urgent = limits["limits"].as_array().unwrap().iter().find(|row| row["key"] == "heart_rate.high_urgent");
    assert_eq!((urgent.unwrap()["value"].as_f64(), urgent.unwrap()["set"].as_bool()), (Some(140.0), Some(true)));
    let report = doctor.piped(&["report", "add", "--patient", "DOE"], "dizzy\nin the morning\n");
    assert!(report.code == 0 && report.err.is_empty(), "{report:?}");
    let shown = doctor.line(&["report", "show", report.out.trim(), "--patient", "DOE"]);
    assert!(shown.ends_with("dizzy\nin the morning"), "{shown}");
    doctor.line(&["feeling", "add", "--patient", "DOE", "--mood", "3", "--pain", "2", "--text", "slept badly"]);

    // A fast heart and a still belt, until somebody is told.
    let (mut alert, mut counter) = (String::new(), 0_u16);
    until("an alert is open", async || {
        dongle.report(STRAP, 1, &[air::heart_rate(170)]).await;
        dongle.report(BELT, 1, &[air::acceleration_burst(counter, 50, &[[0, 0, 1000]; 12])]).await;
        counter = counter.wrapping_add(12);
        alert = doctor.line(&["alert", "list", "--open", "-q"]);
        !alert.is_empty()
    })
    .await;
    let unanswered = doctor.run(&["alert", "wait", &alert, "--acked", "--for", "100ms"]);
    assert!(unanswered.code == 8 && unanswered.err.contains("not acknowledged"), "{unanswered:?}");
    let acked = doctor.document(&["alert", "ack", &alert[..13]]);
    assert_eq!(acked["acknowledged_ward"]["by"], "doctor");
    doctor.line(&["alert", "wait", &alert, "--acked"]);
    let vitals = ["vitals", "show", "--patient", "DOE", "--vital", "heart_rate", "--since", "1h"];
    until("the figures are there", async || !doctor.document(&vitals)["points"].as_array().unwrap().is_empty()).await;

    // Documents keep their shape.
    let mut story = doctor.document(&["alert", "show", &alert]);
    story["facts"].as_array_mut().unwrap().truncate(1);
    // Whether the gateway has said yet that it cannot text differs from run to run.
    story["notices"] = Value::Array(Vec::new());
    story["explanation"] = "[text]".into();
    story["facts"][0]["explanation"] = "[text]".into();
    insta::assert_json_snapshot!("alert_show", shape(&story));
    let mut series = doctor.document(&vitals);
    series["points"].as_array_mut().unwrap().truncate(1);
    series["gaps"] = Value::Array(Vec::new());
    insta::assert_json_snapshot!("vitals_show", shape(&series));
    insta::assert_json_snapshot!("whoami", shape(&doctor.document(&["whoami"])));
    for noun in ["patient", "contact", "report", "feeling", "device"] {
        let whose = if noun == "patient" { &[][..] } else { &["--patient", "DOE"] };
        insta::assert_json_snapshot!(
            format!("{noun}_list"),
            shape(&doctor.document(&[&[noun, "list"], whose].concat()))
        );
    }

    // A pipe gets tabs, no colour and no header; csv has one; a line a document in jsonl.
    let piped = doctor.line(&["patient", "list"]);
    assert!(piped.starts_with(&format!("{patient}\tDOE Jeanne\t1941\t")) && !piped.contains('\u{1b}'), "{piped}");
    assert!(doctor.line(&["patient", "list", "-o", "csv"]).starts_with("id,name,born,"));
    assert_eq!(doctor.line(&["patient", "list", "-o", "jsonl"]).lines().count(), 1);

    // On the gateway.
    let socket = folder.join("gateway/gatewayd.sock").display().to_string();
    let local = |verb: &'static str| vec!["local", verb, "--socket", &socket];
    assert_eq!(doctor.document(&local("status"))["name"], "gw-0001");
    assert_eq!(doctor.document(&local("devices"))[0]["device"], "00124b002a5c0d01");
    assert_eq!(doctor.line(&[&local("alerts")[..], &["-q"]].concat()), alert);
    let gaps = doctor.run(&local("gaps"));
    assert!(gaps.code == 0 && gaps.out.is_empty() && gaps.err.contains("Nothing was lost here."), "{gaps:?}");
    let heart = |reading: &Value| reading["vital"] == "heart_rate";
    let tap = doctor.line(&[&local("tap")[..], &["--from", "start", "-o", "jsonl"]].concat());
    let first: Value = tap.lines().map(|line| serde_json::from_str(line).unwrap()).find(heart).unwrap();
    assert_eq!(
        (&first["vital"], &first["value"], &first["unit"]),
        (&"heart_rate".into(), &170.0.into(), &"bpm".into())
    );

    // Without the server a report waits here, and goes with the same key once the server is back.
    let before = doctor.line(&["report", "list", "--patient", "DOE", "-q"]).lines().count();
    cloud.kill();
    let kept = doctor.run(&["report", "add", "--patient", "DOE", "--text", "by candlelight"]);
    assert!(kept.code == 0 && kept.out.is_empty() && kept.err.contains("medmon outbox flush"), "{kept:?}");
    assert_eq!(doctor.line(&["outbox", "list", "-q"]).lines().count(), 1);
    assert_eq!(doctor.run(&["outbox", "flush"]).code, 6);
    cloud.restart().await;
    let sent = doctor.line(&["outbox", "flush"]);
    let after = doctor.line(&["report", "list", "--patient", "DOE", "-q"]);
    assert!(after.lines().count() == before + 1 && after.contains(&sent), "{after}");
    assert_eq!(doctor.line(&["outbox", "list", "-q"]), "");
    gateway.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_has_its_exit_code_says_what_to_do_and_leaves_stdout_empty() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(folder.path()).await;
    let doctor = Caller::new(folder.path(), &cloud, "doctor");
    let add = |name, year| {
        doctor.line(&["patient", "add", "--name", name, "--nickname", "J", "--birth-year", year]);
    };
    add("DOE Jeanne", "1941");
    add("DOE John", "1950");
    let (nobody, stranger) = (doctor.with("MEDMON_TOKEN", ""), doctor.with("MEDMON_TOKEN", "mm_wrong"));
    let (alone, lost) =
        (doctor.with("MEDMON_CLIENT__URL", ""), doctor.with("MEDMON_CLIENT__URL", "http://127.0.0.1:1"));
    let feeling = ["feeling", "add", "--patient", "DOE Jeanne", "--mood", "9"];
    let limits = ["limits", "set", "--patient", "DOE Jeanne", "--yes", "heart_rate.high_urgent=20"];
    let table: [(&Caller, &[&str], i32, &str); 14] = [
        (&doctor, &["patient", "lst"], 2, "list"),
        (&doctor, &["patient", "show", "DOE"], 2, "DOE John 1950"),
        (&doctor, &["patient", "archive", "DOE Jeanne"], 2, "--yes"),
        (&doctor, &["patient", "add", "--name", "X", "--nickname", "x", "--birth-year", "3000"], 2, "write a year"),
        (&doctor, &feeling, 2, "1..=5"),
        (&doctor, &limits, 2, "60..250"),
        (&doctor, &["alert", "list", "--since", "yesterday"], 2, "2h ago"),
        (&alone, &["patient", "list"], 2, "--url"),
        (&doctor, &["patient", "show", "MOREL"], 3, "medmon patient list"),
        (&doctor, &["alert", "ack", "0199"], 3, "medmon alert list"),
        (&nobody, &["patient", "list"], 4, "medmon login"),
        (&stranger, &["patient", "list"], 4, "medmon login"),
        (&doctor, &["token", "list"], 5, "medmon whoami"),
        (&lost, &["patient", "list"], 6, "does not answer"),
    ];
    for (caller, args, code, says) in table {
        let said = caller.run(args);
        assert!(said.code == code && said.out.is_empty() && said.err.contains(says), "{code} {says}: {said:?}");
    }
    let local = doctor.run(&["local", "status", "--socket", "/nowhere/gatewayd.sock"]);
    assert!(local.code == 6 && local.err.contains("medmon-gatewayd"), "{local:?}");

    // A gateway that ends before the last word of what it does, and what it lost.
    let socket = folder.path().join("gatewayd.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let gap =
        r#"{"vital":"glucose","device":null,"from":"F","to":"T","lost":7,"why":"disk quota","epoch":1,"sealed":true}"#;
    let answers = [r#"{"event":"open","seconds":60}"#, "", gap, gap, r#"{"error":"no"}"#];
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(&stream), &mut String::new()).unwrap();
            std::io::Write::write_all(&mut stream, format!("{answer}\n").as_bytes()).unwrap();
        }
    });
    let socket = socket.display().to_string();
    let local = |args: &[&str]| doctor.run(&[&["local", "--socket", &socket], args].concat());
    let open = local(&["pair", "-o", "csv"]);
    assert!(open.code == 1 && open.err.contains("ended before") && open.out.contains("open,"), "{open:?}");
    let adopted = local(&["radio", "adopt"]);
    assert!(adopted.code == 1 && adopted.out.is_empty() && adopted.err.contains("ended before"), "{adopted:?}");
    let gaps = local(&["gaps", "-o", "csv"]);
    assert_eq!((gaps.code, &*gaps.out), (0, "lost,why,from,to,vital,device\n7,disk quota,F,T,glucose,\n"));
    assert_eq!(local(&["gaps", "-q"]).out, "");
    assert_eq!(local(&["radio", "backup"]).code, 1);
}
