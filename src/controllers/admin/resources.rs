//! Every resource of the admin by the same handlers: the list, the sheet, the page about a row, and its actions. Looking
//! is for staff, changing is for admins.

use axum::{
    body::Body,
    extract::{FromRequestParts, Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{MethodRouter, get},
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use loco_rs::{app::AppContext, controller::Routes};
use serde_json::json;

use crate::{
    controllers::{
        Error, Result,
        extractors::{Admin, Confirmed, Form, Owner, Page, Staff},
    },
    models::{
        activities::Actor,
        admin::{
            self,
            description::{Input, Outcome},
            resource::{Asked, BULK_MAX, Done, Resource},
        },
        users::Role,
    },
    views::admin as views,
};

/// Said instead of doing a part of it.
const TOO_MANY: &str = "These are more than 1,000: narrow the list, or take it in several steps. Nothing was changed.";

type Pairs = Vec<(String, String)>;
type Kind = &'static dyn Resource;

/// The addresses of all resources.
pub fn routes() -> Routes {
    admin::ALL.iter().fold(Routes::new(), |routes, resource| of(*resource, routes))
}

fn of(kind: Kind, routes: Routes) -> Routes {
    let base = views::url(&kind.about());
    let mut routes = routes
        .add(
            &base,
            get(
                move |State(ctx): State<AppContext>,
                      staff: Staff,
                      page: Page,
                      headers: HeaderMap,
                      Query(asked): Query<Pairs>| {
                    index(kind, ctx, staff.user.role(), page, headers, asked)
                },
            ),
        )
        .add(
            &format!("{base}/sheet"),
            get(move |State(ctx): State<AppContext>, _: Staff, Query(asked): Query<Pairs>| async move {
                sheet(kind, ctx, &asked)
            }),
        )
        .add(
            &format!("{base}/{{id}}"),
            get(
                move |State(ctx): State<AppContext>,
                      staff: Staff,
                      page: Page,
                      Path(id): Path<i64>,
                      headers: HeaderMap,
                      Query(asked): Query<Pairs>| {
                    show(kind, ctx, staff.user.role(), page, id, headers, asked)
                },
            ),
        );
    let actions = kind.row_actions();
    for action in &actions {
        let at = format!("{base}/{{id}}/{}", action.noun);
        routes = match (action.is_grave, action.least) {
            (_, Role::Owner) => routes.add(&at, row_action::<Confirmed<Owner>>(kind, action.noun)),
            (true, _) => routes.add(&at, row_action::<Confirmed<Admin>>(kind, action.noun)),
            (false, _) => routes.add(&at, row_action::<Admin>(kind, action.noun)),
        };
    }
    if !kind.bulk_actions().is_empty() {
        let at = format!("{base}/batch");
        // What is done to many at once is grave by itself.
        let batch =
            get(move |State(ctx): State<AppContext>, _: Confirmed<Admin>, page: Page, Query(asked): Query<Pairs>| {
                ask_batch(kind, ctx, page, Input::new(asked))
            });
        routes = routes.add(
            &at,
            batch.post(
                move |State(ctx): State<AppContext>, admin: Confirmed<Admin>, page: Page, Form(sent): Form<Pairs>| {
                    act_batch(kind, ctx, page, Input::new(sent), admin.actor())
                },
            ),
        );
    }
    for creation in kind.creations() {
        let noun = creation.noun;
        let at = format!("{base}/{noun}");
        let new = get(move |State(ctx): State<AppContext>, _: Admin, page: Page, Query(asked): Query<Pairs>| {
            ask_new(kind, noun, ctx, page, Input::new(asked))
        });
        routes = routes.add(
            &at,
            new.post(move |State(ctx): State<AppContext>, admin: Admin, page: Page, Form(sent): Form<Pairs>| {
                make(kind, noun, ctx, page, Input::new(sent), admin.actor())
            }),
        );
    }
    routes
}

/// The page of an action and the action itself, for those who may.
fn row_action<Who>(kind: Kind, noun: &'static str) -> MethodRouter<AppContext>
where
    Who: FromRequestParts<AppContext, Rejection = Response> + Acting + Send + 'static,
{
    let asked = get(
        move |State(ctx): State<AppContext>, _: Who, page: Page, Path(id): Path<i64>, Query(asked): Query<Pairs>| {
            ask(kind, noun, ctx, page, vec![id], Input::new(asked))
        },
    );
    asked.post(
        move |State(ctx): State<AppContext>, who: Who, page: Page, Path(id): Path<i64>, Form(sent): Form<Pairs>| {
            act(kind, noun, ctx, page, id, Input::new(sent), who.actor())
        },
    )
}

/// Who acts, for the audit log.
trait Acting {
    fn actor(&self) -> Actor;
}

impl Acting for Admin {
    fn actor(&self) -> Actor {
        Self::actor(self)
    }
}

impl Acting for Confirmed<Admin> {
    fn actor(&self) -> Actor {
        self.0.actor()
    }
}

impl Acting for Confirmed<Owner> {
    fn actor(&self) -> Actor {
        self.0.actor()
    }
}

async fn index(
    kind: Kind,
    ctx: AppContext,
    role: Role,
    page: Page,
    headers: HeaderMap,
    asked: Pairs,
) -> Result<Response> {
    let page = told(page, kind, &headers, &asked);
    listed(kind, &ctx, role, page, &asked, StatusCode::OK).await
}

async fn listed(
    kind: Kind,
    ctx: &AppContext,
    role: Role,
    page: Page,
    asked: &Pairs,
    status: StatusCode,
) -> Result<Response> {
    let (wish, may_change) = (kind.wish(asked), role >= Role::Admin);
    let controls = kind.controls(ctx).await?;
    let table = kind.list(ctx, &wish).await?;
    let fitting = match may_change && !controls.bulk.is_empty() {
        true => Some(kind.fitting(ctx, &wish, &controls, &table).await?),
        false => None,
    };
    let list = views::list(&kind.about(), &kind.heads(), &controls, table, fitting, &wish);
    page.with_status(status, "admin/list.html", json!({ "list": list, "may_change": may_change }))
}

/// Written while it is read: a long list fills no memory, and a reader who leaves ends it.
fn sheet(kind: Kind, ctx: AppContext, asked: &Pairs) -> Result<Response> {
    let (heads, rows) = kind.sheet(ctx, kind.wish(asked));
    let head = views::sheet::line(heads.into_iter().map(str::to_owned)).map_err(loco_rs::Error::wrap)?;
    let rows = rows.map(|row| {
        let row = row.inspect_err(|error| tracing::error!(%error, "a sheet breaks off"));
        views::sheet::line(row?.iter().map(views::sheet::field)).map_err(loco_rs::Error::wrap)
    });
    let lines = stream::once(async { Ok::<_, loco_rs::Error>(head) }).chain(rows).map_ok(Bytes::from);
    let name = format!("attachment; filename=\"{}.csv\"", kind.about().path);
    let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(lines)).into_response())
}

async fn show(
    kind: Kind,
    ctx: AppContext,
    role: Role,
    page: Page,
    id: i64,
    headers: HeaderMap,
    asked: Pairs,
) -> Result<Response> {
    let page = told(page, kind, &headers, &asked);
    about_row(kind, &ctx, role, page, id, StatusCode::OK).await
}

async fn about_row(
    kind: Kind,
    ctx: &AppContext,
    role: Role,
    page: Page,
    id: i64,
    status: StatusCode,
) -> Result<Response> {
    let Some(mut shown) = kind.show(ctx, id).await? else { return Err(Error::NotFound) };
    shown.buttons.retain(|button| button.least <= role);
    let content =
        json!({ "shown": views::shown(&kind.about(), shown, role >= Role::Admin), "may_change": role >= Role::Admin });
    page.with_status(status, "admin/show.html", content)
}

/// The address names what was done and never says it; somebody else's link to the page tells nothing.
fn told(page: Page, kind: Kind, headers: &HeaderMap, asked: &Pairs) -> Page {
    let is_ours = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let noun = asked.iter().find(|(name, _)| name == "done").map(|(_, noun)| noun.as_str());
    match noun.filter(|_| is_ours).and_then(|noun| kind.said(noun)) {
        Some(text) => page.saying("success", text),
        None => page,
    }
}

async fn ask(
    kind: Kind,
    noun: &'static str,
    ctx: AppContext,
    page: Page,
    ids: Vec<i64>,
    input: Input,
) -> Result<Response> {
    asked(kind, noun, &ctx, page, &ids, &input, &[]).await
}

async fn asked(
    kind: Kind,
    noun: &str,
    ctx: &AppContext,
    page: Page,
    ids: &[i64],
    input: &Input,
    complaints: &[(&'static str, String)],
) -> Result<Response> {
    let Some(asked) = kind.ask(ctx, noun, ids, input).await? else { return Err(Error::NotFound) };
    form(kind, page, asked, input, complaints)
}

fn form(
    kind: Kind,
    page: Page,
    asked: Asked,
    input: &Input,
    complaints: &[(&'static str, String)],
) -> Result<Response> {
    let asked = views::asked(&kind.about(), asked, views::Sent { input, complaints });
    page.with_status(status_of(complaints), "admin/action.html", json!({ "asked": asked }))
}

fn status_of(complaints: &[(&'static str, String)]) -> StatusCode {
    if complaints.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
}

async fn act(
    kind: Kind,
    noun: &'static str,
    ctx: AppContext,
    page: Page,
    id: i64,
    input: Input,
    actor: Actor,
) -> Result<Response> {
    let done = kind.act(&ctx, noun, &[id], &input, &actor).await?.and_then(|mut done| done.pop());
    let Some(Done { outcome, .. }) = done else { return Err(Error::NotFound) };
    let about = kind.about();
    match outcome {
        Outcome::Done => Ok(done_at(&views::row_url(&about, id), noun)),
        Outcome::Made(other) => Ok(done_at(&views::row_url(&about, other), noun)),
        Outcome::Told(text) => {
            about_row(kind, &ctx, Role::Admin, page.saying("success", &text), id, StatusCode::OK).await
        }
        Outcome::Refused(why) => {
            about_row(kind, &ctx, Role::Admin, page.saying("warning", &why), id, StatusCode::CONFLICT).await
        }
        Outcome::Invalid(complaints) => asked(kind, noun, &ctx, page, &[id], &input, &complaints).await,
        Outcome::Shown(sections) => {
            let content = json!({
                "sections": views::sections(sections, true),
                "back": views::row_url(&about, id),
                "title": about.title,
            });
            page.html("admin/shown.html", content)
        }
    }
}

fn done_at(url: &str, noun: &str) -> Response {
    Redirect::to(&format!("{url}?done={noun}")).into_response()
}

/// For those that are ticked, or for all that fit. What is asked about is what is done: the page carries their ids along,
/// and who fits meanwhile is not among them.
async fn ask_batch(kind: Kind, ctx: AppContext, page: Page, input: Input) -> Result<Response> {
    let noun = input.text("noun");
    if !kind.bulk_actions().iter().any(|action| action.noun == noun) {
        return Err(Error::NotFound);
    }
    let list = views::asked_for(input.text("wish"));
    let ids = match input.text("all") {
        "" => Some(input.ids()).filter(|ids| ids.len() <= BULK_MAX),
        _ => kind.ids(&ctx, &kind.wish(&list)).await?,
    };
    let why = match ids {
        None => TOO_MANY,
        Some(ids) if ids.is_empty() => "Nothing was ticked.",
        Some(ids) => match kind.ask(&ctx, noun, &ids, &input).await? {
            Some(asked) => return form(kind, page, asked, &input, &[]),
            None => "This is for none of them, as they stand.",
        },
    };
    listed(kind, &ctx, Role::Admin, page.saying("warning", why), &list, StatusCode::CONFLICT).await
}

async fn act_batch(kind: Kind, ctx: AppContext, page: Page, input: Input, actor: Actor) -> Result<Response> {
    let (noun, ids) = (input.text("noun").to_owned(), input.ids());
    if ids.len() > BULK_MAX {
        let list = views::asked_for(input.text("wish"));
        return listed(kind, &ctx, Role::Admin, page.saying("warning", TOO_MANY), &list, StatusCode::CONFLICT).await;
    }
    let Some(done) = kind.act(&ctx, &noun, &ids, &input, &actor).await? else { return Err(Error::NotFound) };
    let all_wrong = done.iter().all(|it| matches!(it.outcome, Outcome::Invalid(_)));
    if let (true, Some(Done { outcome: Outcome::Invalid(complaints), .. })) = (all_wrong, done.first()) {
        return asked(kind, &noun, &ctx, page, &ids, &input, complaints).await;
    }
    let about = kind.about();
    let said = kind.said(&noun).unwrap_or_default();
    let back = views::list_url(&about, input.text("wish"));
    let content = json!({ "done": views::done(&about, &done, said), "title": about.title, "back": back });
    page.html("admin/done.html", content)
}

async fn ask_new(kind: Kind, noun: &'static str, ctx: AppContext, page: Page, input: Input) -> Result<Response> {
    asked_new(kind, noun, &ctx, page, &input, &[]).await
}

async fn asked_new(
    kind: Kind,
    noun: &'static str,
    ctx: &AppContext,
    page: Page,
    input: &Input,
    complaints: &[(&'static str, String)],
) -> Result<Response> {
    let Some(asked) = kind.ask_new(ctx, noun, input).await? else { return Err(Error::NotFound) };
    form(kind, page, asked, input, complaints)
}

async fn make(
    kind: Kind,
    noun: &'static str,
    ctx: AppContext,
    page: Page,
    input: Input,
    actor: Actor,
) -> Result<Response> {
    let Some(outcome) = kind.make(&ctx, noun, &input, &actor).await? else { return Err(Error::NotFound) };
    let about = kind.about();
    match outcome {
        Outcome::Made(id) => Ok(done_at(&views::row_url(&about, id), noun)),
        Outcome::Done | Outcome::Shown(_) => Ok(done_at(&views::url(&about), noun)),
        Outcome::Told(text) => {
            index(kind, ctx, Role::Admin, page.saying("success", &text), HeaderMap::new(), Vec::new()).await
        }
        Outcome::Refused(why) => asked_new(kind, noun, &ctx, page, &input, &[("", why)]).await,
        Outcome::Invalid(complaints) => asked_new(kind, noun, &ctx, page, &input, &complaints).await,
    }
}
