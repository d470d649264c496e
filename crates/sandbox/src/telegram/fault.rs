//! Ways the Bot API fails.

use serde::{Deserialize, Serialize};

/// What goes wrong with a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TelegramFault {
    /// 429, with the time to wait.
    RateLimited { retry_after_s: u32 },
    /// 409: another poller, as it says.
    Conflict,
    /// 401: the token was taken back.
    Unauthorized,
    /// 403: the person has blocked the bot.
    Blocked,
    /// 5xx in the API's own words.
    Status { code: u16 },
    /// 502 and a gateway's page.
    Html,
    /// 200 and not JSON.
    Garbage,
    /// Reads the request and never answers.
    Hang,
    /// Reads the request and resets the connection.
    Reset,
}

/// A fault that is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelegramTrouble {
    pub fault: TelegramFault,
    /// Only calls of this method, in lower case; of every one when empty.
    #[serde(default)]
    pub method: String,
    /// Carried out before it goes wrong: a message that is sent and whose answer is lost.
    #[serde(default)]
    pub acts: bool,
    /// How often it will still happen; forever when empty.
    #[serde(default)]
    pub times: Option<u32>,
}

impl TelegramTrouble {
    /// Every call fails until healed.
    pub fn always(fault: TelegramFault) -> Self {
        Self { fault, method: String::new(), acts: false, times: None }
    }

    /// Only calls of this method.
    #[must_use]
    pub fn of(mut self, method: &str) -> Self {
        self.method = method.to_lowercase();
        self
    }

    /// So many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The call is carried out, its answer is lost.
    #[must_use]
    pub fn acting(mut self) -> Self {
        self.acts = true;
        self
    }
}

/// A fault that a call has met.
pub(super) struct Met {
    pub fault: TelegramFault,
    pub acts: bool,
}

/// The fault that a call of `method` meets, used up by one.
pub(super) fn meet(troubles: &mut Vec<TelegramTrouble>, method: &str) -> Option<Met> {
    let at = troubles.iter().position(|it| it.method.is_empty() || it.method == method)?;
    let met = Met { fault: troubles[at].fault.clone(), acts: troubles[at].acts };
    if let Some(times) = &mut troubles[at].times {
        *times = times.saturating_sub(1);
        if *times == 0 {
            troubles.remove(at);
        }
    }
    Some(met)
}
