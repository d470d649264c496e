//! Lists of a whole table, for operators: in pages that an index answers, however long the table has become. A page begins
//! after a place in the order, never after a number of rows; nothing is counted further than a person would read; and
//! what somebody searches for is found by its beginning, never by a walk through everything.

use std::collections::BTreeMap;

use chrono::DateTime;
use loco_rs::Result;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, IdenStatic, Iterable, ModelTrait, Order,
    PrimaryKeyToColumn, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, StatementBuilder, Value,
    prelude::DateTimeUtc,
    sea_query::{ColumnType, Expr, ExprTrait, Func, Query, SelectStatement, SimpleExpr},
};
use uuid::Uuid;

use super::clock;

/// Rows of a page.
pub const PAGE: u64 = 50;

/// Other numbers of rows that a page can have.
pub const SIZES: [u64; 3] = [20, 100, 200];

/// Nobody reads further than "1,000+".
const COUNTED: u64 = 1_000;

/// So many are found by one word in one place; who looks for something writes more of it.
const FOUND: u64 = 200;

/// What a list of one table can be asked for.
pub struct Spec<E: EntityTrait> {
    pub searches: Vec<Search<E>>,
    pub filters: Vec<Filter>,
    /// The first is what somebody sees who asks for nothing.
    pub scopes: Vec<Scope>,
    /// The first is the order in which nobody asked for one.
    pub sorts: Vec<Sort<E>>,
}

/// A place where a word is looked for: `name:word`, or the bare word in all of them.
pub struct Search<E: EntityTrait> {
    pub name: &'static str,
    pub by: By<E>,
}

/// How a word is looked for. Each way has an index.
pub enum By<E: EntityTrait> {
    Number(E::Column),
    Pid(E::Column),
    Word(E::Column),
    Beginning(E::Column),
    /// The same, in a column that holds no capitals.
    Address(E::Column),
    /// Ids that another table knows.
    Elsewhere(fn(&str, DbBackend) -> SelectStatement),
}

/// One of several words that a column holds; without `options`, whatever the address says.
pub struct Filter {
    pub name: &'static str,
    pub label: &'static str,
    pub options: Vec<(String, String)>,
    pub by: fn(&str) -> Option<Condition>,
}

/// Some of the rows, as a tab with their number.
pub struct Scope {
    pub name: &'static str,
    pub label: &'static str,
    /// `None` = all.
    pub rows: Option<fn(DateTimeUtc) -> Condition>,
}

/// An order that an index has; of equal values the row's id decides. The column is never empty.
pub struct Sort<E: EntityTrait> {
    pub name: &'static str,
    pub label: &'static str,
    pub column: E::Column,
    pub order: Order,
}

/// What somebody wants to see. All of it stands in the address of the page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    pub q: String,
    pub scope: String,
    pub sort: String,
    /// Rows of a page, where somebody wants other than [`PAGE`].
    pub size: Option<u64>,
    /// The place behind which the page begins.
    pub after: String,
    pub filters: BTreeMap<String, String>,
}

/// A page.
#[derive(Debug)]
pub struct Found<M> {
    pub rows: Vec<M>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
}

/// As far as it was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Exactly(u64),
    MoreThan(u64),
}

impl<E: EntityTrait> Spec<E> {
    /// The newest first, or the oldest; all rows; found by their id.
    #[must_use]
    pub fn new() -> Self {
        let sort = |name, label, order| Sort { name, label, column: id::<E>(), order };
        Self {
            searches: vec![Search { name: "id", by: By::Number(id::<E>()) }],
            filters: Vec::new(),
            scopes: vec![Scope { name: "all", label: "All", rows: None }],
            sorts: vec![sort("newest", "Newest first", Order::Desc), sort("oldest", "Oldest first", Order::Asc)],
        }
    }

    #[must_use]
    pub fn search(mut self, name: &'static str, by: By<E>) -> Self {
        self.searches.push(Search { name, by });
        self
    }

