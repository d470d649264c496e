//! How things take longer as the tables grow.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::{
    Result,
    figures::median,
    house::Place,
    load::{self, Door},
    pictures::tiny,
    rooms::Stay,
    seeds::{Books, Person},
    wire::Wire,
};

impl Stay<'_> {
    /// In a house of its own, the same person and the same steps each time.
    pub async fn grow(&mut self, place: &Place) -> Result<()> {
        place.start(self.mode).await?.stop()?;
        let books = Books::open(&place.database).await?;
        books.keys(10, 1000).await?;
        let person = books.past(1000).await? + 1;
        let person = books.enter(person).await?;
        self.sandbox.gemini().latency(Duration::ZERO);
        self.sandbox.gemini().still(Some(tiny()?));
        let few = self.round(place, &books, &person).await?;
        let many_keys = {
            books.keys(10_000 - 10, 1000).await?;
            self.round(place, &books, &person).await?
        };
        let began = Instant::now();
        books.past(self.effort.runs - 1000).await?;
        self.notes.push(format!("{}: {} runs written in {:.0?}", self.mode.name(), self.effort.runs, began.elapsed()));
        let many = self.round(place, &books, &person).await?;
        books.db.close().await?;
        let ratio = |from: f64, to: f64| to / from;
        let runs = self.effort.runs;
        let words = |what: &str| format!("{what} with {runs} runs, against a thousand");
        let figures = [
            self.figure("growth-choose", "choosing a key of 10,000, against 10", ratio(few.pick, many_keys.pick), "×"),
            self.figure("growth-submit", &words("submitting"), ratio(many_keys.submit, many.submit), "×"),
            self.figure("growth-poll", &words("an unchanged poll"), ratio(many_keys.poll, many.poll), "×"),
            self.figure(
                "growth-fragment",
                &words("a poll that brings the picture"),
                ratio(many_keys.fragment, many.fragment),
                "×",
            ),
            self.figure("growth-gallery", &words("the gallery"), ratio(many_keys.gallery, many.gallery), "×"),
            self.figure("growth-history", &words("the history"), ratio(many_keys.history, many.history), "×"),
        ];
        self.figures.extend(figures.into_iter().map(|figure| figure.at_most(1.3).compared(0.5)));
        self.notes.push(format!(
            "{}: ms with a thousand runs and 10 keys, a thousand runs and 10,000 keys, {runs} runs and 10,000 keys: \
             {few:.2?}, {many_keys:.2?}, {many:.2?}",
            self.mode.name()
        ));
        Ok(())
    }

    async fn round(&self, place: &Place, books: &Books, person: &Person) -> Result<Round> {
        let house = place.start(self.mode).await?;
        let door = Door::of(house.port);
        let run = door.ask(person).await?;
        load::settled(books).await?;
        sleep(Duration::from_secs(2)).await;
        let before = house.measure("nproxy_pick_seconds").await?;
        let mut wire = Wire::open(house.port).await?;
        let (mut submit, mut poll, mut fragment, mut gallery, mut history) = (vec![], vec![], vec![], vec![], vec![]);
        let path = format!("/app/runs/{run}");
        let tag = wire.get(Some(&person.browser), &path, None, true).await?.ptag.ok_or("a run without a tag")?;
        for _ in 0..self.effort.samples {
            let began = Instant::now();
            door.ask(person).await?;
            submit.push(began.elapsed().as_secs_f64() * 1000.0);
            load::settled(books).await?;
            for (took, path, ptag, htmx) in [
                (&mut poll, path.as_str(), Some(tag.as_str()), true),
                (&mut fragment, path.as_str(), None, true),
                (&mut gallery, "/app/gallery", None, false),
                (&mut history, "/app/history", None, false),
            ] {
                let began = Instant::now();
                let answer = wire.get(Some(&person.browser), path, ptag, htmx).await?;
                took.push(began.elapsed().as_secs_f64() * 1000.0);
                if ![200, 304].contains(&answer.status) {
                    return Err(format!("{path} was answered with {}", answer.status).into());
                }
            }
        }
        let after = house.measure("nproxy_pick_seconds").await?;
        house.stop()?;
        Ok(Round {
            pick: (after.0 - before.0) * 1000.0 / (after.1 - before.1).max(1.0),
            submit: median(&submit),
            poll: median(&poll),
            fragment: median(&fragment),
            gallery: median(&gallery),
            history: median(&history),
        })
    }
}

/// Milliseconds that each step took, in the middle; choosing a key on average.
#[derive(Debug, Clone, Copy)]
struct Round {
    pick: f64,
    submit: f64,
    poll: f64,
    fragment: f64,
    gallery: f64,
    history: f64,
}
