//! What the tasks about provider keys share: which key is meant, and how it is shown.

use loco_rs::{Error, Result, app::AppContext, task::Vars};
use serde_json::{Value, json};

use super::required;
use crate::models::provider_keys::{self, Model, check::Checked};

/// The key that `key:` names, by id or by label.
pub async fn named(ctx: &AppContext, vars: &Vars, usage: &str) -> Result<Model> {
    let name = required(vars, "key", usage)?;
    let found = provider_keys::named(&ctx.db, name).await?;
    found.ok_or_else(|| Error::Message(format!("there is no key {name:?}; nproxy task key_list shows them")))
}

pub fn shown(key: &Model) -> Value {
    json!({
        "id": key.id, "provider": key.provider, "label": key.label, "hint": key.secret_hint,
        "state": key.state, "reason": key.state_reason, "cooldown_until": key.cooldown_until,
        "consecutive_failures": key.consecutive_failures, "successes": key.successes, "failures": key.failures,
        "max_concurrency": key.max_concurrency, "balance_micros": key.balance_micros,
        "balance_source": key.balance_source, "balance_checked_at": key.balance_checked_at,
    })
}

/// What the vendor said, in one line for an operator.
pub fn in_words(checked: &Checked) -> String {
    let way = match &checked.proxy_fault {
        Some(fault) => format!("directly, because the proxy is at fault ({fault})"),
        None => checked.via.word().to_owned(),
    };
    match &checked.answer {
        Ok(()) => format!("the vendor takes it ({way})"),
        Err(failure) => format!("the vendor does not take it ({way}): {failure}"),
    }
}

/// `$12.50`, or more decimals where there is more to say.
pub fn dollars(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let (whole, part) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let part = format!("{part:06}");
    let cents = part[2..].trim_end_matches('0').len() + 2;
    format!("{sign}${whole}.{}", &part[..cents])
}

#[cfg(test)]
mod tests {
    use super::dollars;

    #[test]
    fn money_is_shown_to_the_cent_or_finer() {
        for (micros, shown) in [
            (12_500_000, "$12.50"),
            (0, "$0.00"),
            (33_600, "$0.0336"),
            (1, "$0.000001"),
            (-50_000, "-$0.05"),
            (1_000_000, "$1.00"),
        ] {
            assert_eq!(dollars(micros), shown);
        }
    }
}
