//! No page of the house leads anywhere that its reader may not go.

use std::collections::{BTreeMap, VecDeque};

use nproxy::models::users::Role;

use super::{doors::furnished, staff};
use crate::support::{Person, TestApp};

/// Follows every link to a page of the house, from the dashboard on; the pages with the status of each.
async fn crawl(person: &Person) -> BTreeMap<String, (u16, String)> {
    let (mut seen, mut next) = (BTreeMap::new(), VecDeque::from([("/admin".to_owned(), String::new())]));
    while let Some((path, from)) = next.pop_front() {
        if seen.contains_key(&path) {
            continue;
        }
        let page = person.get(&path).await;
        assert!(seen.len() < 2_000, "the house has no end: {path} from {from}");
        seen.insert(path.clone(), (page.status, from));
        if page.status != 200 || !page.header("content-type").starts_with("text/html") {
            continue;
        }
        for link in page.html().attributes("a[href]", "href") {
            let link = link.split('#').next().unwrap_or_default().to_owned();
            // A list has as many addresses as there are wishes; one step from the plain list shows them all.
            let is_wish = path.contains('?') && link.contains('?') && !link.contains("/users/");
            if link.starts_with("/admin") && !is_wish {
                next.push_back((link, path.clone()));
            }
        }
    }
    seen
}

async fn dead_ends(app: &TestApp, name: &str, role: Role) -> (usize, Vec<(String, (u16, String))>) {
    let person = staff(app, name, role).await;
    let seen = crawl(&person).await;
    (seen.len(), seen.into_iter().filter(|(_, (status, _))| *status != 200).collect())
}

/// F47 to F55: whatever a supporter, an admin or an owner is shown, every link on it opens; and a supporter is shown as
/// much as the others, but for what changes something.
#[tokio::test]
async fn every_link_opens_for_who_sees_it() {
    let app = furnished().await;
    app.sign_in("ada").await;
    let (support, dead) = dead_ends(&app, "eve", Role::Support).await;
    assert!(dead.is_empty(), "support: {dead:#?}");
    let (admin, dead) = dead_ends(&app, "cy", Role::Admin).await;
    assert!(dead.is_empty(), "admin: {dead:#?}");
    let (owner, dead) = dead_ends(&app, "dee", Role::Owner).await;
    assert!(dead.is_empty(), "owner: {dead:#?}");
    assert!(support > 80 && admin > support + 20 && owner > admin, "{support} {admin} {owner}");
    app.finish().await;
}
