//! A stand-in for Google's `generativelanguage` API, the part that draws.

mod answer;
mod billing;
mod body;
mod call;
mod fault;
mod generate;
mod keys;
mod models;
mod request;
mod routes;
mod schema;
mod visit;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrono::Utc;
use tokio::sync::Semaphore;

pub use call::{Call, Input};
pub use fault::Fault;
pub use models::pixels;
pub(crate) use routes::routes;

use crate::host::lock;
use call::Log;

/// The key that stands for every key without a fault of its own.
pub const EVERY_KEY: &str = "*";

/// Prompts whose repetitions are counted, before the counting starts over.
const COUNTED_PROMPTS: usize = 10_000;

/// Keys whose calls in flight are counted, before idle ones are forgotten.
const COUNTED_KEYS: usize = 10_000;

/// The image provider: what it was asked and how it shall fail. Clones share everything.
#[derive(Clone, Debug)]
pub struct Gemini {
    state: Arc<Mutex<State>>,
    /// Pictures being drawn at a time: each needs tens of megabytes and a whole core.
    easels: Arc<Semaphore>,
}

#[derive(Debug)]
struct State {
    latency: Duration,
    sketch: bool,
    still: Option<Bytes>,
    faults: HashMap<String, Planned>,
    refused: Option<String>,
    retired: HashSet<String>,
    log: Log,
    gauges: HashMap<String, Gauge>,
    repeats: HashMap<[u8; 32], u32>,
    /// Millionths of a dollar by key; a key that is not here has no limit.
    balances: HashMap<String, i64>,
    balances_withheld: bool,
}

