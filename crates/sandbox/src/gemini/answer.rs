//! The vendor's answers: its error envelope and its success body.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

/// `{"error":{"code","message","status","details"}}`.
#[derive(Clone, Debug)]
pub(super) struct VendorError {
    pub(super) code: u16,
    pub(super) status: &'static str,
    pub(super) message: String,
    pub(super) details: Vec<Value>,
    pub(super) retry_after: Option<u64>,
    pub(super) in_array: bool,
    /// A reseller speaks, in the family's own shape: its code in words.
    pub(super) resold: Option<&'static str>,
}

impl VendorError {
    pub(super) fn new(code: u16, status: &'static str, message: &str) -> Self {
        Self {
            code,
            status,
            message: message.into(),
            details: Vec::new(),
            retry_after: None,
            in_array: false,
            resold: None,
        }
    }

    pub(super) fn invalid(message: &str) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    /// What the vendor says beside a bare status code.
    pub(super) fn of_status(code: u16) -> Self {
        let (status, message) = match code {
            400 => ("INVALID_ARGUMENT", "Request contains an invalid argument."),
            401 => return Self::unauthenticated(),
            403 => ("PERMISSION_DENIED", "Your project has been denied access. Please contact support."),
            404 => ("NOT_FOUND", "Requested entity was not found."),
            409 => ("ABORTED", "The operation was aborted."),
            429 => ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
            499 => ("CANCELLED", "The operation was cancelled."),
            503 => ("UNAVAILABLE", "The model is overloaded. Please try again later."),
            504 => ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
            _ => (
                "INTERNAL",
                "An internal error has occurred. Please retry or report in \
                 https://developers.generativeai.google/guide/troubleshooting",
            ),
        };
        Self::new(code, status, message)
    }

    pub(super) fn no_key() -> Self {
        Self::new(
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or \
             other form of API consumer identity to call this API.",
        )
    }

    pub(super) fn key_invalid() -> Self {
        let message = "API key not valid. Please pass a valid API key.";
        Self {
            details: vec![
                json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
                    "domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"}}),
                json!({"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US",
                    "message": message}),
            ],
            ..Self::invalid(message)
        }
    }

    pub(super) fn unauthenticated() -> Self {
        Self {
            details: vec![json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED", "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com",
                    "method": "google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent"}})],
            ..Self::new(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other \
                 valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
            )
        }
    }

    pub(super) fn model_gone(model: &str, version: &str) -> Self {
        Self::new(
            404,
            "NOT_FOUND",
            &format!(
                "models/{model} is not found for API version {version}, or is not supported for generateContent. Call \
                 ListModels to see the list of available models and their supported methods."
            ),
        )
    }

    /// What the one-api family says itself instead of passing it on.
    pub(super) fn of_reseller(code: u16, name: &'static str, message: &str) -> Self {
        let message = format!("{message} (request id: 2026112107300012345678abcdefgh)");
        Self { resold: Some(name), ..Self::new(code, "", &message) }
    }

    pub(super) fn no_quota() -> Self {
        Self::of_reseller(403, "insufficient_user_quota", "用户额度不足, 剩余额度: ＄0.000000")
    }

    pub(super) fn body(&self) -> Value {
        if let Some(code) = self.resold {
            return json!({"error": {"message": self.message, "type": "one_api_error", "param": "", "code": code}});
        }
        let mut error = json!({"code": self.code, "message": self.message, "status": self.status});
        if !self.details.is_empty() {
            error["details"] = json!(self.details);
        }
        if self.in_array { json!([{ "error": error }]) } else { json!({ "error": error }) }
    }

    pub(super) fn response(&self) -> Response<Body> {
        let mut response = json_response(self.code, pretty(&self.body()));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What [`super::Fault::Garbage`] answers.
pub(super) const GARBAGE: &str = "<<not json>> \u{0} upstream said something else";

/// The vendor indents its JSON by two.
pub(super) fn pretty(value: &Value) -> Bytes {
    serde_json::to_vec_pretty(value).unwrap_or_default().into()
}

pub(super) fn json_response(code: u16, body: impl Into<Body>) -> Response<Body> {
    typed(code, "application/json; charset=UTF-8", body)
}

pub(super) fn typed(code: u16, content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("scaffolding on HTTPServer2"));
    response
}

