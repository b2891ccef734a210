//! `/v1/events` as a stream. It ends when the connection does: the caller asks anew with the last id it saw.

use std::collections::VecDeque;
use std::pin::Pin;

use futures_util::Stream;
use futures_util::stream::unfold;
use reqwest::{Method, Response};

use super::{Client, Error};
use crate::event::Event;
use crate::paths;

/// Hints as they come. After the first error or the end of the connection it is over.
pub type Events = Pin<Box<dyn Stream<Item = Result<Event, Error>> + Send>>;

/// A line of a hint is short; a server that sends longer ones is not ours.
const MAX_LINE: usize = 64 << 10;

impl Client {
    /// Opens the stream of hints, from after `last_event_id` where given. Once this returns, the server listens for
    /// the caller: what changes from now on is in the stream.
    pub async fn events(&self, last_event_id: Option<u64>) -> Result<Events, Error> {
        let mut request = self.request(Method::GET, paths::EVENTS).header("Accept", "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id.to_string());
        }
        let response = self.send(request).await?;
        let state = Some((response, SseParser::default(), VecDeque::new(), self.base.to_string()));
        Ok(Box::pin(unfold(state, |state| async move {
            let (mut response, mut parser, mut ready, url) = state?;
            loop {
                if let Some(event) = ready.pop_front() {
                    return Some((Ok(event), Some((response, parser, ready, url))));
                }
                match read(&mut response, &mut parser, &mut ready, &url).await {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(error) => return Some((Err(error), None)),
                }
            }
        })))
    }
}

async fn read(
    response: &mut Response,
    parser: &mut SseParser,
    ready: &mut VecDeque<Event>,
    url: &str,
) -> Result<bool, Error> {
    let chunk = response.chunk().await.map_err(|source| Error::Unreachable { url: url.to_owned(), source })?;
    let Some(chunk) = chunk else { return Ok(false) };
    let events = parser.push(&chunk);
    ready.extend(events.map_err(|message| Error::Answer { path: paths::EVENTS.to_owned(), message })?);
    Ok(true)
}

/// Takes a text/event-stream apart (WHATWG HTML, 9.2). Only `data` counts; the id is in it, too.
#[derive(Debug, Default)]
pub struct SseParser {
    line: Vec<u8>,
    data: String,
}

impl SseParser {
    /// Takes more bytes in; gives the hints that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, String> {
        let mut events = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' => events.extend(self.end_line()?),
                b'\r' => {}
                _ if self.line.len() + self.data.len() >= MAX_LINE => {
                    return Err(format!("an event of more than {MAX_LINE} bytes"));
                }
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Result<Option<Event>, String> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return if data.is_empty() {
                Ok(None)
            } else {
                serde_json::from_str(&data).map(Some).map_err(|error| error.to_string())
            };
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            self.data.push_str(String::from_utf8_lossy(data).trim_start());
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    #[test]
    fn hints_are_found_however_the_bytes_are_cut() {
        let text = ": beat\n\nid: 7\nevent: alert\ndata: {\"id\":7,\"kind\":\"alert\"}\n\nid: 8\r\ndata: {\"id\":8,\r\ndata: \
                    \"kind\":\"sunrise\"}\r\n\r\ndata: {\"id\":9";
        for cut in 0..text.len() {
            let mut parser = SseParser::default();
            let (left, right) = text.as_bytes().split_at(cut);
            let mut events = parser.push(left).unwrap();
            events.extend(parser.push(right).unwrap());
            let seen: Vec<_> = events.iter().map(|event| (event.id, event.kind)).collect();
            assert_eq!(seen, [(7, EventKind::Alert), (8, EventKind::Other)], "cut at {cut}");
        }
        assert!(SseParser::default().push(&vec![b'x'; MAX_LINE + 1]).is_err());
    }
}
