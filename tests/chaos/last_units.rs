//! Several processes on the last pictures.

use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::sync::Semaphore;

use super::Server;
use crate::support::{Setup, TestApp};

const PROCESSES: usize = 3;
const WISHES: usize = 90;

/// F25, invariant 4: ninety wishes over HTTP, spread over three processes on one database, for the last five pictures —
/// exactly five begin, everybody else is told so, and the books prove themselves.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_five_over_three_processes() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.task("grant", &[("email", "ada@example.com"), ("kind", "quota"), ("amount", "2")]).await.unwrap();
    let (mut servers, mut people) = (Vec::new(), Vec::new());
    for _ in 0..PROCESSES {
        let server = Server::without_jobs(&app).await;
        people.push(Arc::new(server.sign_in().await));
        servers.push(server);
    }
    // Each process has so many connections to the database as it has; more would only wait.
    let room = Arc::new(Semaphore::new(30));

    let statuses: Vec<u16> = stream::iter(0..WISHES)
        .map(|at| {
            let (ada, room) = (people[at % PROCESSES].clone(), room.clone());
            tokio::spawn(async move {
                let _place = room.acquire().await.unwrap();
                ada.try_ask("a boat", &[], None).await.status
            })
        })
        .buffer_unordered(WISHES)
        .map(Result::unwrap)
        .collect()
        .await;

    let answered = |status| statuses.iter().filter(|it| **it == status).count();
    assert_eq!((answered(303), answered(402)), (5, WISHES - 5), "{statuses:?}");
    assert_eq!(app.count("SELECT COUNT(*) FROM runs").await, 5);
    for mut server in servers {
        assert_eq!(server.stop().await, Some(0));
    }
    app.finish().await;
}
