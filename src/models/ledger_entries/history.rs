//! What moved what a person may spend, newest first. The index of entries begins with the allowance, and a person has few
//! of those, about one a month: each is asked for its next page. Asked for all at once, the database would walk the whole
//! ledger or sort everything that a person ever did.

use std::cmp::Reverse;

use loco_rs::Result;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Column, Entity, Model};
use crate::models::allowances::{self, Kind};

/// How many stand on a page.
const PAGE: usize = 50;

/// One movement.
#[derive(Debug)]
pub struct Line {
    pub entry: Model,
    /// Of what.
    pub kind: Kind,
    /// So much of this kind was free behind it, on all allowances together.
    pub left: i64,
}

/// A page of it.
#[derive(Debug)]
pub struct History {
    pub lines: Vec<Line>,
    /// Behind which entry the next page begins; `None` on the last.
    pub older: Option<i64>,
}

/// The person's own, those before an entry. What is set aside for a run counts at that moment; that its pictures are paid
/// with it later moves nothing.
///
/// # Errors
/// The database does not answer.
pub async fn history(db: &impl ConnectionTrait, user_id: i64, before: Option<i64>) -> Result<History> {
    let (mut moved, mut free) = (Vec::new(), [0_i64; 3]);
    for allowance in allowances::all_of(db, user_id).await? {
        let kind = allowance.kind();
        let latest = latest(db, allowance.id, before).await?;
        free[kind as usize] += latest.first().map_or(0, |entry| entry.available_after);
        moved.extend(latest.into_iter().map(|entry| (kind, entry)));
    }
    moved.sort_by_key(|(_, entry)| Reverse(entry.id));
    let is_more = moved.len() > PAGE;
    moved.truncate(PAGE);
    let older = moved.last().filter(|_| is_more).map(|(_, entry)| entry.id);
    let mut lines = Vec::new();
    for (kind, entry) in moved {
        let left = free[kind as usize];
        free[kind as usize] -= entry.available_delta;
        lines.push(Line { entry, kind, left });
    }
    Ok(History { lines, older })
}

/// One more than a page, which tells that there is another. What moves nothing was set aside before by what does, so no
/// more is passed over than is found.
async fn latest(db: &impl ConnectionTrait, allowance_id: i64, before: Option<i64>) -> Result<Vec<Model>> {
    let mut entries = Entity::find().filter(Column::AllowanceId.eq(allowance_id)).filter(Column::AvailableDelta.ne(0));
    if let Some(before) = before {
        entries = entries.filter(Column::Id.lt(before));
    }
    Ok(entries.order_by_desc(Column::Id).limit(PAGE as u64 + 1).all(db).await?)
}
