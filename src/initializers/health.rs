//! Whoever keeps processes running asks each of them in the same way whether it lives: `/up` on its port. `nproxy health`
//! asks, and a process that only runs jobs answers too.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use axum::Router;
use loco_rs::app::AppContext;
use tokio::net::TcpListener;

use super::serving::serve_beside;
use crate::controllers;

/// A process that takes longer to say that it lives does not live well.
const PATIENCE: Duration = Duration::from_secs(3);

/// Answers `/up` and `/ready`, and nothing else, beside the jobs. Without the port it does without: jobs matter more.
pub async fn answer(ctx: &AppContext) {
    let server = &ctx.config.server;
    let router = controllers::health::routes()
        .handlers
        .into_iter()
        .fold(Router::new(), |router, it| router.route(&it.uri, it.method))
        .with_state(ctx.clone());
    let listener = match TcpListener::bind(format!("{}:{}", server.binding, server.port)).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(port = server.port, %error, "jobs run, but nobody can ask this process whether it lives");
            return;
        }
    };
    serve_beside(router, listener);
}

/// Asks the process on this port of this machine.
///
/// # Errors
/// What it said instead, or why it did not.
pub fn ask(port: u16) -> Result<String, String> {
    let ask = || -> std::io::Result<String> {
        let mut connection = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        write!(connection, "GET /up HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        connection.take(16_384).read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = ask().map_err(|error| format!("port {port}: {error}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) == Some("200") { Ok(body.to_owned()) } else { Err(format!("port {port}: {status}")) }
}
