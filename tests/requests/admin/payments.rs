//! Payments and what processors sent.

use super::{admin, count, leaves_one};
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

/// F49: a payment is marked as paid through its page, with a reason; the second click, the form that was still open in
/// another window, and a click after the refund find nothing left to do. One month, one receipt, one activity each.
#[tokio::test]
async fn a_second_click_marks_nothing() {
    let app = TestApp::start().await;
    let dee = app.sign_in("dee").await;
    let path = app.bill(&dee, "btcpay").await;
    let id = app.invoice(&path).await.id;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let marking = format!("/admin/payments/{id}/marking");
    let page = cy.get(&marking).await.html();
    assert!(page.texts("#consequences").join(" ").contains("The month is given now, once"));
    let form = page.form("#action");
    let before = count(&app).await;
    assert_eq!((cy.submit(&form).await.status, count(&app).await), (422, before), "it takes a reason");
    let form = form.fill("reason", "seen at the bank");
    let about = format!("invoice:{id}");
    let marked = leaves_one(&app, &me, "mark_invoice_paid", &about, cy.submit(&form)).await;
    assert_eq!((marked.status, marked.location()), (303, format!("/admin/payments/{id}?done=marking")));
    let invoice = app.invoice(&path).await;
    assert_eq!((invoice.state.as_str(), invoice.marked, app.months().await), ("paid", true, 1));
    let shown = cy.get(&format!("/admin/payments/{id}")).await.html();
    assert!(shown.lines("#facts").contains("marked by hand") && !shown.has("a[href$='/marking']"));

    let note = format!("/admin/payments/{id}/note");
    let note = cy.get(&note).await.html().form("#action").fill("text", "The bank was slow.");
    leaves_one(&app, &me, "write_note", &about, cy.submit(&note)).await;
    let notes = cy.get(&format!("/admin/payments/{id}")).await.html().texts("#notes tbody td:first-child");
    assert_eq!(notes, ["The bank was slow."]);

    let before = count(&app).await;
    for again in [cy.submit(&form), cy.submit(&form)] {
        assert_eq!(again.await.status, 409, "the second click");
    }
    assert_eq!(cy.get(&marking).await.status, 404, "it is not on offer any more");
    assert_eq!((count(&app).await, app.months().await), (before, 1));
    app.idle().await;
    assert_eq!(app.count("SELECT COUNT(*) FROM notifications WHERE kind = 'receipt'").await, 1);

    let refund = format!("/admin/payments/{id}/refund");
    let form = cy.get(&refund).await.html().form("#action").fill("reason", "not as hoped");
    assert_eq!(cy.submit(&form).await.status, 422, "its name is to be typed");
    let form = form.fill("confirm", &format!("Invoice {id}"));
    let before = count(&app).await;
    assert_eq!(cy.submit(&form).await.status, 303);
    assert_eq!(app.invoice(&path).await.state, "refunded");
    let after = count(&app).await;
    assert!(after > before);
    assert_eq!((cy.submit(&form).await.status, count(&app).await), (409, after), "one refund");
    assert_eq!(cy.post(&marking, &[("reason", "once more")]).await.status, 409);
    app.finish().await;
}
