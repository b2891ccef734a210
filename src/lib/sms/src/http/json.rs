//! The JSON dialect: `POST {"to","text"}`, and `{"id"}` back.
//!
//! Not for: what comes back later (callback.rs).

use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::Serialize;
use serde_json::Value;

use super::HttpOptions;
use crate::channel::{Outcome, Sms};

/// A name longer than this is none.
const ID_MAX: usize = 200;

#[derive(Serialize)]
struct Body<'a> {
    to: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_url: Option<&'a str>,
}

pub fn request(http: &Client, url: &Url, options: &HttpOptions, token: Option<&str>, sms: &Sms) -> RequestBuilder {
    let (from, callback_url) = (options.from.as_deref(), options.callback_url.as_deref());
    let body = Body { to: &sms.to, text: &sms.text, from, callback_url };
    let request = http.post(url.clone()).header("Idempotency-Key", &sms.id).json(&body);
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

/// `None`: it was not taken.
pub fn accepted(status: StatusCode, body: &str, sms: &Sms) -> Option<Outcome> {
    let id = || match serde_json::from_str::<Value>(body).ok()?.get_mut("id")?.take() {
        Value::String(id) if (1..=ID_MAX).contains(&id.len()) => Some(id),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    };
    status.is_success().then(|| Outcome::Sent {
        // The API has it, whatever it calls it; only the report of its delivery will not be understood.
        reference: id().unwrap_or_else(|| sms.id.clone()),
    })
}
