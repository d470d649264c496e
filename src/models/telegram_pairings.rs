//! How somebody becomes an admin of the bot: the bot gives a code, somebody types it at the server's console. Each message
//! replaces the code of its chat. A code is short, so what keeps it safe is that it lives for minutes, works once, lies
//! here under a key of ours, and that guesses are few and make noise.

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext};
use rand::TryRngCore;
use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DeriveActiveEnum, EntityTrait,
    EnumIter, QueryFilter, QueryOrder, QuerySelect, prelude::DateTimeUtc, sea_query::Expr,
};
use serde_json::json;

use super::{
    _entities::telegram_pairings::{ActiveModel, Column, Entity},
    activities::Actor,
    alerts, begin, clock, insert_new, notifications,
    telegram_admins::{self, who},
    telegram_updates, text,
    throttles::{self, Refused},
    tokens::{hex, hmac},
};
use crate::{
    adapters::telegram::{Sender, Update},
    context::Nproxy,
    workers::{
        Durable,
        deliver_telegram::{Chat, DeliverTelegram},
    },
};

pub use super::_entities::telegram_pairings::Model;

/// How long a code works.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// Five bits each: sixty-five.
const CODE_CHARS: usize = 13;

/// Letters that are read in one go.
const GROUP_CHARS: usize = 5;

/// Of RFC 4648: without 0, 1, 8 and 9, which people read as O, I and B.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What is over is shown for so long, then it goes.
const KEPT: TimeDelta = TimeDelta::days(7);

/// A list on a console.
const LISTED: u64 = 100;

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum State {
    Pending,
    Completed,
    Expired,
    /// Given up by an operator.
    Revoked,
}

/// A code as a person reads it. `Debug` never shows it.
pub struct Code(String);

/// What a stranger's message comes to.
#[derive(Debug)]
pub enum Asked {
    /// To be shown to them, and nothing else.
    Code(Code),
    /// More messages than anybody needs: no answer.
    Quiet,
    /// The update was dealt with before.
    Repeated,
}

/// Whose code it is, if it is one.
#[derive(Debug)]
pub enum Look {
    Open(Model),
    Wrong(Wrong),
}

/// What became of a code at the console.
#[derive(Debug)]
pub enum Redeemed {
    Paired(telegram_admins::Model),
    Wrong(Wrong),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// There is no such code, or a newer message has replaced it.
    Unknown,
    Expired,
    Used,
    /// Too many wrong ones before; this one was not looked at.
    TooMany(Refused),
}

impl Code {
    #[expect(clippy::expect_used, reason = "without randomness from the operating system nothing may go on")]
    fn mint() -> Self {
        let mut bytes = [0_u8; CODE_CHARS];
        rand::rngs::OsRng.try_fill_bytes(&mut bytes).expect("the operating system gives random bytes");
        // 256 is a multiple of 32: every letter is as likely as another.
        Self(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
    }

    /// A code as somebody typed it: in either case, with what people put between letters, 0 for O, 1 for I, 8 for B.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        let letter = |c: char| match c.to_ascii_uppercase() {
            '0' => Some('O'),
            '1' => Some('I'),
            '8' => Some('B'),
            c if c.is_ascii_alphanumeric() => Some(c),
            _ => None,
        };
        Self(text.chars().filter_map(letter).take(CODE_CHARS + 1).collect())
    }

    /// In groups, as people read it out: `ABCDE-FGHIJ-KLM`.
    #[must_use]
    pub fn spelled(&self) -> String {
        self.0.as_bytes().chunks(GROUP_CHARS).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
    }

    /// Keyed: whoever reads the table cannot try all codes against it.
    fn hashed(&self, ctx: &AppContext) -> String {
        hex(&hmac(&ctx.parts().settings().derived_key("pairing"), self.0.as_bytes()))
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(…)")
    }
}

/// Somebody who is not paired has written, or pressed an old button: their chat has a new code, and the last one is void.
///
/// # Errors
/// The database does not answer.
pub async fn ask(ctx: &AppContext, update: &Update, from: &Sender) -> Result<Asked> {
    let is_quiet = throttles::take(&ctx.db, throttles::pairing_chat(from.id)).await?.is_err();
    let txn = begin(&ctx.db).await?;
    if !telegram_updates::claim(ctx, &txn, update.id).await? {
        return Ok(Asked::Repeated);
    }
    let asked = if is_quiet { Asked::Quiet } else { Asked::Code(rotate(ctx, &txn, from).await?) };
    txn.commit().await?;
    Ok(asked)
}

