//! The vendor's message types: which JSON fields exist, and what each must hold.
//!
//! The real front end refuses a body with an unknown name or a wrong type before the model sees it.

use serde_json::{Value, json};

use super::answer::VendorError;

/// What a field holds.
#[derive(Clone, Copy)]
enum Kind {
    /// Not looked into.
    Any,
    Text,
    Bool,
    Int,
    Number,
    /// Base64 of either alphabet.
    Bytes,
    Texts,
    Enum(&'static str, &'static [&'static str]),
    Enums(&'static str, &'static [&'static str]),
    Message(&'static Message),
    Messages(&'static Message),
}

/// Field names in snake case; camel case is the same field.
type Message = [(&'static str, Kind)];

use Kind::{Any, Bool, Bytes, Enum, Enums, Int, Message as One, Messages, Number, Text, Texts};

static REQUEST: &Message = &[
    ("model", Text),
    ("contents", Messages(CONTENT)),
    ("system_instruction", One(CONTENT)),
    ("tools", Any),
    ("tool_config", Any),
    ("safety_settings", Messages(SAFETY)),
    ("generation_config", One(CONFIG)),
    ("cached_content", Text),
    ("service_tier", Text),
    ("store", Bool),
    ("continuation_token", Text),
];

static CONTENT: &Message = &[("parts", Messages(PART)), ("role", Text)];

static PART: &Message = &[
    ("text", Text),
    ("inline_data", One(BLOB)),
    ("file_data", One(&[("mime_type", Text), ("file_uri", Text)])),
    ("function_call", Any),
    ("function_response", Any),
    ("executable_code", Any),
    ("code_execution_result", Any),
    ("tool_call", Any),
    ("tool_response", Any),
    ("thought", Bool),
    ("thought_signature", Bytes),
    ("video_metadata", Any),
    ("part_metadata", Any),
    ("media_resolution", Any),
];

static BLOB: &Message = &[("mime_type", Text), ("data", Bytes)];

static SAFETY: &Message = &[
    (
        "category",
        Enum(
            "HarmCategory",
            &[
                "HARM_CATEGORY_UNSPECIFIED",
                "HARM_CATEGORY_HARASSMENT",
                "HARM_CATEGORY_HATE_SPEECH",
                "HARM_CATEGORY_SEXUALLY_EXPLICIT",
                "HARM_CATEGORY_DANGEROUS_CONTENT",
                "HARM_CATEGORY_CIVIC_INTEGRITY",
            ],
        ),
    ),
    (
        "threshold",
        Enum(
            "SafetySetting.HarmBlockThreshold",
            &[
                "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
                "BLOCK_LOW_AND_ABOVE",
                "BLOCK_MEDIUM_AND_ABOVE",
                "BLOCK_ONLY_HIGH",
                "BLOCK_NONE",
                "OFF",
            ],
        ),
    ),
];

static CONFIG: &Message = &[
    ("stop_sequences", Texts),
    ("response_mime_type", Text),
    ("response_schema", Any),
    ("response_json_schema", Any),
    (
        "response_modalities",
        Enums("GenerationConfig.Modality", &["MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO", "VIDEO"]),
    ),
    ("candidate_count", Int),
    ("max_output_tokens", Int),
    ("temperature", Number),
    ("top_p", Number),
    ("top_k", Int),
    ("seed", Int),
    ("presence_penalty", Number),
    ("frequency_penalty", Number),
    ("response_logprobs", Bool),
    ("logprobs", Int),
    ("enable_enhanced_civic_answers", Bool),
    ("speech_config", Any),
    ("thinking_config", One(&[("include_thoughts", Bool), ("thinking_budget", Int), ("thinking_level", Text)])),
    ("image_config", One(&[("aspect_ratio", Text), ("image_size", Text)])),
    (
        "media_resolution",
        Enum(
            "GenerationConfig.MediaResolution",
            &[
                "MEDIA_RESOLUTION_UNSPECIFIED",
                "MEDIA_RESOLUTION_LOW",
                "MEDIA_RESOLUTION_MEDIUM",
                "MEDIA_RESOLUTION_HIGH",
            ],
        ),
    ),
];

/// The value of a field under either spelling.
pub(super) fn field<'a>(of: &'a Value, snake: &str) -> Option<&'a Value> {
    let of = of.as_object()?;
    of.get(snake).or_else(|| of.get(&camel(snake))).filter(|value| !value.is_null())
}

/// The elements of a repeated field; like the vendor, a lone object counts as a list of one.
pub(super) fn list<'a>(of: &'a Value, snake: &str) -> &'a [Value] {
    match field(of, snake) {
        Some(Value::Array(all)) => all,
        Some(one) => std::slice::from_ref(one),
        None => &[],
    }
}

/// Checks a whole request body.
pub(super) fn check(body: &Value) -> Result<(), VendorError> {
    let mut faults = Vec::new();
    message(REQUEST, body, "", &mut faults);
    if faults.is_empty() {
        return Ok(());
    }
    let text: Vec<&str> = faults.iter().map(|(_, text)| text.as_str()).collect();
    let violations: Vec<Value> =
        faults.iter().map(|(path, text)| json!({"field": path, "description": text})).collect();
    Err(VendorError {
        details: vec![json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})],
        ..VendorError::invalid(&text.join("\n"))
    })
}

/// Path and description of each thing that is wrong.
type Faults = Vec<(String, String)>;

fn message(known: &Message, value: &Value, path: &str, faults: &mut Faults) {
    let Some(fields) = value.as_object() else {
        return wrong(value, "TYPE_MESSAGE", path, faults);
    };
    for (name, value) in fields {
        let Some((snake, kind)) = known.iter().find(|(snake, _)| *snake == name || camel(snake) == *name) else {
            let place = if path.is_empty() { String::new() } else { format!(" at '{path}'") };
            let text = format!("Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field.");
            faults.push((path.into(), text));
            continue;
        };
        let path = if path.is_empty() { (*snake).to_owned() } else { format!("{path}.{snake}") };
        if !value.is_null() {
            holds(*kind, value, &path, faults);
        }
    }
}

fn holds(kind: Kind, value: &Value, path: &str, faults: &mut Faults) {
    match kind {
        Any => {}
        Text if !value.is_string() => wrong(value, "TYPE_STRING", path, faults),
        Bool if !value.is_boolean() => wrong(value, "TYPE_BOOL", path, faults),
        // Like every protocol buffer in JSON, numbers may come as text.
        Int if integer(value).is_none() => wrong(value, "TYPE_INT32", path, faults),
        Number if number(value).is_none() => wrong(value, "TYPE_FLOAT", path, faults),
        Text | Bool | Int | Number => {}
        Bytes => match value.as_str() {
            None => wrong(value, "TYPE_BYTES", path, faults),
            Some(text) if !looks_like_base64(text) => {
                let shown: String = text.chars().take(40).collect();
                let text = format!("Invalid value at '{path}' (TYPE_BYTES), Base64 decoding failed for \"{shown}\"");
                faults.push((path.into(), text));
            }
            Some(_) => {}
        },
        Texts => each(value, path, |value, path| holds(Text, value, path, faults)),
        Enum(name, values) => {
            if !value.as_str().is_some_and(|value| values.contains(&value)) {
                let type_name = format!("type.googleapis.com/google.ai.generativelanguage.v1beta.{name}");
                wrong(value, &type_name, path, faults);
            }
        }
        Enums(name, values) => each(value, path, |value, path| holds(Enum(name, values), value, path, faults)),
        One(known) => message(known, value, path, faults),
        Messages(known) => each(value, path, |value, path| message(known, value, path, faults)),
    }
}

fn each(value: &Value, path: &str, mut look: impl FnMut(&Value, &str)) {
    match value {
        Value::Array(all) => {
            for (n, value) in all.iter().enumerate() {
                look(value, &format!("{path}[{n}]"));
            }
        }
        one => look(one, path),
    }
}

fn wrong(value: &Value, expected: &str, path: &str, faults: &mut Faults) {
    let shown: String = value.to_string().chars().take(80).collect();
    faults.push((path.into(), format!("Invalid value at '{path}' ({expected}), {shown}")));
}

pub(super) fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn looks_like_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    body.len() % 4 != 1 && body.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_'))
}

fn camel(snake: &str) -> String {
    let mut words = snake.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}
