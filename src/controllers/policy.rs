//! What holds for each route, in one place: who may call it, what a form may bring, how often, what a browser may keep and
//! whose objects stand in its address. The layer in `initializers::edge` holds every request to its row; the tests take
//! their cases from here, and name every route that has none.

use std::sync::LazyLock;

use axum::http::Method;

use crate::{
    models::{
        admin::{self, resource::Resource},
        assets::picture::UPLOAD_MAX_BYTES,
    },
    views::admin as views,
};

/// Who may call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Anybody,
    /// Others are led to the login page.
    SignedIn,
    /// For everybody else there is nothing here.
    Staff,
    /// Whoever holds the signed link that is part of the address.
    Holder,
    /// A program that signs what it sends; no browser, no session.
    Program,
}

/// How a request that another site makes a browser send is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// It changes nothing.
    Harmless,
    /// Only from our own pages: by `Sec-Fetch-Site`, or `Origin`.
    OwnPages,
    /// By the signature over the body.
    Signed,
}

/// How often one session, and one address, may call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// It costs us next to nothing.
    Free,
    /// Counted where the work is done, by who and what is tried (`models::throttles`).
    Own,
    /// It starts work that costs money, or asks somebody else's computer.
    Costly,
}

/// What may keep the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    Nothing,
    /// The browser of whoever it belongs to, for ever.
    Owner,
}

/// Whose ids stand in the address. A stranger's and one that never was look the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    Asset,
    Conversation,
    Export,
    Generation,
    Invoice,
    Run,
    Session,
    Share,
    /// A signed link.
    Link,
    /// A page of the landing, by its name.
    Landing,
    /// What staff look after.
    Any,
}

#[derive(Debug, Clone, Copy)]
pub struct Policy {
    pub method: &'static str,
    pub path: &'static str,
    pub who: Who,
    pub forgery: Forgery,
    pub rate: Rate,
    pub cache: Cache,
    /// Bytes.
    pub body_max: usize,
    /// Every change through it leaves one activity.
    pub is_audited: bool,
    pub objects: &'static [Object],
}

/// Forms without a file.
const FORM_MAX: usize = 64 * 1024;
/// More than any file we take: what is read and dropped behind the limit of a file can still be answered in the form, with
/// the words kept.
const UPLOAD_MAX: usize = 4 * UPLOAD_MAX_BYTES;

const fn page(path: &'static str, who: Who) -> Policy {
    Policy {
        method: "GET",
        path,
        who,
        forgery: Forgery::Harmless,
        rate: Rate::Free,
        cache: Cache::Nothing,
        body_max: 0,
        is_audited: false,
        objects: &[],
    }
}

const fn form(path: &'static str, who: Who) -> Policy {
    Policy { method: "POST", forgery: Forgery::OwnPages, body_max: FORM_MAX, ..page(path, who) }
}

const fn webhook(path: &'static str) -> Policy {
    Policy { forgery: Forgery::Signed, rate: Rate::Own, ..form(path, Who::Program) }
}

impl Policy {
    const fn of(self, objects: &'static [Object]) -> Self {
        Self { objects, ..self }
    }

    const fn costly(self) -> Self {
        Self { rate: Rate::Costly, ..self }
    }

    /// Counted by the model behind it.
    const fn counted(self) -> Self {
        Self { rate: Rate::Own, ..self }
    }

    const fn with_picture(self) -> Self {
        Self { body_max: UPLOAD_MAX, ..self }
    }

    const fn kept_by_owner(self) -> Self {
        Self { cache: Cache::Owner, ..self }
    }

    const fn audited(self) -> Self {
        Self { is_audited: true, ..self }
    }
}

