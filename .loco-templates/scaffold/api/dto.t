to: "src/models/{{ snake_plural }}.rs"
skip_exists: true
message: "The noun `{{ pascal_singular }}` is there. What can be done is a verb in it, with `(actor, reason)` and one activity."
injections:
- into: "src/models/mod.rs"
  before: "pub mod users;"
  content: "pub mod {{ snake_plural }};"
---
//! {{ pascal_plural }}. Verbs come here: each takes who does it and why, and leaves one activity in its transaction.

use loco_rs::Result;
use sea_orm::{ConnectionTrait, EntityTrait};

use super::_entities::{{ snake_plural }}::Entity;

pub use super::_entities::{{ snake_plural }}::Model;

/// # Errors
/// The database does not answer.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}
