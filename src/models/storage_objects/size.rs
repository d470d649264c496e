//! How much lies in the store: counted by the sweep, so that no page has to.

use loco_rs::{Error, Result};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr,
    sea_query::OnConflict,
};

use super::{
    super::{
        _entities::store_sizes::{ActiveModel, Column as SizeColumn, Entity as Sizes},
        clock,
    },
    Column, Entity, State,
};

pub use super::super::_entities::store_sizes::Model;

/// The only row there is.
const ROW: i64 = 1;

/// Counts what is there for somebody, and writes it down.
pub(super) async fn count(db: &impl ConnectionTrait) -> Result<()> {
    let (objects, bytes): (i64, i64) = Entity::find()
        .filter(Column::State.eq(State::Live))
        .select_only()
        .expr_as(Expr::cust("COUNT(*)"), "objects")
        .expr_as(Expr::cust("CAST(COALESCE(SUM(bytes), 0) AS BIGINT)"), "total")
        .into_tuple()
        .one(db)
        .await?
        .ok_or(Error::NotFound)?;
    let row =
        ActiveModel { id: Set(ROW), objects: Set(objects), bytes: Set(bytes), counted_at: Set(clock::now(db).await?) };
    let instead = OnConflict::column(SizeColumn::Id)
        .update_columns([SizeColumn::Objects, SizeColumn::Bytes, SizeColumn::CountedAt])
        .to_owned();
    Sizes::insert(row).on_conflict(instead).exec_without_returning(db).await?;
    Ok(())
}

/// What was counted last; `None` before the first sweep.
///
/// # Errors
/// The database does not answer.
pub async fn last(db: &impl ConnectionTrait) -> Result<Option<Model>> {
    Ok(Sizes::find_by_id(ROW).one(db).await?)
}
