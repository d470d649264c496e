//! F15: what is left of a month, and its limit, are nowhere. Somebody goes through everything that a person can reach, by
//! every link and form, as a browser, as htmx and as a program, and looks at every answer whole: text, source, headers.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Cursor, Read},
};

use loco_rs::app::Hooks;
use nproxy::{
    app::App,
    models::{
        activities::Actor,
        allowances,
        invoices::{self, links},
    },
};
use reqwest::Method;

use crate::support::{Answer, Html, Person, TestApp};

/// What is left, and of how much.
const NEEDLES: [&str; 2] = ["73", "97"];

/// More pages than a person with two conversations can have: the walk goes round in circles.
const TOO_MANY: usize = 600;

/// The number as a word of its own, wherever: `73`, `73/97`, `"left":73`, `73%`, `=97&`.
fn needle(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_alphanumeric()).find(|word| NEEDLES.contains(word))
}

fn assert_unseen(what: &str, answer: &Answer) {
    for (name, value) in &answer.headers {
        // How long an answer is says nothing.
        if name != "content-length" {
            assert_eq!(needle(value.to_str().unwrap()), None, "{what}: {name}: {value:?}");
        }
    }
    let text = text_of(answer);
    assert_eq!(needle(&text), None, "{what}: {text}");
}

/// The pixels of a picture are not text, nor are those in an archive.
fn text_of(answer: &Answer) -> String {
    match answer.header("content-type") {
        kind if kind.starts_with("image/") => String::new(),
        "application/zip" => {
            let mut archive = zip::ZipArchive::new(Cursor::new(&answer.bytes)).unwrap();
            let mut text = String::new();
            for n in 0..archive.len() {
                let mut file = archive.by_index(n).unwrap();
                text.push_str(file.name());
                if [".json", ".txt", ".html", ".csv"].iter().any(|end| file.name().ends_with(end)) {
                    file.read_to_string(&mut text).unwrap();
                }
            }
            assert!(text.contains(".json"), "an archive tells what is in it: {text}");
            text
        }
        _ => answer.body.clone(),
    }
}

/// Where a page leads: links, what htmx asks for, pictures, and forms, whose address is looked at too.
fn ways(page: &Html) -> Vec<String> {
    let attributes = [("[href]", "href"), ("[src]", "src"), ("[hx-get]", "hx-get"), ("form", "action")];
    let found = attributes.iter().flat_map(|(selector, name)| page.attributes(selector, name));
    let ours = found.filter(|way| way.starts_with('/') && !way.starts_with("//") && !way.starts_with("/static/"));
    ours.map(|way| way.split('#').next().unwrap().to_owned()).collect()
}

struct Walk<'a> {
    person: &'a Person,
    waiting: Vec<String>,
    seen: BTreeMap<String, u16>,
}

impl Walk<'_> {
    async fn go(&mut self) {
        while let Some(path) = self.waiting.pop() {
            if path == "/logout" || self.seen.contains_key(&path) {
                continue;
            }
            let page = self.person.get(&path).await;
            assert_unseen(&path, &page);
            let json = self.person.request(Method::GET, &path).header("accept", "application/json");
            assert_unseen(&format!("{path} as JSON"), &self.person.send(json).await);
            let part = self.person.request(Method::GET, &path).header("hx-request", "true");
            let part = self.person.send(part).await;
            assert_unseen(&format!("{path} as a fragment"), &part);
            self.seen.insert(path, page.status);
            assert!(self.seen.len() < TOO_MANY, "{:?}", self.seen);
            self.waiting.extend((page.status == 303).then(|| page.location()));
            for answer in [page, part] {
                if answer.header("content-type").starts_with("text/html") {
                    self.waiting.extend(ways(&answer.html()));
                }
            }
        }
    }
}

/// `/app/runs/{pid}` takes `/app/runs/0198…`.
fn takes(route: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap();
    let (route, path): (Vec<_>, Vec<_>) = (route.split('/').collect(), path.split('/').collect());
    route.len() == path.len() && route.iter().zip(&path).all(|(part, it)| part.starts_with('{') || part == it)
}

#[test]
fn a_number_is_found_wherever_it_stands() {
    for text in ["73 left", "left:73", "{\"left\":73,", "<b>97</b>", "width=\"73%\"", "73/97", "?n=97&", "97"] {
        assert!(needle(text).is_some(), "{text}");
    }
    for text in ["173", "9.99", "1973", "x73", "0173-97ab", "$9.99 a month"] {
        assert_eq!(needle(text), None, "{text}");
    }
    assert!(takes("/app/runs/{pid}", "/app/runs/1?x=2") && !takes("/app/runs/{pid}", "/app/runs/1/cancellation"));
}

