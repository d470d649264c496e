//! A run with its places: the fragment that polls and the page that shows it first are made from this one shape.

use serde::Serialize;

use super::{
    assets::{PictureView, picture},
    failures,
};
use crate::models::{
    assets,
    outputs::{self, State as Place},
    runs::{Model, State},
};

/// Roughly what the vendors draw at the smallest size; only the ratio matters to the page.
const PIXELS: f64 = 1024.0 * 1024.0;

#[derive(Debug, Serialize)]
pub struct RunView {
    pub pid: String,
    pub id: String,
    pub url: String,
    /// Moves with everything that the fragment shows.
    pub ptag: String,
    pub is_final: bool,
    pub state_words: String,
    pub expect_words: &'static str,
    /// RFC 3339; empty before and after the work.
    pub since: String,
    pub shape: &'static str,
    pub ratio: String,
    pub width: i64,
    pub height: i64,
    pub cells: Vec<CellView>,
    pub notice: Option<Notice>,
}

#[derive(Debug, Serialize)]
pub struct CellView {
    pub id: String,
    pub number: i64,
    pub is_waiting: bool,
    pub is_done: bool,
    pub is_failed: bool,
    pub text: &'static str,
    pub picture: Option<PictureView>,
}

#[derive(Debug, Serialize)]
pub struct Notice {
    pub tone: &'static str,
    pub text: String,
    pub action: Option<Action>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Action {
    pub label: &'static str,
    pub url: String,
}

/// Everything a run is shown with.
#[derive(Debug)]
pub struct Shown<'a> {
    pub run: &'a Model,
    pub places: &'a [outputs::Model],
    pub pictures: &'a [assets::Model],
    pub prompt: &'a str,
    pub aspect_ratio: &'a str,
    pub conversation_url: &'a str,
    /// Where the same wish stands in the composer again.
    pub reuse_url: &'a str,
}

#[must_use]
pub fn ptag(run: &Model) -> String {
    format!("{}.{}", run.version, u8::from(run.is_final()))
}

#[must_use]
pub fn view(shown: &Shown<'_>) -> RunView {
    let run = shown.run;
    let (width, height) = expected_size(shown.aspect_ratio);
    let places: Vec<_> = shown.places.iter().filter(|place| place.run_id == run.id).collect();
    RunView {
        pid: run.pid.to_string(),
        id: format!("run-{}", run.pid),
        url: format!("/app/runs/{}", run.pid),
        ptag: ptag(run),
        is_final: run.is_final(),
        state_words: state_words(run, &places),
        expect_words: "",
        since: if run.is_final() { String::new() } else { run.created_at.to_rfc3339() },
        shape: shape(shown.aspect_ratio),
        ratio: shown.aspect_ratio.to_owned(),
        width,
        height,
        cells: places.iter().map(|place| cell(place, shown)).collect(),
        notice: notice(run, &places, shown),
    }
}

fn cell(place: &outputs::Model, shown: &Shown<'_>) -> CellView {
    let asset =
        place.asset_id.and_then(|id| shown.pictures.iter().find(|asset| asset.id == id && asset.deleted_at.is_none()));
    let state = place.state();
    CellView {
        id: format!("cell-{}-{}", shown.run.pid, place.position),
        number: place.position,
        is_waiting: state == Place::Waiting,
        is_done: state == Place::Done,
        is_failed: state == Place::Failed,
        text: match (state, asset) {
            (Place::Failed, _) => place.reason().map_or("No picture, not charged", failures::short),
            (Place::Done, None) => "Deleted",
            (Place::Done, Some(_)) | (Place::Waiting, _) => "",
        },
        picture: asset.map(|asset| picture(asset, shown.prompt, shown.conversation_url)),
    }
}

fn state_words(run: &Model, places: &[&outputs::Model]) -> String {
    let done = places.iter().filter(|place| place.state() == Place::Done).count();
    let all = places.len();
    match run.state() {
        State::Queued => "In line".into(),
        State::Running if all == 1 => "Working".into(),
        State::Running => format!("{done} of {all} ready"),
        State::Succeeded if done == all && all == 1 => "Your picture is ready".into(),
        State::Succeeded if done == all => format!("All {all} pictures are ready"),
        State::Succeeded => format!("{done} of {all} pictures are ready"),
        State::Failed => "No picture came".into(),
        State::Canceled => "Stopped".into(),
    }
}

fn notice(run: &Model, places: &[&outputs::Model], shown: &Shown<'_>) -> Option<Notice> {
    let again = || Some(Action { label: "Edit and try again", url: shown.reuse_url.to_owned() });
    match run.state() {
        State::Failed => Some(Notice {
            tone: "error",
            text: run.reason().map_or("No picture came. You were not charged.", failures::sentence).into(),
            action: again(),
        }),
        State::Succeeded => {
            let missing = places.iter().filter(|place| place.state() == Place::Failed).count();
            (missing > 0).then(|| Notice {
                tone: "warning",
                text: match missing {
                    1 => "One picture did not come. You were not charged for it.".into(),
                    n => format!("{n} pictures did not come. You were not charged for them."),
                },
                action: again(),
            })
        }
        State::Queued | State::Running | State::Canceled => None,
    }
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
