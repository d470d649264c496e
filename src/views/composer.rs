//! The form that makes pictures, as a template fills it in.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::{
    allowances::AllowanceView,
    assets::thumb_url,
    runs::{Action, shape},
    turns::strength_words,
};
use crate::models::{
    assets::{self, picture::UPLOAD_MAX_BYTES},
    catalogue::{ASPECT_RATIOS, Catalogue, ImageModel},
    generations::{Ask, DEFAULT_STRENGTH, Faults, Mode, Model, Params},
    holds::Cost,
    tokens::PlainToken,
};

const SUGGESTIONS: [&str; 6] = [
    "A lighthouse on a cliff at dusk, long exposure, soft mist over the sea",
    "A cosy reading corner in autumn light, watercolour",
    "Snowy mountains under northern lights, reflected in a still lake",
    "A paper-cut city at night with warm windows",
    "Botanical poster of wild ferns, muted greens on cream",
    "A tiny robot gardener among giant tulips, studio light",
];

#[derive(Debug, Serialize)]
pub struct ComposerView {
    pub action: String,
    /// Where it stands.
    pub page: String,
    pub token: String,
    pub prompt: String,
    pub models: Vec<Choice>,
    pub modes: Vec<Choice>,
    pub resolutions: Vec<Choice>,
    pub aspects: Vec<Choice>,
    pub batches: Vec<Batch>,
    pub strength: String,
    pub strength_words: &'static str,
    pub input: Option<Input>,
    pub errors: Errors,
    pub max_upload_words: &'static str,
    pub max_upload_bytes: usize,
    pub cost_words: String,
    #[serde(flatten)]
    pub means: Means,
    pub suggestions: Vec<Suggestion>,
}

/// What is left, and what comes of that: it moves while somebody writes, so it stands apart from what they write.
#[derive(Debug, Serialize)]
pub struct Means {
    /// Said before the last of it is used; empty while there is more.
    pub warning: &'static str,
    pub blocked: Option<Blocked>,
    /// Where more is to be had.
    pub plan: Action,
    /// What pays for one picture, for two and so on, by model, as JSON: the page says that of the number that is chosen.
    pub costs: String,
}

#[derive(Debug, Serialize)]
pub struct Choice {
    pub id: String,
    pub label: String,
    pub name: String,
    pub shape: &'static str,
    pub selected: bool,
}

#[derive(Debug, Serialize)]
pub struct Batch {
    pub n: i64,
    pub selected: bool,
}

#[derive(Debug, Serialize)]
pub struct Input {
    pub pid: String,
    pub thumb_url: String,
    pub alt: &'static str,
    /// What happens to a picture that came along and is not used.
    pub unused_words: &'static str,
    pub remove_url: String,
}

#[derive(Debug, Default, Serialize)]
pub struct Errors {
    pub base: String,
    /// Shown with the way to the plan.
    pub allowance: String,
    pub prompt: String,
    pub image: String,
    pub mode: String,
    pub model: String,
    pub resolution: String,
    pub aspect_ratio: String,
    pub batch_size: String,
    pub strength: String,
}

#[derive(Debug, Serialize)]
pub struct Blocked {
    pub text: String,
    pub action: Action,
}

#[derive(Debug, Serialize)]
pub struct Suggestion {
    pub text: &'static str,
    pub url: String,
}

/// What stands in the form.
#[derive(Debug, Default, Clone)]
pub struct Draft {
    pub prompt: String,
    pub model: String,
    pub mode: String,
    pub resolution: String,
    pub aspect_ratio: String,
    pub batch_size: i64,
    pub strength: Option<f32>,
    pub input: Option<assets::Model>,
    pub faults: Faults,
}

impl Draft {
    /// What was sent and not taken stands there again.
    #[must_use]
    pub fn of_ask(ask: &Ask, input: Option<assets::Model>, faults: Faults) -> Self {
        Self {
            prompt: ask.prompt.clone(),
            model: ask.model.clone(),
            mode: ask.mode.clone(),
            resolution: ask.resolution.to_lowercase(),
            aspect_ratio: ask.aspect_ratio.clone(),
            batch_size: ask.pictures(),
            strength: ask.strength.parse().ok(),
            input,
            faults,
        }
    }

    /// The settings of an earlier turn; its prompt too when it is to be edited.
    #[must_use]
    pub fn of_generation(generation: &Model, params: &Params, prompt: bool, input: Option<assets::Model>) -> Self {
        Self {
            prompt: if prompt { generation.prompt.clone() } else { String::new() },
            model: generation.model.clone(),
            mode: match (&input, prompt) {
                (Some(_), _) => "image_to_image".into(),
                (None, true) => generation.mode.clone(),
                (None, false) => String::new(),
            },
            resolution: params.resolution.clone(),
            aspect_ratio: params.aspect_ratio.clone(),
            batch_size: params.batch_size,
            strength: params.strength,
            input,
            faults: Faults::default(),
        }
    }
}

