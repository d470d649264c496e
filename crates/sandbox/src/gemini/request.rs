//! Reading a request as strictly as the vendor does.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Input,
    answer::VendorError,
    models::{Model, ratios},
    schema::{self, field, integer, list},
};

/// Google's limit for a request with inline data.
pub(super) const MAX_REQUEST_BYTES: usize = 20 * 1024 * 1024;

const MIME_TYPES: &[&str] = &["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"];

/// Padding is optional and stray bits in the last letter are ignored, as Google's decoder does.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Base64 characters shown of inline data in the log.
const SHOWN_DATA: usize = 24;

/// What a request asks for. Reading never fails: what is missing stays empty, [`Ask::check`] judges.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    pub(super) prompt: String,
    pub(super) aspect_ratio: Option<String>,
    pub(super) image_size: Option<String>,
    pub(super) inputs: Vec<Input>,
    pub(super) modalities: Vec<String>,
    pub(super) max_output_tokens: Option<i64>,
    pub(super) include_thoughts: bool,
}

impl Ask {
    pub(super) fn read(body: &Value) -> Self {
        let none = Value::Null;
        let config = field(body, "generation_config").unwrap_or(&none);
        let image = field(config, "image_config").unwrap_or(&none);
        let thinking = field(config, "thinking_config").unwrap_or(&none);
        let text = |of: &Value, name: &str| field(of, name).and_then(Value::as_str).map(str::to_owned);

        let mut prompts = Vec::new();
        let mut inputs = Vec::new();
        // Earlier turns are context; the question is what the person said.
        let said = |content: &&Value| field(content, "role").is_none_or(|role| role == "user");
        for part in list(body, "contents").iter().filter(said).flat_map(|content| list(content, "parts")) {
            prompts.extend(text(part, "text"));
            if let Some(blob) = field(part, "inline_data") {
                let data = field(blob, "data").and_then(Value::as_str).unwrap_or_default();
                inputs.push(Input::new(text(blob, "mime_type").unwrap_or_default(), decode(data).unwrap_or_default()));
            }
        }
        Self {
            prompt: prompts.join("\n"),
            aspect_ratio: text(image, "aspect_ratio"),
            image_size: text(image, "image_size"),
            inputs,
            modalities: list(config, "response_modalities")
                .iter()
                .filter_map(|modality| modality.as_str().map(str::to_owned))
                .collect(),
            max_output_tokens: field(config, "max_output_tokens").and_then(integer),
            include_thoughts: field(thinking, "include_thoughts").is_some_and(|wanted| wanted == true),
        }
    }

    /// What the vendor would refuse with 400.
    pub(super) fn check(&self, body: &Value, model: Model) -> Result<(), VendorError> {
        schema::check(body)?;
        contents(body)?;

        let none = Value::Null;
        let config = field(body, "generation_config").unwrap_or(&none);
        let candidates = field(config, "candidate_count").and_then(integer).unwrap_or(1);
        if candidates < 1 {
            return refuse("generation_config.candidate_count", "must be in the range [1, 8]");
        }
        if candidates > 1 && model.draws() {
            return Err(VendorError::invalid("Multiple candidates is not enabled for this model"));
        }
        if let Some(temperature) = field(config, "temperature").and_then(Value::as_f64)
            && !(0.0..=2.0).contains(&temperature)
        {
            return refuse("generation_config.temperature", "temperature must be in the range [0.0, 2.0]");
        }
        if let Some(mime) = field(config, "response_mime_type").and_then(Value::as_str)
            && !matches!(
                mime,
                "text/plain" | "application/json" | "application/xml" | "application/yaml" | "text/x.enum"
            )
        {
            return refuse(
                "generation_config.response_mime_type",
                "allowed mimetypes are `text/plain`, `application/json`, `application/xml`, `application/yaml` and \
                 `text/x.enum`.",
            );
        }
        self.check_modalities(model)?;
        self.check_picture(model)
    }

    /// Whether the answer may carry words beside the picture.
    pub(super) fn wants_text(&self) -> bool {
        self.modalities.is_empty() || self.modalities.iter().any(|modality| modality == "TEXT")
    }

