//! Archives that a person takes away: of pictures they chose, or of everything that is theirs. Ordered at once, packed by a
//! job, kept for some days. Large ones come in parts, so that packing needs little memory and a broken download is short.

mod about;
mod archive;

use std::{path::Path, time::Duration};

use bytes::Bytes;
use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext, storage::stream::BytesStream};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction,
    DeriveActiveEnum, EntityTrait, EnumIter, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::DateTimeUtc, sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use super::{
    _entities::{
        exports::{ActiveModel, Column, Entity},
        users,
    },
    allowances,
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

/// Archives of one person that may take room at once: those that wait to be packed, and those that are kept.
const LIVE_MAX: u64 = 3;

/// What nobody has packed after so long, nobody will: its job has tried for about a day.
const PACKED_WITHIN: TimeDelta = TimeDelta::days(2);

/// Archives that the page lists.
const LISTED: u64 = 20;

/// A part is closed before it grows beyond this.
const PART_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Archives that one process packs at once, since each holds a part in memory.
const PACKERS_MAX: usize = 2;

/// Who finds no packer free comes again after this, after twice as long the next time, and so on up to the longest.
const PUT_OFF: Duration = Duration::from_secs(1);
const PUT_OFF_LONGEST: Duration = Duration::from_secs(30);

/// Archives that one sweep lets go.
const EXPIRE_AT_ONCE: u64 = 200;

pub const MIME: &str = "application/zip";

/// The file of the last part that names what could not be read.
pub const README: &str = "README.txt";

static PACKERS: Semaphore = Semaphore::const_new(PACKERS_MAX);

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

/// The right to pack one archive in this process; `None` while others have all there are.
#[must_use]
pub fn packer() -> Option<SemaphorePermit<'static>> {
    PACKERS.try_acquire().ok()
}

