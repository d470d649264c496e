//! People, keys and a past, written as SQL that both databases take: the doors would take hours for a million runs.

use chrono::{DateTime, Utc};
use nproxy::{models::vault::Vault, settings::Settings};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::{Result, wire::Browser};

pub const SECRET_KEY: &str = "of the bench, and more than thirty-two bytes long";

/// Enough for every run of a measurement.
const TOKENS: i64 = 100_000_000;

/// What a picture costs, in tokens.
const PRICE: i64 = 100;

/// Runs of one person of the past.
const RUNS_EACH: i64 = 500;

/// Turns of one conversation of the past.
const TURNS_EACH: i64 = 10;

/// Runs that one statement writes.
const AT_ONCE: i64 = 50_000;

/// Tables with ids that we choose.
const NUMBERED: [&str; 10] = [
    "users",
    "allowances",
    "conversations",
    "generations",
    "runs",
    "outputs",
    "assets",
    "holds",
    "ledger_entries",
    "attempts",
];

/// Somebody with something to spend and a conversation.
#[derive(Debug, Clone)]
pub struct Person {
    pub browser: Browser,
    pub conversation: String,
}

/// The application's database, seen from outside.
pub struct Books {
    pub db: DatabaseConnection,
    now: DateTime<Utc>,
}

impl Books {
    pub async fn open(uri: &str) -> Result<Self> {
        Ok(Self { db: Database::connect(uri.to_owned()).await?, now: Utc::now() })
    }

    pub fn is_postgres(&self) -> bool {
        self.db.get_database_backend() == DbBackend::Postgres
    }

