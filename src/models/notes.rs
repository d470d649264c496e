//! What operators write down about somebody or something, for each other. Appended and never changed; a mistake is put
//! right by a further note.

use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::json;

use super::{
    _entities::notes::{ActiveModel, Column, Entity},
    activities::{self, Actor},
    begin, clock,
};

pub use super::_entities::notes::Model;

/// Longer ones are letters.
pub const TEXT_MAX: usize = 2_000;

/// Writes a note about `("user", 7)`, with the activity that says who did.
///
/// # Errors
/// The database does not answer.
pub async fn write(ctx: &AppContext, (kind, id): (&str, i64), text: &str, actor: &Actor) -> Result<Model> {
    let txn = begin(&ctx.db).await?;
    let note = ActiveModel {
        resource_type: Set(kind.to_owned()),
        resource_id: Set(id),
        text: Set(text.to_owned()),
        actor: Set(actor.name()),
        created_at: Set(clock::now(&txn).await?),
        ..Default::default()
    }
    .insert(&txn)
    .await?;
    activities::record(&txn, actor, "write_note", (kind, id), json!({ "note": note.id })).await?;
    txn.commit().await?;
    Ok(note)
}

/// The newest about one thing.
///
/// # Errors
/// The database does not answer.
pub async fn about(db: &impl ConnectionTrait, kind: &str, id: i64, count: u64) -> Result<Vec<Model>> {
    let notes = Entity::find().filter(Column::ResourceType.eq(kind)).filter(Column::ResourceId.eq(id));
    Ok(notes.order_by_desc(Column::Id).limit(count).all(db).await?)
}
