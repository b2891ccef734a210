//! A virtual GSM modem behind a PTY, with the network and the phones it reaches.
//!
//! Not for: people who answer (relative.rs).

mod gsm7;
mod pdu;
mod terminal;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use medmon_kit::clock::Clock;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::lock;
use crate::pty::{Pty, PtyError};
use pdu::Submit;
use terminal::{Effect, Terminal};

/// How the modem starts.
#[derive(Clone, Debug)]
pub struct ModemOptions {
    /// From the acceptance of a message to the report that the phone has it.
    pub delivery_delay: Duration,
    /// PIN of the SIM; `None` = not locked.
    pub pin: Option<String>,
    /// What goes wrong from the start.
    pub faults: ModemFaults,
}

impl Default for ModemOptions {
    fn default() -> Self {
        Self { delivery_delay: Duration::from_secs(3), pin: None, faults: ModemFaults::default() }
    }
}

/// What goes wrong; all can be switched at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModemFaults {
    /// Searching for a network: AT+CREG? says 2, sending fails with +CMS ERROR: 331, inbound texts wait.
    pub no_network: bool,
    /// Says nothing at all.
    pub freeze: bool,
    /// RING before every line of an answer, and around a prompt.
    pub chatter: bool,
    /// A line of noise before every line of an answer, and noise at the beginning of those that are not the last.
    pub noise: bool,
    /// AT+CMGS gets no prompt.
    pub no_prompt: bool,
    /// A message is sent, but the host hears neither +CMGS nor OK.
    pub lose_ok: bool,
    /// A message is taken and goes nowhere, and the host hears nothing.
    pub eats: bool,
    /// Restarts in place of a prompt.
    pub reboots_before: bool,
    /// A message is sent, and in place of an answer it restarts.
    pub reboots_after: bool,
    /// A message is sent, and the answer is +CMS ERROR: 332, the network timed out.
    pub network_timeout: bool,
    /// Sending fails with +CMS ERROR: 314, the SIM is busy.
    pub sim_busy: bool,
    /// Errors are words, whatever the host wants.
    pub words: bool,
    /// Each delivery report comes twice.
    pub duplicate_reports: bool,
    /// Delivery reports are only told when stored: +CDSI, memory "SR".
    pub stored_reports: bool,
    /// Inbound texts are only told when not stored: +CMT.
    pub unstored: bool,
}

/// A text as it arrives on a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentSms {
    /// E.164.
    pub to: String,
    /// The whole text; parts are put together.
    pub text: String,
    /// When the modem had the last part, monotonic µs.
    pub at_mono_us: i64,
    /// The same in UTC µs.
    pub at_utc_us: i64,
    /// Message reference of the last part.
    pub reference: u8,
}

/// A running modem; it stops when dropped.
#[derive(Debug)]
pub struct Modem {
    shared: Arc<Shared>,
    port: PathBuf,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    /// `None`: it is unplugged.
    pty: Mutex<Option<Arc<Pty>>>,
    clock: Clock,
    delivery_delay: Duration,
    terminal: Mutex<Terminal>,
    /// Held while one answer or one unasked line is written.
    line: tokio::sync::Mutex<()>,
    network: Mutex<Network>,
    sent: broadcast::Sender<SentSms>,
    received: broadcast::Sender<(String, String)>,
}

/// What phones have received, whole and in parts.
#[derive(Debug, Default)]
struct Network {
    history: Vec<SentSms>,
    parts: BTreeMap<(String, u16, u8), BTreeMap<u8, String>>,
    inbound: u8,
}

impl Modem {
    /// Plugs the modem in.
    pub fn open(options: ModemOptions, clock: Clock) -> Result<Self, PtyError> {
        let shared = Arc::new(Shared {
            pty: Mutex::new(None),
            clock,
            delivery_delay: options.delivery_delay,
            terminal: Mutex::new(Terminal::new(&options)),
            line: tokio::sync::Mutex::new(()),
            network: Mutex::new(Network::default()),
            sent: broadcast::Sender::new(256),
            received: broadcast::Sender::new(256),
        });
        let mut modem = Self { shared, port: PathBuf::new(), task: Mutex::new(None) };
        modem.port = modem.plug()?;
        Ok(modem)
    }

    /// The serial port the host opens; after [`Self::plug`] another one.
    pub fn port(&self) -> &Path {
        &self.port
    }

    /// Pulls it out: the port is gone, and its power; what phones text waits in the network.
    pub fn unplug(&self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
        lock(&self.shared.pty).take();
        lock(&self.shared.terminal).powered = false;
    }

