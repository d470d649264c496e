//! Carries webhooks to the shop, in order, again and again as the real processors do.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::{clock::Clock, host::lock};

/// How long a shop may take before its silence counts as no answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Attempts that are remembered.
const REMEMBERED: usize = 2_000;

/// What happens to new webhooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Webhooks {
    /// Delivered at once, in order.
    #[default]
    On,
    /// Lost.
    Off,
    /// Kept until they are released.
    Held,
}

/// One try to deliver.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// What it told, in the processor's word.
    pub kind: String,
    /// Unique to this try where the processor numbers its deliveries.
    pub delivery: String,
    /// Same for all tries of one delivery.
    pub original: String,
    pub url: String,
    pub at: DateTime<Utc>,
    /// The shop's answer; none if it did not answer.
    pub status: Option<u16>,
    /// As it was sent.
    pub body: String,
}

/// A message ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub url: String,
    pub kind: String,
    pub body: String,
    pub signature: (&'static str, String),
    pub delivery: String,
    pub original: String,
}

/// Writes the letter of the n-th try (0 is the first): real ones get a new number and a new signature.
pub(crate) type Draft = Arc<dyn Fn(u32) -> Option<Letter> + Send + Sync>;

#[derive(Clone)]
struct Errand {
    draft: Draft,
    tries: u32,
    due: DateTime<Utc>,
}

/// A processor's way to the shop. Clones share everything.
#[derive(Clone)]
pub struct Courier {
    rules: Rules,
    clock: Clock,
    state: Arc<Mutex<State>>,
    bell: Arc<Notify>,
}

/// How a processor delivers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Pauses before each further try; after the last one it gives up.
    pub pauses: &'static [Duration],
    /// A delivery waits until the one before it is done with.
    pub in_order: bool,
    /// A 4xx other than 408 and 429 ends it.
    pub refusal_is_final: bool,
}

#[derive(Default)]
struct State {
    mode: Webhooks,
    copies: u32,
    waiting: VecDeque<Errand>,
    held: Vec<Errand>,
    attempts: VecDeque<Attempt>,
    under_way: usize,
}

impl Courier {
    pub(crate) fn new(rules: Rules, clock: Clock) -> Self {
        Self { rules, clock, state: Arc::default(), bell: Arc::default() }
    }

    /// Decides what happens to webhooks from now on. Those held before stay held until [`Self::release`].
    pub fn webhooks(&self, mode: Webhooks) {
        lock(&self.state).mode = mode;
    }

    pub fn mode(&self) -> Webhooks {
        lock(&self.state).mode
    }

    /// Sends each new webhook so many times more, each as a delivery of its own.
    pub fn duplicate(&self, copies: u32) {
        lock(&self.state).copies = copies;
    }

    /// Sends what was held, in the order of `turn` (the last first, for example), and answers how many.
    pub fn release<T: Ord>(&self, turn: impl Fn(usize) -> T) -> usize {
        let mut state = lock(&self.state);
        let mut held: Vec<(T, Errand)> = state.held.drain(..).enumerate().map(|(at, it)| (turn(at), it)).collect();
        held.sort_by(|a, b| a.0.cmp(&b.0));
        let count = held.len();
        state.waiting.extend(held.into_iter().map(|(_, it)| it));
        drop(state);
        self.bell.notify_one();
        count
    }

    /// The newest tries, in order.
    pub fn attempts(&self) -> Vec<Attempt> {
        lock(&self.state).attempts.iter().cloned().collect()
    }

    /// Deliveries that are not done with; held ones do not count.
    pub fn waiting(&self) -> usize {
        let state = lock(&self.state);
        state.waiting.len() + state.under_way
    }

    /// Waits until nothing is left to deliver and answers whether that was so in time.
    pub async fn idle(&self, patience: Duration) -> bool {
        let end = tokio::time::Instant::now() + patience;
        while self.waiting() > 0 {
            if tokio::time::Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }

    pub(crate) fn send(&self, draft: Draft) {
        let mut state = lock(&self.state);
        let errand = Errand { draft, tries: 0, due: self.clock.now() };
        let many = state.copies as usize + 1;
        match state.mode {
            Webhooks::On => state.waiting.extend(std::iter::repeat_n(errand, many)),
            Webhooks::Held => state.held.extend(std::iter::repeat_n(errand, many)),
            Webhooks::Off => {}
        }
        drop(state);
        self.bell.notify_one();
    }

    /// Delivers for as long as the sandbox lives.
    pub(crate) async fn work(self) {
        let Ok(client) = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()
        else {
            return tracing::error!("the sandbox cannot send webhooks");
        };
        loop {
            let next = {
                let mut state = lock(&self.state);
                let at = if self.rules.in_order {
                    (!state.waiting.is_empty()).then_some(0)
                } else {
                    (0..state.waiting.len()).min_by_key(|at| state.waiting[*at].due)
                };
                let errand = at.and_then(|at| state.waiting.remove(at));
                state.under_way = usize::from(errand.is_some());
                errand
            };
            let Some(mut errand) = next else {
                self.bell.notified().await;
                continue;
            };
            if errand.due > self.clock.now() {
                if self.rules.in_order {
                    self.clock.until(errand.due).await;
                } else {
                    let due = errand.due;
                    self.put_back(errand);
                    tokio::select! { () = self.clock.until(due) => {}, () = self.bell.notified() => {} }
                    continue;
                }
            }
            if self.deliver(&client, &errand).await {
                lock(&self.state).under_way = 0;
                continue;
            }
            match self.rules.pauses.get(errand.tries as usize) {
                Some(pause) => {
                    errand.tries += 1;
                    errand.due = self.clock.now() + *pause;
                    self.put_back(errand);
                }
                None => lock(&self.state).under_way = 0,
            }
        }
    }

    fn put_back(&self, errand: Errand) {
        let mut state = lock(&self.state);
        state.under_way = 0;
        if self.rules.in_order {
            state.waiting.push_front(errand);
        } else {
            state.waiting.push_back(errand);
        }
    }

    /// One try; answers whether the errand is done with.
    async fn deliver(&self, client: &reqwest::Client, errand: &Errand) -> bool {
        let Some(letter) = (errand.draft)(errand.tries) else { return true };
        let request = client
            .post(&letter.url)
            .timeout(PATIENCE)
            .header("content-type", "application/json; charset=utf-8")
            .header(letter.signature.0, letter.signature.1)
            .body(letter.body.clone());
        let status = request.send().await.ok().map(|it| it.status());
        let mut state = lock(&self.state);
        if state.attempts.len() >= REMEMBERED {
            state.attempts.pop_front();
        }
        state.attempts.push_back(Attempt {
            kind: letter.kind,
            delivery: letter.delivery,
            original: letter.original,
            url: letter.url,
            at: self.clock.now(),
            status: status.map(|it| it.as_u16()),
            body: letter.body,
        });
        match status {
            Some(status) if status.is_success() => true,
            Some(StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => false,
            Some(status) => status.is_client_error() && self.rules.refusal_is_final,
            None => false,
        }
    }
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Courier").field("rules", &self.rules).finish_non_exhaustive()
    }
}
