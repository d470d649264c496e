//! F39: what is left on a key's account, as resellers of the one-api family tell it.

use std::time::Duration;

use nproxy::adapters::images::{
    Access, Balance, Failure, Http, Provider, ProxyUrl, Settings,
    gemini::{BalanceSource, Config},
};
use sandbox::{Fault, Options, Proxy, ProxyFault, ProxyOptions, Sandbox};
use secrecy::SecretString;
use serde_json::json;

use super::peer::{AMPLE, Peer, SECRET, expect, generate, html, json as answer};

fn reseller(base_url: &str) -> Provider {
    let settings = json!({"gemini": {"base_url": base_url, "balance": "one_api"}});
    serde_json::from_value::<Settings>(settings).unwrap().provider("gemini").unwrap()
}

async fn balance_through(base_url: &str, proxy: &str) -> Result<Option<Balance>, Failure> {
    let secret = SecretString::from(SECRET);
    let proxy = (!proxy.is_empty()).then(|| ProxyUrl::parse(proxy).unwrap());
    let access = Access { secret: &secret, proxy: proxy.as_ref() };
    reseller(base_url).balance(&Http::new().unwrap(), access).await
}

async fn balance(base_url: &str) -> Result<Option<Balance>, Failure> {
    balance_through(base_url, "").await
}

fn left(micros: i64) -> Balance {
    Balance { micros: Some(micros) }
}

async fn sandbox() -> Sandbox {
    Sandbox::start(Options { latency: Duration::ZERO, ..Options::default() }).await.unwrap()
}

