//! What an admin asks the bot to do, and confirms. The button that confirms holds a random token: it works once, for the
//! admin who was asked, for some minutes. The update that pressed it, the token and what it does go in one transaction.

use std::{fmt, str::FromStr};

use chrono::TimeDelta;
use durable_jobs::Enqueued;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, sea_query::Expr,
};
use serde::{Deserialize, Serialize};

use super::{
    _entities::telegram_confirmations::{ActiveModel, Column, Entity},
    activities::Actor,
    begin, clock, insert_new,
    invoices::{self, Marking},
    provider_keys::{self, activation, check},
    switches::{self, Switch, Thrown},
    telegram_admins, telegram_updates,
    tokens::PlainToken,
};
use crate::{adapters::telegram::Update, context::Nproxy};

/// How long a question stands.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// What the audit log keeps as the reason where the bot asks for none.
pub const THROUGH_THE_BOT: &str = "through the bot";

/// Used and forgotten ones are kept for so long.
const KEPT: TimeDelta = TimeDelta::days(1);

/// Something that changes something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub enum Deed {
    /// Bring a key back; the vendor is asked first unless `unasked`.
    Activate {
        key: i64,
        unasked: bool,
        /// Empty when only a button was pressed.
        #[serde(default)]
        reason: String,
    },
    Disable {
        key: i64,
        #[serde(default)]
        reason: String,
    },
    /// Call an invoice paid.
    MarkPaid {
        invoice: i64,
        reason: String,
    },
    /// Begin no more pictures; the sentence that people read, empty for ours.
    Pause {
        sentence: String,
    },
    Resume,
}

/// What a button says to us. Whatever only shows something says what; whatever changes something is asked for first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Press {
    Status,
    Balances,
    /// A page of the keys, from 0.
    Keys(usize),
    Key(i64),
    /// An invoice, as it stands now.
    Invoice(i64),
    /// Ask the processor about an invoice.
    Look(i64),
    /// Ask the vendor whether it takes a key.
    Test(i64),
    /// Ask whether this shall be done.
    Ask(Deed),
    /// Do what this token stands for.
    Confirm(String),
    /// Leave it.
    Leave(String),
}

/// What became of a confirmed deed.
#[derive(Debug)]
pub enum Outcome {
    Done(Deed, Effect),
    /// The vendor was asked first, and does not take the key. Nothing was changed; the button is spent.
    NotTaken {
        key: i64,
        checked: check::Checked,
    },
    /// The button was used before, is too old, or was somebody else's.
    Void,
    /// The update was dealt with before.
    Repeated,
}

/// What is different now.
#[derive(Debug)]
pub enum Effect {
    Key(Box<provider_keys::Model>),
    Switched(Thrown),
    Marked(Marking),
}

/// Asks for a confirmation: the token of the button, or `None` when the update was dealt with before.
///
/// # Errors
/// The database does not answer.
pub async fn ask(
    ctx: &AppContext,
    update: &Update,
    admin: &telegram_admins::Model,
    deed: &Deed,
) -> Result<Option<PlainToken>> {
    let txn = begin(&ctx.db).await?;
    if !telegram_updates::claim(ctx, &txn, update.id).await? {
        return Ok(None);
    }
    let token = PlainToken::mint();
    let now = clock::now(&txn).await?;
    let row = ActiveModel {
        telegram_id: Set(admin.telegram_id),
        token_hash: Set(token.hashed().as_str().to_owned()),
        deed: Set(serde_json::to_value(deed).map_err(Error::wrap)?),
        created_at: Set(now),
        expires_at: Set(now + LIFETIME),
        ..Default::default()
    };
    insert_new(&txn, row).await?;
    txn.commit().await?;
    Ok(Some(token))
}

