//! Pieces every page is made of.

use axum::{
    http::header,
    response::{Html, IntoResponse},
};

/// Text for HTML, inside and outside of attributes.
pub(super) fn esc(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A whole page. `refresh` reloads it every so many seconds.
pub(super) fn page(title: &str, here: &str, refresh: Option<u32>, body: &str) -> Html<String> {
    let reload =
        refresh.map(|seconds| format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">")).unwrap_or_default();
    let link = |href: &str, name: &str| {
        let current = if href == here { " aria-current=\"page\"" } else { "" };
        format!("<a href=\"{href}\"{current}>{name}</a>")
    };
    Html(format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">{reload}<title>{} · Sandbox</title>\
         <link rel=\"stylesheet\" href=\"/style.css\"></head><body>\
         <header><strong>Sandbox</strong><nav aria-label=\"Main\">{}{}{}{}</nav></header><main>{body}</main></body></html>",
        esc(title),
        link("/", "Images"),
        link("/mail", "Mail"),
        link("/payments", "Payments"),
        link("/telegram", "Telegram"),
    ))
}

/// The first letters of a text, with an ellipsis when there is more.
pub(super) fn short(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters).chain(['…']).collect()
}

/// A key as people compare them: beginning and end.
pub(super) fn short_key(key: &str) -> String {
    let letters: Vec<char> = key.chars().collect();
    if letters.len() <= 20 {
        return key.to_owned();
    }
    letters[..12].iter().chain(&['…']).chain(&letters[letters.len() - 4..]).collect()
}

pub(super) async fn style() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=60")],
        include_str!("style.css"),
    )
}
