//! What lies in the object store, or may lie there. The row comes before the bytes, and goes after them: whatever dies in
//! between, something of ours knows the key. `pending → live → doomed → gone`, and then the row is taken away.

pub mod check;
pub mod size;
pub mod sweep;

use std::path::Path;

use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DeriveActiveEnum, EntityTrait, EnumIter, QueryFilter,
    sea_query::Expr,
};

use super::{
    _entities::storage_objects::{ActiveModel, Column, Entity},
    clock, text,
};

pub use super::_entities::storage_objects::Model;

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum State {
    /// Bytes are on their way, or were when somebody died.
    Pending,
    /// Bytes that an asset or an export names.
    Live,
    /// Bytes that nobody names any more.
    Doomed,
    /// Removed. A put that was given up may still arrive, so the key is remembered for a while and removed once more.
    Gone,
}

/// Before the bytes: from now on the keys are known, and how much will lie under them.
pub(super) async fn reserve(db: &impl ConnectionTrait, objects: &[(&str, usize)]) -> Result<()> {
    let now = clock::now(db).await?;
    let rows = objects.iter().map(|(key, bytes)| ActiveModel {
        storage_key: Set((*key).to_owned()),
        state: Set(text(State::Pending)),
        created_at: Set(now),
        changed_at: Set(now),
        bytes: Set(Some(i64::try_from(*bytes).unwrap_or(i64::MAX))),
        ..Default::default()
    });
    Entity::insert_many(rows).exec_without_returning(db).await?;
    Ok(())
}

/// `pending → live`, together with the row that names them; `false` when the sweep was faster.
pub(super) async fn adopt(db: &impl ConnectionTrait, keys: &[&str]) -> Result<bool> {
    Ok(change(db, keys, &[State::Pending], State::Live).await? == keys.len() as u64)
}

/// Nobody names these any more: their bytes go, at once by [`remove`] or later by the sweep.
pub(super) async fn doom(db: &impl ConnectionTrait, keys: &[&str]) -> Result<()> {
    change(db, keys, &[State::Pending, State::Live], State::Doomed).await?;
    Ok(())
}

/// Takes doomed bytes out of the store. What is not there any more counts as removed, so doing it twice is nothing.
pub(super) async fn remove(ctx: &AppContext, keys: &[&str]) -> Result<()> {
    for key in keys.iter().copied() {
        ctx.storage.delete(Path::new(key)).await?;
    }
    change(&ctx.db, keys, &[State::Doomed], State::Gone).await?;
    Ok(())
}

/// What was put and never adopted is wanted no more: its bytes go at once, and what the store does not let go now, by the
/// sweep. What was adopted stays: a commit may have come through although its answer was lost.
pub(super) async fn give_up(ctx: &AppContext, keys: &[&str]) -> Result<()> {
    change(&ctx.db, keys, &[State::Pending], State::Doomed).await?;
    let doomed = Entity::find()
        .filter(Column::StorageKey.is_in(keys.iter().copied()))
        .filter(Column::State.eq(State::Doomed))
        .all(&ctx.db)
        .await?;
    let doomed: Vec<&str> = doomed.iter().map(|object| object.storage_key.as_str()).collect();
    remove(ctx, &doomed).await
}

async fn change(db: &impl ConnectionTrait, keys: &[&str], from: &[State], to: State) -> Result<u64> {
    let changed = Entity::update_many()
        .col_expr(Column::State, Expr::value(text(to)))
        .col_expr(Column::ChangedAt, Expr::value(clock::now(db).await?))
        .filter(Column::StorageKey.is_in(keys.iter().copied()))
        .filter(Column::State.is_in(from.iter().copied()))
        .exec(db)
        .await?;
    Ok(changed.rows_affected)
}
