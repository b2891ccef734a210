//! From the home to the record over bad lines: replies lost, doubled and late, requests doubled, a link that is cut for hours and
//! for a month, one of 1 kB/s, a proxy, a private authority. What the gateway sealed is counted at the cloud once.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use medmon_api::vitals::SeriesQuery;
use medmon_core::noun::{Envelope, Verdict, Vital, Window};
use medmon_gatewayd::Gateway;
use medmon_gatewayd::outbox::{Batch, Outbox};
use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, Dongle, DongleOptions, Fault, air};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use common::{Cloud, Home, Process, STRAP, counted, output, until};

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Heart rates that the cloud holds since `since_us`.
async fn held(home: &Home, since_us: i64) -> u64 {
    let query = SeriesQuery { since: Some(medmon_api::time(since_us)), ..SeriesQuery::default() };
    counted(&home.doctor.vitals(home.patient, Vital::HEART_RATE, &query).await.unwrap())
}

/// Everything that was sealed has arrived, once, and nothing was set aside.
async fn arrived(home: &Home, gateway: &Gateway, since_us: i64, readings: u64) {
    until("all readings are at the cloud", async || held(home, since_us).await >= readings).await;
    let settled = async || gateway.local.outbox.depth().await.unwrap().waiting == 0;
    until("every envelope has a verdict", settled).await;
    assert_eq!(held(home, since_us).await, readings);
    assert_eq!(gateway.local.outbox.depth().await.unwrap().quarantined, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_lost_doubled_or_late_and_doubled_requests_lose_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path()).await;
    let began_us = home.real.utc_us() - MINUTE;
    let gateway = home.start().await;
    home.bound().await;
    let mut sent = 0;
    let late = Fault::LateReplies(Duration::from_secs(1));
    for fault in [Fault::DoubleRequests, Fault::LoseReplies, Fault::DoubleReplies, late, Fault::LoseReplies] {
        let (hits, before) = (home.link.hits(), held(&home, began_us).await);
        home.link.fault(fault);
        home.speak(&gateway, 60..80).await;
        sent += 20;
        until("it goes wrong", async || home.link.hits() > hits).await;
        until("a window has arrived", async || held(&home, began_us).await > before).await;
        if fault == Fault::LoseReplies {
            assert!(gateway.local.outbox.depth().await.unwrap().waiting > 0, "nobody has told the gateway");
        }
        home.link.fault(Fault::None);
        arrived(&home, &gateway, began_us, sent).await;
    }
    gateway.stop().await;
    assert_eq!(held(&home, began_us).await, sent);
    home.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hours_without_a_link_are_sealed_by_the_hour_and_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::scaled(300.0, Clock::system().utc_us());
    let mut home = Home::by(folder.path(), clock.clone(), clock.clone()).await;
    home.config.uplink.live_interval_s = 60;
    let began_us = clock.utc_us() - MINUTE;
    let gateway = home.start().await;
    home.bound().await;
    let reached = async |online: bool| until("it is noticed", async || *gateway.local.online.borrow() == online).await;
    reached(true).await;
    home.link.cut();
    reached(false).await;
    let (cut_us, before) = (clock.mono_us(), gateway.local.outbox.depth().await.unwrap().sealed);
    let mut sent = 0;
    while clock.mono_us() < cut_us + 125 * MINUTE {
        home.speak(&gateway, [60 + sent as u16 % 20]).await;
        sent += 1;
        clock.sleep(Duration::from_secs(50)).await;
    }
    let sealed = gateway.local.outbox.depth().await.unwrap().sealed - before;
    assert!((2..=4).contains(&sealed), "{sealed} envelopes for {sent} readings");
    // Whatever the hour was: something is not sealed.
    home.speak(&gateway, [80]).await;
    sent += 1;
    let sealed = gateway.local.outbox.depth().await.unwrap().sealed - before;
    home.link.heal();
    reached(true).await;
    until("the rest is sealed at once", async || gateway.local.outbox.depth().await.unwrap().sealed > before + sealed)
        .await;
    arrived(&home, &gateway, began_us, sent).await;
    gateway.stop().await;
    home.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_for_a_month_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path()).await;
    let began_us = home.real.utc_us() - MINUTE;
    let gateway = home.start().await;
    home.bound().await;
    home.link.cut();
    home.speak(&gateway, 60..80).await;
    gateway.stop().await;
    // Off for a month, and on again while the link is still away.
    let path = home.config.data_dir.join("install.json");
    let mut install: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    install["machine_boot"] = "another".into();
    std::fs::write(&path, install.to_string()).unwrap();
    home.real.shift_utc(30 * DAY);
    home.machine.shift_utc(30 * DAY);
    let gateway = home.start().await;
    home.speak(&gateway, 60..80).await;
    home.link.heal();
    arrived(&home, &gateway, began_us, 40).await;
    let old = held(&home, began_us).await - held(&home, began_us + DAY).await;
    assert_eq!(old, 20, "each is where it was");
    gateway.stop().await;
    home.end().await;
}

