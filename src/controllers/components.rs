//! Every component in each of its states, for whoever works on them. Not in production.

use axum::{response::Response, routing::get};
use loco_rs::{controller::Routes, environment::Environment};
use serde_json::{Value, json};

use super::{Result, extractors::Page};

async fn index(page: Page) -> Result<Response> {
    page.html("dev/components.html", states())
}

fn states() -> Value {
    let picture = json!({
        "pid": "00000000-0000-7000-8000-000000000000", "thumb_url": "/static/landing/sea.jpg", "width": 480, "height": 360,
        "alt": "A boat on a calm sea at dawn", "favorite": true, "use_url": "#", "use_get": "#", "download_url": "#",
        "delete_url": "#",
    });
    let cell = |id: &str, more: Value| {
        let mut cell = json!({
            "id": id, "number": 1, "is_waiting": false, "is_done": false, "is_failed": false, "text": "", "picture": null,
            "restore_url": "",
        });
        if let (Value::Object(cell), Value::Object(more)) = (&mut cell, more) {
            cell.extend(more);
        }
        cell
    };
    let allowance = |kind: &str, words: &str, percent: Option<i64>, low: bool, empty: bool| json!({ "kind": kind, "words": words, "percent": percent, "low": low, "empty": empty, "until_words": "3 December 2026" });
    let entry = |state: &str, expect: &str, is_running: bool| {
        json!({
            "id": format!("entry-{}", state.len()), "url": "#", "prompt": "A boat on a calm sea", "facts": ["Nano Banana", "1K", "1:1"],
            "state_words": state, "expect_words": expect, "since": "", "at": "2026-11-29T12:00:00+00:00", "is_running": is_running,
            "done": 1, "all": 4, "cancel_url": "",
        })
    };
    json!({
        "picture": picture,
        "run": { "id": "run", "width": 480, "height": 360, "since": "2026-11-29T12:00:00+00:00", "shape": "landscape" },
        "cells": [
            cell("cell-waiting", json!({ "is_waiting": true })),
            cell("cell-picture", json!({ "is_done": true, "picture": picture })),
            cell("cell-failed", json!({ "is_failed": true, "text": "Declined, not charged" })),
            cell("cell-deleted", json!({ "is_done": true, "text": "Deleted", "restore_url": "#" })),
        ],
        "allowances": [
            allowance("trial", "3 free pictures left", None, false, false),
            allowance("trial", "1 free picture left", None, true, false),
            allowance("none", "No free pictures left", None, true, true),
            allowance("quota", "About 60 % left", Some(60), false, false),
            allowance("quota", "About 20 % left", Some(20), true, false),
            allowance("quota", "Nothing left", Some(0), true, true),
            allowance("tokens", "12,400 tokens", None, false, false),
        ],
        "talks": [
            { "url": "#", "title": "A lighthouse at dusk", "updated_words": "just now", "current": true },
            { "url": "#", "title": "Ferns on cream", "updated_words": "yesterday", "current": false },
        ],
        "entries": [entry("Place 3 in line", "usually 15–40 s", false), entry("1 of 4 ready", "taking longer than usual", true), entry("Ready", "", false)],
        "options": [{ "id": "1k", "label": "1K", "selected": true }, { "id": "2k", "label": "2K", "selected": false }],
        "action": { "label": "See the plan", "url": "#" },
        "facts": [["Amount", "0.001 BTC"], ["Network", "Bitcoin"]],
    })
}

#[must_use]
pub fn routes(environment: &Environment) -> Routes {
    match environment {
        Environment::Production => Routes::new(),
        Environment::Development | Environment::Test | Environment::Any(_) => {
            Routes::new().add("/dev/components", get(index))
        }
    }
}
