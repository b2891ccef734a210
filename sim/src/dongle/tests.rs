//! The dialogue a host has with the dongle, in raw frames over the PTY.

use medmon_kit::clock::Clock;

use super::frame::{Decoder, Frame};
use super::{DeviceSpec, Dongle, DongleOptions};
use crate::air;
use crate::pty::host::Host;

const BELT: u64 = 0x00124b002a5c0d01;

fn belt() -> DeviceSpec {
    DeviceSpec::sensor(BELT, "BELT-1", &[air::CLUSTER_HEART_RATE, air::CLUSTER_ACCELERATION])
}

struct Bench {
    dongle: Dongle,
    host: Host,
    clock: Clock,
}

impl Bench {
    fn new(options: DongleOptions) -> Self {
        let clock = Clock::scaled(1000.0, 0);
        let dongle = Dongle::open(options, clock.clone()).unwrap();
        let host = Host::open(dongle.port());
        Self { dongle, host, clock }
    }

    /// Sends a request and reads `count` frames.
    async fn ask(&self, command: u16, data: &[u8], count: usize) -> Vec<Frame> {
        self.host.write(&Frame::new(command, data).encode());
        self.frames(count).await
    }

    async fn frames(&self, count: usize) -> Vec<Frame> {
        let decode = |all: &[u8]| Decoder::default().push(all);
        decode(&self.host.read_until(|all| decode(all).len() >= count).await)
    }

    async fn start(&self) {
        self.ask(0x2F05, &[4], 4).await;
        let registered = self.ask(0x2400, &[1, 4, 1, 5, 0, 0, 0, 0, 0], 1).await;
        assert_eq!(registered, [Frame::new(0x6400, [0])]);
    }
}

#[tokio::test]
async fn a_formed_dongle_restores_its_network() {
    let bench = Bench::new(DongleOptions::default());
    assert_eq!(bench.ask(0x2101, &[], 1).await, [Frame::new(0x6101, [0x59, 0x06])]);
    assert_eq!(bench.ask(0x2102, &[], 1).await[0].data[..5], [2, 1, 2, 7, 1]);
    assert_eq!(bench.ask(0x2108, &[0x55, 0, 0], 1).await, [Frame::new(0x6108, [0, 1, 1])]);
    assert_eq!(bench.ask(0x2113, &[0x21, 0], 1).await, [Frame::new(0x6113, [116, 0])]);
    assert_eq!(bench.ask(0x2108, &[0x8F, 0, 0], 1).await, [Frame::new(0x6108, [0, 1, 1])]);
    let reset = bench.ask(0x4100, &[1], 1).await;
    assert_eq!((reset[0].command, reset[0].data.len()), (0x4180, 6));
    assert_eq!(bench.ask(0x2700, &[], 1).await[0].data[12], 0);

    let started = bench.ask(0x2F05, &[4], 4).await;
    let commands: Vec<u16> = started.iter().map(|frame| frame.command).collect();
    assert_eq!(commands, [0x6F05, 0x45C0, 0x4F80, 0x4F80]);
    assert_eq!((started[1].data[0], started[2].data[0], started[3].data[0]), (9, 0x0D, 0x08));
    assert_eq!(bench.ask(0x2700, &[], 1).await[0].data[12], 9);
    let info = bench.ask(0x2550, &[], 1).await;
    assert_eq!((info[0].data.len(), info[0].data[23]), (24, 15));
}

#[tokio::test]
async fn a_blank_dongle_is_set_up_and_forms() {
    let bench = Bench::new(DongleOptions { formed: false, ..DongleOptions::default() });
    assert_eq!(bench.ask(0x2113, &[0x21, 0], 1).await, [Frame::new(0x6113, [0, 0])]);
    assert_eq!(bench.ask(0x2540, &[100, 0], 1).await, [Frame::new(0x6540, [2])]);
    assert_eq!(bench.ask(0x2109, &[0x03, 0, 0, 1, 3], 1).await, [Frame::new(0x6109, [0])]);
    bench.ask(0x4100, &[1], 1).await;
    assert_eq!(bench.ask(0x2109, &[0x03, 0, 0, 1, 0], 1).await, [Frame::new(0x6109, [0])]);
    assert_eq!(bench.ask(0x2109, &[0x8F, 0, 0, 1, 1], 1).await, [Frame::new(0x6109, [0])]);
    assert_eq!(bench.ask(0x2107, &[0x47, 0, 8, 0, 0], 1).await, [Frame::new(0x6107, [9])]);
    assert_eq!(bench.ask(0x2109, &[0x47, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8], 1).await, [Frame::new(0x6109, [0])]);
    assert_eq!(bench.ask(0x2112, &[0x47, 0, 7, 0], 1).await, [Frame::new(0x6112, [0x0C])]);
    bench.ask(0x4100, &[1], 1).await;
    bench.ask(0x2F08, &[1, 0, 0x80, 0, 0], 1).await;
    let formed = bench.ask(0x2F05, &[4], 4).await;
    assert_eq!(formed[1..3], [Frame::new(0x45C0, [8]), Frame::new(0x45C0, [9])]);
    let settled = async {
        while bench.ask(0x211C, &[0x21, 0, 0, 0], 1).await[0].data[2 + 24] == 0 {
            bench.clock.sleep(std::time::Duration::from_secs(1)).await;
        }
    };
    assert!(tokio::time::timeout(std::time::Duration::from_secs(5), settled).await.is_ok());
}

