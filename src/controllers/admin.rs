//! `/admin`: the pages of the house. `initializers::house` asks everybody at the door; each handler says by its extractor
//! (`Staff`, `Admin`, `Owner`) how much one must be allowed to.

mod dashboard;
mod resources;

use axum::routing::get;
use loco_rs::controller::Routes;

pub fn routes() -> Routes {
    resources::routes().add("/admin", get(dashboard::show))
}
