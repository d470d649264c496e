//! The standing cast of development and of the tests.

use chrono::{Months, TimeDelta};
use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::json;

use super::{Column, Entity, Role, by_email, credentials, draft, text};
use crate::{
    context::Nproxy,
    models::{
        activities::{self, Actor},
        allowances::{self, Gift, Kind},
        begin, clock, insert_new,
        subscriptions::{self, Cycles},
    },
};

/// Printed at every start of development.
pub const PASSWORD: &str = "studio in a box";

#[derive(Debug)]
pub struct Person {
    pub email: &'static str,
    pub about: &'static str,
    role: Role,
    plan: Plan,
}

#[derive(Debug, Clone, Copy)]
enum Plan {
    Trial,
    /// A month that began now.
    Running,
    /// A month that ended yesterday, and no free pictures left.
    Ended,
}

pub const PEOPLE: [Person; 5] = [
    Person { email: "ada@example.com", about: "three free pictures", role: Role::User, plan: Plan::Trial },
    Person { email: "bo@example.com", about: "a running plan", role: Role::User, plan: Plan::Running },
    Person { email: "cy@example.com", about: "an admin", role: Role::Admin, plan: Plan::Running },
    Person { email: "dee@example.com", about: "a plan that has ended", role: Role::User, plan: Plan::Ended },
    Person { email: "eve@example.com", about: "somebody else", role: Role::User, plan: Plan::Trial },
];

/// Writes those who are not there yet.
///
/// # Errors
/// The database does not answer.
pub async fn seed(ctx: &AppContext) -> Result<()> {
    let mut hash = None;
    for person in &PEOPLE {
        if by_email(&ctx.db, person.email).await?.is_none() {
            let known: String = match &hash {
                Some(known) => String::clone(known),
                None => credentials::hash(PASSWORD).await?,
            };
            person.write(ctx, known.clone()).await?;
            hash = Some(known);
        }
    }
    Ok(())
}

impl Person {
    async fn write(&self, ctx: &AppContext, password_hash: String) -> Result<()> {
        let txn = begin(&ctx.db).await?;
        let row = draft(&txn, self.email, password_hash).await?;
        insert_new(&txn, row).await?;
        let Some(user) = by_email(&txn, self.email).await? else { return Ok(()) };
        Entity::update_many()
            .col_expr(Column::Role, Expr::value(text(self.role)))
            .filter(Column::Id.eq(user.id))
            .exec(&txn)
            .await?;
        if self.role != Role::User {
            let detail = json!({ "from": text(Role::User), "to": text(self.role), "reason": "seeded for development" });
            activities::record(&txn, &Actor::System, "change_role", ("user", user.id), detail).await?;
        }
        let gift = self.gift(ctx, user.id, clock::now(&txn).await?);
        let user = match self.plan {
            Plan::Trial | Plan::Running => user.activate(ctx, &txn, &Actor::System).await?,
            Plan::Ended => user.open(&txn, &Actor::System).await?,
        };
        if let Some(gift) = gift {
            let parts = ctx.parts();
            let plan = &parts.catalogue().plan().code;
            subscriptions::activate(&txn, user.id, plan, &Cycles::default(), gift.starts_at).await?;
            allowances::grant(&txn, &user, gift, &Actor::System).await?;
        }
        txn.commit().await?;
        Ok(())
    }

    fn gift(&self, ctx: &AppContext, user_id: i64, now: chrono::DateTime<chrono::Utc>) -> Option<Gift<'static>> {
        let starts_at = match self.plan {
            Plan::Trial => return None,
            Plan::Running => now,
            Plan::Ended => now - Months::new(1) - TimeDelta::days(1),
        };
        Some(Gift {
            kind: Kind::Quota,
            amount: ctx.parts().catalogue().plan().requests.unwrap_or(1),
            starts_at,
            expires_at: Some(starts_at + Months::new(1)),
            source: format!("seed:{user_id}"),
            reason: "seeded for development",
        })
    }
}
