//! The runs of a generation with their places: the fragment that polls and the page that shows it first are made from this
//! one shape. The newest run says how it stands; pictures that the runs before it brought stay.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{
    assets::{PictureView, picture},
    failures::{self, Remedy},
};
use crate::models::{
    assets, generations,
    outputs::{self, State as Place},
    runs::{AHEAD_MAX, Glance, Model, Pace, Reason, State, missing},
};

/// Roughly what the vendors draw at the smallest size; only the ratio matters to the page.
const PIXELS: f64 = 1024.0 * 1024.0;

/// Places in line that are told to the number; those behind them in tens.
const EXACT_PLACES: u64 = 10;

/// Who stands in line for longer than this is told why.
const LONG_LINE: TimeDelta = TimeDelta::seconds(10);

#[derive(Debug, Serialize)]
pub struct RunView {
    pub pid: String,
    pub id: String,
    pub url: String,
    /// Moves with everything that the fragment shows.
    pub ptag: String,
    pub is_final: bool,
    pub state_words: String,
    /// How long such runs took lately; empty when that is not known.
    pub expect_words: String,
    /// RFC 3339; empty before and after the work.
    pub since: String,
    pub shape: &'static str,
    pub width: i64,
    pub height: i64,
    pub cells: Vec<CellView>,
    pub cancel_url: String,
    /// Where the turn says why a press was not taken.
    pub said_id: String,
    /// Bears what can be done at the moment, and what came of it: who pressed the one goes on at the other.
    pub next_id: String,
    pub notice: Option<Notice>,
}

#[derive(Debug, Serialize)]
pub struct CellView {
    pub id: String,
    pub number: usize,
    pub is_waiting: bool,
    pub is_done: bool,
    pub is_failed: bool,
    pub text: &'static str,
    pub picture: Option<PictureView>,
    /// Where a picture that was deleted just now is brought back.
    pub restore_url: String,
}

#[derive(Debug, Serialize)]
pub struct Notice {
    pub tone: &'static str,
    pub text: String,
    /// What is missing, once more.
    pub retry: Option<Retry>,
    /// The words and settings in the composer again.
    pub edit: Option<Action>,
    /// The same for htmx, which wants no place in the address.
    pub edit_get: String,
}

#[derive(Debug, Serialize)]
pub struct Retry {
    pub url: String,
    pub number: i64,
    pub label: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Action {
    pub label: &'static str,
    pub url: String,
}

/// Everything a generation's runs are shown with.
#[derive(Debug)]
pub struct Shown<'a> {
    pub generation: &'a generations::Model,
    pub params: &'a generations::Params,
    pub newest: &'a Model,
    /// All of them, the newest last.
    pub runs: &'a [Model],
    pub places: &'a [outputs::Model],
    pub pictures: &'a [assets::Model],
    pub conversation_url: &'a str,
    /// Where the same wish stands in the composer again.
    pub reuse_url: &'a str,
    /// How long runs of this model took lately.
    pub pace: Option<Pace>,
    /// Waiting runs before the newest one, of everybody.
    pub ahead: u64,
    pub now: DateTime<Utc>,
}

/// `slow` is what was told to whoever holds the tag. It stands in it, so that a poll can say whether the words still hold
/// without measuring anything.
#[must_use]
pub fn ptag(run: &Glance, slow: Option<Duration>, now: DateTime<Utc>) -> String {
    let (is_final, slow) = (run.is_final(), slow.filter(|_| !run.is_final()));
    let is_slow = slow.is_some_and(|slow| is_slower(now - run.created_at, slow));
    let [is_final, is_late, is_slow] = [is_final, is_late(run, now), is_slow].map(u8::from);
    let place = if run.state == State::Queued { place(run.ahead).unwrap_or_default() } else { 0 };
    let slow = slow.map(|slow| slow.as_millis().to_string()).unwrap_or_default();
    format!("{}.{is_final}{is_late}{is_slow}.{place}.{slow}", run.version)
}

/// What counts as slow for whoever holds this tag.
#[must_use]
pub fn slow_of(tag: &str) -> Option<Duration> {
    tag.rsplit('.').next()?.parse().ok().map(Duration::from_millis)
}

#[must_use]
pub fn view(shown: &Shown<'_>) -> RunView {
    let run = shown.newest;
    let aspect_ratio = &shown.params.aspect_ratio;
    let (width, height) = expected_size(aspect_ratio);
    RunView {
        pid: run.pid.to_string(),
        id: format!("run-{}", run.pid),
        url: format!("/app/runs/{}", run.pid),
        ptag: ptag(&shown.glance(), shown.pace.map(|pace| pace.slow), shown.now),
        is_final: run.is_final(),
        state_words: shown.state_words(),
        expect_words: shown.expect_words(),
        since: if run.is_final() { String::new() } else { run.created_at.to_rfc3339() },
        shape: shape(aspect_ratio),
        width,
        height,
        cells: shown.cells(),
        cancel_url: if run.is_final() { String::new() } else { format!("/app/runs/{}/cancellation", run.pid) },
        said_id: format!("said-{}", shown.generation.pid),
        next_id: format!("next-{}", shown.generation.pid),
        notice: shown.notice(),
    }
}

