//! The facts of this gateway's alerts, with the state of the detectors that raised them: one commit for both, so that
//! a crash neither forgets an alert nor raises it twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::OptionalExtension as _;
use tokio::sync::watch;
use uuid::Uuid;

use medmon_core::noun::{Alert, Fact, UtcUs};
use medmon_kit::sqlite::{self, Database};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE fact (
        id BLOB PRIMARY KEY,
        alert BLOB NOT NULL,
        at_us INTEGER NOT NULL,
        cleared INTEGER NOT NULL,
        body TEXT NOT NULL,
        uploaded INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX fact_alert ON fact (alert, at_us);
    CREATE INDEX fact_waiting ON fact (at_us) WHERE uploaded = 0;
    CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
"];

/// Alerts stay in memory for a week after their last fact.
const KEEP_US: i64 = 7 * 86_400_000_000;

/// Facts on disk and the alerts they fold to. Cheap to clone.
#[derive(Clone)]
pub struct Facts {
    database: Database,
    alerts: Arc<Mutex<BTreeMap<Uuid, Alert>>>,
    changed: Arc<watch::Sender<u64>>,
    kept: Arc<watch::Sender<()>>,
}

impl Facts {
    /// Opens or creates the file in `folder` and folds what is recent.
    pub async fn open(folder: &Path, now_us: UtcUs) -> Result<Self, sqlite::Error> {
        Self::open_with(folder, now_us, sqlite::Options::default()).await
    }

    async fn open_with(folder: &Path, now_us: UtcUs, options: sqlite::Options) -> Result<Self, sqlite::Error> {
        let database = Database::open(&folder.join("facts.sqlite"), MIGRATIONS, options)?;
        let recent = "SELECT body FROM fact WHERE alert IN
                      (SELECT alert FROM fact GROUP BY alert HAVING max(cleared) = 0 OR max(at_us) > ?1)";
        let facts = database.read(move |db| bodies(db, recent, now_us - KEEP_US)).await?;
        let (changed, kept) = (Arc::new(watch::Sender::new(0)), Arc::new(watch::Sender::new(())));
        Ok(Self { database, alerts: Arc::default(), changed, kept }.with(facts))
    }

    fn with(self, facts: Vec<Fact>) -> Self {
        let mut alerts = self.lock();
        fold_into(&mut alerts, facts);
        drop(alerts);
        self
    }

    /// Makes `facts` durable, with a new value of the named state. Facts that are there already change nothing.
    /// Facts that came from the cloud need not go back there.
    ///
    /// They are in [`Self::alerts`] at once, whatever becomes of the disk: a text must not wait for one that is full or
    /// slow. After an error the caller tries the same facts again.
    pub async fn commit(
        &self,
        facts: Vec<Fact>,
        state: Option<(&'static str, String)>,
        from_cloud: bool,
    ) -> Result<(), sqlite::Error> {
        self.show(&facts);
        let upward = !from_cloud && !facts.is_empty();
        let rows: Vec<_> =
            facts.into_iter().filter_map(|fact| Some((serde_json::to_string(&fact).ok()?, fact))).collect();
        self.database
            .write(move |db| {
                for (body, fact) in &rows {
                    let cleared = matches!(fact.kind, medmon_core::noun::FactKind::Cleared);
                    db.execute(
                        "INSERT OR IGNORE INTO fact (id, alert, at_us, cleared, body, uploaded)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                        (fact.id.as_bytes(), fact.alert.as_bytes(), fact.at_us, cleared, body, from_cloud),
                    )?;
                }
                if let Some((name, value)) = state {
                    db.execute(
                        "INSERT INTO state (name, value) VALUES (?1, ?2)
                         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                        (name, value),
                    )?;
                }
                Ok::<_, sqlite::Error>(())
            })
            .await?;
        if upward {
            self.kept.send_replace(());
        }
        Ok(())
    }

    /// Makes `facts` part of [`Self::alerts`] without waiting for the disk.
    pub fn show(&self, facts: &[Fact]) {
        if fold_into(&mut self.lock(), facts.to_vec()) {
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// The named state as last committed.
    pub async fn state(&self, name: &'static str) -> Result<Option<String>, sqlite::Error> {
        let sql = "SELECT value FROM state WHERE name = ?1";
        self.database.read(move |db| Ok(db.query_row(sql, [name], |row| row.get(0)).optional()?)).await
    }

    /// The recent alerts, oldest first by id.
    pub fn alerts(&self) -> Vec<Alert> {
        self.lock().values().cloned().collect()
    }

    /// Dates new facts after all that their alerts have, whoever's clock dated those: what an acknowledgement answers and
    /// what a worsening overtakes is read from their order.
    pub fn put_after(&self, facts: &mut [Fact]) {
        let alerts = self.lock();
        let mut newest: BTreeMap<Uuid, UtcUs> = BTreeMap::new();
        for fact in facts {
            let known = || alerts.get(&fact.alert)?.facts().next_back().map(|last| last.at_us);
            let last = newest.entry(fact.alert).or_insert_with(|| known().unwrap_or(UtcUs::MIN));
            fact.at_us = fact.at_us.max(last.saturating_add(1));
            *last = fact.at_us;
        }
    }

    /// Changes when a fact came.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Changes when there is one more for the cloud.
    pub fn kept(&self) -> watch::Receiver<()> {
        self.kept.subscribe()
    }

    /// The cloud may have lost what it had: all of them go again. Gives how many.
    pub async fn resend(&self) -> Result<usize, sqlite::Error> {
        let sql = "UPDATE fact SET uploaded = 0 WHERE uploaded = 1";
        let facts = self.database.write(move |db| Ok::<_, sqlite::Error>(db.execute(sql, ())?)).await?;
        self.kept.send_replace(());
        Ok(facts)
    }

    /// The newest facts the cloud does not have, in order of time.
    pub async fn waiting(&self, limit: u32) -> Result<Vec<Fact>, sqlite::Error> {
        let sql = "SELECT body FROM fact WHERE uploaded = 0 ORDER BY at_us DESC, id DESC LIMIT ?1";
        let mut facts = self.database.read(move |db| bodies(db, sql, limit.into())).await?;
        facts.reverse();
        Ok(facts)
    }

    /// The cloud has them.
    pub async fn uploaded(&self, facts: Vec<Fact>) -> Result<(), sqlite::Error> {
        self.database
            .write(move |db| {
                for fact in &facts {
                    db.execute("UPDATE fact SET uploaded = 1 WHERE id = ?1", [fact.id.as_bytes()])?;
                }
                Ok(())
            })
            .await
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Alert>> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether any of `facts` was news.
fn fold_into(alerts: &mut BTreeMap<Uuid, Alert>, facts: Vec<Fact>) -> bool {
    let mut news = false;
    for fact in facts {
        let alert = alerts.entry(fact.alert).or_insert_with(|| Alert::fold(fact.alert, []));
        let before = alert.facts().count();
        alert.take(fact);
        news |= alert.facts().count() > before;
    }
    news
}

fn bodies(db: &rusqlite::Connection, sql: &str, parameter: i64) -> Result<Vec<Fact>, sqlite::Error> {
    let mut rows = db.prepare_cached(sql)?;
    let texts = rows.query_map([parameter], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
}

#[cfg(test)]
mod tests {
    use medmon_core::noun::{Audience, FactKind};

    use super::*;

    #[tokio::test]
    async fn facts_and_state_survive_together_and_union_by_id() {
        let folder = tempfile::tempdir().unwrap();
        let fact = |id: u128, at_us, kind| Fact {
            id: Uuid::from_u128(id),
            alert: Uuid::from_u128(9),
            at_us,
            author: "gateway".into(),
            kind,
        };
        let ack = FactKind::Acknowledged { by: Uuid::nil(), name: "Paul".into(), audience: Audience::Family };
        let facts = Facts::open(folder.path(), 0).await.unwrap();
        facts.commit(vec![fact(1, 1, FactKind::Cleared)], Some(("detect", "{}".into())), false).await.unwrap();
        facts.commit(vec![fact(2, 2, ack), fact(1, 1, FactKind::Cleared)], None, true).await.unwrap();
        assert_eq!(facts.waiting(10).await.unwrap().len(), 1, "the cloud's own fact does not go back");
        facts.uploaded(facts.waiting(10).await.unwrap()).await.unwrap();
        let before = facts.alerts();
        drop(facts);
        let facts = Facts::open(folder.path(), 0).await.unwrap();
        assert_eq!(facts.alerts(), before);
        assert_eq!(facts.state("detect").await.unwrap().as_deref(), Some("{}"));
        assert!(facts.waiting(10).await.unwrap().is_empty());
        assert_eq!((facts.resend().await.unwrap(), facts.waiting(10).await.unwrap().len()), (2, 2));
    }

    #[tokio::test]
    async fn a_worsening_overtakes_an_answer_whose_clock_is_ahead() {
        let folder = tempfile::tempdir().unwrap();
        let facts = Facts::open(folder.path(), 0).await.unwrap();
        let fact =
            |id, at_us, kind| Fact { id: Uuid::from_u128(id), alert: Uuid::nil(), at_us, author: String::new(), kind };
        let ack = FactKind::Acknowledged { by: Uuid::nil(), name: "Paul".into(), audience: Audience::Family };
        facts.commit(vec![fact(1, 9000, ack)], None, true).await.unwrap();
        let (priority, condition) = (medmon_core::noun::Priority::High, medmon_core::noun::Condition::LongLie);
        let worse = FactKind::Worsened { priority, condition, explanation: String::new() };
        let mut new = [fact(2, 1000, worse), fact(3, 1000, FactKind::Cleared)];
        facts.put_after(&mut new);
        facts.commit(new.to_vec(), None, false).await.unwrap();
        assert_eq!(facts.alerts()[0].acknowledged(Audience::Family), None);
        assert_eq!(new.map(|fact| fact.at_us), [9001, 9002]);
    }

    #[tokio::test]
    async fn a_full_disk_hides_no_alert_from_the_ladder() {
        let folder = tempfile::tempdir().unwrap();
        let options = sqlite::Options { max_bytes: Some(64 << 10), ..sqlite::Options::default() };
        let facts = Facts::open_with(folder.path(), 0, options).await.unwrap();
        let mut changed = facts.changed();
        let fact = |id: u128| Fact {
            id: Uuid::from_u128(id),
            alert: Uuid::from_u128(id),
            at_us: 1,
            author: "x".repeat(4000),
            kind: FactKind::Cleared,
        };
        let mut id = 0;
        let full = loop {
            id += 1;
            if let Err(error) = facts.commit(vec![fact(id)], None, false).await {
                break error;
            }
        };
        assert!(full.is_full(), "{full}");
        assert_eq!(facts.alerts().len() as u128, id, "the one that is not durable is there too");
        assert!(changed.has_changed().unwrap());
        changed.mark_unchanged();
        assert!(facts.commit(vec![fact(id)], None, false).await.is_err());
        assert_eq!(facts.alerts().len() as u128, id, "tried again it is no second one");
        assert!(!changed.has_changed().unwrap(), "and no news");
    }
}
