//! Mails arrive, once, whatever the mail server does.

use chrono::Utc;
use nproxy::mailers::accounts::{Occasion, deliver};
use sandbox::SmtpFault;

use super::accounts::{NORA, PASSWORD, choose, forgot, link, press, register};
use crate::support::{Setup, TestApp, eventually};

/// F5: a mail server that does not answer for a while costs nobody the mail: what it did not take is not counted.
#[tokio::test]
async fn mails_that_were_not_taken_do_not_count() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    register(&app.visitor(), NORA, PASSWORD).await;
    let id = app.user("nora").await.id;

    app.sandbox.mail().fail(Some(SmtpFault::Refuse421));
    for _ in 0..6 {
        assert!(deliver(&app.ctx, id, Occasion::Activation).await.is_err());
    }
    app.sandbox.mail().fail(None);
    deliver(&app.ctx, id, Occasion::Activation).await.unwrap();

    let mails = app.sandbox.mail().to(NORA);
    assert_eq!(mails.len(), 1, "the mail came in the end");
    assert_eq!(press(&app.visitor(), &link(&mails[0])).await.status, 303);
    app.finish().await;
}

/// Until the mail that is under way has failed so often.
async fn failed(app: &TestApp, times: i64) {
    let waiting = "class = 'DeliverMail' AND state = 'queued'";
    eventually("the tries", || async {
        let enough = format!("SELECT COUNT(*) FROM jobs WHERE {waiting} AND attempts >= {times}");
        if app.count(&enough).await == 1 {
            return Some(());
        }
        app.set_time("jobs", "run_at", Utc::now(), waiting).await;
        None
    })
    .await;
}

/// The server answers again, and the next try need not wait.
async fn healed(app: &TestApp) {
    app.sandbox.mail().fail(None);
    app.set_time("jobs", "run_at", Utc::now(), "class = 'DeliverMail' AND state = 'queued'").await;
    app.idle().await;
}

/// X26: while the mail server refuses, the job waits and tries again; when it is back there is one mail, and its link
/// works.
#[tokio::test]
async fn a_mail_comes_once_when_the_server_is_back() {
    let app = TestApp::start().await;
    app.sandbox.mail().fail(Some(SmtpFault::Refuse421));
    let answer = register(&app.visitor(), NORA, PASSWORD).await;
    assert_eq!(answer.status, 200, "the page does not wait for the mail");
    failed(&app, 3).await;
    assert!(app.sandbox.mail().messages().is_empty());

    healed(&app).await;

    let mail = app.mail(NORA, 1).await;
    assert!(mail.message_id.ends_with("@localhost") && mail.message_id.len() > 32, "{}", mail.message_id);
    assert_eq!(press(&app.visitor(), &link(&mail)).await.status, 303);
    app.finish().await;
}

/// X26: a server that takes a mail and dies before it says so gets it again, under the same Message-ID, so that the
/// person's own server knows the two for one, and with the same link, so that it may keep either.
#[tokio::test]
async fn a_mail_sent_twice_is_one_mail() {
    let app = TestApp::start().await;
    app.sandbox.mail().fail(Some(SmtpFault::Unsaid));
    forgot(&app.visitor(), "ada@example.com").await;
    failed(&app, 2).await;

    healed(&app).await;

    let mails = app.sandbox.mail().to("ada@example.com");
    assert_eq!(mails.len(), 3);
    assert!(mails.iter().all(|again| again.message_id == mails[0].message_id), "one mail, whoever counts");
    assert!(mails.iter().all(|again| link(again) == link(&mails[0])), "whichever is kept");
    assert_eq!(choose(&app.visitor(), &link(&mails[0]), PASSWORD).await.status, 303);
    forgot(&app.visitor(), "ada@example.com").await;
    assert_ne!(app.mail("ada@example.com", 4).await.message_id, mails[0].message_id, "another mail is another");
    app.finish().await;
}

/// X26: the link of a mail that may have arrived works from the first try on, also after the server refused a later one; once
/// it has done its work, nothing more is sent.
#[tokio::test]
async fn a_link_that_may_have_arrived_works() {
    let app = TestApp::start().await;
    app.sandbox.mail().fail(Some(SmtpFault::Unsaid));
    forgot(&app.visitor(), "ada@example.com").await;
    failed(&app, 1).await;
    app.sandbox.mail().fail(Some(SmtpFault::Refuse421));
    failed(&app, 4).await;
    let mails = app.sandbox.mail().to("ada@example.com");

    assert_eq!(choose(&app.visitor(), &link(&mails[0]), PASSWORD).await.status, 303);

    healed(&app).await;
    assert_eq!(app.sandbox.mail().to("ada@example.com").len(), mails.len(), "nobody gets a link that is over");
    app.finish().await;
}