    #[must_use]
    pub fn scope(mut self, name: &'static str, label: &'static str, rows: fn(DateTimeUtc) -> Condition) -> Self {
        self.scopes.push(Scope { name, label, rows: Some(rows) });
        self
    }

    #[must_use]
    pub fn filter(
        mut self,
        name: &'static str,
        label: &'static str,
        words: impl IntoIterator<Item = String>,
        by: fn(&str) -> Option<Condition>,
    ) -> Self {
        let options = words.into_iter().map(|word| (word.clone(), words_of(&word))).collect();
        self.filters.push(Filter { name, label, options, by });
        self
    }

    #[must_use]
    pub fn sort(mut self, name: &'static str, label: &'static str, column: E::Column, order: Order) -> Self {
        self.sorts.push(Sort { name, label, column, order });
        self
    }

    /// What an address asks for, as far as this list knows it.
    #[must_use]
    pub fn wish(&self, pairs: &[(String, String)]) -> Wish {
        let said = |name: &str| {
            let value = pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
            value.unwrap_or_default().replace(char::is_control, "")
        };
        let filters = self.filters.iter().map(|filter| (filter, said(filter.name)));
        Wish {
            q: said("q"),
            scope: Some(said("scope"))
                .filter(|it| self.scopes.iter().any(|scope| scope.name == it))
                .unwrap_or_default(),
            sort: Some(said("sort")).filter(|it| self.sorts.iter().any(|sort| sort.name == it)).unwrap_or_default(),
            size: said("size").parse().ok().filter(|size| SIZES.contains(size)),
            after: said("after"),
            filters: filters
                .filter(|(filter, value)| filter.takes(value))
                .map(|(filter, value)| (filter.name.to_owned(), value))
                .collect(),
        }
    }

    fn sorted_by(&self, wish: &Wish) -> Option<&Sort<E>> {
        self.sorts.iter().find(|sort| sort.name == wish.sort).or(self.sorts.first())
    }
}

impl<E: EntityTrait> Default for Spec<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl Wish {
    /// Rows of a page.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size.unwrap_or(PAGE)
    }
}

impl Filter {
    fn takes(&self, value: &str) -> bool {
        let is_known = self.options.is_empty() || self.options.iter().any(|(known, _)| known == value);
        !value.is_empty() && is_known && (self.by)(value).is_some()
    }
}

/// The page that a wish asks for, with `size` rows.
///
/// # Errors
/// The database does not answer.
pub async fn page<E: EntityTrait>(
    db: &impl ConnectionTrait,
    spec: &Spec<E>,
    wish: &Wish,
    size: u64,
) -> Result<Found<E::Model>> {
    let mut select = fitting(db, spec, wish).await?;
    let Some(sort) = spec.sorted_by(wish) else { return Ok(Found { rows: Vec::new(), next: None }) };
    if let Some(place) = Place::read::<E>(sort.column, &wish.after) {
        select = place.begin(select, sort);
    }
    select = select.order_by(sort.column, sort.order.clone());
    if is_id::<E>(sort.column) {
        select = select.limit(size + 1);
    } else {
        select = select.order_by(id::<E>(), sort.order.clone()).limit(size + 1);
    }
    let mut rows = select.all(db).await?;
    let is_more = rows.len() as u64 > size;
    rows.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| is_more).and_then(|last| Place::of::<E>(last, sort.column)?.write());
    Ok(Found { rows, next })
}

/// The rows that a wish is about, on all pages and in no order.
async fn fitting<E: EntityTrait>(db: &impl ConnectionTrait, spec: &Spec<E>, wish: &Wish) -> Result<Select<E>> {
    let mut select = E::find();
    for (name, value) in &wish.filters {
        let filter = spec.filters.iter().find(|filter| filter.name == name);
        if let Some(condition) = filter.and_then(|filter| (filter.by)(value)) {
            select = select.filter(condition);
        }
    }
    let scope = spec.scopes.iter().find(|scope| scope.name == wish.scope).or(spec.scopes.first());
    if let Some(rows) = scope.and_then(|scope| scope.rows) {
        select = select.filter(rows(clock::now(db).await?));
    }
    for word in wish.q.split_whitespace() {
        select = select.filter(id::<E>().is_in(found(db, spec, word).await?));
    }
    Ok(select)
}

