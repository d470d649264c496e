//! Who may do more than look after their own things. Each role may what the one before may, and one thing more.

use loco_rs::Result;
use sea_orm::{ActiveEnum, ConnectionTrait, DeriveActiveEnum, EnumIter};

use super::{Model, Status, by_id};
use crate::models::activities::Actor;

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Role {
    User,
    /// May look into the web admin.
    Support,
    /// May change there what the business needs changed.
    Admin,
    /// May say who else may, and switch the whole site.
    Owner,
}

impl Role {
    /// As it is stored, and as people write it.
    #[must_use]
    pub fn name(self) -> String {
        self.into_value()
    }

    /// `None` for a word that is no role.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::try_from_value(&name.to_owned()).ok()
    }
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps users.role to these words")]
    pub fn role(&self) -> Role {
        Role::try_from_value(&self.role).expect("users.role")
    }

    /// Belongs to the house: sees the web admin.
    #[must_use]
    pub fn is_staff(&self) -> bool {
        self.role() >= Role::Support
    }

    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role() >= Role::Admin
    }

    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.role() == Role::Owner
    }

    /// Does this person stand above whoever acts? Somebody of the house who may not sign in any more stands below everybody;
    /// whoever is at the console, below nobody.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn is_above(&self, db: &impl ConnectionTrait, actor: &Actor) -> Result<bool> {
        let Actor::Admin(id) = actor else { return Ok(false) };
        let admin = by_id(db, *id).await?.filter(|admin| admin.status() == Status::Activated);
        Ok(admin.is_none_or(|admin| self.role() > admin.role()))
    }
}
