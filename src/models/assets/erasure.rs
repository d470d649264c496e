//! Pictures whose person has left: a tombstone first, so that nobody reaches them, then the bytes.

use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, JoinType, QueryFilter, QuerySelect, RelationTrait,
    sea_query::Expr,
};

use super::{Column, Entity};
use crate::models::{
    _entities::{assets::Relation, users},
    clock,
};

/// Nothing of the person's is found from now on.
pub(in crate::models) async fn bury_all_of(txn: &DatabaseTransaction, user_id: i64) -> Result<()> {
    let now = clock::now(txn).await?;
    Entity::update_many()
        .col_expr(Column::DeletedAt, Expr::value(now))
        .col_expr(Column::ErasedAt, Expr::value(now))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::DeletedAt.is_null())
        .exec(txn)
        .await?;
    Ok(())
}

/// People who are gone, and of whom a file was kept after that.
pub(in crate::models) async fn left_behind(db: &impl ConnectionTrait) -> Result<Vec<i64>> {
    Ok(Entity::find()
        .select_only()
        .column(Column::UserId)
        .distinct()
        .join(JoinType::InnerJoin, Relation::Users.def())
        .filter(users::Column::DeletedAt.is_not_null())
        .filter(Column::DeletedAt.is_null())
        .into_tuple()
        .all(db)
        .await?)
}

/// Takes the bytes of this person's deleted files out of the store. Done twice it does nothing the second time.
///
/// # Errors
/// The store or the database does not answer; what is left is for the next try.
pub async fn erase_all_of(ctx: &AppContext, user_id: i64) -> Result<()> {
    let buried =
        Entity::find().filter(Column::UserId.eq(user_id)).filter(Column::DeletedAt.is_not_null()).all(&ctx.db).await?;
    let mut failed = None;
    for asset in buried {
        // One file that resists does not keep the others.
        if let Err(error) = asset.erase(ctx).await {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}
