//! The rows of `provider_keys` in memory, under the rules of `provider_keys::rules`.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use nproxy::{
    adapters::images::Failure,
    models::provider_keys::{
        State,
        rules::{self, FIRST_STEP, Verdict, strikes_out},
    },
};
use rand::rngs::StdRng;

use crate::vendor::Account;

/// Virtual time since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(pub Duration);

impl Moment {
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    pub fn after(self, pause: Duration) -> Self {
        Self(self.0 + pause)
    }
}

#[derive(Debug)]
pub struct Key {
    pub account: Account,
    pub state: State,
    pub strikes: i64,
    pub calls: u64,
    pub pictures: u64,
    /// What the account holds, in pictures.
    pub money: Option<u64>,
    epoch: u64,
    ramp: Option<i64>,
    rests_until: Moment,
    turn: u64,
    busy: i64,
    held: bool,
}

#[derive(Debug)]
struct Incident {
    probed_at: Moment,
    failed_probes: u32,
}

/// A call under way.
#[derive(Debug, Clone, Copy)]
pub struct Leased {
    pub key: usize,
    epoch: u64,
    was_resting: bool,
    probes: bool,
    /// A sign of life is asked for first.
    pub knocks: bool,
}

/// What the pool answers to the wish for a key.
#[derive(Debug)]
pub enum Lease {
    Granted(Leased),
    /// Until then nothing can change, unless a key is given back.
    Wait(Option<Moment>),
    Exhausted,
}

#[derive(Debug)]
pub struct Pool {
    pub keys: Vec<Key>,
    pub incidents: u64,
    cooldown: Duration,
    max_concurrency: i64,
    turn: u64,
    /// Keys with a free place, the longest unused first.
    ready: BTreeSet<(u64, usize)>,
    /// Keys at rest, by its end.
    resting: BTreeSet<(Moment, usize)>,
    /// Keys that work, or will again by themselves.
    alive: usize,
    incident: Option<Incident>,
    delivered_at: Option<Moment>,
    strikes: VecDeque<(Moment, usize, &'static str)>,
    /// Keys that have struck out, and may yet turn out to share their fault with all others.
    doubtful: Vec<usize>,
}

impl Pool {
    pub fn new(accounts: Vec<(Account, Option<u64>)>, max_concurrency: i64, cooldown: Duration) -> Self {
        let keys: Vec<_> = accounts
            .into_iter()
            .map(|(account, money)| Key {
                account,
                state: State::Active,
                strikes: 0,
                calls: 0,
                pictures: 0,
                money,
                epoch: 0,
                ramp: None,
                rests_until: Moment::default(),
                turn: 0,
                busy: 0,
                held: false,
            })
            .collect();
        Self {
            ready: (0..keys.len()).map(|key| (0, key)).collect(),
            alive: keys.len(),
            keys,
            incidents: 0,
            cooldown,
            max_concurrency,
            turn: 0,
            resting: BTreeSet::new(),
            incident: None,
            delivered_at: None,
            strikes: VecDeque::new(),
            doubtful: Vec::new(),
        }
    }

    /// The longest unused key that may work and was not tried for this picture yet.
    pub fn lease(&mut self, now: Moment, tried: &[usize]) -> Lease {
        self.wake(now);
        let Some((_, key)) = self.ready.iter().copied().find(|(_, key)| !tried.contains(key)) else {
            return self.why_none(tried);
        };
        let (probes, knocks) = match &mut self.incident {
            None => (false, false),
            Some(incident) => {
                let next = incident.probed_at.after(rules::PROBE_EVERY.to_std().unwrap_or_default());
                if next > now {
                    return Lease::Wait(Some(next));
                }
                incident.probed_at = now;
                (true, incident.failed_probes > 0)
            }
        };
        self.turn += 1;
        let turn = self.turn;
        let row = &mut self.keys[key];
        self.ready.remove(&(row.turn, key));
        row.turn = turn;
        row.busy += 1;
        row.calls += 1;
        let leased = Leased { key, epoch: row.epoch, was_resting: row.state == State::Cooldown, probes, knocks };
        self.place(key, now);
        Lease::Granted(leased)
    }

    fn why_none(&self, tried: &[usize]) -> Lease {
        let lives = |key: &usize| matches!(self.keys[*key].state, State::Active | State::Cooldown);
        if self.alive <= tried.iter().filter(|key| lives(key)).count() {
            return Lease::Exhausted;
        }
        Lease::Wait(self.resting.iter().find(|(_, key)| !tried.contains(key)).map(|(until, _)| *until))
    }

    /// What the next rest that ends changes, and when.
    pub fn next_return(&self) -> Option<Moment> {
        self.resting.first().map(|(until, _)| *until)
    }

    fn wake(&mut self, now: Moment) {
        while let Some((until, key)) = self.resting.first().copied()
            && until <= now
        {
            self.resting.remove(&(until, key));
            if strikes_out(self.keys[key].strikes) {
                self.send_to_review(key, now);
            } else {
                self.place(key, now);
            }
        }
    }

    fn send_to_review(&mut self, key: usize, now: Moment) {
        self.become_state(key, State::ManualReview, Moment::default(), self.keys[key].strikes, now);
    }

    /// Where the key stands now: ready, at rest, or neither.
    fn place(&mut self, key: usize, now: Moment) {
        let row = &self.keys[key];
        let (turn, until) = (row.turn, row.rests_until);
        let rests = row.state == State::Cooldown && (until > now || strikes_out(row.strikes));
        let may = matches!(row.state, State::Active | State::Cooldown) && !rests;
        let has_room = row.busy < rules::cap(row.state, row.ramp, self.max_concurrency);
        self.ready.remove(&(turn, key));
        if may && has_room {
            self.ready.insert((turn, key));
        }
        if rests && until > now {
            self.resting.insert((until, key));
        }
    }

