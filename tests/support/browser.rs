//! A real Chromium, one per test and gone with it. Its windows write down what nobody sees by looking at a page: what the
//! console said, which rule of the page was broken, what was asked of the server and what it answered.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use chromiumoxide::{
    BrowserConfig, Page,
    cdp::{
        browser_protocol::{
            audits::{self, EventIssueAdded, InspectorIssueCode},
            browser::{
                PermissionDescriptor, PermissionSetting, SetDownloadBehaviorBehavior, SetDownloadBehaviorParams,
                SetPermissionParams,
            },
            emulation::{
                MediaFeature, SetDeviceMetricsOverrideParams, SetEmulatedMediaParams, SetScriptExecutionDisabledParams,
                SetTouchEmulationEnabledParams,
            },
            input::{DispatchKeyEventParams, DispatchKeyEventType, DispatchTouchEventReturns, InsertTextParams},
            log::{EventEntryAdded, LogEntryLevel},
            network::{EventLoadingFailed, EventRequestWillBeSent, EventResponseReceived, ResourceType},
            page::{EventJavascriptDialogOpening, HandleJavaScriptDialogParams},
            service_worker::{self, DeliverPushMessageParams, EventWorkerRegistrationUpdated, RegistrationId},
            target::SetAutoAttachParams,
        },
        js_protocol::runtime::{EvaluateParams, EventConsoleApiCalled, EventExceptionThrown},
    },
    layout::Point,
    page::ScreenshotParams,
    types::{Command, Method, MethodId},
};
use futures::{StreamExt, stream::select_all};
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{TestApp, eventually};

/// Says in the console what the page's own rules forbade.
const REPORT_VIOLATIONS: &str = "document.addEventListener('securitypolicyviolation', (event) => \
     console.error(`refused by ${event.violatedDirective}: ${event.blockedURI}`))";

/// What somebody sits in front of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// 1280 × 900 and a mouse.
    Desk,
    /// 390 × 844 and a finger.
    Phone,
    /// The same with its keyboard up.
    TypingPhone,
    /// 320 × 640 and a finger.
    SmallPhone,
}

impl Screen {
    pub const fn size(self) -> (i64, i64) {
        match self {
            Self::Desk => (1280, 900),
            Self::Phone => (390, 844),
            Self::TypingPhone => (390, 480),
            Self::SmallPhone => (320, 640),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    On,
    Off,
}

pub struct Browser {
    chromium: chromiumoxide::Browser,
    events: JoinHandle<()>,
    folder: TempDir,
    url: String,
}

impl Browser {
    /// Wherever the test ends, also by a panic, the process ends with it.
    pub async fn open(app: &TestApp) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = BrowserConfig::builder()
            .chrome_executable(std::env::var("CHROMIUM").map_or_else(|_| installed(), PathBuf::from))
            .user_data_dir(folder.path().join("profile"))
            .viewport(None)
            .enable_cache()
            .launch_timeout(Duration::from_secs(60))
            .args(["disable-gpu", "disable-quic", "disable-component-update", "no-proxy-server"]);
        if is_root() {
            config = config.no_sandbox();
        }
        let (chromium, mut handler) = chromiumoxide::Browser::launch(config.build().unwrap()).await.unwrap();
        let events = tokio::spawn(async move { while handler.next().await.is_some() {} });
        let downloads = folder.path().join("downloads");
        let behaviour = SetDownloadBehaviorParams::builder()
            .behavior(SetDownloadBehaviorBehavior::Allow)
            .download_path(downloads.display().to_string());
        chromium.execute(behaviour.build().unwrap()).await.unwrap();
        Self { chromium, events, folder, url: app.url.clone() }
    }

    /// The window of somebody who was never here.
    pub async fn stranger(&self, screen: Screen, scripts: Scripts) -> Window {
        self.chromium.clear_cookies().await.unwrap();
        self.window(screen, scripts).await
    }

    /// One more window of the same person.
    pub async fn window(&self, screen: Screen, scripts: Scripts) -> Window {
        let page = self.chromium.new_page("about:blank").await.unwrap();
        let window = Window::around(page, self.url.clone()).await;
        window.switch(screen).await;
        window.page.execute(SetScriptExecutionDisabledParams::new(scripts == Scripts::Off)).await.unwrap();
        window
    }

    /// This person lets our pages do this: `notifications`, `clipboard-read`.
    pub async fn allow(&self, what: &str) {
        let mut yes = SetPermissionParams::new(PermissionDescriptor::new(what), PermissionSetting::Granted);
        yes.origin = Some(self.url.clone());
        self.chromium.execute(yes).await.unwrap();
    }

    /// The one file that was downloaded since the last look.
    pub async fn downloaded(&self) -> Bytes {
        eventually("the download", || async {
            let mut files =
                std::fs::read_dir(self.folder.path().join("downloads")).ok()?.map(|file| file.unwrap().path());
            let file = files.find(|file| {
                file.extension().is_some_and(|end| ["jpg", "png", "csv", "zip"].iter().any(|known| end == *known))
            })?;
            // Chromium takes the name with an empty file before it moves the whole one there.
            let bytes = Some(std::fs::read(&file).unwrap()).filter(|bytes| !bytes.is_empty())?;
            std::fs::remove_file(&file).unwrap();
            Some(bytes.into())
        })
        .await
    }

    pub async fn close(mut self) {
        self.chromium.close().await.unwrap();
        self.chromium.wait().await.unwrap();
        self.events.abort();
    }
}

/// `--no-sandbox` is the price of being root.
fn is_root() -> bool {
    std::process::Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.starts_with(b"0\n"))
}

