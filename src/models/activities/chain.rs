//! The audit log, read as a whole: a row that was altered, taken away or put in between breaks the chain of hashes.

use loco_rs::Result;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Column, Entity, first_hash};

const PAGE: u64 = 1000;

/// The rows at which the chain breaks, at most `limit`, with what is wrong there.
///
/// # Errors
/// The database does not answer.
pub(in crate::models) async fn breaks(db: &impl ConnectionTrait, limit: usize) -> Result<Vec<(i64, &'static str)>> {
    let (mut after, mut previous, mut broken) = (0, first_hash(), Vec::new());
    loop {
        let page = Entity::find().filter(Column::Id.gt(after)).order_by_asc(Column::Id).limit(PAGE).all(db).await?;
        let Some(last) = page.last() else { return Ok(broken) };
        after = last.id;
        for row in page {
            if row.previous_hash != previous {
                broken.push((row.id, "does not follow the row before: one was taken away, put in or changed"));
            }
            if row.hash != row.expected_hash() {
                broken.push((row.id, "is not what was written: its hash is another"));
            }
            if broken.len() >= limit {
                return Ok(broken);
            }
            previous = row.hash;
        }
    }
}
