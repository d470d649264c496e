//! Saved answers and real sockets against the outward-speaking adapters: nothing here mocks HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod amounts;
mod authority;
mod balances;
mod daemon;
mod gemini_answers;
mod gemini_noise;
mod gemini_properties;
mod gemini_requests;
mod key_tests;
mod model_lists;
mod payments;
mod peer;
mod proxies;
mod proxy_urls;
mod real_proxies;
mod secrecy;
mod sizes;
mod storage;
mod tls;
mod transport;