#[tokio::test]
async fn the_unknown_and_the_malformed_are_refused() {
    let bench = Bench::new(DongleOptions::default());
    assert_eq!(bench.ask(0x2199, &[], 1).await, [Frame::new(0x6000, [2, 0x21, 0x99])]);
    assert_eq!(bench.ask(0x3E01, &[], 1).await, [Frame::new(0x6000, [1, 0x3E, 0x01])]);
    assert_eq!(bench.ask(0x2400, &[1], 1).await, [Frame::new(0x6000, [4, 0x24, 0x00])]);
    assert_eq!(bench.dongle.counters().refused_requests, 3);
}

#[tokio::test]
async fn reports_need_a_registered_endpoint_and_a_reset_forgets_it() {
    let bench = Bench::new(DongleOptions::default());
    let nwk = bench.dongle.know(belt());
    assert!(!bench.dongle.report(BELT, 1, &[air::heart_rate(72)]).await);
    bench.start().await;
    bench.dongle.ready().await;
    assert!(bench.dongle.report(BELT, 1, &[air::heart_rate(72)]).await);
    let message = bench.frames(1).await.remove(0);
    assert_eq!(message.command, 0x4481);
    assert_eq!(message.data[2..8], [0x80, 0xFC, nwk as u8, (nwk >> 8) as u8, 1, 1]);
    assert_eq!(message.data[16], 10);
    // The report nobody heard used up sequence 1.
    assert_eq!(message.data[17..27], [0x0C, 0xF1, 0xFF, 2, 0x0A, 0, 0, 0x21, 72, 0]);
    assert_eq!(message.data.len(), 30);

    bench.dongle.reset().await;
    assert_eq!(bench.frames(1).await[0].command, 0x4180);
    assert!(!bench.dongle.report(BELT, 1, &[air::heart_rate(72)]).await);
    let counters = bench.dongle.counters();
    assert_eq!((counters.reports, counters.lost_reports), (1, 2));
}

#[tokio::test]
async fn a_sensor_joins_is_interviewed_rejoins_and_leaves() {
    let bench = Bench::new(DongleOptions::default());
    bench.start().await;
    assert!(!bench.dongle.join(belt()).await, "the window is closed");
    let opened = bench.ask(0x2536, &[2, 0, 0, 250, 0], 3).await;
    assert_eq!(opened[1], Frame::new(0x45B6, [0, 0, 0]));
    assert!(bench.dongle.join(belt()).await);
    let joined = bench.frames(2).await;
    assert_eq!((joined[0].command, joined[1].command), (0x45CA, 0x45C1));
    assert_eq!(joined[1].data[4..12], BELT.to_le_bytes());
    let nwk = [joined[0].data[0], joined[0].data[1]];

    let both = [nwk, nwk].concat();
    assert_eq!(bench.ask(0x2502, &both, 2).await[1].data.len(), 18);
    assert_eq!(bench.ask(0x2505, &both, 2).await[1].data[5..], [1, 1]);
    let simple = bench.ask(0x2504, &[both.as_slice(), &[1]].concat(), 2).await;
    assert_eq!(simple[1].data[5..9], [16, 1, 0x04, 0x01]);
    let mut bind = nwk.to_vec();
    bind.extend(BELT.to_le_bytes());
    bind.extend([1, 0x80, 0xFC, 3, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(bench.ask(0x2521, &bind, 2).await[1], Frame::new(0x45A1, [nwk[0], nwk[1], 0]));
    let read = [nwk[0], nwk[1], 1, 1, 0, 0, 7, 0x10, 30, 5, 0x00, 9, 0x00, 5, 0];
    let read = bench.ask(0x2401, &read, 3).await;
    assert_eq!(read[1], Frame::new(0x4480, [0, 1, 7]));
    assert!(read[2].data.windows(6).any(|part| part == b"BELT-1"));
    let response = [nwk[0], nwk[1], 1, 1, 0x80, 0xFC, 8, 0, 30, 7, 0x14, 0xF1, 0xFF, 1, 0x0B, 0x0A, 0];
    bench.ask(0x2401, &response, 2).await;
    assert_eq!((bench.dongle.counters().default_responses, bench.dongle.counters().bound), (1, 1));

    assert!(bench.dongle.rejoin(BELT).await);
    let back = bench.frames(2).await;
    let new = [back[0].data[0], back[0].data[1]];
    assert_ne!(new, nwk);
    assert_eq!(bench.ask(0x2741, &new, 1).await[0].data, BELT.to_le_bytes());
    assert_eq!(bench.ask(0x2741, &nwk, 1).await[0].data, [0xFF; 8]);
    assert_eq!(bench.ask(0x2501, &[new[0], new[1], 0, 0], 2).await[1].data[1..9], BELT.to_le_bytes());
    let gone = bench.ask(0x2401, &[nwk[0], nwk[1], 1, 1, 0, 0, 7, 0x10, 30, 0], 2).await;
    assert_eq!(gone[1], Frame::new(0x4480, [0xCD, 1, 7]));
    assert!(bench.dongle.leave(BELT).await);
    assert_eq!(bench.frames(1).await[0].command, 0x45C9);
}

#[tokio::test]
async fn without_direct_callbacks_zdo_answers_stay_inside_until_the_next_boot() {
    let bench = Bench::new(DongleOptions { direct_callbacks: false, ..DongleOptions::default() });
    bench.start().await;
    assert_eq!(bench.ask(0x2536, &[2, 0, 0, 60, 0], 2).await.last().unwrap().command, 0x45CB);
    bench.ask(0x2109, &[0x8F, 0, 0, 1, 1], 1).await;
    bench.ask(0x4100, &[1], 1).await;
    bench.start().await;
    assert_eq!(bench.ask(0x2536, &[2, 0, 0, 60, 0], 3).await[1].command, 0x45B6);
}
