//! How often somebody may try: passwords, registrations, mails, links. A try is counted by one conditional update before
//! any work is done for it, so that a refused one costs no password hash, and of many at once exactly as many go through
//! as the limit has room for. Tries that turn out right are given back.
//!
//! A limit lets `burst` tries through at once and one more every `pause`; in any span of time that makes at most
//! `burst + span / pause`. There are no windows whose edges could be straddled, and one row per key says everything.

use std::time::Duration;

use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter,
    QuerySelect,
    sea_query::{Alias, CaseStatement, Expr, LockBehavior, LockType, OnConflict},
};

use super::{
    _entities::throttles::{ActiveModel, Column, Entity},
    begin, clock,
    sessions::Client,
    tokens::{HashedToken, hex, hmac},
};
use crate::context::Nproxy;

/// `burst` at once, then one every `pause`.
#[derive(Debug, Clone, Copy)]
struct Limit {
    name: &'static str,
    burst: i64,
    pause: Duration,
}

/// Passwords tried on one account from one address: somebody who has forgotten theirs has eight guesses, then five an
/// hour. It is less than what the account has in all, so one stranger at one address cannot use up the account's tries.
const LOGIN_PAIR: Limit = Limit { name: "login-pair", burst: 8, pause: Duration::from_secs(12 * 60) };

/// Passwords tried on one account from wherever: at most 12 + 8 = 20 hashes in any hour, which makes a list of the ten
/// thousand commonest passwords take three weeks, and registration refuses those anyway.
const LOGIN_ACCOUNT: Limit = Limit { name: "login-account", burst: 12, pause: Duration::from_secs(450) };

/// Of `LOGIN_ACCOUNT`'s burst, kept for addresses at which the account was at home before: while strangers spray from
/// everywhere, they find the account busy two tries before its owner does, and every try that becomes free is the
/// owner's first. At a new address, the mailed reset link lets the owner in at once: it counts against none of these.
const KEPT_FOR_KNOWN_ADDRESSES: i64 = 2;

/// Passwords computed for one address in all, whatever account and form: at most 150 + 150 = 300 in any hour. An office
/// behind one address mistypes far less; a core computes that many in ten seconds.
const PASSWORD_ADDRESS: Limit = Limit { name: "password-address", burst: 150, pause: Duration::from_secs(24) };

/// Passwords asked for inside the account (new password, new address, deletion), for whoever sits at a session that is
/// not theirs. Apart from `LOGIN_ACCOUNT`: that person must not be able to lock the owner out of the login page.
const CONFIRM_ACCOUNT: Limit = Limit { name: "confirm-account", burst: 10, pause: Duration::from_secs(6 * 60) };

/// Codes of a second factor on one account, for whoever has its password: at most 5 + 144 in any day, each against three
/// of a million, so that trying for a year finds one in seven times.
const FACTOR_ACCOUNT: Limit = Limit { name: "factor-account", burst: 5, pause: Duration::from_secs(10 * 60) };

/// Accounts opened from one address: at most 60 + 60 = 120 in any day. A class of students gets in; farming the free
/// pictures from one address earns less than an address costs.
const REGISTER_ADDRESS: Limit = Limit { name: "register-address", burst: 60, pause: Duration::from_secs(24 * 60) };

/// Registrations of one mail address; each hashes a password and may send a mail.
const REGISTER_ACCOUNT: Limit = Limit { name: "register-account", burst: 10, pause: Duration::from_secs(6 * 60) };

/// Mails asked for from one address, to whomever.
const MAIL_ADDRESS: Limit = Limit { name: "mail-address", burst: 30, pause: Duration::from_secs(2 * 60) };

/// Mails asked for to one address. `links::PER_HOUR` bounds what is really sent; who is refused here has a newest mail
/// whose link works.
const MAIL_ACCOUNT: Limit = Limit { name: "mail-account", burst: 10, pause: Duration::from_secs(6 * 60) };

/// Links that never were, from one address. Nobody guesses 256 bits; this keeps the trying cheap for us.
const LINK_ADDRESS: Limit = Limit { name: "link-address", burst: 30, pause: Duration::from_secs(60) };

/// Wrong pairing codes at the console, in all: at most 10 + 90 = 100 in any hour.
const PAIRING_CODE: Limit = Limit { name: "pairing-code", burst: 10, pause: Duration::from_secs(40) };

/// Answers to one chat that is not paired. Who writes more than that has a newest code that works.
const PAIRING_CHAT: Limit = Limit { name: "pairing-chat", burst: 30, pause: Duration::from_secs(20) };

/// Pictures, checkouts and whatever else costs us, started from one session: far more than a person presses, far less than
/// a script could. What they may spend is the ledger's business.
const COSTLY_SESSION: Limit = Limit { name: "costly-session", burst: 240, pause: Duration::from_secs(1) };

/// The same from one address, whoever is signed in there.
const COSTLY_ADDRESS: Limit = Limit { name: "costly-address", burst: 1200, pause: Duration::from_millis(100) };

