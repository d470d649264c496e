//! What the people of the house show beside their password: a code that their phone and we compute from the same secret
//! and the clock (TOTP, RFC 6238), or one of ten recovery codes. No code is taken twice. A session that has shown one
//! passes `/admin` for [`HOLDS`]; what is dangerous asks again after [`FRESH`].

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext};
use rand::TryRngCore;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    prelude::DateTimeUtc, sea_query::Expr,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use totp_rs::{Builder, Secret, Totp};

use super::{Confirmation, Model, by_email, normalized};
use crate::{
    context::Nproxy,
    models::{
        _entities::second_factors::{self, ActiveModel, Column, Entity},
        activities::{self, Actor},
        begin, clock, insert_new,
        sessions::{self, Client},
        throttles::{self, Refused},
        tokens::sha256,
    },
};

/// A working day: then the phone is asked for again.
pub const HOLDS: TimeDelta = TimeDelta::hours(12);

/// Before something dangerous the code must be younger.
pub const FRESH: TimeDelta = TimeDelta::minutes(10);

const SECRET_BYTES: usize = 20;
const RECOVERY_CODES: usize = 10;
const RECOVERY_BYTES: usize = 10;

/// A secret that somebody is about to keep. It lies nowhere until a first code proves that it arrived: between the page
/// and its form it travels sealed, for this person and this session alone.
pub struct Offer {
    /// To type, where no camera is at hand.
    pub secret: SecretString,
    /// To scan.
    pub url: SecretString,
    pub sealed: String,
    totp: Totp,
}

/// What became of an enrolment.
pub enum Enrolment {
    /// The recovery codes, to be shown this once.
    Enrolled(Vec<SecretString>),
    WrongPassword,
    WrongCode,
    TooOften(Refused),
    /// There is a second factor already, or the offer was not for this session.
    Stale,
}

/// What a code was worth.
#[derive(Debug)]
pub enum Proof {
    Right,
    Wrong,
    TooOften(Refused),
}

/// # Errors
/// No randomness to be had.
pub fn offer(ctx: &AppContext, user: &Model, here: &sessions::Model) -> Result<Offer> {
    let secret = Secret::from(random::<SECRET_BYTES>()?.to_vec());
    let sealed = ctx.parts().vault().seal(&offered_to(user, here), &secret.to_base32().into())?;
    Offer::of(user, secret, sealed)
}

/// The offer that a form brings back; `None` for one that was made to somebody else, or to another session.
///
/// # Errors
/// The secret is none of ours.
pub fn reopen(ctx: &AppContext, user: &Model, here: &sessions::Model, sealed: &str) -> Result<Option<Offer>> {
    let Ok(secret) = ctx.parts().vault().open(&offered_to(user, here), sealed) else { return Ok(None) };
    let secret = Secret::try_from_base32(secret.expose_secret()).map_err(Error::msg)?;
    Offer::of(user, secret, sealed.to_owned()).map(Some)
}

fn offered_to(user: &Model, here: &sessions::Model) -> String {
    format!("second_factors|offer|{}|{}", user.id, here.id)
}

impl Offer {
    fn of(user: &Model, secret: Secret, sealed: String) -> Result<Self> {
        let text = secret.to_base32();
        let totp = clock_of(user, secret)?;
        let url = totp.to_url().map_err(Error::msg)?;
        Ok(Self { secret: text.into(), url: url.into(), sealed, totp })
    }
}

/// # Errors
/// The database does not answer.
pub async fn is_enrolled(db: &impl ConnectionTrait, user: &Model) -> Result<bool> {
    Ok(of(db, user.id).await?.is_some())
}

/// How many recovery codes are left; `None` without a second factor.
///
/// # Errors
/// The database does not answer.
pub async fn recovery_codes_left(db: &impl ConnectionTrait, user: &Model) -> Result<Option<usize>> {
    Ok(of(db, user.id).await?.map(|factor| factor.recovery_hashes.lines().count()))
}

/// Keeps the offered secret once the person has shown the password and a code from it; this session has shown its factor.
///
/// # Errors
/// The database does not answer.
pub async fn enrol(
    ctx: &AppContext,
    client: &Client,
    user: &Model,
    here: &sessions::Model,
    sealed: &str,
    password: &str,
    code: &str,
) -> Result<Enrolment> {
    let Some(offer) = reopen(ctx, user, here, sealed)? else { return Ok(Enrolment::Stale) };
    match user.confirm(ctx, client, password).await? {
        Confirmation::Right => {}
        Confirmation::Wrong => return Ok(Enrolment::WrongPassword),
        Confirmation::TooOften(refused) => return Ok(Enrolment::TooOften(refused)),
    }
    let now = clock::now(&ctx.db).await?;
    let Some(step) = step(&offer.totp, code, now) else { return Ok(Enrolment::WrongCode) };
    let codes = (0..RECOVERY_CODES).map(|_| recovery_code()).collect::<Result<Vec<_>>>()?;
    let hashes: Vec<_> = codes.iter().map(|code| hash(code.expose_secret())).collect();

    let txn = begin(&ctx.db).await?;
    let row = ActiveModel {
        user_id: Set(user.id),
        secret_enc: Set(String::new()),
        last_step: Set(step),
        recovery_hashes: Set(hashes.join("\n")),
        created_at: Set(now),
        ..Default::default()
    };
    if !insert_new(&txn, row).await? {
        return Ok(Enrolment::Stale);
    }
    let Some(factor) = of(&txn, user.id).await? else { return Ok(Enrolment::Stale) };
    // The row id is part of the seal, so the secret follows the row.
    let sealed = ctx.parts().vault().seal(&place(factor.id), &offer.secret)?;
    change(factor.id, Column::SecretEnc, sealed).exec(&txn).await?;
    here.prove(&txn, now).await?;
    activities::record(&txn, &Actor::Admin(user.id), "enrol_second_factor", ("user", user.id), json!({})).await?;
    txn.commit().await?;
    Ok(Enrolment::Enrolled(codes))
}