/// The cloud freezes an install that two boxes have; enrolled anew, each is one of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_that_was_copied_enrols_as_a_new_install_and_keeps_what_is_unsent() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path()).await;
    let began_us = home.real.utc_us() - MINUTE;
    let gateway = home.start().await;
    home.bound().await;
    home.speak(&gateway, 60..70).await;
    arrived(&home, &gateway, began_us, 10).await;
    home.link.cut();
    home.speak(&gateway, 60..80).await;
    let old = gateway.local.install.id;
    gateway.stop().await;
    // What its next envelope would have heard.
    let outbox = Outbox::open(&home.config.data_dir).unwrap();
    let reason = "forked: two boxes seal as this install".to_owned();
    let first = Verdict::Quarantined { reason };
    assert!(!outbox.is_forked(old).await.unwrap());
    outbox.settle(vec![(1, first)], home.real.utc_us()).await.unwrap();
    assert!(outbox.is_forked(old).await.unwrap());
    let unsent = outbox.depth().await.unwrap().waiting;
    assert!(unsent > 0);
    drop(outbox);
    home.link.heal();
    let code = home.admin.gateway_code(home.gateway).await.unwrap().code;
    medmon_gatewayd::enrol(&home.config, &code, &home.machine).await.unwrap();
    let gateway = home.start().await;
    let new = gateway.local.install.id;
    assert_ne!(new, old);
    assert_eq!(home.admin.gateway(home.gateway).await.unwrap().install, Some(new));
    assert_eq!(gateway.local.outbox.next_sequence().await.unwrap(), 1);
    home.speak(&gateway, 60..90).await;
    until("all readings are at the cloud", async || held(&home, began_us).await >= 40).await;
    let depth = async || gateway.local.outbox.depth().await.unwrap();
    until("every envelope has a verdict", async || depth().await.waiting == 0).await;
    assert_eq!(held(&home, began_us).await, 40, "its own");
    assert_eq!(depth().await.quarantined, unsent, "the old install's wait at the cloud for a person");
    assert!(!gateway.local.outbox.is_forked(new).await.unwrap());
    gateway.stop().await;
    // Enrolled once more, it stays who it is.
    let code = home.admin.gateway_code(home.gateway).await.unwrap().code;
    medmon_gatewayd::enrol(&home.config, &code, &home.machine).await.unwrap();
    assert_eq!(home.admin.gateway(home.gateway).await.unwrap().install, Some(new));
    home.end().await;
}

