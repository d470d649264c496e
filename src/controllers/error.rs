//! What a person gets to read when a request does not work. The handler says which; the layer `initializers::errors`
//! makes the page (or the JSON) of it.

use std::time::Duration;

use axum::{
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};

use crate::models::{self, throttles::Refused};

/// Seconds after which to come again when the site was not ready.
pub const SOON: &str = "10";

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug)]
pub enum Error {
    /// Nothing here, or nothing of yours: the two look alike.
    NotFound,
    /// A link to an invoice that ended, or never was one.
    DeadLink,
    /// A link to a picture that has ended, was taken back, or never was one.
    DeadShare,
    /// Sign in first.
    SignInFirst,
    /// Somebody of the house looks through another's eyes, and tried to change something there.
    OnlyLooking,
    /// What says that it comes from a payment processor is not signed by it.
    Forged,
    /// The request cannot be read.
    BadRequest(&'static str),
    /// Too many tries; nothing was done.
    TooOften { refused: Refused, way_out: Option<WayOut> },
    /// Ours; logged, never shown.
    Internal(loco_rs::Error),
}

/// What helps at once where waiting would help later: a sentence, and the button for it.
#[derive(Debug, Clone, Copy)]
pub struct WayOut {
    pub text: &'static str,
    pub label: &'static str,
    pub url: &'static str,
}

/// Whoever cannot remember a password need not wait: the mailed link counts against other limits.
pub const FORGOTTEN: WayOut = WayOut {
    text: "If this is your account, you need not wait: a link to your mail lets you in at once.",
    label: "Mail me a link",
    url: "/password/forgot",
};

/// Whoever is told to wait for another mail has some already.
pub const MAILED: WayOut = WayOut {
    text: "If this address has an account, the newest link in its mail works: look there first.",
    label: "Back to log in",
    url: "/login",
};

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::TooOften { refused, way_out: None }
    }
}

impl<E: Into<loco_rs::Error>> From<E> for Error {
    fn from(error: E) -> Self {
        Self::Internal(error.into())
    }
}

/// Travels beside a response whose body is still to be written.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Stable, for programs.
    pub code: &'static str,
    pub title: &'static str,
    pub text: String,
    /// `(label, url)` of the button; none = back to where the person came from.
    pub action: Option<(&'static str, &'static str)>,
}

impl Problem {
    /// The page for a status that says nothing more.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let (code, title, text) = match status {
            StatusCode::BAD_REQUEST => (
                "bad_request",
                "That did not arrive whole",
                "The request could not be read. Go back, reload the page and try again.",
            ),
            StatusCode::UNAUTHORIZED => ("sign_in_first", "Log in first", "This page is for people who are logged in."),
            StatusCode::FORBIDDEN => (
                "cross_site",
                "This came from another site",
                "For your safety, forms are taken only from our own pages. Open the page here and send it again.",
            ),
            StatusCode::NOT_FOUND => {
                ("not_found", "There is nothing here", "The address is wrong, or what it showed was deleted.")
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                ("method_not_allowed", "That does not work here", "This address does not take this kind of request.")
            }
            StatusCode::REQUEST_TIMEOUT => (
                "too_slow",
                "That took too long to arrive",
                "The line was too slow, or broke. Nothing was done. Go back and try again.",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => {
                ("too_large", "That is too large", "This is more than this form takes. Pictures may have up to 20 MB.")
            }
            StatusCode::TOO_MANY_REQUESTS => ("too_many", "Too many at once", "Wait a moment and try again."),
            StatusCode::SERVICE_UNAVAILABLE => {
                ("unavailable", "Back in a moment", "The site is not ready to answer. Try again in a minute.")
            }
            status if status.is_server_error() => (
                "internal",
                "Something broke on our side",
                "We have been told. Try again; if it stays like this, send us the reference below.",
            ),
            _ => ("refused", "That did not work", "The request was not accepted."),
        };
        Self { code, title, text: text.into(), action: None }
    }

    fn dead_link() -> Self {
        Self {
            code: "dead_link",
            title: "This link does not work any more",
            text: "Nothing was charged. Log in, and you find your plan and all your invoices under plan and billing."
                .into(),
            action: Some(("Log in", "/app/billing")),
        }
    }

    fn only_looking() -> Self {
        Self {
            code: "only_looking",
            title: "You are only looking",
            text: "This is somebody else's account. Nothing was changed. End the view to do something as yourself."
                .into(),
            action: Some(("Back to the admin", "/admin")),
        }
    }

    fn dead_share() -> Self {
        Self {
            code: "dead_share",
            title: "There is no picture here any more",
            text: "The link has ended, or whoever made it took it back.".into(),
            action: None,
        }
    }

    fn forged() -> Self {
        Self {
            code: "bad_signature",
            title: "Not signed by the processor",
            text: "The signature is missing or does not match. Compare the secret here with the processor's.".into(),
            action: None,
        }
    }

    fn too_often(refused: Refused, way_out: Option<WayOut>) -> Self {
        let mut text = format!(
            "There were too many tries, so this one was not looked at. Wait {} and try again.",
            in_words(refused.retry_after)
        );
        if let Some(way_out) = way_out {
            text = format!("{text} {}", way_out.text);
        }
        Self {
            code: "too_often",
            title: "Not so fast",
            text,
            action: way_out.map(|way_out| (way_out.label, way_out.url)),
        }
    }
}

/// Rounded up: after that long it works.
fn in_words(wait: Duration) -> String {
    match wait.as_secs().div_ceil(60) {
        0 | 1 => "a minute".into(),
        minutes => format!("{minutes} minutes"),
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, problem) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, Problem::of_status(StatusCode::NOT_FOUND)),
            Self::DeadLink => (StatusCode::NOT_FOUND, Problem::dead_link()),
            Self::OnlyLooking => (StatusCode::FORBIDDEN, Problem::only_looking()),
            Self::DeadShare => (StatusCode::NOT_FOUND, Problem::dead_share()),
            Self::SignInFirst => (StatusCode::UNAUTHORIZED, Problem::of_status(StatusCode::UNAUTHORIZED)),
            Self::Forged => (StatusCode::UNAUTHORIZED, Problem::forged()),
            Self::BadRequest(text) => {
                (StatusCode::BAD_REQUEST, Problem { text: text.into(), ..Problem::of_status(StatusCode::BAD_REQUEST) })
            }
            Self::TooOften { refused, way_out } => {
                let seconds = refused.retry_after.as_secs() + 1;
                let problem = Problem::too_often(refused, way_out);
                let mut response =
                    (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds.to_string())]).into_response();
                response.extensions_mut().insert(problem);
                return response;
            }
            Self::Internal(error) if models::is_away(&error) => {
                tracing::error!(%error, "the database is away");
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let mut response = (status, [(RETRY_AFTER, SOON)]).into_response();
                response.extensions_mut().insert(Problem::of_status(status));
                return response;
            }
            Self::Internal(error) => {
                tracing::error!(%error, "a request failed");
                (StatusCode::INTERNAL_SERVER_ERROR, Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR))
            }
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(problem);
        response
    }
}