/// Does what was confirmed, once.
///
/// # Errors
/// What the deed is about is gone, or the database does not answer.
pub async fn carry_out(
    ctx: &AppContext,
    update: &Update,
    admin: &telegram_admins::Model,
    token: &str,
) -> Result<Outcome> {
    let hash = PlainToken::received(token).hashed();
    let open = Entity::find()
        .filter(Column::TokenHash.eq(hash.as_str()))
        .filter(Column::TelegramId.eq(admin.telegram_id))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(clock::now(&ctx.db).await?));
    let Some(row) = open.one(&ctx.db).await? else {
        let is_new = telegram_updates::seen(ctx, update).await?;
        return Ok(if is_new { Outcome::Void } else { Outcome::Repeated });
    };
    let deed: Deed = serde_json::from_value(row.deed.clone()).map_err(Error::wrap)?;
    // The vendor is asked before anything is locked.
    let checked = match &deed {
        Deed::Activate { key, unasked: false, .. } => Some(check::check(ctx, *key).await?),
        Deed::Activate { .. } | Deed::Disable { .. } | Deed::MarkPaid { .. } | Deed::Pause { .. } | Deed::Resume => {
            None
        }
    };
    let txn = begin(&ctx.db).await?;
    if !telegram_updates::claim(ctx, &txn, update.id).await? {
        return Ok(Outcome::Repeated);
    }
    // Let go meanwhile, or pressed twice: the update is done with, and nothing else happens.
    if !telegram_admins::obeyed(&txn, admin.telegram_id).await? || !spend(&txn, row.id).await? {
        txn.commit().await?;
        return Ok(Outcome::Void);
    }
    let mut jobs = Vec::new();
    let outcome = match (deed, checked) {
        (Deed::Activate { key, .. }, Some(checked)) if checked.answer.is_err() => Outcome::NotTaken { key, checked },
        (deed, _) => {
            let effect = deed.act(&txn, &admin.actor(), &mut jobs).await?;
            Outcome::Done(deed, effect)
        }
    };
    txn.commit().await?;
    ctx.parts().jobs().hint(&jobs).await;
    Ok(outcome)
}

async fn spend(txn: &DatabaseTransaction, id: i64) -> Result<bool> {
    let now = clock::now(txn).await?;
    let spent = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .exec(txn)
        .await?;
    Ok(spent.rows_affected == 1)
}

/// The admin leaves it: the button works no more.
///
/// # Errors
/// The database does not answer.
pub async fn leave(ctx: &AppContext, update: &Update, admin: &telegram_admins::Model, token: &str) -> Result<bool> {
    let txn = begin(&ctx.db).await?;
    if !telegram_updates::claim(ctx, &txn, update.id).await? {
        return Ok(false);
    }
    Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(clock::now(&txn).await?))
        .filter(Column::TokenHash.eq(PlainToken::received(token).hashed().as_str()))
        .filter(Column::TelegramId.eq(admin.telegram_id))
        .filter(Column::UsedAt.is_null())
        .exec(&txn)
        .await?;
    txn.commit().await?;
    Ok(true)
}

/// Takes away what can be pressed no more; returns how many rows that were.
///
/// # Errors
/// The database does not answer.
pub(super) async fn sweep(db: &impl ConnectionTrait) -> Result<u64> {
    let before = clock::now(db).await? - KEPT;
    Ok(Entity::delete_many().filter(Column::ExpiresAt.lte(before)).exec(db).await?.rows_affected)
}

impl Deed {
    async fn act(&self, txn: &DatabaseTransaction, actor: &Actor, jobs: &mut Vec<Enqueued>) -> Result<Effect> {
        Ok(match self {
            Self::Activate { key, reason, .. } => {
                Effect::Key(Box::new(activation::bring_back(txn, *key, given(reason), actor).await?))
            }
            Self::Disable { key, reason } => {
                Effect::Key(Box::new(activation::take_out(txn, *key, given(reason), actor).await?))
            }
            Self::MarkPaid { invoice, reason } => {
                let invoice = invoices::by_id(txn, *invoice).await?.ok_or(Error::NotFound)?;
                let (marking, receipt) = invoices::mark_paid_in(txn, &invoice, actor, reason).await?;
                jobs.extend(receipt);
                Effect::Marked(marking)
            }
            Self::Pause { sentence } => {
                let paused = Switch::GenerationPaused;
                Effect::Switched(switches::throw_in(txn, paused, sentence, THROUGH_THE_BOT, actor).await?)
            }
            Self::Resume => {
                let paused = Switch::GenerationPaused;
                Effect::Switched(switches::release_in(txn, paused, THROUGH_THE_BOT, actor).await?)
            }
        })
    }
}

