//! Ending sessions: one, or all but the one at hand.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use loco_rs::app::AppContext;

use crate::{
    controllers::{
        Result,
        extractors::{CurrentSession, OwnSession},
    },
    models::sessions,
};

pub async fn revoke(State(ctx): State<AppContext>, OwnSession(session): OwnSession) -> Result<Response> {
    session.end(&ctx.db).await?;
    Ok(Redirect::to("/app/account?done=session").into_response())
}

pub async fn revoke_others(
    State(ctx): State<AppContext>,
    CurrentSession(user, here): CurrentSession,
) -> Result<Response> {
    sessions::revoke_others(&ctx.db, &user, &here).await?;
    Ok(Redirect::to("/app/account?done=sessions").into_response())
}
