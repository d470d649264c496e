//! Whether the mail server is there. Sending is Loco's.

use std::time::Duration;

use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

/// A server that takes longer to greet is down for those who wait for a mail.
const PATIENCE: Duration = Duration::from_secs(3);

/// The port where TLS comes before the greeting.
pub const TLS_FIRST: u16 = 465;

/// Connects, and waits for the greeting (RFC 5321: `220`); sends nothing.
///
/// # Errors
/// What it did instead, without the address.
pub async fn greets(host: &str, port: u16) -> Result<(), &'static str> {
    let connected = timeout(PATIENCE, TcpStream::connect((host, port))).await;
    let Ok(Ok(mut stream)) = connected else { return Err("does not take connections") };
    if port == TLS_FIRST {
        return Ok(());
    }
    let mut greeting = [0_u8; 3];
    match timeout(PATIENCE, stream.read_exact(&mut greeting)).await {
        Ok(Ok(_)) if greeting == *b"220" => Ok(()),
        Ok(Ok(_)) => Err("turns connections away"),
        Ok(Err(_)) | Err(_) => Err("takes connections and says nothing"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use super::*;

    /// What is made of a server that greets like this, once.
    async fn judged(greeting: &str) -> Result<(), &'static str> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(greeting.as_bytes()).await.unwrap();
        };
        tokio::join!(greets("127.0.0.1", port), serve).0
    }

    #[tokio::test]
    async fn only_a_greeting_counts() {
        assert_eq!(judged("220 mail.example ESMTP\r\n").await, Ok(()));
        assert_eq!(judged("421 too busy\r\n").await, Err("turns connections away"));
        assert_eq!(judged("").await, Err("takes connections and says nothing"));
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        assert_eq!(greets("127.0.0.1", gone).await, Err("does not take connections"));
    }
}
