//! Keeps the store free of what nobody can reach: bytes whose commit was lost, pictures that were deleted, uploads that
//! nothing was ever made from. Any number of these may run at once; each change is a claim, and removing twice is nothing.

use std::{collections::HashSet, path::Path};

use chrono::TimeDelta;
use futures::{StreamExt, stream};
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::DateTimeUtc, sea_query::Expr,
};
use serde::Serialize;

use super::{
    super::{_entities::assets as asset_rows, assets, clock, exports, text},
    Column, Entity, State, size,
};

/// Longer than anything that is still on its way: puts, runs, clocks that differ.
const PATIENCE: TimeDelta = TimeDelta::hours(24);

/// Rows of one page, and pages of one sweep; the next sweep goes on.
const PAGE: u64 = 500;
const PAGES: usize = 20;

/// Requests to the store at once.
const AT_ONCE: usize = 8;

/// Where our keys lie. Whatever else a shared bucket holds is none of our business.
const FOLDERS: [&str; 3] = ["uploads", "outputs", "exports"];

/// What a sweep did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Uploads that nothing was made from, taken away.
    pub unused_uploads: u64,
    /// Archives whose time was over, or that nobody could pack, taken away.
    pub old_exports: u64,
    /// Keys whose commit never came, given up.
    pub abandoned: u64,
    /// Objects taken out of the store.
    pub removed: u64,
    /// Keys forgotten: they were removed long ago.
    pub forgotten: u64,
    /// Objects that no row knew, taken out of the store; only when asked for.
    pub strays: u64,
    /// Objects that the store did not let go; the next sweep tries again.
    pub failed: u64,
}

/// Scheduled, and safe to run by hand at any time. With `strays`, also objects that no row knows are removed: by hand
/// only, because to an application on a new or older database every picture in the store is one.
///
/// # Errors
/// The database does not answer; with `strays`, the store does not list.
pub async fn sweep(ctx: &AppContext, strays: bool) -> Result<Swept> {
    let old = clock::now(&ctx.db).await? - PATIENCE;
    let mut swept = Swept {
        unused_uploads: assets::forget_unused(ctx).await?,
        old_exports: exports::expire_due(ctx).await?,
        abandoned: abandon(ctx, old).await?,
        ..Swept::default()
    };
    for (state, counted) in [(State::Doomed, &mut swept.removed), (State::Gone, &mut swept.forgotten)] {
        let (done, failed) = clear(ctx, state, old).await?;
        *counted = done;
        swept.failed += failed;
    }
    size::count(&ctx.db).await?;
    if strays {
        for key in self::strays(ctx, old).await? {
            match ctx.storage.delete(Path::new(&key)).await {
                Ok(()) => swept.strays += 1,
                Err(error) => swept.failed += failed(&key, &error),
            }
        }
    }
    Ok(swept)
}

/// `pending → doomed` for what has waited too long: whoever wanted it is dead, and if not, its commit loses.
async fn abandon(ctx: &AppContext, old: DateTimeUtc) -> Result<u64> {
    let given_up = Entity::update_many()
        .col_expr(Column::State, Expr::value(text(State::Doomed)))
        .col_expr(Column::ChangedAt, Expr::value(clock::now(&ctx.db).await?))
        .filter(Column::State.eq(State::Pending))
        .filter(Column::ChangedAt.lte(old))
        .exec(&ctx.db)
        .await?;
    Ok(given_up.rows_affected)
}

/// Removes the bytes of every row in this state, page by page: doomed ones are gone then, and those gone for long are
/// forgotten. How many went, and how many the store did not let go.
async fn clear(ctx: &AppContext, state: State, old: DateTimeUtc) -> Result<(u64, u64)> {
    let (mut done, mut kept, mut after) = (0, 0, 0);
    for _ in 0..PAGES {
        let mut page = Entity::find().filter(Column::State.eq(state)).filter(Column::Id.gt(after));
        if state == State::Gone {
            page = page.filter(Column::ChangedAt.lte(old));
        }
        let page = page.order_by_asc(Column::Id).limit(PAGE).all(&ctx.db).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        let deletions = page.into_iter().map(|object| deleted(ctx.clone(), object.storage_key));
        let outcomes: Vec<_> = stream::iter(deletions).buffer_unordered(AT_ONCE).collect().await;
        for outcome in outcomes {
            match outcome {
                Some(key) if state == State::Gone => done += forget(ctx, &key).await?,
                Some(key) => done += super::change(&ctx.db, &[&key], &[state], State::Gone).await?,
                None => kept += 1,
            }
        }
    }
    Ok((done, kept))
}

async fn forget(ctx: &AppContext, key: &str) -> Result<u64> {
    let row = Entity::delete_many().filter(Column::StorageKey.eq(key)).filter(Column::State.eq(State::Gone));
    Ok(row.exec(&ctx.db).await?.rows_affected)
}

/// The key, when its bytes are gone.
async fn deleted(ctx: AppContext, key: String) -> Option<String> {
    match ctx.storage.delete(Path::new(&key)).await {
        Ok(()) => Some(key),
        Err(error) => {
            failed(&key, &error);
            None
        }
    }
}

fn failed(key: &str, error: &dyn std::fmt::Display) -> u64 {
    tracing::warn!(key, %error, "an object could not be removed; the next sweep tries again");
    1
}

/// Objects of ours that no row knows and that are older than this.
///
/// # Errors
/// The store does not list, or the database does not answer.
pub(super) async fn strays(ctx: &AppContext, old: DateTimeUtc) -> Result<Vec<String>> {
    let mut strays = Vec::new();
    for folder in FOLDERS {
        // Folder by folder: a list of everything at once would be as long as the store is large.
        for within in ctx.storage.list(Path::new(folder), false).await? {
            // Some stores list the folder itself as well.
            if within.path.trim_end_matches('/') == folder {
                continue;
            }
            let objects =
                if within.is_dir { ctx.storage.list(Path::new(&within.path), true).await? } else { vec![within] };
            let is_old = |at: Option<DateTimeUtc>| at.is_none_or(|at| at <= old);
            let objects = objects.into_iter().filter(|object| !object.is_dir && is_old(object.last_modified));
            let keys: Vec<String> = objects.map(|object| object.path).collect();
            for keys in keys.chunks(400) {
                let known = known(ctx, keys).await?;
                strays.extend(keys.iter().filter(|key| !known.contains(*key)).cloned());
            }
        }
    }
    Ok(strays)
}

/// Those of these keys that some row names.
async fn known(ctx: &AppContext, keys: &[String]) -> Result<HashSet<String>> {
    let objects = Entity::find().filter(Column::StorageKey.is_in(keys)).all(&ctx.db).await?;
    let mut known: HashSet<String> = objects.into_iter().map(|object| object.storage_key).collect();
    let named =
        Condition::any().add(asset_rows::Column::StorageKey.is_in(keys)).add(asset_rows::Column::ThumbKey.is_in(keys));
    for asset in asset_rows::Entity::find().filter(named).all(&ctx.db).await? {
        known.extend([asset.storage_key, asset.thumb_key]);
    }
    Ok(known)
}
