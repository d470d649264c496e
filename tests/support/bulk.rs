//! People and runs by the hundred, written as SQL that both databases take.

use nproxy::models::users;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

/// Somebody activated, without anything.
pub async fn person(db: &impl ConnectionTrait, name: &str) -> users::Model {
    let pid = pid(db);
    let email = format!("{name}@example.com");
    db.execute_unprepared(&format!(
        "INSERT INTO users (pid, email, status, role, session_epoch, created_at, updated_at) \
         SELECT {pid}, '{email}', 'activated', 'user', 0, created_at, created_at FROM users ORDER BY id LIMIT 1"
    ))
    .await
    .unwrap();
    users::by_email(db, &email).await.unwrap().unwrap()
}

/// A picture that stands for all that this person's runs bring.
pub async fn asset(db: &impl ConnectionTrait, user_id: i64) -> i64 {
    let pid = pid(db);
    db.execute_unprepared(&format!(
        "INSERT INTO assets (pid, user_id, storage_key, thumb_key, mime, bytes, sha256, width, height, origin, favorite, \
         created_at) SELECT {pid}, id, 'bulk-' || id, 'thumb', 'image/png', 1, 'hash', 1, 1, 'output', false, created_at \
         FROM users WHERE id = {user_id}"
    ))
    .await
    .unwrap();
    ids(db, &format!("SELECT MAX(id) FROM assets WHERE user_id = {user_id}")).await[0]
}

/// So many runs of this person with so many places each, all over before they began; see [`begin`]. Once per person.
pub async fn runs(db: &impl ConnectionTrait, user_id: i64, count: usize, places: i64) -> Vec<i64> {
    let (pid, json) = (pid(db), if is_postgres(db) { "'{}'::json" } else { "'{}'" });
    for sql in [
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             INSERT INTO generations (pid, user_id, kind, mode, model, prompt, params, client_token, request_hash, state, \
             created_at) SELECT {pid}, u.id, 'image', 'text_to_image', 'nano_banana', 'a boat', {json}, 'bulk-' || n.i, \
             'hash', 'ready', u.created_at FROM n CROSS JOIN users u WHERE u.id = {user_id} ORDER BY n.i"
        ),
        format!(
            "INSERT INTO runs (pid, generation_id, number, state, inputs_snapshot, outputs_requested, \
             outputs_delivered, version, deadline_at, created_at, finished_at) SELECT {pid}, id, 1, 'failed', {json}, \
             {places}, 0, 0, created_at, created_at, created_at FROM generations WHERE user_id = {user_id} ORDER BY id"
        ),
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {places}) \
             INSERT INTO outputs (run_id, position, state) SELECT r.id, n.i, 'failed' FROM runs r \
             JOIN generations g ON g.id = r.generation_id CROSS JOIN n WHERE g.user_id = {user_id}"
        ),
    ] {
        db.execute_unprepared(&sql).await.unwrap();
    }
    let sql = "SELECT r.id FROM runs r JOIN generations g ON g.id = r.generation_id WHERE g.user_id =";
    ids(db, &format!("{sql} {user_id} ORDER BY r.id")).await
}

/// So many pictures that look like this one, in runs of four, for a person who has none but that.
pub async fn pictures(db: &impl ConnectionTrait, user_id: i64, like: i64, count: usize) {
    let pid = pid(db);
    for sql in [
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             INSERT INTO assets (pid, user_id, storage_key, thumb_key, mime, bytes, sha256, width, height, origin, \
             favorite, created_at) SELECT {pid}, a.user_id, 'bulk-' || n.i, a.thumb_key, a.mime, a.bytes, 'bulk-' || n.i, \
             a.width, a.height, 'output', false, a.created_at FROM n CROSS JOIN assets a WHERE a.id = {like} ORDER BY n.i"
        ),
        format!(
            "INSERT INTO generations (pid, user_id, conversation_id, kind, mode, model, prompt, params, client_token, \
             request_hash, state, created_at) SELECT {pid}, g.user_id, g.conversation_id, g.kind, g.mode, g.model, \
             'picture ' || a.id, g.params, 'bulk-' || a.id, 'hash', 'ready', g.created_at FROM assets a \
             CROSS JOIN (SELECT * FROM generations WHERE user_id = {user_id} ORDER BY id LIMIT 1) g \
             WHERE a.user_id = {user_id} AND a.id > {like} AND (a.id - {like}) % 4 = 1 ORDER BY a.id"
        ),
        format!(
            "INSERT INTO runs (pid, generation_id, number, state, inputs_snapshot, outputs_requested, outputs_delivered, \
             version, deadline_at, created_at, finished_at) SELECT {pid}, g.id, 1, 'succeeded', r.inputs_snapshot, 4, 4, 0, \
             r.deadline_at, r.created_at, r.finished_at FROM generations g CROSS JOIN (SELECT r.* FROM runs r \
             JOIN generations g ON g.id = r.generation_id WHERE g.user_id = {user_id} ORDER BY r.id LIMIT 1) r \
             WHERE g.user_id = {user_id} AND g.client_token LIKE 'bulk-%' ORDER BY g.id"
        ),
        format!(
            "INSERT INTO outputs (run_id, position, state, asset_id) SELECT r.id, (a.id - {like} - 1) % 4 + 1, 'done', a.id \
             FROM assets a JOIN generations g ON g.client_token = 'bulk-' || (a.id - (a.id - {like} - 1) % 4) \
             JOIN runs r ON r.generation_id = g.id WHERE a.user_id = {user_id} AND a.id > {like}"
        ),
    ] {
        db.execute_unprepared(&sql).await.unwrap();
    }
}

/// A run that waits for a worker, as `submit` leaves it.
pub async fn begin(db: &impl ConnectionTrait, run: i64, outputs: i64) {
    let sql = "UPDATE runs SET state = 'queued', finished_at = NULL, outputs_requested =";
    db.execute_unprepared(&format!("{sql} {outputs} WHERE id = {run}")).await.unwrap();
}

/// So many of its pictures have arrived, and the run is over; its hold is still to be settled.
pub async fn end(db: &impl ConnectionTrait, run: i64, delivered: i64, asset: i64) {
    let state = if delivered == 0 { "failed" } else { "succeeded" };
    if delivered > 0 {
        db.execute_unprepared(&format!(
            "UPDATE outputs SET state = 'done', asset_id = {asset} WHERE run_id = {run} AND position <= {delivered}"
        ))
        .await
        .unwrap();
    }
    db.execute_unprepared(&format!(
        "UPDATE runs SET state = '{state}', outputs_delivered = {delivered}, finished_at = created_at WHERE id = {run}"
    ))
    .await
    .unwrap();
}

/// The first column of every row.
pub async fn ids(db: &impl ConnectionTrait, sql: &str) -> Vec<i64> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

fn pid(db: &impl ConnectionTrait) -> &'static str {
    if is_postgres(db) { "gen_random_uuid()" } else { "randomblob(16)" }
}

fn is_postgres(db: &impl ConnectionTrait) -> bool {
    db.get_database_backend() == DbBackend::Postgres
}