/// The words of an admin, or ours.
fn given(reason: &str) -> &str {
    if reason.is_empty() { THROUGH_THE_BOT } else { reason }
}

impl fmt::Display for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Balances => f.write_str("balances"),
            Self::Keys(page) => write!(f, "keys:{page}"),
            Self::Key(id) => write!(f, "key:{id}"),
            Self::Invoice(id) => write!(f, "invoice:{id}"),
            Self::Look(id) => write!(f, "look:{id}"),
            Self::Test(id) => write!(f, "test:{id}"),
            // Words do not fit on a button: the question about them is asked where they were written.
            Self::Ask(Deed::Activate { key, unasked: false, .. }) => write!(f, "activate:{key}"),
            Self::Ask(Deed::Activate { key, unasked: true, .. }) => write!(f, "unasked:{key}"),
            Self::Ask(Deed::Disable { key, .. }) => write!(f, "disable:{key}"),
            Self::Ask(Deed::MarkPaid { invoice, .. }) => write!(f, "invoice:{invoice}"),
            Self::Ask(Deed::Pause { .. }) => f.write_str("pause"),
            Self::Ask(Deed::Resume) => f.write_str("resume"),
            Self::Confirm(token) => write!(f, "do:{token}"),
            Self::Leave(token) => write!(f, "no:{token}"),
        }
    }
}

/// A button of no kind of ours.
#[derive(Debug, PartialEq, Eq)]
pub struct NoPress;

impl FromStr for Press {
    type Err = NoPress;

    fn from_str(data: &str) -> std::result::Result<Self, NoPress> {
        let (word, rest) = data.split_once(':').unwrap_or((data, ""));
        let id = || rest.parse::<i64>().map_err(|_| NoPress);
        Ok(match word {
            "status" => Self::Status,
            "balances" => Self::Balances,
            "keys" => Self::Keys(rest.parse().map_err(|_| NoPress)?),
            "key" => Self::Key(id()?),
            "invoice" => Self::Invoice(id()?),
            "look" => Self::Look(id()?),
            "test" => Self::Test(id()?),
            "activate" => Self::Ask(Deed::Activate { key: id()?, unasked: false, reason: String::new() }),
            "unasked" => Self::Ask(Deed::Activate { key: id()?, unasked: true, reason: String::new() }),
            "disable" => Self::Ask(Deed::Disable { key: id()?, reason: String::new() }),
            "pause" => Self::Ask(Deed::Pause { sentence: String::new() }),
            "resume" => Self::Ask(Deed::Resume),
            "do" => Self::Confirm(rest.to_owned()),
            "no" => Self::Leave(rest.to_owned()),
            _ => return Err(NoPress),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Telegram takes 64 bytes.
    #[test]
    fn what_a_button_says_comes_back_and_is_short_enough() {
        let token = PlainToken::mint().expose().to_owned();
        for press in [
            Press::Status,
            Press::Balances,
            Press::Keys(usize::MAX),
            Press::Key(i64::MAX),
            Press::Test(7),
            Press::Invoice(i64::MAX),
            Press::Look(i64::MAX),
            Press::Ask(Deed::Activate { key: i64::MAX, unasked: false, reason: String::new() }),
            Press::Ask(Deed::Activate { key: 7, unasked: true, reason: String::new() }),
            Press::Ask(Deed::Disable { key: 7, reason: String::new() }),
            Press::Ask(Deed::Pause { sentence: String::new() }),
            Press::Ask(Deed::Resume),
            Press::Confirm(token.clone()),
            Press::Leave(token),
        ] {
            let data = press.to_string();
            assert!(data.len() <= 64, "{data}");
            assert_eq!(data.parse(), Ok(press));
        }
        for nonsense in ["", "key", "key:x", "keys:-1", "drop table"] {
            assert_eq!(nonsense.parse::<Press>(), Err(NoPress), "{nonsense}");
        }
    }
}
