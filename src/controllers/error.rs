//! What a person gets to read when a request does not work. The handler says which; the layer `initializers::errors`
//! makes the page (or the JSON) of it.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug)]
pub enum Error {
    /// Nothing here, or nothing of yours: the two look alike.
    NotFound,
    /// Sign in first.
    SignInFirst,
    /// The request cannot be read.
    BadRequest(&'static str),
    /// Ours; logged, never shown.
    Internal(loco_rs::Error),
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
        Self { code, title, text: text.into() }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, problem) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, Problem::of_status(StatusCode::NOT_FOUND)),
            Self::SignInFirst => (StatusCode::UNAUTHORIZED, Problem::of_status(StatusCode::UNAUTHORIZED)),
            Self::BadRequest(text) => {
                (StatusCode::BAD_REQUEST, Problem { text: text.into(), ..Problem::of_status(StatusCode::BAD_REQUEST) })
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