/// Rows that one sweep takes away at once.
const SWEPT_AT_ONCE: u64 = 1000;

/// One count of one limit.
#[derive(Debug)]
pub(super) struct Turn {
    limit: Limit,
    key: String,
}

/// Tries that were counted.
#[derive(Debug)]
#[must_use = "a try that was right is given back"]
pub struct Taken(Vec<Turn>);

/// Too many tries; nothing was counted and nothing may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// When the next try has room, if nobody else takes it.
    pub retry_after: Duration,
}

impl Limit {
    fn of(self, whose: &str) -> Turn {
        Turn { limit: self, key: format!("{}:{whose}", self.name) }
    }

    const fn without(self, kept: i64) -> Self {
        Self { burst: self.burst - kept, ..self }
    }

    fn cost(self) -> i64 {
        i64::try_from(self.pause.as_micros()).unwrap_or(i64::MAX)
    }
}

/// A password for an account. Whether there is such an account makes no difference.
pub(super) fn login(ctx: &AppContext, email: &str, client: &Client, is_known_address: bool) -> Vec<Turn> {
    let (account, address) = (account(ctx, email), client.network());
    let kept = if is_known_address { 0 } else { KEPT_FOR_KNOWN_ADDRESSES };
    vec![
        PASSWORD_ADDRESS.of(&address),
        LOGIN_ACCOUNT.without(kept).of(&account),
        LOGIN_PAIR.of(&format!("{account}:{address}")),
    ]
}

/// A password inside the account of a signed-in person.
pub(super) fn confirmation(user_id: i64, client: &Client) -> Vec<Turn> {
    vec![PASSWORD_ADDRESS.of(&client.network()), CONFIRM_ACCOUNT.of(&user_id.to_string())]
}

/// A code beside the password.
pub(super) fn second_factor(user_id: i64, client: &Client) -> Vec<Turn> {
    vec![FACTOR_ACCOUNT.of(&user_id.to_string()), LINK_ADDRESS.of(&client.network())]
}

pub(super) fn registration(ctx: &AppContext, email: &str, client: &Client) -> Vec<Turn> {
    let address = client.network();
    vec![PASSWORD_ADDRESS.of(&address), REGISTER_ADDRESS.of(&address), REGISTER_ACCOUNT.of(&account(ctx, email))]
}

/// A mail that somebody asks for.
pub(super) fn mail(ctx: &AppContext, email: &str, client: &Client) -> Vec<Turn> {
    vec![MAIL_ADDRESS.of(&client.network()), MAIL_ACCOUNT.of(&account(ctx, email))]
}

pub(super) fn link(client: &Client) -> Vec<Turn> {
    vec![LINK_ADDRESS.of(&client.network())]
}

/// A pairing code that somebody types at the console.
pub(super) fn pairing_code() -> Vec<Turn> {
    vec![PAIRING_CODE.of("console")]
}

/// A message of somebody who is not paired.
pub(super) fn pairing_chat(telegram_id: i64) -> Vec<Turn> {
    vec![PAIRING_CHAT.of(&telegram_id.to_string())]
}

/// One more start of something that costs us. It is not given back.
///
/// # Errors
/// The database does not answer.
pub async fn costly(
    ctx: &AppContext,
    client: &Client,
    session: Option<&HashedToken>,
) -> Result<std::result::Result<(), Refused>> {
    let address = COSTLY_ADDRESS.of(&client.network());
    // The hash of a token is as long as it need be to tell sessions apart.
    let session = session.map(|token| COSTLY_SESSION.of(&token.as_str()[..32]));
    Ok(take(&ctx.db, [Some(address), session].into_iter().flatten().collect()).await?.map(drop))
}

/// An address as it stands in a key: nobody's address has to lie here in clear, known or unknown.
fn account(ctx: &AppContext, email: &str) -> String {
    hex(&hmac(&ctx.parts().settings().derived_key("throttles"), email.as_bytes())[..16])
}

/// Counts all of these or none. The order within a list is the same for everybody, so that two takers never wait for
/// each other.
///
/// # Errors
/// The database does not answer.
pub(super) async fn take(db: &DatabaseConnection, turns: Vec<Turn>) -> Result<std::result::Result<Taken, Refused>> {
    let txn = begin(db).await?;
    let now = clock::now(&txn).await?.timestamp_micros();
    if count(&txn, &turns, now).await? {
        txn.commit().await?;
        return Ok(Ok(Taken(turns)));
    }
    let mut retry_after = Duration::ZERO;
    for turn in &turns {
        retry_after = retry_after.max(turn.wait(&txn, now).await?);
    }
    txn.rollback().await?;
    Ok(Err(Refused { retry_after }))
}

