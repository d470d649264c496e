//! The log of what was asked and answered.

use std::collections::VecDeque;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// Calls remembered; older ones are forgotten.
const KEPT_CALLS: usize = 500;
/// Newest calls whose pictures and inputs are kept in full.
const KEPT_PICTURES: usize = 50;
/// The same, in bytes: whichever comes first.
const KEPT_BYTES: usize = 256 * 1024 * 1024;

/// One `generateContent` request and its answer.
#[derive(Clone, Debug)]
pub struct Call {
    /// Counts up from 1 and is never reused.
    pub id: u64,
    /// The API key as it was sent; empty when there was none.
    pub key: String,
    /// The model in the path.
    pub model: String,
    /// All text parts, joined by line breaks.
    pub prompt: String,
    pub aspect_ratio: Option<String>,
    pub image_size: Option<String>,
    /// The pictures sent along, in order.
    pub inputs: Vec<Input>,
    /// The request body, base64 data shortened.
    pub body: Value,
    pub started_at: DateTime<Utc>,
    /// Empty while the call is in flight.
    pub finished_at: Option<DateTime<Utc>>,
    /// The HTTP status; 0 while in flight or when the connection was cut, 499 when the client left first.
    pub status: u16,
    /// The fault that was applied.
    pub fault: Option<super::Fault>,
    /// The exact bytes of the answered picture; only for the newest fifty calls.
    pub picture: Option<Bytes>,
    /// The MIME type the answer claims for the picture.
    pub picture_mime: Option<String>,
    /// SHA-256 of the answered picture in hex; kept as long as the call.
    pub picture_sha256: Option<String>,
    /// A small JPEG of the answered picture.
    pub thumbnail: Option<Bytes>,
    /// Whether the request came through [`crate::Proxy`] or says so in a `Via` or `X-Forwarded-For` header.
    pub via_proxy: bool,
    /// Whether the key came as `?key=`, where access logs would keep it.
    pub key_in_query: bool,
    /// The path that was called.
    pub path: String,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
}

/// A picture sent with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    pub mime: String,
    /// SHA-256 of the decoded bytes in hex.
    pub sha256: String,
    pub len: usize,
    /// The decoded bytes; only for the newest fifty calls, empty after that.
    pub bytes: Bytes,
}

impl Call {
    /// Time from arrival to answer in milliseconds.
    pub fn millis(&self) -> Option<i64> {
        Some((self.finished_at? - self.started_at).num_milliseconds())
    }

    /// The call without its pictures, as the control interface shows it.
    pub fn to_json(&self) -> Value {
        let inputs: Vec<Value> = self
            .inputs
            .iter()
            .map(|input| json!({"mime": input.mime, "sha256": input.sha256, "len": input.len}))
            .collect();
        json!({
            "id": self.id, "key": self.key, "model": self.model, "prompt": self.prompt,
            "aspect_ratio": self.aspect_ratio, "image_size": self.image_size, "inputs": inputs, "body": self.body,
            "started_at": self.started_at, "finished_at": self.finished_at, "ms": self.millis(),
            "status": self.status, "fault": self.fault, "picture_len": self.picture.as_ref().map(Bytes::len),
            "picture_mime": self.picture_mime, "picture_sha256": self.picture_sha256,
            "via_proxy": self.via_proxy, "key_in_query": self.key_in_query, "path": self.path,
            "user_agent": self.user_agent,
        })
    }

    fn weight(&self) -> usize {
        self.picture.as_ref().map_or(0, Bytes::len) + self.inputs.iter().map(|input| input.bytes.len()).sum::<usize>()
    }

    fn slim(&mut self) {
        self.picture = None;
        for input in &mut self.inputs {
            input.bytes = Bytes::new();
        }
    }
}

/// The newest calls, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Log {
    calls: VecDeque<Call>,
    arrived: u64,
}

impl Log {
    /// Adds a call and answers its id.
    pub(super) fn push(&mut self, mut call: Call) -> u64 {
        self.arrived += 1;
        call.id = self.arrived;
        self.calls.push_back(call);
        if self.calls.len() > KEPT_CALLS {
            self.calls.pop_front();
        }
        self.arrived
    }

    /// Changes a call that is still remembered.
    pub(super) fn change(&mut self, id: u64, change: impl FnOnce(&mut Call)) {
        if let Some(call) = self.calls.iter_mut().rev().find(|call| call.id == id) {
            change(call);
        }
        self.trim();
    }

    pub(super) fn all(&self) -> Vec<Call> {
        self.calls.iter().cloned().collect()
    }

    pub(super) fn one(&self, id: u64) -> Option<Call> {
        self.calls.iter().find(|call| call.id == id).cloned()
    }

    pub(super) fn clear(&mut self) {
        self.calls.clear();
    }

    fn trim(&mut self) {
        let (mut pictures, mut bytes) = (0, 0);
        for call in self.calls.iter_mut().rev() {
            let weight = call.weight();
            if weight > 0 {
                pictures += 1;
                bytes += weight;
                if pictures > KEPT_PICTURES || bytes > KEPT_BYTES {
                    call.slim();
                }
            }
        }
    }
}
