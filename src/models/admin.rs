//! What operators see and do, one description per resource: `description` has the pieces, `resource` makes lists, pages and
//! actions of them. Every action calls a verb that the other doors call too; nothing is decided here.

pub mod activities;
pub mod description;
pub mod events;
pub mod invoices;
pub mod jobs;
pub mod keys;
mod notes;
pub mod notifications;
pub mod proxies;
pub mod resource;
pub mod runs;
pub mod subscriptions;
pub mod users;

use resource::Resource;

/// Every resource, in the order of the menu. A generated one is added above the last line.
pub static ALL: &[&dyn Resource] = &[
    &users::Users,
    &subscriptions::Subscriptions,
    &invoices::Invoices,
    &events::Events,
    &runs::Runs,
    &keys::Keys,
    &proxies::Proxies,
    &jobs::Jobs,
    &activities::Activities,
    &notifications::Notifications,
    // resources
];

/// The resource at `/admin/PATH`.
#[must_use]
pub fn named(path: &str) -> Option<&'static dyn Resource> {
    ALL.iter().copied().find(|resource| resource.about().path == path)
}
