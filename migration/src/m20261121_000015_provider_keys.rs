//! The pool. `turn` is the place in the round robin, `epoch` moves with every change of state.

use sea_orm_migration::prelude::*;

use crate::columns::{
    at, at_null, big, big_null, check, drop_table, id, index, one_of, references, table, text, text_null, unique,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("provider_keys")
                .col(id())
                .col(text("provider"))
                .col(text("label"))
                .col(text("secret_enc"))
                .col(text("secret_hint"))
                .col(big_null("proxy_id"))
                .col(text("state"))
                .col(text_null("state_reason"))
                .col(big("epoch"))
                .col(at_null("cooldown_until"))
                .col(big("consecutive_failures"))
                .col(big("max_concurrency"))
                .col(big("turn"))
                .col(big_null("balance_minor"))
                .col(at_null("balance_checked_at"))
                .col(big("successes"))
                .col(big("failures"))
                .col(text_null("last_error"))
                .col(at_null("last_used_at"))
                .col(at("created_at"))
                .col(at("updated_at"))
                .check(one_of("state", &["active", "cooldown", "out_of_funds", "manual_review", "disabled"]))
                .check(check("(state = 'cooldown') = (cooldown_until IS NOT NULL)"))
                .check(check("max_concurrency > 0"))
                .check(check("consecutive_failures >= 0"))
                .foreign_key(&mut references("proxy_id", "proxies"))
                .take(),
        )
        .await?;
        unique(m, "provider_keys", &["provider", "label"]).await?;
        index(m, "provider_keys", &["provider", "state", "turn"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "provider_keys").await
    }
}
