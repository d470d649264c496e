//! A thread of prompts and pictures.

mod covers;
mod deletion;
mod forgetting;
mod list;

use loco_rs::Result;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    prelude::DateTimeUtc, sea_query::Expr,
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
pub use deletion::{UNDO, erase, own_even_deleted};
pub(super) use forgetting::forget;
pub use list::{Before, Found, Listed, Shelf, TURNS, list};

/// A title is the beginning of the first prompt, cut at a word.
const TITLE_CHARS: usize = 48;

/// The longest name that a person may give.
pub const NAME_MAX: usize = 80;

/// What became of a new name.
#[derive(Debug, PartialEq, Eq)]
pub enum Renaming {
    Renamed(String),
    Empty,
    TooLong,
}

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

/// One of the person's own; a stranger's is simply not found.
///
/// # Errors
/// The database does not answer.
pub async fn own(db: &impl ConnectionTrait, user: &users::Model, pid: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::UserId.eq(user.id))
        .filter(Column::Pid.eq(pid))
        .filter(Column::DeletedAt.is_null())
        .one(db)
        .await?)
}

/// `None` also when it was deleted.
///
/// # Errors
/// The database does not answer.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).filter(Column::DeletedAt.is_null()).one(db).await?)
}

impl Model {
    /// Something new stands in it: it comes to the top of the list, out of the archive too. `false` when it was deleted
    /// meanwhile.
    pub(super) async fn touch(&self, txn: &DatabaseTransaction) -> Result<bool> {
        let touched = Entity::update_many()
            .col_expr(Column::UpdatedAt, Expr::value(clock::now(txn).await?))
            .col_expr(Column::ArchivedAt, Expr::value(None::<DateTimeUtc>))
            .filter(Column::Id.eq(self.id))
            .filter(Column::DeletedAt.is_null())
            .exec(txn)
            .await?;
        Ok(touched.rows_affected == 1)
    }

    /// Gives it a name, on one line.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn rename(&self, db: &impl ConnectionTrait, name: &str) -> Result<Renaming> {
        let name = name.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let name = name.collect::<Vec<_>>().join(" ");
        if name.is_empty() {
            return Ok(Renaming::Empty);
        }
        if name.chars().count() > NAME_MAX {
            return Ok(Renaming::TooLong);
        }
        self.set(db, Column::Title, Expr::value(name.clone())).await?;
        Ok(Renaming::Renamed(name))
    }

    /// Out of sight, kept as it is.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn archive(&self, db: &impl ConnectionTrait) -> Result<()> {
        self.set(db, Column::ArchivedAt, Expr::value(clock::now(db).await?)).await
    }

    /// Back from the archive.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn retrieve(&self, db: &impl ConnectionTrait) -> Result<()> {
        self.set(db, Column::ArchivedAt, Expr::value(None::<DateTimeUtc>)).await
    }

    #[must_use]
    pub const fn is_archived(&self) -> bool {
        self.archived_at.is_some()
    }

    async fn set(
        &self,
        db: &impl ConnectionTrait,
        column: Column,
        value: sea_orm::sea_query::SimpleExpr,
    ) -> Result<()> {
        let own = Entity::update_many().filter(Column::Id.eq(self.id)).filter(Column::DeletedAt.is_null());
        own.col_expr(column, value).exec(db).await?;
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
