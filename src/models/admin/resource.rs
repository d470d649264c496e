//! From a description to everything that its pages need. A description is written once per resource ([`Describe`]); what
//! follows from it is the same for all ([`Resource`]).

use async_trait::async_trait;
use futures::{StreamExt, future::BoxFuture, stream, stream::BoxStream};
use loco_rs::{Result, app::AppContext};
use sea_orm::EntityTrait;

use super::description::{About, Action, Cell, Column, Doing, Field, Input, Outcome, Section};
use crate::models::{
    activities::Actor,
    listing::{self, Count, Found, Spec, Wish},
    users::Role,
};

/// Rows of a spreadsheet that are read at once.
const BATCH: u64 = 500;

/// Rows that one bulk action takes.
pub const BULK_MAX: usize = 200;

/// The shortest reason that is one.
const REASON_MIN: usize = 3;
const REASON_MAX: usize = 500;

/// The one place where a resource is described.
#[async_trait]
pub trait Describe: Send + Sync + 'static {
    type Entity: EntityTrait;
    /// A row with what belongs to it.
    type Row: Send + Sync;

    fn about(&self) -> About;

    /// Search, filters, scopes and orders.
    fn spec(&self) -> Spec<Self::Entity>;

    /// Rows as they were read, with what belongs to them: in a fixed number of questions, however many rows there are.
    async fn dress(&self, ctx: &AppContext, rows: Vec<<Self::Entity as EntityTrait>::Model>) -> Result<Vec<Self::Row>>;

    fn id(&self, row: &Self::Row) -> i64;

    /// How people call a row.
    fn name(&self, row: &Self::Row) -> String;

    fn columns(&self) -> Vec<Column<Self::Row>>;

    /// The page about one row.
    async fn sections(&self, ctx: &AppContext, row: &Self::Row) -> Result<Vec<Section>>;

    fn actions(&self) -> Vec<Action<Self::Row>> {
        Vec::new()
    }

    /// Ways to bring a row about.
    fn creations(&self) -> Vec<Action<()>> {
        Vec::new()
    }
}

/// A page of a list.
#[derive(Debug)]
pub struct Table {
    pub rows: Vec<Line>,
    pub next: Option<String>,
}

#[derive(Debug)]
pub struct Line {
    pub id: i64,
    pub name: String,
    pub cells: Vec<Cell>,
    pub buttons: Vec<Button>,
}

/// `(name, label, options)`, each option as `(value, label)`.
type Filter = (&'static str, &'static str, Vec<(String, String)>);

/// An action, and the rows that it is for.
type Chosen<R> = (Action<R>, Vec<R>);

/// What a list can be asked for, and how much there is.
#[derive(Debug)]
pub struct Controls {
    /// `(name, label, count)`
    pub scopes: Vec<(&'static str, &'static str, Count)>,
    pub filters: Vec<Filter>,
    pub sorts: Vec<(&'static str, &'static str)>,
    /// What a word may be.
    pub searches: Vec<&'static str>,
    pub bulk: Vec<Button>,
    pub creations: Vec<Button>,
}

/// An action on offer.
#[derive(Debug, Clone, Copy)]
pub struct Button {
    pub noun: &'static str,
    pub label: &'static str,
    pub icon: &'static str,
    pub is_grave: bool,
    pub has_page: bool,
    pub least: Role,
}

/// The page about one row.
#[derive(Debug)]
pub struct Shown {
    pub id: i64,
    pub name: String,
    pub sections: Vec<Section>,
    pub buttons: Vec<Button>,
}

/// The page of an action.
#[derive(Debug)]
pub struct Asked {
    pub button: Button,
    /// `(id, name)` of the rows that it is for.
    pub rows: Vec<(i64, String)>,
    /// Rows that were chosen and for which it is not on offer.
    pub left_out: Vec<(i64, String)>,
    pub consequences: Vec<String>,
    pub fields: Vec<Field>,
    pub asks_reason: bool,
}