impl Shown<'_> {
    fn glance(&self) -> Glance {
        Glance::of(self.newest, self.ahead)
    }

    /// Of the runs before only the pictures; of the newest every place, unless nothing came of it at all.
    fn cells(&self) -> Vec<CellView> {
        let mut cells = Vec::new();
        for run in self.runs {
            let is_whole = run.id == self.newest.id && !matches!(run.state(), State::Failed | State::Canceled);
            let places = self.places.iter().filter(|place| place.run_id == run.id);
            for place in places.filter(|place| is_whole || place.state() == Place::Done) {
                cells.push(self.cell(run, place, cells.len() + 1));
            }
        }
        cells
    }

    fn cell(&self, run: &Model, place: &outputs::Model, number: usize) -> CellView {
        let asset = place.asset_id.and_then(|id| self.pictures.iter().find(|asset| asset.id == id));
        let shown = asset.filter(|asset| asset.deleted_at.is_none());
        let state = place.state();
        CellView {
            id: format!("cell-{}-{}", run.pid, place.position),
            number,
            is_waiting: state == Place::Waiting,
            is_done: state == Place::Done,
            is_failed: state == Place::Failed,
            text: match (state, shown) {
                (Place::Failed, _) => place.reason().map_or("No picture, not charged", failures::short),
                (Place::Done, None) => "Deleted",
                (Place::Done, Some(_)) | (Place::Waiting, _) => "",
            },
            picture: shown.map(|asset| picture(asset, &self.generation.prompt, self.conversation_url)),
            restore_url: asset
                .filter(|asset| asset.is_retrievable(self.now))
                .map(|asset| format!("/app/pictures/{}/restoration", asset.pid))
                .unwrap_or_default(),
        }
    }

    fn missing(&self) -> i64 {
        missing(self.runs, self.params.batch_size)
    }

    fn state_words(&self) -> String {
        let all = self.params.batch_size;
        let done = all - self.missing();
        match self.newest.state() {
            State::Queued if is_late(&self.glance(), self.now) => {
                let place = place_words(self.ahead);
                format!("{place}. Many people are generating; yours keeps its place, no need to press again.")
            }
            State::Queued => place_words(self.ahead),
            State::Running if all == 1 => "Working".into(),
            State::Running => format!("{done} of {all} ready"),
            State::Succeeded | State::Failed | State::Canceled if done == all && all == 1 => {
                "Your picture is ready".into()
            }
            State::Succeeded | State::Failed | State::Canceled if done == all => {
                format!("All {all} pictures are ready")
            }
            State::Succeeded | State::Failed | State::Canceled if done > 0 => {
                format!("{done} of {all} pictures are ready")
            }
            State::Succeeded | State::Failed => "No picture came".into(),
            State::Canceled => "Canceled".into(),
        }
    }

    fn expect_words(&self) -> String {
        if self.newest.is_final() { String::new() } else { expect_words(self.pace, self.now - self.newest.created_at) }
    }

    fn notice(&self) -> Option<Notice> {
        let run = self.newest;
        let missing = self.missing();
        if !run.is_final() || missing == 0 {
            return None;
        }
        let failures = self.places.iter().filter(|place| place.run_id == run.id).filter_map(outputs::Model::reason);
        let (tone, text, reason) = match run.state() {
            State::Canceled => ("info", failures::sentence(Reason::Canceled, run), Reason::Canceled),
            State::Failed | State::Queued | State::Running => {
                let reason = run.reason().unwrap_or(Reason::Empty);
                ("error", failures::sentence(reason, run), reason)
            }
            State::Succeeded => {
                let reasons: Vec<_> = failures.collect();
                let reason = reasons.iter().find(|reason| **reason == Reason::Canceled).or(reasons.first());
                let reason = reason.copied().unwrap_or(Reason::Empty);
                let (tone, text) = came_in_part(reason, missing);
                (tone, text, reason)
            }
        };
        let remedies = failures::remedies(reason);
        let label =
            if missing == self.params.batch_size { "Try again".into() } else { format!("Try again for {missing}") };
        Some(Notice {
            tone,
            text,
            retry: remedies.contains(&Remedy::TryAgain).then(|| Retry {
                url: format!("/app/generations/{}/runs", self.generation.pid),
                number: run.number + 1,
                label,
            }),
            edit: remedies.contains(&Remedy::Edit).then(|| Action {
                label: if remedies.len() == 1 { "Edit and try again" } else { "Edit" },
                url: self.reuse_url.to_owned(),
            }),
            edit_get: self.reuse_url.split('#').next().unwrap_or_default().to_owned(),
        })
    }
}

