//! The mail pages: the inbox and one mail.

use std::fmt::Write;

use axum::{
    Form,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    Desk,
    html::{esc, page as whole, short},
};
use crate::{
    MailBox, SmtpFault,
    mail::{Mail, find_links},
};

const REFRESH_SECONDS: u32 = 5;

/// A mail's own styles may work, nothing else of it.
const MAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'none'; \
    frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation";

pub(super) async fn inbox(State(desk): State<Desk>) -> Html<String> {
    let mails = desk.mail.messages();
    let mut list = String::new();
    for mail in mails.iter().rev() {
        let _ = write!(
            list,
            "<a class=\"mail\" href=\"/mail/{}\"><strong>{}</strong><br><span class=\"facts\"><span>to {}</span>\
             <span>from {}</span><span>{} UTC</span></span></a>",
            mail.id,
            esc(&subject(mail)),
            esc(&short(&mail.to.join(", "), 120)),
            esc(&mail.from),
            mail.at.format("%Y-%m-%d %H:%M:%S"),
        );
    }
    if mails.is_empty() {
        list.push_str("<p class=\"soft\">No mail yet.</p>");
    }
    let body = format!(
        "<div class=\"row\"><h1>Mail</h1><form class=\"line\" method=\"post\" action=\"/mail/clearing\"><button>Clear</button>\
         </form></div><p>What was sent to <code>smtp://{}</code>. It stays here.</p>{list}<h2>Make the server fail</h2>{}",
        desk.smtp,
        fault_form(&desk.mail)
    );
    whole("Mail", "/mail", Some(REFRESH_SECONDS), &body)
}

fn fault_form(mail: &MailBox) -> String {
    let present = mail.fault();
    let mut options = "<option value=\"\">works</option>".to_owned();
    for fault in SmtpFault::ALL {
        let selected = if present == Some(fault) { " selected" } else { "" };
        let _ = write!(options, "<option{selected}>{}</option>", fault.name());
    }
    format!(
        "<form class=\"card\" method=\"post\" action=\"/mail/fault\"><label>Mail server\
         <select name=\"fault\">{options}</select></label><button>Set</button></form>"
    )
}

pub(super) async fn mail(State(desk): State<Desk>, Path(id): Path<u64>) -> Response {
    let Some(mail) = desk.mail.one(id) else {
        return gone();
    };
    let text = if mail.text.is_empty() {
        String::new()
    } else {
        format!("<h2>Text</h2><div class=\"card\"><pre>{}</pre></div>", linked(&mail.text))
    };
    let html = if mail.html.is_empty() {
        String::new()
    } else {
        format!(
            "<h2>HTML</h2><iframe src=\"/mail/{id}/html\" title=\"HTML part of the mail\" sandbox=\"allow-popups \
             allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation\"></iframe>"
        )
    };
    let body = format!(
        "<p><a href=\"/mail\">All mail</a></p><h1>{}</h1><table><tr><th>From</th><td>{}</td></tr><tr><th>To</th><td>{}</td></tr>\
         <tr><th>Received</th><td>{} UTC</td></tr><tr><th>Message-ID</th><td><code>{}</code></td></tr></table>{text}{html}\
         <p><a href=\"/mail/{id}/raw\">As it arrived ({} bytes)</a></p>",
        esc(&subject(&mail)),
        esc(&mail.from),
        esc(&mail.to.join(", ")),
        mail.at.format("%Y-%m-%d %H:%M:%S"),
        esc(&mail.message_id),
        mail.raw.len(),
    );
    whole(&subject(&mail), "", None, &body).into_response()
}

pub(super) async fn html(State(desk): State<Desk>, Path(id): Path<u64>) -> Response {
    let Some(mail) = desk.mail.one(id).filter(|mail| !mail.html.is_empty()) else {
        return gone();
    };
    // Links leave the frame instead of loading inside of it.
    let body = format!("<base target=\"_top\">{}", mail.html);
    ([(header::CONTENT_SECURITY_POLICY, MAIL_POLICY)], Html(body)).into_response()
}

pub(super) async fn raw(State(desk): State<Desk>, Path(id): Path<u64>) -> Response {
    match desk.mail.one(id) {
        Some(mail) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], mail.raw).into_response(),
        None => gone(),
    }
}

#[derive(Deserialize)]
pub(super) struct FaultForm {
    fault: String,
}

pub(super) async fn set_fault(State(desk): State<Desk>, Form(it): Form<FaultForm>) -> Redirect {
    desk.mail.fail(SmtpFault::ALL.into_iter().find(|fault| fault.name() == it.fault));
    Redirect::to("/mail")
}

pub(super) async fn clear(State(desk): State<Desk>) -> Redirect {
    desk.mail.clear();
    Redirect::to("/mail")
}

fn gone() -> Response {
    let page = whole(
        "Not found",
        "",
        None,
        "<h1>Not found</h1><p>This mail is no longer kept. <a href=\"/mail\">All mail</a></p>",
    );
    (StatusCode::NOT_FOUND, page).into_response()
}

fn subject(mail: &Mail) -> String {
    if mail.subject.is_empty() { "(no subject)".into() } else { mail.subject.clone() }
}

/// Escaped text with its links made clickable.
fn linked(text: &str) -> String {
    let mut html = String::new();
    let mut done = 0;
    for (at, link) in find_links(text) {
        html.push_str(&esc(&text[done..at]));
        let safe = esc(&link);
        let _ = write!(html, "<a href=\"{safe}\" rel=\"noreferrer\">{safe}</a>");
        done = at + link.len();
    }
    html.push_str(&esc(&text[done..]));
    html
}