/// Envelopes of a day ago: `count` of them, of `windows` parts of one reading each. How many bytes.
async fn backlog(home: &Home, count: u64, windows: i64) -> usize {
    let outbox = Outbox::open(&home.config.data_dir).unwrap();
    let install: serde_json::Value =
        serde_json::from_slice(&std::fs::read(home.config.data_dir.join("install.json")).unwrap()).unwrap();
    let install = serde_json::from_value(install["id"].clone()).unwrap();
    let epoch = home.doctor.assignments(home.patient).await.unwrap()[0].epoch;
    let first = outbox.next_sequence().await.unwrap();
    let day_ago_us = home.real.utc_us() - DAY;
    let sealed = (0..count as i64).map(|number| {
        let windows = (0..windows).map(|index| {
            let place = number * windows + index;
            // No two alike: it does not pack (SplitMix64).
            let mut noise = (place as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            noise = (noise ^ (noise >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 32;
            Window::of(Vital::HEART_RATE, day_ago_us + place * 1_500_000, 500 + (noise % 1000) as i32, 1000, true)
        });
        let (windows, gaps) = (windows.collect(), Vec::new());
        let sequence = first + number as u64;
        Envelope { install, stream: 0, sequence, epoch, sealed_us: day_ago_us, windows, gaps }
    });
    let sealed: Vec<_> = sealed.collect();
    let bytes = sealed.iter().map(|one| medmon_core::wire::envelope::encode(one).len()).sum();
    let state = outbox.downsample_state().await.unwrap();
    outbox.commit(&state, Batch { sealed, ..Batch::default() }).await.unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_kilobyte_a_second_an_alert_and_the_newest_window_pass_the_backlog() {
    const SPEED: u32 = 10;
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::scaled(SPEED.into(), Clock::system().utc_us());
    let home = Home::by(folder.path(), clock.clone(), clock.clone()).await;
    let began_us = clock.utc_us() - MINUTE;
    let gateway = home.start().await;
    home.bound().await;
    gateway.stop().await;
    clock.shift_utc(2 * DAY);
    let (count, windows) = (350, 140);
    let bytes = backlog(&home, count, windows).await;
    home.link.slow(Some(1000 * SPEED));
    let gateway = home.start().await;
    let waiting = async || gateway.local.outbox.depth().await.unwrap().waiting;
    until("the backlog is on its way", async || waiting().await < count as i64 - 2).await;
    // A racing heart.
    let mut sent = 0;
    while gateway.local.facts.alerts().is_empty() {
        home.speak(&gateway, [158]).await;
        sent += 1;
        clock.sleep(Duration::from_secs(1)).await;
    }
    let raised_us = clock.mono_us();
    until("the alert is at the cloud", async || !home.alerts().await.is_empty()).await;
    println!("{bytes} bytes wait; the alert took {} ms", (clock.mono_us() - raised_us) / 1000);
    assert!(waiting().await > 10, "the backlog is still on its way");
    let newest = async || held(&home, clock.utc_us() - 60 * MINUTE).await > 0;
    until("the newest window is at the cloud", newest).await;
    assert!(waiting().await > 5, "the backlog is still on its way");
    arrived(&home, &gateway, began_us, count * windows as u64 + sent).await;
    gateway.stop().await;
    home.end().await;
}

/// An HTTP proxy that leads everything to one place, and counts.
async fn proxy(target: SocketAddr) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let passed = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let passed = Arc::clone(&passed);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(near.read_u8().await?);
                }
                passed.fetch_add(1, Ordering::Relaxed);
                let mut far = TcpStream::connect(target).await?;
                if head.starts_with(b"CONNECT cloud.example:443 ") {
                    near.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
                } else {
                    far.write_all(&head).await?;
                }
                copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    (address, count)
}

/// TLS in front of `target`, as `cloud.example`. Gives where, and the authority's certificate.
async fn terminator(target: SocketAddr) -> (SocketAddr, String) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let root = authority.self_signed(&key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf =
        rcgen::CertificateParams::new(vec!["cloud.example".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut near = acceptor.accept(near).await?;
                let mut far = TcpStream::connect(target).await?;
                copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    (address, root)
}

/// Envelopes that the gateway of `data` has sealed, as its socket says.
async fn sealed(data: &Path) -> Option<i64> {
    let mut stream = UnixStream::connect(data.join("gatewayd.sock")).await.ok()?;
    stream.write_all(b"{\"command\":\"status\"}\n").await.ok()?;
    let line = BufReader::new(stream).lines().next_line().await.ok()??;
    serde_json::from_str::<serde_json::Value>(&line).ok()?["outbox"]["sealed"].as_i64()
}

/// A gateway that is told of nothing but this configuration.
struct Site {
    dongle: Dongle,
    env: Vec<(&'static str, String)>,
}

impl Site {
    fn new(folder: &Path, url: &str) -> Self {
        let dongle = Dongle::open(DongleOptions::default(), Clock::system()).unwrap();
        dongle.know(DeviceSpec::sensor(STRAP, "medmon-sensor", &[air::CLUSTER_HEART_RATE]));
        let env = vec![
            ("MEDMON_CONFIG", common::empty_config(folder)),
            ("MEDMON_GATEWAY__DATA_DIR", folder.join("gateway").display().to_string()),
            ("MEDMON_GATEWAY__RADIO__PORT", dongle.port().display().to_string()),
            ("MEDMON_GATEWAY__DEVICES", format!("{{ \"{STRAP:016x}\" = {{ vitals = [\"heart_rate\"] }} }}")),
            ("MEDMON_GATEWAY__UPLINK__LIVE_INTERVAL_S", "1".into()),
            ("MEDMON_GATEWAY__UPLINK__URL", url.into()),
            ("NO_PROXY", "elsewhere.example".into()),
        ];
        Self { dongle, env }
    }

    /// Enrols, speaks, and is heard: what it seals has verdicts.
    async fn is_heard(&self, folder: &Path, cloud: &Cloud, name: &str) {
        let admin = cloud.client("admin");
        let added = admin.add_gateway(&medmon_api::gateway::NewGateway { name: name.into() }).await.unwrap();
        let enrolled = output("medmon-gatewayd", &["enrol", &added.code], &self.env);
        assert!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
        let process = Process::start("medmon-gatewayd", &self.env, &folder.join("gatewayd.log"));
        self.dongle.ready().await;
        assert!(self.dongle.report(STRAP, 1, &[air::heart_rate(70)]).await);
        let data = folder.join("gateway");
        until("a window is sealed", async || sealed(&data).await.is_some_and(|sealed| sealed > 0)).await;
        let heard = async || admin.gateway(added.gateway.id).await.unwrap().heartbeat.is_some();
        until("the gateway is heard", heard).await;
        process.terminate().await;
        // Nobody's, so set aside, and said so.
        let depth = Outbox::open(&data).unwrap().depth().await.unwrap();
        assert!(depth.sealed > 0 && depth.waiting == 0 && depth.quarantined == depth.sealed, "{depth:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_proxy_the_cloud_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(folder.path()).await;
    let (proxy, passed) = proxy(cloud.url.trim_start_matches("http://").parse().unwrap()).await;
    let mut site = Site::new(folder.path(), "http://cloud.example");
    site.env.push(("HTTP_PROXY", format!("http://{proxy}")));
    site.is_heard(folder.path(), &cloud, "gw-0001").await;
    assert!(passed.load(Ordering::Relaxed) > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_with_a_private_authority_goes_through_a_proxy_and_no_other_authority_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(folder.path()).await;
    let target = cloud.url.trim_start_matches("http://").parse().unwrap();
    let (secure, root) = terminator(target).await;
    let (_, another) = terminator(target).await;
    let (proxy, passed) = proxy(secure).await;
    let mut site = Site::new(folder.path(), "https://cloud.example");
    let file = folder.path().join("ca.pem");
    site.env.push(("HTTPS_PROXY", format!("http://{proxy}")));
    site.env.push(("MEDMON_GATEWAY__UPLINK__CA_FILE", file.display().to_string()));
    std::fs::write(&file, another).unwrap();
    let refused = output("medmon-gatewayd", &["enrol", "MEDM-0000"], &site.env);
    assert!(!refused.status.success() && passed.load(Ordering::Relaxed) > 0);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("does not answer") && said.contains("certificate"), "{said}");
    std::fs::write(&file, root).unwrap();
    site.is_heard(folder.path(), &cloud, "gw-0001").await;
}
