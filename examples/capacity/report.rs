//! What people would have seen, and what it cost.

use std::{fmt::Write, time::Duration};

use nproxy::models::provider_keys::State;
use serde_json::json;

use crate::{
    Plan,
    pool::{Key, Pool},
    vendor::Account,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Delivered,
    Declined,
    Unavailable,
}

#[derive(Debug, Default)]
pub struct Report {
    pub asked: u64,
    pub calls: u64,
    pub failovers: u64,
    /// Calls without an answer that the vendor may have billed.
    pub perhaps_billed: u64,
    delivered: u64,
    declined: u64,
    unavailable: u64,
    /// Seconds until the call that brought the picture began.
    waits: Vec<f32>,
    /// The busiest key that works against the idlest, in calls.
    fairness: Option<(u64, u64)>,
    states: [(&'static str, usize); 4],
    incidents: u64,
    dollars_a_picture: f64,
    took: Duration,
}

impl Report {
    pub fn end(&mut self, ending: Ending, wait: Duration) {
        match ending {
            Ending::Delivered => {
                self.delivered += 1;
                self.waits.push(wait.as_secs_f32());
            }
            Ending::Declined => self.declined += 1,
            Ending::Unavailable => self.unavailable += 1,
        }
    }

    pub fn close(&mut self, plan: &Plan, pool: &Pool, took: Duration) {
        self.waits.sort_by(f32::total_cmp);
        let calls = || {
            let works = |key: &&Key| matches!(key.account, Account::Works) && key.state == State::Active;
            pool.keys.iter().filter(works).map(|key| key.calls)
        };
        self.fairness = calls().min().zip(calls().max());
        let count = |state| pool.keys.iter().filter(|key| key.state == state).count();
        self.states = [
            ("active", count(State::Active)),
            ("cooldown", count(State::Cooldown)),
            ("out_of_funds", count(State::OutOfFunds)),
            ("manual_review", count(State::ManualReview)),
        ];
        self.incidents = pool.incidents;
        // The worst: all that may have been billed was.
        self.dollars_a_picture =
            plan.price * (self.delivered + self.perhaps_billed) as f64 / self.delivered.max(1) as f64;
        self.took = took;
    }

    /// Of those that were not declined.
    fn success(&self) -> f64 {
        self.delivered as f64 / (self.delivered + self.unavailable).max(1) as f64
    }

    fn wait(&self, part: f64) -> f32 {
        let at = (part * self.waits.len() as f64) as usize;
        self.waits.get(at.min(self.waits.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, says: String| {
            let _ = writeln!(text, "{name:<22} {says}");
        };
        line("asked for", format!("{} pictures, {} declined by the vendor", self.asked, self.declined));
        line("delivered", format!("{} = {:.3} % of the others", self.delivered, 100.0 * self.success()));
        line("temporarily unavailable", self.unavailable.to_string());
        line(
            "waited for a key",
            format!("p50 {:.1} s, p95 {:.1} s, p99 {:.1} s", self.wait(0.5), self.wait(0.95), self.wait(0.99)),
        );
        line("calls", format!("{}, {} of them after a failure", self.calls, self.failovers));
        if let Some((least, most)) = self.fairness {
            line("fairness", format!("{least} to {most} calls on a key that works"));
        }
        line("incidents", self.incidents.to_string());
        let states: Vec<_> = self.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        line("keys at the end", states.join(", "));
        line("a picture costs", format!("{:.4} US dollars at most", self.dollars_a_picture));
        line("played in", format!("{:.1} s", self.took.as_secs_f64()));
        text.trim_end().to_owned()
    }

    pub fn json(&self) -> String {
        json!({
            "asked": self.asked,
            "delivered": self.delivered,
            "declined": self.declined,
            "unavailable": self.unavailable,
            "success": self.success(),
            "wait_seconds": { "p50": self.wait(0.5), "p95": self.wait(0.95), "p99": self.wait(0.99) },
            "calls": self.calls,
            "failovers": self.failovers,
            "perhaps_billed": self.perhaps_billed,
            "calls_on_a_key": self.fairness.map(|(least, most)| json!({ "least": least, "most": most })),
            "incidents": self.incidents,
            "keys": self.states.iter().map(|(state, count)| ((*state).to_owned(), json!(count))).collect::<serde_json::Map<_, _>>(),
            "dollars_a_picture": self.dollars_a_picture,
            "seconds": self.took.as_secs_f64(),
        })
        .to_string()
    }
}
