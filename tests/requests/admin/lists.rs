//! What all lists have in common.

use std::collections::BTreeSet;

use super::admin;
use crate::support::{Setup, TestApp, bulk};

/// F47: a long list is read page by page, each row once, in both orders and with a filter; all of the wish stands in the
/// address.
#[tokio::test]
async fn pages_show_each_row_once() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let cy = admin(&app).await;
    let ada = app.user("ada").await;
    let runs = bulk::runs(&app.ctx.db, ada.id, 130, 1).await;
    let mut newest_first: Vec<_> = runs.iter().map(|id| format!("row-{id}")).collect();
    newest_first.reverse();
    for (query, expected) in [
        ("?scope=failed", newest_first.clone()),
        ("?sort=oldest", newest_first.iter().rev().cloned().collect()),
        ("?scope=failed&sort=oldest&q=user:ada@example.com", newest_first.iter().rev().cloned().collect::<Vec<_>>()),
    ] {
        let (mut path, mut seen, mut pages) = (format!("/admin/generations{query}"), Vec::new(), 0);
        loop {
            let page = cy.get(&path).await.html();
            seen.extend(page.attributes("tbody tr", "id"));
            pages += 1;
            let Some(next) = page.attributes("a[rel=next]", "href").pop() else { break };
            for part in query.trim_start_matches('?').split('&').filter(|part| !part.starts_with("q=")) {
                assert!(next.contains(part), "{next}");
            }
            path = next;
        }
        assert_eq!((seen, pages), (expected, 3), "{query}");
    }
    app.finish().await;
}

/// F51: keys of the same label order one after the other, page after page.
#[tokio::test]
async fn an_order_by_words_pages_too() {
    let app = TestApp::with(Setup { keys: vec![], jobs: false, ..Setup::default() }).await;
    let cy = admin(&app).await;
    for at in 0..120 {
        app.add_key(&format!("key {:03}", (at * 37) % 120), 1).await;
    }
    let (mut path, mut labels) = ("/admin/keys?sort=label".to_owned(), Vec::new());
    loop {
        let page = cy.get(&path).await.html();
        labels.extend(page.texts("tbody td:nth-child(2)"));
        let Some(next) = page.attributes("a[rel=next]", "href").pop() else { break };
        path = next;
    }
    assert_eq!(labels, (0..120).map(|at| format!("key {at:03}")).collect::<Vec<_>>());
    app.finish().await;
}

/// F47: nonsense in the address is a list from its beginning, never an error.
#[tokio::test]
async fn nonsense_is_a_list() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let cy = admin(&app).await;
    for resource in nproxy::models::admin::ALL {
        let path = resource.about().path;
        for query in [
            "after=x",
            "after=1-",
            "after=-1",
            "after=9999999999999999999999-1",
            "after=1-%00",
            "sort=password_hash",
            "scope=x",
            "q=%27%20OR%201%3D1%20--",
            "q=id%3Ax",
            "q=email%3A",
            "q=%25",
            "q=user%3A",
            "state=%27",
            "user=x",
            "row=x",
            "q=%F0%9F%92%A5",
            "sort=label&after=1-zzz",
        ] {
            let page = cy.get(&format!("/admin/{path}?{query}")).await;
            assert_eq!(page.status, 200, "/admin/{path}?{query}");
        }
        for missing in ["0", "-1", "999999999", "9999999999999999999999", "x"] {
            let page = cy.get(&format!("/admin/{path}/{missing}")).await;
            assert!([400, 404].contains(&page.status), "/admin/{path}/{missing}: {}", page.status);
        }
    }
    app.finish().await;
}

/// F47: counts go as far as anybody reads: a thousand and more is "1,000+".
#[tokio::test]
async fn counting_ends_somewhere() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let cy = admin(&app).await;
    let ada = app.user("ada").await;
    bulk::runs(&app.ctx.db, ada.id, 1_500, 1).await;
    let scopes = cy.get("/admin/generations").await.html().texts("nav.choices a");
    assert_eq!(scopes, ["All 1,000+", "Under way 0", "Succeeded 0", "Failed 1,000+", "Canceled 0"]);
    app.finish().await;
}

/// F47 to F54: every resource is in the menu, under a name of its own.
#[tokio::test]
async fn the_menu_has_every_resource() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let cy = admin(&app).await;
    let links: BTreeSet<_> = cy.get("/admin/users").await.html().attributes("#sidebar a", "href").into_iter().collect();
    for resource in nproxy::models::admin::ALL {
        assert!(links.contains(&format!("/admin/{}", resource.about().path)), "{links:?}");
    }
    app.finish().await;
}
