//! The Bot API, as much of it as an admin bot uses. Methods are told apart without regard to case, as the real server does.

use std::time::Duration;

use axum::{
    Json, Router,
    body::Body,
    extract::{ConnectInfo, Path, Request, State},
    http::{Response, StatusCode, header},
    response::IntoResponse,
    routing::any,
};
use serde_json::{Map, Value, json};

use super::{
    BOT_ID, BOT_NAME, BOT_TOKEN, POLL_MAX, Telegram, TelegramButton, TelegramCall, TelegramFault, TelegramMessage,
    TelegramPerson, remember,
};
use crate::host::{Peer, lock};

/// The longest text, in UTF-16 units.
const TEXT_MAX: usize = 4096;
/// The longest data of a button, in bytes.
const DATA_MAX: usize = 64;
/// Bodies are forms without files here.
const BODY_MAX: usize = 1024 * 1024;

/// What a method comes to: its result, or status and description.
type Outcome = Result<Value, (u16, String)>;

pub(crate) fn routes(telegram: &Telegram) -> Router {
    Router::new().route("/{bot}/{method}", any(call)).with_state(telegram.clone())
}

async fn call(
    State(telegram): State<Telegram>,
    Path((bot, method)): Path<(String, String)>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response<Body> {
    let Some(token) = bot.strip_prefix("bot") else { return StatusCode::NOT_FOUND.into_response() };
    if token != BOT_TOKEN {
        // A token in no token's form is not found, one that is nobody's is not let in.
        let (code, says) = if token.contains(':') { (401, "Unauthorized") } else { (404, "Not Found") };
        return answer(&Err((code, says.to_owned())));
    }
    let method = method.to_lowercase();
    let asked = match asked(request).await {
        Ok(asked) => asked,
        Err(says) => return answer(&Err((400, says))),
    };
    let number = {
        let mut state = lock(&telegram.state);
        state.count += 1;
        let call = TelegramCall { method: method.clone(), body: asked.clone(), status: None };
        remember(&mut state.calls, call);
        state.calls.len() - 1
    };
    let met = telegram.meet(&method);
    let outcome = match &met {
        Some(met) if !met.acts => None,
        Some(_) | None => Some(carry_out(&telegram, &method, &asked).await),
    };
    let response = match met {
        Some(met) => spoilt(met.fault, &peer).await,
        None => answer(&outcome.unwrap_or_else(|| Err((500, "Internal Server Error".to_owned())))),
    };
    if let Some(call) = lock(&telegram.state).calls.get_mut(number) {
        call.status = Some(response.status().as_u16());
    }
    response
}

/// Parameters of the address and of the body, which is JSON where there is one.
async fn asked(request: Request) -> Result<Value, String> {
    let mut asked = Map::new();
    for pair in request.uri().query().unwrap_or_default().split('&').filter(|it| !it.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        asked.insert(name.to_owned(), value);
    }
    let body = axum::body::to_bytes(request.into_body(), BODY_MAX).await.map_err(|_| "Bad Request: too long")?;
    if !body.is_empty() {
        let Ok(Value::Object(body)) = serde_json::from_slice(&body) else {
            return Err("Bad Request: can't parse request: the body is no JSON object".to_owned());
        };
        asked.extend(body);
    }
    Ok(Value::Object(asked))
}

fn answer(outcome: &Outcome) -> Response<Body> {
    match outcome {
        Ok(result) => Json(json!({"ok": true, "result": result})).into_response(),
        Err((code, says)) => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Json(json!({"ok": false, "error_code": code, "description": says}))).into_response()
        }
    }
}

