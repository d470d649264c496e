//! The studio in a real browser: what only shows when pages are loaded, clicked and looked at.

mod access;
mod admin;
mod gallery;
mod house;
mod journeys;
mod layout;
mod payments;
mod polling;
mod prompts;
mod screenshots;
mod told;
mod troubles;
mod turns;
mod verbs;
