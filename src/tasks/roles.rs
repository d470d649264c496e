//! How tasks read roles, and say why one was not given.

use loco_rs::{Error, Result};

use crate::models::users::{Appointment, Role};

pub fn named(role: &str, usage: &str) -> Result<Role> {
    Role::named(role).ok_or_else(|| Error::Message(format!("role:{role} is not known\nusage: {usage}")))
}

pub fn of_the_house(role: &str, usage: &str) -> Result<Role> {
    let role = named(role, usage)?;
    if role == Role::User {
        return Err(Error::Message(format!("role:user opens no web admin\nusage: {usage}")));
    }
    Ok(role)
}

pub fn refused(email: &str, appointment: &Appointment) -> Error {
    Error::Message(match appointment {
        Appointment::LastOwner => format!("{email} is the only owner; make somebody else owner first"),
        Appointment::NotOpen => format!("the account {email} is not open: activate or unblock it first"),
        Appointment::Nobody | Appointment::Same(_) | Appointment::Changed(_) => format!("there is no account {email}"),
    })
}