/// What the job does. Done twice the second finds it ready; what a killed one has stored, the sweep removes.
///
/// # Errors
/// The store or the database does not answer; nothing is left of this attempt, and the job is tried again.
pub async fn prepare(ctx: &AppContext, order: &Order) -> Result<()> {
    // Deleted while it waited.
    let Some(export) = Entity::find_by_id(order.export).one(&ctx.db).await? else { return Ok(()) };
    let Some(user) = super::users::by_id(&ctx.db, export.user_id).await? else { return Ok(()) };
    if export.state() != State::Preparing {
        return Ok(());
    }
    let Some(_packer) = packer() else { return put_off(ctx, order).await };
    let mut parts = Vec::new();
    let packed = Box::pin(export.pack(ctx, &user, &mut parts)).await;
    let kept = match packed {
        Ok(true) => export.finish(ctx, &parts).await,
        not => not,
    };
    if !matches!(kept, Ok(true)) {
        export.take_back(ctx, &parts).await;
    }
    kept.map(drop)
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

    /// All of it into the store, part by part; `false` when nobody waits for it any more.
    async fn pack(&self, ctx: &AppContext, user: &users::Model, parts: &mut Vec<Part>) -> Result<bool> {
        let mut archive = Archive::default();
        let pictures = match self.kind() {
            Kind::Pictures => serde_json::from_value(self.pictures.clone()).map_err(Error::wrap)?,
            Kind::Everything => assets::all_of(&ctx.db, user).await?,
        };
        let mut named = about::Names::default();
        for chunk in pictures.chunks(100) {
            for asset in assets::by_ids(&ctx.db, chunk.to_vec()).await? {
                // Deleted since it was chosen: what is gone is gone here too.
                if asset.deleted_at.is_some() {
                    continue;
                }
                let prompt = generations::prompt_of(&ctx.db, asset.id).await?;
                let bytes = match read(ctx, &asset).await? {
                    Ok(bytes) => bytes,
                    // Deleted only now.
                    Err(_) if assets::by_id(&ctx.db, asset.id).await?.deleted_at.is_some() => continue,
                    Err(says) => {
                        tracing::error!(asset.id, says, "a picture is left out of an archive");
                        named.leave_out(&asset, prompt.as_deref());
                        continue;
                    }
                };
                if !archive.is_empty() && archive.len() + bytes.len() > PART_MAX_BYTES {
                    self.store(ctx, std::mem::take(&mut archive), parts).await?;
                    if !self.is_awaited(&ctx.db).await? {
                        return Ok(false);
                    }
                }
                archive.add(&named.of(&asset, prompt.as_deref()), &bytes, true)?;
            }
        }
        if self.kind() == Kind::Everything {
            archive.add("nproxy.json", about::everything(&ctx.db, user, &named).await?.as_bytes(), false)?;
        }
        if !named.left_out().is_empty() {
            archive.add(README, about::readme(&named).as_bytes(), false)?;
        }
        self.store(ctx, archive, parts).await?;
        if let Some(last) = parts.last_mut() {
            last.left_out = named.left_out().len() as u64;
        }
        Ok(true)
    }

    /// Bytes first, under a key that is known before: to the sweep, and to whoever takes it back.
    async fn store(&self, ctx: &AppContext, archive: Archive, parts: &mut Vec<Part>) -> Result<()> {
        let key = format!("exports/{}/{}.zip", self.pid, PlainToken::mint().expose());
        let pictures = archive.pictures();
        let bytes = archive.close()?;
        storage_objects::reserve(&ctx.db, &[(&key, bytes.len())]).await?;
        parts.push(Part { key: key.clone(), bytes: bytes.len() as u64, pictures, left_out: 0 });
        ctx.storage.upload(Path::new(&key), &bytes.into()).await?;
        Ok(())
    }

    async fn is_awaited(&self, db: &impl ConnectionTrait) -> Result<bool> {
        let awaited = Entity::find_by_id(self.id).filter(Column::State.eq(State::Preparing));
        Ok(awaited.count(db).await? == 1)
    }

    /// `preparing → ready`, together with the keys that it names; `false` when somebody was faster, or nobody waits for it.
    async fn finish(&self, ctx: &AppContext, parts: &[Part]) -> Result<bool> {
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
        if won.rows_affected == 0 {
            return Ok(false);
        }
        if !storage_objects::adopt(&txn, &keys(parts)).await? {
            return Err(Error::Message(format!("export {} took too long and was swept away", self.id)));
        }
        txn.commit().await?;
        Ok(true)
    }

    /// What an attempt has stored goes again when it came to nothing. What this misses, the sweep finds.
    async fn take_back(&self, ctx: &AppContext, parts: &[Part]) {
        if let Err(error) = storage_objects::give_up(ctx, &keys(parts)).await {
            tracing::warn!(export.id = self.id, %error, "parts that no archive names are left to the sweep");
        }
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

/// Whoever finds no packer free comes again, and until then takes neither memory nor a place among the workers.
async fn put_off(ctx: &AppContext, order: &Order) -> Result<()> {
    let wait = (PUT_OFF * (1_u32 << order.put_off.min(5))).min(PUT_OFF_LONGEST);
    let again = Order { export: order.export, put_off: order.put_off.saturating_add(1) };
    let job = PrepareExport::enqueue_in(&ctx.db, &again, wait).await?;
    ctx.parts().jobs().hint(&[job]).await;
    Ok(())
}

/// The bytes of a picture, or why no later attempt will have them either.
async fn read(ctx: &AppContext, asset: &assets::Model) -> Result<std::result::Result<Bytes, &'static str>> {
    match asset.read(ctx).await {
        Ok(bytes) => Ok(Ok(bytes)),
        // Only a second look tells what is lost or damaged from a store that does not answer.
        Err(error) => storage_objects::check::wrong(ctx, asset, true).await?.map(Err).ok_or(error),
    }
}

fn keys(parts: &[Part]) -> Vec<&str> {
    parts.iter().map(|part| part.key.as_str()).collect()
}
