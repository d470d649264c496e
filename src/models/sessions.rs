//! Signed-in browsers: a random token in the cookie, its hash here. A session is worth something only while it is not
//! revoked, not over, of the person's present epoch, and the person is activated.

use std::net::IpAddr;

use chrono::TimeDelta;
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
    Select, prelude::DateTimeUtc, sea_query::Expr,
};
use serde_json::json;
use uuid::Uuid;

use super::{
    _entities::{
        sessions::{ActiveModel, Column, Entity},
        users,
    },
    activities::{self, Actor},
    auth_events::{self, Action},
    begin, clock, devices,
    tokens::PlainToken,
    users::Status,
};
use crate::settings::customer_of;

pub use super::_entities::sessions::Model;

pub const LIFETIME: TimeDelta = TimeDelta::days(30);

/// `last_seen_at` follows no closer than this, so that reading pages does not write rows.
pub(super) const SEEN_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Longer ones are cut; enough for "Chrome on Android".
const USER_AGENT_MAX: usize = 300;

/// Rows of sessions that are over are kept for so long.
const KEPT: TimeDelta = TimeDelta::days(30);

/// Who is at the other end of the wire: the address as far as it is believed, and what the browser says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub ip: IpAddr,
    pub user_agent: String,
}

impl Client {
    /// Whom a limit counts: an address of IPv4, or the /64 that one customer of IPv6 has to himself.
    #[must_use]
    pub fn network(&self) -> String {
        match customer_of(self.ip) {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        }
    }

    /// The browser as it is stored.
    #[must_use]
    pub fn browser(&self) -> String {
        self.user_agent.chars().take(USER_AGENT_MAX).collect()
    }
}

/// Starts a session: somebody came in. The token goes into the cookie and nowhere else.
///
/// # Errors
/// The database does not answer.
pub async fn start(db: &impl ConnectionTrait, user: &users::Model, client: &Client) -> Result<PlainToken> {
    let now = clock::now(db).await?;
    let token = PlainToken::mint();
    ActiveModel {
        pid: Set(Some(Uuid::new_v4())),
        user_id: Set(user.id),
        token_hash: Set(token.hashed().as_str().to_owned()),
        epoch: Set(user.session_epoch),
        ip: Set(client.ip.to_string()),
        user_agent: Set(client.browser()),
        created_at: Set(now),
        last_seen_at: Set(now),
        expires_at: Set(now + LIFETIME),
        ..Default::default()
    }
    .insert(db)
    .await?;
    auth_events::record(db, Some(user.id), Action::Login, None, client).await?;
    Ok(token)
}

/// Whose session this is, if it is worth something now.
///
/// # Errors
/// The database does not answer.
pub async fn resume(db: &impl ConnectionTrait, token: &PlainToken) -> Result<Option<(Model, users::Model)>> {
    let found = Entity::find()
        .find_also_related(users::Entity)
        .filter(Column::TokenHash.eq(token.hashed().as_str()))
        .filter(Column::RevokedAt.is_null())
        .one(db)
        .await?;
    let Some((session, Some(user))) = found else { return Ok(None) };
    let now = clock::now(db).await?;
    if session.expires_at <= now || session.epoch != user.session_epoch || user.status() != Status::Activated {
        return Ok(None);
    }
    if session.last_seen_at <= now - SEEN_EVERY {
        Entity::update_many()
            .col_expr(Column::LastSeenAt, Expr::value(now))
            .filter(Column::Id.eq(session.id))
            .filter(Column::LastSeenAt.lte(now - SEEN_EVERY))
            .exec(db)
            .await?;
    }
    Ok(Some((session, user)))
}

/// The sessions that are worth something now, the last used first.
///
/// # Errors
/// The database does not answer.
pub async fn of(db: &impl ConnectionTrait, user: &users::Model) -> Result<Vec<Model>> {
    let now = clock::now(db).await?;
    Ok(open(user, now).order_by_desc(Column::LastSeenAt).order_by_desc(Column::Id).all(db).await?)
}

/// One of the person's own that is worth something; a stranger's is simply not found.
///
/// # Errors
/// The database does not answer.
pub async fn own(db: &impl ConnectionTrait, user: &users::Model, pid: Uuid) -> Result<Option<Model>> {
    let now = clock::now(db).await?;
    Ok(open(user, now).filter(Column::Pid.eq(pid)).one(db).await?)
}

fn open(user: &users::Model, now: DateTimeUtc) -> Select<Entity> {
    Entity::find()
        .filter(Column::UserId.eq(user.id))
        .filter(Column::Epoch.eq(user.session_epoch))
        .filter(Column::RevokedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
}

/// Ends the session of a cookie; it opens nothing from now on.
///
/// # Errors
/// The database does not answer.
pub async fn revoke(db: &impl ConnectionTrait, token: &PlainToken) -> Result<()> {
    let now = clock::now(db).await?;
    Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now))
        .filter(Column::TokenHash.eq(token.hashed().as_str()))
        .filter(Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    devices::forget(db, Column::TokenHash.eq(token.hashed().as_str())).await
}