/// What became of an action, row by row.
#[derive(Debug)]
pub struct Done {
    pub id: i64,
    pub name: String,
    pub outcome: Outcome,
}

/// What the pages of every resource are made of.
#[async_trait]
pub trait Resource: Send + Sync {
    fn about(&self) -> About;
    fn wish(&self, pairs: &[(String, String)]) -> Wish;
    /// `(name, label)` of the columns of the list.
    fn heads(&self) -> Vec<(&'static str, &'static str)>;
    fn row_actions(&self) -> Vec<Button>;
    fn bulk_actions(&self) -> Vec<Button>;
    fn creations(&self) -> Vec<Button>;
    /// What the page says after an action, by its noun.
    fn said(&self, noun: &str) -> Option<&'static str>;
    async fn controls(&self, ctx: &AppContext) -> Result<Controls>;
    async fn list(&self, ctx: &AppContext, wish: &Wish) -> Result<Table>;
    /// The names of the columns of the spreadsheet, and its rows.
    fn sheet(&'static self, ctx: AppContext, wish: Wish) -> (Vec<&'static str>, BoxStream<'static, Result<Vec<Cell>>>);
    async fn show(&self, ctx: &AppContext, id: i64) -> Result<Option<Shown>>;
    /// `None` where there is no such action, or no row that it is for.
    async fn ask(&self, ctx: &AppContext, noun: &str, ids: &[i64], input: &Input) -> Result<Option<Asked>>;
    async fn act(
        &self,
        ctx: &AppContext,
        noun: &str,
        ids: &[i64],
        input: &Input,
        actor: &Actor,
    ) -> Result<Option<Vec<Done>>>;
    async fn ask_new(&self, ctx: &AppContext, noun: &str, input: &Input) -> Result<Option<Asked>>;
    async fn make(&self, ctx: &AppContext, noun: &str, input: &Input, actor: &Actor) -> Result<Option<Outcome>>;
}

#[async_trait]
impl<T: Describe> Resource for T {
    fn about(&self) -> About {
        Describe::about(self)
    }

    fn wish(&self, pairs: &[(String, String)]) -> Wish {
        self.spec().wish(pairs)
    }

    fn heads(&self) -> Vec<(&'static str, &'static str)> {
        let columns = self.columns();
        columns.iter().filter(|column| !column.is_extra).map(|column| (column.name, column.label)).collect()
    }

    fn row_actions(&self) -> Vec<Button> {
        self.actions().iter().map(Button::of).collect()
    }

    fn bulk_actions(&self) -> Vec<Button> {
        self.actions().iter().filter(|action| action.is_bulk).map(Button::of).collect()
    }

    fn creations(&self) -> Vec<Button> {
        Describe::creations(self).iter().map(Button::of).collect()
    }

    fn said(&self, noun: &str) -> Option<&'static str> {
        let of_rows = self.actions().iter().find(|action| action.noun == noun).map(|action| action.done);
        of_rows
            .or_else(|| Describe::creations(self).iter().find(|action| action.noun == noun).map(|action| action.done))
    }

    async fn controls(&self, ctx: &AppContext) -> Result<Controls> {
        let spec = self.spec();
        let counts = listing::counts(&ctx.db, &spec).await?;
        Ok(Controls {
            scopes: spec.scopes.iter().zip(counts).map(|(scope, count)| (scope.name, scope.label, count)).collect(),
            filters: spec.filters.into_iter().map(|it| (it.name, it.label, it.options)).collect(),
            sorts: spec.sorts.iter().map(|sort| (sort.name, sort.label)).collect(),
            searches: spec.searches.iter().map(|search| search.name).collect(),
            bulk: self.bulk_actions(),
            creations: Resource::creations(self),
        })
    }

