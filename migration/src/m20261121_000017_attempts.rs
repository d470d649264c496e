//! Every call to a provider: written before it, closed after it. `outcome` open means nobody saw the end.

use sea_orm_migration::prelude::*;

use crate::columns::{
    at, at_null, big, big_null, check, col, drop_table, id, index, one_of, references, table, text, text_null, unique,
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
            table("attempts")
                .col(id())
                .col(big("run_id"))
                .col(big("position"))
                .col(big("provider_key_id"))
                .col(big("epoch"))
                .col(text("via"))
                .col(text("outcome"))
                .col(col("maybe_billed").boolean().not_null())
                .col(big_null("http_status"))
                .col(big_null("latency_ms"))
                .col(big_null("cost_minor"))
                .col(text_null("detail"))
                .col(at("created_at"))
                .col(at_null("finished_at"))
                .check(one_of("via", &["proxy", "direct"]))
                .check(check("(outcome = 'open') = (finished_at IS NULL)"))
                .foreign_key(&mut references("run_id", "runs"))
                .foreign_key(&mut references("provider_key_id", "provider_keys"))
                .take(),
        )
        .await?;
        unique(m, "attempts", &["run_id", "position", "provider_key_id", "via"]).await?;
        index(m, "attempts", &["provider_key_id", "id"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "attempts").await
    }
}
