//! How an open invoice can be paid, kept beside it for our own page: to be asked for when something was paid, because
//! then another amount is due, and a Lightning invoice is a new one.

use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use serde_json::json;

use super::{Column, Entity, Method, Model, State};
use crate::{adapters::payments::Processor, context::Nproxy, models::text};

impl Model {
    /// As the processor told when it was last asked; empty where only its own page can say.
    #[must_use]
    pub fn methods(&self) -> Vec<Method> {
        self.methods.clone().and_then(|methods| serde_json::from_value(methods).ok()).unwrap_or_default()
    }

    /// Asks the processor anew, if something has happened since `self` was read or nothing is known yet. A processor that
    /// does not answer leaves things as they are: its own page is always there.
    pub(super) async fn follow_methods(&self, ctx: &AppContext, processor: &Processor) -> Result<()> {
        let now = self.again(&ctx.db).await?;
        let (true, Some(reference)) = (matches!(now.state(), State::New | State::Underpaid), &now.processor_ref) else {
            return Ok(());
        };
        if now.version == self.version && now.methods.is_some() {
            return Ok(());
        }
        let methods = match processor.methods(ctx.parts().till(), reference).await {
            Ok(methods) => json!(methods),
            Err(failure) => {
                tracing::warn!(invoice.id = self.id, processor = self.processor, %failure, "no ways to pay were told");
                return Ok(());
            }
        };
        if now.methods.as_ref() == Some(&methods) {
            return Ok(());
        }
        Entity::update_many()
            .col_expr(Column::Methods, Expr::value(methods))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .filter(Column::Id.eq(self.id))
            .filter(Column::State.eq(text(now.state())))
            .exec(&ctx.db)
            .await?;
        Ok(())
    }
}
