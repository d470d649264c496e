//! What most polls want to know: is it still as my browser shows it? One question to the database, and no more rows than
//! that takes.

use loco_rs::Result;
use sea_orm::{ActiveEnum, ConnectionTrait, Statement, prelude::DateTimeUtc};
use uuid::Uuid;

use super::{AHEAD_MAX, LIVE, Model, State};
use crate::models::{clock, sessions::SEEN_EVERY, text, tokens::PlainToken, users::Status};

/// A run as far as its tag goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    pub version: i64,
    pub state: State,
    pub created_at: DateTimeUtc,
    /// Runs of everybody that wait and came before this one, while it waits itself. Counted up to `AHEAD_MAX`.
    pub ahead: u64,
}

/// The run of whoever holds this session, as `sessions::resume` and `own` would find it together. A session for which more
/// is to be done, because it was not seen for a while or looks at somebody else's pages, is left to them. Its place in line
/// is looked for only while it has one, and no further than anybody is told.
const LOOK: &str = "SELECT r.version, r.state, r.created_at, CASE WHEN r.state = 'queued' THEN (SELECT COUNT(*) FROM \
                    (SELECT 1 FROM runs q WHERE q.state = 'queued' AND q.id < r.id LIMIT $6) ahead) ELSE 0 END \
                    FROM sessions s \
                    JOIN users u ON u.id = s.user_id \
                    JOIN runs r ON r.pid = $2 \
                    JOIN generations g ON g.id = r.generation_id AND g.user_id = u.id \
                    LEFT JOIN conversations c ON c.id = g.conversation_id \
                    WHERE s.token_hash = $1 AND s.revoked_at IS NULL AND s.expires_at > $3 AND s.last_seen_at > $4 \
                    AND s.viewed_id IS NULL AND s.epoch = u.session_epoch AND u.status = $5 AND c.deleted_at IS NULL";

/// `None` also when it takes more than a glance to say.
///
/// # Errors
/// The database does not answer.
pub async fn glance(db: &impl ConnectionTrait, token: &PlainToken, pid: Uuid) -> Result<Option<(Glance, DateTimeUtc)>> {
    let now = clock::now(db).await?;
    let values = [
        token.hashed().as_str().into(),
        pid.into(),
        now.into(),
        (now - SEEN_EVERY).into(),
        text(Status::Activated).into(),
        i64::from(AHEAD_MAX).into(),
    ];
    let look = Statement::from_sql_and_values(db.get_database_backend(), LOOK, values);
    let Some(row) = db.query_one_raw(look).await? else { return Ok(None) };
    let state: String = row.try_get_by_index(1)?;
    let ahead: i64 = row.try_get_by_index(3)?;
    let glance = Glance {
        version: row.try_get_by_index(0)?,
        state: State::try_from_value(&state)?,
        created_at: row.try_get_by_index(2)?,
        ahead: ahead.unsigned_abs(),
    };
    Ok(Some((glance, now)))
}

impl Glance {
    #[must_use]
    pub fn of(run: &Model, ahead: u64) -> Self {
        Self { version: run.version, state: run.state(), created_at: run.created_at, ahead }
    }

    #[must_use]
    pub fn is_final(&self) -> bool {
        !LIVE.contains(&self.state)
    }
}
