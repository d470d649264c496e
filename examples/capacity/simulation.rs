//! The world in events: people ask, calls end, rests are over.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::{Duration, Instant},
};

use nproxy::{adapters::images::Failure, models::provider_keys::rules::AMBIGUOUS_BUDGET};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    Plan,
    pool::{Lease, Leased, Moment, Pool},
    report::{Ending, Report},
    vendor::{self, Account},
};

/// One picture that somebody waits for.
#[derive(Debug)]
struct Wish {
    asked_at: Moment,
    called_at: Moment,
    tried: Vec<usize>,
    ambiguous: u64,
    declined: bool,
}

#[derive(Debug)]
enum Event {
    Asked,
    /// A call ends. Of a knock nothing is written down but its failure.
    Answered {
        wish: u64,
        leased: Leased,
        came: Result<(), Failure>,
        knock: bool,
    },
    /// The time of the wish is up in the middle of a call, which says nothing about its key.
    CutOff {
        leased: Leased,
    },
    /// Something may have changed for those who wait.
    Look,
    TimeIsUp {
        wish: u64,
    },
}

struct World<'a> {
    plan: &'a Plan,
    rng: StdRng,
    now: Moment,
    pool: Pool,
    /// By time, then by the order in which they were thought of.
    agenda: BinaryHeap<Reverse<(Moment, u64)>>,
    events: HashMap<u64, Event>,
    thought_of: u64,
    wishes: HashMap<u64, Wish>,
    waiting: Vec<u64>,
    next_look: Option<Moment>,
    report: Report,
}

pub fn play(plan: &Plan) -> Report {
    let began = Instant::now();
    let money = plan.budget.map(|dollars| (dollars / plan.price).floor() as u64);
    let limited = Account::Limited { per_minute: plan.per_minute, minute: Moment::default(), seen: 0 };
    let groups = [
        (Account::Works, plan.keys),
        (Account::Flaky, plan.flaky),
        (Account::Broken, plan.broken),
        (limited, plan.limited),
    ];
    let accounts = groups.into_iter().flat_map(|(account, count)| std::iter::repeat_n((account, money), count));
    let pool = Pool::new(accounts.collect(), plan.concurrency, Duration::from_secs(plan.cooldown));
    let mut world = World {
        plan,
        rng: StdRng::seed_from_u64(plan.seed),
        now: Moment::default(),
        pool,
        agenda: BinaryHeap::new(),
        events: HashMap::new(),
        thought_of: 0,
        wishes: HashMap::new(),
        waiting: Vec::new(),
        next_look: None,
        report: Report::default(),
    };
    world.run();
    world.report.close(plan, &world.pool, began.elapsed());
    world.report
}

