//! Windows as they come, go and are sealed.

use proptest::prelude::*;

use super::*;
use crate::tests::{burst, reading};

#[test]
fn a_reading_delivered_twice_counts_once() {
    let (mut state, settings) = (State::default(), Settings::default());
    assert!(state.take(&reading(1), &settings));
    assert!(!state.take(&reading(1), &settings));
    state.close();
    let envelope = state.seal(Uuid::nil(), 1, 0).remove(0);
    assert_eq!(envelope.windows.iter().map(|window| window.count).sum::<u32>(), 1);
}

#[test]
fn acceleration_becomes_activity_and_posture() {
    let mut state = State::default();
    state.take(&burst(5, vec![[0, 0, -1000], [0, 0, -1500]]), &Settings::default());
    state.close();
    let windows = state.seal(Uuid::nil(), 1, 0).remove(0).windows;
    let of = |vital| windows.iter().find(|window| window.vital == vital).unwrap();
    let (activity, posture) = (of(Vital::ACTIVITY), of(Vital::POSTURE));
    assert_eq!((activity.min, activity.max, activity.sum, activity.count), (0, 500, 500, 2));
    assert_eq!(posture.last, 5, "-z");
}

/// A full disk may take the windows and not the broker's cursor.
#[tokio::test]
async fn windows_are_sealed_once_when_the_broker_does_not_take_note() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path()).unwrap();
    let broker: Arc<dyn Broker> = Arc::new(crate::broker::Embedded::open(folder.path()).await.unwrap());
    let damage = rusqlite::Connection::open(folder.path().join("broker.sqlite")).unwrap();
    damage.execute_batch("DROP TABLE cursor").unwrap();
    let mut state = State::default();
    state.take(&reading(1), &Settings::default());
    let all = (Seal::All, Uuid::nil());
    state = commit(&outbox, &broker, &state, (&[], 0), all, 0).await.unwrap();
    commit(&outbox, &broker, &state, (&[], 0), all, 0).await.unwrap();
    assert_eq!(outbox.depth().await.unwrap().windows, 1);
}

#[tokio::test]
async fn a_damaged_row_holds_back_nobody_whose_time_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path()).unwrap();
    let count = READINGS_MAX as u64 + 2;
    let hold = (0..count).map(reading).collect();
    outbox.commit(&State::default(), Batch { hold, ..Batch::default() }).await.unwrap();
    let damage = rusqlite::Connection::open(folder.path().join("outbox.sqlite")).unwrap();
    damage.execute("UPDATE held SET body = x'07' WHERE id IN (1, ?1)", [count as i64]).unwrap();
    let clock = medmon_kit::Clock::system().held_at(1_795_521_600_000_000);
    let trust = watch::channel(ClockQuality::Synced).1;
    let time = Time { clock, trust, machine_since: 1 };
    let mut held = Held { new: Vec::new(), released: 0, waiting: true, time };
    let mut state = State::default();
    while held.release(&mut state, &outbox, &Settings::default()).await.unwrap() {}
    assert_eq!(held.released, count as i64);
    let counted = |state: &State| state.open.iter().map(|open| u64::from(open.window.count)).sum::<u64>();
    assert_eq!(counted(&state), count - 2);
    // What came while the time was not known, and no commit has held yet, does not wait for the next start.
    held.new.push(reading(count));
    assert!(held.release(&mut state, &outbox, &Settings::default()).await.unwrap());
    assert_eq!((held.new.len(), counted(&state)), (0, count - 1));
}

#[test]
fn a_gap_is_where_the_samples_are_missing() {
    let mut state = State::default();
    let value = Value::Samples { rate_hz: 10, lost: 5, xyz: vec![[0, 0, 1000]; 11] };
    let reading = Reading { value, ..burst(5, vec![]) };
    state.take(&reading, &Settings::default());
    let gap = state.seal(Uuid::nil(), 1, 0).remove(0).gaps.remove(0);
    let before_us = |at_us| reading.utc_us - at_us;
    assert_eq!((before_us(gap.from_us), before_us(gap.to_us), gap.lost), (1_500_000, 1_000_000, 5));
}

