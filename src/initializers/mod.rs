//! Wiring that belongs to a running server.

pub mod database;
pub mod edge;
pub mod errors;
pub mod house;
pub mod people;
pub mod sandbox;
pub mod timetable;
pub mod views;
