//! The fields of a small form.

use axum::{
    extract::{FromRequest, RawForm, Request},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;

use crate::controllers::Error;

/// Axum's form, without the one character that no database of ours takes as text, and with no field but those that `T`
/// names: what somebody has added to a form of ours never comes near a column.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let RawForm(bytes) = RawForm::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        if std::str::from_utf8(&bytes).is_ok_and(carries_nul) {
            return Err(refused("A field of the form is not text. Nothing was done."));
        }
        let mut strangers = 0;
        let fields = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(&bytes));
        match serde_ignored::deserialize(fields, |_| strangers += 1) {
            Ok(_) if strangers > 0 => Err(refused(
                "The form has a field that is not known here. Nothing was done. Reload the page and try again.",
            )),
            Ok(fields) => Ok(Self(fields)),
            Err(_) => Err(refused("The form could not be read. Nothing was done. Reload the page and try again.")),
        }
    }
}

fn refused(text: &'static str) -> Response {
    Error::BadRequest(text).into_response()
}

/// `PostgreSQL` has none in text, `SQLite` ends a text at it here and there.
fn carries_nul(encoded: &str) -> bool {
    encoded.contains("%00") || encoded.contains('\0')
}
