//! The till under everything at once: processes that are killed while webhooks pour in, doubled, out of order, forged,
//! lying and weeks late. `PAYMENT_INVOICES=1000` plays the long form, with ten deliveries for each.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{TimeDelta, Utc};
use futures::{StreamExt, future::join_all, stream};
use hmac::{Hmac, Mac};
use nproxy::models::invoices::{self, Opening};
use rand::{
    Rng, SeedableRng,
    rngs::StdRng,
    seq::{IndexedRandom, SliceRandom},
};
use sandbox::{
    Amount, Webhooks,
    btcpay::{self, STORE_ID, WEBHOOK_SECRET, Way},
    nowpayments::{self, IPN_SECRET},
};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};
use tokio::time::{Instant, sleep};

use crate::support::{PATIENCE, Process, Setup, TestApp, bulk, is_postgres};

const SEED: u64 = 20_261_129;
const INVOICES: usize = 100;
const DELIVERIES_EACH: usize = 10;
/// One kill for so many invoices.
const INVOICES_A_KILL: usize = 20;
/// Deliveries under way at once.
const HANDS: usize = 10;
/// Three weeks.
const LATER_SECS: i64 = 21 * 24 * 60 * 60;

/// It must show, F18 to F20, X29: as many months as invoices that were truly paid, each for its own, none more and none
/// less, whatever is delivered, however often and to whom; a forged delivery is 401, a genuine one is taken in in the end;
/// one receipt each; and three weeks later the same deliveries change nothing.
#[tokio::test(flavor = "multi_thread")]
async fn every_paid_invoice_is_one_month() {
    let count = std::env::var("PAYMENT_INVOICES").ok().and_then(|it| it.parse().ok()).unwrap_or(INVOICES);
    let app = TestApp::with(Setup { keys: vec![], jobs: false, ..Setup::default() }).await;
    app.sandbox.btcpay().courier().webhooks(Webhooks::Off);
    app.sandbox.nowpayments().courier().webhooks(Webhooks::Off);
    let began = Instant::now();
    let shop = Shop::open(&app, count).await;
    println!("{count} invoices after {:.1?}", began.elapsed());

    let post = Post::new(&shop, count * DELIVERIES_EACH);
    let (is_told, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let storm = async {
        let heirs = Storm::new(&app, &post, count.div_ceil(INVOICES_A_KILL)).rages(&is_told).await;
        is_over.store(true, Ordering::SeqCst);
        heirs
    };
    let deliveries = async {
        post.deliver_all().await;
        is_told.store(true, Ordering::SeqCst);
    };
    let poller = async {
        while !is_over.load(Ordering::SeqCst) {
            sleep(Duration::from_secs(3)).await;
            // A database that is busy for too long fails a pass, and the next one makes up for it.
            if let Err(error) = shop.poll().await {
                println!("a pass of the poller: {error}");
            }
        }
    };
    let (heirs, (), (), ()) = tokio::join!(storm, deliveries, poller, shop.people());
    println!("{} after {:.1?}", post.tally(), began.elapsed());

    shop.settles().await;
    shop.is_right("when it is quiet").await;
    for heir in heirs {
        heir.stop().await;
    }

    // Weeks later somebody sends it all again.
    let offset = LATER_SECS.to_string();
    let late = [("NPROXY_CLOCK_OFFSET", offset.as_str())];
    let heir = Process::all(&app, &[post.settings(), late.to_vec()].concat());
    heir.is_up().await;
    post.goes_to(std::slice::from_ref(&heir.url));
    post.again(count).await;
    app.idle().await;
    heir.stop().await;
    shop.is_right("three weeks later").await;
    println!("all over after {:.1?}", began.elapsed());
    let proof = app.nproxy(&["task", "ledger_check"]).await;
    assert_eq!(proof.code, Some(0), "{}", proof.said());
    app.finish().await;
}

/// What becomes of an invoice at its processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    AtOnce,
    /// Seen for a while, then confirmed.
    Slowly,
    InTwoParts,
    TooMuch,
    AfterTheEnd,
    /// Nothing came, and the shop's own operator called it settled at the processor's.
    Marked,
    /// From here on nothing is bought.
    Never,
    InPart,
    /// Seen, and taken back by the sender.
    Vanishes,
    NeverConfirmed,
    Expires,
    /// Paid in full, but the checkout asks for less than we do.
    Cheap,
    /// Paid in full, but in another currency than ours.
    OtherMoney,
    /// What we hold for its checkout belongs to somebody else's order, which was paid.
    OtherShop,
}

