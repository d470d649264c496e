//! nproxy: a studio where people make pictures in a chat, over a pool of provider keys. `ARCHITECTURE.md` is the map.

pub mod adapters;
pub mod app;
pub mod bot;
pub mod console;
pub mod context;
pub mod controllers;
pub mod initializers;
pub mod mailers;
pub mod models;
pub mod settings;
pub mod tasks;
mod views;
pub mod workers;