async fn spoilt(fault: TelegramFault, peer: &Peer) -> Response<Body> {
    let says = |code: u16, words: &str| answer(&Err((code, words.to_owned())));
    match fault {
        TelegramFault::RateLimited { retry_after_s } => {
            let body = json!({
                "ok": false, "error_code": 429, "description": format!("Too Many Requests: retry after {retry_after_s}"),
                "parameters": {"retry_after": retry_after_s},
            });
            (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response()
        }
        TelegramFault::Conflict => says(409, OTHER_POLLER),
        TelegramFault::Unauthorized => says(401, "Unauthorized"),
        TelegramFault::Blocked => says(403, "Forbidden: bot was blocked by the user"),
        TelegramFault::Status { code } => says(code, "Internal Server Error"),
        TelegramFault::Html => {
            let page = "<html><head><title>502 Bad Gateway</title></head></html>";
            (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "text/html")], page).into_response()
        }
        TelegramFault::Garbage => ([(header::CONTENT_TYPE, "application/json")], "{]").into_response(),
        TelegramFault::Hang => std::future::pending().await,
        TelegramFault::Reset => {
            peer.reset();
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

const OTHER_POLLER: &str =
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
const WEBHOOK_ACTIVE: &str = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete \
                              the webhook first";

async fn carry_out(telegram: &Telegram, method: &str, asked: &Value) -> Outcome {
    match method {
        "getme" => Ok(me()),
        "getupdates" => updates(telegram, asked).await,
        "sendmessage" => send(telegram, asked),
        "editmessagetext" => edit(telegram, asked, true),
        "editmessagereplymarkup" => edit(telegram, asked, false),
        "deletemessage" => delete(telegram, asked),
        "answercallbackquery" => answer_query(telegram, asked),
        "setmycommands" => {
            lock(&telegram.state).commands = commands(asked)?;
            Ok(json!(true))
        }
        "getmycommands" => Ok(lock(&telegram.state).commands.clone()),
        "deletewebhook" => {
            let mut state = lock(&telegram.state);
            state.webhook.clear();
            if asked["drop_pending_updates"] == true {
                state.updates.clear();
            }
            Ok(json!(true))
        }
        "setwebhook" => {
            lock(&telegram.state).webhook = asked["url"].as_str().unwrap_or_default().to_owned();
            Ok(json!(true))
        }
        "getwebhookinfo" => {
            let state = lock(&telegram.state);
            let waiting = state.updates.len();
            Ok(json!({"url": state.webhook, "has_custom_certificate": false, "pending_update_count": waiting}))
        }
        _ => Err((404, "Not Found: method not found".to_owned())),
    }
}

fn bot() -> Value {
    json!({"id": BOT_ID, "is_bot": true, "first_name": "nproxy", "username": BOT_NAME})
}

fn me() -> Value {
    let mut me = bot();
    for (name, value) in [
        ("can_join_groups", true),
        ("can_read_all_group_messages", false),
        ("supports_inline_queries", false),
        ("can_connect_to_business", false),
        ("has_main_web_app", false),
    ] {
        me[name] = json!(value);
    }
    me
}

/// Long polling: confirms what lies before `offset`, then waits for something at or after it.
async fn updates(telegram: &Telegram, asked: &Value) -> Outcome {
    let limit = usize::try_from(asked["limit"].as_i64().unwrap_or(100).clamp(1, 100)).unwrap_or(100);
    let wait = Duration::from_secs(asked["timeout"].as_u64().unwrap_or(0)).min(POLL_MAX);
    let allowed = asked["allowed_updates"].as_array().filter(|it| !it.is_empty()).cloned();
    let end = tokio::time::Instant::now() + wait;
    let mine = {
        let mut state = lock(&telegram.state);
        if !state.webhook.is_empty() {
            return Err((409, WEBHOOK_ACTIVE.to_owned()));
        }
        confirm(&mut state, asked["offset"].as_i64().unwrap_or(0));
        state.poller += 1;
        state.poller
    };
    // An older poll has to learn that it was replaced.
    telegram.news.notify_waiters();
    loop {
        let news = telegram.news.notified();
        tokio::pin!(news);
        // From here on nothing is missed, also what happens before the first wait.
        news.as_mut().enable();
        {
            let state = lock(&telegram.state);
            if state.poller != mine {
                return Err((409, OTHER_POLLER.to_owned()));
            }
            let wanted = |kind: &str| allowed.as_ref().is_none_or(|it| it.iter().any(|one| one == kind));
            let found: Vec<Value> = state
                .updates
                .iter()
                .filter(|(_, kind, _)| wanted(kind))
                .take(limit)
                .map(|(id, kind, body)| json!({"update_id": id, *kind: body}))
                .collect();
            if !found.is_empty() || tokio::time::Instant::now() >= end {
                return Ok(json!(found));
            }
        }
        if let Some(met) = telegram.meet("getupdates") {
            return Err(match met.fault {
                TelegramFault::Conflict => (409, OTHER_POLLER.to_owned()),
                TelegramFault::Unauthorized => (401, "Unauthorized".to_owned()),
                _ => (502, "Bad Gateway".to_owned()),
            });
        }
        let _ = tokio::time::timeout_at(end, news).await;
    }
}

fn confirm(state: &mut super::State, offset: i64) {
    if offset < 0 {
        let keep = usize::try_from(-offset).unwrap_or(usize::MAX);
        while state.updates.len() > keep {
            let gone = state.updates.pop_front();
            state.confirmed.extend(gone);
        }
        return;
    }
    while let Some(first) = state.updates.front().filter(|it| it.0 < offset).cloned() {
        state.updates.pop_front();
        remember(&mut state.confirmed, first);
    }
}

fn bad(says: &str) -> (u16, String) {
    (400, format!("Bad Request: {says}"))
}

fn send(telegram: &Telegram, asked: &Value) -> Outcome {
    let text = text(asked)?;
    let keyboard = keyboard(asked)?;
    let chat = asked["chat_id"].as_i64().ok_or_else(|| bad("chat_id is empty"))?;
    let mut state = lock(&telegram.state);
    if chat > 0 && !state.people.iter().any(|it| it.id == chat) {
        return Err(bad("chat not found"));
    }
    state.last_message += 1;
    let message = TelegramMessage {
        id: state.last_message,
        chat,
        from_bot: true,
        text,
        keyboard,
        edits: 0,
        parse_mode: asked["parse_mode"].as_str().unwrap_or_default().to_owned(),
        at: telegram.clock.now().timestamp(),
    };
    let shown = shown(&message, &state.people);
    remember(&mut state.messages, message);
    Ok(shown)
}

fn edit(telegram: &Telegram, asked: &Value, with_text: bool) -> Outcome {
    let keyboard = keyboard(asked)?;
    let text = if with_text { Some(text(asked)?) } else { None };
    let (chat, id) = (asked["chat_id"].as_i64(), asked["message_id"].as_i64());
    let mut state = lock(&telegram.state);
    let found = state.messages.iter_mut().find(|it| Some(it.chat) == chat && Some(it.id) == id);
    let Some(message) = found else { return Err(bad("message to edit not found")) };
    if !message.from_bot {
        return Err(bad("message can't be edited"));
    }
    let text = text.unwrap_or_else(|| message.text.clone());
    if text == message.text && keyboard == message.keyboard {
        return Err(bad(
            "message is not modified: specified new message content and reply markup are exactly the same as a current \
             content and reply markup of the message",
        ));
    }
    message.text = text;
    message.keyboard = keyboard;
    message.edits += 1;
    message.parse_mode = asked["parse_mode"].as_str().unwrap_or_default().to_owned();
    let message = message.clone();
    let mut shown = shown(&message, &state.people);
    shown["edit_date"] = json!(telegram.clock.now().timestamp());
    Ok(shown)
}

fn delete(telegram: &Telegram, asked: &Value) -> Outcome {
    let (chat, id) = (asked["chat_id"].as_i64(), asked["message_id"].as_i64());
    let mut state = lock(&telegram.state);
    let before = state.messages.len();
    state.messages.retain(|it| Some(it.chat) != chat || Some(it.id) != id);
    if state.messages.len() == before { Err(bad("message to delete not found")) } else { Ok(json!(true)) }
}

fn answer_query(telegram: &Telegram, asked: &Value) -> Outcome {
    let text = asked["text"].as_str().unwrap_or_default();
    if text.encode_utf16().count() > 200 {
        return Err(bad("MESSAGE_TOO_LONG"));
    }
    let mut state = lock(&telegram.state);
    let found = state.queries.iter_mut().find(|it| Some(it.0.as_str()) == asked["callback_query_id"].as_str());
    match found {
        Some(query) => {
            query.1 = Some(text.to_owned());
            Ok(json!(true))
        }
        None => Err(bad("query is too old and response timeout expired or query ID is invalid")),
    }
}

fn commands(asked: &Value) -> Outcome {
    let commands = asked["commands"].as_array().ok_or_else(|| bad("can't parse commands"))?;
    for one in commands {
        let name = one["command"].as_str().unwrap_or_default();
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.len() > 32 || !name.chars().all(fits) {
            return Err(bad("BOT_COMMAND_INVALID"));
        }
        if !(1..=256).contains(&one["description"].as_str().unwrap_or_default().chars().count()) {
            return Err(bad("BOT_COMMAND_DESCRIPTION_INVALID"));
        }
    }
    Ok(asked["commands"].clone())
}

fn text(asked: &Value) -> Result<String, (u16, String)> {
    let text = asked["text"].as_str().map(str::trim).unwrap_or_default();
    if text.is_empty() {
        return Err(bad("message text is empty"));
    }
    if text.encode_utf16().count() > TEXT_MAX {
        return Err(bad("message is too long"));
    }
    Ok(text.to_owned())
}

fn keyboard(asked: &Value) -> Result<Vec<Vec<TelegramButton>>, (u16, String)> {
    // As an object, or as the text of one, which is how forms send it.
    let markup = match &asked["reply_markup"] {
        Value::String(text) => serde_json::from_str(text).map_err(|_| bad("can't parse reply keyboard markup"))?,
        other => other.clone(),
    };
    let mut rows = Vec::new();
    for row in markup["inline_keyboard"].as_array().into_iter().flatten() {
        let mut buttons = Vec::new();
        for button in row.as_array().into_iter().flatten() {
            let word = |name: &str| button[name].as_str().unwrap_or_default().to_owned();
            let (text, data) = (word("text"), word("callback_data"));
            if text.trim().is_empty() {
                return Err(bad("text buttons are allowed in reply keyboard only with a text"));
            }
            if data.is_empty() || data.len() > DATA_MAX {
                return Err(bad("BUTTON_DATA_INVALID"));
            }
            buttons.push(TelegramButton { text, data });
        }
        rows.push(buttons);
    }
    Ok(rows)
}

/// A message as the API tells of it.
pub(super) fn shown(message: &TelegramMessage, people: &[TelegramPerson]) -> Value {
    let person = people.iter().find(|it| it.id == message.chat);
    let chat = person
        .map_or_else(|| json!({"id": message.chat, "type": "supergroup", "title": "A group"}), TelegramPerson::chat);
    let from = if message.from_bot { bot() } else { person.map(TelegramPerson::user).unwrap_or_default() };
    let mut shown =
        json!({"message_id": message.id, "date": message.at, "chat": chat, "from": from, "text": message.text});
    if !message.keyboard.is_empty() {
        let rows: Vec<Vec<Value>> = message
            .keyboard
            .iter()
            .map(|row| row.iter().map(|it| json!({"text": it.text, "callback_data": it.data})).collect())
            .collect();
        shown["reply_markup"] = json!({"inline_keyboard": rows});
    }
    shown
}
