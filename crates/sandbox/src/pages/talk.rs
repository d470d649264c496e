//! The chat with the bot, as a person sees it: messages, buttons to press, a line to write. The chat itself lies in a
//! frame that reloads by itself, so that nobody's half-written line is lost.

use std::fmt::Write;

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    Desk,
    html::{esc, page as whole},
};
use crate::{
    Telegram, TelegramFault, TelegramMessage, TelegramPerson, TelegramTrouble,
    telegram::{ANN, BOT_NAME, BOT_TOKEN},
};

/// Messages in the frame.
const SHOWN: usize = 30;
const REFRESH_SECONDS: u32 = 2;

/// The frame may stand in our own page, and its forms lead that page elsewhere.
const FRAME_POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
                            frame-ancestors 'self'";

#[derive(Deserialize)]
pub(super) struct Who {
    #[serde(rename = "as")]
    who: Option<i64>,
}

pub(super) async fn page(State(desk): State<Desk>, Query(it): Query<Who>) -> Response {
    let people = desk.telegram.people();
    let who = it.who.unwrap_or(ANN.id);
    let Some(person) = people.iter().find(|it| it.id == who) else {
        return (StatusCode::NOT_FOUND, "There is nobody of this id.").into_response();
    };
    let others: String = people
        .iter()
        .map(|it| {
            let current = if it.id == who { " aria-current=\"page\"" } else { "" };
            format!("<a href=\"/telegram?as={}\"{current}>{}</a>", it.id, esc(&name(it)))
        })
        .collect();
    let id = person.id;
    let body = format!(
        "<h1>Telegram</h1><p>A stand-in for the Bot API at <code>http://{}</code>, token <code>{BOT_TOKEN}</code>. You \
         are {} and write to @{BOT_NAME}. {}</p>\
         <div class=\"chat\"><section><nav class=\"people\" aria-label=\"People\">{others}</nav>\
         <iframe src=\"/telegram/chats/{id}#end\" title=\"The chat\"></iframe>\
         <form class=\"write\" method=\"post\" action=\"/telegram/messages\"><input type=\"hidden\" name=\"from\" value=\"{id}\">\
         <input name=\"text\" aria-label=\"Message\" placeholder=\"/status\" required autocomplete=\"off\" autofocus>\
         <button>Send</button></form></section><div>{}{}</div></div>",
        desk.http,
        esc(&name(person)),
        state(&desk.telegram),
        trouble_form(&desk.telegram, id),
        meet_form(),
    );
    whole("Telegram", "/telegram", None, &body).into_response()
}

fn name(person: &TelegramPerson) -> String {
    match &person.username {
        Some(name) => format!("@{name} ({})", person.id),
        None => format!("{} ({})", person.first_name, person.id),
    }
}

fn state(telegram: &Telegram) -> String {
    match telegram.waiting() {
        0 => "The bot has read everything.".to_owned(),
        waiting => format!("<span class=\"wait\">{waiting} updates wait for the bot.</span>"),
    }
}

fn trouble_form(telegram: &Telegram, who: i64) -> String {
    let set: Vec<String> = telegram
        .troubles()
        .iter()
        .map(|it| {
            let kind = serde_json::to_value(&it.fault).unwrap_or_default();
            kind["kind"].as_str().unwrap_or_default().to_owned()
        })
        .collect();
    let now = if set.is_empty() {
        "<span class=\"good\">works</span>".to_owned()
    } else {
        format!("<span class=\"bad\">{}</span>", esc(&set.join(", ")))
    };
    format!(
        "<section class=\"card\"><h2>The API {now}</h2><form method=\"post\" action=\"/telegram/trouble\">\
         <input type=\"hidden\" name=\"from\" value=\"{who}\">\
         <label>The API<select name=\"kind\"><option value=\"\">works</option>\
         <option value=\"hang\">does not answer</option><option value=\"rate_limited\">429, wait 5 seconds</option>\
         <option value=\"conflict\">409, another poller</option><option value=\"html\">502 of a gateway</option>\
         <option value=\"reset\">resets the connection</option><option value=\"repeat\">sends the last updates again\
         </option></select></label><button>Set API</button></form></section>"
    )
}

fn meet_form() -> &'static str {
    "<section class=\"card\"><h2>Somebody else</h2><form method=\"post\" action=\"/telegram/people\">\
     <label>Id<input name=\"id\" type=\"number\" min=\"1\" value=\"43\" required></label>\
     <label>Name<input name=\"name\" value=\"Bob\" required></label>\
     <label>Username (may be empty)<input name=\"username\" value=\"bob\"></label>\
     <button>Write as this person</button></form></section>"
}

