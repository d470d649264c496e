//! A stand-in for a push service and the browsers behind it: gives out subscriptions, takes messages like the real ones do
//! (RFC 8030, signed by RFC 8292), and reads them as a browser would (RFC 8291).

mod browser;
mod service;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use p256::SecretKey;
use serde_json::Value;

pub(crate) use service::routes;

use crate::{clock::Clock, host::lock};

/// Messages that are remembered.
const REMEMBERED: usize = 1_000;

/// What a browser hands to a site when its person agrees. Everything is in the letters of a browser's `toJSON`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushSubscription {
    pub endpoint: String,
    pub p256dh: String,
    pub auth: String,
}

/// A message that was taken, as the browser reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushMessage {
    /// Of the subscription.
    pub endpoint: String,
    pub text: String,
    /// Seconds for which it would have been kept.
    pub ttl: u64,
    pub topic: String,
    /// Who the sender says they are.
    pub contact: String,
    /// Bytes on the wire, which hold nothing of the text.
    pub sealed: Vec<u8>,
}

impl PushMessage {
    /// The text, which is JSON.
    ///
    /// # Panics
    /// When it is not.
    #[allow(clippy::unwrap_used, reason = "for tests")]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

/// Ways in which a push service fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushFault {
    /// Any status: 410 for a browser that takes no more, 429, 503 …
    Status(u16),
    /// Takes the message, and its answer is lost.
    Unsaid,
}

/// The service and its browsers. Clones share everything.
#[derive(Clone, Debug)]
pub struct PushService {
    state: Arc<Mutex<State>>,
    clock: Clock,
    address: SocketAddr,
}

#[derive(Debug, Default)]
struct State {
    browsers: Vec<Browser>,
    messages: VecDeque<PushMessage>,
    /// Statuses that were answered, the oldest first.
    answers: Vec<u16>,
    faults: Vec<(PushFault, u32)>,
}

/// One subscription, from the inside.
#[derive(Clone, Debug)]
struct Browser {
    name: String,
    secret: SecretKey,
    auth: [u8; 16],
    /// The only sender it listens to.
    sender: String,
}

impl PushService {
    pub(crate) fn new(clock: Clock, address: SocketAddr) -> Self {
        Self { state: Arc::default(), clock, address }
    }

    /// A browser whose person agrees to hear from the site that shows this public key.
    pub fn subscribe(&self, sender: &str) -> PushSubscription {
        let browser = Browser::new(sender);
        let subscription = PushSubscription {
            endpoint: format!("http://{}/push/{}", self.address, browser.name),
            p256dh: browser.public(),
            auth: browser.secret_words(),
        };
        lock(&self.state).browsers.push(browser);
        subscription
    }

    /// What was taken, the oldest first.
    pub fn messages(&self) -> Vec<PushMessage> {
        lock(&self.state).messages.iter().cloned().collect()
    }

    /// The statuses of all answers, the oldest first; what was cut is 0.
    pub fn answers(&self) -> Vec<u16> {
        lock(&self.state).answers.clone()
    }

    /// The next `times` messages fail so.
    pub fn fail(&self, fault: PushFault, times: u32) {
        lock(&self.state).faults.push((fault, times));
    }

    fn meet(&self) -> Option<PushFault> {
        let mut state = lock(&self.state);
        let (fault, times) = state.faults.first_mut()?;
        let met = fault.clone();
        *times = times.saturating_sub(1);
        if *times == 0 {
            state.faults.remove(0);
        }
        Some(met)
    }

    fn keep(&self, message: PushMessage) {
        let mut state = lock(&self.state);
        state.messages.push_back(message);
        if state.messages.len() > REMEMBERED {
            state.messages.pop_front();
        }
    }

    fn answered(&self, status: u16) {
        lock(&self.state).answers.push(status);
    }
}
