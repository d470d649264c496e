//! Templates, read once from `assets/views` (and again when they change, in a debug build).

use std::sync::OnceLock;

use async_trait::async_trait;
use axum::{Extension, Router};
use loco_rs::{
    Result,
    app::{AppContext, Initializer},
    controller::views::{ViewEngine, engines::TeraView},
};

/// One for the process: each would watch the folder with an inotify instance of its own, and there are few.
static TEMPLATES: OnceLock<TeraView> = OnceLock::new();

pub struct Views;

#[async_trait]
impl Initializer for Views {
    fn name(&self) -> String {
        "views".into()
    }

    async fn after_routes(&self, router: Router, ctx: &AppContext) -> Result<Router> {
        let view = templates()?;
        // The error pages are made outside the handlers and need the same templates.
        ctx.shared_store.insert(view.clone());
        Ok(router.layer(Extension(ViewEngine::from(view))))
    }
}

fn templates() -> Result<TeraView> {
    if let Some(view) = TEMPLATES.get() {
        return Ok(view.clone());
    }
    let view = TeraView::build()?;
    Ok(TEMPLATES.get_or_init(|| view).clone())
}
