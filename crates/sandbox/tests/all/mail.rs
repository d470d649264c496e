use std::time::Duration;

use sandbox::{Sandbox, SmtpFault};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
};

use crate::support::{client, start};

/// A session typed by hand.
struct Session(BufStream<TcpStream>);

impl Session {
    async fn open(sandbox: &Sandbox) -> Self {
        Self(BufStream::new(TcpStream::connect(sandbox.smtp_addr()).await.unwrap()))
    }

    /// One reply, all its lines.
    async fn hear(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await.unwrap() == 0 {
                return reply;
            }
            reply.push_str(&line);
            if line.as_bytes().get(3) == Some(&b' ') {
                return reply;
            }
        }
    }

    async fn say(&mut self, line: &str) -> String {
        self.0.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
        self.hear().await
    }
}

#[track_caller]
fn expect(reply: &str, code: &str) {
    assert!(reply.starts_with(code), "{reply:?} is not {code}");
}

const MESSAGE: &str = "From: nproxy <hello@nproxy.test>\r\nTo: Ann <ann@example.com>\r\n\
    Subject: =?utf-8?B?0J/RgNC40LLQtdGC?=\r\nMessage-ID: <one@nproxy.test>\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/alternative; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Transfer-Encoding: quoted-printable\r\n\r\n..Sign in: http://127.0.0.1:5150/links/a?x=3D1&y=3D2.\r\n\
    --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p><a href=\"http://127.0.0.1:5150/links/a?x=1&amp;y=2\">Sign \
    in</a> <a href='https://nproxy.test/help'>Help</a></p>\r\n--b--\r\n.";

#[tokio::test]
async fn a_mail_arrives_as_it_was_sent() {
    let sandbox = start().await;
    let mut s = Session::open(&sandbox).await;
    expect(&s.hear().await, "220");
    let hello = s.say("EHLO client").await;
    for extension in ["SIZE 10485760", "8BITMIME", "AUTH PLAIN LOGIN"] {
        assert!(hello.contains(extension), "{hello}");
    }
    expect(&s.say("AUTH PLAIN AHUAcA==").await, "235");
    expect(&s.say("AUTH PLAIN AAA=").await, "535");
    expect(&s.say("MAIL FROM:<hello@nproxy.test> SIZE=500 BODY=8BITMIME").await, "250");
    expect(&s.say("RCPT TO:<ann@example.com>").await, "250");
    expect(&s.say("RCPT TO:<Bob@Example.com>").await, "250");
    expect(&s.say("DATA").await, "354");
    expect(&s.say(MESSAGE).await, "250");
    expect(&s.say("QUIT").await, "221");

    let mail = sandbox.mail().wait_for("bob@example.com", Duration::from_secs(1)).await.unwrap();
    assert_eq!((mail.from.as_str(), mail.to.len()), ("hello@nproxy.test", 2));
    assert_eq!((mail.subject.as_str(), mail.message_id.as_str()), ("Привет", "one@nproxy.test"));
    assert!(mail.text.starts_with(".Sign in:"), "the doubled dot is one again: {}", mail.text);
    assert!(mail.html.contains("<p>"));
    assert_eq!(mail.links(), ["http://127.0.0.1:5150/links/a?x=1&y=2", "https://nproxy.test/help"]);
    assert_eq!(sandbox.mail().to("ann@example.com").len(), 1);
    assert!(sandbox.mail().to("eve@example.com").is_empty());

    let page = async |path: &str| client().get(format!("{}{path}", sandbox.url())).send().await.unwrap();
    assert!(page("/mail").await.text().await.unwrap().contains("Привет"));
    let shown = page("/mail/1").await.text().await.unwrap();
    assert!(shown.contains("<a href=\"http://127.0.0.1:5150/links/a?x=1&amp;y=2\""), "{shown}");
    let html = page("/mail/1/html").await;
    assert!(html.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
    assert_eq!(page("/mail/99").await.status(), 404);

    sandbox.mail().clear();
    assert!(sandbox.mail().messages().is_empty());
}

#[tokio::test]
async fn commands_out_of_order_are_refused() {
    let sandbox = start().await;
    let mut s = Session::open(&sandbox).await;
    s.hear().await;
    expect(&s.say("MAIL FROM:<a@b.c>").await, "503");
    expect(&s.say("HELO client").await, "250");
    expect(&s.say("RCPT TO:<a@b.c>").await, "503");
    expect(&s.say("DATA").await, "503");
    expect(&s.say("MAIL FROM").await, "501");
    expect(&s.say("MAIL FROM:<a@b.c> SIZE=99999999").await, "552");
    expect(&s.say("mail from: <a@b.c>").await, "250");
    expect(&s.say("MAIL FROM:<a@b.c>").await, "503");
    expect(&s.say("RSET").await, "250");
    expect(&s.say("MAIL FROM:<>").await, "250");
    expect(&s.say("RCPT TO:<>").await, "501");
    expect(&s.say("NOOP").await, "250");
    expect(&s.say("AUTH LOGIN").await, "334");
    expect(&s.say("dXNlcg==").await, "334");
    expect(&s.say("cGFzcw==").await, "235");
    expect(&s.say("STARTTLS").await, "454");
    expect(&s.say("HELP").await, "500");
}

#[tokio::test]
async fn the_mail_server_fails_as_told() {
    let sandbox = start().await;
    sandbox.mail().fail(Some(SmtpFault::Refuse421));
    expect(&Session::open(&sandbox).await.hear().await, "421");

    sandbox.mail().fail(Some(SmtpFault::Hang));
    let mut silent = Session::open(&sandbox).await;
    assert!(tokio::time::timeout(Duration::from_millis(200), silent.hear()).await.is_err());

    sandbox.mail().fail(Some(SmtpFault::Reject550));
    let mut s = Session::open(&sandbox).await;
    s.hear().await;
    s.say("EHLO client").await;
    s.say("MAIL FROM:<a@b.c>").await;
    expect(&s.say("RCPT TO:<a@b.c>").await, "550");

    for (fault, kept) in [(SmtpFault::Drop, 0), (SmtpFault::Unsaid, 1)] {
        sandbox.mail().fail(Some(fault));
        let mut s = Session::open(&sandbox).await;
        s.hear().await;
        s.say("EHLO client").await;
        s.say("MAIL FROM:<a@b.c>").await;
        s.say("RCPT TO:<a@b.c>").await;
        s.say("DATA").await;
        assert_eq!(s.say("Subject: x\r\n\r\nx\r\n.").await, "", "closed without a word");
        assert_eq!(sandbox.mail().messages().len(), kept, "{fault:?}");
    }

    sandbox.mail().fail(None);
    expect(&Session::open(&sandbox).await.hear().await, "220");
}
