//! Segments until the cloud has them, and some beyond.

use medmon_core::noun::{Segment, UtcUs};
use medmon_core::wire;
use medmon_kit::sqlite;

use super::{KEEP_US, Outbox};

/// Segments that stay after the cloud had them.
const SEGMENTS_KEPT: i64 = 200;

impl Outbox {
    /// Numbers a segment, seals it around what fired, and keeps it.
    pub async fn keep_segment(&self, segment: Segment, around_us: UtcUs, now_us: UtcUs) -> Result<(), sqlite::Error> {
        self.database
            .write(move |db| {
                let insert = "INSERT INTO segment (alert, body, sealed_us) VALUES (?1, x'', ?2)";
                db.execute(insert, (segment.alert.as_bytes(), now_us))?;
                let part = db.last_insert_rowid();
                let body = wire::segment::seal(Segment { part: part as u64, ..segment }, around_us);
                db.execute("UPDATE segment SET body = ?2 WHERE part = ?1", (part, body))?;
                Ok::<_, sqlite::Error>(())
            })
            .await?;
        self.rung();
        Ok(())
    }

    /// The newest segment that the cloud does not have and that is none of `deferred`: its part and its bytes.
    pub async fn segment_waiting(&self, deferred: &[i64]) -> Result<Option<(i64, Vec<u8>)>, sqlite::Error> {
        let sql = "SELECT part, body FROM segment WHERE uploaded = 0 ORDER BY part DESC";
        let deferred = deferred.to_vec();
        self.database
            .read(move |db| {
                let mut select = db.prepare_cached(sql)?;
                let mut rows = select.query(())?;
                while let Some(row) = rows.next()? {
                    let part = row.get(0)?;
                    if !deferred.contains(&part) {
                        return Ok(Some((part, row.get(1)?)));
                    }
                }
                Ok(None)
            })
            .await
    }

    /// The cloud has a segment, or will never take it. Lets go what was sealed a week ago, and more than 200.
    pub async fn settle_segment(&self, part: i64, taken: bool, now_us: UtcUs) -> Result<(), sqlite::Error> {
        self.database
            .write(move |db| {
                let state = if taken { 1 } else { 2 };
                db.execute("UPDATE segment SET uploaded = ?2 WHERE part = ?1", (part, state))?;
                let old = "DELETE FROM segment WHERE uploaded > 0 AND (sealed_us < ?1 OR part NOT IN
                           (SELECT part FROM segment WHERE uploaded > 0 ORDER BY part DESC LIMIT ?2))";
                db.execute(old, (now_us - KEEP_US, SEGMENTS_KEPT))?;
                Ok(())
            })
            .await
    }

    /// Gives segments up, those first that the cloud has. What is in them are windows already.
    pub async fn give_up_segments(&self, limit: u32) -> Result<u64, sqlite::Error> {
        let sql = "DELETE FROM segment WHERE part IN
                   (SELECT part FROM segment ORDER BY uploaded = 0, part LIMIT ?1)";
        self.database.write(move |db| Ok(db.execute(sql, [limit])? as u64)).await
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn segments_are_numbered_once_settled_once_and_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let (alert, readings) = (Uuid::from_u128(1), vec![crate::tests::reading(1)]);
        let segment = Segment { alert, part: 0, epoch: 1, from_us: 0, to_us: 9, cut: false, readings };
        let part = async || outbox.segment_waiting(&[]).await.unwrap().map(|(part, _)| part);
        for sealed_us in 0..203 {
            outbox.keep_segment(segment.clone(), 0, sealed_us).await.unwrap();
        }
        let (newest, body) = outbox.segment_waiting(&[]).await.unwrap().unwrap();
        let opened = wire::segment::open(&body).unwrap();
        assert_eq!((newest, &opened), (203, &Segment { part: 203, ..segment.clone() }));
        let rows = async || {
            let count = "SELECT count(*) FROM segment";
            outbox.database.read(move |db| Ok::<i64, sqlite::Error>(db.query_row(count, (), |row| row.get(0))?)).await
        };
        for settled in (2..=203).rev() {
            outbox.settle_segment(settled, settled != 9, 0).await.unwrap();
        }
        assert_eq!((part().await, rows().await.unwrap()), (Some(1), 201));
        assert_eq!(outbox.give_up_segments(200).await.unwrap(), 200);
        assert_eq!(part().await, Some(1), "what the cloud does not have goes last");
        outbox.settle_segment(1, true, KEEP_US + 10).await.unwrap();
        assert_eq!(rows().await.unwrap(), 0);
        outbox.keep_segment(segment, 0, 0).await.unwrap();
        assert_eq!(part().await, Some(204), "no number comes twice");
    }
}
