//! F63: web twice, worker twice, on one database, one Redis and one store, with the sandbox as the outside world.

use super::fleet::{Process, Site};
use crate::support::free_port;
use crate::support::{Html, Person, eventually};

const EMAIL: &str = "nora@example.com";
const PASSWORD: &str = "four quiet otters swim";

/// The same person at another web process.
fn at(person: &Person, process: &Process) -> Person {
    let same = Person::new(&format!("http://localhost:{}", process.port));
    same.set_cookie(person.cookie());
    same
}

/// From the store, whichever way the page leads there.
async fn picture(person: &Person, page: &Html) -> Vec<u8> {
    let src = page.attribute(".cell img", "src").replace("/thumbnail", "");
    let answer = person.get(&src).await;
    let answer = if (300..400).contains(&answer.status) { person.get(answer.header("location")).await } else { answer };
    assert_eq!((answer.status, answer.header("content-type")), (200, "image/jpeg"), "{src}");
    answer.bytes.to_vec()
}

async fn registered(site: &Site, person: &Person) {
    let form = person.get("/register").await.html().form("form[action='/register']");
    let answer = person.submit(&form.fill("email", EMAIL).fill("password", PASSWORD)).await;
    assert_eq!(answer.status, 200, "{}", answer.html().text());
    let mail = eventually("the mail", || async { site.sandbox.mail().to(EMAIL).pop() }).await;
    let form = person.get(&mail.links()[0]).await.html().form("main form");
    let answer = person.submit(&form).await;
    assert_eq!(answer.status, 303, "{}", answer.html().text());
    assert!(person.cookie().is_some(), "whoever proves the address is signed in");
}

async fn keys(site: &Site) {
    for key in ["sandbox-k1", "sandbox-k2"] {
        let mut task = site.nproxy(&["task", "key_add", "provider:gemini", &format!("label:{key}"), "secret_env:KEY"]);
        let added = crate::support::Finished::of(task.env("KEY", key)).await;
        assert_eq!(added.code, Some(0), "{}", added.said());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f63_people_register_and_make_pictures_while_processes_come_and_go() {
    let port = free_port();
    let site = Site::prepare(&format!("http://localhost:{port}")).await;
    let first = site.launch_on(port, &["start", "--server"]);
    site.lives(&first).await;
    let second = site.start(&["start", "--server"]).await;
    let one = site.start(&["start", "--worker"]).await;
    let other = site.start(&["start", "--worker"]).await;
    keys(&site).await;

    let nora = Person::new(&site.url);
    registered(&site, &nora).await;
    let page = nora.make("a lighthouse at dusk", &[]).await;
    let drawn = site.sandbox.gemini().calls().pop().unwrap().picture.unwrap();
    assert_eq!(picture(&nora, &page).await, drawn);
    // The other process knows the session, the conversation and the picture.
    let there = at(&nora, &second);
    assert_eq!(picture(&there, &page).await, drawn);
    if let Some(redis) = &site.redis {
        eventually("two processes in Sidekiq's list", || async {
            redis.ask("SCARD processes").await.contains("\r\n:2\r\n").then_some(())
        })
        .await;
        eventually("counted jobs", || async {
            redis.ask("EXISTS stat:processed").await.contains("\r\n:1\r\n").then_some(())
        })
        .await;
    }

    // One of each is killed; the rest goes on.
    first.kill().await;
    one.kill().await;
    let page = there.make("a harbour in fog", &[]).await;
    picture(&there, &page).await;
    let ready = there.get("/ready").await;
    assert_eq!(ready.status, 200, "{}", ready.body);

    // They come back, and the others go in good order.
    let first = site.launch_on(port, &["start", "--server"]);
    site.lives(&first).await;
    let one = site.start(&["start", "--worker"]).await;
    assert_eq!(second.stop().await, Some(0));
    assert_eq!(other.stop().await, Some(0));
    let page = nora.make("a boat", &[]).await;
    picture(&nora, &page).await;

    let books = site.task(&["ledger_check"]).await;
    assert_eq!(books.code, Some(0), "{}", books.said());
    assert_eq!(first.stop().await, Some(0));
    assert_eq!(one.stop().await, Some(0));
    site.close().await;
}
