//! Those who ask, and do not take silence for an answer.

use std::{sync::atomic::Ordering, time::Duration};

use futures::{
    StreamExt,
    future::{join, join_all},
    stream,
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use reqwest::multipart::Form;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{DOOMED, ONE_DOOMED_IN, PEOPLE, World, evidence, storm::Storm};
use crate::support::Person;

/// At the same time.
const HANDS: usize = 6;
/// Processes come back within seconds, and so does the database.
const PATIENCE: Duration = Duration::from_secs(120);
/// Runs under way: more would only wait, and all be hit by each death.
const LIVE: i64 = 24;
const ROUNDS: usize = 40;

pub struct Crowd<'a> {
    world: &'a World,
    client: reqwest::Client,
    /// Sessions, by their cookies.
    cookies: Vec<String>,
}

impl<'a> Crowd<'a> {
    /// Signs everybody in.
    pub async fn come(world: &'a World, storm: &mut Storm<'_>) -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = client.timeout(Duration::from_secs(20)).build().unwrap();
        let url = storm.first_web().await;
        let mut cookies = Vec::new();
        for name in PEOPLE {
            let (person, email) = (Person::new(&url), format!("{name}@example.com"));
            let form = [("email", email.as_str()), ("password", nproxy::models::users::seeds::PASSWORD)];
            let answer = person.post("/login", &form).await;
            assert_eq!(answer.status, 303, "{}", answer.body);
            cookies.push(person.cookie().unwrap());
        }
        Self { world, client, cookies }
    }

    /// All wishes, as fast as the goal allows.
    pub async fn asks(&self) {
        join_all((0..HANDS).map(|_| self.hand())).await;
    }

    async fn hand(&self) {
        let world = self.world;
        loop {
            let number = world.asked.fetch_add(1, Ordering::SeqCst);
            if number >= world.scale.wishes {
                return;
            }
            while number >= world.goal.load(Ordering::SeqCst) || world.live().await >= LIVE {
                if world.is_over.load(Ordering::SeqCst) {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
            let is_doomed = number.is_multiple_of(ONE_DOOMED_IN);
            self.wish(number, if is_doomed { DOOMED } else { "boat" }).await;
            world.answered.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The same wish twice at the same time, wherever somebody answers.
    async fn wish(&self, number: usize, prompt: &str) -> bool {
        let token = Uuid::new_v4().to_string();
        let prompt = format!("{prompt} {number}");
        let (one, other) = join(self.submit(number, &token, &prompt, 1), self.submit(number, &token, &prompt, 2)).await;
        // The second may find what a failed run has given back in between.
        let is_accepted = one == 303 || other == 303;
        if is_accepted {
            self.world.accepted.lock().unwrap().insert(token);
        } else {
            self.world.refused.fetch_add(1, Ordering::SeqCst);
        }
        is_accepted
    }

    /// Until somebody says yes or no. Whether a request that broke off was heard nobody knows, so it is sent again.
    async fn submit(&self, number: usize, token: &str, prompt: &str, copy: u64) -> u16 {
        let mut rng = StdRng::seed_from_u64(self.world.scale.seed + number as u64 * 2 + copy);
        let end = Instant::now() + PATIENCE;
        let cookie = &self.cookies[number % self.cookies.len()];
        let mut last = String::new();
        loop {
            assert!(Instant::now() < end, "nobody answers to {prompt:?}: {last}");
            let address = self.world.addresses.lock().unwrap().choose(&mut rng).cloned();
            let Some(address) = address else {
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            let form = Form::new().text("prompt", prompt.to_owned()).text("client_token", token.to_owned());
            let request = self.client.post(format!("{address}/app/conversations")).multipart(form);
            let request = request.header("cookie", cookie).header("sec-fetch-site", "same-origin");
            match request.header("accept", "text/html").send().await {
                Ok(answer) => match answer.status().as_u16() {
                    303 => {
                        let place = answer.headers()["location"].to_str().unwrap();
                        assert!(place.contains("/app/conversations/"), "{place}");
                        return 303;
                    }
                    402 => return 402,
                    // The database is away, or there are too many at once.
                    status @ (429 | 500 | 503) => last = status.to_string(),
                    status => panic!("{status} to {prompt:?}: {}", answer.text().await.unwrap()),
                },
                Err(error) => last = error.to_string(),
            }
            sleep(Duration::from_millis(rng.random_range(50..300))).await;
        }
    }

    /// As many wishes as can still be paid, again and again, until one is refused with nothing left.
    pub async fn spends_the_rest(&self, storm: &Storm<'_>) -> Vec<String> {
        for round in 0..ROUNDS {
            let left = evidence::left(&self.world.app).await;
            if left.iter().all(|left| *left == 0) {
                return self.nothing_is_left().await;
            }
            println!("round {round}: {left:?} pictures are left");
            // Who has how much: the person of a wish goes by its number.
            let numbers = left.iter().enumerate().flat_map(|(person, left)| {
                (0..usize::try_from(*left).unwrap())
                    .map(move |at| 1_000_000 + (round * 10_000 + at) * PEOPLE.len() + person)
            });
            let wishes = stream::iter(numbers.collect::<Vec<_>>()).map(|number| self.wish(number, "boat"));
            let all: Vec<bool> = wishes.buffer_unordered(HANDS).collect().await;
            if all.contains(&false) {
                return vec!["a wish that can be paid was refused".to_owned()];
            }
            let wrong = self.world.settles(storm, "in calm weather").await;
            if !wrong.is_empty() {
                return wrong;
            }
        }
        vec!["pictures fail in calm weather".to_owned()]
    }

    async fn nothing_is_left(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for person in 0..PEOPLE.len() {
            if self.wish(9_000_000 + person, "boat").await {
                wrong.push("a wish began with nothing to pay it".to_owned());
            }
        }
        wrong
    }
}