/// Ends every session of the person but the one at hand.
///
/// # Errors
/// The database does not answer.
pub async fn revoke_others(db: &impl ConnectionTrait, user: &users::Model, kept: &Model) -> Result<()> {
    let now = clock::now(db).await?;
    Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now))
        .filter(Column::UserId.eq(user.id))
        .filter(Column::Id.ne(kept.id))
        .filter(Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    devices::forget(db, Column::UserId.eq(user.id)).await
}

pub(super) async fn revoke_all(db: &impl ConnectionTrait, user_id: i64) -> Result<()> {
    let now = clock::now(db).await?;
    Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    devices::forget(db, Column::UserId.eq(user_id)).await
}

/// An operator ends one session of somebody; `false` when it had ended, or never was theirs.
///
/// # Errors
/// The database does not answer.
pub async fn revoke_by_hand(
    ctx: &AppContext,
    user: &users::Model,
    pid: Uuid,
    reason: &str,
    actor: &Actor,
) -> Result<bool> {
    let txn = begin(&ctx.db).await?;
    let Some(session) = own(&txn, user, pid).await? else { return Ok(false) };
    session.end(&txn).await?;
    let detail = json!({ "session": pid, "reason": reason });
    activities::record(&txn, actor, "revoke_session", ("user", user.id), detail).await?;
    txn.commit().await?;
    Ok(true)
}

/// An operator ends every session of somebody; how many that were.
///
/// # Errors
/// The database does not answer.
pub async fn revoke_all_by_hand(ctx: &AppContext, user: &users::Model, reason: &str, actor: &Actor) -> Result<usize> {
    let txn = begin(&ctx.db).await?;
    let now = clock::now(&txn).await?;
    let open = open(user, now).all(&txn).await?.len();
    revoke_all(&txn, user.id).await?;
    let detail = json!({ "sessions": open, "reason": reason });
    activities::record(&txn, actor, "revoke_sessions", ("user", user.id), detail).await?;
    txn.commit().await?;
    Ok(open)
}

/// With the account go its sessions, and the addresses that stand in them.
pub(super) async fn forget(db: &impl ConnectionTrait, user_id: i64) -> Result<()> {
    Entity::delete_many().filter(Column::UserId.eq(user_id)).exec(db).await?;
    Ok(())
}

/// Takes away sessions that ended long ago; returns how many.
pub(super) async fn sweep(db: &impl ConnectionTrait) -> Result<u64> {
    let before = clock::now(db).await? - KEPT;
    let over = Column::ExpiresAt.lt(before).or(Column::RevokedAt.lt(before));
    Ok(Entity::delete_many().filter(over).exec(db).await?.rows_affected)
}

/// What this person's sessions have shown of a second factor counts no more.
pub(super) async fn unprove_all(db: &impl ConnectionTrait, user_id: i64) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::ProvedAt, Expr::value(None::<DateTimeUtc>))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::ProvedAt.is_not_null())
        .exec(db)
        .await?;
    Ok(())
}

impl Model {
    /// Has this session shown a second factor within so long?
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn has_proved(&self, db: &impl ConnectionTrait, within: TimeDelta) -> Result<bool> {
        let Some(at) = self.proved_at else { return Ok(false) };
        Ok(clock::now(db).await? - at < within)
    }

    /// A second factor was shown here.
    pub(super) async fn prove(&self, db: &impl ConnectionTrait, at: DateTimeUtc) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::ProvedAt, Expr::value(at))
            .filter(Column::Id.eq(self.id))
            .exec(db)
            .await?;
        Ok(())
    }

    /// Goes on into the person's new epoch, in which every other session has ended.
    pub(super) async fn follow(&self, db: &impl ConnectionTrait, user: &users::Model) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::Epoch, Expr::value(user.session_epoch))
            .filter(Column::Id.eq(self.id))
            .exec(db)
            .await?;
        Ok(())
    }

    /// Ends this session.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn end(&self, db: &impl ConnectionTrait) -> Result<()> {
        let now = clock::now(db).await?;
        Entity::update_many()
            .col_expr(Column::RevokedAt, Expr::value(now))
            .filter(Column::Id.eq(self.id))
            .filter(Column::RevokedAt.is_null())
            .exec(db)
            .await?;
        devices::forget(db, Column::Id.eq(self.id)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_customer_is_one_network() {
        let network = |ip: &str| Client { ip: ip.parse().unwrap(), user_agent: String::new() }.network();
        assert_eq!(network("203.0.113.9"), "203.0.113.9");
        assert_eq!(network("::ffff:203.0.113.9"), "203.0.113.9");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }
}
