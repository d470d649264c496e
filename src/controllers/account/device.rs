//! Whether this browser is told of what is finished.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use loco_rs::app::AppContext;

use crate::{
    controllers::{
        Result,
        extractors::{CurrentSession, Form, Page},
    },
    models::devices::{self, Agreement, Consent},
};

pub async fn create(
    State(ctx): State<AppContext>,
    CurrentSession(user, here): CurrentSession,
    page: Page,
    Form(consent): Form<Consent>,
) -> Result<Response> {
    match devices::agree(&ctx, &user, &here, &consent).await? {
        Agreement::Kept => Ok(Redirect::to("/app/account?done=device").into_response()),
        Agreement::Unusable | Agreement::Taken => {
            let text = "This browser cannot be told: its push service is not one that we can reach.";
            super::whole(&ctx, &user, &here, page, StatusCode::UNPROCESSABLE_ENTITY, "error", text).await
        }
    }
}

pub async fn end(State(ctx): State<AppContext>, CurrentSession(_, here): CurrentSession) -> Result<Response> {
    devices::end(&ctx.db, &here).await?;
    Ok(Redirect::to("/app/account?done=device-end").into_response())
}
