//! `/livez`, `/readyz`, `/health` and `/metrics` of the gateway: opaque figures, no names, no values of a patient.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::local::Local;
use crate::radio::RadioState;

/// Serves until `stop`.
pub async fn run(listener: TcpListener, local: Local, stop: CancellationToken) {
    let router = Router::new()
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(local);
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::warn!(%error, "telemetry ended");
    }
}

/// Ready = readings can come in: the dongle runs.
async fn ready(State(local): State<Local>) -> impl IntoResponse {
    match &*local.radio.borrow() {
        RadioState::Running { .. } => (StatusCode::OK, "ready\n".to_owned()),
        RadioState::Starting => (StatusCode::SERVICE_UNAVAILABLE, "the radio is starting\n".to_owned()),
        RadioState::Failed { reason } => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn health(State(local): State<Local>) -> impl IntoResponse {
    match local.status().await {
        Ok(status) => (StatusCode::OK, Json(status)).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

/// Prometheus text format 0.0.4.
async fn metrics(State(local): State<Local>) -> impl IntoResponse {
    let mut text = String::from("# TYPE medmon_gateway_events_total counter\n");
    for (kind, count) in local.counters.snapshot() {
        text.push_str(&format!("medmon_gateway_events_total{{kind=\"{kind}\"}} {count}\n"));
    }
    if let (Ok(broker), Ok(outbox)) = (local.broker.depth().await, local.outbox.depth().await) {
        for (name, value) in [
            ("medmon_gateway_readings_kept", broker.kept),
            ("medmon_gateway_detect_behind", broker.detect_behind),
            ("medmon_gateway_downsample_behind", broker.downsample_behind),
            ("medmon_gateway_readings_spilled", *local.spilled.borrow() as i64),
            ("medmon_gateway_outbox_waiting", outbox.waiting),
        ] {
            text.push_str(&format!("# TYPE {name} gauge\n{name} {value}\n"));
        }
    }
    text
}
