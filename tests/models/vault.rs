//! Secrets at rest, seen from the database.

use nproxy::models::{tokens, vault::rotation};
use sea_orm::{ConnectionTrait, Statement};

use crate::support::{Finished, Setup, TestApp, is_postgres};

/// F51: the same secret sealed twice looks different, and each seal names the key it was made with.
#[tokio::test]
async fn equal_secrets_do_not_look_equal() {
    let app = TestApp::start().await;
    app.task("key_add", &[("provider", "gemini"), ("label", "a"), ("secret_file", &secret(&app))]).await.unwrap();
    app.task("key_add", &[("provider", "gemini"), ("label", "b"), ("secret_file", &secret(&app))]).await.unwrap();

    let (a, b) = (app.key("a").await.secret_enc, app.key("b").await.secret_enc);

    assert_ne!(a, b);
    let seals: Vec<_> = [&a, &b].iter().map(|seal| seal.rsplit_once('.').unwrap().0.to_owned()).collect();
    assert_eq!(seals[0], seals[1], "version and key id");
    assert!(seals[0].starts_with("v1."));
    app.finish().await;
}

fn secret(app: &TestApp) -> String {
    let path = app.folder.path().join("secret.txt");
    std::fs::write(&path, "sandbox-twice-the-same\n").unwrap();
    path.display().to_string()
}

const NEW: (&str, &str) = ("NPROXY_SECRET_KEY", "the next key, which is longer than thirty-two bytes");
const OLD: (&str, &str) = ("NPROXY_SECRET_KEY_PREVIOUS", "for development: this key seals nothing of worth");

/// Every sealed text comes under the new key, once, with its trace; until then the doctor says what is left, and both
/// keys open.
#[tokio::test]
async fn secrets_come_under_a_new_key() {
    let app = TestApp::start().await;
    app.task("key_add", &[("provider", "gemini"), ("label", "a"), ("secret_file", &secret(&app))]).await.unwrap();
    let proxy = app.folder.path().join("proxy.txt");
    std::fs::write(&proxy, "http://somebody:canary@127.0.0.1:1\n").unwrap();
    app.task("proxy_add", &[("label", "p"), ("url_file", &proxy.display().to_string())]).await.unwrap();
    app.sign_in_staff("cy").await;
    let with = async |arguments: &[&str], settings: &[(&str, &str)]| {
        let mut command = app.command();
        command.env("GEMINI_BASE_URL", app.sandbox.url()).envs(settings.iter().copied());
        Finished::of(command.args(arguments)).await
    };

    let wrong = with(&["task", "secrets_rotate"], &[NEW]).await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.said());
    assert!(wrong.said().contains("6 secrets do not open"), "{}", wrong.said());
    let both = with(&["task", "key_test", "key:a"], &[NEW, OLD]).await;
    assert_eq!(both.code, Some(0), "{}", both.said());
    let left = with(&["doctor"], &[NEW, OLD]).await;
    assert!(left.out.contains("is sealed under the key before"), "{}", left.out);

    let rotated = with(&["task", "secrets_rotate", "json:true"], &[NEW, OLD]).await;
    assert_eq!(rotated.code, Some(0), "{}", rotated.said());
    assert!(rotated.out.contains(r#""sealed":6"#), "{}", rotated.out);
    let again = with(&["task", "secrets_rotate", "json:true"], &[NEW, OLD]).await;
    assert!(again.out.contains(r#""sealed":0,"were_new":6"#), "{}", again.out);
    let traces = "SELECT COUNT(*) FROM activities WHERE activity_type = 'rotate_secrets' AND actor_type = 'cli'";
    assert_eq!(app.count(traces).await, 3, "one for each table");

    let alone = with(&["task", "key_test", "key:a"], &[NEW]).await;
    assert_eq!(alone.code, Some(0), "{}", alone.said());
    let done = with(&["doctor"], &[NEW]).await;
    assert!(done.out.contains("ok    pool/what_is_sealed_opens"), "{}", done.out);
    for said in [wrong, both, left, rotated, again, alone, done] {
        assert!(!said.said().contains("canary") && !said.said().contains("the next key"), "{}", said.said());
    }
    app.finish().await;
}

/// Nothing that is sealed is left out of a rotation: every column that is called so is in the list.
#[tokio::test]
async fn every_sealed_column_is_known() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let sql = if is_postgres() {
        "SELECT table_name || '|' || column_name FROM information_schema.columns \
         WHERE table_schema = current_schema() AND column_name LIKE '%\\_enc' ORDER BY 1"
    } else {
        "SELECT m.name || '|' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND c.name LIKE '%\\_enc' ESCAPE '\\' ORDER BY 1"
    };
    let rows = app.ctx.db.query_all_raw(Statement::from_string(app.ctx.db.get_database_backend(), sql)).await.unwrap();
    let columns: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    let known: Vec<_> = rotation::SEALED.iter().map(|(table, column)| format!("{table}|{column}")).collect();
    assert_eq!(columns, known, "src/models/vault/rotation.rs lists what is sealed, in this order");
    app.finish().await;
}

/// Links that went out before the key was changed work as long as the key before is known.
#[test]
fn a_link_opens_with_the_key_before() {
    let (pid, old, new) = (uuid::Uuid::now_v7(), [1; 32], [2; 32]);
    let token = tokens::seal(&old, pid);
    assert_eq!(tokens::unseal(&[new, old], &token), Some(pid));
    assert_eq!(tokens::unseal(&[new], &token), None);
}