fn installed() -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = std::iter::once("/usr/bin").chain(path.split(':'));
    let mut named = folders.flat_map(|folder| {
        ["chromium", "chromium-browser", "google-chrome"].map(|name| PathBuf::from(folder).join(name))
    });
    named.find(|file| file.exists()).expect("Chromium: install it (bin/setup) or name it in CHROMIUM")
}

/// Something asked of our server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    id: String,
    pub method: String,
    pub path: String,
    pub is_document: bool,
    pub status: Option<i64>,
}

#[derive(Debug, Default)]
struct Notes {
    complaints: Vec<String>,
    requests: Vec<Request>,
}

/// A page on its way through a window, and what is done to it there.
pub struct Window {
    page: Page,
    url: String,
    touch: AtomicBool,
    notes: Arc<Mutex<Notes>>,
    listener: JoinHandle<()>,
}

/// A finger comes down, or goes. (The library's own command leaves an empty list out, which Chromium refuses.)
#[derive(Debug, Serialize)]
struct Touch {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "touchPoints")]
    points: Vec<Spot>,
}

#[derive(Debug, Serialize)]
struct Spot {
    x: f64,
    y: f64,
}

impl Method for Touch {
    fn identifier(&self) -> MethodId {
        "Input.dispatchTouchEvent".into()
    }
}

impl Command for Touch {
    type Response = DispatchTouchEventReturns;
}

enum Event {
    Complaint(String),
    Dialog(String),
    Asked(Request),
    Answered(String, i64),
}

