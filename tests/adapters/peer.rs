//! A computer at the other end of the wire, played by a closure per connection: it can answer, drip, hang and hang up.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use nproxy::adapters::images::{Access, Failure, Http, Output, Provider, ProxyUrl, Request, Settings};
use secrecy::SecretString;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};

pub const SECRET: &str = "AIzaSyCANARY-key-0123456789abcdefghijkl";
pub const PNG: &[u8] = b"\x89PNG\r\n\x1A\npixels";
pub const SOON: Duration = Duration::from_millis(400);
pub const AMPLE: Duration = Duration::from_secs(20);

pub struct Peer {
    pub addr: SocketAddr,
    calls: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<u8>>>,
    task: JoinHandle<()>,
}

/// One accepted connection, and what has been read from it so far.
pub struct Line {
    pub socket: TcpStream,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Peer {
    pub async fn new<F, Fut>(script: F) -> Self
    where
        F: Fn(Line) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (calls, heard) = (Arc::new(AtomicUsize::new(0)), Arc::<Mutex<Vec<u8>>>::default());
        let (counted, hears) = (calls.clone(), heard.clone());
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(script(Line { socket, heard: hears.clone() }));
            }
        });
        Self { addr, calls, heard, task }
    }

    /// Reads a request, then writes `answer` and closes.
    pub async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = Arc::new(answer.into());
        Self::new(move |mut line| {
            let answer = answer.clone();
            async move {
                line.request().await;
                line.say(answer.as_slice()).await;
            }
        })
        .await
    }

    pub async fn silent() -> Self {
        Self::new(|mut line| async move {
            line.request().await;
            line.wait().await;
        })
        .await
    }

    /// Where nobody listens.
    pub async fn nobody() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    /// Where nobody has room for one more connection: those who try wait. The listener and those before are held meanwhile.
    pub async fn full() -> (SocketAddr, impl Sized) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut before = Vec::new();
        while let Ok(stream) = tokio::time::timeout(SOON, TcpStream::connect(addr)).await {
            before.push(stream.unwrap());
        }
        (addr, (listener, before))
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Everything that was read, as text.
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }

    pub fn http(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn https(&self) -> String {
        format!("https://{}", self.addr)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    /// One HTTP request with its body.
    pub async fn request(&mut self) -> String {
        let mut text = Vec::new();
        loop {
            let head = text.windows(4).position(|it| it == b"\r\n\r\n").map(|at| at + 4);
            if let Some(head) = head {
                let length = String::from_utf8_lossy(&text[..head]).lines().find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok()
                });
                if text.len() >= head + length.unwrap_or(0) {
                    return String::from_utf8_lossy(&text).into_owned();
                }
            }
            if self.hear(&mut text).await == 0 {
                return String::from_utf8_lossy(&text).into_owned();
            }
        }
    }

    pub async fn exactly(&mut self, bytes: usize) -> Vec<u8> {
        let mut text = vec![0; bytes];
        self.socket.read_exact(&mut text).await.unwrap();
        text
    }

    pub async fn hear(&mut self, text: &mut Vec<u8>) -> usize {
        let before = text.len();
        let count = self.socket.read_buf(text).await.unwrap_or(0);
        self.heard.lock().unwrap().extend_from_slice(&text[before..]);
        count
    }

    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.socket.write_all(bytes.as_ref()).await;
    }

    /// Holds the line until the other side hangs up.
    pub async fn wait(&mut self) {
        while self.hear(&mut Vec::new()).await > 0 {}
    }

    /// RST instead of FIN.
    pub fn reset(self) {
        self.socket.set_zero_linger().unwrap();
    }

    /// Carries bytes between this line and `target`.
    pub async fn relay(&mut self, target: SocketAddr) {
        let mut far = TcpStream::connect(target).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut self.socket, &mut far).await;
    }
}

pub fn answer(status: u16, kind: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub fn json(status: u16, body: impl AsRef<[u8]>) -> Vec<u8> {
    answer(status, "application/json; charset=UTF-8", body)
}

pub fn html(status: u16) -> Vec<u8> {
    answer(status, "text/html", "<html><title>Error</title>API key not valid. insufficient credits</html>")
}

pub fn picture() -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let data = STANDARD.encode(PNG);
    json(
        200,
        format!(
            r#"{{"candidates":[{{"content":{{"role":"model","parts":[{{"inlineData":{{"mimeType":"image/png","data":"{data}"}}}}]}},"finishReason":"STOP","index":0}}],"usageMetadata":{{"promptTokenCount":9,"candidatesTokenCount":1120,"thoughtsTokenCount":80}},"responseId":"abc"}}"#
        ),
    )
}

pub fn gemini(base_url: &str) -> Provider {
    let mut settings = Settings::default();
    settings.gemini.base_url = base_url.parse().unwrap();
    settings.provider("gemini").unwrap()
}

pub const REQUEST: Request<'static> = Request {
    wire_model: "gemini-nano-banana-2.1",
    prompt: "a fox made of paper",
    aspect_ratio: None,
    resolution: None,
    input: None,
};

/// One call at `base_url`, through `proxy` if it is not empty.
pub async fn generate(base_url: &str, proxy: &str, deadline: Duration) -> Outcome {
    generate_by(&Http::new().unwrap(), base_url, proxy, deadline).await
}

/// The same with clients that may trust more than the public authorities.
pub async fn generate_by(http: &Http, base_url: &str, proxy: &str, deadline: Duration) -> Outcome {
    let secret = SecretString::from(SECRET);
    let proxy = (!proxy.is_empty()).then(|| ProxyUrl::parse(proxy).unwrap());
    let access = Access { secret: &secret, proxy: proxy.as_ref() };
    gemini(base_url).generate(http, access, &REQUEST, deadline).await
}

pub async fn check(base_url: &str, deadline: Duration) -> Result<(), Failure> {
    let secret = SecretString::from(SECRET);
    gemini(base_url).check(&Http::new().unwrap(), Access { secret: &secret, proxy: None }, deadline).await
}

pub type Outcome = Result<Output, Failure>;

/// `not_sent`, or `proxy_fault before` / `proxy_fault after` by whether the request had left.
pub fn class(outcome: &Outcome) -> String {
    match outcome {
        Ok(_) => Output::CLASS.to_owned(),
        Err(failure @ Failure::ProxyFault { request_sent, .. }) => {
            assert_eq!(failure.may_go_direct(), !request_sent);
            format!("proxy_fault {}", if *request_sent { "after" } else { "before" })
        }
        Err(failure) => {
            assert!(!failure.may_go_direct());
            failure.class().to_owned()
        }
    }
}

#[track_caller]
pub fn expect(outcome: &Outcome, wanted: &str) {
    assert_eq!(class(outcome), wanted, "{outcome:?}");
}