/// A reseller that grants and counts exactly as written.
async fn gateway(limit: &'static str, used: &'static str) -> Peer {
    Peer::new(move |mut line| async move {
        let asked = line.request().await;
        line.say(match asked.contains("/billing/subscription ") {
            true => {
                answer(200, format!(r#"{{"object":"billing_subscription","hard_limit_usd":{limit},"access_until":0}}"#))
            }
            false => answer(200, format!(r#"{{"object":"list","total_usage":{used}}}"#)),
        })
        .await;
    })
    .await
}

#[tokio::test]
async fn googles_own_api_tells_none() {
    let vendor = Peer::silent().await;
    let mut settings = Settings::default();
    settings.gemini.base_url = vendor.http().parse().unwrap();
    let secret = SecretString::from(SECRET);
    let access = Access { secret: &secret, proxy: None };
    let told = settings.provider("gemini").unwrap().balance(&Http::new().unwrap(), access).await;
    assert_eq!(told, Ok(None));
    assert_eq!(vendor.calls(), 0);
}

#[test]
fn the_setting_says_who_tells() {
    let read = |text: &str| serde_json::from_value::<Config>(json!({ "balance": text })).map(|it| it.balance);
    assert_eq!(read("").unwrap(), BalanceSource::Nobody);
    assert_eq!(read("one_api").unwrap(), BalanceSource::OneApi);
    assert!(read("kie").unwrap_err().to_string().contains("one_api"));
}

#[tokio::test]
async fn what_is_left_is_what_was_granted_less_what_was_used() {
    let sandbox = sandbox().await;
    assert_eq!(balance(&sandbox.url()).await, Ok(Some(Balance { micros: None })));
    for micros in [2_500_000, 1, 0, -3_000_000, 987_654_321_012] {
        sandbox.gemini().balance(SECRET, micros);
        assert_eq!(balance(&sandbox.url()).await, Ok(Some(left(micros))));
        let proxy = Proxy::start(ProxyOptions::default()).await.unwrap();
        assert_eq!(balance_through(&sandbox.url(), &proxy.url()).await, Ok(Some(left(micros))));
        assert_eq!(proxy.tunnels(), 2);
    }
}

#[tokio::test]
async fn amounts_are_exact_however_they_are_written() {
    for (limit, used, micros) in [
        ("0.3", "10", 200_000),
        ("12.345678", "1234.5678", 0),
        ("5", "1e-07", 4_999_999),
        ("\"7.25\"", "\"25\"", 7_000_000),
        ("19.989999999999998", "0", 19_989_999),
        ("1e+2", "9.9e3", 1_000_000),
        ("1", "200.00001", -1_000_001),
        ("99999999.999999", "0", 99_999_999_999_999),
        ("100000000.000001", "100", 99_999_999_000_001),
    ] {
        let vendor = gateway(limit, used).await;
        assert_eq!(balance(&vendor.http()).await, Ok(Some(left(micros))), "{limit} - {used}");
    }
    for limit in ["100000000", "1e8", "100000000.0"] {
        let vendor = gateway(limit, "123").await;
        assert_eq!(balance(&vendor.http()).await, Ok(Some(Balance { micros: None })), "{limit}");
        assert_eq!(vendor.calls(), 1, "what was used does not matter then");
    }
}

#[tokio::test]
async fn the_key_is_a_bearer_below_the_base() {
    let vendor = gateway("5", "0").await;
    balance(&format!("{}/reseller/", vendor.http())).await.unwrap();
    let heard = vendor.heard();
    let asked: Vec<&str> = heard.lines().filter(|line| line.starts_with("GET ")).collect();
    assert_eq!(asked.len(), 2, "{heard}");
    assert_eq!(asked[0], "GET /reseller/v1/dashboard/billing/subscription HTTP/1.1");
    assert!(asked[1].starts_with("GET /reseller/v1/dashboard/billing/usage?start_date=20"), "{heard}");
    assert!(asked[1].contains("&end_date=20"), "{heard}");
    assert_eq!(heard.matches(&format!("authorization: Bearer {SECRET}\r\n")).count(), 2, "{heard}");
    assert_eq!(heard.matches(SECRET).count(), 2, "{heard}");
}

/// Nothing is made by a question, so no failure of one is ambiguous, and what fails behind a proxy may be asked directly.
#[tokio::test]
async fn a_question_that_fails_says_why() {
    let complaint = |status: u16, message: &str, code: &str| {
        answer(status, json!({"error": {"message": message, "type": "new_api_error", "code": code}}).to_string())
    };
    for (said, wanted) in [
        (complaint(401, "无效的令牌", ""), "credential"),
        (complaint(401, "该令牌额度已用尽", ""), "out_of_funds"),
        (complaint(403, "user quota is not enough", "insufficient_user_quota"), "out_of_funds"),
        (complaint(200, "record not found", ""), "transient"),
        (complaint(200, "用户额度不足", ""), "out_of_funds"),
        (complaint(429, "too many", ""), "rate_limited"),
        (complaint(504, "slow", ""), "transient"),
        (answer(200, r#"{"object":"list","total_usage":1}"#), "transient"),
        (answer(200, r#"{"hard_limit_usd":null}"#), "transient"),
        (answer(200, r#"{"hard_limit_usd":"plenty"}"#), "transient"),
        (answer(200, r#"{"hard_limit_usd":1e400}"#), "transient"),
        (answer(200, r#"{"hard_limit_usd":[5]}"#), "transient"),
        (answer(200, "hello"), "transient"),
        (html(200), "transient"),
        (html(401), "transient"),
        (html(502), "transient"),
        (Vec::new(), "transient"),
    ] {
        let text = String::from_utf8_lossy(&said).into_owned();
        let vendor = Peer::saying(said).await;
        let failure = balance(&vendor.http()).await.unwrap_err();
        assert_eq!(failure.class(), wanted, "{text} {failure:?}");
        assert!(!failure.may_have_run(), "{text} {failure:?}");
    }
    assert_eq!(balance(&format!("http://{}", Peer::nobody().await)).await.unwrap_err().class(), "not_sent");
    let overflow = gateway("1e17", "0").await;
    assert_eq!(balance(&overflow.http()).await.unwrap_err().class(), "transient");

    let sandbox = sandbox().await;
    sandbox.gemini().withhold_balances(true);
    assert_eq!(balance(&sandbox.url()).await.unwrap_err().class(), "transient");
    sandbox.gemini().fault(SECRET, Fault::Reset);
    assert_eq!(balance(&sandbox.url()).await.unwrap_err().class(), "transient");
    for fault in [ProxyFault::Refuse401, ProxyFault::Refuse407, ProxyFault::Html502] {
        let proxy = Proxy::start(ProxyOptions { fault: Some(fault), ..ProxyOptions::default() }).await.unwrap();
        let failure = balance_through(&sandbox.url(), &proxy.url()).await.unwrap_err();
        assert!(failure.may_go_direct(), "{fault:?} {failure:?}");
    }
    let nobody = format!("http://{}", Peer::nobody().await);
    assert!(balance_through(&sandbox.url(), &nobody).await.unwrap_err().may_go_direct());
}

#[tokio::test]
async fn an_answer_that_repeats_the_key_does_not_get_it_into_the_log() {
    let said = json!({"error": {"message": format!("无效的令牌 {SECRET}"), "type": "one_api_error"}});
    let vendor = Peer::saying(answer(401, said.to_string())).await;
    let failure = balance(&vendor.http()).await.unwrap_err();
    assert!(!format!("{failure:?} {failure}").contains(SECRET), "{failure:?}");
    assert!(failure.detail().contains("无效的令牌"), "{failure:?}");
}

#[tokio::test]
async fn an_empty_account_is_out_of_funds_when_a_picture_is_asked_for() {
    let sandbox = sandbox().await;
    sandbox.gemini().sketch(true);
    sandbox.gemini().balance(SECRET, 0);
    expect(&generate(&sandbox.url(), "", AMPLE).await, "out_of_funds");
    sandbox.gemini().balance(SECRET, 40_000);
    expect(&generate(&sandbox.url(), "", AMPLE).await, "delivered");
}
