//! From a description to everything that its pages need. A description is written once per resource ([`Describe`]); what
//! follows from it is the same for all ([`Resource`]).

mod pages;

use async_trait::async_trait;
use futures::stream::BoxStream;
use loco_rs::{Result, app::AppContext};
use sea_orm::EntityTrait;

use super::description::{About, Action, Cell, Column, Field, Input, Outcome, Section};
use crate::models::{
    activities::Actor,
    listing::{Count, Spec, Wish},
    users::Role,
};

/// Rows that one bulk action takes: as many as a list counts.
pub const BULK_MAX: usize = 1_000;

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

    /// What is typed before something is done to a row for good.
    fn typed(&self, row: &Self::Row) -> String {
        self.name(row)
    }

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
    /// What has to be typed, where a click is too little.
    pub typed: Option<String>,
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
    /// How many rows fit, on all pages: counted only where neither this page nor its scope says it.
    async fn fitting(&self, ctx: &AppContext, wish: &Wish, controls: &Controls, table: &Table) -> Result<Count>;
    /// All that fit, on all pages; `None` when they are more than one action takes.
    async fn ids(&self, ctx: &AppContext, wish: &Wish) -> Result<Option<Vec<i64>>>;
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

impl Button {
    fn of<R>(action: &Action<R>) -> Self {
        let Action { noun, label, icon, is_grave, least, .. } = *action;
        Self { noun, label, icon, is_grave, has_page: action.has_page(), least }
    }
}
