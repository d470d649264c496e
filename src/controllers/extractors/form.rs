//! The fields of a small form.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;

use crate::controllers::Error;

/// Axum's form, without the one character that no database of ours takes as text.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let whole = Request::from_parts(parts.clone(), body);
        let bytes = Bytes::from_request(whole, state).await.map_err(IntoResponse::into_response)?;
        if std::str::from_utf8(&bytes).is_ok_and(carries_nul) {
            return Err(Error::BadRequest("A field of the form is not text. Nothing was done.").into_response());
        }
        let form = axum::Form::from_request(Request::from_parts(parts, Body::from(bytes)), state).await;
        form.map(|axum::Form(fields)| Self(fields)).map_err(IntoResponse::into_response)
    }
}

/// `PostgreSQL` has none in text, `SQLite` ends a text at it here and there.
fn carries_nul(encoded: &str) -> bool {
    encoded.contains("%00") || encoded.contains('\0')
}