    fn become_state(&mut self, key: usize, state: State, until: Moment, strikes: i64, now: Moment) {
        let row = &mut self.keys[key];
        let lived = matches!(row.state, State::Active | State::Cooldown);
        let lives = matches!(state, State::Active | State::Cooldown);
        self.resting.remove(&(row.rests_until, key));
        row.state = state;
        row.rests_until = row.rests_until.max(until);
        row.strikes = strikes;
        row.ramp = lives.then_some(FIRST_STEP);
        row.epoch += 1;
        self.alive = self.alive + usize::from(lives) - usize::from(lived);
        self.place(key, now);
    }

    pub fn give_back(&mut self, leased: Leased, now: Moment) {
        self.keys[leased.key].busy -= 1;
        self.place(leased.key, now);
    }

    pub fn succeeded(&mut self, leased: Leased, now: Moment) {
        let max = self.max_concurrency;
        let row = &mut self.keys[leased.key];
        row.pictures += 1;
        row.money = row.money.map(|left| left.saturating_sub(1));
        if row.epoch == leased.epoch {
            row.strikes = 0;
            row.ramp = row.ramp.filter(|_| row.state == State::Active).and_then(|ramp| rules::next_step(ramp, max));
            if leased.was_resting {
                self.become_state(leased.key, State::Active, Moment::default(), 0, now);
            }
        }
        self.delivered_at = Some(now);
        self.place(leased.key, now);
        if leased.probes {
            self.close_incident(leased.key, now);
        }
        self.judge_the_struck_out(now);
    }

    pub fn failed(&mut self, leased: Leased, failure: &Failure, rng: &mut StdRng, now: Moment) {
        let verdict = rules::verdict(failure);
        if verdict == Verdict::Strike
            && let Some(incident) = &mut self.incident
        {
            incident.failed_probes += 1;
            self.keys[leased.key].held = true;
            return;
        }
        let row = &self.keys[leased.key];
        if row.epoch != leased.epoch {
            return;
        }
        let strikes = row.strikes;
        match verdict {
            // One model is played, so a key that may not use it is of no use.
            Verdict::Innocent | Verdict::Exclude => {}
            Verdict::Out(state) => self.become_state(leased.key, state, Moment::default(), strikes, now),
            Verdict::Rest(asked) => {
                let until = now.after(asked.unwrap_or(self.cooldown));
                self.become_state(leased.key, State::Cooldown, until, strikes, now);
            }
            Verdict::Strike => {
                self.strikes.push_back((now, leased.key, failure.class()));
                let works = self.delivered_at.is_some_and(|at| now.since(at) < window());
                if strikes_out(strikes + 1) && (works || self.alive < rules::FEWEST) {
                    self.become_state(leased.key, State::ManualReview, Moment::default(), strikes + 1, now);
                    return;
                }
                if strikes_out(strikes + 1) {
                    self.doubtful.push(leased.key);
                }
                let until = now.after(rules::with_jitter(self.cooldown, rng));
                self.become_state(leased.key, State::Cooldown, until, strikes + 1, now);
                self.judge(now);
            }
        }
    }

    /// Strikes alike of the last seconds, with no picture in between, are the provider's.
    fn judge(&mut self, now: Moment) {
        let since = self.delivered_at.unwrap_or_default().max(Moment(now.0.saturating_sub(window())));
        while self.strikes.front().is_some_and(|(at, ..)| *at <= since) {
            self.strikes.pop_front();
        }
        let Some((_, _, class)) = self.strikes.back().copied() else { return };
        let alike: BTreeSet<usize> =
            self.strikes.iter().filter(|(_, _, other)| *other == class).map(|(_, key, _)| *key).collect();
        if self.incident.is_some() || !rules::is_the_provider(alike.len(), self.alive) {
            return;
        }
        self.incidents += 1;
        self.incident = Some(Incident { probed_at: Moment::default(), failed_probes: 0 });
        self.strikes.clear();
        for key in alike {
            let strikes = (self.keys[key].strikes - 1).max(0);
            self.keys[key].rests_until = Moment::default();
            self.become_state(key, State::Active, Moment::default(), strikes, now);
            self.keys[key].held = true;
        }
    }

    /// The first picture ends an incident. Was it the very first probe, the strikes stand after all.
    fn close_incident(&mut self, proved: usize, now: Moment) {
        let Some(incident) = self.incident.take() else { return };
        let was_everybody = incident.failed_probes > 0 || self.keys[proved].held;
        for key in 0..self.keys.len() {
            if !std::mem::take(&mut self.keys[key].held) || was_everybody || self.keys[key].state != State::Active {
                continue;
            }
            let strikes = self.keys[key].strikes + 1;
            if strikes_out(strikes) {
                self.become_state(key, State::ManualReview, Moment::default(), strikes, now);
            } else {
                self.become_state(key, State::Cooldown, now.after(self.cooldown), strikes, now);
            }
        }
    }

    /// The provider works, so a key that has struck out is at fault itself.
    fn judge_the_struck_out(&mut self, now: Moment) {
        if self.incident.is_some() {
            return;
        }
        for key in std::mem::take(&mut self.doubtful) {
            if self.keys[key].state == State::Cooldown && strikes_out(self.keys[key].strikes) {
                self.send_to_review(key, now);
            }
        }
    }
}

fn window() -> Duration {
    rules::WINDOW.to_std().unwrap_or_default()
}
