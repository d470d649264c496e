//! The people of the house, through the real door: password, then the second factor.

use std::time::{SystemTime, UNIX_EPOCH};

use nproxy::models::users::{Role, seeds::PASSWORD};
use totp_rs::{Builder, Secret, Totp};

use super::{Person, TestApp};

/// What somebody of the house keeps beside the password.
#[derive(Debug, Clone)]
pub struct Phone {
    pub secret: String,
    pub recovery_codes: Vec<String>,
}

impl Phone {
    /// The six digits for so many steps from now.
    pub fn code(&self, steps: i64) -> String {
        code_of(&self.secret, steps)
    }
}

impl TestApp {
    /// A browser of somebody of the house who has shown the second factor just now; the first time it is set up. For the
    /// seeded admin `cy`, or somebody to whom [`TestApp::appoint`] gave a role.
    pub async fn sign_in_staff(&self, name: &str) -> Person {
        let person = self.sign_in(name).await;
        self.show_factor(name, &person).await;
        person
    }

    /// Gives a role by hand.
    pub async fn appoint(&self, name: &str, role: Role) {
        self.sql(&format!("UPDATE users SET role = '{}' WHERE email = '{name}@example.com'", role.name())).await;
    }

    /// Shows the second factor in a browser that is signed in: sets it up, or spends a recovery code, because a code of the
    /// clock is taken only once.
    pub async fn show_factor(&self, name: &str, person: &Person) {
        let known = self.phones.lock().unwrap().get_mut(name).map(|phone| phone.recovery_codes.pop().unwrap());
        match known {
            Some(code) => {
                let shown = person.post("/admin/second-factor", &[("code", &code)]).await;
                assert_eq!(shown.status, 303, "{name} shows a recovery code: {}", shown.html().text());
            }
            None => {
                let phone = enrol(person).await;
                self.phones.lock().unwrap().insert(name.to_owned(), phone);
            }
        }
    }
}

/// Sets the second factor up as a person does: reads the secret off the page, types the first code.
pub async fn enrol(person: &Person) -> Phone {
    enrol_with(person, PASSWORD).await
}

/// The same for somebody with a password of their own.
pub async fn enrol_with(person: &Person, password: &str) -> Phone {
    let page = person.get("/admin/second-factor/enrolment").await.html();
    let secret = page.texts("#secret").concat().replace(' ', "");
    let form = page.form("form[action='/admin/second-factor/enrolment']").fill("password", password);
    let done = person.submit(&form.fill("code", &code_of(&secret, 0))).await;
    assert_eq!(done.status, 200, "the second factor is set up: {}", done.html().text());
    Phone { secret, recovery_codes: done.html().texts("#recovery-codes li") }
}

fn code_of(secret: &str, steps: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    totp(secret).generate(now.saturating_add_signed(steps * 30)).to_string()
}

fn totp(secret: &str) -> Totp {
    Builder::new().with_secret(Secret::try_from_base32(secret).unwrap()).build().unwrap()
}
