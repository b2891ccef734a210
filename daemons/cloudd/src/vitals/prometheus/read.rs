//! What is asked of the server: raw samples by range selectors, which both servers answer alike, made into parts here.
//! Edges are cut here too: whether a selector's first instant belongs to it differs between releases.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use medmon_core::noun::{Gap, UtcUs, Vital, Window};
use uuid::Uuid;

use super::Inner;
use super::client::ClientError;
use super::layout::{Item, Parts, What};
use crate::vitals::VitalsError;

/// No window is longer (ingest refuses it).
const MAX_SPAN_MS: i64 = 86_400_000;
/// As far back as a trend looks.
const HOUR_MS: i64 = 3_600_000;
/// How far back a start looks for the last hour of a subject that is silent, in hours.
const LOOK_BACK_H: [i64; 4] = [2, 7, 25, 169];
/// A part lies no farther than this from its instant, but for few.
const MOVED_MS: i64 = 100;
/// Subjects named in one question.
const NAMED: usize = 50;

/// Of which series: beside the family, matchers as PromQL writes them.
struct Wanted {
    family: &'static str,
    matchers: String,
}

impl Wanted {
    fn of(family: &'static str, subject: Uuid, vital: Vital) -> Self {
        Self { family, matchers: format!("subject=\"{subject}\",vital=\"{vital}\"") }
    }
}

impl Inner {
    /// Windows of a span by start, their parts merged.
    pub(super) async fn windows(
        &self,
        subject: Uuid,
        vital: Vital,
        from_us: UtcUs,
        to_us: UtcUs,
    ) -> Result<Vec<(Window, i64)>, VitalsError> {
        let Some((from_ms, to_ms)) = self.reach(from_us, to_us) else { return Ok(Vec::new()) };
        let usual_s = vital.info().map_or(0, |row| row.window_s);
        let mut parts = Parts::of_windows();
        // The last windows end behind the span: nearly always by their usual length, else by a day.
        for (matcher, tail_ms) in [("=", i64::from(usual_s) * 1000), ("!=", MAX_SPAN_MS)] {
            let mut wanted = Wanted::of("medmon_window_", subject, vital);
            let _ = write!(wanted.matchers, ",span{matcher}\"{usual_s}\"");
            self.samples(&wanted, from_ms, to_ms + tail_ms, &mut parts).await.map_err(store)?;
        }
        let inside = parts.windows().filter(|(_, window, _)| window.start_us >= from_us && window.start_us < to_us);
        Ok(inside.map(|(_, window, at_ms)| (window, at_ms)).collect())
    }

    /// Gaps that overlap a span, in no order. One may have begun as long ago as the server keeps anything.
    pub(super) async fn holes(
        &self,
        subject: Uuid,
        vital: Vital,
        from_us: UtcUs,
        to_us: UtcUs,
    ) -> Result<Vec<Gap>, VitalsError> {
        let Some((from_ms, to_ms)) = self.reach(i64::MIN, to_us) else { return Ok(Vec::new()) };
        let mut parts = Parts::of_gaps();
        let wanted = Wanted::of("medmon_gap_", subject, vital);
        // A moved one lies up to a second behind its start.
        self.samples(&wanted, from_ms, to_ms + 1000, &mut parts).await.map_err(store)?;
        let gaps = parts.gaps().map(|(_, gap, _)| gap);
        Ok(gaps.filter(|gap| gap.from_us < to_us && gap.to_us > from_us).collect())
    }

    /// Whether the server has exactly this part. Asked before a part that may have been sent already goes elsewhere.
    pub(super) async fn has(&self, item: &Item) -> Result<bool, VitalsError> {
        match &item.what {
            What::Window(window) => {
                let start_us = window.start_us;
                let there = self.windows(item.subject, window.vital, start_us, start_us + 1).await?;
                Ok(there.iter().any(|(part, _)| part == window))
            }
            What::Gap(gap) => {
                let there = self.holes(item.subject, gap.vital, gap.from_us, gap.from_us + 1).await?;
                Ok(there.contains(gap))
            }
        }
    }

    /// Notes where the server has parts among which late ones are to be laid: two at one instant would become one. What
    /// is not late was read at the start or sent since.
    pub(super) async fn learn(&self, items: &[Item]) -> Result<(), ClientError> {
        let late_ms = self.clock.utc_us() / 1000 - LOOK_BACK_H[0] * HOUR_MS;
        let mut spans = BTreeMap::<_, (i64, i64)>::new();
        for item in items {
            let at_ms = item.true_us().div_euclid(1000);
            let (subject, vital, _, window) = item.series();
            if !window || at_ms < late_ms {
                let span = spans.entry((subject, vital, window)).or_insert((at_ms, at_ms));
                *span = (span.0.min(at_ms), span.1.max(at_ms));
            }
        }
        for ((subject, vital, window), (from_ms, to_ms)) in spans {
            let (from_ms, to_ms) = (from_ms - MOVED_MS, to_ms + MOVED_MS);
            if window {
                let mut parts = Parts::of_windows();
                self.samples(&Wanted::of("medmon_window_", subject, vital), from_ms, to_ms, &mut parts).await?;
                for (subject, window, at_ms) in parts.windows() {
                    self.places().found(&Item { subject, what: What::Window(window) }, at_ms);
                }
            } else {
                let mut parts = Parts::of_gaps();
                self.samples(&Wanted::of("medmon_gap_", subject, vital), from_ms, to_ms, &mut parts).await?;
                for (subject, gap, at_ms) in parts.gaps() {
                    self.places().found(&Item { subject, what: What::Gap(gap) }, at_ms);
                }
            }
        }
        Ok(())
    }

