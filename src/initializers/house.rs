//! Who comes into `/admin`: asked before any of its routes, so that a page which forgot to ask is no hole, and an address
//! that does not exist there answers strangers like one that does.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::Response,
};
use loco_rs::app::AppContext;

use crate::controllers::extractors::{AtTheDoor, Staff, is_at_the_door, is_of_the_house};

pub async fn door(State(ctx): State<Arc<AppContext>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !is_of_the_house(path) {
        return next.run(request).await;
    }
    let is_at_the_door = is_at_the_door(path);
    let (mut parts, body) = request.into_parts();
    let asked = if is_at_the_door {
        AtTheDoor::from_request_parts(&mut parts, &ctx).await.map(drop)
    } else {
        Staff::from_request_parts(&mut parts, &ctx).await.map(drop)
    };
    match asked {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(answer) => answer,
    }
}
