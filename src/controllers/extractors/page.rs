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

use super::{Theme, Visitor, is_of_the_house};
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
    pub theme: Theme,
    pub is_htmx: bool,
    /// The person sees it: no operator who looks through their eyes, and no page in the background.
    pub is_seen: bool,
}

/// A page that most requests do not come to, since they are answered with the way elsewhere: what stands around it is looked
/// up when it is rendered, as it is then.
pub struct PageLater {
    view: TeraView,
    user: Option<users::Model>,
    path: String,
    theme: Theme,
    viewing: Option<Viewing>,
    pub is_htmx: bool,
    is_away: bool,
}

impl FromRequestParts<AppContext> for PageLater {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self> {
        let Visitor(user) = Visitor::from_request_parts(parts, ctx).await?;
        let ViewEngine(view) = ViewEngine::<TeraView>::from_request_parts(parts, ctx).await?;
        Ok(Self {
            view,
            user,
            path: parts.uri.path().to_owned(),
            theme: Theme::of(&parts.headers),
            viewing: parts.extensions.get().cloned(),
            is_htmx: is_htmx(&parts.headers),
            is_away: parts.headers.contains_key(AWAY),
        })
    }
}

impl PageLater {
    /// # Errors
    /// The database does not answer.
    pub async fn page(self, ctx: &AppContext) -> Result<Page> {
        let allowance = allowance_of(ctx, self.user.as_ref()).await?;
        let thrown = switches::thrown(&ctx.db).await?;
        let mut frame = frame(ctx, self.user.as_ref(), &allowance, &thrown, &self.path, self.theme);
        let viewing = self.viewing.as_ref().map(views::admin::viewing);
        frame.insert("viewing".into(), json!(viewing));
        let is_seen = viewing.is_none() && !self.is_away;
        Ok(Page { view: self.view, frame, allowance, theme: self.theme, is_htmx: self.is_htmx, is_seen })
    }
}

impl FromRequestParts<AppContext> for Page {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self> {
        PageLater::from_request_parts(parts, ctx).await?.page(ctx).await
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
        self.frame.insert("theme".into(), json!(Theme::System.insists()));
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
    theme: Theme,
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
        "theme": theme.insists(),
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
