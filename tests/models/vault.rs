//! Secrets at rest, seen from the database.

use crate::support::TestApp;

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
