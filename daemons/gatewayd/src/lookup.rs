//! LOOKUP: at the onset of an alert the cloud is asked for the contact's number as it is now. The emergency does not
//! depend on the answer: whatever goes wrong, the number that is known here is texted.
//!
//! Not for: whom to text when (the ladder).

use std::time::Duration;

use tokio::sync::watch;

use medmon_api::Client;
use medmon_api::gateway::ContactQuery;
use medmon_core::noun::{Contact, Settings, is_e164};

/// The longest that a text waits for the answer. The contract allows two seconds; from the reading to the modem there
/// are 1.5 in all.
const LIMIT: Duration = Duration::from_secs(1);

/// Where the number is asked for.
#[derive(Clone)]
pub struct Lookup {
    client: Option<Client>,
    online: watch::Receiver<bool>,
}

/// What the cloud says about a text that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Text this number.
    Contact(Contact),
    /// Nothing that is of use: text the number that is known here.
    Local,
    /// The gateway has another patient since: this text is nobody's.
    Newer,
}

impl Lookup {
    /// `client`: none without a cloud. `online`: whether it answered last time.
    pub fn new(client: Option<Client>, online: watch::Receiver<bool>) -> Self {
        Self { client, online }
    }

    /// Asks about `contact`, who is about to be texted.
    pub async fn ask(&self, contact: &Contact, settings: &Settings) -> Found {
        // Who did not answer a moment ago is not waited for.
        let Some(client) = self.client.as_ref().filter(|_| *self.online.borrow()) else { return Found::Local };
        let query = ContactQuery { epoch: settings.epoch, contact: Some(contact.id) };
        // Limited here too: a name that does not resolve has a time-out of its own.
        match tokio::time::timeout(LIMIT, client.contact_now(&query, LIMIT)).await {
            Ok(Ok(now)) if now.epoch > settings.epoch => Found::Newer,
            Ok(Ok(now)) => match now.contact {
                // Somebody else in their place is for the next Settings to say.
                Some(found) if found.id == contact.id && is_e164(&found.phone) => Found::Contact(found),
                _ => Found::Local,
            },
            Ok(Err(error)) => {
                tracing::debug!(%error, "no number from the cloud; the one known here is texted");
                Found::Local
            }
            Err(_) => {
                tracing::debug!("the cloud is too slow; the number known here is texted");
                Found::Local
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use medmon_core::noun::Language;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use uuid::Uuid;

    use super::*;

    fn paul(phone: &str) -> Contact {
        Contact { id: Uuid::from_u128(9), name: "Paul".into(), phone: phone.into(), language: Language::Fr }
    }

    /// What comes of asking a cloud that answers every request with `body`, or, without one, with nothing for ever.
    async fn asked(body: Option<String>, online: bool) -> Found {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let Some(body) = body else { return std::future::pending().await };
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
            let _ = stream.write_all(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
        });
        let lookup = Lookup::new(Some(Client::new(&url, None).unwrap()), watch::channel(online).1);
        let settings = Settings { epoch: 5, ..Settings::default() };
        let found = lookup.ask(&paul("+33639981001"), &settings).await;
        served.abort();
        found
    }

    fn now(epoch: u64, contact: Option<&Contact>) -> String {
        serde_json::json!({ "epoch": epoch, "contact": contact }).to_string()
    }

    #[tokio::test]
    async fn only_a_newer_epoch_stops_a_text_and_every_failure_is_the_number_known_here() {
        let moved = paul("+33711111111");
        assert_eq!(asked(Some(now(5, Some(&moved))), true).await, Found::Contact(moved.clone()));
        assert_eq!(asked(Some(now(6, Some(&moved))), true).await, Found::Newer);
        for (answer, online) in [
            (Some(now(4, None)), true),
            (Some(now(5, Some(&Contact { id: Uuid::from_u128(8), ..moved.clone() }))), true),
            (Some(now(5, Some(&paul("07 11")))), true),
            (Some("{\"epoch\":".into()), true),
            (Some("<html>sign in to the guest network</html>".into()), true),
            (None, true),
            // Not even asked: what it would say must not count.
            (Some(now(6, None)), false),
        ] {
            assert_eq!(asked(answer.clone(), online).await, Found::Local, "{answer:?}");
        }
        let nowhere = Lookup::new(Client::new("http://127.0.0.1:9", None).ok(), watch::channel(true).1);
        assert_eq!(nowhere.ask(&moved, &Settings::default()).await, Found::Local);
    }
}
