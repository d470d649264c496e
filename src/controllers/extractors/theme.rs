//! Light or dark, as somebody chose in this browser. It is no secret and no session, only what the browser brings with it: so
//! pages come in the right colours at once, with and without a script.

use axum::http::HeaderMap;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use time::Duration;

const COOKIE: &str = "__Host-theme";
const KEPT: Duration = Duration::days(365);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system says, by day and by night.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// A word that is none of ours leaves it to the system.
    #[must_use]
    pub fn named(word: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.word() == word).unwrap_or_default()
    }

    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        CookieJar::from_headers(headers).get(COOKIE).map(|cookie| Self::named(cookie.value())).unwrap_or_default()
    }

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// The colours that a page insists on; empty where the system decides.
    #[must_use]
    pub const fn insists(self) -> &'static str {
        match self {
            Self::System => "",
            Self::Light | Self::Dark => self.word(),
        }
    }

    #[must_use]
    pub fn cookie(self) -> Cookie<'static> {
        Cookie::build((COOKIE, self.word()))
            .path("/")
            .secure(true)
            .http_only(true)
            .same_site(SameSite::Lax)
            .max_age(KEPT)
            .build()
    }
}