async fn rotate(ctx: &AppContext, txn: &DatabaseTransaction, from: &Sender) -> Result<Code> {
    let now = clock::now(txn).await?;
    loop {
        let code = Code::mint();
        let hash = code.hashed(ctx);
        let replaced = Entity::update_many()
            .col_expr(Column::CodeHash, Expr::value(&hash))
            .col_expr(Column::Name, Expr::value(&from.name))
            .col_expr(Column::Username, Expr::value(from.username.clone()))
            .col_expr(Column::CreatedAt, Expr::value(now))
            .col_expr(Column::ExpiresAt, Expr::value(now + LIFETIME))
            .filter(Column::TelegramId.eq(from.id))
            .filter(Column::State.eq(text(State::Pending)))
            .exec(txn)
            .await?;
        if replaced.rows_affected == 1 {
            return Ok(code);
        }
        let row = ActiveModel {
            telegram_id: Set(from.id),
            name: Set(from.name.clone()),
            username: Set(from.username.clone()),
            code_hash: Set(hash),
            state: Set(text(State::Pending)),
            created_at: Set(now),
            expires_at: Set(now + LIFETIME),
            ..Default::default()
        };
        if insert_new(txn, row).await? {
            return Ok(code);
        }
    }
}

/// Who waits behind a code. Asking is a guess and counts as one; one that was right is given back.
///
/// # Errors
/// The database does not answer.
pub async fn look(ctx: &AppContext, code: &Code) -> Result<Look> {
    let taken = match throttles::take(&ctx.db, throttles::pairing_code()).await? {
        Ok(taken) => taken,
        Err(refused) => return Ok(Look::Wrong(sound_the_alarm(ctx, refused).await?)),
    };
    let now = clock::now(&ctx.db).await?;
    match Entity::find().filter(Column::CodeHash.eq(code.hashed(ctx))).one(&ctx.db).await? {
        Some(pairing) if pairing.is_open(now) => {
            taken.give_back(&ctx.db).await?;
            Ok(Look::Open(pairing))
        }
        other => Ok(Look::Wrong(Wrong::about(other.as_ref()))),
    }
}

/// Spends a code: of any number of askers at once, one. The chat hears of it.
///
/// # Errors
/// The database does not answer.
pub async fn redeem(ctx: &AppContext, code: &Code, actor: &Actor) -> Result<Redeemed> {
    let taken = match throttles::take(&ctx.db, throttles::pairing_code()).await? {
        Ok(taken) => taken,
        Err(refused) => return Ok(Redeemed::Wrong(sound_the_alarm(ctx, refused).await?)),
    };
    let txn = begin(&ctx.db).await?;
    let now = clock::now(&txn).await?;
    let hash = code.hashed(ctx);
    let spent = Entity::update_many()
        .col_expr(Column::State, Expr::value(text(State::Completed)))
        .col_expr(Column::CompletedAt, Expr::value(now))
        .filter(Column::CodeHash.eq(&hash))
        .filter(Column::State.eq(text(State::Pending)))
        .filter(Column::ExpiresAt.gt(now))
        .exec(&txn)
        .await?;
    let pairing = Entity::find().filter(Column::CodeHash.eq(&hash)).one(&txn).await?;
    if spent.rows_affected != 1 {
        return Ok(Redeemed::Wrong(Wrong::about(pairing.as_ref())));
    }
    let pairing = pairing.ok_or(Error::NotFound)?;
    let admin = telegram_admins::add(&txn, &pairing.sender(), actor).await?;
    notifications::to_chat(
        &txn,
        notifications::Kind::Paired,
        format!("paired:{}", pairing.id),
        admin.telegram_id,
        json!({ "pairing": pairing.id }),
    )
    .await?;
    let job = DeliverTelegram::enqueue(&txn, &Chat { chat: admin.telegram_id }).await?;
    txn.commit().await?;
    ctx.parts().jobs().hint(&[job]).await;
    taken.give_back(&ctx.db).await?;
    Ok(Redeemed::Paired(admin))
}

