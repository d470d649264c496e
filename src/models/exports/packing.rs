//! An archive is packed by a job, part by part, a few at a time in one process.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr};
use serde_json::json;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Column, Entity, KEPT, Kind, Model, Part, State, about, archive::Archive, keys};
use crate::{
    context::Nproxy,
    models::{assets, begin, clock, generations, storage_objects, text, tokens::PlainToken, users},
    workers::{
        Durable,
        prepare_export::{Order, PrepareExport},
    },
};

/// A part is closed before it grows beyond this.
const PART_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Archives that one process packs at once, since each holds a part in memory.
const PACKERS_MAX: usize = 2;

/// Who finds no packer free comes again after this, after twice as long the next time, and so on up to the longest.
const PUT_OFF: Duration = Duration::from_secs(1);
const PUT_OFF_LONGEST: Duration = Duration::from_secs(30);

/// The file of the last part that names what could not be read.
pub const README: &str = "README.txt";

static PACKERS: Semaphore = Semaphore::const_new(PACKERS_MAX);

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
    let Some(user) = users::by_id(&ctx.db, export.user_id).await? else { return Ok(()) };
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

impl Model {
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
