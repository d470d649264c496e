//! Archives that a person takes away: of pictures they chose, or of everything that is theirs. Ordered at once, packed by a
//! job, kept for some days. Large ones come in parts, so that packing needs little memory and a broken download is short.

mod about;
mod archive;

use std::path::Path;

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext, storage::stream::BytesStream};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    DeriveActiveEnum, EntityTrait, EnumIter, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    _entities::{
        exports::{ActiveModel, Column, Entity},
        users,
    },
    assets::{self, gallery},
    begin, clock, generations, storage_objects, text,
    tokens::PlainToken,
};
use crate::{
    adapters::storage::Download,
    context::Nproxy,
    workers::{
        Durable,
        prepare_export::{Order, PrepareExport},
    },
};
use archive::Archive;

pub use super::_entities::exports::Model;

/// How long an archive is kept.
pub const KEPT: TimeDelta = TimeDelta::days(7);

/// Pictures that can be chosen for one archive.
pub const CHOSEN_MAX: usize = 500;

/// Archives of one person that may be under way at once.
const PREPARING_MAX: u64 = 3;

/// Archives that the page lists.
const LISTED: u64 = 20;

/// A part is closed before it grows beyond this.
const PART_MAX_BYTES: usize = 64 * 1024 * 1024;

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
    /// Its time is over.
    Gone,
}

/// One file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub key: String,
    pub bytes: u64,
    pub pictures: u64,
}

/// What became of the wish for an archive.
#[derive(Debug)]
pub enum Ordering {
    Ordered(Model),
    /// None of the pictures is there.
    Nothing,
    /// Enough are under way.
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
    let under_way = Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::State.eq(State::Preparing));
    if under_way.count(&txn).await? >= PREPARING_MAX {
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
    let job = PrepareExport::enqueue(&txn, &Order { export: export.id }).await?;
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

/// What the job does. Done twice the second finds it ready; what a killed one has stored, the sweep removes.
///
/// # Errors
/// The store or the database does not answer; the job is tried again.
pub async fn prepare(ctx: &AppContext, id: i64) -> Result<()> {
    let export = Entity::find_by_id(id).one(&ctx.db).await?.ok_or(Error::NotFound)?;
    let Some(user) = super::users::by_id(&ctx.db, export.user_id).await? else { return Ok(()) };
    if export.state() != State::Preparing {
        return Ok(());
    }
    let mut archive = Archive::default();
    let pictures = match export.kind() {
        Kind::Pictures => serde_json::from_value(export.pictures.clone()).map_err(Error::wrap)?,
        Kind::Everything => assets::all_of(&ctx.db, &user).await?,
    };
    let mut named = about::Names::default();
    let mut parts = Vec::new();
    for chunk in pictures.chunks(100) {
        for asset in assets::by_ids(&ctx.db, chunk.to_vec()).await? {
            // Deleted since it was chosen: what is gone is gone here too.
            if asset.deleted_at.is_some() {
                continue;
            }
            let prompt = generations::prompt_of(&ctx.db, asset.id).await?;
            let bytes = asset.read(ctx).await?;
            if !archive.is_empty() && archive.len() + bytes.len() > PART_MAX_BYTES {
                parts.push(export.store(ctx, std::mem::take(&mut archive)).await?);
            }
            archive.add(&named.of(&asset, prompt.as_deref()), &bytes, true)?;
        }
    }
    if export.kind() == Kind::Everything {
        archive.add("nproxy.json", about::everything(&ctx.db, &user, &named).await?.as_bytes(), false)?;
    }
    parts.push(export.store(ctx, archive).await?);
    export.finish(ctx, &parts).await
}

/// Scheduled with the sweep: archives whose time is over, or that nobody will finish.
///
/// # Errors
/// The database does not answer.
pub(super) async fn expire_due(ctx: &AppContext) -> Result<u64> {
    let now = clock::now(&ctx.db).await?;
    let due = Entity::find()
        .filter(Column::State.eq(State::Ready))
        .filter(Column::ExpiresAt.lte(now))
        .limit(EXPIRE_AT_ONCE)
        .all(&ctx.db)
        .await?;
    let mut expired = 0;
    for export in due {
        let txn = begin(&ctx.db).await?;
        expired += u64::from(export.end(&txn).await?);
        txn.commit().await?;
    }
    Ok(expired)
}

/// Nobody is there any more to take them.
pub(super) async fn bury_all_of(txn: &DatabaseTransaction, user_id: i64) -> Result<()> {
    let all = Entity::find().filter(Column::UserId.eq(user_id)).filter(Column::State.ne(State::Gone));
    for export in all.all(txn).await? {
        export.end(txn).await?;
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

    /// Bytes first, under a key that is known before.
    async fn store(&self, ctx: &AppContext, archive: Archive) -> Result<Part> {
        let key = format!("exports/{}/{}.zip", self.pid, PlainToken::mint().expose());
        let pictures = archive.pictures();
        let bytes = archive.close()?;
        storage_objects::reserve(&ctx.db, &[(&key, bytes.len())]).await?;
        let part = Part { bytes: bytes.len() as u64, pictures, key };
        ctx.storage.upload(Path::new(&part.key), &bytes.into()).await?;
        Ok(part)
    }

    /// `preparing → ready`, together with the keys that it names.
    async fn finish(&self, ctx: &AppContext, parts: &[Part]) -> Result<()> {
        let txn = begin(&ctx.db).await?;
        let now = clock::now(&txn).await?;
        let won = Entity::update_many()
            .col_expr(Column::State, Expr::value(text(State::Ready)))
            .col_expr(Column::Parts, Expr::value(json!(parts)))
            .col_expr(Column::ReadyAt, Expr::value(now))
            .col_expr(Column::ExpiresAt, Expr::value(now + KEPT))
            .filter(Column::Id.eq(self.id))
            .filter(Column::State.eq(State::Preparing))
            .exec(&txn)
            .await?;
        let keys: Vec<&str> = parts.iter().map(|part| part.key.as_str()).collect();
        if won.rows_affected == 0 {
            storage_objects::doom(&txn, &keys).await?;
        } else if !storage_objects::adopt(&txn, &keys).await? {
            return Err(Error::Message(format!("export {} took too long and was swept away", self.id)));
        }
        txn.commit().await?;
        Ok(())
    }

    /// `→ gone`; the sweep removes the bytes. `false` when it was before.
    async fn end(&self, txn: &DatabaseTransaction) -> Result<bool> {
        let ended = Entity::update_many()
            .col_expr(Column::State, Expr::value(text(State::Gone)))
            .filter(Column::Id.eq(self.id))
            .filter(Column::State.ne(State::Gone))
            .exec(txn)
            .await?;
        let parts = self.parts()?;
        let keys: Vec<&str> = parts.iter().map(|part| part.key.as_str()).collect();
        if !keys.is_empty() {
            storage_objects::doom(txn, &keys).await?;
        }
        Ok(ended.rows_affected == 1)
    }
}
