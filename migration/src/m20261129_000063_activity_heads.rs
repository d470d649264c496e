//! Where the chain of activities ends and how long it is, so that rows taken off its end are missed too. One row, moved on
//! by a trigger in the transaction of each activity, also of those that an older release writes.

use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

use crate::columns::{big, check, drop_table, id, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("activity_heads")
                .col(id())
                .col(big("length"))
                .col(text("hash"))
                .check(check("id = 1"))
                .check(check("length >= 0"))
                .take(),
        )
        .await?;
        // An empty chain has no row here; its first activity makes it.
        m.get_connection()
            .execute_unprepared(
                "INSERT INTO activity_heads (id, length, hash) \
                 SELECT 1, (SELECT COUNT(*) FROM activities), hash FROM activities ORDER BY id DESC LIMIT 1",
            )
            .await?;
        keep(m).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let db = m.get_connection();
        if m.get_database_backend() == DatabaseBackend::Postgres {
            db.execute_unprepared("DROP FUNCTION activity_heads_follow() CASCADE").await?;
            drop_table(m, "activity_heads").await?;
            return db.execute_unprepared("DROP FUNCTION activity_heads_go_on()").await.map(|_| ());
        }
        db.execute_unprepared("DROP TRIGGER activity_heads_follow").await?;
        drop_table(m, "activity_heads").await
    }
}

/// The head moves on by itself with each activity, whoever writes it, by one and never back.
async fn keep(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = m.get_connection();
    let follow = "INSERT INTO activity_heads (id, length, hash) VALUES (1, 1, NEW.hash) \
                  ON CONFLICT (id) DO UPDATE SET length = activity_heads.length + 1, hash = excluded.hash";
    if m.get_database_backend() == DatabaseBackend::Postgres {
        db.execute_unprepared(&format!(
            "CREATE FUNCTION activity_heads_follow() RETURNS trigger LANGUAGE plpgsql AS $$ \
             BEGIN {follow}; RETURN NULL; END $$; \
             CREATE TRIGGER activity_heads_follow AFTER INSERT ON activities \
             FOR EACH ROW EXECUTE FUNCTION activity_heads_follow(); \
             CREATE FUNCTION activity_heads_go_on() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF TG_OP = 'UPDATE' AND NEW.length = OLD.length + 1 THEN RETURN NEW; END IF; \
             RAISE EXCEPTION 'the chain of activities only grows'; END $$; \
             CREATE TRIGGER activity_heads_go_on BEFORE UPDATE OR DELETE ON activity_heads \
             FOR EACH ROW EXECUTE FUNCTION activity_heads_go_on(); \
             CREATE TRIGGER activity_heads_no_truncate BEFORE TRUNCATE ON activity_heads \
             FOR EACH STATEMENT EXECUTE FUNCTION activity_heads_go_on();"
        ))
        .await?;
        return Ok(());
    }
    let refuse = "SELECT RAISE(ABORT, 'the chain of activities only grows')";
    for (name, event, act) in [
        ("follow", "AFTER INSERT ON activities", follow),
        ("go_on", "BEFORE UPDATE ON activity_heads WHEN NEW.length <> OLD.length + 1", refuse),
        ("stay", "BEFORE DELETE ON activity_heads", refuse),
    ] {
        db.execute_unprepared(&format!("CREATE TRIGGER activity_heads_{name} {event} BEGIN {act}; END")).await?;
    }
    Ok(())
}
