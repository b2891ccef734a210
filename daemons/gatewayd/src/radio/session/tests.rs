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
    let (_orders, orders) = mpsc::channel(1);
    with_orders(orders, test).await
}

async fn with_orders<T>(
    orders: mpsc::Receiver<Order>,
    test: impl AsyncFnOnce(DuplexStream, &mut mpsc::Receiver<super::super::Report>) -> T,
) -> T {
    let stop = CancellationToken::new();
    until_stopped(orders, &stop, test).await.0.unwrap_or_else(|_| panic!("the session ended"))
}

/// How the session ended, if it did before `test`; and what it reported until then.
async fn until_stopped<T>(
    mut orders: mpsc::Receiver<Order>,
    stop: &CancellationToken,
    test: impl AsyncFnOnce(DuplexStream, &mut mpsc::Receiver<super::super::Report>) -> T,
) -> (Result<T, Ended>, mpsc::Receiver<super::super::Report>) {
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
    let air = Air::new(link, clock, counters);
    let mut session = Session::new(&context, air, Coordinator { ieee: Ieee(99), version: [2, 7, 1] }, None);
    let result = tokio::select! {
        ended = session.listen(&mut indications, &mut orders, stop) => Err(ended),
        result = test(theirs, &mut inbox) => Ok(result),
    };
    (result, inbox)
}

/// Answers whatever is asked, look-ups with device 1.
async fn obey(line: &mut DuplexStream) {
    let request = asked(line).await;
    match request.command {
        UTIL_LOOKUP => answer(line, 0x6741, &1_u64.to_le_bytes()).await,
        other => answer(line, other | 0x4000, &[0]).await,
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_whose_answer_was_damaged_costs_no_reading() {
    let report = with_session(async |mut line, reports| {
        let mut pings = 0;
        while pings < 2 {
            let request = asked(&mut line).await;
            pings += usize::from(request.command == SYS_PING);
            if request.command != SYS_PING || pings > 1 {
                answer(&mut line, request.command | 0x4000, &[0]).await;
            }
        }
        answer(&mut line, AF_INCOMING, &message(0x1000, 1).data).await;
        loop {
            tokio::select! {
                () = obey(&mut line) => {}
                report = reports.recv() => return report.unwrap(),
            }
        }
    })
    .await;
    assert_eq!(report.device, Ieee(1));
}

#[tokio::test(start_paused = true)]
async fn what_was_heard_before_the_stop_is_kept() {
    let (stop, (_orders, orders)) = (CancellationToken::new(), mpsc::channel(1));
    let (ended, mut reports) = until_stopped(orders, &stop, async |mut line, reports| {
        answer(&mut line, AF_INCOMING, &message(0x1000, 1).data).await;
        loop {
            tokio::select! {
                () = obey(&mut line) => {}
                _first = reports.recv() => break,
            }
        }
        stop.cancel();
        answer(&mut line, AF_INCOMING, &message(0x1000, 2).data).await;
        loop {
            obey(&mut line).await;
        }
    })
    .await;
    assert!(matches!(ended, Err(Ended::Stopped)));
    assert_eq!(reports.try_recv().map(|report| report.value), Ok(Value::Scalar(0x0E02)));
}

/// A dongle that resets itself and takes its time to come up again holds no stop back.
#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_restarting_dongle() {
    let (stop, (_orders, orders)) = (CancellationToken::new(), mpsc::channel(1));
    let began = tokio::time::Instant::now();
    let (ended, _) = until_stopped(orders, &stop, async |mut line, _| {
        answer(&mut line, start::SYS_RESET_IND, &[2, 2, 1, 2, 7, 1]).await;
        loop {
            let request = asked(&mut line).await;
            if request.command == 0x2700 {
                answer(&mut line, 0x6700, &[0; 13]).await;
            } else if request.command == 0x2F05 {
                // It never says that it is up.
                stop.cancel();
                std::future::pending::<()>().await;
            } else {
                answer(&mut line, request.command | 0x4000, &[0]).await;
            }
        }
    })
    .await;
    assert!(matches!(ended, Err::<(), _>(Ended::Stopped)) && began.elapsed().as_secs() < 10);
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

/// A stranger that slips in while the dongle's answer to the opening is under way is told to leave all the same; and a
/// window whose listener goes while it is being opened is shut after that, never before.
#[tokio::test(start_paused = true)]
async fn whoever_comes_in_before_the_window_is_known_to_be_open_is_refused_and_the_last_word_is_shut() {
    const PERMIT: u16 = 0x2536;
    let (orders, asked_for) = mpsc::channel(1);
    let (left, permits) = with_orders(asked_for, async |mut line, _| {
        let (say, listener) = mpsc::unbounded_channel();
        let mut listener = Some(listener);
        orders.send(Order { ask: Ask::Pair { seconds: 600 }, say }).await.unwrap();
        let (mut permits, mut left) = (Vec::new(), false);
        loop {
            let request = asked(&mut line).await;
            match request.command {
                // While this is not answered nobody may join; the renewal is late.
                PERMIT => {
                    permits.push(request.data[3]);
                    if request.data[3] > 0 && permits.iter().filter(|seconds| **seconds > 0).count() == 1 {
                        let mut joined = vec![0x00, 0x10];
                        joined.extend(666_u64.to_le_bytes());
                        joined.extend([0, 0]);
                        answer(&mut line, ZDO_JOIN, &joined).await;
                    } else if request.data[3] > 0 {
                        // The renewal takes its time, and meanwhile whoever paired has gone.
                        drop(listener.take());
                        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
                    }
                }
                0x2534 => left = true,
                _ => {}
            }
            answer(&mut line, request.command | 0x4000, &[0]).await;
            if listener.is_none() && permits.last() == Some(&0) {
                return (left, permits);
            }
        }
    })
    .await;
    assert!(left, "{permits:?}");
    assert_eq!(permits.iter().filter(|seconds| **seconds > 0).count(), 2, "{permits:?}");
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
