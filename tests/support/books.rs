//! What the database tells about money and calls, in lines that a test can show.

use nproxy::models::{attempts, provider_keys};
use sea_orm::{ConnectionTrait, Statement};

use super::TestApp;

impl TestApp {
    /// The ledger of a person, one line per allowance: `trial: grant 3 / hold -2 / capture -1 / release 1`.
    pub async fn story(&self, name: &str) -> String {
        let sql = format!(
            "SELECT a.id, a.kind AS allowance, e.kind, \
             CASE WHEN e.kind IN ('hold', 'release') THEN e.available_delta ELSE e.posted_delta END AS moved \
             FROM ledger_entries e JOIN allowances a ON a.id = e.allowance_id JOIN users u ON u.id = a.user_id \
             WHERE u.email = '{name}@example.com' ORDER BY a.id, e.id"
        );
        let statement = Statement::from_string(self.ctx.db.get_database_backend(), sql);
        let mut lines: Vec<(i64, String)> = Vec::new();
        for row in self.ctx.db.query_all_raw(statement).await.unwrap() {
            let id: i64 = row.try_get("", "id").unwrap();
            let kind: String = row.try_get("", "kind").unwrap();
            let moved: i64 = row.try_get("", "moved").unwrap();
            match lines.last_mut().filter(|(last, _)| *last == id) {
                Some((_, line)) => line.push_str(&format!(" / {kind} {moved}")),
                None => {
                    let allowance: String = row.try_get("", "allowance").unwrap();
                    lines.push((id, format!("{allowance}: {kind} {moved}")));
                }
            }
        }
        lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    }

    /// Which allowances paid, run by run.
    pub async fn payers(&self) -> String {
        let sql = "SELECT a.kind FROM holds h JOIN allowances a ON a.id = h.allowance_id ORDER BY h.run_id";
        self.texts(sql).await.join(" ")
    }

    /// The first column of every row.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        self.rows(sql).await.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }

    pub async fn newest_run(&self) -> i64 {
        self.count("SELECT MAX(id) FROM runs").await
    }

    /// The calls of the newest run in order: `k1 direct delivered`.
    pub async fn calls(&self) -> Vec<String> {
        let keys = provider_keys::list(&self.ctx.db).await.unwrap();
        let calls = attempts::of_run(&self.ctx.db, self.newest_run().await).await.unwrap();
        calls
            .into_iter()
            .map(|call| {
                let key = keys.iter().find(|key| key.id == call.provider_key_id).unwrap();
                format!("{} {} {}", key.label.trim_start_matches("sandbox-"), call.via, call.outcome)
            })
            .collect()
    }

    /// Every key of the pool: `k1 active`, `k2 cooldown 1` (failures in a row).
    pub async fn pool(&self) -> Vec<String> {
        let keys = provider_keys::list(&self.ctx.db).await.unwrap();
        keys.into_iter()
            .map(|key| {
                let label = key.label.trim_start_matches("sandbox-");
                match key.consecutive_failures {
                    0 => format!("{label} {}", key.state),
                    n => format!("{label} {} {n}", key.state),
                }
            })
            .collect()
    }
}
