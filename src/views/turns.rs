//! One turn of a conversation: what was asked for, and its run.

use std::collections::HashMap;

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
    pub run: RunView,
}

#[derive(Debug, Serialize)]
pub struct InputView {
    pub url: String,
    pub thumb_url: String,
    pub alt: String,
    pub strength_words: &'static str,
}

/// Rows of several turns, fetched together.
#[derive(Debug, Default)]
pub struct Rows {
    pub generations: Vec<Model>,
    pub runs: Vec<run_models::Model>,
    pub places: Vec<outputs::Model>,
    pub pictures: Vec<assets::Model>,
    pub sources: Vec<(i64, assets::Model)>,
}

#[must_use]
pub fn view(rows: &Rows, catalogue: &Catalogue, conversation_url: &str) -> Vec<TurnView> {
    let runs: HashMap<i64, &run_models::Model> = rows.runs.iter().map(|run| (run.generation_id, run)).collect();
    rows.generations
        .iter()
        .filter_map(|generation| {
            let run = runs.get(&generation.id)?;
            let params = generation.params().ok()?;
            let source = rows.sources.iter().find(|(id, _)| *id == generation.id).map(|(_, asset)| asset);
            let reuse_url = format!("{conversation_url}?from={}#composer", generation.pid);
            Some(TurnView {
                pid: generation.pid.to_string(),
                anchor: format!("turn-{}", generation.pid),
                prompt: generation.prompt.clone(),
                model_name: catalogue.model(&generation.model).map_or(generation.model.clone(), |m| m.name.clone()),
                facts: facts(&params),
                created_at: generation.created_at.to_rfc3339(),
                input: source.map(|asset| InputView {
                    url: file_url(asset),
                    thumb_url: thumb_url(asset),
                    alt: format!("The picture this started from: {}", alt(&generation.prompt)),
                    strength_words: strength_words(params.strength.unwrap_or(1.0)),
                }),
                run: runs::view(&Shown {
                    run,
                    places: &rows.places,
                    pictures: &rows.pictures,
                    prompt: &generation.prompt,
                    aspect_ratio: &params.aspect_ratio,
                    conversation_url,
                    reuse_url: &reuse_url,
                }),
                reuse_url,
            })
        })
        .collect()
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
