//! Archives that a person takes away: of pictures they chose, or of everything that is theirs. Ordered at once, packed by a
//! job, kept for some days. Large ones come in parts, so that packing needs little memory and a broken download is short.

mod about;
mod archive;
mod packing;

use std::path::Path;

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext, storage::stream::BytesStream};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction,
    DeriveActiveEnum, EntityTrait, EnumIter, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::DateTimeUtc, sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    _entities::{
        exports::{ActiveModel, Column, Entity},
        users,
    },
    allowances,
    assets::gallery,
    begin, clock, storage_objects, text,
};
use crate::{
    adapters::storage::Download,
    context::Nproxy,
    workers::{
        Durable,
        prepare_export::{Order, PrepareExport},
    },
};

pub use super::_entities::exports::Model;
pub use packing::{README, packer, prepare};

/// How long an archive is kept.
pub const KEPT: TimeDelta = TimeDelta::days(7);

/// Pictures that can be chosen for one archive.
pub const CHOSEN_MAX: usize = 500;

/// Archives of one person that may take room at once: those that wait to be packed, and those that are kept.
const LIVE_MAX: u64 = 3;

/// What nobody has packed after so long, nobody will: its job has tried for about a day.
const PACKED_WITHIN: TimeDelta = TimeDelta::days(2);

/// Archives that the page lists.
const LISTED: u64 = 20;

/// Archives that one sweep lets go.
const EXPIRE_AT_ONCE: u64 = 200;

pub const MIME: &str = "application/zip";

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Kind {
    /// Pictures that were chosen.
    Pictures,
    /// All pictures, uploads, prompts and invoices, with a file that says what is what.
    Everything,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum State {
    Preparing,
    Ready,
    /// Its time is over, or nobody could pack it.
    Gone,
}

/// One file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub key: String,
    pub bytes: u64,
    pub pictures: u64,
    /// Pictures that could not be read.
    #[serde(default)]
    pub left_out: u64,
}

/// What became of the wish for an archive.
#[derive(Debug)]
pub enum Ordering {
    Ordered(Model),
    /// None of the pictures is there.
    Nothing,
    /// As many as may take room are there already.
    TooMany,
}

/// Of these pictures, as far as they are the person's own.
///
/// # Errors
/// The database does not answer.
pub async fn of_pictures(ctx: &AppContext, user: &users::Model, mut pids: Vec<Uuid>) -> Result<Ordering> {
    pids.truncate(CHOSEN_MAX);
    let chosen = gallery::own_of(&ctx.db, user, pids).await?;
    if chosen.is_empty() {
        return Ok(Ordering::Nothing);
    }
    order(ctx, user, Kind::Pictures, chosen).await
}

/// Of everything that is the person's.
///
/// # Errors
/// The database does not answer.
pub async fn of_everything(ctx: &AppContext, user: &users::Model) -> Result<Ordering> {
    order(ctx, user, Kind::Everything, Vec::new()).await
}

async fn order(ctx: &AppContext, user: &users::Model, kind: Kind, pictures: Vec<i64>) -> Result<Ordering> {
    let txn = begin(&ctx.db).await?;
    // Of two wishes at the same moment the second counts the first.
    allowances::one_at_a_time(&txn, user.id).await?;
    let live = Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::State.ne(State::Gone));
    if live.count(&txn).await? >= LIVE_MAX {
        return Ok(Ordering::TooMany);
    }
    let export = ActiveModel {
        pid: Set(Uuid::now_v7()),
        user_id: Set(user.id),
        kind: Set(text(kind)),
        state: Set(text(State::Preparing)),
        pictures: Set(json!(pictures)),
        parts: Set(json!([])),
        created_at: Set(clock::now(&txn).await?),
        ..Default::default()
    }
    .insert(&txn)
    .await?;
    let job = PrepareExport::enqueue(&txn, &Order { export: export.id, put_off: 0 }).await?;
    txn.commit().await?;
    ctx.parts().jobs().hint(&[job]).await;
    Ok(Ordering::Ordered(export))
}

/// The person's own, newest first.
///
/// # Errors
/// The database does not answer.
pub async fn list(db: &impl ConnectionTrait, user: &users::Model) -> Result<Vec<Model>> {
    let own = Entity::find().filter(Column::UserId.eq(user.id)).order_by_desc(Column::Id).limit(LISTED);
    Ok(own.all(db).await?)
}

/// One of the person's own; a stranger's is simply not found.
///
/// # Errors
/// The database does not answer.
pub async fn own(db: &impl ConnectionTrait, user: &users::Model, pid: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::Pid.eq(pid)).one(db).await?)
}