fn came_in_part(reason: Reason, missing: i64) -> (&'static str, String) {
    match (reason, missing) {
        (Reason::Canceled, _) => ("info", "Canceled. You were charged only for the pictures that came.".into()),
        (_, 1) => ("warning", "One picture did not come. You were not charged for it.".into()),
        (_, n) => ("warning", format!("{n} pictures did not come. You were not charged for them.")),
    }
}

/// "usually 15–40 s"; who has waited longer than that is told so. Nothing where nothing is known.
#[must_use]
pub fn expect_words(pace: Option<Pace>, waited: TimeDelta) -> String {
    let Some(Pace { median, slow }) = pace else { return String::new() };
    if is_slower(waited, slow) {
        return "taking longer than usual".into();
    }
    let (from, to) = (rounded(median.as_secs()), rounded(slow.as_secs()));
    match (from, to) {
        (_, to) if to <= 5 => "usually a few seconds".into(),
        (from, to) if from == to => format!("usually about {to} s"),
        (from, to) => format!("usually {from}–{to} s"),
    }
}

/// To seconds that nobody takes for exact.
const fn rounded(seconds: u64) -> u64 {
    match seconds {
        0..=9 => seconds + 1,
        10..=119 => seconds.div_ceil(5) * 5,
        _ => seconds.div_ceil(30) * 30,
    }
}

fn is_slower(waited: TimeDelta, slow: Duration) -> bool {
    waited.to_std().is_ok_and(|waited| waited > slow)
}

/// In steps that grow, so that a long line that moves is not drawn anew for everybody in it. `None` far behind.
pub(super) fn place(ahead: u64) -> Option<u64> {
    match ahead + 1 {
        _ if ahead >= u64::from(AHEAD_MAX) => None,
        place if place <= EXACT_PLACES => Some(place),
        place => Some(place.next_multiple_of(EXACT_PLACES)),
    }
}

pub(super) fn place_words(ahead: u64) -> String {
    match place(ahead) {
        None => format!("More than {AHEAD_MAX} in line before you"),
        Some(1) => "Next in line".into(),
        Some(place) if place <= EXACT_PLACES => format!("Place {place} in line"),
        Some(place) => format!("About place {place} in line"),
    }
}

fn is_late(run: &Glance, now: DateTime<Utc>) -> bool {
    run.state == State::Queued && now - run.created_at > LONG_LINE
}

/// `(width, height)` of the ratio at about one megapixel.
#[must_use]
pub fn expected_size(aspect_ratio: &str) -> (i64, i64) {
    let (w, h) = aspect_ratio.split_once(':').unwrap_or(("1", "1"));
    let ratio = w.parse::<f64>().unwrap_or(1.0) / h.parse::<f64>().unwrap_or(1.0).max(1.0);
    #[expect(clippy::cast_possible_truncation, reason = "about a thousand")]
    let side = |x: f64| x.sqrt().round() as i64;
    (side(PIXELS * ratio), side(PIXELS / ratio))
}

#[must_use]
pub fn shape(aspect_ratio: &str) -> &'static str {
    match aspect_ratio {
        "4:3" => "landscape",
        "3:4" => "portrait",
        "16:9" => "wide",
        "9:16" => "tall",
        _ => "square",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_says_by_itself_when_the_words_are_over() {
        let run = Glance { version: 3, state: State::Running, created_at: DateTime::UNIX_EPOCH, ahead: 0 };
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let told = ptag(&run, Some(Duration::from_secs(37)), at(1));
        assert_eq!(slow_of(&told), Some(Duration::from_secs(37)));
        assert_eq!(ptag(&run, slow_of(&told), at(37)), told);
        assert_ne!(ptag(&run, slow_of(&told), at(38)), told);
        let unknown = ptag(&run, None, at(1));
        assert_eq!(ptag(&run, slow_of(&unknown), at(1000)), unknown);

        let queued = |ahead| ptag(&Glance { state: State::Queued, ahead, ..run }, None, at(1));
        assert_ne!(queued(0), queued(1));
        assert_eq!(queued(20), queued(29));
        assert_eq!(queued(100), queued(1000));
    }

    #[test]
    fn a_place_in_line_is_said_as_far_as_it_helps() {
        let said = [0, 1, 9, 10, 99, 100].map(place_words);
        let expected = ["Next in line", "Place 2 in line", "Place 10 in line", "About place 20 in line"];
        assert_eq!(said[..4], expected);
        assert_eq!(said[4..], ["About place 100 in line", "More than 100 in line before you"]);
    }

    #[test]
    fn what_is_expected_is_said_roughly() {
        let pace = |median, slow| Some(Pace { median: Duration::from_secs(median), slow: Duration::from_secs(slow) });
        let soon = TimeDelta::seconds(1);
        assert_eq!(expect_words(None, soon), "");
        assert_eq!(expect_words(pace(1, 2), soon), "usually a few seconds");
        assert_eq!(expect_words(pace(13, 37), soon), "usually 15–40 s");
        assert_eq!(expect_words(pace(31, 33), soon), "usually about 35 s");
        assert_eq!(expect_words(pace(13, 37), TimeDelta::seconds(38)), "taking longer than usual");
    }
}
