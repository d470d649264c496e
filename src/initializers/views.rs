//! Templates, read once from `assets/views` (and again when they change, in a debug build).

use async_trait::async_trait;
use axum::{Extension, Router};
use loco_rs::{
    Result,
    app::{AppContext, Initializer},
    controller::views::{ViewEngine, engines::TeraView},
};

pub struct Views;

#[async_trait]
impl Initializer for Views {
    fn name(&self) -> String {
        "views".into()
    }

    async fn after_routes(&self, router: Router, ctx: &AppContext) -> Result<Router> {
        let view = TeraView::build()?;
        // The error pages are made outside the handlers and need the same templates.
        ctx.shared_store.insert(view.clone());
        Ok(router.layer(Extension(ViewEngine::from(view))))
    }
}