/// F15: with 73 of 97 left, neither number is in anything that a person is sent: every page of the studio (a new one that
/// this walk does not come to fails it), every fragment, JSON, refusals, errors, the page of a signed link, mails.
#[tokio::test]
async fn exact_numbers_are_nowhere() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let given = [("email", "dee@example.com"), ("kind", "quota"), ("amount", "97")];
    app.task("grant", &given).await.unwrap();
    let dee = app.sign_in("dee").await;
    let conversation = dee.ask("a boat", &[]).await;
    dee.settled(&conversation).await;
    let archived = dee.ask("a harbour", &[]).await;
    dee.settled(&archived).await;
    dee.post(&format!("{archived}/archival"), &[]).await;
    let month = app.count("SELECT id FROM allowances WHERE granted = 97").await;
    allowances::adjust_by_hand(&app.ctx, month, -22, "for the test", &Actor::Cli).await.unwrap();
    let left = format!("SELECT available FROM allowances WHERE id = {month}");
    assert_eq!(app.count(&left).await, 73);
    // Waiting for payment, given up, paid; with a month that waits, so that it could begin early.
    let paid = app.bill(&dee, "btcpay").await;
    let before = dee.get(&paid).await;
    app.pay_with_lightning(&paid).await;
    invoices::apply(&app.ctx, app.invoice(&paid).await.id).await.unwrap();
    let link = links::link(&app.ctx, &app.invoice(&paid).await).unwrap().replace(&app.url, "");

    dee.post("/app/exports", &[("everything", "1")]).await;
    app.idle().await;

    let start = ["/", "/app", "/nowhere", "/app/nowhere", &link, &format!("{link}/qr"), "/pay/nothing"];
    let waiting = start.iter().map(|path| (*path).to_owned()).chain(ways(&before.html())).collect();
    let mut walk = Walk { person: &dee, waiting, seen: BTreeMap::new() };
    walk.go().await;
    // A run's fragment is asked for only while it is at work, under the name that its place on the page has.
    let page = dee.get(&conversation).await.html();
    let runs = page.attributes("[id^=run-]", "id").into_iter().map(|id| format!("/app/runs/{}", &id[4..]));
    walk.waiting.extend(runs);
    walk.go().await;

    let routes = App::routes(&app.ctx).collect();
    let ours: BTreeSet<_> = routes
        .into_iter()
        .filter(|route| route.actions.contains(&Method::GET))
        .map(|route| route.uri)
        .filter(|uri| uri.starts_with("/app") || uri.starts_with("/pay"))
        .collect();
    let is_open = |status: &u16| [200, 302, 303].contains(status);
    let (opened, others): (Vec<_>, Vec<_>) = walk.seen.iter().partition(|(_, status)| is_open(status));
    let missed: Vec<_> = ours.iter().filter(|route| !opened.iter().any(|(path, _)| takes(route, path))).collect();
    assert!(missed.is_empty(), "no link leads to {missed:?}; opened: {opened:?}; not opened: {others:?}");

    // What is refused says no more.
    let too_many = dee.try_ask("too much", &[("batch_size", "9")], None).await;
    let not_a_picture = dee.try_ask("a boat", &[("mode", "image_to_image")], Some(("a.png", "no".into()))).await;
    assert_eq!((too_many.status, not_a_picture.status), (422, 422));
    for (path, form) in [
        ("/app/billing/invoices", &[("processor", "btcpay")]),
        ("/app/billing/invoices", &[("processor", "piggybank")]),
        ("/app/billing/early-start", &[("waiting", "soon")]),
        ("/app/account/password", &[("password", "wrong")]),
        ("/app/nowhere", &[("a", "b")]),
    ] {
        let refused = dee.post(path, form).await;
        assert!(refused.status >= 400, "{path}");
        assert_unseen(path, &refused);
    }
    for answer in [before, too_many, not_a_picture] {
        assert_unseen("a refusal", &answer);
    }
    assert_eq!(app.count(&left).await, 73);
    app.idle().await;
    let mails = app.sandbox.mail().to("dee@example.com");
    assert!(!mails.is_empty());
    for mail in mails {
        assert_eq!(needle(&format!("{} {} {}", mail.text, mail.html, mail.subject)), None, "{mail:?}");
    }
    app.finish().await;
}