impl World<'_> {
    fn run(&mut self) {
        let end = Moment(Duration::from_secs_f64(self.plan.hours * 3600.0));
        self.plan_event(self.now, Event::Asked);
        while let Some(Reverse((at, id))) = self.agenda.pop() {
            let Some(event) = self.events.remove(&id) else { continue };
            self.now = at;
            match event {
                Event::Asked => {
                    if at < end {
                        let pause = vendor::pause(&mut self.rng, self.plan.rate);
                        self.plan_event(at.after(pause), Event::Asked);
                        self.ask();
                    }
                }
                Event::Answered { wish, leased, came, knock } => self.answered(wish, leased, came, knock),
                Event::CutOff { leased } => {
                    self.report.perhaps_billed += 1;
                    self.pool.give_back(leased, self.now);
                    self.look_after_the_waiting();
                }
                Event::Look => {
                    self.next_look = None;
                    self.look_after_the_waiting();
                }
                Event::TimeIsUp { wish } => self.end(wish, Ending::Unavailable),
            }
        }
    }

    fn plan_event(&mut self, at: Moment, event: Event) {
        self.thought_of += 1;
        self.events.insert(self.thought_of, event);
        self.agenda.push(Reverse((at, self.thought_of)));
    }

    fn ask(&mut self) {
        let declined = self.rng.random_bool(self.plan.declined / 100.0);
        let wish = Wish { asked_at: self.now, called_at: self.now, tried: Vec::new(), ambiguous: 0, declined };
        let id = self.report.asked;
        self.report.asked += 1;
        self.wishes.insert(id, wish);
        let deadline = self.now.after(Duration::from_secs(self.plan.deadline));
        self.plan_event(deadline, Event::TimeIsUp { wish: id });
        if !self.go_on(id) {
            self.waiting.push(id);
        }
    }

    /// `false` while there is nothing to do but wait.
    fn go_on(&mut self, id: u64) -> bool {
        let Some(wish) = self.wishes.get(&id) else { return true };
        let deadline = wish.asked_at.after(Duration::from_secs(self.plan.deadline));
        match self.pool.lease(self.now, &wish.tried) {
            Lease::Granted(leased) => {
                self.call(id, leased, deadline);
                true
            }
            Lease::Wait(Some(until)) if until > deadline => {
                self.end(id, Ending::Unavailable);
                true
            }
            Lease::Wait(until) => {
                self.look_again(until.or(self.pool.next_return()));
                false
            }
            Lease::Exhausted => {
                self.end(id, Ending::Unavailable);
                true
            }
        }
    }

    fn look_again(&mut self, at: Option<Moment>) {
        let Some(at) = at.map(|at| at.max(self.now)) else { return };
        if self.next_look.is_none_or(|planned| planned > at) {
            self.next_look = Some(at);
            self.plan_event(at, Event::Look);
        }
    }

    fn call(&mut self, id: u64, leased: Leased, deadline: Moment) {
        let away = self.is_away();
        let Some(wish) = self.wishes.get_mut(&id) else { return };
        let key = &mut self.pool.keys[leased.key];
        let declined = wish.declined;
        let answer = vendor::answer(self.plan, &mut key.account, &mut self.rng, self.now, declined, key.money, away);
        let knock = leased.knocks && away;
        if !knock {
            wish.tried.push(leased.key);
            wish.called_at = self.now;
            self.report.calls += 1;
        }
        if self.now.after(answer.after) > deadline {
            return self.plan_event(deadline, Event::CutOff { leased });
        }
        let event = Event::Answered { wish: id, leased, came: answer.came, knock };
        self.plan_event(self.now.after(answer.after), event);
    }

    fn is_away(&self) -> bool {
        let from = Moment(Duration::from_secs_f64(self.plan.hours * 1800.0));
        self.now >= from && self.now < from.after(Duration::from_secs_f64(self.plan.outage * 60.0))
    }

    fn answered(&mut self, id: u64, leased: Leased, came: Result<(), Failure>, knock: bool) {
        let now = self.now;
        self.pool.give_back(leased, now);
        match came {
            Ok(()) => {
                self.pool.succeeded(leased, now);
                self.end(id, Ending::Delivered);
            }
            Err(failure) => {
                self.pool.failed(leased, &failure, &mut self.rng, now);
                let may_have_run = failure.may_have_run();
                self.report.perhaps_billed += u64::from(may_have_run);
                let Some(wish) = self.wishes.get_mut(&id) else { return self.look_after_the_waiting() };
                wish.ambiguous += u64::from(may_have_run);
                let spent = wish.ambiguous > AMBIGUOUS_BUDGET;
                if !failure.is_retryable() {
                    self.end(id, Ending::Declined);
                } else if spent {
                    self.end(id, Ending::Unavailable);
                } else {
                    self.report.failovers += u64::from(!knock);
                    self.waiting.push(id);
                }
            }
        }
        self.look_after_the_waiting();
    }

    /// All who wait ask again and again, so who comes first is chance.
    fn look_after_the_waiting(&mut self) {
        let mut stay = Vec::new();
        while !self.waiting.is_empty() {
            let id = self.waiting.swap_remove(self.rng.random_range(0..self.waiting.len()));
            let Some(wish) = self.wishes.get(&id) else { continue };
            let tried_none = wish.tried.is_empty();
            if !self.go_on(id) {
                stay.push(id);
                // Where no key is free for somebody who was nowhere yet, none is for anybody.
                if tried_none {
                    break;
                }
            }
        }
        self.waiting.append(&mut stay);
    }

    fn end(&mut self, id: u64, ending: Ending) {
        let Some(wish) = self.wishes.remove(&id) else { return };
        self.report.end(ending, wish.called_at.since(wish.asked_at));
    }
}
