//! placeholder
#![allow(missing_docs)]
#[derive(Clone)]
pub struct Outbox;
pub struct Row {
    pub id: i64,
    pub alert: i64,
    pub to: String,
    pub text: String,
    pub code: i64,
    pub state: String,
    pub attempts: i64,
    pub submitted_us: Option<i64>,
    pub delivered_us: Option<i64>,
}
impl Outbox {
    pub async fn rows(&self) -> Result<Vec<Row>, medmon_kit::sqlite::Error> {
        Ok(vec![])
    }
}
pub struct S {
    pub outbox: Outbox,
}
pub async fn open(
    _: &std::path::Path,
    _: &crate::config::GatewayConfig,
    _: &medmon_kit::Clock,
    _: &tokio_util::sync::CancellationToken,
) -> anyhow::Result<Option<S>> {
    Ok(None)
}
pub async fn run<A, B, C, D, E>(_: A, _: B, _: C, _: D, _: E) {}
