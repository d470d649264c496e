//! Who may do more than look after their own things. Each role may what the one before may, and one thing more.

use sea_orm::{ActiveEnum, DeriveActiveEnum, EnumIter};

use super::Model;

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
}
