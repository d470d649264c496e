//! Wishes without a browser, where it is the pool that is looked at.

use nproxy::models::{
    generations::{self, Ask, Submission},
    runs, users,
};

use super::{TestApp, eventually};

impl TestApp {
    /// Submits a wish; the id of its run.
    pub async fn wish(&self, user: &users::Model, prompt: &str, pictures: usize) -> i64 {
        let ask = Ask {
            prompt: prompt.into(),
            batch_size: pictures.to_string(),
            client_token: uuid::Uuid::new_v4().to_string(),
            ..Ask::default()
        };
        let submission = generations::submit(&self.ctx, user, None, ask).await.unwrap();
        let Submission::Accepted { generation, .. } = submission else { panic!("{submission:?}") };
        runs::of_generations(&self.ctx.db, vec![generation.id]).await.unwrap()[0].id
    }

    /// As much quota as a test may need, for a person of the standing cast.
    pub async fn rich(&self, name: &str) -> users::Model {
        let email = format!("{name}@example.com");
        self.task("grant", &[("email", &email), ("kind", "quota"), ("amount", "1000")]).await.unwrap();
        self.user(name).await
    }

    /// Waits until no run is under way.
    pub async fn runs_over(&self) {
        eventually("the runs", || async {
            (self.count("SELECT COUNT(*) FROM runs WHERE finished_at IS NULL").await == 0).then_some(())
        })
        .await;
    }

    /// Waits until nobody works on a run: what the last picture means for its key follows it.
    pub async fn runs_left(&self) {
        eventually("the jobs of the runs", || async {
            let at_work = "SELECT COUNT(*) FROM jobs WHERE class = 'FulfilRun' AND state IN ('queued', 'running')";
            (self.count(at_work).await == 0).then_some(())
        })
        .await;
    }

    /// Pictures that arrived.
    pub async fn pictures(&self) -> i64 {
        self.count("SELECT COUNT(*) FROM outputs WHERE state = 'done'").await
    }
}
