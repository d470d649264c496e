//! Wiring that belongs to a running server.

pub mod database;
pub mod edge;
pub mod errors;
pub mod limits;
pub mod people;
pub mod sandbox;
pub mod serving;
pub mod timetable;
pub mod views;