use Fate::{
    AfterTheEnd, AtOnce, Cheap, Expires, InPart, InTwoParts, Marked, Never, NeverConfirmed, OtherMoney, OtherShop,
    Slowly, TooMuch, Vanishes,
};

const AT_BTCPAY: [Fate; 14] = [
    AtOnce,
    Slowly,
    InTwoParts,
    TooMuch,
    AfterTheEnd,
    Marked,
    Never,
    InPart,
    Vanishes,
    NeverConfirmed,
    Expires,
    Cheap,
    OtherMoney,
    OtherShop,
];
const AT_NOWPAYMENTS: [Fate; 6] = [AtOnce, Slowly, TooMuch, Never, InPart, Cheap];

impl Fate {
    fn buys(self) -> bool {
        self < Never
    }
}

struct Bill {
    id: i64,
    order: String,
    processor: &'static str,
    reference: String,
    fate: Fate,
}

/// Everybody with an open invoice, and what they do with it.
struct Shop<'a> {
    app: &'a TestApp,
    bills: Vec<Bill>,
    /// A paid checkout of another order, at the same server.
    foreign: String,
}

impl<'a> Shop<'a> {
    async fn open(app: &'a TestApp, count: usize) -> Self {
        let foreign = foreign(app).await;
        let bills = stream::iter(0..count).map(|at| bill(app, at)).buffer_unordered(6).collect::<Vec<_>>().await;
        for bill in &bills {
            let change = match bill.fate {
                Cheap => "price_minor = price_minor * 2".to_owned(),
                OtherMoney => "currency = 'EUR'".to_owned(),
                OtherShop if is_taken(app, &foreign).await => "currency = 'EUR'".to_owned(),
                OtherShop => format!("processor_ref = '{foreign}'"),
                _ => continue,
            };
            app.sql(&format!("UPDATE invoices SET {change} WHERE id = {}", bill.id)).await;
        }
        Self { app, bills, foreign }
    }

    /// People do what they do, in two rounds, each in an order of its own.
    async fn people(&self) {
        let mut rng = StdRng::seed_from_u64(SEED + 1);
        for round in [Bill::begins, Bill::goes_on] {
            let mut order: Vec<_> = self.bills.iter().collect();
            order.shuffle(&mut rng);
            for bill in order {
                round(bill, self.app);
                sleep(Duration::from_millis(rng.random_range(5..25))).await;
            }
        }
    }

    /// Every open invoice is due now.
    async fn poll(&self) -> loco_rs::Result<()> {
        self.app.set_time("invoices", "next_poll_at", Utc::now(), "next_poll_at IS NOT NULL").await;
        invoices::poll(&self.app.ctx).await.map(drop)
    }

    /// All jobs are done, those that wait for their next try too, and everything was looked at once more.
    async fn settles(&self) {
        let end = Instant::now() + 2 * PATIENCE;
        while self.app.count("SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running')").await > 0 {
            assert!(Instant::now() < end, "jobs are left");
            self.app.set_time("jobs", "run_at", Utc::now(), "state = 'queued'").await;
            sleep(Duration::from_millis(200)).await;
        }
        for _ in 0..self.bills.len().div_ceil(200) + 1 {
            self.poll().await.unwrap();
        }
        self.app.idle().await;
    }

    async fn is_right(&self, when: &str) {
        let mut wrong = Vec::new();
        for bill in &self.bills {
            let months = format!("SELECT COUNT(*) FROM allowances WHERE source = 'invoice:{}'", bill.id);
            let months = self.app.count(&months).await;
            let state = self.app.text(&format!("SELECT state FROM invoices WHERE id = {}", bill.id)).await;
            if months != i64::from(bill.fate.buys()) || (state == "paid") != bill.fate.buys() {
                wrong.push(format!("{} {:?}: {months} months, {state}", bill.processor, bill.fate));
            }
        }
        assert!(wrong.is_empty(), "{when}: {wrong:#?}");
        let paid = i64::try_from(self.bills.iter().filter(|bill| bill.fate.buys()).count()).unwrap();
        assert_eq!(self.app.months().await, paid, "{when}: none for anything else");
        let receipts = "SELECT COUNT(*) FROM notifications WHERE kind = 'receipt'";
        assert_eq!(self.app.count(receipts).await, paid, "{when}");
        assert_eq!(self.app.count(&format!("{receipts} AND sent_at IS NULL")).await, 0, "{when}: all of them are sent");
        println!("{when}: {paid} of {} invoices were truly paid, and are months", self.bills.len());
    }
}

/// Only one invoice can hold a reference.
async fn is_taken(app: &TestApp, reference: &str) -> bool {
    app.count(&format!("SELECT COUNT(*) FROM invoices WHERE processor_ref = '{reference}'")).await > 0
}