/// Somebody guesses: those who are paired hear of it, once until it has been quiet for a while.
async fn sound_the_alarm(ctx: &AppContext, refused: Refused) -> Result<Wrong> {
    tracing::error!("too many wrong pairing codes at the console");
    let txn = begin(&ctx.db).await?;
    let jobs = alerts::raise(&txn, &alerts::Trouble::PairingGuesses).await?;
    txn.commit().await?;
    ctx.parts().jobs().hint(&jobs).await;
    Ok(Wrong::TooMany(refused))
}

/// Codes that are open now, the newest first.
///
/// # Errors
/// The database does not answer.
pub async fn open(db: &impl ConnectionTrait) -> Result<Vec<Model>> {
    let now = clock::now(db).await?;
    let pending = Entity::find().filter(Column::State.eq(text(State::Pending))).filter(Column::ExpiresAt.gt(now));
    Ok(pending.order_by_desc(Column::CreatedAt).limit(LISTED).all(db).await?)
}

/// Marks what has expired, and takes away what nobody needs any more; returns how many of each.
///
/// # Errors
/// The database does not answer.
pub async fn cleanup(db: &impl ConnectionTrait) -> Result<(u64, u64)> {
    let now = clock::now(db).await?;
    let expired = Entity::update_many()
        .col_expr(Column::State, Expr::value(text(State::Expired)))
        .filter(Column::State.eq(text(State::Pending)))
        .filter(Column::ExpiresAt.lte(now))
        .exec(db)
        .await?;
    let gone = Entity::delete_many()
        .filter(Column::State.is_in([text(State::Expired), text(State::Revoked)]))
        .filter(Column::ExpiresAt.lte(now - KEPT))
        .exec(db)
        .await?;
    Ok((expired.rows_affected, gone.rows_affected))
}

/// Takes a code back before it is used; `false` when that chat has none open.
///
/// # Errors
/// The database does not answer.
pub async fn withdraw(db: &impl ConnectionTrait, telegram_id: i64) -> Result<bool> {
    let withdrawn = Entity::update_many()
        .col_expr(Column::State, Expr::value(text(State::Revoked)))
        .filter(Column::TelegramId.eq(telegram_id))
        .filter(Column::State.eq(text(State::Pending)))
        .exec(db)
        .await?;
    Ok(withdrawn.rows_affected == 1)
}

impl Wrong {
    fn about(row: Option<&Model>) -> Self {
        match row.map(Model::state) {
            None => Self::Unknown,
            Some(State::Completed) => Self::Used,
            // A pending one that was not taken is over by the clock.
            Some(State::Pending | State::Expired | State::Revoked) => Self::Expired,
        }
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no such code; each message to the bot makes a new one"),
            Self::Expired => f.write_str("that code has expired; write to the bot for a new one"),
            Self::Used => f.write_str("that code was used already; write to the bot for a new one"),
            Self::TooMany(refused) => {
                let seconds = refused.retry_after.as_secs().max(1);
                write!(f, "too many wrong codes; try again in {seconds} s")
            }
        }
    }
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps telegram_pairings.state to these words")]
    pub fn state(&self) -> State {
        State::try_from_value(&self.state).expect("telegram_pairings.state")
    }

    fn is_open(&self, now: DateTimeUtc) -> bool {
        self.state() == State::Pending && self.expires_at > now
    }

    /// `@ann (id 42)`
    #[must_use]
    pub fn who(&self) -> String {
        who(self.telegram_id, &self.name, self.username.as_deref())
    }

    fn sender(&self) -> Sender {
        Sender { id: self.telegram_id, name: self.name.clone(), username: self.username.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_typed_as_people_type() {
        for (typed, meant) in [
            ("abcdefgh2345m", "ABCDEFGH2345M"),
            (" ABCDE-FGH23-45M\n", "ABCDEFGH2345M"),
            ("0bcd 1fgh 2345 m", "OBCDIFGH2345M"),
            ("8BCDEFGH2345M", "BBCDEFGH2345M"),
        ] {
            assert_eq!(Code::typed(typed).0, meant);
        }
        assert_ne!(Code::typed("ABCDEFGH2345MN").0, "ABCDEFGH2345M", "what is longer is another code");
        let code = Code::mint();
        assert_eq!((code.0.len(), &Code::typed(&code.spelled()).0), (CODE_CHARS, &code.0));
        assert_eq!(Code::typed("ABCDEFGH2345M").spelled(), "ABCDE-FGH23-45M");
        assert_eq!(format!("{code:?}"), "Code(…)");
    }
}
