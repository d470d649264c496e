//! Every component in each of its states, for whoever works on them. Not in production.

use axum::{extract::State, response::Response, routing::get};
use loco_rs::{app::AppContext, controller::Routes, environment::Environment};
use serde_json::{Value, json};

use super::{Result, extractors::Page};
use crate::{
    context::Nproxy,
    views::{self, composer::Draft},
};

async fn index(State(ctx): State<AppContext>, page: Page) -> Result<Response> {
    let mut composer =
        views::composer::view(Draft::default(), ctx.parts().catalogue(), &page.allowance, "#".into(), "#");
    // Whoever looks has nothing left and need not have.
    composer.means.blocked = None;
    composer.means.warning = "";
    let mut content = states();
    content["composer"] = json!(composer);
    page.html("dev/components.html", content)
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
            { "url": "#", "title": "A lighthouse at dusk", "updated_words": "just now", "current": true, "open_url": "#", "cover_url": "", "found_words": "" },
            { "url": "#", "title": "Ferns on cream", "updated_words": "yesterday", "current": false, "open_url": "#", "cover_url": "/static/icons/apple-180.png", "found_words": "…ferns on cream paper" },
        ],
        "entries": [entry("Place 3 in line", "usually 15–40 s", false), entry("1 of 4 ready", "taking longer than usual", true), entry("Ready", "", false)],
        "options": [{ "id": "1k", "label": "1K", "selected": true }, { "id": "2k", "label": "2K", "selected": false }],
        "action": { "label": "See the plan", "url": "#" },
        "facts": [["Amount", "0.001 BTC"], ["Network", "Bitcoin"]],
        // As within a conversation: the first screen would take the focus.
        "conversation": { "pid": picture["pid"] },
        "sheet": { "heads": ["Key", "State", "Pictures", "Last used"], "rows": rows() },
    })
}

/// Of a table of the admin, each kind of value once.
fn rows() -> Value {
    let cell = |label: &str, kind: &str, text: &str, tone: &str| {
        let at = if kind == "time" { "2026-11-29T12:00:00+00:00" } else { "" };
        json!({ "label": label, "kind": kind, "text": text, "tone": tone, "url": "#", "at": at })
    };
    json!([
        [
            cell("Key", "link", "europe-1", ""),
            cell("State", "state", "Active", "success"),
            cell("Pictures", "number", "1,204", ""),
            cell("Last used", "time", "", ""),
        ],
        [
            cell("Key", "code", "europe-2", ""),
            cell("State", "state", "Out of funds", "error"),
            cell("Pictures", "text", "few", ""),
            cell("Last used", "none", "", ""),
        ],
    ])
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