async fn foreign(app: &TestApp) -> String {
    let ask = json!({ "amount": "9.99", "currency": "USD", "metadata": { "orderId": "somebody-elses" } });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/api/v1/stores/{STORE_ID}/invoices", app.sandbox.url());
    let request = client.post(url).header("authorization", format!("token {}", btcpay::API_KEY)).json(&ask);
    let made: Value = request.send().await.unwrap().json().await.unwrap();
    let id = made["id"].as_str().unwrap().to_owned();
    app.sandbox.btcpay().pay(&id, Way::Lightning, Amount::Due).unwrap();
    id
}

async fn bill(app: &TestApp, at: usize) -> Bill {
    let user = bulk::person(&app.ctx.db, &format!("payer{at}")).await;
    // Two of three at the one, one of three at the other; every fate is met.
    let (processor, fate) = match at % 3 {
        0 => ("nowpayments", AT_NOWPAYMENTS[at / 3 % AT_NOWPAYMENTS.len()]),
        rest => ("btcpay", AT_BTCPAY[(at / 3 * 2 + rest - 1) % AT_BTCPAY.len()]),
    };
    let Opening::Open(invoice) = invoices::open(&app.ctx, &user, processor).await.unwrap() else {
        panic!("payer{at} has an invoice")
    };
    let reference = invoice.processor_ref.clone().expect("the sandbox answers");
    Bill { id: invoice.id, order: invoice.order_id(), processor, reference, fate }
}

impl Bill {
    fn begins(&self, app: &TestApp) {
        if self.processor == "nowpayments" {
            let merchant = app.sandbox.nowpayments();
            let payment = merchant.choose(self.reference.parse().unwrap()).unwrap();
            let amount = match self.fate {
                Never => return,
                TooMuch => Amount::More,
                InPart => Amount::Less,
                _ => Amount::Due,
            };
            merchant.pay(payment, amount).unwrap();
            if self.fate != Slowly {
                merchant.finish(payment);
            }
            return;
        }
        let server = app.sandbox.btcpay();
        let pay = |way, amount| drop(server.pay(&self.reference, way, amount).unwrap());
        match self.fate {
            AtOnce | Cheap | OtherMoney => pay(Way::Lightning, Amount::Due),
            Slowly | Vanishes | NeverConfirmed => pay(Way::Chain, Amount::Due),
            InTwoParts | InPart => pay(Way::Lightning, Amount::Less),
            TooMuch => pay(Way::Lightning, Amount::More),
            AfterTheEnd | Expires => assert!(server.expire(&self.reference)),
            Marked | Never | OtherShop => {}
        }
    }

    fn goes_on(&self, app: &TestApp) {
        if self.processor == "nowpayments" {
            let merchant = app.sandbox.nowpayments();
            for payment in merchant.payments(self.reference.parse().unwrap()) {
                if self.fate == Slowly {
                    merchant.finish(payment.id);
                }
            }
            return;
        }
        let server = app.sandbox.btcpay();
        match self.fate {
            Slowly => assert!(server.confirm(&self.reference)),
            InTwoParts | AfterTheEnd => drop(server.pay(&self.reference, Way::Lightning, Amount::Due).unwrap()),
            Vanishes => assert!(server.double_spend(&self.reference)),
            Marked => assert!(server.mark(&self.reference, true)),
            AtOnce | TooMuch | Never | InPart | NeverConfirmed | Expires | Cheap | OtherMoney | OtherShop => {}
        }
    }
}

/// A delivery as it lies on the wire.
#[derive(Clone)]
struct Letter {
    processor: &'static str,
    body: String,
    signature: String,
    is_genuine: bool,
}

/// Everything that is delivered, and to whom.
struct Post<'a> {
    shop: &'a Shop<'a>,
    processors: String,
    addresses: Mutex<Vec<String>>,
    sent: Mutex<Vec<Letter>>,
    answers: Mutex<BTreeMap<String, usize>>,
    count: usize,
    next: AtomicUsize,
    client: reqwest::Client,
}