/// `action` is where the form goes, `page` where it stands.
#[must_use]
pub fn view(
    draft: Draft,
    catalogue: &Catalogue,
    allowance: &AllowanceView,
    action: String,
    page: &str,
) -> ComposerView {
    let model = catalogue.model(&draft.model).unwrap_or_else(|| catalogue.default_model());
    let pick = |wanted: &str, first: &str| if wanted.is_empty() { first.to_owned() } else { wanted.to_owned() };
    let mode = pick(&draft.mode, if draft.input.is_some() { "image_to_image" } else { "text_to_image" });
    let resolution = model.resolutions.iter().find(|it| **it == draft.resolution).unwrap_or(&model.resolutions[0]);
    let batch_size = draft.batch_size.clamp(1, model.max_batch);
    let aspect_ratio = pick(&draft.aspect_ratio, ASPECT_RATIOS[0]);
    let strength = draft.strength.unwrap_or(DEFAULT_STRENGTH);
    let fault = |field: &str| draft.faults.of(field).to_owned();
    ComposerView {
        action,
        page: page.to_owned(),
        token: PlainToken::mint().expose().to_owned(),
        models: catalogue.models.iter().map(|m| choice(&m.id, &m.name, "", m.id == model.id)).collect(),
        modes: model.modes.iter().filter_map(|m| mode_choice(*m, &mode)).collect(),
        resolutions: model.resolutions.iter().map(|r| choice(r, &r.to_uppercase(), "", r == resolution)).collect(),
        aspects: ASPECT_RATIOS.iter().map(|a| choice(a, aspect_label(a), shape(a), *a == aspect_ratio)).collect(),
        batches: (1..=model.max_batch).map(|n| Batch { n, selected: n == batch_size }).collect(),
        // As it was typed: a JSON number would show 0.35 as 0.3499999940395355.
        strength: strength.to_string(),
        strength_words: strength_words(strength),
        input: draft.input.as_ref().map(|asset| Input {
            pid: asset.pid.to_string(),
            thumb_url: thumb_url(asset),
            alt: "The picture to start from",
            unused_words: if asset.is_upload() {
                "If nothing is made from it, it is removed after 7 days."
            } else {
                ""
            },
            remove_url: format!("{page}?input="),
        }),
        errors: Errors {
            base: fault("base"),
            allowance: fault("allowance"),
            prompt: fault("prompt"),
            image: fault("image"),
            mode: fault("mode"),
            model: fault("model"),
            resolution: fault("resolution"),
            aspect_ratio: fault("aspect_ratio"),
            batch_size: fault("batch_size"),
            strength: fault("strength"),
        },
        max_upload_words: "PNG, JPEG or WebP up to 20 MB",
        max_upload_bytes: UPLOAD_MAX_BYTES,
        cost_words: cost_words(allowance, model, batch_size),
        means: means(catalogue, allowance),
        suggestions: SUGGESTIONS
            .iter()
            .map(|text| Suggestion { text, url: format!("{page}?prompt={}#composer", query(text)) })
            .collect(),
        prompt: draft.prompt,
    }
}

#[must_use]
pub fn means(catalogue: &Catalogue, allowance: &AllowanceView) -> Means {
    let of_model =
        |model: &ImageModel| (1..=model.max_batch).map(|n| cost_words(allowance, model, n)).collect::<Vec<_>>();
    let costs: BTreeMap<_, _> = catalogue.models.iter().map(|model| (&model.id, of_model(model))).collect();
    Means {
        warning: warning(allowance),
        blocked: allowance.empty.then(|| Blocked { text: nothing_left(allowance), action: to_the_plan(allowance) }),
        plan: to_the_plan(allowance),
        costs: json!(costs).to_string(),
    }
}

fn cost_words(allowance: &AllowanceView, model: &ImageModel, pictures: i64) -> String {
    allowance.paid_with(Cost { outputs: pictures, tokens_each: model.tokens })
}

fn warning(allowance: &AllowanceView) -> &'static str {
    match allowance.kind {
        _ if allowance.empty || !allowance.low => "",
        "trial" => "This is your last free picture. After it, the plan goes on.",
        "quota" => "Less than a fifth of this month is left.",
        _ => "",
    }
}

fn nothing_left(allowance: &AllowanceView) -> String {
    match allowance.kind {
        "quota" => format!(
            "This month's pictures are used up; the month ends on {}. What you made stays yours.",
            allowance.until_words
        ),
        "expired" => format!("Your plan ended on {}. What you made stays yours.", allowance.until_words),
        _ => "You have no pictures left. What you made stays yours.".into(),
    }
}

fn to_the_plan(allowance: &AllowanceView) -> Action {
    match allowance.kind {
        "expired" => Action { label: "Renew", ..see_the_plan() },
        _ => see_the_plan(),
    }
}

#[must_use]
pub fn see_the_plan() -> Action {
    Action { label: "See the plan", url: "/app/billing".into() }
}

fn choice(id: &str, label: &str, shape: &'static str, selected: bool) -> Choice {
    Choice { id: id.to_owned(), label: label.to_owned(), name: label.to_owned(), shape, selected }
}

fn mode_choice(mode: Mode, selected: &str) -> Option<Choice> {
    let (id, label) = match mode {
        Mode::TextToImage => ("text_to_image", "Words"),
        Mode::ImageToImage => ("image_to_image", "A picture"),
        Mode::Clip => return None,
    };
    Some(choice(id, label, "", id == selected))
}

fn aspect_label(aspect_ratio: &str) -> &'static str {
    match aspect_ratio {
        "4:3" => "Landscape",
        "3:4" => "Portrait",
        "16:9" => "Wide",
        "9:16" => "Tall",
        _ => "Square",
    }
}

fn query(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