/// The ids of all rows that fit, the newest first and at most so many.
///
/// # Errors
/// The database does not answer.
pub async fn ids<E: EntityTrait>(
    db: &impl ConnectionTrait,
    spec: &Spec<E>,
    wish: &Wish,
    most: usize,
) -> Result<Vec<i64>> {
    let some = fitting(db, spec, wish).await?.select_only().column(id::<E>());
    Ok(some.order_by_desc(id::<E>()).limit(most as u64).into_tuple().all(db).await?)
}

/// How many rows fit, on all pages, as far as anybody cares.
///
/// # Errors
/// The database does not answer.
pub async fn count<E: EntityTrait>(db: &impl ConnectionTrait, spec: &Spec<E>, wish: &Wish) -> Result<Count> {
    counted(db, fitting(db, spec, wish).await?).await
}

/// How many rows each scope has, as far as anybody cares.
///
/// # Errors
/// The database does not answer.
pub async fn counts<E: EntityTrait>(db: &impl ConnectionTrait, spec: &Spec<E>) -> Result<Vec<Count>> {
    let now = clock::now(db).await?;
    let mut counts = Vec::new();
    for scope in &spec.scopes {
        let rows = scope.rows.map_or_else(E::find, |rows| E::find().filter(rows(now)));
        counts.push(counted(db, rows).await?);
    }
    Ok(counts)
}

async fn counted<E: EntityTrait>(db: &impl ConnectionTrait, rows: Select<E>) -> Result<Count> {
    // In the order of the list, so that the index of the list counts too.
    let some = rows.select_only().column(id::<E>()).order_by_desc(id::<E>()).limit(COUNTED + 1);
    let all = Query::select().expr(Func::count(Expr::val(1))).from_subquery(some.into_query(), "some").take();
    let row = db.query_one_raw(StatementBuilder::build(&all, &db.get_database_backend())).await?;
    let count: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
    let count = u64::try_from(count).unwrap_or_default();
    Ok(if count > COUNTED { Count::MoreThan(COUNTED) } else { Count::Exactly(count) })
}

/// The row of this id.
///
/// # Errors
/// The database does not answer.
pub async fn row<E: EntityTrait>(db: &impl ConnectionTrait, row_id: i64) -> Result<Option<E::Model>> {
    Ok(E::find().filter(id::<E>().eq(row_id)).one(db).await?)
}

/// The rows of these ids, in their order.
///
/// # Errors
/// The database does not answer.
pub async fn rows<E: EntityTrait>(db: &impl ConnectionTrait, ids: &[i64]) -> Result<Vec<E::Model>> {
    Ok(E::find().filter(id::<E>().is_in(ids.iter().copied())).order_by_asc(id::<E>()).all(db).await?)
}

/// The ids that a word stands for: in the place that it names, or in any.
async fn found<E: EntityTrait>(db: &impl ConnectionTrait, spec: &Spec<E>, word: &str) -> Result<Vec<i64>> {
    let named = word.split_once(':').filter(|(name, _)| spec.searches.iter().any(|search| search.name == *name));
    let mut ids = Vec::new();
    for search in &spec.searches {
        let word = match named {
            Some((name, word)) if name == search.name => word,
            Some(_) => continue,
            None => word,
        };
        if let Some(select) = search.by.ids(word, db.get_database_backend()) {
            for row in db.query_all_raw(StatementBuilder::build(&select, &db.get_database_backend())).await? {
                ids.push(row.try_get_by_index(0)?);
            }
        }
    }
    Ok(ids)
}