    async fn list(&self, ctx: &AppContext, wish: &Wish) -> Result<Table> {
        let Found { rows, next } = listing::page(&ctx.db, &self.spec(), wish, listing::PAGE).await?;
        let (columns, actions) = (self.columns(), self.actions());
        let rows = self.dress(ctx, rows).await?;
        let line = |row: &T::Row| Line {
            id: self.id(row),
            name: self.name(row),
            cells: columns.iter().filter(|column| !column.is_extra).map(|column| (column.cell)(row)).collect(),
            buttons: actions.iter().filter(|it| it.is_bulk && (it.when)(row)).map(Button::of).collect(),
        };
        Ok(Table { rows: rows.iter().map(line).collect(), next })
    }

    fn sheet(&'static self, ctx: AppContext, wish: Wish) -> (Vec<&'static str>, BoxStream<'static, Result<Vec<Cell>>>) {
        let heads = self.columns().iter().map(|column| column.name).collect();
        let batches = stream::try_unfold(Some(wish), move |wish| {
            let ctx = ctx.clone();
            async move {
                let Some(mut wish) = wish else { return Ok(None) };
                let Found { rows, next } = listing::page(&ctx.db, &self.spec(), &wish, BATCH).await?;
                let rows = self.dress(&ctx, rows).await?;
                let columns = self.columns();
                let cells = |row: &T::Row| columns.iter().map(|column| (column.cell)(row)).collect::<Vec<_>>();
                let batch: Vec<_> = rows.iter().map(cells).collect();
                let rest = next.map(|next| {
                    wish.after = next;
                    wish
                });
                Ok::<_, loco_rs::Error>(Some((batch, rest)))
            }
        });
        let rows = batches.flat_map(|batch: Result<Vec<Vec<Cell>>>| match batch {
            Ok(rows) => stream::iter(rows.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        });
        (heads, rows.boxed())
    }

    async fn show(&self, ctx: &AppContext, id: i64) -> Result<Option<Shown>> {
        let Some(row) = self.rows_of(ctx, &[id]).await?.pop() else { return Ok(None) };
        let sections = self.sections(ctx, &row).await?;
        let actions = self.actions();
        let on_offer = actions.iter().filter(|action| !action.is_inner && (action.when)(&row));
        Ok(Some(Shown { id, name: self.name(&row), sections, buttons: on_offer.map(Button::of).collect() }))
    }

    async fn ask(&self, ctx: &AppContext, noun: &str, ids: &[i64], input: &Input) -> Result<Option<Asked>> {
        let Some((action, rows)) = self.chosen(ctx, noun, ids).await? else { return Ok(None) };
        let (fit, unfit): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| (action.when)(row));
        let Some(first) = fit.first() else { return Ok(None) };
        let fields = match action.fields {
            Some(fields) => fields(ctx, first, input).await?,
            None => Vec::new(),
        };
        let named = |rows: &[T::Row]| rows.iter().map(|row| (self.id(row), self.name(row))).collect();
        Ok(Some(Asked {
            button: Button::of(&action),
            rows: named(&fit),
            left_out: named(&unfit),
            consequences: (action.consequences)(first),
            fields,
            asks_reason: action.asks_reason,
        }))
    }

    async fn act(
        &self,
        ctx: &AppContext,
        noun: &str,
        ids: &[i64],
        input: &Input,
        actor: &Actor,
    ) -> Result<Option<Vec<Done>>> {
        let Some((action, rows)) = self.chosen(ctx, noun, ids).await? else { return Ok(None) };
        let mut all = Vec::new();
        for row in &rows {
            let outcome = match complaints(&action, ctx, row, input).await? {
                Some(complaints) => Outcome::Invalid(complaints),
                // Somebody else was quicker, or the page was old.
                None if !(action.when)(row) => Outcome::refused("This is not possible any more as things stand."),
                None => (action.run)(Doing { ctx, row, input, actor }).await?,
            };
            all.push(Done { id: self.id(row), name: self.name(row), outcome });
        }
        Ok(Some(all))
    }

