//! What follows from a description, for each resource alike.

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream, stream::BoxStream};
use loco_rs::{Result, app::AppContext};

use super::{Asked, BULK_MAX, Button, Controls, Describe, Done, Line, Resource, Shown, Table};
use crate::models::{
    activities::Actor,
    admin::description::{About, Action, Cell, Doing, Input, Kind, Outcome},
    listing::{self, Count, Found, Wish},
};

/// Rows of a spreadsheet that are read at once.
const BATCH: u64 = 500;

/// Rows that a bulk action has in hand at the same time: some of them wait for a provider.
const AT_ONCE: usize = 4;

/// The shortest reason that is one.
const REASON_MIN: usize = 3;
const REASON_MAX: usize = 500;

/// An action, and the rows that it is for.
type Chosen<R> = (Action<R>, Vec<R>);

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
        let Found { rows, next } = listing::page(&ctx.db, &self.spec(), wish, wish.size()).await?;
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

    async fn fitting(&self, ctx: &AppContext, wish: &Wish, controls: &Controls, table: &Table) -> Result<Count> {
        if table.next.is_none() && wish.after.is_empty() {
            return Ok(Count::Exactly(table.rows.len() as u64));
        }
        let is_whole_scope = wish.q.is_empty() && wish.filters.is_empty();
        let mut scopes = controls.scopes.iter();
        let scope = if wish.scope.is_empty() { scopes.next() } else { scopes.find(|(name, ..)| *name == wish.scope) };
        match scope {
            Some((_, _, count)) if is_whole_scope => Ok(*count),
            Some(_) | None => listing::count(&ctx.db, &self.spec(), wish).await,
        }
    }

    async fn ids(&self, ctx: &AppContext, wish: &Wish) -> Result<Option<Vec<i64>>> {
        let ids = listing::ids(&ctx.db, &self.spec(), wish, BULK_MAX + 1).await?;
        Ok((ids.len() <= BULK_MAX).then_some(ids))
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
            typed: self.to_type(&action, &fit),
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
        let typed = self.to_type(&action, &rows);
        let mut all = Vec::new();
        for row in &rows {
            all.push(self.done(&action, Doing { ctx, row, input, actor }, typed.as_deref()));
        }
        stream::iter(all).buffered(AT_ONCE).try_collect().await.map(Some)
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
            typed: None,
        }))
    }

    async fn make(&self, ctx: &AppContext, noun: &str, input: &Input, actor: &Actor) -> Result<Option<Outcome>> {
        let Some(action) = Describe::creations(self).into_iter().find(|action| action.noun == noun) else {
            return Ok(None);
        };
        if let Some(complaints) = complaints(&action, Doing { ctx, row: &(), input, actor }, None).await? {
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
            let takes = |action: &Action<Self::Row>| ids.len() == 1 || (action.is_bulk && ids.len() <= BULK_MAX);
            let Some(action) = action.filter(takes) else { return Ok(None) };
            let rows = self.rows_of(ctx, ids).await?;
            Ok((!rows.is_empty()).then_some((action, rows)))
        })
    }

    /// What becomes of the action for one row.
    fn done<'a>(
        &'a self,
        action: &'a Action<Self::Row>,
        doing: Doing<'a, Self::Row>,
        typed: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Done>> {
        Box::pin(async move {
            let row = doing.row;
            let outcome = match complaints(action, doing, typed).await? {
                // Somebody else was quicker, or the page was old.
                _ if !(action.when)(row) => Outcome::refused("This is not possible any more as things stand."),
                Some(complaints) => Outcome::Invalid(complaints),
                None => (action.run)(doing).await?,
            };
            Ok(Done { id: self.id(row), name: self.name(row), outcome })
        })
    }

    fn to_type(&self, action: &Action<Self::Row>, rows: &[Self::Row]) -> Option<String> {
        action.is_final.then(|| match rows {
            [row] => self.typed(row),
            many => many.len().to_string(),
        })
    }
}

impl<T: Describe> Steps for T {}

/// What is wrong with the form before anything is tried: what is missing, or none of the choices.
async fn complaints<R>(
    action: &Action<R>,
    doing: Doing<'_, R>,
    typed: Option<&str>,
) -> Result<Option<Vec<(&'static str, String)>>> {
    let (mut wrong, input) = (Vec::new(), doing.input);
    let fields = match action.fields {
        Some(fields) => fields(doing.ctx, doing.row, input).await?,
        None => Vec::new(),
    };
    if input.has_strangers(&fields) {
        wrong.push(("", "The form has a field that is not known here. Nothing was done.".to_owned()));
    }
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
    if typed.is_some_and(|typed| !input.text("confirm").eq_ignore_ascii_case(typed)) {
        wrong.push(("confirm", "This is not it.".to_owned()));
    }
    Ok((!wrong.is_empty()).then_some(wrong))
}