    fn json(&self) -> &'static str {
        if self.is_postgres() { "::json" } else { "" }
    }

    /// A statement in which `$1` is the moment at which all of it was written.
    pub async fn run(&self, sql: &str) -> Result<u64> {
        let values = if sql.contains("$1") { vec![self.now.into()] } else { Vec::new() };
        let statement = Statement::from_sql_and_values(self.db.get_database_backend(), sql, values);
        Ok(self.db.execute_raw(statement).await?.rows_affected())
    }

    /// One number.
    pub async fn number(&self, sql: &str) -> Result<i64> {
        let statement = Statement::from_string(self.db.get_database_backend(), sql.to_owned());
        Ok(self.db.query_one_raw(statement).await?.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0))
    }

    /// One text.
    pub async fn text(&self, sql: &str) -> Result<String> {
        let statement = Statement::from_string(self.db.get_database_backend(), sql.to_owned());
        Ok(self.db.query_one_raw(statement).await?.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default())
    }

    /// Two moments of every row, as milliseconds from the first to the second.
    pub async fn spans(&self, sql: &str) -> Result<Vec<f64>> {
        let statement = Statement::from_string(self.db.get_database_backend(), sql.to_owned());
        let mut spans = Vec::new();
        for row in self.db.query_all_raw(statement).await? {
            let (from, to): (DateTime<Utc>, DateTime<Utc>) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            #[allow(clippy::cast_precision_loss, reason = "microseconds of a run")]
            spans.push((to - from).num_microseconds().unwrap_or(0) as f64 / 1000.0);
        }
        Ok(spans)
    }

    async fn last(&self, table: &str) -> Result<i64> {
        self.number(&format!("SELECT COALESCE(MAX(id), 0) FROM {table}")).await
    }

    /// So many people, each signed in, with tokens and an empty conversation.
    pub async fn people(&self, count: i64) -> Result<Vec<Person>> {
        let (user, allowance) = (self.last("users").await?, self.last("allowances").await?);
        self.somebody(user, allowance, count, TOKENS, TOKENS).await?;
        let conversation = self.last("conversations").await?;
        self.run(&format!(
            "{} INSERT INTO conversations (id, pid, user_id, title, created_at, updated_at) \
             SELECT {conversation} + i, {}, {user} + i, 'A boat', $1, $1 FROM n",
            numbers(1, count),
            self.pid()
        ))
        .await?;
        self.follow_ids().await?;
        let mut people = Vec::new();
        for at in 1..=count {
            let token = self.sign_in(user + at).await?;
            let pid = self.pid_of("conversations", conversation + at).await?;
            let address = format!("10.{}.{}.{}", (user + at) / 62_500, (user + at) / 250 % 250, (user + at) % 250 + 1);
            people.push(Person { browser: Browser { token, address }, conversation: pid });
        }
        Ok(people)
    }

    /// People who have so many tokens left of what they were given; their ids follow one another.
    async fn somebody(&self, user: i64, allowance: i64, count: i64, given: i64, left: i64) -> Result<()> {
        let n = numbers(1, count);
        self.run(&format!(
            "{n} INSERT INTO users (id, pid, email, status, role, session_epoch, created_at, updated_at) \
             SELECT {user} + i, {}, 'bench' || ({user} + i) || '@example.com', 'activated', 'user', 0, $1, $1 FROM n",
            self.pid()
        ))
        .await?;
        self.run(&format!(
            "{n} INSERT INTO allowances (id, user_id, kind, granted, available, posted, starts_at, source, created_at) \
             SELECT {allowance} + i, {user} + i, 'tokens', {given}, {left}, {left}, $1, 'bench:' || ({allowance} + i), $1 FROM n"
        ))
        .await?;
        let entry = self.last("ledger_entries").await?;
        self.run(&format!(
            "{n} INSERT INTO ledger_entries (id, allowance_id, kind, available_delta, posted_delta, available_after, \
             posted_after, actor, reason, idempotency_key, created_at) SELECT {entry} + i, {allowance} + i, 'grant', {given}, \
             {given}, {given}, {given}, 'system:bench', 'for the bench', 'grant:bench:' || ({allowance} + i), $1 FROM n"
        ))
        .await?;
        Ok(())
    }

    async fn sign_in(&self, user: i64) -> Result<String> {
        let token = format!("bench-token-of-person-{user}-and-long-enough");
        let hash = hex(&Sha256::digest(token.as_bytes()));
        self.run(&format!(
            "INSERT INTO sessions (user_id, token_hash, epoch, ip, user_agent, created_at, last_seen_at, expires_at) \
             VALUES ({user}, '{hash}', 0, '10.0.0.1', 'bench', $1, $1, {})",
            self.later()
        ))
        .await?;
        Ok(token)
    }

    /// Keys of the pool that carry so many calls each; returns the id before the first.
    pub async fn keys(&self, count: i64, concurrency: i64) -> Result<i64> {
        let vault = vault()?;
        let last = self.last("provider_keys").await?;
        let mut rows = Vec::new();
        for id in last + 1..=last + count {
            let secret = SecretString::from(secret_of(id));
            let sealed = vault.seal(&format!("provider_keys|secret_enc|{id}"), &secret)?;
            rows.push(format!(
                "({id}, 'gemini', 'bench {id}', '{sealed}', '…', 'active', 0, 0, {concurrency}, {id}, 0, 0, $1, $1)"
            ));
        }
        for some in rows.chunks(500) {
            self.run(&format!(
                "INSERT INTO provider_keys (id, provider, label, secret_enc, secret_hint, state, epoch, \
                 consecutive_failures, max_concurrency, turn, successes, failures, created_at, updated_at) VALUES {}",
                some.join(", ")
            ))
            .await?;
        }
        Ok(last)
    }

    /// Runs of the past, each with all that a delivered picture leaves behind, of people who have 500 of them each.
    /// Returns the id before the first of these people.
    pub async fn past(&self, runs: i64) -> Result<i64> {
        let people = runs / RUNS_EACH;
        let mut last = [0; NUMBERED.len()];
        for (id, table) in last.iter_mut().zip(NUMBERED) {
            *id = self.last(table).await?;
        }
        let [u, w, c, g, r, o, a, h, l, t] = last;
        let given = RUNS_EACH * PRICE + TOKENS;
        self.somebody(u, w, people, given, TOKENS).await?;
        let l = l + people;
        let key = self.number("SELECT MIN(id) FROM provider_keys").await?;
        let (pid, json) = (self.pid(), self.json());
        self.run(&format!(
            "{} INSERT INTO conversations (id, pid, user_id, title, created_at, updated_at) \
             SELECT {c} + i, {pid}, {u} + 1 + (i - 1) / {}, 'A boat', $1, $1 FROM n",
            numbers(1, runs / TURNS_EACH),
            RUNS_EACH / TURNS_EACH
        ))
        .await?;
        let params = r#"{"resolution":"1k","aspect_ratio":"1:1","batch_size":1,"strength":null}"#;
        let mut from = 1;
        while from <= runs {
            let n = numbers(from, runs.min(from + AT_ONCE - 1));
            let person = format!("(i - 1) / {RUNS_EACH} + 1");
            let nth = format!("((i - 1) % {RUNS_EACH} + 1)");
            for sql in [
                format!(
                    "INSERT INTO generations (id, pid, user_id, conversation_id, kind, mode, model, prompt, params, \
                     client_token, request_hash, state, created_at) SELECT {g} + i, {pid}, {u} + {person}, \
                     {c} + 1 + (i - 1) / {TURNS_EACH}, 'image', 'text_to_image', 'nano_banana', 'a boat at dusk, ' || i, \
                     '{params}'{json}, 'bench-' || ({g} + i), 'hash', 'ready', $1 FROM n"
                ),
                format!(
                    "INSERT INTO runs (id, pid, generation_id, number, state, inputs_snapshot, outputs_requested, \
                     outputs_delivered, version, deadline_at, created_at, started_at, finished_at) SELECT {r} + i, {pid}, \
                     {g} + i, 1, 'succeeded', '{params}'{json}, 1, 1, 3, $1, $1, $1, $1 FROM n"
                ),
                format!(
                    "INSERT INTO assets (id, pid, user_id, storage_key, thumb_key, mime, bytes, sha256, width, height, \
                     origin, favorite, created_at) SELECT {a} + i, {pid}, {u} + {person}, 'bench/' || ({a} + i), \
                     'bench/' || ({a} + i) || '.thumb', 'image/jpeg', 1000, 'hash', 64, 64, 'output', false, $1 FROM n"
                ),
                format!(
                    "INSERT INTO outputs (id, run_id, position, state, asset_id, finished_at) \
                     SELECT {o} + i, {r} + i, 1, 'done', {a} + i, $1 FROM n"
                ),
                format!(
                    "INSERT INTO holds (id, allowance_id, run_id, amount, captured_amount, state, created_at, settled_at) \
                     SELECT {h} + i, {w} + {person}, {r} + i, {PRICE}, {PRICE}, 'captured', $1, $1 FROM n"
                ),
                format!("UPDATE runs SET hold_id = {h} + id - {r} WHERE id > {r} + {from} - 1 AND hold_id IS NULL"),
                format!(
                    "INSERT INTO ledger_entries (id, allowance_id, kind, available_delta, posted_delta, available_after, \
                     posted_after, hold_id, actor, reason, idempotency_key, created_at) SELECT {l} + 2 * i - 1, \
                     {w} + {person}, 'hold', -{PRICE}, 0, {given} - {PRICE} * {nth}, {given} - {PRICE} * ({nth} - 1), \
                     {h} + i, 'system:bench', 'run', 'hold:' || ({r} + i), $1 FROM n"
                ),
                format!(
                    "INSERT INTO ledger_entries (id, allowance_id, kind, available_delta, posted_delta, available_after, \
                     posted_after, hold_id, actor, reason, idempotency_key, created_at) SELECT {l} + 2 * i, {w} + {person}, \
                     'capture', 0, -{PRICE}, {given} - {PRICE} * {nth}, {given} - {PRICE} * {nth}, {h} + i, \
                     'system:bench', 'run', 'capture:' || ({r} + i), $1 FROM n"
                ),
                format!(
                    "INSERT INTO attempts (id, run_id, position, provider_key_id, epoch, via, outcome, maybe_billed, \
                     http_status, latency_ms, created_at, finished_at) SELECT {t} + i, {r} + i, 1, {key}, 0, 'direct', \
                     'delivered', false, 200, 1000, $1, $1 FROM n"
                ),
            ] {
                let sql = if sql.starts_with("INSERT") { format!("{n} {sql}") } else { sql };
                self.run(&sql).await?;
            }
            from += AT_ONCE;
        }
        self.follow_ids().await?;
        if self.is_postgres() {
            self.db.execute_unprepared("ANALYZE").await?; // the server does so by itself within a minute
        }
        Ok(u)
    }

    /// One more run of the generation of this one, with nothing done for it yet.
    pub async fn bare_run(&self, like: i64) -> Result<i64> {
        let id = self.last("runs").await? + 1;
        self.run(&format!(
            "INSERT INTO runs (id, pid, generation_id, number, state, inputs_snapshot, outputs_requested, outputs_delivered, \
             version, deadline_at, created_at) SELECT {id}, {}, generation_id, 2, 'queued', inputs_snapshot, 1, 0, 0, $1, $1 \
             FROM runs WHERE id = {like}",
            self.pid()
        ))
        .await?;
        self.run(&format!("INSERT INTO outputs (run_id, position, state) VALUES ({id}, 1, 'waiting')")).await?;
        Ok(id)
    }

    /// Signs in somebody of the past.
    pub async fn enter(&self, user: i64) -> Result<Person> {
        let token = self.sign_in(user).await?;
        let conversation = self.number(&format!("SELECT MIN(id) FROM conversations WHERE user_id = {user}")).await?;
        let conversation = self.pid_of("conversations", conversation).await?;
        Ok(Person { browser: Browser { token, address: "10.200.0.1".into() }, conversation })
    }

    /// The public id of a row.
    pub async fn pid_of(&self, table: &str, id: i64) -> Result<String> {
        if self.is_postgres() {
            return self.text(&format!("SELECT CAST(pid AS TEXT) FROM {table} WHERE id = {id}")).await;
        }
        let hex = self.text(&format!("SELECT lower(hex(pid)) FROM {table} WHERE id = {id}")).await?;
        Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
    }

    /// The sequences go on behind the ids that we chose.
    async fn follow_ids(&self) -> Result<()> {
        if !self.is_postgres() {
            return Ok(());
        }
        for table in NUMBERED {
            let set = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'id'), GREATEST((SELECT MAX(id) FROM {table}), 1))"
            );
            self.db.execute_unprepared(&set).await?;
        }
        Ok(())
    }

    fn pid(&self) -> &'static str {
        if self.is_postgres() { "gen_random_uuid()" } else { "randomblob(16)" }
    }

    fn later(&self) -> String {
        let later = self.now + chrono::TimeDelta::days(30);
        format!("'{}'", later.format("%Y-%m-%dT%H:%M:%S%.6f+00:00"))
    }
}

/// The key's secret at the sandbox.
pub fn secret_of(id: i64) -> String {
    format!("sandbox-bench-key-{id}")
}

/// The application's own vault: a key that did not open would be passed over.
fn vault() -> Result<Vault> {
    let settings: Settings = serde_json::from_value(serde_json::json!({
        "app_url": "http://localhost", "secret_key": SECRET_KEY, "mailer_from": "bench@example.com",
        "catalogue": "config/catalogue.yaml",
        "storage": { "dir": "data", "s3_secret_access_key": "" },
        "images": {}, "sandbox": { "on": false, "port": 1, "smtp_port": 2 },
    }))?;
    Ok(Vault::new(&settings))
}

fn numbers(from: i64, to: i64) -> String {
    format!("WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to})")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
