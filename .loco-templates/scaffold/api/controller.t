to: "src/models/admin/{{ snake_plural }}.rs"
skip_exists: true
message: "`/admin/{{ snake_plural }}` is described in `src/models/admin/{{ snake_plural }}.rs`: its list, page, sheet, routes and place in the menu follow from there."
injections:
- into: "src/models/admin.rs"
  before: "use resource::Resource;"
  content: "pub mod {{ snake_plural }};\n"
- into: "src/models/admin.rs"
  before: "// resources"
  content: "    &{{ snake_plural }}::{{ pascal_plural }},"
---
//! {{ pascal_plural }}, as operators see them. A scope, filter or order needs an index; an action calls a verb of
//! `models::{{ snake_plural }}` (`admin/proxies.rs` shows all there is).

use async_trait::async_trait;
use loco_rs::{Result, app::AppContext};

use super::{
    description::{About, Cell, Column, Section},
    resource::Describe,
};
use crate::models::{
    _entities::{{ snake_plural }}::{self as rows, Model},
    activities,
    listing::Spec,
};

const SHOWN: u64 = 20;

pub struct {{ pascal_plural }};

#[async_trait]
impl Describe for {{ pascal_plural }} {
    type Entity = rows::Entity;
    type Row = Model;

    fn about(&self) -> About {
        About {
            path: "{{ snake_plural }}",
            title: "{{ pascal_plural }}",
            one: "{{ snake_singular }}",
            text: "",
            icon: "list-checks",
        }
    }

    fn spec(&self) -> Spec<Self::Entity> {
        Spec::new()
    }

    async fn dress(&self, _ctx: &AppContext, rows: Vec<Model>) -> Result<Vec<Model>> {
        Ok(rows)
    }

    fn id(&self, row: &Model) -> i64 {
        row.id
    }

    fn name(&self, row: &Model) -> String {
        format!("{{ pascal_singular }} {}", row.id)
    }

    fn columns(&self) -> Vec<Column<Model>> {
        vec![
            Column::new("id", "Number", |row: &Model| {
                Cell::link(row.id.to_string(), format!("/admin/{{ snake_plural }}/{}", row.id))
            }),
            {% for f in fields -%}
            Column::new("{{ f.field_name }}", "{{ f.label }}", |row| {% if f.rust_type == "String" %}Cell::text(&row.{{ f.field_name }}){% elif f.rust_type == "Option<String>" %}Cell::maybe(row.{{ f.field_name }}.as_ref()){% elif f.rust_type in ["i64", "i32"] %}Cell::Number(row.{{ f.field_name }}){% elif f.rust_type in ["Option<i64>", "Option<i32>"] %}Cell::number(row.{{ f.field_name }}){% elif f.rust_type == "bool" %}Cell::text(if row.{{ f.field_name }} { "yes" } else { "no" }){% elif f.rust_type == "DateTimeWithTimeZone" %}Cell::Moment(row.{{ f.field_name }}){% elif f.rust_type == "Option<DateTimeWithTimeZone>" %}Cell::moment(row.{{ f.field_name }}){% else %}Cell::text(row.{{ f.field_name }}.to_string()){% endif %}),
            {% endfor -%}
            Column::new("created_at", "When", |row| Cell::Moment(row.created_at)),
        ]
    }

    async fn sections(&self, ctx: &AppContext, row: &Model) -> Result<Vec<Section>> {
        let facts = self.columns().iter().map(|column| (column.label, (column.cell)(row))).collect();
        let done = activities::latest_about(&ctx.db, "{{ snake_singular }}", row.id, SHOWN).await?;
        Ok(vec![
            Section::facts("facts", "How it stands", facts),
            super::activities::section(&done, "{{ snake_singular }}", row.id),
        ])
    }
}
