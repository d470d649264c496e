//! A grant is taken back, because its payment was: what is free goes at once, what runs under way give back goes when it
//! comes, and what was used becomes a debt.

use loco_rs::{Result, app::AppContext};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde_json::json;

use super::{Model, locked_with_person};
use crate::models::{
    activities::{self, Actor},
    begin, clock, debts,
    ledger_entries::{self, Kind, Movement},
};

/// How an allowance stands, in its own unit.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub free: i64,
    /// With runs under way.
    pub held: i64,
    /// Pictures that arrived, and debts paid from it.
    pub used: i64,
}

/// What became of taking an allowance back.
#[derive(Debug, PartialEq, Eq)]
pub enum Revocation {
    /// How it stood: what was free is gone, what was used is owed.
    Revoked(Standing),
    AlreadyRevoked,
    Unknown,
}

impl Model {
    /// What taking it back would do.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn standing(&self, db: &impl ConnectionTrait) -> Result<Standing> {
        let used = ledger_entries::used(db, self.id).await?;
        Ok(Standing { free: self.available, held: self.posted - self.available, used })
    }
}

/// Takes an allowance back, once.
///
/// # Errors
/// The database does not answer.
pub async fn revoke(txn: &DatabaseTransaction, id: i64, reason: &str, actor: &Actor) -> Result<Revocation> {
    let Some(mut allowance) = locked_with_person(txn, id).await? else { return Ok(Revocation::Unknown) };
    if allowance.revoked_at.is_some() {
        return Ok(Revocation::AlreadyRevoked);
    }
    let now = clock::now(txn).await?;
    let standing = allowance.standing(txn).await?;
    allowance.revoked_at = Some(now);
    let gone = Movement::new(Kind::Adjust, format!("revoke:{id}"), -standing.free, -standing.free).because(reason);
    let movements = if standing.free > 0 { vec![gone] } else { Vec::new() };
    let allowance = allowance.post(txn, movements, actor).await?;
    if standing.used > 0 {
        debts::incur(txn, &allowance, standing.used, format!("revoke:{id}"), reason, now).await?;
        debts::collect(txn, allowance.user_id, now, actor).await?;
    }
    Ok(Revocation::Revoked(standing))
}

/// An operator takes an allowance back, with one activity.
///
/// # Errors
/// The database does not answer.
pub async fn revoke_by_hand(ctx: &AppContext, id: i64, reason: &str, actor: &Actor) -> Result<Revocation> {
    let txn = begin(&ctx.db).await?;
    let Some(allowance) = locked_with_person(&txn, id).await? else { return Ok(Revocation::Unknown) };
    let detail = json!({ "user": allowance.user_id, "reason": reason });
    activities::record(&txn, actor, "revoke_allowance", ("allowance", id), detail).await?;
    let revocation = revoke(&txn, id, reason, actor).await?;
    match revocation {
        Revocation::Revoked(_) => txn.commit().await?,
        Revocation::AlreadyRevoked | Revocation::Unknown => txn.rollback().await?,
    }
    Ok(revocation)
}
