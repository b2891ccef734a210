//! Kannel's dialect (Kannel 1.4 user guide, "Using the SMSBox"): `GET /cgi-bin/sendsms?…`, and a line of text back.
//!
//! Its answer has no name for a text; its reports carry the one that we put into their address.

use medmon_core::text::gsm7;
use reqwest::{Client, RequestBuilder, StatusCode, Url};

use super::HttpOptions;
use crate::channel::{Outcome, Sms};

/// Delivered to the phone (1), not delivered (2), refused by the service centre (16).
const REPORTS: &str = "19";
/// Minutes for which the network tries. An older "may need help" helps nobody.
const VALIDITY: &str = "1440";

pub fn request(http: &Client, url: &Url, options: &HttpOptions, token: Option<&str>, sms: &Sms) -> RequestBuilder {
    let mut url = url.clone();
    if matches!(url.path(), "" | "/") {
        url.set_path("/cgi-bin/sendsms");
    }
    {
        let mut query = url.query_pairs_mut();
        if let Some((user, password)) = token.map(|token| token.split_once(':').unwrap_or((token, ""))) {
            query.append_pair("username", user).append_pair("password", password);
        }
        if let Some(from) = &options.from {
            query.append_pair("from", from);
        }
        // 0 is GSM-7, 2 is UCS-2; Kannel makes either of the charset.
        let coding = if gsm7::encode(&sms.text).is_some() { "0" } else { "2" };
        query.append_pair("to", &sms.to).append_pair("text", &sms.text);
        query.append_pair("charset", "UTF-8").append_pair("coding", coding).append_pair("validity", VALIDITY);
        if let Some(callback) = &options.callback_url {
            query
                .append_pair("dlr-mask", REPORTS)
                .append_pair("dlr-url", &format!("{callback}?id={}&state=%d", sms.id));
        }
    }
    http.get(url)
}

/// `None`: it was not taken.
pub fn accepted(status: StatusCode, body: &str, sms: &Sms) -> Option<Outcome> {
    // "0: Accepted for delivery", "3: Queued for later delivery"; other numbers are refusals.
    let taken = status.is_success() && matches!(body.trim().split(':').next(), Some("0" | "3"));
    taken.then(|| Outcome::Sent { reference: sms.id.clone() }).or_else(|| {
        status.is_success().then(|| Outcome::unavailable(format!("not an answer of Kannel's: {:.200}", body.trim())))
    })
}
