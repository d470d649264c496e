//! Steering Telegram over HTTP.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Telegram, TelegramPerson, TelegramTrouble, telegram::ANN};

pub(crate) fn routes(telegram: &Telegram) -> Router {
    Router::new()
        .route("/sandbox/telegram/messages", post(say))
        .route("/sandbox/telegram/messages/{chat}", get(messages))
        .route("/sandbox/telegram/clicks", post(click))
        .route("/sandbox/telegram/calls", get(calls).delete(forget))
        .route("/sandbox/telegram/trouble", post(set_trouble).delete(heal))
        .route("/sandbox/telegram/repeats", post(repeat))
        .with_state(telegram.clone())
}

#[derive(Deserialize)]
struct Said {
    /// Ann when nobody is named.
    from: Option<TelegramPerson>,
    text: String,
    /// A group instead of the private chat.
    group: Option<i64>,
}

async fn say(State(telegram): State<Telegram>, Json(it): Json<Said>) -> Json<Value> {
    let person = it.from.unwrap_or(ANN);
    let update = match it.group {
        Some(group) => telegram.says_in_group(&person, group, &it.text),
        None => telegram.says(&person, &it.text),
    };
    Json(json!({ "update_id": update }))
}

async fn messages(State(telegram): State<Telegram>, Path(chat): Path<i64>) -> Json<Value> {
    Json(json!({ "messages": telegram.messages(chat) }))
}

#[derive(Deserialize)]
struct Click {
    from: Option<TelegramPerson>,
    /// The words on the button, under the newest message that has it.
    button: String,
}

async fn click(State(telegram): State<Telegram>, Json(it): Json<Click>) -> Result<Json<Value>, StatusCode> {
    let update = telegram.clicks(&it.from.unwrap_or(ANN), &it.button).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({ "update_id": update })))
}

async fn calls(State(telegram): State<Telegram>) -> Json<Value> {
    Json(json!({ "calls": telegram.calls(), "waiting": telegram.waiting() }))
}

async fn forget(State(telegram): State<Telegram>) -> StatusCode {
    telegram.clear();
    StatusCode::NO_CONTENT
}

async fn set_trouble(State(telegram): State<Telegram>, Json(it): Json<TelegramTrouble>) -> StatusCode {
    telegram.fail(it);
    StatusCode::NO_CONTENT
}

async fn heal(State(telegram): State<Telegram>) -> StatusCode {
    telegram.heal();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Repeat {
    count: usize,
}

async fn repeat(State(telegram): State<Telegram>, Json(it): Json<Repeat>) -> StatusCode {
    telegram.repeat(it.count);
    StatusCode::NO_CONTENT
}
