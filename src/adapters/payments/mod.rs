//! Being paid through somebody else's checkout.
//!
//! One vocabulary for every processor ([`Order`], [`Checkout`], [`Truth`], [`Event`], [`Failure`]), one enum of
//! processors ([`Processor`]), one file per wire protocol ([`btcpay`], [`nowpayments`]; [`manual`] has none). A webhook is only a hint that
//! something may have changed; what counts is the [`Truth`] fetched afterwards. Nothing here grants anything.

pub mod btcpay;
mod decimal;
mod event;
mod failure;
mod http;
pub mod manual;
pub mod nowpayments;
mod order;
mod processor;
mod signature;
mod truth;

pub use decimal::Decimal;
pub use event::{Event, Forged};
pub use failure::{Evidence, Failure};
pub use http::{CALL_DEADLINE, Http};
pub use order::{Checkout, Method, Order, Price};
pub use processor::{Processor, Settings};
pub use signature::WebhookSecrets;
pub use truth::{Mismatch, Payment, Status, Truth};
