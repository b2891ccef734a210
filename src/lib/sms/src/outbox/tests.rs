//! What is never lost nor doubled, over restarts, full disks and disks that hang.

use super::*;

fn new(step: u32) -> NewText {
    NewText {
        alert: Uuid::from_u128(1),
        contact: Uuid::from_u128(2),
        to: "+33639981001".into(),
        text: "medmon 4821: …".into(),
        code: "4821".into(),
        reason: Reason::Raised,
        step,
    }
}

fn sent(reference: &str) -> Outcome {
    Outcome::Sent { reference: reference.into() }
}

fn clock() -> Clock {
    Clock::scaled(1.0, 1_764_000_000_000_000)
}

async fn now(outbox: &Outbox) -> Row {
    match outbox.due().await {
        Due::Now(row) => *row,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_neither_loses_nor_doubles_a_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sms.sqlite");
    let open = || Outbox::open_with(&path, 1000, clock(), sqlite::Options::default(), None).unwrap();
    let outbox = open();
    assert!(matches!(outbox.queue(new(1)).await, Queued::Stored(_)));
    drop(outbox);
    // Killed before the attempt: it goes out once.
    let outbox = open();
    assert_eq!(outbox.queue(new(1)).await, Queued::Already);
    let row = outbox.begin(now(&outbox).await).await.unwrap();
    drop(outbox);
    // Killed within the attempt: it may have been sent, and goes out once more, not at once.
    let outbox = open();
    assert!(matches!(outbox.due().await, Due::In(_)));
    outbox.clock.sleep(Duration::from_secs(15)).await;
    let again = outbox.begin(now(&outbox).await).await.unwrap();
    assert_eq!((again.id, again.attempts, &again.code), (row.id, 2, &row.code));
    drop(outbox);
    let outbox = open();
    outbox.clock.sleep(Duration::from_hours(1)).await;
    assert_eq!(outbox.due().await, Due::Nothing);
    assert_eq!(outbox.queue(new(1)).await, Queued::Already);
    assert_eq!(outbox.rows(9).await.unwrap()[0].state, State::MaybeSent);
    assert_eq!(std::fs::metadata(folder.path().join("sms.reserve")).unwrap().len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_yet_is_tried_with_longer_pauses_and_blocks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let outbox =
        Outbox::open_with(&folder.path().join("sms.sqlite"), 0, clock(), sqlite::Options::default(), None).unwrap();
    outbox.queue(new(1)).await;
    outbox.queue(new(2)).await;
    let mut pauses = Vec::new();
    let mut first = now(&outbox).await;
    for _ in 0..8 {
        first = outbox.begin(first).await.unwrap();
        first = outbox.end(first, &Outcome::unavailable("no network")).await;
        let other = now(&outbox).await;
        assert_eq!(other.step, 2);
        pauses.push((first.next_mono_us - outbox.clock.mono_us()) / 1_000_000);
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!((first.state, first.note.as_deref()), (State::Queued, Some("no network")));
    let second = outbox.begin(now(&outbox).await).await.unwrap();
    let second = outbox.end(second, &Outcome::Rejected { reason: "unassigned".into() }).await;
    assert_eq!(second.state, State::Rejected);
}

#[tokio::test(start_paused = true)]
async fn reports_find_their_text_even_when_they_come_first_or_twice() {
    let folder = tempfile::tempdir().unwrap();
    let outbox =
        Outbox::open_with(&folder.path().join("sms.sqlite"), 0, clock(), sqlite::Options::default(), None).unwrap();
    for step in 1..=3 {
        outbox.queue(new(step)).await;
    }
    let row = outbox.begin(now(&outbox).await).await.unwrap();
    assert_eq!(outbox.delivery("7-39981001", true).await, None);
    let row = outbox.end(row, &sent("7-39981001")).await;
    assert_eq!(row.state, State::Delivered);
    assert!(row.delivered_us.is_some());

    let row = outbox.begin(now(&outbox).await).await.unwrap();
    outbox.end(row, &sent("8-39981001")).await;
    assert_eq!(outbox.delivery("8-39981001", true).await.map(|row| row.state), Some(State::Delivered));
    assert_eq!(outbox.delivery("8-39981001", true).await, None);

    let row = outbox.begin(now(&outbox).await).await.unwrap();
    outbox.end(row, &sent("9-39981001")).await;
    assert_eq!(outbox.delivery("9-39981001", false).await.map(|row| row.state), Some(State::Undelivered));
    assert_eq!(outbox.due().await, Due::Nothing);
}

#[tokio::test(start_paused = true)]
async fn old_texts_are_forgotten_but_none_that_an_alert_may_need() {
    let folder = tempfile::tempdir().unwrap();
    let outbox =
        Outbox::open_with(&folder.path().join("sms.sqlite"), 0, clock(), sqlite::Options::default(), None).unwrap();
    let alert = Uuid::from_u128;
    let send = async |id, step| {
        outbox.queue(NewText { alert: alert(id), ..new(step) }).await;
        let row = outbox.begin(now(&outbox).await).await.unwrap();
        outbox.end(row, &sent(&format!("{id}-{step}"))).await;
    };
    for id in 1..=3 {
        send(id, 1).await;
    }
    outbox.queue(NewText { alert: alert(4), ..new(1) }).await;
    let before_us = outbox.clock.utc_us() + 1;
    outbox.clock.sleep(Duration::from_hours(1)).await;
    // The second is still texted about, the third is open, one of the fourth waits.
    let row = outbox.begin(now(&outbox).await).await.unwrap();
    outbox.end(row, &Outcome::unavailable("no network")).await;
    send(2, 2).await;
    assert_eq!(outbox.trim(before_us, &[alert(3)]).await.unwrap(), 1);
    let left: Vec<_> = outbox.rows(9).await.unwrap().iter().map(|row| row.alert).collect();
    assert_eq!(left, [2, 4, 3, 2].map(alert));
    assert_eq!(outbox.trim(before_us, &[]).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_gives_up_the_reserve_and_then_memory_carries_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sms.sqlite");
    let options = sqlite::Options { max_bytes: Some(64 << 10), ..sqlite::Options::default() };
    let outbox = Outbox::open_with(&path, 1000, clock(), options, None).unwrap();
    let mut step = 0;
    let kept = loop {
        step += 1;
        match outbox.queue(NewText { text: "x".repeat(2000), ..new(step) }).await {
            Queued::Stored(_) => {}
            other => break other,
        }
    };
    assert_eq!(kept, Queued::Kept(-1));
    assert!(!folder.path().join("sms.reserve").exists());
    assert_eq!(outbox.queue(NewText { text: "x".repeat(2000), ..new(step) }).await, Queued::Already);
    assert!(matches!(outbox.queue(NewText { text: "x".repeat(2000), ..new(step + 1) }).await, Queued::Kept(-2)));
    // All go out, each once, whether their fate can be written down or not.
    let mut seen = std::collections::BTreeSet::new();
    while let Due::Now(row) = outbox.due().await {
        assert!(seen.insert(row.step), "{} went out twice", row.step);
        let row = outbox.begin(*row).await.unwrap();
        outbox.end(row, &sent(&format!("{}-39981001", seen.len()))).await;
    }
    assert_eq!(seen.len() as u32, step + 1);
    assert_eq!(outbox.due().await, Due::In(Duration::from_secs(10)), "what is in memory is offered to the disk again");
    assert_eq!(outbox.delivery(&format!("{}-39981001", 1), true).await.map(|row| row.state), Some(State::Delivered));
}

/// A card that stalls: a text is handed over from memory, and what the disk took later is no second one.
#[tokio::test]
async fn a_disk_that_hangs_holds_no_text_up_and_doubles_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sms.sqlite");
    let outbox = Outbox::open(&path, 0, Clock::system()).unwrap();
    let hang = Connection::open(&path).unwrap();
    hang.busy_timeout(Duration::from_secs(5)).unwrap();
    hang.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(outbox.queue(new(1)).await, Queued::Kept(-1));
    assert_eq!(outbox.queue(new(1)).await, Queued::Already);
    let row = outbox.begin(now(&outbox).await).await.unwrap();
    outbox.end(row, &sent("7-39981001")).await;
    assert!(!matches!(outbox.due().await, Due::Now(_)));
    hang.execute_batch("COMMIT").unwrap();
    // The disk takes it after all, and what became of it meanwhile.
    while !outbox.kept().is_empty() {
        assert!(!matches!(outbox.due().await, Due::Now(_)));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(outbox.due().await, Due::Nothing);
    let rows = outbox.rows(9).await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.id, row.state)).collect::<Vec<_>>(), [(1, State::Sent)]);
    drop(outbox);
    // Nor is it one after a restart.
    let outbox = Outbox::open(&path, 0, Clock::system()).unwrap();
    assert_eq!(outbox.due().await, Due::Nothing);
    assert_eq!(outbox.delivery("7-39981001", true).await.map(|row| row.state), Some(State::Delivered));
}

/// Taken back, and wanted again: the other pager had it, and has it no more.
#[tokio::test(start_paused = true)]
async fn a_text_that_was_taken_back_can_be_queued_again() {
    let folder = tempfile::tempdir().unwrap();
    let outbox =
        Outbox::open_with(&folder.path().join("sms.sqlite"), 0, clock(), sqlite::Options::default(), None).unwrap();
    let Queued::Stored(id) = outbox.queue(new(1)).await else { panic!("not stored") };
    let row = now(&outbox).await;
    outbox.withdraw(row.name()).await;
    assert_eq!(outbox.due().await, Due::Nothing);
    assert_eq!(outbox.rows(9).await.unwrap()[0].state, State::Withdrawn);
    assert_eq!(outbox.queue(new(1)).await, Queued::Stored(id));
    assert_eq!(outbox.queue(new(1)).await, Queued::Already);
    let row = outbox.begin(now(&outbox).await).await.unwrap();
    outbox.end(row, &sent("7-39981001")).await;
    // What has gone out cannot be taken back.
    outbox.withdraw(outbox.rows(9).await.unwrap()[0].name()).await;
    assert_eq!(outbox.queue(new(1)).await, Queued::Already);
}

/// Taken back while a channel has it, or on the way to it: what could not be sent is not tried again.
#[tokio::test(start_paused = true)]
async fn a_text_taken_back_in_a_channels_hands_does_not_go_out_later() {
    let folder = tempfile::tempdir().unwrap();
    let outbox =
        Outbox::open_with(&folder.path().join("sms.sqlite"), 0, clock(), sqlite::Options::default(), None).unwrap();
    for step in 1..=3 {
        outbox.queue(new(step)).await;
    }
    let row = outbox.begin(now(&outbox).await).await.unwrap();
    outbox.withdraw(row.name()).await;
    assert_eq!(outbox.end(row, &Outcome::unavailable("no network")).await.state, State::Withdrawn);

    let row = now(&outbox).await;
    outbox.withdraw(row.name()).await;
    assert_eq!(outbox.begin(row).await, None);

    // One that may have been sent is not sent again.
    let row = outbox.begin(now(&outbox).await).await.unwrap();
    outbox.withdraw(row.name()).await;
    assert_eq!(outbox.end(row, &Outcome::MaybeSent).await.state, State::MaybeSent);
    outbox.clock.sleep(Duration::from_hours(1)).await;
    assert_eq!(outbox.due().await, Due::Nothing);
    // Wanted again, it is in the way of nothing.
    assert!(matches!(outbox.queue(new(1)).await, Queued::Stored(_)));
    assert_eq!(now(&outbox).await.step, 1);
}

/// Replies and self-tests are about no alert: one a week would keep all of them for ever.
#[tokio::test(start_paused = true)]
async fn what_is_about_no_alert_is_forgotten_by_its_own_age() {
    let folder = tempfile::tempdir().unwrap();
    let outbox =
        Outbox::open_with(&folder.path().join("sms.sqlite"), 0, clock(), sqlite::Options::default(), None).unwrap();
    let queue = async |step| outbox.queue(NewText { alert: Uuid::nil(), ..new(step) }).await;
    queue(1).await;
    let row = outbox.begin(now(&outbox).await).await.unwrap();
    outbox.end(row, &sent("7-39981001")).await;
    queue(2).await;
    let before_us = outbox.clock.utc_us() + 1;
    outbox.clock.sleep(Duration::from_hours(1)).await;
    queue(3).await;
    assert_eq!(outbox.trim(before_us, &[]).await.unwrap(), 1);
    assert_eq!(outbox.rows(9).await.unwrap().iter().map(|row| row.step).collect::<Vec<_>>(), [3, 2]);
}
