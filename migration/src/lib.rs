//! The database, one change per file. Every change works on `SQLite` and on `PostgreSQL` and is expand-then-contract:
//! the release before it keeps running on the new schema.

#![allow(
    elided_lifetimes_in_paths,
    reason = "the trait behind async_trait spells `SchemaManager` without its lifetime"
)]

pub use sea_orm_migration::prelude::*;

mod columns;
mod m20261121_000001_users;
mod m20261121_000002_links;
mod m20261121_000003_sessions;
mod m20261121_000004_activities;
mod m20261121_000005_jobs;
mod m20261121_000006_allowances;
mod m20261121_000007_assets;
mod m20261121_000008_conversations;
mod m20261121_000009_generations;
mod m20261121_000010_runs;
mod m20261121_000011_outputs;
mod m20261121_000012_holds;
mod m20261121_000013_ledger_entries;
mod m20261121_000014_proxies;
mod m20261121_000015_provider_keys;
mod m20261121_000016_key_leases;
mod m20261121_000017_attempts;
mod m20261121_000018_materials;
mod m20261124_000019_throttles;
mod m20261124_000020_auth_events;
mod m20261124_000021_own_account;
mod m20261124_000022_debts;
mod m20261124_000023_ends_of_allowances;
mod m20261124_000024_deleted_conversations;
mod m20261124_000025_erased_assets;
mod m20261124_000026_storage_objects;
mod m20261124_000027_chosen_uploads;
mod m20261124_000028_key_health;
mod m20261124_000029_proxy_health;
mod m20261124_000030_incidents;
mod m20261124_000031_key_exclusions;
mod m20261124_000032_invoices;
mod m20261124_000033_payment_events;
mod m20261124_000034_payment_event_keys;
mod m20261124_000038_ways_to_pay;
mod m20261124_000039_subscriptions;
mod m20261129_000040_notifications;
mod m20261129_000050_listed;
mod m20261129_000051_notes;
mod m20261129_000052_viewings;
mod m20261129_000060_owners;
mod m20261129_000061_second_factors;
mod m20261129_000062_switches;
mod m20261129_000063_activity_heads;
mod m20261129_000064_windows_of_time;
mod m20261129_000070_telegram_admins;
mod m20261129_000071_telegram_pairings;
mod m20261129_000072_telegram_updates;
mod m20261129_000073_telegram_confirmations;
mod m20261129_000074_alerts;
mod m20261129_000080_job_keys;
mod m20261129_000090_gallery;
mod m20261129_000091_shares;
mod m20261129_000092_exports;
mod m20261129_000093_pace;
mod m20261129_000100_backups;
mod m20261129_000101_object_sizes;
mod m20261129_000102_store_sizes;
mod m20261129_000110_months_of_people;
mod m20261130_000001_devices;
mod m20261130_000002_push_keys;
mod m20261130_000003_noticed_runs;
mod m20261130_000004_billed_to;

pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_users::Migration),
            Box::new(m20261121_000002_links::Migration),
            Box::new(m20261121_000003_sessions::Migration),
            Box::new(m20261121_000004_activities::Migration),
            Box::new(m20261121_000005_jobs::Migration),
            Box::new(m20261121_000006_allowances::Migration),
            Box::new(m20261121_000007_assets::Migration),
            Box::new(m20261121_000008_conversations::Migration),
            Box::new(m20261121_000009_generations::Migration),
            Box::new(m20261121_000010_runs::Migration),
            Box::new(m20261121_000011_outputs::Migration),
            Box::new(m20261121_000012_holds::Migration),
            Box::new(m20261121_000013_ledger_entries::Migration),
            Box::new(m20261121_000014_proxies::Migration),
            Box::new(m20261121_000015_provider_keys::Migration),
            Box::new(m20261121_000016_key_leases::Migration),
            Box::new(m20261121_000017_attempts::Migration),
            Box::new(m20261121_000018_materials::Migration),
            Box::new(m20261124_000019_throttles::Migration),
            Box::new(m20261124_000020_auth_events::Migration),
            Box::new(m20261124_000021_own_account::Migration),
            Box::new(m20261124_000022_debts::Migration),
            Box::new(m20261124_000023_ends_of_allowances::Migration),
            Box::new(m20261124_000024_deleted_conversations::Migration),
            Box::new(m20261124_000025_erased_assets::Migration),
            Box::new(m20261124_000026_storage_objects::Migration),
            Box::new(m20261124_000027_chosen_uploads::Migration),
            Box::new(m20261124_000028_key_health::Migration),
            Box::new(m20261124_000029_proxy_health::Migration),
            Box::new(m20261124_000030_incidents::Migration),
            Box::new(m20261124_000031_key_exclusions::Migration),
            Box::new(m20261124_000032_invoices::Migration),
            Box::new(m20261124_000033_payment_events::Migration),
            Box::new(m20261124_000034_payment_event_keys::Migration),
            Box::new(m20261124_000038_ways_to_pay::Migration),
            Box::new(m20261124_000039_subscriptions::Migration),
            Box::new(m20261129_000040_notifications::Migration),
            Box::new(m20261129_000050_listed::Migration),
            Box::new(m20261129_000051_notes::Migration),
            Box::new(m20261129_000052_viewings::Migration),
            Box::new(m20261129_000060_owners::Migration),
            Box::new(m20261129_000061_second_factors::Migration),
            Box::new(m20261129_000062_switches::Migration),
            Box::new(m20261129_000063_activity_heads::Migration),
            Box::new(m20261129_000064_windows_of_time::Migration),
            Box::new(m20261129_000070_telegram_admins::Migration),
            Box::new(m20261129_000071_telegram_pairings::Migration),
            Box::new(m20261129_000072_telegram_updates::Migration),
            Box::new(m20261129_000073_telegram_confirmations::Migration),
            Box::new(m20261129_000074_alerts::Migration),
            Box::new(m20261129_000080_job_keys::Migration),
            Box::new(m20261129_000090_gallery::Migration),
            Box::new(m20261129_000091_shares::Migration),
            Box::new(m20261129_000092_exports::Migration),
            Box::new(m20261129_000093_pace::Migration),
            Box::new(m20261129_000100_backups::Migration),
            Box::new(m20261129_000101_object_sizes::Migration),
            Box::new(m20261129_000102_store_sizes::Migration),
            Box::new(m20261129_000110_months_of_people::Migration),
            Box::new(m20261130_000001_devices::Migration),
            Box::new(m20261130_000002_push_keys::Migration),
            Box::new(m20261130_000003_noticed_runs::Migration),
            Box::new(m20261130_000004_billed_to::Migration),
            // migrations
        ]
    }
}
