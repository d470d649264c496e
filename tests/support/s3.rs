//! A real S3 server on a free port: it checks signatures, keeps its objects as files in a folder, can be stopped and
//! started again, and misbehaves on request.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    error_handling::HandleError,
    extract::Request,
    http::{Method, StatusCode},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use nproxy::settings;
use s3s::{HttpError, auth::SimpleAuth, service::S3ServiceBuilder};
use tempfile::TempDir;
use tokio::{
    net::TcpSocket,
    runtime::{Builder, Runtime},
    task::spawn_blocking,
};

pub const BUCKET: &str = "pictures";
pub const ACCESS_KEY: &str = "AKIDNPROXYTESTS";
pub const SECRET_KEY: &str = "canary/S3/secret/of/the/tests";

/// What the server does with one request of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 503 without doing it.
    Busy,
    /// 200 without doing it.
    Forgotten,
    /// Does it, but the answer is 503.
    Lost,
    /// The body ends in the middle.
    Cut,
    /// 503 with the vendor's words.
    SlowDown,
    /// Does it, and says another `ETag`.
    OtherTag,
    /// Nothing is wrong with this one.
    Fine,
    /// Does it, and never answers.
    Held,
}

type Faults = Arc<Mutex<VecDeque<(Method, Fault)>>>;

pub struct S3Server {
    folder: TempDir,
    address: SocketAddr,
    faults: Faults,
    /// Keeps the port while the server is stopped; nobody listens on it.
    _port: TcpSocket,
    /// Of its own, so that stopping it cuts every connection, as when a machine goes.
    runtime: Mutex<Option<Runtime>>,
}

impl S3Server {
    pub async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let port = socket("127.0.0.1:0".parse().unwrap());
        let address = port.local_addr().unwrap();
        let server = Self { folder, address, faults: Faults::default(), _port: port, runtime: Mutex::new(None) };
        server.restart();
        server
    }

    pub fn restart(&self) {
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(self.folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let broken = |_: HttpError| async { StatusCode::INTERNAL_SERVER_ERROR };
        let faults = self.faults.clone();
        let app = Router::new()
            .fallback_service(HandleError::new(builder.build(), broken))
            .layer(from_fn(move |request, next| misbehave(faults.clone(), request, next)));

        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let _inside = runtime.enter();
        let listener = socket(self.address).listen(64).unwrap();
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        *self.runtime.lock().unwrap() = Some(runtime);
    }

    /// As if the machine were gone: nothing listens, open connections end.
    pub async fn stop(&self) {
        let runtime = self.runtime.lock().unwrap().take();
        spawn_blocking(move || drop(runtime)).await.unwrap();
    }

    pub fn fail_next(&self, method: Method, fault: Fault) {
        self.faults.lock().unwrap().push_back((method, fault));
    }

    /// Faults that nothing has met yet.
    pub fn faults_left(&self) -> usize {
        self.faults.lock().unwrap().len()
    }

    pub fn settings(&self) -> settings::Storage {
        settings::Storage {
            dir: PathBuf::from("/nonexistent"),
            s3_endpoint: format!("http://{}", self.address),
            s3_public_endpoint: String::new(),
            s3_region: "eu-test-1".into(),
            s3_bucket: BUCKET.into(),
            s3_access_key_id: ACCESS_KEY.into(),
            s3_secret_access_key: SECRET_KEY.to_owned().into(),
        }
    }

    /// What a process needs to know to keep its pictures here.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        let settings = self.settings();
        [
            ("S3_ENDPOINT", settings.s3_endpoint),
            ("S3_REGION", settings.s3_region),
            ("S3_BUCKET", settings.s3_bucket),
            ("S3_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("S3_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ]
    }

    /// The address of an object, without a signature.
    pub fn url(&self, key: &str) -> String {
        format!("http://{}/{BUCKET}/{key}", self.address)
    }

    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Where the bucket's objects lie as files.
    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// The bytes of an object, read past the server.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.bucket().join(Path::new(key))).ok()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.lock().unwrap().take() {
            runtime.shutdown_background();
        }
    }
}

fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn misbehave(faults: Faults, request: Request, next: Next) -> Response {
    let fault = {
        let mut faults = faults.lock().unwrap();
        let met = faults.front().is_some_and(|(method, _)| method == request.method());
        met.then(|| faults.pop_front().unwrap().1)
    };
    match fault {
        None | Some(Fault::Fine) => next.run(request).await,
        Some(Fault::SlowDown) => {
            let words =
                "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>";
            (StatusCode::SERVICE_UNAVAILABLE, [("content-type", "application/xml")], words).into_response()
        }
        Some(Fault::OtherTag) => {
            let mut answer = next.run(request).await;
            answer.headers_mut().insert("etag", "\"00000000000000000000000000000000\"".parse().unwrap());
            answer
        }
        Some(Fault::Held) => {
            let _done = next.run(request).await;
            std::future::pending().await
        }
        Some(Fault::Busy) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(Fault::Forgotten) => StatusCode::OK.into_response(),
        Some(Fault::Lost) => {
            let answer = next.run(request).await;
            assert!(answer.status().is_success(), "nothing to lose: {}", answer.status());
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Some(Fault::Cut) => {
            let (head, body) = next.run(request).await.into_parts();
            // Not at once: what was sent before must have left, or the client sees no answer at all and asks again.
            let cut = stream::once(async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Err(axum::Error::new("the line is gone"))
            });
            Response::from_parts(head, Body::from_stream(body.into_data_stream().take(1).chain(cut)))
        }
    }
}