/// The frame.
pub(super) async fn chat(State(desk): State<Desk>, Path(id): Path<i64>) -> Response {
    let messages = desk.telegram.messages(id);
    let mut body = String::new();
    let newest = messages.len().saturating_sub(SHOWN);
    for message in &messages[newest..] {
        bubble(&mut body, message, id);
    }
    if messages.is_empty() {
        body.push_str("<p class=\"soft\">Nothing was said yet. Write anything.</p>");
    }
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><meta http-equiv=\"refresh\" content=\"{REFRESH_SECONDS}\">\
         <title>Chat · Sandbox</title><link rel=\"stylesheet\" href=\"/style.css\"></head>\
         <body class=\"talk\">{body}<p id=\"end\"></p></body></html>"
    );
    ([(header::CONTENT_SECURITY_POLICY, FRAME_POLICY)], Html(page)).into_response()
}

fn bubble(body: &mut String, message: &TelegramMessage, who: i64) {
    let (side, edited) = (if message.from_bot { "bot" } else { "me" }, message.edits > 0);
    let edited = if edited { " <span class=\"soft\">edited</span>" } else { "" };
    let _ = write!(body, "<div class=\"bubble {side}\"><pre>{}</pre>{edited}", esc(&message.text));
    for row in &message.keyboard {
        body.push_str("<div class=\"keys\">");
        for button in row {
            let _ = write!(
                body,
                "<form method=\"post\" action=\"/telegram/presses\" target=\"_top\">\
                 <input type=\"hidden\" name=\"from\" value=\"{who}\">\
                 <input type=\"hidden\" name=\"message\" value=\"{}\"><button name=\"data\" value=\"{}\">{}</button></form>",
                message.id,
                esc(&button.data),
                esc(&button.text),
            );
        }
        body.push_str("</div>");
    }
    body.push_str("</div>");
}

fn back(who: i64) -> Response {
    Redirect::to(&format!("/telegram?as={who}")).into_response()
}

fn known(desk: &Desk, who: i64) -> Option<TelegramPerson> {
    desk.telegram.people().into_iter().find(|it| it.id == who)
}

#[derive(Deserialize)]
pub(super) struct SayForm {
    from: i64,
    text: String,
}

pub(super) async fn say(State(desk): State<Desk>, Form(it): Form<SayForm>) -> Response {
    let Some(person) = known(&desk, it.from) else { return StatusCode::UNPROCESSABLE_ENTITY.into_response() };
    if !it.text.trim().is_empty() {
        desk.telegram.says(&person, &it.text);
    }
    back(person.id)
}

#[derive(Deserialize)]
pub(super) struct PressForm {
    from: i64,
    message: i64,
    data: String,
}

pub(super) async fn press(State(desk): State<Desk>, Form(it): Form<PressForm>) -> Response {
    let Some(person) = known(&desk, it.from) else { return StatusCode::UNPROCESSABLE_ENTITY.into_response() };
    desk.telegram.presses(&person, it.message, &it.data);
    back(person.id)
}

#[derive(Deserialize)]
pub(super) struct MeetForm {
    id: i64,
    name: String,
    username: String,
}

pub(super) async fn meet(State(desk): State<Desk>, Form(it): Form<MeetForm>) -> Response {
    if it.id <= 0 || it.name.trim().is_empty() {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    let username = Some(it.username.trim()).filter(|name| !name.is_empty());
    desk.telegram.person(&TelegramPerson::new(it.id, it.name.trim(), username));
    back(it.id)
}

#[derive(Deserialize)]
pub(super) struct TroubleForm {
    from: i64,
    kind: String,
}

pub(super) async fn set_trouble(State(desk): State<Desk>, Form(it): Form<TroubleForm>) -> Response {
    let telegram = &desk.telegram;
    telegram.heal();
    let fault = match it.kind.as_str() {
        "hang" => Some(TelegramFault::Hang),
        "rate_limited" => Some(TelegramFault::RateLimited { retry_after_s: 5 }),
        "conflict" => Some(TelegramFault::Conflict),
        "html" => Some(TelegramFault::Html),
        "reset" => Some(TelegramFault::Reset),
        "repeat" => {
            telegram.repeat(5);
            None
        }
        _ => None,
    };
    if let Some(fault) = fault {
        telegram.fail(TelegramTrouble::always(fault));
    }
    back(it.from)
}
