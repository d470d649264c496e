//! One's own account, and the browsers that are signed in.

use serde::Serialize;

use crate::models::{auth_events, sessions, users};

#[derive(Debug, Serialize)]
pub struct AccountView {
    pub email: String,
    /// An address that waits for its proof; empty = none.
    pub unconfirmed_email: String,
    pub since: String,
    /// The one at hand first.
    pub sessions: Vec<SessionView>,
    pub sign_ins: Vec<SignInView>,
}

#[derive(Debug, Serialize)]
pub struct SessionView {
    pub pid: String,
    pub device: String,
    pub icon: &'static str,
    pub ip: String,
    pub last_seen_at: String,
    pub is_here: bool,
}

/// Whether the browser at hand is told of what is finished.
#[derive(Debug, Serialize)]
pub struct DeviceView {
    pub is_told: bool,
    /// What it ties its consent to.
    pub push_key: String,
}

#[derive(Debug, Serialize)]
pub struct SignInView {
    pub at: String,
    pub device: String,
    pub ip: String,
}

#[must_use]
pub fn view(
    user: &users::Model,
    sessions: &[sessions::Model],
    here: &sessions::Model,
    sign_ins: &[auth_events::Model],
) -> AccountView {
    let mut shown: Vec<_> = sessions.iter().map(|session| session_view(session, session.id == here.id)).collect();
    shown.sort_by_key(|session| !session.is_here);
    AccountView {
        email: user.email().to_owned(),
        unconfirmed_email: user.unconfirmed_email.clone().unwrap_or_default(),
        since: user.created_at.format("%-d %B %Y").to_string(),
        sessions: shown,
        sign_ins: sign_ins
            .iter()
            .map(|event| SignInView {
                at: event.created_at.to_rfc3339(),
                device: device(&event.user_agent),
                ip: event.ip.clone(),
            })
            .collect(),
    }
}

fn session_view(session: &sessions::Model, is_here: bool) -> SessionView {
    SessionView {
        pid: session.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        device: device(&session.user_agent),
        icon: if is_phone(&session.user_agent) { "smartphone" } else { "monitor" },
        ip: session.ip.clone(),
        last_seen_at: session.last_seen_at.to_rfc3339(),
        is_here,
    }
}

fn is_phone(user_agent: &str) -> bool {
    ["Android", "iPhone", "Mobile"].iter().any(|word| user_agent.contains(word))
}

/// "Firefox on Windows": what a browser says of itself, in words. Browsers name their forebears too, so the order counts.
#[must_use]
pub fn device(user_agent: &str) -> String {
    const BROWSERS: [(&str, &str); 9] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS", "Firefox"),
        ("CriOS", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    const SYSTEMS: [(&str, &str); 8] = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("CrOS", "ChromeOS"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Macintosh", "macOS"),
        ("Linux", "Linux"),
    ];
    let named = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.into(),
        (None, Some(system)) => format!("A browser on {system}"),
        (None, None) => "An unknown browser".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn browsers_are_told_apart() {
        for (user_agent, said) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
                "Safari on macOS",
            ),
            ("curl/8.5.0", "curl"),
            ("", "An unknown browser"),
        ] {
            assert_eq!(device(user_agent), said, "{user_agent}");
        }
    }
}