impl<E: EntityTrait> By<E> {
    /// `None` where the word cannot stand.
    fn ids(&self, word: &str, backend: DbBackend) -> Option<SelectStatement> {
        let condition = match self {
            Self::Number(column) => column.eq(word.trim_start_matches('#').parse::<i64>().ok()?),
            Self::Pid(column) => column.eq(word.parse::<Uuid>().ok()?),
            Self::Word(column) => column.eq(word),
            Self::Beginning(column) => beginning(*column, word, backend),
            Self::Address(column) => beginning(*column, &word.to_lowercase(), backend),
            Self::Elsewhere(ids) => return Some(ids(word, backend).limit(FOUND).take()),
        };
        Some(E::find().select_only().column(id::<E>()).filter(condition).limit(FOUND).into_query())
    }
}

/// The column begins with this, letter by letter. `PostgreSQL` has an index in the order of bytes for it; `SQLite` has no
/// other order.
pub(super) fn beginning<C: ColumnTrait>(column: C, word: &str, backend: DbBackend) -> SimpleExpr {
    let end = format!("{word}{}", char::MAX);
    if backend == DbBackend::Postgres {
        let name = format!("\"{}\".\"{}\" COLLATE \"C\"", column.entity_name(), column.as_str());
        return Expr::cust_with_values(format!("{name} >= $1 AND {name} < $2"), [word.to_owned(), end]);
    }
    column.gte(word).and(column.lt(end))
}

/// Rows by a condition in the very words of a partial index: bound values would hide from the database that it has one.
#[must_use]
pub fn literal(words: &'static str) -> Condition {
    Condition::all().add(Expr::cust(words))
}

/// A place in the order: the value of the column that is sorted by, and the row's id.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    value: Value,
    id: i64,
}

impl Place {
    fn of<E: EntityTrait>(row: &E::Model, column: E::Column) -> Option<Self> {
        let Value::BigInt(Some(row_id)) = row.get(id::<E>()) else { return None };
        Some(Self { value: row.get(column), id: row_id })
    }

    /// `ID-VALUE`; `None` where the value is empty.
    fn write(&self) -> Option<String> {
        let value = match &self.value {
            Value::BigInt(Some(number)) => number.to_string(),
            Value::String(Some(text)) => text.clone(),
            Value::ChronoDateTimeUtc(Some(moment)) => moment.timestamp_micros().to_string(),
            _ => return None,
        };
        Some(format!("{}-{value}", self.id))
    }

    /// `None` = the beginning, also for what is no such place.
    fn read<E: EntityTrait>(column: E::Column, text: &str) -> Option<Self> {
        let (row_id, value) = text.split_once('-')?;
        let value = match column.def().get_column_type() {
            ColumnType::Text | ColumnType::String(_) => Value::from(value.to_owned()),
            ColumnType::TimestampWithTimeZone => Value::from(DateTime::from_timestamp_micros(value.parse().ok()?)?),
            _ => Value::from(value.parse::<i64>().ok()?),
        };
        Some(Self { value, id: row_id.parse().ok()? })
    }

    /// Everything behind it. The first condition is the range of the index, the second what is left out of its first value.
    fn begin<E: EntityTrait>(self, select: Select<E>, sort: &Sort<E>) -> Select<E> {
        let (column, value, row_id) = (sort.column, self.value, self.id);
        let is_falling = matches!(sort.order, Order::Desc);
        if is_id::<E>(column) {
            return select.filter(if is_falling { column.lt(row_id) } else { column.gt(row_id) });
        }
        if is_falling {
            let behind = Condition::any().add(column.lt(value.clone())).add(id::<E>().lt(row_id));
            return select.filter(column.lte(value)).filter(behind);
        }
        let behind = Condition::any().add(column.gt(value.clone())).add(id::<E>().gt(row_id));
        select.filter(column.gte(value)).filter(behind)
    }
}

#[expect(clippy::expect_used, reason = "every table has a key")]
fn id<E: EntityTrait>() -> E::Column {
    E::PrimaryKey::iter().next().expect("a key").into_column()
}

fn is_id<E: EntityTrait>(column: E::Column) -> bool {
    column.as_str() == id::<E>().as_str()
}

/// `out_of_funds` as people read it.
#[must_use]
pub fn words_of(word: &str) -> String {
    let mut words = word.replace('_', " ");
    if let Some(first) = words.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    words
}
