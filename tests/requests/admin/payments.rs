//! Payments and what processors sent.

use super::admin;
use crate::support::TestApp;

/// F49: a payment is listed with its state and found by its person; its page shows what it bought and what the processor
/// sent, word for word on the page of the event.
#[tokio::test]
async fn a_payment_and_its_events() {
    let app = TestApp::start().await;
    let dee = app.sign_in("dee").await;
    let path = app.bill(&dee, "btcpay").await;
    app.pay_with_lightning(&path).await;
    app.idle().await;
    crate::support::eventually("the month", || async { (app.months().await == 1).then_some(()) }).await;
    let invoice = app.invoice(&path).await;
    let cy = admin(&app).await;
    for query in
        ["scope=paid", "q=user:dee@example.com", &format!("q=order:{}", invoice.pid), "processor=btcpay", "state=paid"]
    {
        let found = cy.get(&format!("/admin/payments?{query}")).await.html();
        assert_eq!(found.attributes("tbody tr", "id"), [format!("row-{}", invoice.id)], "{query}");
    }
    assert_eq!(cy.get("/admin/payments?scope=unusual").await.html().texts("tbody tr").len(), 0);
    let page = cy.get(&format!("/admin/payments/{}", invoice.id)).await.html();
    let facts = page.lines("#facts");
    assert!(facts.contains("Paid\n$9.99") && facts.contains("allowance "), "{facts}");
    let events = page.attributes("#events tbody a", "href");
    assert!(!events.is_empty());
    let event = cy.get(&events[0]).await.html();
    assert!(event.texts("#body pre")[0].contains(&app.reference(&path).await), "{}", event.text());
    assert!(event.has(&format!("a[href='/admin/payments/{}']", invoice.id)));
    app.finish().await;
}