/// What people and programs call. The rows of `/admin` follow below.
const STUDIO: &[Policy] = &[
    // The way in.
    page("/", Who::Anybody),
    page("/{page}", Who::Anybody).of(&[Object::Landing]),
    page("/register", Who::Anybody),
    form("/register", Who::Anybody).counted(),
    page("/activation", Who::Anybody),
    form("/activation", Who::Anybody).counted(),
    page("/login", Who::Anybody),
    form("/login", Who::Anybody).counted(),
    form("/logout", Who::Anybody),
    page("/password/forgot", Who::Anybody),
    form("/password/forgot", Who::Anybody).counted(),
    page("/password/reset", Who::Anybody),
    form("/password/reset", Who::Anybody).counted(),
    page("/email/confirmation", Who::Anybody),
    form("/email/confirmation", Who::Anybody).counted(),
    // The studio.
    page("/app", Who::SignedIn),
    page("/app/history", Who::SignedIn),
    page("/app/gallery", Who::SignedIn),
    page("/app/queue", Who::SignedIn),
    page("/app/conversations", Who::SignedIn),
    form("/app/conversations", Who::SignedIn).costly().with_picture(),
    page("/app/conversations/{pid}", Who::SignedIn).of(&[Object::Conversation]),
    form("/app/conversations/{pid}/generations", Who::SignedIn).costly().with_picture().of(&[Object::Conversation]),
    form("/app/conversations/{pid}/title", Who::SignedIn).of(&[Object::Conversation]),
    form("/app/conversations/{pid}/archival", Who::SignedIn).of(&[Object::Conversation]),
    form("/app/conversations/{pid}/retrieval", Who::SignedIn).of(&[Object::Conversation]),
    page("/app/conversations/{pid}/deletion", Who::SignedIn).of(&[Object::Conversation]),
    form("/app/conversations/{pid}/deletion", Who::SignedIn).of(&[Object::Conversation]),
    form("/app/conversations/{pid}/restoration", Who::SignedIn).of(&[Object::Conversation]),
    form("/app/generations/{pid}/runs", Who::SignedIn).costly().of(&[Object::Generation]),
    form("/app/generations/{pid}/repetition", Who::SignedIn).costly().of(&[Object::Generation]),
    page("/app/runs/{pid}", Who::SignedIn).of(&[Object::Run]),
    form("/app/runs/{pid}/cancellation", Who::SignedIn).of(&[Object::Run]),
    page("/app/pictures/{pid}", Who::SignedIn).of(&[Object::Asset]),
    form("/app/pictures/{pid}/favorite", Who::SignedIn).of(&[Object::Asset]),
    form("/app/pictures/{pid}/deletion", Who::SignedIn).of(&[Object::Asset]),
    form("/app/pictures/{pid}/restoration", Who::SignedIn).of(&[Object::Asset]),
    form("/app/pictures/{pid}/shares", Who::SignedIn).of(&[Object::Asset]),
    form("/app/shares/{pid}/revocation", Who::SignedIn).of(&[Object::Share]),
    page("/app/files/{pid}", Who::SignedIn).kept_by_owner().of(&[Object::Asset]),
    page("/app/files/{pid}/thumbnail", Who::SignedIn).kept_by_owner().of(&[Object::Asset]),
    page("/app/exports", Who::SignedIn),
    form("/app/exports", Who::SignedIn).costly(),
    page("/app/exports/{pid}", Who::SignedIn).of(&[Object::Export]),
    form("/app/exports/{pid}/deletion", Who::SignedIn).of(&[Object::Export]),
    page("/shared/{token}", Who::Holder).of(&[Object::Link]),
    page("/shared/{token}/picture", Who::Holder).of(&[Object::Link]),
    // One's own account.
    page("/app/account", Who::SignedIn),
    page("/app/account/password", Who::SignedIn),
    form("/app/account/password", Who::SignedIn).counted(),
    page("/app/account/email", Who::SignedIn),
    form("/app/account/email", Who::SignedIn).counted(),
    page("/app/account/deletion", Who::SignedIn),
    form("/app/account/deletion", Who::SignedIn).counted().audited(),
    form("/app/account/device", Who::SignedIn),
    form("/app/account/device/end", Who::SignedIn),
    form("/app/account/theme", Who::SignedIn),
    form("/app/account/sessions/revocation", Who::SignedIn),
    form("/app/account/sessions/{pid}/revocation", Who::SignedIn).of(&[Object::Session]),
    // Money.
    page("/app/billing", Who::SignedIn),
    page("/app/billing/history", Who::SignedIn),
    page("/app/billing/details", Who::SignedIn),
    form("/app/billing/details", Who::SignedIn),
    page("/app/billing/early-start", Who::SignedIn),
    form("/app/billing/early-start", Who::SignedIn).audited(),
    form("/app/billing/invoices", Who::SignedIn).costly(),
    page("/app/billing/invoices/{pid}", Who::SignedIn).of(&[Object::Invoice]),
    page("/app/billing/invoices/{pid}/qr", Who::SignedIn).of(&[Object::Invoice]),
    page("/pay/{token}", Who::Holder).of(&[Object::Link]),
    form("/pay/{token}", Who::Holder).costly().of(&[Object::Link]),
    page("/pay/{token}/qr", Who::Holder).of(&[Object::Link]),
    webhook("/webhooks/btcpay"),
    webhook("/webhooks/nowpayments"),
    // An installed application, probes, and what only development has.
    page("/service-worker.js", Who::Anybody),
    page("/offline", Who::Anybody),
    page("/up", Who::Anybody),
    page("/ready", Who::Anybody),
    page("/dev/components", Who::Anybody),
];

