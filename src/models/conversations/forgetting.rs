//! What a person wrote goes with the person. The runs stay as lines of the books, without their words.

use loco_rs::Result;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect, QueryTrait, sea_query::Expr};
use serde_json::json;

use crate::models::_entities::{conversations, generations, runs};

pub(in crate::models) async fn forget(txn: &DatabaseTransaction, user_id: i64) -> Result<()> {
    let of_person = generations::Entity::find()
        .select_only()
        .column(generations::Column::Id)
        .filter(generations::Column::UserId.eq(user_id))
        .into_query();
    runs::Entity::update_many()
        .col_expr(runs::Column::InputsSnapshot, Expr::value(json!({})))
        .filter(runs::Column::GenerationId.in_subquery(of_person))
        .exec(txn)
        .await?;
    generations::Entity::update_many()
        .col_expr(generations::Column::ConversationId, Expr::value(None::<i64>))
        .col_expr(generations::Column::Prompt, Expr::value(""))
        .col_expr(generations::Column::RequestHash, Expr::value(""))
        .filter(generations::Column::UserId.eq(user_id))
        .exec(txn)
        .await?;
    conversations::Entity::delete_many().filter(conversations::Column::UserId.eq(user_id)).exec(txn).await?;
    Ok(())
}
