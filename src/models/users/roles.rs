//! Who may do more than look after their own things.

use sea_orm::{ActiveEnum, DeriveActiveEnum, EnumIter};

use super::Model;

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Role {
    User,
    Support,
    Admin,
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps users.role to these words")]
    pub fn role(&self) -> Role {
        Role::try_from_value(&self.role).expect("users.role")
    }

    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role() == Role::Admin
    }
}
