//! The pool as a few plain structs know it, written from its rules and not from its code.

use chrono::TimeDelta;

use super::key::{Key, Says, Time, Way};

const WINDOW: TimeDelta = TimeDelta::seconds(10);
const MOST_STRIKES: i64 = 10;
const REST: (i64, i64) = (300, 330);
const AMBIGUOUS_MOST: u32 = 1;
const EMPTY_MOST: u32 = 1;
const PROXY_FAULTS: i64 = 3;

#[derive(Debug, Clone)]
pub struct Pool {
    pub keys: Vec<Key>,
    pub now: Time,
    /// Failed probes of the open incident.
    pub incident: Option<u32>,
    pub last_success: Option<Time>,
    pub incidents_seen: u32,
    turns: u64,
}

/// One run of one picture as it should go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// `(key, way, outcome)`.
    pub calls: Vec<(usize, &'static str, &'static str)>,
    /// The keys in whose turn it went on, also those that were only knocked at.
    pub turns: Vec<usize>,
    pub ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Delivered,
    Failed(&'static str),
}

enum Step {
    End(Ending),
    Next,
}

#[derive(Default)]
struct Spent {
    ambiguous: u32,
    empties: u32,
}

impl Pool {
    pub fn new(now: Time) -> Self {
        Self { keys: vec![], now, incident: None, last_success: None, incidents_seen: 0, turns: 0 }
    }

    pub fn add(&mut self, label: &str, max: i64, has_proxy: bool) {
        self.keys.push(Key {
            label: label.into(),
            state: "active",
            strikes: 0,
            until: None,
            ramp: None,
            max,
            epoch: 0,
            excluded: None,
            in_incident: false,
            proxy: has_proxy.then(Way::default),
            turn: 0,
            says: Says::Picture,
            struck: None,
        });
    }

    /// So much time passes.
    pub fn pass(&mut self, span: TimeDelta) {
        let earlier = |at: &mut Option<Time>| *at = at.map(|at| at - span);
        earlier(&mut self.last_success);
        for key in &mut self.keys {
            key.until = key.until.map(|(a, b)| (a - span, b - span));
            key.struck = key.struck.map(|(class, at)| (class, at - span));
            earlier(&mut key.excluded);
            if let Some(way) = &mut key.proxy {
                earlier(&mut way.rest_until);
            }
        }
    }

    pub fn is_eligible(&self, key: usize) -> bool {
        let it = &self.keys[key];
        let fit = it.state == "active" || (it.is_rested(self.now) && it.strikes <= MOST_STRIKES);
        fit && it.excluded.is_none_or(|until| until <= self.now)
    }

    /// One place: eligible keys in the order of their turns, each once, until somebody delivers or all were asked.
    pub fn place(&mut self, tried: &mut Vec<usize>) -> Story {
        let (mut calls, mut turns) = (Vec::new(), Vec::new());
        let mut spent = Spent::default();
        loop {
            let next = (0..self.keys.len()).filter(|k| !tried.contains(k) && self.is_eligible(*k));
            let Some(at) = next.min_by_key(|k| (self.keys[*k].turn, *k)) else {
                return Story { calls, turns, ending: Ending::Failed("unavailable") };
            };
            self.turns += 1;
            self.keys[at].turn = self.turns;
            turns.push(at);
            let knocks = self.incident.is_some_and(|failed| failed > 0);
            if knocks && !self.knock(at) {
                continue;
            }
            if spent.ambiguous > AMBIGUOUS_MOST {
                return Story { calls, turns, ending: Ending::Failed("unavailable") };
            }
            tried.push(at);
            if let Step::End(ending) = self.call(at, &mut calls, &mut spent) {
                return Story { calls, turns, ending };
            }
        }
    }

    fn tick(&mut self) -> Time {
        self.now += TimeDelta::microseconds(1);
        self.now
    }

    fn call(&mut self, at: usize, calls: &mut Vec<(usize, &'static str, &'static str)>, spent: &mut Spent) -> Step {
        let mut proxied = self.goes_by_proxy(at);
        if proxied && self.keys[at].proxy.as_ref().is_some_and(|way| way.is_down) {
            calls.push((at, "proxy", "proxy_fault"));
            self.proxy_fault(at);
            proxied = false;
        }
        let says = std::mem::replace(&mut self.keys[at].says, Says::Picture);
        let outcome = says.outcome(proxied);
        calls.push((at, if proxied { "proxy" } else { "direct" }, outcome));
        if proxied {
            match outcome {
                "proxy_fault" => self.proxy_fault(at),
                _ => {
                    self.keys[at].proxy =
                        Some(Way { faults: 0, rest_until: None, ..self.keys[at].proxy.clone().unwrap() })
                }
            }
        }
        let now = self.tick();
        match outcome {
            "delivered" => {
                self.deliver(at);
                Step::End(Ending::Delivered)
            }
            "refused" => Step::End(Ending::Failed(match says {
                Says::RefusedPrompt => "refused_prompt",
                Says::RefusedOutput => "refused_output",
                _ => "bad_input",
            })),
            "empty" if spent.empties >= EMPTY_MOST => Step::End(Ending::Failed("empty")),
            "empty" => {
                spent.empties += 1;
                Step::Next
            }
            "proxy_fault" => {
                spent.ambiguous += 1;
                Step::Next
            }
            "rate_limited" => {
                let Says::Limited(asked) = says else { unreachable!() };
                let rest = asked.map_or(TimeDelta::seconds(REST.0), |s| TimeDelta::milliseconds(s as i64 * 1000 + 400));
                self.keys[at].rest((now + rest, now + rest));
                Step::Next
            }
            "credential" => {
                self.keys[at].out("manual_review");
                Step::Next
            }
            "out_of_funds" => {
                self.keys[at].out("out_of_funds");
                Step::Next
            }
            "model_access" => {
                self.keys[at].excluded = Some(now + TimeDelta::hours(12));
                Step::Next
            }
            class => {
                spent.ambiguous += u32::from(class == "ambiguous");
                self.strike(at, class);
                Step::Next
            }
        }
    }

