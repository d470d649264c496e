//! The list, the last used first, in pages that an index answers: a page begins after a place in the order, never after
//! a number of rows.

use std::{collections::BTreeMap, fmt, str::FromStr};

use chrono::DateTime;
use loco_rs::Result;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::DateTimeUtc,
    sea_query::{Expr, Func, Query},
};
use uuid::Uuid;

use super::{Column, Entity, Model, covers::covers};
use crate::models::{
    _entities::{generations, users},
    assets::gallery::holds,
};

/// How many stand on a page of the list, and in the sidebar.
const PAGE: u64 = 30;

/// Turns that a conversation opens with; the earlier ones come in pages of the same size.
pub const TURNS: u64 = 20;

/// Where conversations stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    Current,
    Archived,
}

/// A place in the order; a page begins after it. Written `MICROSECONDS-PID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    updated_at: DateTimeUtc,
    pid: Uuid,
}

/// The newest turn that has the words in its prompt.
#[derive(Debug)]
pub struct Found {
    pub prompt: String,
    pub turn: Uuid,
    /// The turn before which a page of turns ends that has it; `None` when the conversation opens with it.
    pub before: Option<Uuid>,
}

/// A page of the list.
#[derive(Debug)]
pub struct Listed {
    pub conversations: Vec<Model>,
    /// The picture that stands for each, by the id of the conversation.
    pub covers: BTreeMap<i64, Uuid>,
    /// Where the words are, by the id of the conversation; nothing where only its title has them.
    pub found: BTreeMap<i64, Found>,
    /// Where the next page begins; `None` on the last.
    pub older: Option<Before>,
}

/// The person's own on this shelf; with `words`, those that have them in their title or in a prompt.
///
/// # Errors
/// The database does not answer.
pub async fn list(
    db: &impl ConnectionTrait,
    user: &users::Model,
    shelf: Shelf,
    words: &str,
    before: Option<Before>,
) -> Result<Listed> {
    let archived = match shelf {
        Shelf::Current => Column::ArchivedAt.is_null(),
        Shelf::Archived => Column::ArchivedAt.is_not_null(),
    };
    let mut query = Entity::find()
        .filter(Column::UserId.eq(user.id))
        .filter(Column::DeletedAt.is_null())
        .filter(archived)
        .order_by_desc(Column::UpdatedAt)
        .order_by_desc(Column::Pid)
        .limit(PAGE + 1);
    let words = words.trim();
    if !words.is_empty() {
        let asked = Query::select()
            .column(generations::Column::ConversationId)
            .from(generations::Entity)
            .and_where(generations::Column::UserId.eq(user.id))
            .and_where(Expr::expr(Func::lower(Expr::col(generations::Column::Prompt))).like(holds(words)))
            .take();
        let titled = Expr::expr(Func::lower(Expr::col(Column::Title))).like(holds(words));
        query = query.filter(Condition::any().add(titled).add(Column::Id.in_subquery(asked)));
    }
    if let Some(Before { updated_at, pid }) = before {
        // The first condition is the range of the index, the second what is left out of its first moment.
        query = query
            .filter(Column::UpdatedAt.lte(updated_at))
            .filter(Condition::any().add(Column::UpdatedAt.lt(updated_at)).add(Column::Pid.lt(pid)));
    }
    let mut conversations = query.all(db).await?;
    let is_more = conversations.len() as u64 > PAGE;
    conversations.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
    let older =
        conversations.last().filter(|_| is_more).map(|last| Before { updated_at: last.updated_at, pid: last.pid });
    let ids: Vec<i64> = conversations.iter().map(|conversation| conversation.id).collect();
    let covers = covers(db, &ids).await?;
    let found = if words.is_empty() { BTreeMap::new() } else { find(db, words, ids).await? };
    Ok(Listed { conversations, covers, found, older })
}

async fn find(db: &impl ConnectionTrait, words: &str, conversations: Vec<i64>) -> Result<BTreeMap<i64, Found>> {
    let newest = Query::select()
        .expr(Func::max(Expr::col(generations::Column::Id)))
        .from(generations::Entity)
        .and_where(generations::Column::ConversationId.is_in(conversations))
        .and_where(Expr::expr(Func::lower(Expr::col(generations::Column::Prompt))).like(holds(words)))
        .group_by_col(generations::Column::ConversationId)
        .take();
    let behind = format!(
        "(SELECT behind.pid FROM generations behind WHERE behind.conversation_id = generations.conversation_id \
         AND behind.id > generations.id ORDER BY behind.id LIMIT 1 OFFSET {})",
        TURNS - 1
    );
    let found: Vec<(Option<i64>, String, Uuid, Option<Uuid>)> = generations::Entity::find()
        .select_only()
        .column(generations::Column::ConversationId)
        .column(generations::Column::Prompt)
        .column(generations::Column::Pid)
        .expr_as(Expr::cust(behind), "before")
        .filter(generations::Column::Id.in_subquery(newest))
        .into_tuple()
        .all(db)
        .await?;
    Ok(found.into_iter().filter_map(|(id, prompt, turn, before)| Some((id?, Found { prompt, turn, before }))).collect())
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.updated_at.timestamp_micros(), self.pid)
    }
}

/// What is no such place.
#[derive(Debug, PartialEq, Eq)]
pub struct Nowhere;

impl FromStr for Before {
    type Err = Nowhere;

    fn from_str(text: &str) -> std::result::Result<Self, Nowhere> {
        let (micros, pid) = text.split_once('-').ok_or(Nowhere)?;
        let updated_at = micros.parse().ok().and_then(DateTime::from_timestamp_micros).ok_or(Nowhere)?;
        Ok(Self { updated_at, pid: pid.parse().map_err(|_| Nowhere)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let place =
            Before { updated_at: DateTime::from_timestamp_micros(1_764_000_000_123_456).unwrap(), pid: Uuid::now_v7() };
        assert_eq!(place.to_string().parse(), Ok(place));
        for nowhere in ["", "-", "1", "1-2", "x-018f0000-0000-7000-8000-000000000000", "99999999999999999999-x"] {
            assert_eq!(nowhere.parse::<Before>(), Err(Nowhere), "{nowhere}");
        }
    }
}