#[derive(Clone, Debug)]
struct Planned {
    fault: Fault,
    /// How often it will still happen; forever when empty.
    left: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Gauge {
    now: usize,
    max: usize,
}

impl Gemini {
    pub(crate) fn new(latency: Duration) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            state: Arc::new(Mutex::new(State {
                latency,
                sketch: false,
                still: None,
                faults: HashMap::new(),
                refused: None,
                retired: HashSet::new(),
                log: Log::default(),
                gauges: HashMap::new(),
                repeats: HashMap::new(),
                balances: HashMap::new(),
                balances_withheld: false,
            })),
            easels: Arc::new(Semaphore::new(cores.clamp(2, 8))),
        }
    }

    /// Makes every call with `key` fail until it is healed. [`EVERY_KEY`] stands for all keys without a fault of their own.
    pub fn fault(&self, key: &str, fault: Fault) {
        lock(&self.state).faults.insert(key.into(), Planned { fault, left: None });
    }

    /// Makes the next `times` calls with `key` fail; after that it works again.
    pub fn fault_times(&self, key: &str, fault: Fault, times: u32) {
        lock(&self.state).faults.insert(key.into(), Planned { fault, left: Some(times) });
    }

    /// Forgets the fault of `key`.
    pub fn heal(&self, key: &str) {
        lock(&self.state).faults.remove(key);
    }

    /// Forgets all faults.
    pub fn heal_all(&self) {
        lock(&self.state).faults.clear();
    }

    /// From now on the vendor draws nothing for a prompt with this word in it, whatever the key.
    pub fn refuse(&self, word: &str) {
        lock(&self.state).refused = Some(word.to_owned());
    }

    fn refuses(&self, prompt: &str) -> bool {
        lock(&self.state).refused.as_ref().is_some_and(|word| prompt.contains(word))
    }

    /// Takes a model out of service, for every key: calls of it are not found, and the list leaves it out. Or brings it back.
    pub fn retire(&self, model: &str, on: bool) {
        let mut state = lock(&self.state);
        if on {
            state.retired.insert(model.to_owned());
        } else {
            state.retired.remove(model);
        }
    }

    fn has_retired(&self, model: &str) -> bool {
        lock(&self.state).retired.contains(model)
    }

    /// The faults that are set, with how often each will still happen, in order of key.
    pub fn faults(&self) -> Vec<(String, Fault, Option<u32>)> {
        let mut all: Vec<_> =
            lock(&self.state).faults.iter().map(|(key, it)| (key.clone(), it.fault.clone(), it.left)).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Sets what is left for `key`, in millionths of a dollar, as a reseller of the one-api family would tell. Pictures do
    /// not use it up; with nothing left they are refused. A key whose balance was never set has no limit.
    pub fn balance(&self, key: &str, micros: i64) {
        lock(&self.state).balances.insert(key.into(), micros);
    }

    /// Makes every question for a balance fail (a 200 that holds an error, as the family does it) while all else works.
    pub fn withhold_balances(&self, on: bool) {
        lock(&self.state).balances_withheld = on;
    }

    /// What is left for `key`, empty without a limit.
    pub fn balance_of(&self, key: &str) -> Option<i64> {
        lock(&self.state).balances.get(key).copied()
    }

    /// Time from request to picture, for all keys.
    pub fn latency(&self, d: Duration) {
        lock(&self.state).latency = d;
    }

    /// The present latency.
    pub fn current_latency(&self) -> Duration {
        lock(&self.state).latency
    }

    /// Draws at a quarter of the detail, in the same size: a few milliseconds a picture, for tests of many.
    pub fn sketch(&self, on: bool) {
        lock(&self.state).sketch = on;
    }

    /// Answers every wish with this picture instead of drawing, or draws again. For measurements, which want the vendor
    /// to cost nothing.
    pub fn still(&self, picture: Option<Bytes>) {
        lock(&self.state).still = picture;
    }

    /// The newest 500 calls, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).log.all()
    }

    /// One remembered call.
    pub fn call(&self, id: u64) -> Option<Call> {
        lock(&self.state).log.one(id)
    }

    /// Waits until at least `count` calls have arrived and answers whether they did in time.
    pub async fn wait_for_calls(&self, count: usize, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.calls().len() < count {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }

    /// Forgets the calls and the highest number in flight; faults and latency stay.
    pub fn clear(&self) {
        let mut state = lock(&self.state);
        state.log.clear();
        state.repeats.clear();
        state.gauges.retain(|_, gauge| gauge.now > 0);
        for gauge in state.gauges.values_mut() {
            gauge.max = gauge.now;
        }
    }

    /// The most calls that `key` ever had in flight at the same time.
    pub fn max_in_flight(&self, key: &str) -> usize {
        lock(&self.state).gauges.get(key).map_or(0, |gauge| gauge.max)
    }

    /// The calls that `key` has in flight now.
    pub fn in_flight(&self, key: &str) -> usize {
        lock(&self.state).gauges.get(key).map_or(0, |gauge| gauge.now)
    }

    /// Takes note of a call that arrived.
    fn arrive(&self, call: Call) -> Ticket {
        let mut state = lock(&self.state);
        if state.gauges.len() > COUNTED_KEYS {
            state.gauges.retain(|_, gauge| gauge.now > 0);
        }
        let gauge = state.gauges.entry(call.key.clone()).or_default();
        gauge.now += 1;
        gauge.max = gauge.max.max(gauge.now);
        let key = call.key.clone();
        let id = state.log.push(call);
        Ticket { gemini: self.clone(), id, key }
    }

    /// The fault that the next call with `key` meets, used up by one.
    fn next_fault(&self, key: &str, applies: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut state = lock(&self.state);
        let name = if state.faults.contains_key(key) { key } else { EVERY_KEY };
        let planned = state.faults.get_mut(name).filter(|planned| applies(&planned.fault))?;
        let fault = planned.fault.clone();
        match &mut planned.left {
            None => Some(fault),
            Some(0) => {
                state.faults.remove(name);
                None
            }
            Some(left) => {
                *left -= 1;
                if *left == 0 {
                    state.faults.remove(name);
                }
                Some(fault)
            }
        }
    }

    /// How often this was asked before: repetitions get other pictures.
    fn repetition(&self, of: [u8; 32]) -> u32 {
        let mut state = lock(&self.state);
        if state.repeats.len() > COUNTED_PROMPTS {
            state.repeats.clear();
        }
        let count = state.repeats.entry(of).or_default();
        *count += 1;
        *count - 1
    }

    fn still_picture(&self) -> Option<Bytes> {
        lock(&self.state).still.clone()
    }

    fn sketches(&self) -> bool {
        lock(&self.state).sketch
    }
}

/// A call in flight; dropping it ends the call, whoever ended it.
#[derive(Debug)]
struct Ticket {
    gemini: Gemini,
    id: u64,
    key: String,
}

/// The status servers log when the client went away first.
const CLIENT_LEFT: u16 = 499;

impl Ticket {
    fn note(&self, change: impl FnOnce(&mut Call)) {
        lock(&self.gemini.state).log.change(self.id, change);
    }

    /// The call is answered with this status.
    fn answered(&self, status: u16) {
        self.note(|call| {
            call.status = status;
            call.finished_at = Some(Utc::now());
        });
    }

    fn drew(&self, mime: &str, sha256: String, picture: Bytes, thumbnail: Bytes) {
        self.note(|call| {
            call.picture_mime = Some(mime.into());
            call.picture_sha256 = Some(sha256);
            call.picture = Some(picture);
            call.thumbnail = Some(thumbnail);
        });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = lock(&self.gemini.state);
        if let Some(gauge) = state.gauges.get_mut(&self.key) {
            gauge.now = gauge.now.saturating_sub(1);
        }
        state.log.change(self.id, |call| {
            if call.finished_at.is_none() {
                call.status = CLIENT_LEFT;
                call.finished_at = Some(Utc::now());
            }
        });
    }
}
