//! The operator's commands on invoices and plans.

use serde_json::Value;

use super::quiet;
use crate::support::Finished;

/// F61: each says how it is used, what is wrong, and leaves with 1.
#[tokio::test]
async fn each_says_how_it_is_used() {
    let app = quiet().await;
    for (arguments, usage) in [
        (vec!["invoice_check"], "nproxy task invoice_check invoice:ID|NUMBER"),
        (vec!["invoice_mark_paid"], "nproxy task invoice_mark_paid invoice:ID|NUMBER reason:WORDS"),
        (vec!["invoice_refund"], "nproxy task invoice_refund invoice:ID|NUMBER reason:WORDS [confirm:yes]"),
        (vec!["subscription_give", "email:ada@example.com"], "reason: is missing"),
    ] {
        let end = app.nproxy(&[&["task"], arguments.as_slice()].concat()).await;
        assert_eq!(end.code, Some(1), "{arguments:?}: {}", end.said());
        assert!(end.said().contains(usage), "{arguments:?}: {}", end.said());
        assert!(end.err.lines().any(|line| line.starts_with("usage: nproxy task ")), "{arguments:?}: {}", end.said());
    }
    for (arguments, says) in [
        (vec!["invoice_check", "invoice:99999"], "invoice 99999: there is none"),
        (vec!["invoice_refund", "invoice:x", "reason:a"], "invoice x: there is none"),
        (vec!["subscription_give", "email:nobody@example.com", "reason:a"], "there is no account nobody@example.com"),
    ] {
        let end = app.nproxy(&[&["task"], arguments.as_slice()].concat()).await;
        assert_eq!(end.code, Some(1), "{arguments:?}: {}", end.said());
        assert!(end.said().contains(says), "{arguments:?}: {}", end.said());
    }
    app.finish().await;
}

/// F49, F61, F62: an operator calls an invoice paid, once and with a reason, and gives the payment back in two steps; each
/// leaves one trace.
#[tokio::test]
async fn an_operator_looks_after_an_invoice() {
    let app = quiet().await;
    let path = app.bill(&app.sign_in("ada").await, "btcpay").await;
    let by_number = format!("invoice:{}", path.rsplit('/').next().unwrap());
    let id = app.invoice(&path).await.id;
    let by_id = format!("invoice:{id}");
    let task = async |arguments: &[&str]| app.nproxy(&[&["task"], arguments].concat()).await;

    let unexplained = task(&["invoice_mark_paid", &by_id]).await;
    assert_eq!(unexplained.code, Some(1));
    assert!(unexplained.said().contains("reason: is missing"), "{}", unexplained.said());
    let early = task(&["invoice_refund", &by_id, "reason:a"]).await;
    assert!(early.said().contains("is new: there is nothing to give back"), "{}", early.said());

    let marked = task(&["invoice_mark_paid", &by_number, "reason:paid by bank", "json:true"]).await;
    assert_eq!(marked.code, Some(0), "{}", marked.said());
    assert_eq!((&json(&marked)["invoice"], &json(&marked)["state"]), (&id.into(), &"paid".into()));
    let again = task(&["invoice_mark_paid", &by_id, "reason:paid by bank"]).await;
    assert_eq!(again.code, Some(1));
    assert!(again.said().contains("was paid before; nothing was given"), "{}", again.said());
    assert_eq!((app.months().await, app.invoice(&path).await.marked), (1, true));

    let asked = task(&["invoice_refund", &by_id, "reason:not as hoped"]).await;
    assert_eq!(asked.code, Some(0), "{}", asked.said());
    assert!(asked.out.contains("nothing was done yet; with confirm:yes: 100 free are gone"), "{}", asked.out);
    assert_eq!(app.invoice(&path).await.state, "paid");
    let refunded = task(&["invoice_refund", &by_number, "reason:not as hoped", "confirm:yes", "json:true"]).await;
    assert_eq!(refunded.code, Some(0), "{}", refunded.said());
    assert_eq!((&json(&refunded)["refunded"], &json(&refunded)["used"]), (&true.into(), &0.into()));
    let again = task(&["invoice_refund", &by_id, "reason:not as hoped", "confirm:yes"]).await;
    assert_eq!(again.code, Some(1));
    assert!(again.said().contains("there is nothing to give back"), "{}", again.said());
    assert_eq!(app.invoice(&path).await.state, "refunded");
    let traces = "SELECT COUNT(*) FROM activities WHERE resource_type = 'invoice' AND actor_type = 'cli'";
    assert_eq!(app.count(traces).await, 2);

    let given = task(&["subscription_give", "email:eve@example.com", "reason:thanks"]).await;
    assert_eq!(given.code, Some(0), "{}", given.said());
    assert_eq!(app.story("eve").await, "trial: grant 3\nquota: grant 100");
    app.finish().await;
}

/// "Check again" on the console: the processor's answer does what any news does, and a processor that is away fails.
#[tokio::test]
async fn an_operator_asks_the_processor() {
    let app = quiet().await;
    let path = app.bill(&app.sign_in("ada").await, "btcpay").await;
    let id = app.invoice(&path).await.id.to_string();
    app.pay_with_lightning(&path).await;
    app.task("invoice_check", &[("invoice", &id)]).await.unwrap();
    assert_eq!((app.invoice(&path).await.state.as_str(), app.months().await), ("paid", 1));
    app.sandbox.btcpay().troubles().fail(sandbox::Spoil::Status { code: 502 });
    let away = app.task("invoice_check", &[("invoice", &id)]).await.unwrap_err().to_string();
    assert!(away.contains("the processor did not tell"), "{away}");
    app.finish().await;
}

fn json(end: &Finished) -> Value {
    serde_json::from_str(end.out.lines().find(|line| line.starts_with('{')).unwrap()).unwrap()
}
