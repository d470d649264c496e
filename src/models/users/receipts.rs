//! What receipts say beside the address: a name, a company, a number for taxes.

use loco_rs::Result;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr};

use super::{Column, Entity, Model};

/// Characters in all that a receipt has room for, and lines.
pub const BILLED_TO_MAX: usize = 500;
pub const BILLED_TO_LINES_MAX: usize = 10;

/// What became of what receipts shall say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billing {
    Kept,
    /// Nothing was changed.
    TooLong,
}

impl Model {
    /// All receipts say so from now on, also those of before. Nothing = the address alone.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn bill_to(&self, db: &impl ConnectionTrait, typed: &str) -> Result<Billing> {
        let lines = typed.lines().map(|line| line.replace(char::is_control, " ").trim().to_owned());
        let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
        let words = lines.join("\n");
        if lines.len() > BILLED_TO_LINES_MAX || words.chars().count() > BILLED_TO_MAX {
            return Ok(Billing::TooLong);
        }
        Entity::update_many()
            .col_expr(Column::BilledTo, Expr::value(Some(words).filter(|words| !words.is_empty())))
            .filter(Column::Id.eq(self.id))
            .filter(Column::DeletedAt.is_null())
            .exec(db)
            .await?;
        Ok(Billing::Kept)
    }
}
