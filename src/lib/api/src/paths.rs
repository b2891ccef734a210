//! Where each resource is. Braces mark what a caller fills in; the server registers these very constants.

/// Liveness: the process answers.
pub const LIVEZ: &str = "/livez";
/// Readiness: stores are open.
pub const READYZ: &str = "/readyz";
/// OpenMetrics text.
pub const METRICS: &str = "/metrics";
/// The OpenAPI document.
pub const OPENAPI: &str = "/v1/openapi.json";
/// Who the caller is.
pub const WHOAMI: &str = "/v1/whoami";
/// Envelopes in, a verdict each out.
pub const INGEST: &str = "/v1/ingest";
/// A one-time code against a token.
pub const ENROL: &str = "/v1/enrol";
/// The calling gateway's Settings.
pub const SETTINGS: &str = "/v1/gateways/self/settings";
/// The calling gateway's facts, up and down.
pub const FACTS: &str = "/v1/gateways/self/facts";
/// A segment of an alert of the calling gateway.
pub const SEGMENTS: &str = "/v1/gateways/self/segments";
/// The calling gateway's sign of life.
pub const HEARTBEAT: &str = "/v1/gateways/self/heartbeat";
/// Whom the calling gateway is about to text, as the cloud knows them now.
pub const CONTACT_NOW: &str = "/v1/gateways/self/contact";
/// Gateways.
pub const GATEWAYS: &str = "/v1/gateways";
/// One gateway.
pub const GATEWAY: &str = "/v1/gateways/{id}";
/// A new one-time code for a gateway.
pub const GATEWAY_CODE: &str = "/v1/gateways/{id}/code";
/// Lets sensors join a gateway.
pub const GATEWAY_PAIR: &str = "/v1/gateways/{id}/pair";
/// Envelopes of a gateway that were set aside.
pub const GATEWAY_QUARANTINE: &str = "/v1/gateways/{id}/quarantine";
/// One of them is a patient's.
pub const QUARANTINE_RELEASE: &str = "/v1/quarantine/{id}/release";
/// One of them is nobody's.
pub const QUARANTINE_DISMISS: &str = "/v1/quarantine/{id}/dismiss";
/// What is known of a sensor.
pub const DEVICE: &str = "/v1/devices/{ieee}";
/// Patients.
pub const PATIENTS: &str = "/v1/patients";
/// One patient.
pub const PATIENT: &str = "/v1/patients/{id}";
/// A patient's limits.
pub const LIMITS: &str = "/v1/patients/{id}/limits";
/// A patient's contacts, in the order of the ladder.
pub const CONTACTS: &str = "/v1/patients/{id}/contacts";
/// One contact.
pub const CONTACT: &str = "/v1/patients/{id}/contacts/{contact}";
/// An exercise with one contact.
pub const CONTACT_TEST: &str = "/v1/patients/{id}/contacts/{contact}/test";
/// A patient's assignments.
pub const ASSIGNMENTS: &str = "/v1/patients/{id}/assignments";
/// The open assignment of a patient.
pub const ASSIGNMENT_OPEN: &str = "/v1/patients/{id}/assignments/open";
/// The allow-list of a patient's sensors.
pub const DEVICES: &str = "/v1/patients/{id}/devices";
/// A patient's reports.
pub const REPORTS: &str = "/v1/patients/{id}/reports";
/// One report.
pub const REPORT: &str = "/v1/patients/{id}/reports/{report}";
/// A patient's feelings.
pub const FEELINGS: &str = "/v1/patients/{id}/feelings";
/// A patient's newest value of every vital.
pub const VITALS_LATEST: &str = "/v1/patients/{id}/vitals/latest";
/// All vitals of a patient.
pub const PATIENT_VITALS: &str = "/v1/patients/{id}/vitals";
/// What one vital amounted to, for each patient of a ward.
pub const VITAL_TOTALS: &str = "/v1/vitals/{vital}/totals";
/// One vital of a patient over a span.
pub const VITALS: &str = "/v1/patients/{id}/vitals/{vital}";
/// A patient's alerts.
pub const PATIENT_ALERTS: &str = "/v1/patients/{id}/alerts";
/// Alerts.
pub const ALERTS: &str = "/v1/alerts";
/// One alert with its facts.
pub const ALERT: &str = "/v1/alerts/{id}";
/// The raw readings around it.
pub const ALERT_SEGMENT: &str = "/v1/alerts/{id}/segment";
/// The ward takes care of it.
pub const ALERT_ACK: &str = "/v1/alerts/{id}/ack";
/// No paging for it until a time.
pub const ALERT_SILENCE: &str = "/v1/alerts/{id}/silence";
/// Wards.
pub const WARDS: &str = "/v1/wards";
/// Sites.
pub const SITES: &str = "/v1/sites";
/// Tokens.
pub const TOKENS: &str = "/v1/tokens";
/// One token.
pub const TOKEN: &str = "/v1/tokens/{id}";
/// The ward's board.
pub const BOARD: &str = "/v1/board";
/// Server-sent hints.
pub const EVENTS: &str = "/v1/events";

/// `path` with its braces filled in order. Values are percent-encoded, so that none can change the path.
pub fn fill(path: &str, values: &[&str]) -> String {
    let mut out = String::with_capacity(path.len() + 36 * values.len());
    let (mut rest, mut values) = (path, values.iter());
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        for byte in values.next().map_or("", |value| value).bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => out.push(byte as char),
                _ => out.push_str(&format!("%{byte:02X}")),
            }
        }
        rest = after.split_once('}').map_or("", |(_, tail)| tail);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn braces_are_filled_in_order_and_nothing_escapes_its_place() {
        assert_eq!(super::fill(super::VITALS, &["a1", "heart_rate"]), "/v1/patients/a1/vitals/heart_rate");
        assert_eq!(super::fill(super::PATIENT, &["../x?y"]), "/v1/patients/%2E%2E%2Fx%3Fy");
    }
}
