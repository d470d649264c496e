//! The way from a right request to its answer.

use std::time::{Duration, Instant};

use axum::{body::Body, http::Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::Utc;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Fault, Gemini, Ticket,
    answer::{GARBAGE, Inline, Success, VendorError, json_response, pretty, refused_output, refused_prompt},
    body,
    generate::refuse,
    models::{Model, nearest, pixels},
    request::{Ask, MAX_REQUEST_BYTES, UNREADABLE_INPUT, hex},
};
use crate::paint::{self, Format, Order};

type Answer = Response<Body>;

/// One request on its way to an answer.
pub(super) struct Visit<'a> {
    pub(super) gemini: &'a Gemini,
    pub(super) model: &'a str,
    pub(super) version: &'a str,
    pub(super) ask: &'a Ask,
    pub(super) arrived: Instant,
}

impl Visit<'_> {
    /// The model, when the vendor would let the request through.
    pub(super) fn check(&self, body: &Value, size: usize) -> Result<Model, VendorError> {
        if size > MAX_REQUEST_BYTES {
            let message = format!("Request payload size exceeds the limit: {MAX_REQUEST_BYTES} bytes.");
            return Err(VendorError::invalid(&message));
        }
        let model = Model::find(self.model).filter(|_| !self.gemini.has_retired(self.model));
        let model = model.ok_or_else(|| VendorError::model_gone(self.model, self.version))?;
        self.ask.check(body, model)?;
        Ok(model)
    }

    /// The answer to a request that is right.
    pub(super) async fn answer(&self, model: Model, fault: Option<Fault>, ticket: Ticket) -> Answer {
        let latency = match fault {
            Some(Fault::Latency { ms }) => Duration::from_millis(ms),
            _ => self.gemini.current_latency(),
        };
        let body = match self.body(model, fault.as_ref(), &ticket).await {
            Ok(body) => body,
            Err(error) => return refuse(&ticket, &error),
        };
        tokio::time::sleep(latency.saturating_sub(self.arrived.elapsed())).await;
        match fault {
            Some(Fault::Truncated) => body::truncated(&body, in_part(ticket)),
            Some(Fault::EndlessBody) => body::endless(in_part(ticket)),
            Some(Fault::Huge) => body::huge(in_part(ticket)),
            Some(Fault::Drip) => body::drip(body, in_part(ticket)),
            _ => {
                ticket.answered(200);
                json_response(200, body)
            }
        }
    }

    /// The bytes of a 200.
    async fn body(&self, model: Model, fault: Option<&Fault>, ticket: &Ticket) -> Result<Bytes, VendorError> {
        let tokens = prompt_tokens(&self.ask.prompt);
        let id = response_id(ticket.id);
        match fault {
            Some(Fault::Garbage) => return Ok(Bytes::from_static(GARBAGE.as_bytes())),
            Some(Fault::EndlessBody | Fault::Huge) => return Ok(Bytes::new()),
            Some(Fault::RefusedPrompt) => return Ok(pretty(&refused_prompt(self.model, &id, tokens))),
            Some(Fault::RefusedOutput { finish_reason }) => {
                return Ok(pretty(&refused_output(self.model, &id, finish_reason, tokens)));
            }
            _ => {}
        }
        let mut success = Success {
            model: self.model,
            signature: signature(&id),
            response_id: id,
            thoughts: Vec::new(),
            text: None,
            picture: None,
            finish_reason: "STOP",
            prompt_tokens: tokens,
            input_images: u32::try_from(self.ask.inputs.len()).unwrap_or(u32::MAX),
            answer_tokens: 12,
        };
        if !model.draws() {
            success.text = Some("Ready when you are.".into());
            if self.ask.max_output_tokens.is_some_and(|most| most < 5) {
                success.text = Some("Ready".into());
                success.finish_reason = "MAX_TOKENS";
                success.answer_tokens = 1;
            }
            return Ok(pretty(&success.body()));
        }
        if fault == Some(&Fault::Empty) {
            let text = "I'm sorry, but I can't create that image. Is there something else you would like to see?";
            success.text = Some(text.into());
            return Ok(pretty(&success.body()));
        }

        let (order, size) = self.order(model, fault == Some(&Fault::WrongMime));
        let mime = order.format.mime();
        let thinks = fault == Some(&Fault::Thoughts) || self.ask.include_thoughts;
        let drafts = if thinks { vec![order.draft(1), order.draft(2)] } else { Vec::new() };
        let picture = self.draw(order).await?;
        for draft in drafts {
            success.thoughts.push(Inline::new(mime, &self.draw(draft).await?.bytes));
        }
        let claimed = if fault == Some(&Fault::WrongMime) { "image/png" } else { mime };
        success.picture = Some(match fault {
            Some(Fault::BadBase64) => Inline { mime: mime.into(), data: "***this is not base64***".into() },
            Some(Fault::NotAPicture) => Inline::new("image/png", b"This is only text, whatever its label says.\n"),
            Some(Fault::Bomb) => Inline::new("image/png", &paint::bomb()),
            _ => {
                ticket.drew(claimed, hex(&Sha256::digest(&picture.bytes)), picture.bytes.clone(), picture.thumbnail);
                Inline::new(claimed, &picture.bytes)
            }
        });
        success.answer_tokens = if size == "4K" { 2000 } else { 1120 };
        if self.ask.wants_text() {
            success.text = Some("Here is your picture.".into());
        }
        Ok(pretty(&success.body()))
    }

    /// What to draw, and the size it is billed as.
    fn order(&self, model: Model, force_jpeg: bool) -> (Order, String) {
        let inputs: Vec<Bytes> = self.ask.inputs.iter().map(|input| input.bytes.clone()).collect();
        let size = self.ask.image_size.clone().unwrap_or_else(|| "1K".into());
        let ratio = match (&self.ask.aspect_ratio, inputs.first().and_then(|first| paint::dimensions(first))) {
            (Some(asked), _) => asked.clone(),
            (None, Some((width, height))) => nearest(width, height).into(),
            (None, None) => "1:1".into(),
        };
        let (width, height) = pixels(&ratio, &size);
        let mut asked = Sha256::new_with_prefix(self.ask.prompt.as_bytes());
        for input in &self.ask.inputs {
            asked.update(&input.sha256);
        }
        let order = Order {
            prompt: self.ask.prompt.clone(),
            variation: self.gemini.repetition(asked.finalize().into()),
            width,
            height,
            inputs,
            format: if force_jpeg || model.mime == "image/jpeg" { Format::Jpeg } else { Format::Png },
            sketch: self.gemini.sketches(),
        };
        (order, size)
    }

    async fn draw(&self, order: Order) -> Result<paint::Picture, VendorError> {
        if let Some(still) = self.gemini.still_picture() {
            return Ok(paint::Picture { thumbnail: still.clone(), bytes: still });
        }
        let _easel = self.gemini.easels.acquire().await;
        match tokio::task::spawn_blocking(move || paint::paint(&order)).await {
            Ok(Ok(picture)) => Ok(picture),
            Ok(Err(paint::Error::UnreadableInput)) => Err(VendorError::invalid(UNREADABLE_INPUT)),
            Ok(Err(paint::Error::Encoding(error))) => {
                tracing::error!(%error, "sandbox could not encode its picture");
                Err(VendorError::of_status(500))
            }
            Err(error) => {
                tracing::error!(%error, "sandbox painter stopped");
                Err(VendorError::of_status(500))
            }
        }
    }
}

/// 200 is on its way, and the call lasts until its body ends.
fn in_part(ticket: Ticket) -> Ticket {
    ticket.note(|call| call.status = 200);
    ticket
}

fn prompt_tokens(prompt: &str) -> u32 {
    u32::try_from(prompt.chars().count().div_ceil(4)).unwrap_or(u32::MAX)
}

/// Looks like the vendor's: 23 URL-safe letters.
fn response_id(call: u64) -> String {
    hex(&Sha256::digest(format!("response {call} {}", Utc::now())))[..23].to_owned()
}

fn signature(id: &str) -> String {
    STANDARD.encode(Sha256::digest(format!("thought {id}")))
}
