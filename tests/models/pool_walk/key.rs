//! A key and its proxy, as plain structs.

use chrono::{DateTime, Utc};
use sandbox::Fault;

pub type Time = DateTime<Utc>;

/// What a key says the next time it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    Picture,
    Broken(u16),
    Garbage,
    NoPicture,
    Limited(Option<u64>),
    Unauthenticated,
    NoFunds,
    ModelGone,
    Words,
    RefusedPrompt,
    RefusedOutput,
    BadRequest,
}

impl Says {
    pub fn fault(self) -> Option<Fault> {
        Some(match self {
            Self::Picture => return None,
            Self::Broken(code) => Fault::Status { code },
            Self::Garbage => Fault::Garbage,
            Self::NoPicture => Fault::NotAPicture,
            Self::Limited(retry_after_s) => Fault::RateLimited { retry_after_s },
            Self::Unauthenticated => Fault::Unauthenticated,
            Self::NoFunds => Fault::PaymentRequired,
            Self::ModelGone => Fault::ModelGone,
            Self::Words => Fault::Empty,
            Self::RefusedPrompt => Fault::RefusedPrompt,
            Self::RefusedOutput => Fault::RefusedOutput { finish_reason: "IMAGE_SAFETY".into() },
            Self::BadRequest => Fault::BadRequest,
        })
    }

    pub fn outcome(self, proxied: bool) -> &'static str {
        match self {
            Self::Picture => "delivered",
            // Without the vendor's shape it is not the vendor who speaks.
            Self::Garbage if proxied => "proxy_fault",
            Self::Broken(_) => "transient",
            Self::Garbage | Self::NoPicture => "ambiguous",
            Self::Limited(_) => "rate_limited",
            Self::Unauthenticated => "credential",
            Self::NoFunds => "out_of_funds",
            Self::ModelGone => "model_access",
            Self::Words => "empty",
            Self::RefusedPrompt | Self::RefusedOutput | Self::BadRequest => "refused",
        }
    }

    pub fn is_strike(self) -> bool {
        matches!(self, Self::Broken(_) | Self::Garbage | Self::NoPicture)
    }
}

#[derive(Debug, Clone)]
pub struct Key {
    pub label: String,
    pub state: &'static str,
    pub strikes: i64,
    /// The end of the rest lies between these.
    pub until: Option<(Time, Time)>,
    pub ramp: Option<i64>,
    pub max: i64,
    pub epoch: i64,
    pub excluded: Option<Time>,
    pub in_incident: bool,
    pub proxy: Option<Way>,
    /// Who was used longest ago has the smallest.
    pub turn: u64,
    pub says: Says,
    pub struck: Option<(&'static str, Time)>,
}

#[derive(Debug, Clone, Default)]
pub struct Way {
    pub faults: i64,
    pub rest_until: Option<Time>,
    /// Drops the next connections.
    pub is_down: bool,
}

impl Key {
    pub fn is_rested(&self, now: Time) -> bool {
        self.state == "cooldown" && self.until.is_some_and(|(_, until)| until <= now)
    }

    pub fn activate(&mut self) {
        if self.state != "active" {
            self.back();
            (self.strikes, self.struck, self.excluded) = (0, None, None);
        }
    }

    pub fn disable(&mut self) {
        if self.state != "disabled" {
            self.out("disabled");
        }
    }

    pub fn back(&mut self) {
        self.moves("active", None, Some(1));
    }

    /// 5: never earlier than what was decided before.
    pub fn rest(&mut self, until: (Time, Time)) {
        let until = self.until.map_or(until, |before| (before.0.max(until.0), before.1.max(until.1)));
        self.moves("cooldown", Some(until), Some(1));
    }

    pub fn out(&mut self, state: &'static str) {
        self.moves(state, None, None);
    }

    /// 10: every move is a new epoch.
    fn moves(&mut self, state: &'static str, until: Option<(Time, Time)>, ramp: Option<i64>) {
        self.epoch += 1;
        (self.state, self.until, self.ramp, self.in_incident) = (state, until, ramp, false);
    }
}
