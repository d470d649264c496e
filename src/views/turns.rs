//! One turn of a conversation: what was asked for, and its run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    assets::{alt, file_url, thumb_url},
    runs::{self, RunView, Shown},
};
use crate::models::{
    assets,
    catalogue::Catalogue,
    generations::{Model, Params},
    outputs, runs as run_models,
    tokens::PlainToken,
};

#[derive(Debug, Serialize)]
pub struct TurnView {
    pub pid: String,
    pub anchor: String,
    pub prompt: String,
    pub model_name: String,
    pub facts: Vec<String>,
    pub created_at: String,
    pub input: Option<InputView>,
    pub reuse_url: String,
    /// The same for htmx, which wants no place in the address.
    pub reuse_get: String,
    pub again: Again,
    pub run: RunView,
}

#[derive(Debug, Serialize)]
pub struct InputView {
    /// Empty when the picture was deleted.
    pub url: String,
    pub thumb_url: String,
    pub alt: String,
    pub strength_words: &'static str,
}

/// The button that asks for the same anew; what it carries makes pressing twice one.
#[derive(Debug, Serialize)]
pub struct Again {
    pub id: String,
    pub url: String,
    pub token: String,
}

/// Rows of several turns, fetched together.
#[derive(Debug)]
pub struct Rows {
    pub generations: Vec<Model>,
    /// All of them, of each generation the newest last.
    pub runs: Vec<run_models::Model>,
    pub places: Vec<outputs::Model>,
    pub pictures: Vec<assets::Model>,
    pub sources: Vec<(i64, assets::Model)>,
    /// How long runs took lately, by model; only of those that are waited for.
    pub paces: BTreeMap<String, run_models::Pace>,
    /// Waiting runs before each that waits itself, by its id.
    pub ahead: BTreeMap<i64, u64>,
    pub now: DateTime<Utc>,
}

#[must_use]
pub fn view(rows: &Rows, catalogue: &Catalogue, conversation_url: &str) -> Vec<TurnView> {
    rows.generations.iter().filter_map(|generation| turn(rows, generation, catalogue, conversation_url)).collect()
}

fn turn(rows: &Rows, generation: &Model, catalogue: &Catalogue, conversation_url: &str) -> Option<TurnView> {
    let runs: Vec<_> = rows.runs.iter().filter(|run| run.generation_id == generation.id).cloned().collect();
    let params = generation.params().ok()?;
    let newest = runs.last()?;
    let source = rows.sources.iter().find(|(id, _)| *id == generation.id).map(|(_, asset)| asset);
    let reuse_get = format!("{conversation_url}?from={}", generation.pid);
    let reuse_url = format!("{reuse_get}#composer");
    Some(TurnView {
        pid: generation.pid.to_string(),
        anchor: format!("turn-{}", generation.pid),
        prompt: generation.prompt.clone(),
        model_name: catalogue.model(&generation.model).map_or(generation.model.clone(), |m| m.name.clone()),
        facts: facts(&params),
        created_at: generation.created_at.to_rfc3339(),
        input: source.map(|asset| input(asset, generation, &params)),
        run: runs::view(&Shown {
            generation,
            params: &params,
            newest,
            runs: &runs,
            places: &rows.places,
            pictures: &rows.pictures,
            conversation_url,
            reuse_url: &reuse_url,
            pace: rows.paces.get(&generation.model).copied(),
            ahead: rows.ahead.get(&newest.id).copied().unwrap_or_default(),
            now: rows.now,
        }),
        reuse_url,
        reuse_get,
        again: again(generation),
    })
}

#[must_use]
pub fn again(generation: &Model) -> Again {
    Again {
        id: format!("again-{}", generation.pid),
        url: format!("/app/generations/{}/repetition", generation.pid),
        token: PlainToken::mint().expose().to_owned(),
    }
}

fn input(asset: &assets::Model, generation: &Model, params: &Params) -> InputView {
    let strength_words = strength_words(params.strength.unwrap_or(1.0));
    if asset.deleted_at.is_some() {
        let alt = "The picture this started from was deleted".into();
        return InputView { url: String::new(), thumb_url: String::new(), alt, strength_words };
    }
    InputView {
        url: file_url(asset),
        thumb_url: thumb_url(asset),
        alt: format!("The picture this started from: {}", alt(&generation.prompt)),
        strength_words,
    }
}

/// `1K · 16:9 · 4 pictures`
#[must_use]
pub fn facts(params: &Params) -> Vec<String> {
    let count = match params.batch_size {
        1 => "1 picture".into(),
        n => format!("{n} pictures"),
    };
    vec![params.resolution.to_uppercase(), params.aspect_ratio.clone(), count]
}

/// The same steps as beside the slider.
#[must_use]
pub fn strength_words(strength: f32) -> &'static str {
    match strength {
        s if s < 0.2 => "Stays very close",
        s if s < 0.4 => "Stays close",
        s if s < 0.65 => "Balanced",
        s if s < 0.85 => "Follows your words",
        _ => "Only your words",
    }
}
