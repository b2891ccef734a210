//! Last night's backup is put back; the home sends again what came after it, unasked by any person.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use medmon_cloudd::backup;
use medmon_core::noun::Vital;

use common::{Home, counted, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_last_nights_backup_is_restored_the_homes_resend_ends_with_zero_loss() {
    let folder = tempfile::tempdir().unwrap();
    let mut home = Home::new(folder.path()).await;
    let gateway = home.start().await;
    home.bound().await;
    let (vault, key) = (folder.path().join("backups"), folder.path().join("key"));
    let data = folder.path().join("cloud");
    home.speak(&gateway, 60..90).await;
    let settled = async || gateway.local.outbox.depth().await.unwrap().waiting == 0;
    until("the evening is at the cloud", async || counted(&home.series().await) >= 30).await;
    let taken = backup::take(&data, &vault, &key, None, medmon_api::time(home.real.utc_us())).unwrap();
    assert!(taken.written > 0);

    // The night: windows, and an alarm with its readings.
    home.speak(&gateway, std::iter::repeat_n(160, 12)).await;
    home.speak(&gateway, 60..80).await;
    let alarmed = async || counted(&home.series().await) >= 62;
    until("the night is at the cloud", alarmed).await;
    until("every envelope has a verdict", settled).await;
    let (before, alerts) = (home.series().await, home.alerts().await.len());
    assert_eq!(counted(&before), 62);

    home.with_cloud_down(|data| {
        std::fs::rename(data, data.with_file_name("lost")).unwrap();
        backup::restore(data, &vault, &key, None).unwrap();
    })
    .await;
    assert!(counted(&home.series().await) < 62, "the night is not in the backup");
    until("the home has sent the night again", async || counted(&home.series().await) >= 62).await;
    until("every envelope has a verdict", settled).await;
    let after = home.series().await;
    assert_eq!((counted(&after), after.vital), (62, Vital::HEART_RATE));
    let means = |series: &medmon_api::vitals::Series| -> Vec<_> {
        series.points.iter().map(|point| (point.at, point.min, point.max, point.mean, point.count)).collect()
    };
    assert_eq!(means(&after), means(&before));
    until("its alarms are known again", async || home.alerts().await.len() == alerts).await;
    // What comes next goes on as if nothing had happened.
    home.speak(&gateway, 60..65).await;
    until("what comes next arrives", async || counted(&home.series().await) >= 67).await;
    gateway.stop().await;
    assert_eq!(counted(&home.series().await), 67);
    home.end().await;
}
