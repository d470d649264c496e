//! F45: an operator's Sidekiq tools at a server of ours. The genuine Sidekiq is the referee; what of its format there is
//! besides is looked through in `crates/durable-jobs/tests/redis`.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use super::fleet::Site;
use crate::support::{Finished, Person, eventually};

/// `None` where Ruby or Sidekiq is missing, which `REQUIRE_SIDEKIQ=1` makes a failure.
async fn has_sidekiq() -> Option<()> {
    let mut look = Command::new("ruby");
    look.args(["-e", "require 'sidekiq/web'; require 'rack'"]).stderr(Stdio::null());
    if look.status().await.is_ok_and(|it| it.success()) {
        return Some(());
    }
    assert!(std::env::var("REQUIRE_SIDEKIQ").is_err(), "ruby-sidekiq or ruby-rack is missing: bin/setup --for test");
    println!("not run: the genuine Sidekiq is missing");
    None
}

async fn sidekiq(redis: &str, arguments: &[&str]) -> Value {
    let mut ruby = Command::new("ruby");
    ruby.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/crates/durable-jobs/tests/redis/genuine.rb"));
    let answer = Finished::of(ruby.args(arguments).env("REDIS_URL", redis)).await;
    assert_eq!(answer.code, Some(0), "{}", answer.said());
    serde_json::from_str(&answer.out).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn f45_an_operators_sidekiq_sees_and_starts_our_jobs() {
    let site = Site::prepare("http://localhost:1").await;
    let (Some(redis), Some(())) = (&site.redis, has_sidekiq().await) else { return };
    let redis = redis.url();
    let server = site.start(&["start", "--server"]).await;
    let mut add = site.nproxy(&["task", "key_add", "provider:gemini", "label:k1", "secret_env:KEY"]);
    assert_eq!(Finished::of(add.env("KEY", "sandbox-k1")).await.code, Some(0));

    // Without a worker everything waits in its queue.
    let nora = Person::new(&format!("http://localhost:{}", server.port));
    let form = [("email", "nora@example.com"), ("password", "four quiet otters swim")];
    assert_eq!(nora.post("/register", &form).await.status, 200);
    let disable =
        |key: &str| json!([{ "task": "key_disable", "vars": { "key": key, "reason": "by Sidekiq" } }]).to_string();
    sidekiq(&redis, &["push", "RunTask", &disable("k1")]).await;
    sidekiq(&redis, &["push", "RunTask", &disable("nobody")]).await;
    let seen = sidekiq(&redis, &["look"]).await;
    let queues = seen["queues"].to_string();
    assert!(queues.contains("DeliverMail") && queues.matches("RunTask").count() == 2, "{seen}");

    let worker = site.start(&["start", "--worker"]).await;
    eventually("the mail", || async { site.sandbox.mail().to("nora@example.com").pop() }).await;
    eventually("the key to be disabled", || async {
        site.task(&["key_list"]).await.out.contains("disabled").then_some(())
    })
    .await;
    let seen = eventually("the task that fails among the retries", || async {
        let seen = sidekiq(&redis, &["look"]).await;
        (seen["retries"][0][0] == "RunTask").then_some(seen)
    })
    .await;
    assert!(seen["retries"][0][1].as_str().unwrap().contains("nobody"), "{seen}");
    assert_eq!(seen["processes"].as_array().unwrap().len(), 1, "{seen}");
    let pages = sidekiq(&redis, &["pages"]).await;
    for (path, word) in [("/retries", "RunTask"), ("/busy", "64")] {
        assert_eq!(pages[path]["status"], 200);
        assert!(pages[path]["body"].as_str().unwrap().contains(word), "{path}: {}", pages[path]["body"]);
    }
    assert_eq!(worker.stop().await, Some(0));
    assert_eq!(server.stop().await, Some(0));
    site.close().await;
}