    /// Puts it in again, under another name; it starts anew.
    pub fn plug(&self) -> Result<PathBuf, PtyError> {
        self.unplug();
        let pty = Arc::new(Pty::open()?);
        let port = pty.path().to_owned();
        {
            let mut terminal = lock(&self.shared.terminal);
            terminal.powered = true;
            terminal.reboot();
            // Nobody has the port open yet.
            terminal.settle();
        }
        *lock(&self.shared.pty) = Some(Arc::clone(&pty));
        *lock(&self.task) = Some(tokio::spawn(serve(Arc::clone(&self.shared), pty)));
        Ok(port)
    }

    /// Texts from now on, as phones receive them.
    pub fn sent(&self) -> broadcast::Receiver<SentSms> {
        self.shared.sent.subscribe()
    }

    /// What phones text to this SIM from now on: from whom, what.
    pub fn received(&self) -> broadcast::Receiver<(String, String)> {
        self.shared.received.subscribe()
    }

    /// Every text so far.
    pub fn history(&self) -> Vec<SentSms> {
        lock(&self.shared.network).history.clone()
    }

    /// A phone texts this SIM.
    pub async fn receive(&self, from: &str, text: &str) {
        let reference = {
            let mut network = lock(&self.shared.network);
            network.inbound = network.inbound.wrapping_add(1);
            network.inbound
        };
        // Nobody watching is fine.
        let _ = self.shared.received.send((from.to_owned(), text.to_owned()));
        for pdu in pdu::encode_deliver(from, text, self.shared.clock.utc_us(), reference) {
            self.shared.act(|terminal| terminal.deliver(pdu)).await;
        }
    }

    /// Switches faults; what a healed network held back arrives.
    pub async fn set_faults(&self, faults: ModemFaults) {
        self.shared
            .act(|terminal| {
                terminal.faults = faults;
                terminal.settle()
            })
            .await;
    }

    /// The faults now in force.
    pub fn faults(&self) -> ModemFaults {
        lock(&self.shared.terminal).faults
    }

    /// The modem restarts by itself: settings are lost, the SIM keeps its messages.
    pub async fn reboot(&self) {
        self.shared.act(Terminal::reboot).await;
    }
}

impl Drop for Modem {
    fn drop(&mut self) {
        self.unplug();
    }
}

impl Shared {
    /// Lets the terminal decide and carries out what it wants, as one step on the line.
    async fn act(self: &Arc<Self>, decide: impl FnOnce(&mut Terminal) -> Vec<Effect>) {
        let _line = self.line.lock().await;
        let effects = decide(&mut lock(&self.terminal));
        let pty = lock(&self.pty).clone();
        for effect in effects {
            match effect {
                Effect::Say(text) => {
                    if let Some(pty) = &pty {
                        pty.write(text.as_bytes()).await;
                    }
                }
                Effect::Send(submit, reference) => self.send(submit, reference),
            }
        }
    }

    fn send(self: &Arc<Self>, submit: Submit, reference: u8) {
        let at_utc_us = self.clock.utc_us();
        if submit.report {
            let (shared, to) = (Arc::clone(self), submit.to.clone());
            tokio::spawn(async move {
                shared.clock.sleep(shared.delivery_delay).await;
                let pdu = pdu::encode_status_report(reference, &to, at_utc_us, shared.clock.utc_us());
                shared.act(|terminal| terminal.report(&pdu)).await;
            });
        }
        let mut network = lock(&self.network);
        let Some(text) = network.whole_text(&submit) else { return };
        let sms = SentSms { to: submit.to, text, at_mono_us: self.clock.mono_us(), at_utc_us, reference };
        network.history.push(sms.clone());
        // Nobody may be watching.
        let _ = self.sent.send(sms);
    }
}

impl Network {
    /// The text once all its parts are there.
    fn whole_text(&mut self, submit: &Submit) -> Option<String> {
        let Some(part) = submit.part else { return Some(submit.text.clone()) };
        let key = (submit.to.clone(), part.reference, part.total);
        let parts = self.parts.entry(key.clone()).or_default();
        parts.insert(part.number, submit.text.clone());
        if parts.len() < usize::from(part.total) {
            return None;
        }
        self.parts.remove(&key).map(|parts| parts.into_values().collect())
    }
}