/// One `inlineData` part: a claimed type and its data, already encoded.
#[derive(Clone, Debug)]
pub(super) struct Inline {
    pub(super) mime: String,
    pub(super) data: String,
}

impl Inline {
    pub(super) fn new(mime: &str, bytes: &[u8]) -> Self {
        Self { mime: mime.into(), data: STANDARD.encode(bytes) }
    }
}

/// A success in the making.
#[derive(Clone, Debug)]
pub(super) struct Success<'a> {
    pub(super) model: &'a str,
    pub(super) response_id: String,
    /// Interim pictures, marked as thoughts.
    pub(super) thoughts: Vec<Inline>,
    pub(super) text: Option<String>,
    pub(super) picture: Option<Inline>,
    pub(super) finish_reason: &'a str,
    pub(super) prompt_tokens: u32,
    pub(super) input_images: u32,
    pub(super) answer_tokens: u32,
    /// Base64 of the opaque token that a later turn echoes.
    pub(super) signature: String,
}

impl Success<'_> {
    pub(super) fn body(self) -> Value {
        let thinks = !self.thoughts.is_empty();
        let draws = self.picture.is_some();
        let mut parts = Vec::new();
        if thinks {
            parts.push(json!({"thought": true, "text": "**Considering the composition**\n\nI am weighing light and balance.\n"}));
        }
        for thought in self.thoughts {
            parts.push(json!({"thought": true, "inlineData": {"mimeType": thought.mime, "data": thought.data}}));
        }
        if let Some(text) = self.text {
            parts.push(json!({ "text": text }));
        }
        if let Some(picture) = self.picture {
            parts.push(json!({"inlineData": {"mimeType": picture.mime, "data": picture.data}}));
        }
        if let Some(last) = parts.last_mut() {
            last["thoughtSignature"] = json!(self.signature);
        }

        let thought_tokens = if thinks { 80 } else { 0 };
        let prompt_tokens = self.prompt_tokens + self.input_images * 258;
        let mut usage = json!({
            "promptTokenCount": prompt_tokens,
            "candidatesTokenCount": self.answer_tokens,
            "totalTokenCount": prompt_tokens + self.answer_tokens + thought_tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": self.prompt_tokens}],
        });
        if self.input_images > 0 {
            usage["promptTokensDetails"] = json!([
                {"modality": "TEXT", "tokenCount": self.prompt_tokens},
                {"modality": "IMAGE", "tokenCount": self.input_images * 258},
            ]);
        }
        if thinks {
            usage["thoughtsTokenCount"] = json!(thought_tokens);
        }
        if draws {
            usage["candidatesTokensDetails"] = json!([{"modality": "IMAGE", "tokenCount": self.answer_tokens}]);
        }
        json!({
            "candidates": [{
                "content": {"parts": parts, "role": "model"},
                "finishReason": self.finish_reason,
                "index": 0,
            }],
            "usageMetadata": usage,
            "modelVersion": self.model,
            "responseId": self.response_id,
        })
    }
}

/// 200 although the prompt was refused.
pub(super) fn refused_prompt(model: &str, response_id: &str, prompt_tokens: u32) -> Value {
    json!({
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": prompt_tokens, "totalTokenCount": prompt_tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt_tokens}]},
        "modelVersion": model,
        "responseId": response_id,
    })
}

/// 200 although the picture was refused.
pub(super) fn refused_output(model: &str, response_id: &str, finish_reason: &str, prompt_tokens: u32) -> Value {
    json!({
        "candidates": [{
            "content": {},
            "finishReason": finish_reason,
            "finishMessage": "Unable to show the generated image. You will not be charged for blocked images. Try \
                rephrasing the prompt.",
            "index": 0,
        }],
        "usageMetadata": {"promptTokenCount": prompt_tokens, "totalTokenCount": prompt_tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt_tokens}]},
        "modelVersion": model,
        "responseId": response_id,
    })
}
