//! The operator's commands on what people have.

use serde_json::Value;

use super::quiet;
use crate::support::Finished;

/// F61: each says how it is used, what is wrong, and leaves with 1.
#[tokio::test]
async fn each_says_how_it_is_used() {
    let app = quiet().await;
    for (arguments, usage) in [
        (vec!["allowance_adjust"], "allowance: is missing"),
        (vec!["allowance_adjust", "allowance:x", "by:1", "reason:a"], "allowance: takes a whole number"),
        (vec!["allowance_adjust", "allowance:1", "by:0", "reason:a"], "by: takes a number other than zero"),
        (vec!["allowance_adjust", "allowance:1", "by:9999999999", "reason:a"], "at most 1000000000"),
        (vec!["allowance_adjust", "allowance:1", "by:1"], "reason: is missing"),
        (vec!["allowance_list"], "nproxy task allowance_list email:ADDRESS"),
        (vec!["allowance_revoke", "allowance:1"], "reason: is missing"),
        (vec!["debt_clear", "debt:1"], "reason: is missing"),
        (vec!["grant", "email:a", "kind:tokens", "amount:9999999999"], "amount: takes a number above zero, at most"),
    ] {
        let end = app.nproxy(&[&["task"], arguments.as_slice()].concat()).await;
        assert_eq!(end.code, Some(1), "{arguments:?}: {}", end.said());
        assert!(end.said().contains(usage), "{arguments:?}: {}", end.said());
        assert!(end.err.lines().any(|line| line.starts_with("usage: nproxy task ")), "{arguments:?}: {}", end.said());
    }
    for (arguments, says) in [
        (vec!["allowance_adjust", "allowance:99999", "by:1", "reason:a"], "allowance 99999: there is none"),
        (vec!["allowance_adjust", "allowance:1", "by:-4", "reason:a"], "only 3 are free, so nothing was taken"),
        (vec!["allowance_list", "email:nobody@example.com"], "there is no account nobody@example.com"),
        (vec!["allowance_revoke", "allowance:99999", "reason:a", "confirm:yes"], "allowance 99999: there is none"),
        (vec!["debt_clear", "debt:99999", "reason:a"], "debt 99999: there is none"),
    ] {
        let end = app.nproxy(&[&["task"], arguments.as_slice()].concat()).await;
        assert_eq!(end.code, Some(1), "{arguments:?}: {}", end.said());
        assert!(end.said().contains(says), "{arguments:?}: {}", end.said());
    }
    app.finish().await;
}

/// F54, F61, F62: an operator sees to the unit what a person has and how it came to that, puts it right, takes a plan back
/// in two steps, and lets the debt go; the numbers are the ledger's own.
#[tokio::test]
async fn an_operator_looks_after_an_allowance() {
    let app = quiet().await;
    let id =
        app.count("SELECT a.id FROM allowances a JOIN users u ON u.id = a.user_id WHERE u.email = 'ada@example.com'");
    let allowance = format!("allowance:{}", id.await);
    let task = async |arguments: &[&str]| -> Finished {
        let end = app.nproxy(&[&["task"], arguments].concat()).await;
        assert_eq!(end.code, Some(0), "{arguments:?}: {}", end.said());
        end
    };

    let adjusted = task(&["allowance_adjust", &allowance, "by:+2", "reason:thanks", "json:true"]).await;
    assert_eq!(json(&adjusted)["available"], 5);
    let adjusted = task(&["allowance_adjust", &allowance, "by:-4", "reason:a slip"]).await;
    assert!(adjusted.out.contains("-4, now 1 free of 1"), "{}", adjusted.out);

    let list = task(&["allowance_list", "email:ada@example.com", "json:true"]).await;
    let ada = &json(&list)["allowances"][0];
    assert_eq!((&ada["available"], &ada["posted"], &ada["granted"]), (&1.into(), &1.into(), &3.into()));
    let sum =
        |column: &str| ada["entries"].as_array().unwrap().iter().map(|e| e[column].as_i64().unwrap()).sum::<i64>();
    assert_eq!((sum("available_delta"), sum("posted_delta")), (1, 1), "F54: the balance is the sum of the entries");
    let words = task(&["allowance_list", "email:Ada@Example.com"]).await.out;
    for line in [
        "trial: 1 free, 0 held, 3 granted (trial:",
        "adjust        -4 free      -4 owned  = 1 free of 1  cli:console  a slip",
    ] {
        assert!(words.contains(line), "{line}: {words}");
    }

    let asked = task(&["allowance_revoke", &allowance, "reason:refunded"]).await;
    assert!(asked.out.contains("nothing was done yet; with confirm:yes: 1 free are gone, 0 go"), "{}", asked.out);
    assert_eq!(app.count("SELECT COUNT(*) FROM allowances WHERE revoked_at IS NOT NULL").await, 0);
    let taken = task(&["allowance_revoke", &allowance, "reason:refunded", "confirm:yes", "json:true"]).await;
    assert_eq!((&json(&taken)["revoked"], &json(&taken)["free"]), (&true.into(), &1.into()));
    let again = app.nproxy(&["task", "allowance_revoke", &allowance, "reason:refunded", "confirm:yes"]).await;
    assert_eq!(again.code, Some(1), "{}", again.said());
    assert!(again.said().contains("was taken back before"), "{}", again.said());
    let closed = app.nproxy(&["task", "allowance_adjust", &allowance, "by:1", "reason:a"]).await;
    assert!(closed.said().contains("it was taken back: grant anew instead"), "{}", closed.said());
    assert_eq!(app.count("SELECT COUNT(*) FROM activities WHERE resource_type = 'allowance'").await, 3);
    app.finish().await;
}

/// F21, F61: the scheduled write-off says how many months were over, says nothing when none was, and four at once write
/// each off once.
#[tokio::test]
async fn months_are_written_off() {
    let app = quiet().await;
    let (one, two, three, four) = tokio::join!(
        app.nproxy(&["task", "allowance_expiry"]),
        app.nproxy(&["task", "allowance_expiry"]),
        app.nproxy(&["task", "allowance_expiry"]),
        app.nproxy(&["task", "allowance_expiry"]),
    );
    for end in [&one, &two, &three, &four] {
        assert_eq!(end.code, Some(0), "{}", end.said());
    }
    let said = [one, two, three, four].iter().filter(|end| end.out.contains("1 allowances were over")).count();
    assert_eq!(said, 1, "dee's plan ended yesterday");
    let again = app.nproxy(&["task", "allowance_expiry"]).await;
    assert_eq!((again.code, again.out.contains("over")), (Some(0), false), "{}", again.said());
    assert_eq!(app.count("SELECT COUNT(*) FROM ledger_entries WHERE kind = 'expire'").await, 1);
    app.finish().await;
}

fn json(end: &Finished) -> Value {
    serde_json::from_str(end.out.lines().find(|line| line.starts_with('{')).unwrap()).unwrap()
}
