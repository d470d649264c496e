//! Saved answers and real sockets against the outward-speaking adapters: nothing here mocks HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod gemini_answers;
mod gemini_properties;
mod gemini_requests;
mod payments;
mod peer;
mod proxy_urls;
mod secrecy;
mod storage;
mod transport;