impl<'a> Post<'a> {
    fn new(shop: &'a Shop<'a>, count: usize) -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        let (addresses, sent, answers) = Default::default();
        let processors = shop.app.sandbox.url();
        Self { shop, processors, addresses, sent, answers, count, next: AtomicUsize::new(0), client }
    }

    /// Where the processors are, for the processes.
    fn settings(&self) -> Vec<(&str, &str)> {
        let url = self.processors.as_str();
        vec![
            ("BTCPAY_URL", url),
            ("BTCPAY_STORE_ID", STORE_ID),
            ("BTCPAY_API_KEY", btcpay::API_KEY),
            ("BTCPAY_WEBHOOK_SECRET", WEBHOOK_SECRET),
            ("NOWPAYMENTS_URL", url),
            ("NOWPAYMENTS_API_KEY", nowpayments::API_KEY),
            ("NOWPAYMENTS_IPN_SECRET", IPN_SECRET),
            ("NOWPAYMENTS_EMAIL", nowpayments::EMAIL),
            ("NOWPAYMENTS_PASSWORD", nowpayments::PASSWORD),
        ]
    }

    fn goes_to(&self, addresses: &[String]) {
        *self.addresses.lock().unwrap() = addresses.to_vec();
    }

    async fn deliver_all(&self) {
        join_all((0..HANDS).map(|hand| async move {
            let mut rng = StdRng::seed_from_u64(SEED + 100 + hand as u64);
            while self.next.fetch_add(1, Ordering::SeqCst) < self.count {
                let letter = self.write(&mut rng);
                self.deliver(&letter, &mut rng).await;
                self.sent.lock().unwrap().push(letter);
            }
        }))
        .await;
    }

    /// So many of those that were sent are sent once more, and lies about everybody besides.
    async fn again(&self, count: usize) {
        let mut rng = StdRng::seed_from_u64(SEED + 3);
        let mut old = self.sent.lock().unwrap().clone();
        old.shuffle(&mut rng);
        old.truncate(count);
        let lies = self.shop.bills.iter().map(|bill| self.news(bill, &mut rng)).collect::<Vec<_>>();
        stream::iter(old.into_iter().chain(lies).enumerate())
            .for_each_concurrent(HANDS, |(at, letter)| async move {
                self.deliver(&letter, &mut StdRng::seed_from_u64(SEED + 10_000 + at as u64)).await;
            })
            .await;
    }

    fn write(&self, rng: &mut StdRng) -> Letter {
        let bill = &self.shop.bills[rng.random_range(0..self.shop.bills.len())];
        let earlier = self.sent.lock().unwrap().choose(rng).cloned();
        match (rng.random_range(0..100), earlier) {
            // The very same delivery again.
            (0..20, Some(letter)) => letter,
            (20..30, _) => {
                let letter = self.news(bill, rng);
                Letter {
                    signature: signed(letter.processor, &letter.body, "another secret"),
                    is_genuine: false,
                    ..letter
                }
            }
            (30..35, _) => self.of_another_shop(bill, rng),
            (35..38, _) => self.letter("btcpay", "{\"type\":\"InvoiceSettled\"", false),
            (38..41, _) => self.letter("btcpay", &btcpay_body(rng, "InvoiceSettled", "Nobodys1", None), true),
            _ => self.news(bill, rng),
        }
    }

    /// Something about this invoice, true or not: most of it is a lie, because what happens is decided elsewhere.
    fn news(&self, bill: &Bill, rng: &mut StdRng) -> Letter {
        if bill.processor == "btcpay" {
            const KINDS: [&str; 7] = [
                "InvoiceSettled",
                "InvoiceSettled",
                "InvoiceProcessing",
                "InvoiceReceivedPayment",
                "InvoicePaymentSettled",
                "InvoiceExpired",
                "InvoiceInvalid",
            ];
            let kind = KINDS[rng.random_range(0..KINDS.len())];
            return self.letter("btcpay", &btcpay_body(rng, kind, &bill.reference, Some(&bill.order)), true);
        }
        let payments = self.shop.app.sandbox.nowpayments().payments(bill.reference.parse().unwrap());
        let payment = payments.first().map_or_else(|| rng.random_range(1..1_000), |it| it.id);
        const STATES: [&str; 5] = ["waiting", "confirming", "finished", "partially_paid", "expired"];
        // In the order of the alphabet, as it is signed.
        let body = json!({
            "actually_paid": format!("0.{}", rng.random_range(1..1_000)),
            "invoice_id": bill.reference,
            "order_id": bill.order,
            "payment_id": payment.to_string(),
            "payment_status": STATES[rng.random_range(0..STATES.len())],
            "price_amount": 999_999,
        });
        self.letter("nowpayments", &sorted(&body), true)
    }

    /// A checkout that somebody else has paid, with the number of our order on it.
    fn of_another_shop(&self, bill: &Bill, rng: &mut StdRng) -> Letter {
        let body = btcpay_body(rng, "InvoiceSettled", &self.shop.foreign, Some(&bill.order));
        self.letter("btcpay", &body, true)
    }

    fn letter(&self, processor: &'static str, body: &str, is_genuine: bool) -> Letter {
        let secret = if processor == "btcpay" { WEBHOOK_SECRET } else { IPN_SECRET };
        Letter { processor, body: body.to_owned(), signature: signed(processor, body, secret), is_genuine }
    }

    /// As a processor does: who does not answer, or has trouble, is asked again, here whoever is up.
    async fn deliver(&self, letter: &Letter, rng: &mut StdRng) {
        let header = if letter.processor == "btcpay" { "btcpay-sig" } else { "x-nowpayments-sig" };
        let end = Instant::now() + PATIENCE;
        loop {
            let address = self.addresses.lock().unwrap().choose(rng).cloned();
            let answer = match address {
                Some(address) => {
                    let request = self.client.post(format!("{address}/webhooks/{}", letter.processor));
                    request.header(header, &letter.signature).body(letter.body.clone()).send().await.ok()
                }
                None => None,
            };
            let status = answer.map(|answer| answer.status().as_u16());
            *self.answers.lock().unwrap().entry(format!("{status:?}")).or_default() += 1;
            match status {
                Some(200) if letter.is_genuine => return,
                Some(401) if !letter.is_genuine => return,
                Some(503) | None => {}
                Some(other) => panic!("{other} for {}", letter.body),
            }
            assert!(Instant::now() < end, "nobody takes it: {}", letter.body);
            sleep(Duration::from_millis(rng.random_range(50..200))).await;
        }
    }

    fn tally(&self) -> String {
        format!("{} deliveries, answered {:?}", self.sent.lock().unwrap().len(), self.answers.lock().unwrap())
    }
}

