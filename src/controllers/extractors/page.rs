//! What every page shows around its own content, and the way to render it.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, request::Parts},
    response::{Html, IntoResponse, Response},
};
use loco_rs::{
    app::AppContext,
    controller::views::{ViewEngine, ViewRenderer, engines::TeraView},
};
use serde_json::{Value, json};

use super::{Visitor, is_of_the_house};
use crate::{
    context::Nproxy,
    controllers::{Error, Result},
    models::{
        allowances, clock,
        conversations::{self, Shelf},
        subscriptions,
        switches::{self, Switch, Switches},
        users::{self, viewing::Viewing},
    },
    views::{self, allowances::AllowanceView},
};

/// Sent with what a page asks for while nobody looks at it (`assets/static/app.js`).
const AWAY: &str = "page-hidden";

/// Sent by htmx with everything it asks for.
#[must_use]
pub fn is_htmx(headers: &HeaderMap) -> bool {
    headers.get("hx-request").is_some()
}

/// A page about to be rendered.
pub struct Page {
    view: TeraView,
    frame: serde_json::Map<String, Value>,
    pub allowance: AllowanceView,
    pub is_htmx: bool,
    /// The person sees it: no operator who looks through their eyes, and no page in the background.
    pub is_seen: bool,
}

impl FromRequestParts<AppContext> for Page {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self> {
        let Visitor(user) = Visitor::from_request_parts(parts, ctx).await?;
        let ViewEngine(view) = ViewEngine::<TeraView>::from_request_parts(parts, ctx).await?;
        let allowance = allowance_of(ctx, user.as_ref()).await?;
        let thrown = switches::thrown(&ctx.db).await?;
        let mut frame = frame(ctx, user.as_ref(), &allowance, &thrown, parts.uri.path());
        let viewing = parts.extensions.get::<Viewing>().map(views::admin::viewing);
        frame.insert("viewing".into(), json!(viewing.as_ref()));
        let is_seen = viewing.is_none() && !parts.headers.contains_key(AWAY);
        Ok(Self { view, frame, allowance, is_htmx: is_htmx(&parts.headers), is_seen })
    }
}

impl Page {
    /// # Errors
    /// The template is wrong.
    pub fn html(self, template: &str, content: Value) -> Result<Response> {
        self.with_status(StatusCode::OK, template, content)
    }

    /// # Errors
    /// The template is wrong.
    pub fn with_status(mut self, status: StatusCode, template: &str, content: Value) -> Result<Response> {
        if let Value::Object(content) = content {
            self.frame.extend(content);
        }
        let body = self.view.render(template, Value::Object(self.frame))?;
        Ok((status, Html(body)).into_response())
    }

    /// Looks at the allowance again: something has been spent since the request came in.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn refresh_allowance(&mut self, ctx: &AppContext, user: &users::Model) -> Result<()> {
        self.allowance = allowance_of(ctx, Some(user)).await?;
        self.frame.insert("me".into(), me(user, &self.allowance));
        Ok(())
    }

    /// Something to know, above everything else.
    #[must_use]
    pub fn saying(mut self, tone: &str, text: &str) -> Self {
        self.frame.insert("flash".into(), json!({ "tone": tone, "text": text }));
        self
    }

    /// The same for everybody: a browser keeps this page.
    #[must_use]
    pub fn as_nobody(mut self) -> Self {
        self.frame.insert("me".into(), Value::Null);
        self
    }

    /// Adds the conversations of the sidebar.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn with_sidebar(
        mut self,
        ctx: &AppContext,
        user: &users::Model,
        current: Option<&conversations::Model>,
    ) -> Result<Self> {
        let recent = conversations::list(&ctx.db, user, Shelf::Current, "", None).await?;
        let now = clock::now(&ctx.db).await?;
        let shown = views::conversations::list(&recent, Shelf::Current, "", current, now);
        self.frame.insert("conversations".into(), json!(shown.conversations));
        self.frame.insert("older_url".into(), json!(shown.older_url));
        Ok(self)
    }
}

/// Around every page, signed in or not.
#[must_use]
pub fn frame(
    ctx: &AppContext,
    user: Option<&users::Model>,
    allowance: &AllowanceView,
    thrown: &Switches,
    path: &str,
) -> serde_json::Map<String, Value> {
    let parts = ctx.parts();
    let settings = parts.settings();
    let dev = settings.sandbox.on.then(
        || json!({ "mail_url": format!("{}/mail", settings.sandbox.url()), "sandbox_url": settings.sandbox.url() }),
    );
    let frame = json!({
        "site": {
            "name": "nproxy",
            "version": env!("CARGO_PKG_VERSION"),
            "support_url": settings.support_bot_url,
            "registration_open": thrown.get(Switch::SignUpsClosed).is_none(),
            "registration_closed": thrown.says(Switch::SignUpsClosed).unwrap_or_default(),
            "banner": thrown.says(Switch::Banner).unwrap_or_default(),
            "paused": thrown.says(Switch::GenerationPaused).unwrap_or_default(),
            "gtm_id": if carries_secret(path) { "" } else { settings.gtm_id.as_str() },
            "dev": dev,
        },
        "me": user.map(|user| me(user, allowance)),
        "flash": null,
        "path": path,
        "conversations": [],
        "older_url": "",
        "viewing": null,
        "menu": if is_of_the_house(path) { views::admin::menu() } else { Vec::new() },
    });
    match frame {
        Value::Object(frame) => frame,
        _ => serde_json::Map::new(),
    }
}

/// Pages whose address is worth something to whoever reads it: nobody else is told of them.
fn carries_secret(path: &str) -> bool {
    ["/activation", "/password/reset", "/email/confirmation", "/pay/", "/shared/"].iter().any(|it| path.starts_with(it))
}

fn me(user: &users::Model, allowance: &AllowanceView) -> Value {
    json!({
        "pid": user.pid,
        "email": user.email(),
        "role": user.role,
        "is_staff": user.is_staff(),
        "allowance": allowance,
    })
}

async fn allowance_of(ctx: &AppContext, user: Option<&users::Model>) -> Result<AllowanceView> {
    let Some(user) = user else { return Ok(views::allowances::view(&[])) };
    let allowance = views::allowances::view(&allowances::current(&ctx.db, user.id).await?);
    if !allowance.empty {
        return Ok(allowance);
    }
    let cycles = subscriptions::cycles(&ctx.db, user.id, clock::now(&ctx.db).await?).await?;
    Ok(allowance.since(cycles.ended_at))
}