impl Window {
    async fn around(page: Page, url: String) -> Self {
        let ours = url.clone();
        let path = move |url: &str| url.strip_prefix(ours.as_str()).map(str::to_owned);
        let mut events = select_all([
            page.event_listener::<EventExceptionThrown>()
                .await
                .unwrap()
                .map(|e| Some(Event::Complaint(format!("exception: {:?}", e.exception_details))))
                .boxed(),
            page.event_listener::<EventConsoleApiCalled>()
                .await
                .unwrap()
                .map(|e| {
                    Some(Event::Complaint(format!(
                        "console: {:?}",
                        e.args.iter().map(|a| &a.value).collect::<Vec<_>>()
                    )))
                })
                .boxed(),
            page.event_listener::<EventEntryAdded>()
                .await
                .unwrap()
                .map(|e| {
                    let is_loud = matches!(e.entry.level, LogEntryLevel::Warning | LogEntryLevel::Error);
                    is_loud.then(|| Event::Complaint(format!("log: {} {:?}", e.entry.text, e.entry.url)))
                })
                .boxed(),
            page.event_listener::<EventIssueAdded>()
                .await
                .unwrap()
                .map(|e| {
                    let is_ours = e.issue.code == InspectorIssueCode::ContentSecurityPolicyIssue;
                    is_ours.then(|| Event::Complaint(format!("policy: {:?}", e.issue.details)))
                })
                .boxed(),
            page.event_listener::<EventJavascriptDialogOpening>()
                .await
                .unwrap()
                .map(|e| Some(Event::Dialog(e.message.clone())))
                .boxed(),
            page.event_listener::<EventRequestWillBeSent>()
                .await
                .unwrap()
                .map(move |e| {
                    Some(Event::Asked(Request {
                        id: e.request_id.inner().clone(),
                        method: e.request.method.clone(),
                        path: path(&e.request.url)?,
                        is_document: e.r#type == Some(ResourceType::Document),
                        status: None,
                    }))
                })
                .boxed(),
            page.event_listener::<EventResponseReceived>()
                .await
                .unwrap()
                .map(|e| Some(Event::Answered(e.request_id.inner().clone(), e.response.status)))
                .boxed(),
            page.event_listener::<EventLoadingFailed>()
                .await
                .unwrap()
                .map(|e| {
                    // Leaving a page ends what it was still asking for; a download leaves it as a file.
                    let is_over = e.canceled == Some(true) || e.error_text == "net::ERR_ABORTED";
                    (!is_over).then(|| Event::Complaint(format!("not loaded: {} ({:?})", e.error_text, e.r#type)))
                })
                .boxed(),
        ]);
        page.enable_log().await.unwrap();
        page.enable_runtime().await.unwrap();
        page.execute(audits::EnableParams::default()).await.unwrap();
        page.evaluate_on_new_document(REPORT_VIOLATIONS).await.unwrap();

        let notes = Arc::new(Mutex::new(Notes::default()));
        let (pad, answerer) = (notes.clone(), page.clone());
        let listener = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                match event {
                    Some(Event::Complaint(text)) => pad.lock().unwrap().complaints.push(text),
                    Some(Event::Dialog(text)) => {
                        pad.lock().unwrap().complaints.push(format!("dialog: {text}"));
                        answerer.execute(HandleJavaScriptDialogParams::new(true)).await.ok();
                    }
                    Some(Event::Asked(request)) => pad.lock().unwrap().requests.push(request),
                    Some(Event::Answered(id, status)) => pad.lock().unwrap().answered(&id, status),
                    None => {}
                }
            }
        });
        Self { page, url, touch: AtomicBool::new(false), notes, listener }
    }

    pub async fn switch(&self, screen: Screen) {
        let (width, height) = screen.size();
        let touch = screen != Screen::Desk;
        self.page.execute(SetDeviceMetricsOverrideParams::new(width, height, 1.0, touch)).await.unwrap();
        self.page.execute(SetTouchEmulationEnabledParams::new(touch)).await.unwrap();
        self.touch.store(touch, Ordering::Relaxed);
    }

    /// What this person's system says that they like, such as `("prefers-color-scheme", "dark")`.
    pub async fn prefer(&self, likes: &[(&str, &str)]) {
        let features: Vec<_> = likes.iter().map(|(name, value)| MediaFeature::new(*name, *value)).collect();
        let media = SetEmulatedMediaParams::builder().features(features).build();
        self.page.execute(media).await.unwrap();
    }

    /// What the page looks like as a whole, in the folder that `PICTURES` names: for whoever wants to look at it.
    pub async fn photograph(&self, name: &str) {
        let Ok(folder) = std::env::var("PICTURES") else { return };
        let whole = ScreenshotParams::builder().full_page(true).build();
        let picture = self.page.screenshot(whole).await.unwrap();
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
    }