async fn serve(shared: Arc<Shared>, pty: Arc<Pty>) {
    loop {
        match pty.read().await {
            Ok(bytes) => shared.act(|terminal| terminal.feed(&bytes)).await,
            Err(error) => {
                tracing::warn!(%error, "virtual modem: the line is gone");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pty::host::Host;
    use crate::relative::Relative;
    use tokio_util::sync::CancellationToken;

    struct Bench {
        modem: Modem,
        host: Host,
        clock: Clock,
    }

    impl Bench {
        fn new() -> Self {
            let clock = Clock::scaled(1000.0, 1_764_000_000_000_000);
            let modem = Modem::open(ModemOptions::default(), clock.clone()).unwrap();
            let host = Host::open(modem.port());
            Self { modem, host, clock }
        }

        /// Writes, and reads until `end` has come.
        async fn ask(&self, bytes: &str, end: &str) -> String {
            self.host.write(bytes.as_bytes());
            self.until(end).await
        }

        async fn until(&self, end: &str) -> String {
            let all = self.host.read_until(|all| String::from_utf8_lossy(all).contains(end)).await;
            String::from_utf8(all).unwrap()
        }

        async fn set_up(&self) {
            self.ask("ATE0\r", "OK").await;
            self.ask("AT+CNMI=2,1,0,1,0\r", "OK").await;
        }

        async fn send(&self, pdu: &str) {
            let length = pdu.len() / 2 - 1;
            self.ask(&format!("AT+CMGS={length}\r"), "> ").await;
            self.ask(&format!("{pdu}\x1A"), "OK").await;
        }
    }

    /// An SMS-SUBMIT with a status report wanted and no validity.
    fn submit(to: &str, text: &str, header: &[u8]) -> String {
        let digits = to.trim_start_matches('+');
        let septets = gsm7::encode(text).unwrap();
        let taken = (header.len() * 8).div_ceil(7);
        let mut pdu = vec![0, if header.is_empty() { 0x21 } else { 0x61 }, 0, digits.len() as u8, 0x91];
        let digits: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
        pdu.extend(digits.chunks(2).map(|pair| pair[0] | pair.get(1).unwrap_or(&15) << 4));
        pdu.extend([0, 0, (taken + septets.len()) as u8]);
        pdu.extend(header);
        pdu.extend(gsm7::pack(&septets, taken * 7 - header.len() * 8));
        pdu::to_hex(&pdu)
    }

    #[tokio::test]
    async fn a_text_arrives_is_reported_delivered_and_answered() {
        let bench = Bench::new();
        bench.set_up().await;
        let relative = Relative {
            phone: "+33639981001".into(),
            name: "Paul".into(),
            language: "fr",
            reply_after: Duration::from_secs(6),
            answers: true,
        };
        let stop = CancellationToken::new();
        let dialogue = async {
            // The relative subscribes when first polled, which join! does before the dialogue waits.
            bench.send(&submit("+33639981001", "medmon 4821: Jeanne ... OK 4821", &[])).await;
            let heard = bench.until("+CMTI: \"SM\",1").await;
            let report = heard.split("+CDS: ").nth(1).unwrap();
            let (length, pdu) = report.split_once("\r\n").unwrap();
            let pdu = pdu::from_hex(pdu.split("\r\n").next().unwrap()).unwrap();
            assert_eq!(length.parse::<usize>().unwrap(), pdu.len() - 8);
            assert_eq!((pdu[8], pdu[9], pdu[pdu.len() - 1]), (0x06, 1, 0));
            let stored = bench.ask("AT+CMGR=1\r", "OK").await;
            assert!(stored.contains(&pdu::to_hex(&gsm7::pack(&gsm7::encode("OK 4821").unwrap(), 0))));
            stop.cancel();
        };
        tokio::join!(relative.watch(&bench.modem, &bench.clock, stop.clone()), dialogue);
        let history = bench.modem.history();
        assert_eq!((history.len(), history[0].reference), (1, 1));
        assert_eq!(history[0].text, "medmon 4821: Jeanne ... OK 4821");
    }

    #[tokio::test]
    async fn parts_arrive_as_one_text() {
        let bench = Bench::new();
        bench.set_up().await;
        let mut sent = bench.modem.sent();
        bench.send(&submit("+33639981001", "world", &[5, 0, 3, 9, 2, 2])).await;
        bench.send(&submit("+33639981001", "hello ", &[5, 0, 3, 9, 2, 1])).await;
        assert_eq!(sent.recv().await.unwrap().text, "hello world");
        assert_eq!(bench.modem.history().len(), 1);
    }

    #[tokio::test]
    async fn faults_switch_at_run_time_and_a_reboot_forgets_settings() {
        let bench = Bench::new();
        bench.set_up().await;
        bench.modem.set_faults(ModemFaults { no_network: true, ..ModemFaults::default() }).await;
        bench.modem.receive("+33639981001", "OK 4821").await;
        assert!(bench.ask("AT+CREG?\r", "OK").await.contains("0,2"));
        bench.modem.set_faults(ModemFaults::default()).await;
        bench.until("+CMTI: \"SM\",1").await;
        bench.modem.reboot().await;
        bench.until("SMS Ready").await;
        assert!(bench.ask("AT\r", "OK").await.starts_with("AT\r"), "echo is on again");
    }
}
