//! Answers that are broken as bytes rather than as content.

use std::{io, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, Response, header},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};

use super::{Ticket, answer::json_response};

/// What is filled with `A`s in the oversized answers, at a time.
const BLOCK: usize = 64 * 1024;
/// Pause between the blocks of an endless body: a flood, but not a busy loop.
const BREATH: Duration = Duration::from_millis(5);
const HUGE_BYTES: usize = 100 * 1024 * 1024;
/// Long enough for what was already said to leave the machine before the line goes dead.
const LAST_WORDS: Duration = Duration::from_millis(50);

const OPENING: &str = r#"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":""#;
const CLOSING: &str = r#""}}],"role":"model"},"finishReason":"STOP","index":0}],"responseId":"huge"}"#;

type Chunk = io::Result<Bytes>;

/// The first half of `body` under the length of the whole, then the connection ends.
pub(super) fn truncated(body: &Bytes, ticket: Ticket) -> Response<Body> {
    let half = stream::iter([Chunk::Ok(body.slice(..body.len() / 2))]);
    let end = stream::once(async {
        tokio::time::sleep(LAST_WORDS).await;
        Chunk::Err(io::ErrorKind::ConnectionAborted.into())
    });
    of_length(body.len(), streaming(half.chain(end), ticket))
}

/// A picture that never ends.
pub(super) fn endless(ticket: Ticket) -> Response<Body> {
    let block = Bytes::from(vec![b'A'; BLOCK]);
    let flood = stream::repeat(block).then(|block| async {
        tokio::time::sleep(BREATH).await;
        Chunk::Ok(block)
    });
    streaming(opening().chain(flood), ticket)
}

/// A picture of a hundred megabytes.
pub(super) fn huge(ticket: Ticket) -> Response<Body> {
    let blocks = HUGE_BYTES / BLOCK;
    let block = Bytes::from(vec![b'A'; BLOCK]);
    let middle = stream::iter(std::iter::repeat_n(block, blocks)).map(Chunk::Ok);
    let end = stream::iter([Chunk::Ok(Bytes::from_static(CLOSING.as_bytes()))]);
    of_length(OPENING.len() + blocks * BLOCK + CLOSING.len(), streaming(opening().chain(middle).chain(end), ticket))
}

/// The right answer, a byte a second.
pub(super) fn drip(body: Bytes, ticket: Ticket) -> Response<Body> {
    let length = body.len();
    let bytes = stream::iter(0..length).then(move |at| {
        let byte = body.slice(at..=at);
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Chunk::Ok(byte)
        }
    });
    of_length(length, streaming(bytes, ticket))
}

fn opening() -> impl Stream<Item = Chunk> {
    stream::iter([Chunk::Ok(Bytes::from_static(OPENING.as_bytes()))])
}

/// Streams while the ticket, and with it the call, is held.
fn streaming(chunks: impl Stream<Item = Chunk> + Send + 'static, ticket: Ticket) -> Response<Body> {
    let held = chunks.map(move |chunk| {
        let _in_flight = &ticket;
        chunk
    });
    json_response(200, Body::from_stream(held))
}

fn of_length(length: usize, mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}
