use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use medmon_core::noun::Value;
use medmon_kit::Clock;

use super::super::backup::Vault;
use super::super::counters::Counters;
use super::super::link::Link;
use super::super::map::Map;
use super::super::pairing::Policy;
use super::super::table::Table;
use super::super::unmatched::Unmatched;
use super::super::unpi::Frame;
use super::*;

/// The next request on the line, as command and data.
async fn asked(line: &mut DuplexStream) -> Frame {
    let mut head = [0; 4];
    line.read_exact(&mut head).await.unwrap();
    let mut data = vec![0; usize::from(head[1]) + 1];
    line.read_exact(&mut data).await.unwrap();
    data.pop();
    Frame { command: u16::from_be_bytes([head[2], head[3]]), data }
}

async fn answer(line: &mut DuplexStream, command: u16, data: &[u8]) {
    line.write_all(&Frame { command, data: data.to_vec() }.encode().unwrap()).await.unwrap();
}

fn message(network: u16, sequence: u8) -> Frame {
    let mut data = vec![0; 17];
    data[4..6].copy_from_slice(&network.to_le_bytes());
    let zcl = [0x18, sequence, 0x0A, 0, 0, 0x29, sequence, 0x0E];
    data[2..4].copy_from_slice(&0x0402_u16.to_le_bytes());
    data[16] = zcl.len() as u8;
    data.extend(zcl);
    Frame { command: AF_INCOMING, data }
}

/// A session over a line whose other end the test holds.
async fn with_session<T>(test: impl AsyncFnOnce(DuplexStream, &mut mpsc::Receiver<super::super::Report>) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = tokio::io::duplex(4096);
    let (clock, counters) = (Clock::scaled(1.0, 0), Counters::default());
    let (link, mut indications) = Link::open(ours, clock.clone(), counters.clone());
    let (reports, mut inbox) = mpsc::channel(64);
    let (_settings, settings) = tokio::sync::watch::channel(Arc::default());
    let context = Context {
        map: Map::new(&[]).unwrap(),
        policy: Policy::default(),
        flood_limit: 200,
        allow_unlisted: false,
        settings,
        table: Table::open(folder.path()),
        unmatched: Unmatched::default(),
        vault: Vault::new(folder.path(), None),
        clock: clock.clone(),
        counters: counters.clone(),
        reports,
    };
    let (_orders, mut orders) = mpsc::channel(1);
    let air = Air::new(link, clock, counters);
    let mut session = Session::new(&context, air, Coordinator { ieee: Ieee(99), version: [2, 7, 1] }, None);
    let stop = CancellationToken::new();
    tokio::select! {
        _ended = session.listen(&mut indications, &mut orders, &stop) => panic!("the session ended"),
        result = test(theirs, &mut inbox) => result,
    }
}

/// The answer of the dongle's table does not say whom it is about: a late one is never taken for another's.
#[tokio::test(start_paused = true)]
async fn a_table_that_was_late_once_is_not_asked_again() {
    let lookups = with_session(async |mut line, _| {
        answer(&mut line, AF_INCOMING, &message(0x1000, 1).data).await;
        let mut lookups = Vec::new();
        while lookups.len() < 3 {
            let request = asked(&mut line).await;
            match request.command {
                UTIL_LOOKUP => lookups.push(request.command),
                ZDO_IEEE_REQUEST => {
                    lookups.push(request.command);
                    answer(&mut line, 0x6501, &[0]).await;
                    if lookups.len() == 2 {
                        answer(&mut line, AF_INCOMING, &message(0x2000, 1).data).await;
                    }
                }
                other => answer(&mut line, other | 0x4000, &[0]).await,
            }
        }
        lookups
    })
    .await;
    assert_eq!(lookups, [UTIL_LOOKUP, ZDO_IEEE_REQUEST, ZDO_IEEE_REQUEST]);
}

/// A patient mix-up: 1 spoke under 0x1000; before the look-up is answered, with whichever of them, 0x1000 is announced to
/// be 2.
#[tokio::test(start_paused = true)]
async fn what_was_said_before_an_address_changed_hands_is_nobodys() {
    for round in 0..50_u64 {
        let report = with_session(async |mut line, reports| {
            answer(&mut line, AF_INCOMING, &message(0x1000, 1).data).await;
            while asked(&mut line).await.command != UTIL_LOOKUP {}
            let mut announced = vec![0x00, 0x10];
            announced.extend(2_u64.to_le_bytes());
            announced.extend([0, 0]);
            answer(&mut line, ZDO_JOIN, &announced).await;
            answer(&mut line, 0x6741, &(1 + round % 2).to_le_bytes()).await;
            answer(&mut line, AF_INCOMING, &message(0x1000, 2).data).await;
            reports.recv().await.unwrap()
        })
        .await;
        assert_eq!((report.device, report.value), (Ieee(2), Value::Scalar(0x0E02)), "round {round}");
    }
}