/// The pages of the house that are no resource's.
const HOUSE: &[Policy] = &[
    page("/admin", Who::Staff),
    page("/admin/health", Who::Staff),
    page("/admin/settings", Who::Staff),
    form("/admin/settings/{name}", Who::Staff).audited().of(&[Object::Any]),
    form("/admin/settings/{name}/release", Who::Staff).audited().of(&[Object::Any]),
    page("/admin/second-factor", Who::Staff),
    // Changes nothing but what this session has shown.
    form("/admin/second-factor", Who::Staff).counted(),
    page("/admin/second-factor/enrolment", Who::Staff),
    form("/admin/second-factor/enrolment", Who::Staff).counted().audited(),
    page("/admin/second-factor/qr", Who::Staff),
    form("/admin/second-factor/renewal", Who::Staff).audited(),
    page("/admin/users/{id}/view", Who::Staff).of(&[Object::Any]),
    form("/admin/users/{id}/view", Who::Staff).audited().of(&[Object::Any]),
    form("/admin/viewing/end", Who::Staff).audited(),
];

/// A resource of the admin says itself what can be done to it (`models::admin::description`), and all of that is for staff
/// and audited.
fn of_resource(resource: &dyn Resource) -> Vec<Policy> {
    let base = views::url(&resource.about());
    let below = |rest: &str| -> &'static str { format!("{base}{rest}").leak() };
    let both = |path: &'static str, objects: &'static [Object]| {
        [page(path, Who::Staff).of(objects), form(path, Who::Staff).audited().of(objects)]
    };
    let mut all = vec![
        page(below(""), Who::Staff),
        page(below("/sheet"), Who::Staff),
        page(below("/{id}"), Who::Staff).of(&[Object::Any]),
    ];
    for action in resource.row_actions() {
        all.extend(both(below(&format!("/{{id}}/{}", action.noun)), &[Object::Any]));
    }
    if !resource.bulk_actions().is_empty() {
        all.extend(both(below("/batch"), &[]));
    }
    for creation in resource.creations() {
        all.extend(both(below(&format!("/{}", creation.noun)), &[]));
    }
    all
}

static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    let resources = admin::ALL.iter().flat_map(|resource| of_resource(*resource));
    STUDIO.iter().chain(HOUSE).copied().chain(resources).collect()
});

/// The policy of every route of the application but static files.
#[must_use]
pub fn all() -> &'static [Policy] {
    &POLICIES
}

/// The policy of a route, by its method and by its address as the router writes it.
#[must_use]
pub fn of(method: &Method, path: &str) -> Option<&'static Policy> {
    // What a page tells of itself counts as the page.
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    all().iter().find(|policy| policy.method == method && policy.path == path)
}

/// What to write for a route that has no row yet: a first guess, for a person to think over.
#[must_use]
pub fn suggestion(method: &Method, path: &str) -> String {
    let who = match path {
        path if path.starts_with("/admin") => "Staff",
        path if path.starts_with("/app") => "SignedIn",
        path if path.starts_with("/pay") => "Holder",
        _ => "Anybody",
    };
    let kind = if method == Method::GET { "page" } else { "form" };
    let objects = if path.contains('{') { ".of(&[Object::Any])" } else { "" };
    let audit = if who == "Staff" && kind == "form" { ".audited()" } else { "" };
    format!("    {kind}({path:?}, Who::{who}){objects}{audit},")
}
