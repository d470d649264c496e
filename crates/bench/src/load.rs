//! People who ask for pictures and wait for them, as browsers do: a form sent by htmx, then a poll a second until the run
//! is final.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    Result,
    seeds::{Books, Person},
    wire::{Browser, Wire},
};

/// As the page polls.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// Longer than anything that works takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections that stay open between requests.
#[derive(Clone)]
pub struct Door {
    port: u16,
    idle: Arc<Mutex<Vec<Wire>>>,
}

/// What a load came to.
#[derive(Debug, Default)]
pub struct Tally {
    pub accepted: usize,
    /// What was answered instead, with how often.
    pub refused: Vec<String>,
    pub polls: usize,
}

impl Door {
    pub fn of(port: u16) -> Self {
        Self { port, idle: Arc::default() }
    }

    async fn wire(&self) -> Result<Wire> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(wire) => Ok(wire),
            None => Wire::open(self.port).await,
        }
    }

    fn back(&self, wire: Wire) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(wire);
    }

    /// Sends a prompt; the id of the run that it started.
    pub async fn ask(&self, person: &Person) -> Result<String> {
        let token: u128 = rand::random();
        let form = format!(
            "prompt=a+boat+at+dusk%2C+{token:x}&mode=text_to_image&model=nano_banana&resolution=1k&aspect_ratio=1%3A1&\
             batch_size=1&client_token={token:032x}"
        );
        let mut wire = self.wire().await?;
        let path = format!("/app/conversations/{}/generations", person.conversation);
        let answer = wire.post(&person.browser, &path, &form).await?;
        self.back(wire);
        let text = answer.text();
        // Not by the address that it asks next: a run that is over by now is asked for no more.
        let run = text.split("id=\"run-").nth(1).and_then(|rest| rest.get(..36)).map(str::to_owned);
        match run {
            Some(run) if answer.status == 200 => Ok(run),
            _ => Err(format!("a prompt was answered with {}", answer.status).into()),
        }
    }

    /// Polls a run as its page does, until it is final; how often.
    pub async fn wait(&self, who: &Browser, run: &str) -> Result<usize> {
        let path = format!("/app/runs/{run}");
        let (mut ptag, mut polls) = (None, 0);
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            sleep(POLL_EVERY).await;
            let mut wire = self.wire().await?;
            let answer = wire.get(Some(who), &path, ptag.as_deref(), true).await?;
            self.back(wire);
            polls += 1;
            match answer.status {
                200 if !answer.text().contains("hx-trigger=\"every") => return Ok(polls),
                200 => ptag = answer.ptag,
                304 => {}
                status => return Err(format!("a poll was answered with {status}").into()),
            }
        }
        Err("a run was not final in time".into())
    }
}

/// So many prompts in each second for so long, whatever becomes of those before; ends when all are final.
pub async fn at_rate(port: u16, people: &[Person], rate: f64, lasting: Duration) -> Tally {
    let door = Door::of(port);
    let begins = Instant::now();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "thousands at most")]
    let count = (lasting.as_secs_f64() * rate) as u32;
    let wishes = (0..count).map(|at| {
        let (door, person) = (door.clone(), &people[at as usize % people.len()]);
        async move {
            sleep_until(begins + Duration::from_secs_f64(f64::from(at) / rate)).await;
            let run = door.ask(person).await?;
            door.wait(&person.browser, &run).await
        }
    });
    let mut tally = Tally::default();
    for outcome in join_all(wishes).await {
        match outcome {
            Ok(polls) => {
                tally.accepted += 1;
                tally.polls += polls;
            }
            Err(error) => tally.refused.push(error.to_string()),
        }
    }
    tally
}

/// Unchanged polls on so many connections for so long: how many were answered with 304, and how long each took, ms.
pub async fn polls(port: u16, people: &[(Person, String)], connections: usize, lasting: Duration) -> Result<Vec<f64>> {
    let end = Instant::now() + lasting;
    let pollers = (0..connections).map(|at| {
        let (person, run) = people[at % people.len()].clone();
        async move {
            let mut wire = Wire::open(port).await?;
            let path = format!("/app/runs/{run}");
            let first = wire.get(Some(&person.browser), &path, None, true).await?;
            let tag = first.ptag.ok_or("a run without a tag")?;
            let mut took = Vec::new();
            while Instant::now() < end {
                let began = Instant::now();
                let answer = wire.get(Some(&person.browser), &path, Some(&tag), true).await?;
                if answer.status != 304 {
                    return Err(format!("an unchanged poll was answered with {}", answer.status).into());
                }
                took.push(began.elapsed().as_secs_f64() * 1000.0);
            }
            Ok::<_, crate::Error>(took)
        }
    });
    let mut all = Vec::new();
    for took in join_all(pollers).await {
        all.extend(took?);
    }
    Ok(all)
}

/// Waits until no run is under way and no job for one; whether that came.
pub async fn settled(books: &Books) -> Result<bool> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let open = "SELECT (SELECT COUNT(*) FROM runs WHERE state IN ('queued', 'running')) + \
                    (SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running') AND class = 'FulfilRun')";
        if books.number(open).await? == 0 {
            return Ok(true);
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(false)
}