/// Six digits from the phone, or a recovery code; then this session has shown its factor.
///
/// # Errors
/// The database does not answer.
pub async fn prove(
    ctx: &AppContext,
    client: &Client,
    user: &Model,
    here: &sessions::Model,
    code: &str,
) -> Result<Proof> {
    let taken = match throttles::take(&ctx.db, throttles::second_factor(user.id, client)).await? {
        Ok(taken) => taken,
        Err(refused) => return Ok(Proof::TooOften(refused)),
    };
    let Some(factor) = of(&ctx.db, user.id).await? else { return Ok(Proof::Wrong) };
    let totp = clock_of(user, factor.secret(ctx)?)?;
    let txn = begin(&ctx.db).await?;
    let now = clock::now(&txn).await?;
    let is_right = match step(&totp, code, now) {
        Some(step) => factor.use_step(&txn, step).await?,
        None => factor.use_recovery_code(&txn, code).await?,
    };
    if !is_right {
        return Ok(Proof::Wrong);
    }
    here.prove(&txn, now).await?;
    txn.commit().await?;
    taken.give_back(&ctx.db).await?;
    Ok(Proof::Right)
}

/// The second factor goes; with the next page of the house its person sets up another. For a phone that was lost, and for
/// the person's own change of phones. `None` when there is no such account; nothing happens where there is no factor.
///
/// # Errors
/// The database does not answer.
pub async fn reset(ctx: &AppContext, email: &str, reason: &str, actor: &Actor) -> Result<Option<Model>> {
    let txn = begin(&ctx.db).await?;
    let Some(user) = by_email(&txn, &normalized(email)).await? else { return Ok(None) };
    if forget(&txn, user.id).await? {
        let detail = json!({ "reason": reason });
        activities::record(&txn, actor, "reset_second_factor", ("user", user.id), detail).await?;
    }
    txn.commit().await?;
    Ok(Some(user))
}

/// The factor and what it has opened. `false` when there was none.
pub(super) async fn forget(txn: &DatabaseTransaction, user_id: i64) -> Result<bool> {
    sessions::unprove_all(txn, user_id).await?;
    let gone = Entity::delete_many().filter(Column::UserId.eq(user_id)).exec(txn).await?;
    Ok(gone.rows_affected == 1)
}

impl second_factors::Model {
    fn secret(&self, ctx: &AppContext) -> Result<Secret> {
        let secret = ctx.parts().vault().open(&place(self.id), &self.secret_enc)?;
        Secret::try_from_base32(secret.expose_secret()).map_err(Error::msg)
    }

    /// Of two uses of one code exactly one wins, and none of an older one.
    async fn use_step(&self, txn: &DatabaseTransaction, step: i64) -> Result<bool> {
        let used = change(self.id, Column::LastStep, step).filter(Column::LastStep.lt(step)).exec(txn).await?;
        Ok(used.rows_affected == 1)
    }

    async fn use_recovery_code(&self, txn: &DatabaseTransaction, code: &str) -> Result<bool> {
        let used = hash(code);
        let left: Vec<_> = self.recovery_hashes.lines().filter(|hash| *hash != used).collect();
        if left.len() == self.recovery_hashes.lines().count() {
            return Ok(false);
        }
        let taken = change(self.id, Column::RecoveryHashes, left.join("\n"))
            .filter(Column::RecoveryHashes.eq(self.recovery_hashes.as_str()))
            .exec(txn)
            .await?;
        if taken.rows_affected == 0 {
            return Ok(false);
        }
        let (actor, detail) = (Actor::Admin(self.user_id), json!({ "left": left.len() }));
        activities::record(txn, &actor, "use_recovery_code", ("user", self.user_id), detail).await?;
        Ok(true)
    }
}

async fn of(db: &impl ConnectionTrait, user_id: i64) -> Result<Option<second_factors::Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user_id)).one(db).await?)
}

fn change(id: i64, column: Column, to: impl Into<sea_orm::Value>) -> sea_orm::UpdateMany<Entity> {
    Entity::update_many().col_expr(column, Expr::value(to.into())).filter(Column::Id.eq(id))
}

fn place(id: i64) -> String {
    format!("second_factors|secret_enc|{id}")
}

/// Phones agree on six digits, SHA-1 and thirty seconds; one step to either side is a clock that is a little off.
fn clock_of(user: &Model, secret: Secret) -> Result<Totp> {
    // A colon parts the name of the site from that of the person.
    let account = user.email().replace(':', "");
    let clock = Builder::new().with_secret(secret).with_account_name(account).with_issuer(Some("nproxy"));
    clock.build().map_err(Error::msg)
}

fn step(totp: &Totp, code: &str, now: DateTimeUtc) -> Option<i64> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let step = totp.check(&digits, u64::try_from(now.timestamp()).ok()?)?;
    i64::try_from(step).ok()
}

/// `abcd-efgh-ijkl-mnop`: 80 bits, in letters that nobody mistakes.
fn recovery_code() -> Result<SecretString> {
    let letters = Secret::from(random::<RECOVERY_BYTES>()?.to_vec()).to_base32().to_lowercase();
    let groups: Vec<_> = letters.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
    Ok(groups.join("-").into())
}

/// However it was typed.
fn hash(code: &str) -> String {
    let letters: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    sha256(letters.to_ascii_lowercase().as_bytes())
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0_u8; N];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(|_| Error::string("no random bytes"))?;
    Ok(bytes)
}