    /// Reads the last windows of everybody into memory, once.
    pub(super) async fn fill(&self) -> Result<(), ClientError> {
        let now_ms = self.clock.utc_us() / 1000;
        for vital in self.client.vitals().await? {
            let mut seen = BTreeSet::new();
            let mut missing: Option<Vec<Uuid>> = None;
            let mut to_ms = now_ms + 120_000;
            for hours in LOOK_BACK_H {
                let from_ms = now_ms - hours * HOUR_MS;
                let mut questions = vec![format!("vital=\"{vital}\"")];
                if let Some(missing) = &missing {
                    let named = missing.chunks(NAMED).map(|some| {
                        let names: Vec<_> = some.iter().map(Uuid::to_string).collect();
                        format!("vital=\"{vital}\",subject=~\"{}\"", names.join("|"))
                    });
                    questions = named.collect();
                }
                for matchers in questions {
                    self.fill_span(&matchers, from_ms, to_ms, &mut seen).await?;
                }
                let all = match missing {
                    Some(missing) => missing,
                    None => {
                        self.client.subjects("medmon_window_count", &vital, now_ms - LOOK_BACK_H[3] * HOUR_MS).await?
                    }
                };
                missing = Some(all.into_iter().filter(|subject| !seen.contains(subject)).collect());
                to_ms = from_ms + HOUR_MS;
            }
        }
        Ok(())
    }

    async fn fill_span(
        &self,
        matchers: &str,
        from_ms: i64,
        to_ms: i64,
        seen: &mut BTreeSet<Uuid>,
    ) -> Result<(), ClientError> {
        // Everybody at once is too much of an answer for a large ward: then by the first digits of the subject.
        let mut prefixes = vec![String::new()];
        while let Some(prefix) = prefixes.pop() {
            let wanted = Wanted {
                family: "medmon_window_",
                matchers: if prefix.is_empty() {
                    matchers.to_owned()
                } else {
                    format!("{matchers},subject=~\"{prefix}.*\"")
                },
            };
            let mut parts = Parts::of_windows();
            match self.span(&wanted, from_ms, to_ms, &mut parts).await {
                Ok(()) => {}
                Err(ClientError::TooBig) if prefix.len() < 4 => {
                    prefixes.extend("0123456789abcdef".chars().map(|digit| format!("{prefix}{digit}")));
                    continue;
                }
                Err(error) => return Err(error),
            }
            for (subject, window, at_ms) in parts.windows() {
                if self.is_erased(subject) {
                    continue;
                }
                // With the hour before it.
                if at_ms >= from_ms + HOUR_MS {
                    seen.insert(subject);
                }
                let item = Item { subject, what: What::Window(window.clone()) };
                self.places().found(&item, at_ms);
                if self.seen().found(&item, at_ms) {
                    self.recent.take(subject, &window);
                }
            }
        }
        Ok(())
    }

    /// Samples of a span of instants, both ends included (and a few more, to be cut by the caller), in as many
    /// questions as it needs.
    async fn samples<const N: usize>(
        &self,
        wanted: &Wanted,
        from_ms: i64,
        to_ms: i64,
        parts: &mut Parts<N>,
    ) -> Result<(), ClientError> {
        let mut spans = vec![(from_ms, to_ms)];
        while let Some((from_ms, to_ms)) = spans.pop() {
            match self.span(wanted, from_ms, to_ms, parts).await {
                Ok(()) => {}
                Err(ClientError::TooBig) if to_ms - from_ms > HOUR_MS => {
                    let middle_ms = i64::midpoint(from_ms, to_ms);
                    spans.extend([(from_ms, middle_ms), (middle_ms, to_ms)]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn span<const N: usize>(
        &self,
        wanted: &Wanted,
        from_ms: i64,
        to_ms: i64,
        parts: &mut Parts<N>,
    ) -> Result<(), ClientError> {
        let Wanted { family, matchers } = wanted;
        let range_ms = (to_ms - from_ms).max(0) + 1;
        let query = format!("{{__name__=~\"{family}.+\",{matchers}}}[{range_ms}ms]");
        self.client.query(&query, to_ms, |row| parts.take(&row.metric, row.samples())).await
    }

    /// The part of a span that the server can have something of, in ms.
    fn reach(&self, from_us: UtcUs, to_us: UtcUs) -> Option<(i64, i64)> {
        let now_ms = self.clock.utc_us() / 1000;
        let kept_ms = self.state().server.as_ref().map_or(i64::MAX / 4, |server| server.retention_ms);
        // Servers let go of whole blocks: what is a little older may still be there.
        let from_ms = from_us.div_euclid(1000).max(now_ms.saturating_sub(kept_ms)).max(0);
        // Nothing of a later time was ever sent there.
        let to_ms = (to_us.div_euclid(1000)).min(now_ms + 600_000);
        (from_us < to_us && from_ms <= to_ms).then_some((from_ms, to_ms))
    }
}

pub(super) fn store(error: ClientError) -> VitalsError {
    VitalsError::Store(Box::new(error))
}
