//! Proxies.

use sandbox::{Proxy, ProxyKind, ProxyOptions};

use super::{admin, leaves_one};
use crate::support::{Setup, TestApp};

/// F52: a proxy is added, tested, edited and switched; its password is shown nowhere, and lies sealed.
#[tokio::test]
async fn a_proxy_is_looked_after() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let auth = Some(("ann".into(), "canary-password".into()));
    let proxy = Proxy::start(ProxyOptions { kind: ProxyKind::Socks5, auth, fault: None }).await.unwrap();
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let form = cy.get("/admin/proxies/new").await.html().form("#action");
    let wrong = cy.submit(&form.clone().fill("label", "way").fill("address", "canary-no-address")).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.html().text().contains("This is not the address of a proxy"));
    assert!(!wrong.body.contains("canary"), "what was typed is not shown again");
    // X37: our own network is not reached by mistake.
    let form = form.fill("label", "way").fill("address", &proxy.url());
    let doubted = cy.submit(&form).await;
    assert_eq!(doubted.status, 422);
    assert!(doubted.html().text().contains("This address lies in a private network"));
    assert_eq!(app.count("SELECT COUNT(*) FROM proxies").await, 0);
    let form = form.fill("network", "private");
    let added = leaves_one(&app, &me, "create_proxy", "proxy:1", cy.submit(&form)).await;
    assert_eq!(added.location(), "/admin/proxies/1?done=new");

    let page = cy.get("/admin/proxies/1").await;
    assert!(page.html().lines("#facts").contains("socks5h://ann:***@127.0.0.1:"), "{}", page.html().lines("#facts"));
    for path in
        ["/admin/proxies", "/admin/proxies/1", "/admin/proxies/1/edit", "/admin/proxies/sheet", "/admin/activities"]
    {
        assert!(!cy.get(path).await.body.contains("canary"), "{path}");
    }
    assert!(!app.text("SELECT url_enc FROM proxies").await.contains("canary"));

    let tested = leaves_one(&app, &me, "test_proxy", "proxy:1", cy.post("/admin/proxies/1/test", &[])).await;
    assert!(tested.html().text().contains("The provider was reached through it."));
    let form = cy.get("/admin/proxies/1/deactivation").await.html().form("#action");
    assert_eq!(cy.submit(&form).await.status, 422, "it takes a reason");
    let form = form.fill("reason", "it is slow");
    leaves_one(&app, &me, "change_proxy_state", "proxy:1", cy.submit(&form)).await;
    assert_eq!(super::newest_reason(&app, "proxy", 1).await, "it is slow");
    assert_eq!(app.text("SELECT state FROM proxies").await, "disabled");
    let form = cy.get("/admin/proxies/1/edit").await.html().form("#action");
    assert_eq!(cy.submit(&form.clone().fill("address", "socks5://169.254.169.254:80")).await.status, 422);
    leaves_one(&app, &me, "edit_proxy", "proxy:1", cy.submit(&form.fill("label", "other"))).await;
    assert!(cy.get("/admin/proxies/1").await.html().lines("#facts").contains("ann:***@"), "the address stayed");
    app.finish().await;
}