/// `false` when one of them has no room; then nothing of it may stay.
async fn count(txn: &DatabaseTransaction, turns: &[Turn], now: i64) -> Result<bool> {
    let present = || Expr::col((Entity, Column::BusyUntil));
    let given = |column| Expr::col((Alias::new("excluded"), column));
    let from = Expr::case(present().gt(now), present()).finally(now);
    let mut latest = CaseStatement::new();
    for Turn { limit, key } in turns {
        latest = latest.case(given(Column::Key).eq(key), now + (limit.burst - 1) * limit.cost());
    }
    let counted = OnConflict::column(Column::Key)
        .value(Column::BusyUntil, Expr::Case(Box::new(from)).add(given(Column::BusyUntil).sub(now)))
        .action_and_where(present().lte(Expr::Case(Box::new(latest))))
        .to_owned();
    let rows = turns
        .iter()
        .map(|Turn { limit, key }| ActiveModel { key: Set(key.clone()), busy_until: Set(now + limit.cost()) });
    let done = Entity::insert_many(rows).on_conflict(counted).exec_without_returning(txn).await?;
    Ok(usize::try_from(done) == Ok(turns.len()))
}

impl Turn {
    async fn wait(&self, db: &impl ConnectionTrait, now: i64) -> Result<Duration> {
        let row = Entity::find_by_id(self.key.clone()).one(db).await?;
        let free = row.map_or(now, |row| row.busy_until - (self.limit.burst - 1) * self.limit.cost());
        Ok(Duration::from_micros(u64::try_from(free - now).unwrap_or(0)))
    }
}

impl Taken {
    /// The try was right: it does not count.
    ///
    /// # Errors
    /// The database does not answer.
    pub(super) async fn give_back(self, db: &DatabaseConnection) -> Result<()> {
        let txn = begin(db).await?;
        for turn in self.0 {
            Entity::update_many()
                .col_expr(Column::BusyUntil, Expr::col(Column::BusyUntil).sub(turn.limit.cost()))
                .filter(Column::Key.eq(turn.key))
                .exec(&txn)
                .await?;
        }
        txn.commit().await.map_err(Error::from)
    }
}

/// Something that one process at a time does, for as long as it says so again and again. It is a limit of one whose holder
/// is known by the moment that it wrote.
#[derive(Debug)]
pub(super) struct Post {
    key: String,
    until: i64,
}

impl Post {
    /// Takes a post that nobody holds; `None` when somebody does.
    ///
    /// # Errors
    /// The database does not answer.
    pub(super) async fn take(db: &impl ConnectionTrait, name: &str, hold: Duration) -> Result<Option<Self>> {
        let now = clock::now(db).await?.timestamp_micros();
        let post = Self { key: format!("post:{name}"), until: after(now, hold) };
        let if_free = OnConflict::column(Column::Key)
            .value(Column::BusyUntil, Expr::value(post.until))
            .action_and_where(Expr::col((Entity, Column::BusyUntil)).lte(now))
            .to_owned();
        let row = ActiveModel { key: Set(post.key.clone()), busy_until: Set(post.until) };
        let taken = Entity::insert(row).on_conflict(if_free).exec_without_returning(db).await? == 1;
        Ok(taken.then_some(post))
    }

    /// Holds on to it; `false` = it is lost, somebody else may hold it.
    ///
    /// # Errors
    /// The database does not answer.
    pub(super) async fn keep(&mut self, db: &impl ConnectionTrait, hold: Duration) -> Result<bool> {
        let until = after(clock::now(db).await?.timestamp_micros(), hold);
        let kept = self.write(db, until).await?;
        self.until = until;
        Ok(kept)
    }

    /// Leaves it to the next.
    ///
    /// # Errors
    /// The database does not answer.
    pub(super) async fn leave(self, db: &impl ConnectionTrait) -> Result<()> {
        let now = clock::now(db).await?.timestamp_micros();
        self.write(db, now).await.map(drop)
    }

    async fn write(&self, db: &impl ConnectionTrait, until: i64) -> Result<bool> {
        let written = Entity::update_many()
            .col_expr(Column::BusyUntil, Expr::value(until))
            .filter(Column::Key.eq(&self.key))
            .filter(Column::BusyUntil.eq(self.until))
            .exec(db)
            .await?;
        Ok(written.rows_affected == 1)
    }
}

fn after(now: i64, hold: Duration) -> i64 {
    now.saturating_add(i64::try_from(hold.as_micros()).unwrap_or(i64::MAX))
}

/// Takes away what no longer says anything; returns how many rows that were.
///
/// # Errors
/// The database does not answer.
pub(super) async fn sweep(db: &DatabaseConnection) -> Result<u64> {
    let mut swept = 0;
    loop {
        let txn = begin(db).await?;
        let now = clock::now(&txn).await?.timestamp_micros();
        // Rows that somebody is counting on are passed over: a sweep never waits for a taker.
        let idle: Vec<String> = Entity::find()
            .select_only()
            .column(Column::Key)
            .filter(Column::BusyUntil.lte(now))
            .limit(SWEPT_AT_ONCE)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .into_tuple()
            .all(&txn)
            .await?;
        let found = idle.len();
        swept += Entity::delete_many().filter(Column::Key.is_in(idle)).exec(&txn).await?.rows_affected;
        txn.commit().await?;
        if u64::try_from(found).map_err(Error::wrap)? < SWEPT_AT_ONCE {
            return Ok(swept);
        }
    }
}
