//! Proves the audit log: every row says what it said when it was written, none is missing, none came in between. Whoever
//! owns the database can write a whole chain anew; so the head is also told to the log each night, and an operator who
//! kept one can ask for it.

use loco_rs::Result;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;

use super::{Column, Entity, FIRST, Model};
use crate::models::{_entities::activity_heads, tokens::sha256};

/// Rows that are read at once.
const PAGE: u64 = 500;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The row to look at; 0 for the chain as a whole.
    pub id: i64,
    pub says: String,
}

/// What the chain is.
#[derive(Debug, Clone, Serialize)]
pub struct Proof {
    pub length: i64,
    /// The hash of the newest row; empty for an empty log.
    pub head: String,
    pub findings: Vec<Finding>,
}

/// Reads the whole log. `kept` is a head that somebody wrote down before: the chain must still go through it.
///
/// # Errors
/// The database does not answer.
pub async fn run(db: &impl ConnectionTrait, kept: Option<&str>) -> Result<Proof> {
    let mut walk = Walk { expected: sha256(FIRST), kept, ..Walk::default() };
    // Of the head first: what is written meanwhile only makes the chain longer.
    let head = activity_heads::Entity::find().one(db).await?;
    let mut after = 0;
    loop {
        let rows = Entity::find().filter(Column::Id.gt(after)).order_by_asc(Column::Id).limit(PAGE).all(db).await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        for row in rows {
            walk.pass(row, head.as_ref());
        }
    }
    Ok(walk.end(head.as_ref()))
}

#[derive(Default)]
struct Walk<'a> {
    expected: String,
    /// The row before, and what was expected of it.
    before: Option<(Model, String)>,
    length: i64,
    kept: Option<&'a str>,
    met_kept: bool,
    met_head: bool,
    findings: Vec<Finding>,
}

impl Walk<'_> {
    fn pass(&mut self, row: Model, head: Option<&activity_heads::Model>) {
        if row.expected_hash() != row.hash {
            self.find(row.id, "was altered: it does not say what it said when it was written");
        }
        if row.previous_hash != self.expected {
            match &self.before {
                // It goes on from where the row before it should have: that one stands in between.
                Some((before, expected)) if row.previous_hash == *expected => {
                    let id = before.id;
                    self.find(id, "was inserted: the chain goes past it");
                }
                Some((before, _)) => {
                    let says = format!(
                        "does not follow row {}: a row between them was removed, or that one altered",
                        before.id
                    );
                    self.find(row.id, &says);
                }
                None => self.find(row.id, "is not where the chain begins: rows before it were removed"),
            }
        }
        self.length += 1;
        self.met_kept |= self.kept == Some(row.hash.as_str());
        self.met_head |= head.is_some_and(|head| head.hash == row.hash && head.length == self.length);
        let expected = std::mem::replace(&mut self.expected, row.hash.clone());
        self.before = Some((row, expected));
    }

    fn end(mut self, head: Option<&activity_heads::Model>) -> Proof {
        match head {
            Some(head) if !self.met_head => {
                let says = format!(
                    "the log has {} rows; its head was written down as row number {}: rows were removed, inserted, or the \
                     end replaced",
                    self.length, head.length
                );
                self.find(0, &says);
            }
            None if self.length > 0 => self.find(0, "the head of the log is gone"),
            Some(_) | None => {}
        }
        if self.kept.is_some() && !self.met_kept {
            self.find(0, "the head that was kept is not in the log any more: it was written anew since");
        }
        let head = if self.length == 0 { String::new() } else { self.expected };
        Proof { length: self.length, head, findings: self.findings }
    }

    fn find(&mut self, id: i64, says: &str) {
        self.findings.push(Finding { id, says: says.to_owned() });
    }
}