    fn check_modalities(&self, model: Model) -> Result<(), VendorError> {
        if self.modalities.is_empty() {
            return Ok(());
        }
        let asked = self.modalities.iter().any(|modality| modality == "IMAGE");
        let other = self.modalities.iter().any(|modality| !matches!(modality.as_str(), "IMAGE" | "TEXT"));
        if other || asked != model.draws() {
            let asked: Vec<String> = self.modalities.iter().map(|modality| modality.to_lowercase()).collect();
            return Err(VendorError::invalid(&format!(
                "Model does not support the requested response modalities: {}",
                asked.join(",")
            )));
        }
        Ok(())
    }

    fn check_picture(&self, model: Model) -> Result<(), VendorError> {
        if let Some(asked) = &self.aspect_ratio
            && model.draws()
            && !ratios(model.banners).any(|ratio| ratio == asked)
        {
            let known: Vec<String> = ratios(model.banners).map(|ratio| format!("'{ratio}'")).collect();
            return refuse(
                "generation_config.image_config.aspect_ratio",
                &format!("aspect_ratio must be one of {}", known.join(", ")),
            );
        }
        if let Some(asked) = &self.image_size
            && model.draws()
            && !model.sizes.contains(&asked.as_str())
        {
            let known: Vec<String> = model.sizes.iter().map(|size| format!("'{size}'")).collect();
            return refuse(
                "generation_config.image_config.image_size",
                &format!("image_size must be one of {}", known.join(", ")),
            );
        }
        if self.inputs.len() > model.references {
            return Err(VendorError::invalid(&format!(
                "Please use fewer than {} images in your request to this model",
                model.references + 1
            )));
        }
        for input in &self.inputs {
            if !MIME_TYPES.contains(&input.mime.as_str()) {
                return Err(VendorError::invalid(&format!("Unsupported MIME type: {}", input.mime)));
            }
            if input.bytes.is_empty() {
                return Err(VendorError::invalid(UNREADABLE_INPUT));
            }
        }
        Ok(())
    }
}

/// What the vendor says about a picture it cannot decode.
pub(super) const UNREADABLE_INPUT: &str = "Unable to process input image. Please retry or report in \
    https://developers.generativeai.google/guide/troubleshooting";

impl Input {
    fn new(mime: String, bytes: Bytes) -> Self {
        Self { mime, sha256: hex(&Sha256::digest(&bytes)), len: bytes.len(), bytes }
    }
}

/// Shortens inline data in place, for the log.
pub(super) fn shorten(body: &mut Value) {
    match body {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(data) if name == "data" && data.len() > 2 * SHOWN_DATA => {
                        let start: String = data.chars().take(SHOWN_DATA).collect();
                        *data = format!("{start}… ({} characters)", data.len());
                    }
                    other => shorten(other),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(shorten),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(nibble.into(), 16));
        }
        text
    })
}

fn contents(body: &Value) -> Result<(), VendorError> {
    let contents = list(body, "contents");
    if contents.is_empty() {
        return refuse("contents", "contents is not specified");
    }
    for (n, content) in contents.iter().enumerate() {
        if let Some(role) = field(content, "role").and_then(Value::as_str)
            && !matches!(role, "" | "user" | "model")
        {
            return Err(VendorError::invalid("Please use a valid role: user, model."));
        }
        let parts = list(content, "parts");
        if parts.is_empty() {
            return refuse(&format!("contents[{n}].parts"), "contents.parts must not be empty.");
        }
        for (m, part) in parts.iter().enumerate() {
            let data = ["text", "inline_data", "file_data", "function_call", "function_response"];
            let held = data.iter().filter(|name| field(part, name).is_some()).count();
            let place = format!("contents[{n}].parts[{m}].data");
            if held == 0 && field(part, "thought_signature").is_none() {
                return refuse(&place, "required oneof field 'data' must have one initialized field");
            }
            if held > 1 {
                return Err(VendorError::invalid(&format!(
                    "Invalid value at 'contents[{n}].parts[{m}]' (oneof), oneof field 'data' is already set."
                )));
            }
        }
    }
    Ok(())
}

fn refuse<T>(place: &str, why: &str) -> Result<T, VendorError> {
    Err(VendorError::invalid(&format!("* GenerateContentRequest.{place}: {why}\n")))
}

/// Decodes either alphabet.
fn decode(data: &str) -> Option<Bytes> {
    let standard = if data.contains(['-', '_']) { data.replace('-', "+").replace('_', "/") } else { data.to_owned() };
    LENIENT.decode(standard).ok().map(Bytes::from)
}
