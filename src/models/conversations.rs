//! A thread of prompts and pictures.

mod forgetting;

use loco_rs::Result;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, sea_query::Expr,
};
use uuid::Uuid;

use super::{
    _entities::{
        conversations::{ActiveModel, Column, Entity},
        users,
    },
    clock,
};

pub use super::_entities::conversations::Model;
pub(super) use forgetting::forget;

/// A title is the beginning of the first prompt, cut at a word.
const TITLE_CHARS: usize = 48;

/// How many stand in the sidebar.
const RECENT: u64 = 30;

/// # Errors
/// The database does not answer.
pub async fn open(txn: &DatabaseTransaction, user: &users::Model, first_prompt: &str) -> Result<Model> {
    let now = clock::now(txn).await?;
    Ok(ActiveModel {
        pid: Set(Uuid::now_v7()),
        user_id: Set(user.id),
        title: Set(title(first_prompt)),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    }
    .insert(txn)
    .await?)
}

/// The person's own, the last used first.
///
/// # Errors
/// The database does not answer.
pub async fn recent(db: &impl ConnectionTrait, user: &users::Model) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::UserId.eq(user.id))
        .filter(Column::ArchivedAt.is_null())
        .order_by_desc(Column::UpdatedAt)
        .limit(RECENT)
        .all(db)
        .await?)
}

/// One of the person's own; a stranger's is simply not found.
///
/// # Errors
/// The database does not answer.
pub async fn own(db: &impl ConnectionTrait, user: &users::Model, pid: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::Pid.eq(pid)).one(db).await?)
}

/// # Errors
/// The database does not answer.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

impl Model {
    pub(super) async fn touch(&self, txn: &DatabaseTransaction) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::UpdatedAt, Expr::value(clock::now(txn).await?))
            .filter(Column::Id.eq(self.id))
            .exec(txn)
            .await?;
        Ok(())
    }
}

fn title(prompt: &str) -> String {
    let words = prompt.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= TITLE_CHARS {
        return words;
    }
    let cut: String = words.chars().take(TITLE_CHARS).collect();
    let end = cut.rfind(' ').filter(|at| *at > 0).unwrap_or(cut.len());
    format!("{}…", &cut[..end])
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn a_title_is_cut_at_a_word() {
        assert_eq!(title("  a cat\n on a roof "), "a cat on a roof");
        assert_eq!(title(&"lighthouse ".repeat(8)), "lighthouse lighthouse lighthouse lighthouse…");
        assert_eq!(title(&"x".repeat(60)), format!("{}…", "x".repeat(48)));
    }
}
