//! What is counted, as OpenMetrics. Opaque: no patient, name or value is in any label.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use medmon_core::noun::Verdict;

/// Which verdict.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct VerdictLabel {
    /// stored, already_held, quarantined, later.
    pub verdict: &'static str,
}

/// The counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    envelopes: Family<VerdictLabel, Counter>,
    /// Facts pushed by gateways.
    pub facts: Counter,
    /// Open streams of hints.
    pub listeners: Gauge,
    /// Alerts that the cloud pages for, their gateways being silent.
    pub taken_over: Gauge,
    /// Texts that the cloud handed over.
    pub texts: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("medmon_cloud");
        let (envelopes, facts, listeners) = (Family::default(), Counter::default(), Gauge::default());
        registry.register("envelopes", "Envelopes by verdict", Family::clone(&envelopes));
        registry.register("facts", "Facts pushed by gateways", Counter::clone(&facts));
        registry.register("listeners", "Open streams of hints", Gauge::clone(&listeners));
        let (taken_over, texts) = (Gauge::default(), Counter::default());
        registry.register(
            "taken_over",
            "Alerts that the cloud pages for, their gateways being silent",
            Gauge::clone(&taken_over),
        );
        registry.register("texts", "Texts that the cloud handed over", Counter::clone(&texts));
        Self { registry, envelopes, facts, listeners, taken_over, texts }
    }
}

impl Metrics {
    /// Counts verdicts.
    pub fn verdicts(&self, verdicts: &[Verdict]) {
        for verdict in verdicts {
            let verdict = match verdict {
                Verdict::Stored => "stored",
                Verdict::AlreadyHeld => "already_held",
                Verdict::Quarantined { .. } => "quarantined",
                Verdict::Later { .. } => "later",
            };
            self.envelopes.get_or_create(&VerdictLabel { verdict }).inc();
        }
    }

    /// Has others register what they count.
    pub fn register(&mut self, more: impl FnOnce(&mut Registry)) {
        more(&mut self.registry);
    }

    /// OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
