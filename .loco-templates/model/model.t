{% set plural = name | plural | snake_case -%}
{% set at = ts | date(format="%Y%m%d_%H%M%S") -%}
{% set module = "m" ~ at ~ "_" ~ plural -%}
to: "migration/src/{{module}}.rs"
skip_glob: "migration/src/m????????_??????_{{plural}}.rs"
message: "The table `{{plural}}` has its migration. Say in its first lines what the table is for; then run `bin/entities`."
injections:
- into: "migration/src/lib.rs"
  before: "pub struct Migrator;"
  content: "mod {{module}};\n"
- into: "migration/src/lib.rs"
  before: "// migrations"
  content: "            Box::new({{module}}::Migration),"
---
//! The table `{{plural}}`.

use sea_orm_migration::prelude::*;

#[allow(unused_imports, reason = "written for any table")]
use crate::columns::{at, at_null, big, big_null, col, drop_table, id, index, references, table, text, text_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("{{plural}}")
                .col(id())
                {% for column in columns -%}
                {% if column.1 in ["String", "Text"] %}.col(text("{{column.0}}"))
                {% elif column.1 in ["StringNull", "TextNull"] %}.col(text_null("{{column.0}}"))
                {% elif column.1 in ["StringUniq", "TextUniq"] %}.col(text("{{column.0}}").unique_key())
                {% elif column.1 in ["Integer", "BigInteger"] %}.col(big("{{column.0}}"))
                {% elif column.1 in ["IntegerNull", "BigIntegerNull"] %}.col(big_null("{{column.0}}"))
                {% elif column.1 == "Boolean" %}.col(col("{{column.0}}").boolean().not_null())
                {% elif column.1 in ["TimestampWithTimeZone", "DateTime"] %}.col(at("{{column.0}}"))
                {% elif column.1 in ["TimestampWithTimeZoneNull", "DateTimeNull"] %}.col(at_null("{{column.0}}"))
                {% else %}.col(compile_error!("{{column.0}}: {{column.1}} has no word in migration/src/columns.rs yet"))
                {% endif -%}
                {% endfor -%}
                {% for reference in references -%}
                {% set target = reference.0 | replace(from="?", to="") -%}
                {% if reference.1 == "" %}{% set column = target ~ "_id" %}{% else %}{% set column = reference.1 %}{% endif -%}
                .col(big("{{column}}"))
                .foreign_key(&mut references("{{column}}", "{{ target | plural }}"))
                {% endfor -%}
                .col(at("created_at"))
                .take(),
        )
        .await?;
        {% for reference in references -%}
        {% set target = reference.0 | replace(from="?", to="") -%}
        {% if reference.1 == "" %}{% set column = target ~ "_id" %}{% else %}{% set column = reference.1 %}{% endif -%}
        index(m, "{{plural}}", &["{{column}}", "id"]).await?;
        {% endfor -%}
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "{{plural}}").await
    }
}
