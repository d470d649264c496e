//! What the pool remembers of a key beyond its state: its ramp after a rest, its last strike, the models it may not use,
//! and the incidents of a whole provider. Balances get the unit that prices have: millionths of a dollar.

use sea_orm_migration::prelude::*;

use crate::columns::{
    add_column, at, at_null, big, big_null, check, drop_column, drop_table, id, index, partial, references,
    rename_column, table, text, text_null, unique,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

const KEYS: &str = "provider_keys";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("incidents")
                .col(id())
                .col(text("provider"))
                .col(text("class"))
                .col(big("failed_probes"))
                .col(at("probed_at"))
                .col(at("opened_at"))
                .col(at_null("closed_at"))
                .check(check("failed_probes >= 0"))
                .take(),
        )
        .await?;
        partial(m, "CREATE UNIQUE INDEX uq_incidents_open ON incidents (provider) WHERE closed_at IS NULL").await?;
        m.create_table(
            table("key_exclusions")
                .col(id())
                .col(big("provider_key_id"))
                .col(text("wire_model"))
                .col(at("until"))
                .col(at("created_at"))
                .foreign_key(&mut references("provider_key_id", KEYS))
                .take(),
        )
        .await?;
        unique(m, "key_exclusions", &["provider_key_id", "wire_model"]).await?;
        for column in [
            big_null("ramp"),
            at_null("struck_at"),
            text_null("struck_class"),
            at_null("succeeded_at"),
            big_null("incident_id"),
            text_null("balance_source"),
        ] {
            add_column(m, KEYS, column).await?;
        }
        rename_column(m, KEYS, "balance_minor", "balance_micros").await?;
        rename_column(m, "attempts", "cost_minor", "cost_micros").await?;
        // The round robin reads the first and the last turn; the window of an incident the newest success.
        index(m, KEYS, &["provider", "turn"]).await?;
        index(m, KEYS, &["provider", "succeeded_at"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for index in ["idx_provider_keys_provider_turn", "idx_provider_keys_provider_succeeded_at"] {
            m.drop_index(Index::drop().name(index).table(Alias::new(KEYS)).to_owned()).await?;
        }
        rename_column(m, "attempts", "cost_micros", "cost_minor").await?;
        rename_column(m, KEYS, "balance_micros", "balance_minor").await?;
        for column in ["balance_source", "incident_id", "succeeded_at", "struck_class", "struck_at", "ramp"] {
            drop_column(m, KEYS, column).await?;
        }
        drop_table(m, "key_exclusions").await?;
        drop_table(m, "incidents").await
    }
}