/// While the cloud is away a window leaves the state once it has ended, and hours are sealed whole.
#[tokio::test]
async fn an_ended_window_leaves_the_state_and_waits_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path()).unwrap();
    let mut state = State::default();
    for sequence in 0..45 {
        state.take(&reading(sequence), &Settings::default());
    }
    let began_us = reading(0).utc_us;
    for (seal, at_s, open, closed, sealed) in [
        (Seal::Nothing, 61, 2, 0, 0),
        (Seal::Nothing, 62, 1, 1, 0),
        (Seal::Ended, 80, 1, 0, 1),
        (Seal::All, 89, 0, 0, 2),
    ] {
        let at_us = began_us + at_s * 1_000_000;
        state = keep(&outbox, &state, (&[], 0), (seal, Uuid::nil()), at_us).await.unwrap();
        let windows = outbox.closed().await.unwrap().0.iter().map(|closed| closed[&1].0.len()).sum::<usize>();
        assert!(state.closed.is_empty());
        assert_eq!((state.open.len(), windows), (open, closed), "{at_s}");
        assert_eq!(outbox.depth().await.unwrap().windows, sealed, "{at_s}");
    }
}

/// What DOWNSAMPLE goes through.
#[derive(Clone, Debug)]
enum Step {
    /// Readings come, some of them late.
    Read(u64),
    /// A commit; how many minutes after the newest reading, and what is sealed.
    Commit(i64, Seal),
    /// A crash: what came since the last commit is delivered again.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let seal = prop_oneof![4 => Just(Seal::Nothing), 2 => Just(Seal::Ended), 1 => Just(Seal::All)];
    prop_oneof![
        4 => (1u64..30).prop_map(Step::Read),
        3 => (-60i64..60, seal).prop_map(|(minutes, seal)| Step::Commit(minutes, seal)),
        1 => Just(Step::Crash),
    ]
}

/// Every 47 s, each seventh two hours late; heart rates by the minute, batteries by the hour, spot glucose.
fn coming(sequence: u64) -> Reading {
    let vital = [Vital::HEART_RATE, Vital::BATTERY, Vital::GLUCOSE, Vital::HEART_RATE][sequence as usize % 4];
    let late_us = if sequence % 7 == 3 { 7_200_000_000 } else { 0 };
    let reading = reading(sequence);
    Reading { vital, utc_us: reading.utc_us + sequence as i64 * 45_000_000 - late_us, ..reading }
}

fn without_coverage(windows: Vec<Window>) -> Vec<Window> {
    windows.into_iter().map(|window| Window { coverage: 0, ..window }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Wherever windows are closed early, put aside, sealed apart or kept through a crash, the parts make the whole.
    #[test]
    fn parts_make_the_whole(steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (whole, parts) = runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let outbox = Outbox::open(folder.path()).unwrap();
                let (settings, install) = (Settings::default(), Uuid::nil());
            let (mut whole, mut state) = (State::default(), State::default());
            let (mut next, mut committed) = (0, 0);
            for step in steps.into_iter().chain([Step::Commit(0, Seal::All)]) {
                match step {
                    Step::Read(count) => {
                        for sequence in next..next + count {
                            whole.take(&coming(sequence), &settings);
                            state.take(&coming(sequence), &settings);
                        }
                        next += count;
                    }
                    Step::Commit(minutes, seal) => {
                        let now_us = coming(next - next % 7).utc_us + minutes * 60_000_000;
                        let seal = (seal, install);
                        state = keep(&outbox, &state, (&[], 0), seal, now_us).await.unwrap();
                        committed = next;
                    }
                    Step::Crash => {
                        state = outbox.downsample_state().await.unwrap();
                        // Some that were taken in come again, too.
                        for sequence in committed.max(5) - 5..next {
                            state.take(&coming(sequence), &settings);
                        }
                    }
                }
            }
            let sealed = outbox.waiting(crate::outbox::Pick::default()).await.unwrap();
            let open = |body: &[u8]| medmon_core::wire::envelope::decode(body).unwrap().windows;
            let parts = sealed.iter().flat_map(|sealed| open(&sealed.body)).collect();
            whole.close();
            (whole.seal(install, 1, 0).into_iter().flat_map(|one| one.windows).collect(), parts)
        });
        prop_assert_eq!(without_coverage(merge_parts(parts)), without_coverage(merge_parts(whole)));
    }
}
