//! Says what is on the account of a key whose vendor does not tell. Our own pictures are taken off from then on.

use loco_rs::prelude::*;

use super::{keys, required, say, wants_json};
use crate::models::{activities::Actor, provider_keys::balance};

const USAGE: &str = "nproxy task key_balance key:ID|LABEL dollars:12.50 [json:true]";

pub struct KeyBalance;

#[async_trait]
impl Task for KeyBalance {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "key_balance".into(), detail: format!("Enter what a key's account holds. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let key = keys::named(ctx, vars, USAGE).await?;
        let micros = micros(required(vars, "dollars", USAGE)?)
            .ok_or_else(|| Error::Message(format!("dollars: takes an amount such as 12.50\nusage: {USAGE}")))?;
        let key = balance::enter(ctx, key.id, micros, &Actor::Cli).await?;
        if wants_json(vars) {
            say(keys::shown(&key));
        } else {
            say(format_args!("key {} ({}) has {}", key.id, key.label, balance::dollars(micros)));
        }
        Ok(())
    }
}

/// `12`, `12.5`, `0.0336`: at most six decimals, nothing negative.
fn micros(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 6 {
        return None;
    }
    let part: i64 = format!("{part:0<6}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::micros;

    #[test]
    fn amounts_are_read_to_the_last_digit() {
        for (text, expected) in [
            ("12", Some(12_000_000)),
            ("12.50", Some(12_500_000)),
            ("0.0336", Some(33_600)),
            ("0.000001", Some(1)),
            ("0", Some(0)),
            ("", None),
            ("-1", None),
            ("1.", None),
            (".5", None),
            ("1.0000001", None),
            ("1e3", None),
            ("9223372036854", Some(9_223_372_036_854_000_000)),
            ("9223372036855", None),
        ] {
            assert_eq!(micros(text), expected, "{text:?}");
        }
    }
}
