//! `/admin`: the pages of the house. `initializers::house` asks everybody at the door; each handler says by its extractor
//! (`Staff`, `Admin`, `Owner`) how much one must be allowed to, and by `Confirmed`
//! around it that the second factor was shown just now.

mod dashboard;
mod resources;
mod second_factor;
mod settings;
mod viewings;

use axum::routing::{get, post};
use loco_rs::controller::Routes;

pub fn routes() -> Routes {
    resources::routes()
        .add("/admin", get(dashboard::show))
        .add("/admin/health", get(dashboard::health))
        .add("/admin/second-factor", get(second_factor::new).post(second_factor::create))
        .add("/admin/second-factor/enrolment", get(second_factor::offer).post(second_factor::enrol))
        .add("/admin/second-factor/qr", get(second_factor::code))
        .add("/admin/second-factor/renewal", post(second_factor::renew))
        .add("/admin/users/{id}/view", get(viewings::new).post(viewings::create))
        .add("/admin/viewing/end", post(viewings::end))
        .add("/admin/settings", get(settings::show))
        .add("/admin/settings/{name}", post(settings::throw))
        .add("/admin/settings/{name}/release", post(settings::release))
}