/// Scheduled with the sweep: archives whose time is over, or that nobody will finish.
///
/// # Errors
/// The database does not answer.
pub(super) async fn expire_due(ctx: &AppContext) -> Result<u64> {
    let now = clock::now(&ctx.db).await?;
    let mut expired = 0;
    for export in Entity::find().filter(is_due(now)).limit(EXPIRE_AT_ONCE).all(&ctx.db).await? {
        let txn = begin(&ctx.db).await?;
        expired += u64::from(export.end(&txn, is_due(now)).await?);
        txn.commit().await?;
    }
    Ok(expired)
}

/// Nobody is there any more to take them.
pub(super) async fn bury_all_of(txn: &DatabaseTransaction, user_id: i64) -> Result<()> {
    let is_live = || Condition::all().add(Column::State.ne(State::Gone));
    for export in Entity::find().filter(Column::UserId.eq(user_id)).filter(is_live()).all(txn).await? {
        export.end(txn, is_live()).await?;
    }
    Ok(())
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps exports.kind to these words")]
    pub fn kind(&self) -> Kind {
        Kind::try_from_value(&self.kind).expect("exports.kind")
    }

    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps exports.state to these words")]
    pub fn state(&self) -> State {
        State::try_from_value(&self.state).expect("exports.state")
    }

    /// How it stands at this moment: when its time is over, that waits for no job.
    #[must_use]
    pub fn stands(&self, now: DateTimeUtc) -> State {
        if self.expires_at.is_some_and(|end| end <= now) { State::Gone } else { self.state() }
    }

    /// # Errors
    /// The column was changed by hand.
    pub fn parts(&self) -> Result<Vec<Part>> {
        serde_json::from_value(self.parts.clone()).map_err(Error::wrap)
    }

    /// The bytes of one part as they come.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn stream(&self, ctx: &AppContext, part: &Part) -> Result<BytesStream> {
        Ok(ctx.storage.download_stream(Path::new(&part.key)).await?)
    }

    /// A link by which the browser fetches a part from the store itself; `None` when the store has no such links.
    ///
    /// # Errors
    /// The link cannot be signed.
    pub async fn download_link(&self, ctx: &AppContext, part: &Part, file_name: &str) -> Result<Option<String>> {
        ctx.parts().store().download_link(Path::new(&part.key), Download { file_name, mime: MIME }).await
    }

    /// Its person wants room for another. The bytes go before the row: when somebody goes away in between, what is left is
    /// an archive whose time is over, and its room is taken until the sweep has come by.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn delete(&self, ctx: &AppContext) -> Result<()> {
        let txn = begin(&ctx.db).await?;
        // Whoever is packing it sees that nobody waits any more, and takes back what is stored.
        let unpacked = Entity::delete_many().filter(Column::Id.eq(self.id)).filter(Column::State.eq(State::Preparing));
        if unpacked.exec(&txn).await?.rows_affected == 1 {
            txn.commit().await?;
            return Ok(());
        }
        Entity::update_many()
            .col_expr(Column::ExpiresAt, Expr::value(clock::now(&txn).await?))
            .filter(Column::Id.eq(self.id))
            .exec(&txn)
            .await?;
        let Some(export) = Entity::find_by_id(self.id).one(&txn).await? else { return Ok(()) };
        let parts = export.parts()?;
        storage_objects::doom(&txn, &keys(&parts)).await?;
        txn.commit().await?;
        if let Err(error) = storage_objects::remove(ctx, &keys(&parts)).await {
            tracing::warn!(export.id = self.id, %error, "a deleted archive is left to the sweep");
            return Ok(());
        }
        Entity::delete_many().filter(Column::Id.eq(self.id)).exec(&ctx.db).await?;
        Ok(())
    }

    /// `→ gone`, if it still is as it has to be for that; the sweep removes the bytes. `false` when it is not.
    async fn end(&self, txn: &DatabaseTransaction, when: Condition) -> Result<bool> {
        let ended = Entity::update_many()
            .col_expr(Column::State, Expr::value(text(State::Gone)))
            .filter(Column::Id.eq(self.id))
            .filter(when)
            .exec(txn)
            .await?;
        if ended.rows_affected == 0 {
            return Ok(false);
        }
        // As it is now: it may have been packed since it was looked at.
        if let Some(export) = Entity::find_by_id(self.id).one(txn).await? {
            storage_objects::doom(txn, &keys(&export.parts()?)).await?;
        }
        Ok(true)
    }
}

/// What the sweep lets go: its time is over, or nobody has packed it.
fn is_due(now: DateTimeUtc) -> Condition {
    let over = Condition::all().add(Column::State.eq(State::Ready)).add(Column::ExpiresAt.lte(now));
    let unpacked =
        Condition::all().add(Column::State.eq(State::Preparing)).add(Column::CreatedAt.lte(now - PACKED_WITHIN));
    Condition::any().add(over).add(unpacked)
}

fn keys(parts: &[Part]) -> Vec<&str> {
    parts.iter().map(|part| part.key.as_str()).collect()
}
