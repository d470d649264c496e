//! Offline stand-ins that speak the real protocols of nproxy's outside world.
//!
//! A [`Sandbox`] is one HTTP server that answers like Google's `generateContent` image API, like a
//! BTCPay Server and like NOWPayments (with checkout pages where a person pays, late or too little),
//! like Telegram's Bot API (with a chat page) and like the push service of a browser, one SMTP server that catches mail, and a few pages to look at them all. Each can be told to fail
//! in the ways the real ones do. [`proxy::Proxy`] is a forward proxy that can misbehave in the same spirit.
//!
//! Servers run on threads of their own, so a sandbox kept in a `static` outlives the runtime of the
//! test that started it. Dropping the handle stops them.

#![allow(
    clippy::disallowed_methods,
    reason = "rules for nproxy itself: a stand-in has no database clock, no jobs and no settings"
)]

pub mod btcpay;
mod clock;
mod control;
mod courier;
pub mod gemini;
mod host;
pub mod mail;
pub mod nowpayments;
mod pages;
pub mod paint;
pub mod proxy;
mod push;
mod spoil;
pub mod telegram;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

pub use btcpay::{Amount, Btcpay};
pub use clock::Clock;
pub use courier::{Attempt, Courier, Webhooks};
pub use gemini::{Call, Fault, Gemini, Input};
pub use mail::{Mail, MailBox, SmtpFault};
pub use nowpayments::Nowpayments;
pub use proxy::{Proxy, ProxyFault, ProxyKind, ProxyOptions};
pub use push::{PushFault, PushMessage, PushService, PushSubscription};
pub use spoil::{Spoil, Trouble, Troubles};
pub use telegram::{
    Telegram, TelegramButton, TelegramCall, TelegramFault, TelegramMessage, TelegramPerson, TelegramTrouble,
};

use host::Host;

/// How long an answer takes by default: long enough to see a waiting state, short enough for a demo.
pub const DEFAULT_LATENCY: Duration = Duration::from_millis(900);

/// How long a person waits for blocks at the checkout of a demo.
pub const CONFIRM_AFTER: Duration = Duration::from_secs(3);

/// Where a sandbox listens and how slowly it answers.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of the HTTP server. Port 0 takes a free one. Default `127.0.0.1:0`.
    pub http: SocketAddr,
    /// Address of the SMTP server. Port 0 takes a free one. Default `127.0.0.1:0`.
    pub smtp: SocketAddr,
    /// Time from request to picture, drawing included. Default 900 ms; tests use zero.
    pub latency: Duration,
    /// Where the BTCPay store's webhook points; empty = it has none. NOWPayments is told with each invoice.
    pub btcpay_webhook: String,
    /// Coins on the chain are confirmed by themselves after this, step by step at NOWPayments. `None`: when told to.
    pub confirm_after: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            http: anywhere,
            smtp: anywhere,
            latency: DEFAULT_LATENCY,
            btcpay_webhook: String::new(),
            confirm_after: None,
        }
    }
}

/// A running sandbox; dropping it stops it.
#[derive(Debug)]
pub struct Sandbox {
    http: SocketAddr,
    smtp: SocketAddr,
    gemini: Gemini,
    mail: MailBox,
    btcpay: Btcpay,
    nowpayments: Nowpayments,
    telegram: Telegram,
    push: PushService,
    clock: Clock,
    _host: Host,
}

impl Sandbox {
    /// Binds both addresses and starts to answer.
    ///
    /// # Errors
    /// When an address cannot be bound or the threads cannot be started.
    // Async so that callers need not change the day a stand-in has to wait for something.
    #[allow(clippy::unused_async, reason = "part of the agreed interface")]
    pub async fn start(o: Options) -> std::io::Result<Self> {
        let host = Host::new("sandbox")?;
        let (gemini, mail, clock) = (Gemini::new(o.latency), MailBox::default(), Clock::default());
        let btcpay = Btcpay::new(clock.clone(), o.confirm_after);
        btcpay.webhook(&o.btcpay_webhook, btcpay::WEBHOOK_SECRET);
        let nowpayments = Nowpayments::new(clock.clone(), o.confirm_after);
        let telegram = Telegram::new(clock.clone());
        let till = Till { btcpay: btcpay.clone(), nowpayments: nowpayments.clone(), clock: clock.clone() };

        let http = host.bind(o.http)?;
        let smtp = host.bind(o.smtp)?;
        let addresses = (http.local_addr()?, smtp.local_addr()?);

        let push = PushService::new(clock.clone(), addresses.0);
        let routes = gemini::routes(&gemini)
            .merge(btcpay::routes(&btcpay))
            .merge(nowpayments::routes(&nowpayments))
            .merge(control::routes(&gemini, &mail))
            .merge(control::till(&till))
            .merge(control::telegram(&telegram))
            .merge(telegram::routes(&telegram))
            .merge(push::routes(&push))
            .merge(pages::routes(&gemini, &mail, addresses, &till, &telegram));
        host.spawn(host::serve(http, routes));
        host.spawn(mail::serve(smtp, mail.clone()));
        host.spawn(btcpay.clone().work());
        host.spawn(btcpay.courier().clone().work());
        host.spawn(nowpayments.clone().work());
        host.spawn(nowpayments.courier().clone().work());

        let (http, smtp) = addresses;
        Ok(Self { http, smtp, gemini, mail, btcpay, nowpayments, telegram, push, clock, _host: host })
    }

    /// Where the HTTP server really listens.
    pub fn http_addr(&self) -> SocketAddr {
        self.http
    }

    /// Where the SMTP server really listens.
    pub fn smtp_addr(&self) -> SocketAddr {
        self.smtp
    }

    /// `http://127.0.0.1:PORT`: the base address to give a Gemini client, and the page to open in a browser.
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// The image provider: what it was asked and how it shall fail.
    pub fn gemini(&self) -> &Gemini {
        &self.gemini
    }

    /// The caught mail and how the mail server shall fail.
    pub fn mail(&self) -> &MailBox {
        &self.mail
    }

    /// The BTCPay Server: its invoices, what happens to them, and how it fails.
    pub fn btcpay(&self) -> &Btcpay {
        &self.btcpay
    }

    /// NOWPayments: its invoices and payments, what happens to them, and how it fails.
    pub fn nowpayments(&self) -> &Nowpayments {
        &self.nowpayments
    }

    /// Telegram: who writes to the bot, what it answered, and how its API fails.
    pub fn telegram(&self) -> &Telegram {
        &self.telegram
    }

    /// The push service: browsers that agreed to be told, what they were told, and how it fails.
    pub fn push(&self) -> &PushService {
        &self.push
    }

    /// The time of both processors.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// The processors, for those who steer and show both.
#[derive(Clone, Debug)]
struct Till {
    btcpay: Btcpay,
    nowpayments: Nowpayments,
    clock: Clock,
}