    /// A question that costs nothing, while the provider is unwell; `false` = nobody there, or the key is no good.
    fn knock(&mut self, at: usize) -> bool {
        let mut proxied = self.goes_by_proxy(at);
        if proxied && self.keys[at].proxy.as_ref().is_some_and(|way| way.is_down) {
            self.proxy_fault(at);
            proxied = false;
        }
        let says = std::mem::replace(&mut self.keys[at].says, Says::Picture);
        if proxied && says == Says::Garbage {
            self.proxy_fault(at);
            return true;
        }
        if proxied {
            let way = self.keys[at].proxy.as_mut().unwrap();
            (way.faults, way.rest_until) = (0, None);
        }
        match says {
            Says::Broken(_) | Says::Garbage => self.strike(at, "transient"),
            Says::Unauthenticated => self.keys[at].out("manual_review"),
            Says::NoFunds => self.keys[at].out("out_of_funds"),
            _ => return true,
        }
        false
    }

    fn goes_by_proxy(&self, at: usize) -> bool {
        self.keys[at].proxy.as_ref().is_some_and(|way| way.rest_until.is_none_or(|until| until <= self.now))
    }

    /// 11: the proxy's own business.
    fn proxy_fault(&mut self, at: usize) {
        let now = self.now;
        let way = self.keys[at].proxy.as_mut().unwrap();
        way.faults += 1;
        if way.faults >= PROXY_FAULTS {
            way.rest_until = Some(now + TimeDelta::seconds(REST.0));
        }
    }

    fn strike(&mut self, at: usize, class: &'static str) {
        let now = self.tick();
        if let Some(failed) = &mut self.incident {
            *failed += 1;
            self.keys[at].struck = Some((class, now));
            self.keys[at].in_incident = true;
            return;
        }
        let nothing_works = self.last_success.is_none_or(|at| at <= now - WINDOW);
        let may_be_everybody = nothing_works && self.size() >= 2;
        let key = &mut self.keys[at];
        key.strikes += 1;
        key.struck = Some((class, now));
        if key.strikes > MOST_STRIKES && !may_be_everybody {
            key.out("manual_review");
        } else {
            key.rest((now + TimeDelta::seconds(REST.0), now + TimeDelta::seconds(REST.1)));
        }
        self.judge();
    }

    /// 12: many keys failing alike, with nothing that works in between, is the provider.
    pub fn judge(&mut self) {
        if self.incident.is_some() {
            return;
        }
        let oldest = self.now - WINDOW;
        let since = self.last_success.map_or(oldest, |at| at.max(oldest));
        let recent = |key: &Key| key.struck.filter(|(_, at)| key.state == "cooldown" && *at > since);
        let mut alike: Vec<usize> = vec![];
        for class in ["transient", "ambiguous"] {
            let of: Vec<_> =
                (0..self.keys.len()).filter(|k| recent(&self.keys[*k]).is_some_and(|(c, _)| c == class)).collect();
            if of.len() > alike.len() {
                alike = of;
            }
        }
        if alike.len() >= 2 && (alike.len() >= 3 || 2 * alike.len() >= self.size()) {
            self.incident = Some(0);
            self.incidents_seen += 1;
            for at in alike {
                let key = &mut self.keys[at];
                key.strikes -= 1;
                key.back();
                key.in_incident = true;
            }
            return;
        }
        for key in &mut self.keys {
            let waits = key.state == "cooldown" && key.strikes > MOST_STRIKES;
            if waits && key.struck.is_some_and(|(_, at)| at <= since) {
                key.out("manual_review");
            }
        }
    }

    fn deliver(&mut self, at: usize) {
        let now = self.tick();
        self.last_success = Some(now);
        let key = &mut self.keys[at];
        key.strikes = 0;
        if key.state == "cooldown" {
            key.back();
        } else {
            key.ramp = key.ramp.map(|calls| calls * 2).filter(|calls| *calls < key.max);
        }
        match self.incident.take() {
            Some(failed_probes) => {
                let was_everybody = failed_probes > 0 || self.keys[at].in_incident;
                for key in self.keys.iter_mut().filter(|key| key.in_incident) {
                    if was_everybody || key.state != "active" {
                        (key.in_incident, key.struck) = (false, None);
                        continue;
                    }
                    key.strikes += 1;
                    match key.strikes > MOST_STRIKES {
                        true => key.out("manual_review"),
                        false => key.rest((now + TimeDelta::seconds(REST.0), now + TimeDelta::seconds(REST.1))),
                    }
                }
            }
            None => self.judge(),
        }
    }

    /// The scheduled task.
    pub fn recover(&mut self) {
        self.judge();
        let now = self.now;
        for key in self.keys.iter_mut().filter(|key| key.is_rested(now) && key.strikes <= MOST_STRIKES) {
            key.back();
        }
    }

    fn size(&self) -> usize {
        self.keys.iter().filter(|key| matches!(key.state, "active" | "cooldown")).count()
    }
}
