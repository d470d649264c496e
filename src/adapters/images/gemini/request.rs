use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

use super::Config;
use crate::adapters::images::{InputImage, Request};

/// This wire has no field for the strength of a change, so the prompt says it in words. The first sentence is exact and
/// for machines; the second is what the model follows.
const STRENGTH: [(u8, &str); 3] = [
    (33, "Stay close to the original picture: keep its subject, composition and style, and change only what is asked."),
    (66, "Keep the main features of the original picture and change the rest to follow the description."),
    (100, "Follow the description freely and use the original picture only as a starting point."),
];

/// The categories a threshold of ours is sent for.
const HARM_CATEGORIES: [&str; 4] = [
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerateContent<'a> {
    contents: [Content<'a>; 1],
    generation_config: GenerationConfig<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    safety_settings: Vec<SafetySetting<'a>>,
}

#[derive(Serialize)]
struct Content<'a> {
    role: &'a str,
    parts: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Part<'a> {
    Text(String),
    #[serde(rename_all = "camelCase")]
    InlineData {
        mime_type: &'a str,
        data: String,
    },
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    response_modalities: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "ImageConfig::is_empty")]
    image_config: ImageConfig<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_size: Option<String>,
}

#[derive(Serialize)]
struct SafetySetting<'a> {
    category: &'a str,
    threshold: &'a str,
}

impl ImageConfig<'_> {
    fn is_empty(&self) -> bool {
        self.aspect_ratio.is_none() && self.image_size.is_none()
    }
}

/// The JSON that asks for one picture.
pub fn body(config: &Config, request: &Request<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let parts = match request.input {
        None => vec![Part::Text(request.prompt.to_owned())],
        Some(input) => vec![
            Part::Text(format!("{}\n\n{}", request.prompt, strength(&input))),
            Part::InlineData { mime_type: input.mime, data: STANDARD.encode(input.bytes) },
        ],
    };
    let safety_settings = config
        .safety_threshold
        .iter()
        .flat_map(|threshold| HARM_CATEGORIES.map(|category| SafetySetting { category, threshold }));
    serde_json::to_vec(&GenerateContent {
        contents: [Content { role: "user", parts }],
        generation_config: GenerationConfig {
            response_modalities: Some(["IMAGE"]),
            image_config: ImageConfig {
                aspect_ratio: request.aspect_ratio,
                // "1k" is refused, "1K" is not.
                image_size: request.resolution.map(str::to_ascii_uppercase),
            },
            max_output_tokens: None,
        },
        safety_settings: safety_settings.collect(),
    })
}

/// The JSON that asks for one token of text.
pub(super) fn one_token() -> Vec<u8> {
    br#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":1}}"#.to_vec()
}

fn strength(input: &InputImage<'_>) -> String {
    let percent = input.strength_percent();
    let (_, words) = STRENGTH.iter().find(|(up_to, _)| percent <= *up_to).unwrap_or(&STRENGTH[2]);
    format!("Change strength: {percent}%. {words}")
}