    async fn ask_new(&self, ctx: &AppContext, noun: &str, input: &Input) -> Result<Option<Asked>> {
        let Some(action) = Describe::creations(self).into_iter().find(|action| action.noun == noun) else {
            return Ok(None);
        };
        let fields = match action.fields {
            Some(fields) => fields(ctx, &(), input).await?,
            None => Vec::new(),
        };
        Ok(Some(Asked {
            button: Button::of(&action),
            rows: Vec::new(),
            left_out: Vec::new(),
            consequences: (action.consequences)(&()),
            fields,
            asks_reason: action.asks_reason,
        }))
    }

    async fn make(&self, ctx: &AppContext, noun: &str, input: &Input, actor: &Actor) -> Result<Option<Outcome>> {
        let Some(action) = Describe::creations(self).into_iter().find(|action| action.noun == noun) else {
            return Ok(None);
        };
        if let Some(complaints) = complaints(&action, ctx, &(), input).await? {
            return Ok(Some(Outcome::Invalid(complaints)));
        }
        (action.run)(Doing { ctx, row: &(), input, actor }).await.map(Some)
    }
}

/// The steps that the pages share.
trait Steps: Describe {
    fn rows_of<'a>(&'a self, ctx: &'a AppContext, ids: &'a [i64]) -> BoxFuture<'a, Result<Vec<Self::Row>>> {
        Box::pin(async move {
            let rows = listing::rows::<Self::Entity>(&ctx.db, ids).await?;
            self.dress(ctx, rows).await
        })
    }

    /// The action and the rows; `None` where there is no such action, or several rows and it is for one alone.
    fn chosen<'a>(
        &'a self,
        ctx: &'a AppContext,
        noun: &'a str,
        ids: &'a [i64],
    ) -> BoxFuture<'a, Result<Option<Chosen<Self::Row>>>> {
        Box::pin(async move {
            let action = self.actions().into_iter().find(|action| action.noun == noun);
            let Some(action) = action.filter(|action| action.is_bulk || ids.len() == 1) else { return Ok(None) };
            let ids = &ids[..ids.len().min(BULK_MAX)];
            let rows = self.rows_of(ctx, ids).await?;
            Ok((!rows.is_empty()).then_some((action, rows)))
        })
    }
}

impl<T: Describe> Steps for T {}

/// What is wrong with the form before anything is tried: what is missing, or none of the choices.
async fn complaints<R>(
    action: &Action<R>,
    ctx: &AppContext,
    row: &R,
    input: &Input,
) -> Result<Option<Vec<(&'static str, String)>>> {
    use super::description::Kind;

    let mut wrong = Vec::new();
    let fields = match action.fields {
        Some(fields) => fields(ctx, row, input).await?,
        None => Vec::new(),
    };
    for field in &fields {
        let said = input.text(field.name);
        if said.is_empty() {
            if !field.is_optional {
                wrong.push((field.name, "This is needed.".to_owned()));
            }
            continue;
        }
        let is_fine = match &field.kind {
            Kind::Number => said.parse::<i64>().is_ok(),
            Kind::Choice(options) => options.iter().any(|(value, _)| value == said),
            Kind::Line | Kind::Text | Kind::Secret | Kind::Secrets | Kind::Hidden => true,
        };
        if !is_fine {
            wrong.push((field.name, "This does not fit here.".to_owned()));
        }
    }
    let reason = input.reason().chars().count();
    if action.asks_reason && !(REASON_MIN..=REASON_MAX).contains(&reason) {
        wrong.push(("reason", "Say why, in a few words: it stands in the audit log.".to_owned()));
    }
    Ok((!wrong.is_empty()).then_some(wrong))
}

impl Button {
    fn of<R>(action: &Action<R>) -> Self {
        let Action { noun, label, icon, is_grave, least, .. } = *action;
        Self { noun, label, icon, is_grave, has_page: action.has_page(), least }
    }
}
