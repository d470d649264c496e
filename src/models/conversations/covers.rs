//! What stands for a conversation in a list: the first of its pictures that is there.

use std::collections::BTreeMap;

use loco_rs::Result;
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

/// Walks each conversation from its first turn, by the indexes of turns, runs and places, and stops at the first picture.
const FIRST: &str = "SELECT o.asset_id FROM generations g JOIN runs r ON r.generation_id = g.id \
                     JOIN outputs o ON o.run_id = r.id JOIN assets kept ON kept.id = o.asset_id \
                     WHERE g.conversation_id = c.id AND kept.deleted_at IS NULL \
                     ORDER BY g.id, r.number, o.position LIMIT 1";

/// The cover of each of these that has one: from the conversation to the picture.
pub(super) async fn covers(db: &impl ConnectionTrait, conversations: &[i64]) -> Result<BTreeMap<i64, Uuid>> {
    if conversations.is_empty() {
        return Ok(BTreeMap::new());
    }
    let marks: Vec<String> = (1..=conversations.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "SELECT c.id, cover.pid FROM conversations c JOIN assets cover ON cover.id = ({FIRST}) WHERE c.id IN ({})",
        marks.join(", ")
    );
    let values = conversations.iter().map(|id| (*id).into());
    let look = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let mut covers = BTreeMap::new();
    for row in db.query_all_raw(look).await? {
        covers.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    }
    Ok(covers)
}
