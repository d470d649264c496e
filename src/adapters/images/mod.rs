//! Making pictures with somebody else's model.
//!
//! One vocabulary for every vendor ([`Request`], [`Output`], [`Failure`]), one enum of vendors ([`Provider`]), one file
//! per wire protocol ([`gemini`]). Nothing here decides which key is used, how often, or who pays.

mod answer;
mod balance;
mod failure;
pub mod gemini;
mod http;
mod output;
mod provider;
mod proxy_url;
mod request;

pub use answer::{Answer, Cut, Route};
pub use balance::{Balance, Decimal};
pub use failure::{Evidence, Failure, Refusal};
pub use http::Http;
pub use output::{Output, Usage, sniff};
pub use provider::{Access, CHECK_DEADLINE, Provider, Settings};
pub use proxy_url::{ProxyUrl, ProxyUrlError};
pub use request::{InputImage, Request};
