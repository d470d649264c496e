//! The sandbox as a process of its own: `cargo run -p sandbox -- --http 127.0.0.1:5151 --smtp 127.0.0.1:5125`.

use std::{io::Write, net::SocketAddr, time::Duration};

use sandbox::{Options, Sandbox};

const USAGE: &str =
    "usage: sandbox [--http ADDRESS:PORT] [--smtp ADDRESS:PORT] [--latency MILLISECONDS] [--btcpay-webhook URL]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options {
        http: SocketAddr::from(([127, 0, 0, 1], 5151)),
        smtp: SocketAddr::from(([127, 0, 0, 1], 5125)),
        confirm_after: Some(sandbox::CONFIRM_AFTER),
        ..Options::default()
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        match word.as_str() {
            "--http" => options.http = value.parse()?,
            "--smtp" => options.smtp = value.parse()?,
            "--latency" => options.latency = Duration::from_millis(value.parse()?),
            "--btcpay-webhook" => options.btcpay_webhook = value,
            _ => return Err(USAGE.into()),
        }
    }
    let sandbox = Sandbox::start(options).await?;
    let mut out = std::io::stdout();
    writeln!(out, "Images  {}   (any key that begins with sandbox-)", sandbox.url())?;
    writeln!(out, "Mail    smtp://{}   read it at {}/mail", sandbox.smtp_addr(), sandbox.url())?;
    writeln!(out, "Payments {}/payments", sandbox.url())?;
    writeln!(out, "Telegram {}/telegram   (token {})", sandbox.url(), sandbox::telegram::BOT_TOKEN)?;
    writeln!(out, "Stop with Ctrl+C.")?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}
