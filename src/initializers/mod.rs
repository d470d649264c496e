//! Wiring that belongs to a running server.

pub mod bot;
pub mod config;
pub mod database;
pub mod edge;
pub mod errors;
pub mod health;
pub mod house;
pub mod limits;
pub mod logging;
pub mod mail;
pub mod metrics;
pub mod people;
pub mod sandbox;
pub mod schema;
pub mod serving;
pub mod timetable;
pub mod views;