    /// What is on the screen, as PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        self.page.screenshot(ScreenshotParams::builder().build()).await.unwrap()
    }

    /// Presses a key by its name, as a keyboard does.
    pub async fn key(&self, key: &str, with_control: bool) {
        let (code, text) = match key {
            "Tab" => (9, None),
            "Enter" => (13, Some("\r")),
            "Escape" => (27, None),
            "ArrowLeft" => (37, None),
            "ArrowRight" => (39, None),
            "PageUp" => (33, None),
            one => (i64::from(one.to_uppercase().as_bytes()[0]), Some(one)),
        };
        for kind in [DispatchKeyEventType::KeyDown, DispatchKeyEventType::KeyUp] {
            let mut event =
                DispatchKeyEventParams::builder().r#type(kind.clone()).key(key).windows_virtual_key_code(code);
            if let Some(text) = text.filter(|_| kind == DispatchKeyEventType::KeyDown && !with_control) {
                event = event.text(text);
            }
            if with_control {
                event = event.modifiers(2);
            }
            self.page.execute(event.build().unwrap()).await.unwrap();
        }
    }

    /// Goes on with the Tab key until something of this kind has the focus.
    pub async fn tab_to(&self, selector: &str) {
        for _ in 0..120 {
            if self.read(&format!("!!document.activeElement?.matches({})", json!(selector))).await == true {
                return;
            }
            self.key("Tab", false).await;
        }
        panic!("{selector} cannot be reached with the Tab key");
    }

    /// Types where the focus is.
    pub async fn type_in(&self, text: &str) {
        self.page.execute(InsertTextParams::new(text)).await.unwrap();
    }

    /// Workers of the page start by themselves: whoever drives a browser is asked first otherwise, and nobody here answers.
    pub async fn lets_workers_start(&self) {
        let on_their_own = SetAutoAttachParams::builder().auto_attach(false).wait_for_debugger_on_start(false);
        self.page.execute(on_their_own.build().unwrap()).await.unwrap();
    }

    /// The worker of the page, as whoever delivers to it knows it.
    pub async fn worker(&self) -> RegistrationId {
        let mut told = self.page.event_listener::<EventWorkerRegistrationUpdated>().await.unwrap();
        self.page.execute(service_worker::EnableParams::default()).await.unwrap();
        loop {
            let event = told.next().await.expect("a browser");
            if let Some(one) = event.registrations.iter().find(|one| one.scope_url.starts_with(&self.url)) {
                return one.registration_id.clone();
            }
        }
    }

    /// Something comes by push, opened.
    pub async fn is_pushed(&self, worker: &RegistrationId, text: &str) {
        let message = DeliverPushMessageParams::new(self.url.clone(), worker.clone(), text);
        self.page.execute(message).await.unwrap();
    }

    /// What a promise on the page brings. The script need not be allowed by the page's own rules.
    pub async fn run(&self, script: &str) -> Value {
        let run =
            EvaluateParams::builder().expression(script).return_by_value(true).await_promise(true).build().unwrap();
        let answer = self.page.execute(run).await.unwrap().result;
        assert!(answer.exception_details.is_none(), "{:?}", answer.exception_details);
        answer.result.value.unwrap_or_default()
    }

    pub async fn open(&self, path: &str) {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        if url.contains('#') {
            // To the same address with a place in it, a browser does not go: it is there.
            self.page.goto("about:blank").await.unwrap();
        }
        self.page.goto(url).await.unwrap();
    }

    pub async fn close(self) {
        self.listener.abort();
        self.page.close().await.unwrap();
    }

    /// What an expression is worth on the page; `None` while the page is being replaced by another.
    async fn look(&self, script: &str) -> Option<Value> {
        let look = EvaluateParams::builder().expression(script).return_by_value(true).build().unwrap();
        let answer = self.page.execute(look).await.ok()?.result;
        assert!(answer.exception_details.is_none(), "{script}: {:?}", answer.exception_details);
        Some(answer.result.value.unwrap_or_default())
    }

    pub async fn read(&self, script: &str) -> Value {
        eventually(script, || self.look(script)).await
    }

    /// Waits until something is so.
    pub async fn until(&self, what: &str, script: &str) {
        eventually(what, || async {
            let is_so = self.look(&format!("document.readyState === 'complete' && !!({script})")).await?;
            (is_so == true).then_some(())
        })
        .await;
    }

    /// Waits for an element that can be seen.
    pub async fn sees(&self, selector: &str) {
        let script = format!("[...document.querySelectorAll({})].some((it) => it.checkVisibility())", json!(selector));
        self.until(selector, &script).await;
    }

    /// Waits for so many pictures, whole and decoded.
    pub async fn sees_pictures(&self, count: usize) {
        let script =
            "[...document.querySelectorAll('.cell img')].filter((it) => it.complete && it.naturalWidth > 0).length";
        // What is far below is loaded when somebody scrolls there.
        let scroll =
            "document.querySelector('#feed > :last-child')?.scrollIntoView({ block: 'end', behavior: 'instant' })";
        self.until(&format!("{count} pictures"), &format!("({scroll}, {script}) === {count}")).await;
    }

    pub async fn texts(&self, selector: &str) -> Vec<String> {
        let script = format!(
            "[...document.querySelectorAll({})].map((it) => it.textContent.trim().replace(/\\s+/g, ' '))",
            json!(selector)
        );
        serde_json::from_value(self.read(&script).await).unwrap()
    }

    /// Clicks or taps the middle of the first such element that can be seen, as soon as it stands still and nothing covers it.
    pub async fn click(&self, selector: &str) {
        self.click_at(selector, 0.5).await;
    }

    /// The same at a part of its width.
    pub async fn click_at(&self, selector: &str, part: f64) {
        let script = format!(
            "(() => {{
                const it = [...document.querySelectorAll({})].find((it) => it.checkVisibility());
                if (!it || document.readyState !== 'complete') return null;
                it.scrollIntoView({{ block: 'center', behavior: 'instant' }});
                const box = it.getBoundingClientRect();
                const [x, y] = [box.left + box.width * {part}, box.top + box.height / 2];
                return it.contains(document.elementFromPoint(x, y)) ? [x, y] : null;
            }})()",
            json!(selector)
        );
        let last = Mutex::new(Value::Null);
        let at = eventually(selector, || async {
            let now = self.look(&script).await?;
            let before = std::mem::replace(&mut *last.lock().unwrap(), now.clone());
            (now == before && !now.is_null()).then_some(now)
        })
        .await;
        let (x, y) = (at[0].as_f64().unwrap(), at[1].as_f64().unwrap());
        if self.touch.load(Ordering::Relaxed) {
            self.page.execute(Touch { kind: "touchStart", points: vec![Spot { x, y }] }).await.unwrap();
            self.page.execute(Touch { kind: "touchEnd", points: Vec::new() }).await.unwrap();
        } else {
            self.page.click(Point::new(x, y)).await.unwrap();
        }
    }

    /// Goes into a field and types over what stands there.
    pub async fn write(&self, selector: &str, text: &str) {
        self.click(selector).await;
        self.read(&format!("document.querySelector({}).select()", json!(selector))).await;
        self.page.execute(InsertTextParams::new(text)).await.unwrap();
        self.until(text, &format!("document.querySelector({}).value === {}", json!(selector), json!(text))).await;
    }

    pub async fn sign_in(&self, name: &str) {
        self.open("/login").await;
        self.write("#email", &format!("{name}@example.com")).await;
        self.write("#password", nproxy::models::users::seeds::PASSWORD).await;
        self.click("main form button[type=submit]").await;
        self.until("the studio", "location.pathname.startsWith('/app')").await;
    }

    /// A prompt through the composer of this page.
    pub async fn ask(&self, prompt: &str) {
        self.write("#prompt", prompt).await;
        self.click("#composer button[type=submit]").await;
    }

    /// Requests whose path begins like this, in order.
    pub fn requests(&self, beginning: &str) -> Vec<Request> {
        self.notes.lock().unwrap().requests.iter().filter(|it| it.path.starts_with(beginning)).cloned().collect()
    }

    /// Nothing was refused, nothing failed, nothing was said in the console, nothing popped up.
    pub fn assert_quiet(&self) {
        let complaints = &self.notes.lock().unwrap().complaints;
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

impl Notes {
    fn answered(&mut self, id: &str, status: i64) {
        let Some(request) = self.requests.iter_mut().rev().find(|it| it.id == id) else { return };
        request.status = Some(status);
        if status >= 400 {
            self.complaints.push(format!("{} {} answered {status}", request.method, request.path));
        }
    }
}