fn btcpay_body(rng: &mut StdRng, kind: &str, invoice: &str, order: Option<&str>) -> String {
    // Few enough that copies meet under another number.
    let delivery = format!("d{}", rng.random_range(0..1_000_000));
    let mut body = json!({
        "deliveryId": delivery, "originalDeliveryId": delivery, "isRedelivery": rng.random_bool(0.1), "type": kind,
        "timestamp": 1_795_000_000, "storeId": STORE_ID, "invoiceId": invoice, "metadata": { "orderId": order },
    });
    if kind.contains("Payment") {
        body["payment"] = json!({ "id": format!("tx{}", rng.random_range(0..5)), "value": "99.0" });
    }
    body.to_string()
}

/// Compact, keys in order.
fn sorted(body: &Value) -> String {
    let fields: BTreeMap<_, _> = body.as_object().unwrap().iter().collect();
    serde_json::to_string(&fields).unwrap()
}

fn signed(processor: &str, body: &str, secret: &str) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if processor == "btcpay" {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
        return format!("sha256={}", hex(&mac.finalize().into_bytes()));
    }
    let mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
    hex(&mac.finalize().into_bytes())
}

/// Processes that come and go.
struct Storm<'a> {
    app: &'a TestApp,
    post: &'a Post<'a>,
    rng: StdRng,
    kills: usize,
}

impl<'a> Storm<'a> {
    fn new(app: &'a TestApp, post: &'a Post<'a>, kills: usize) -> Self {
        Self { app, post, rng: StdRng::seed_from_u64(SEED), kills }
    }

    /// Kills one after another, and goes on until all is delivered; those that are left.
    async fn rages(&mut self, is_told: &AtomicBool) -> Vec<Process> {
        let settings = self.post.settings();
        let processes = if is_postgres() { 4 } else { 2 };
        let (mut at_work, mut killed): (Vec<Process>, _) = (Vec::new(), 0);
        loop {
            while at_work.len() < processes {
                at_work.push(Process::all(self.app, &settings));
            }
            self.post.goes_to(&at_work.iter().map(|it| it.url.clone()).collect::<Vec<_>>());
            if is_told.load(Ordering::SeqCst) && killed >= self.kills {
                println!("{killed} kills, {processes} processes at a time");
                return at_work;
            }
            sleep(Duration::from_millis(self.rng.random_range(400..1_500))).await;
            if killed >= 3 * self.kills {
                continue;
            }
            let process = at_work.swap_remove(self.rng.random_range(0..at_work.len()));
            // Only who has come up can die in the middle of something.
            process.is_up().await;
            let pid = process.pid;
            process.kill().await;
            killed += 1;
            // The dead do nothing more, so nobody has to wait until their leases run out.
            let mine = format!("state = 'running' AND lease_owner LIKE '%:{pid}:%'");
            self.app.set_time("jobs", "lease_expires_at", Utc::now() - TimeDelta::seconds(1), &mine).await;
        }
    }
}
