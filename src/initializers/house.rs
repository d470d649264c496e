//! Who comes into `/admin`: asked before any of its routes, so that a page which forgot to ask is no hole, and an address
//! that does not exist there answers strangers like one that does.

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::Response,
};
use loco_rs::app::AppContext;

use crate::controllers::extractors::{Staff, is_of_the_house};

pub async fn door(State(ctx): State<AppContext>, request: Request, next: Next) -> Response {
    if !is_of_the_house(request.uri().path()) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    match Staff::from_request_parts(&mut parts, &ctx).await {
        Ok(_) => next.run(Request::from_parts(parts, body)).await,
        Err(answer) => answer,
    }
}
