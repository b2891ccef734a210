//! The vitals stores: one contract for all of them, and what the embedded one has of its own.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

mod common {
    pub mod vitals;
    pub mod vitals_kill;
    pub mod vitals_own;
}

mod embedded {
    use std::sync::Arc;

    use async_trait::async_trait;
    use medmon_cloudd::vitals::VitalsStore;
    use medmon_cloudd::vitals::embedded::{Embedded, Options};
    use medmon_core::noun::UtcUs;
    use medmon_kit::Clock;

    use super::common::vitals::{Rig, contract};

    struct Files {
        folder: tempfile::TempDir,
        clock: Clock,
        store: Arc<Embedded>,
    }

    async fn open(folder: &std::path::Path, clock: &Clock) -> Arc<Embedded> {
        Arc::new(Embedded::open(folder, Options::default(), clock.clone()).await.unwrap())
    }

    #[async_trait]
    impl Rig for Files {
        fn store(&self) -> Arc<dyn VitalsStore> {
            Arc::clone(&self.store) as _
        }

        async fn reopen(&mut self) {
            self.store = open(self.folder.path(), &self.clock).await;
        }

        fn now_us(&self) -> UtcUs {
            self.clock.utc_us()
        }
    }

    async fn rig(_test: &str) -> Option<Box<dyn Rig>> {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let store = open(folder.path(), &clock).await;
        Some(Box::new(Files { folder, clock, store }))
    }

    contract!(rig);

    macro_rules! own {
        ($($name:ident),*) => {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::common::vitals_own::$name().await;
                }
            )*
        };
    }
    own!(
        a_full_disk_is_busy_and_loses_nothing,
        a_clock_that_jumps_ahead_removes_nothing,
        a_damaged_block_is_named_and_everything_else_is_read,
        a_month_that_is_no_file_any_more_is_named_and_everything_else_goes_on,
        damaged_newest_windows_stop_no_settling,
        while_somebody_else_has_the_files_nothing_is_changed,
        nothing_of_an_erased_subject_is_in_any_file,
        old_months_become_coarse_and_then_go,
        readers_notice_nothing_of_it
    );
}

mod killed {
    use super::common::vitals_kill::{FOLDER, rounds, work};

    /// Part of the test below, in a process of its own.
    #[tokio::test(flavor = "multi_thread")]
    async fn child() {
        if let Some(folder) = std::env::var_os(FOLDER) {
            work(folder.as_ref()).await;
        }
    }

    /// 60 kills; `MEDMON_KILL_ROUNDS=200` for more.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_kill_at_any_moment_loses_nothing_and_doubles_nothing() {
        let asked = std::env::var("MEDMON_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
        rounds("killed::child", asked.unwrap_or(60)).await;
    }
}
