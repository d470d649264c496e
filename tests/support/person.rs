//! Somebody with a browser: keeps the cookie of the session, follows nothing by itself.

use std::sync::Mutex;

use bytes::Bytes;
use reqwest::{
    Client, Method, RequestBuilder,
    header::{ACCEPT, COOKIE, HeaderMap, SET_COOKIE},
    multipart::{Form, Part},
    redirect::Policy,
};

use super::{Filled, Html, eventually};

pub struct Person {
    client: Client,
    base: String,
    cookie: Mutex<Option<String>>,
    address: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
    pub body: String,
}

impl Answer {
    pub fn html(&self) -> Html {
        Html(self.body.clone())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body without what differs from answer to answer anyway: its reference.
    pub fn without_reference(&self) -> String {
        self.body.replace(self.header("x-request-id"), "REFERENCE")
    }

    /// Where a redirect leads, as a path.
    pub fn location(&self) -> String {
        let location = self.header("location");
        location
            .split_once("://")
            .map_or(location.to_owned(), |(_, rest)| rest[rest.find('/').unwrap_or(rest.len())..].to_owned())
    }
}

impl Person {
    pub fn new(base: &str) -> Self {
        let client = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { client, base: base.to_owned(), cookie: Mutex::new(None), address: None }
    }

    /// Somebody elsewhere, as the proxy in front of us says (`Setup { behind_proxy: true, .. }`).
    pub fn at(mut self, address: &str) -> Self {
        self.address = Some(address.to_owned());
        self
    }

    /// The session cookie as `name=value`.
    pub fn cookie(&self) -> Option<String> {
        self.cookie.lock().unwrap().clone()
    }

    pub fn set_cookie(&self, cookie: Option<String>) {
        *self.cookie.lock().unwrap() = cookie;
    }

    /// A request as this person's browser would send it; for what the shorter verbs cannot say.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let request = self.client.request(method, url).header(ACCEPT, "text/html,application/xhtml+xml");
        let request = match &self.address {
            Some(address) => request.header("x-forwarded-for", address),
            None => request,
        };
        match self.cookie() {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        }
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        for set in headers.get_all(SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            if !pair.starts_with("__Host-nproxy=") {
                continue;
            }
            let is_removal = pair.ends_with('=');
            self.set_cookie((!is_removal).then_some(pair));
        }
        let bytes = response.bytes().await.unwrap();
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status, headers, bytes, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// What a link brings that a browser saves: the file, or from a bucket what its short-lived link leads to.
    pub async fn download(&self, path: &str) -> Answer {
        let answer = self.get(path).await;
        if answer.status == 302 { Self::new(&self.base).get(answer.header("location")).await } else { answer }
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send(self.request(Method::POST, path).header("sec-fetch-site", "same-origin").form(form)).await
    }

    /// Presses the button of a form on a page.
    pub async fn submit(&self, form: &Filled) -> Answer {
        let fields: Vec<_> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if form.is_multipart {
            self.post_multipart(&form.action, &fields, None).await
        } else {
            self.post(&form.action, &fields).await
        }
    }

    /// A form with a file, as the composer sends it.
    pub async fn post_multipart(&self, path: &str, fields: &[(&str, &str)], file: Option<(&str, Bytes)>) -> Answer {
        let mut form = Form::new();
        for (name, value) in fields {
            form = form.text((*name).to_owned(), (*value).to_owned());
        }
        if let Some((file_name, bytes)) = file {
            form = form.part("image", Part::bytes(bytes.to_vec()).file_name(file_name.to_owned()));
        }
        self.send(self.request(Method::POST, path).header("sec-fetch-site", "same-origin").multipart(form)).await
    }

    /// A prompt in a new conversation; returns the conversation's path. Further fields win over the defaults.
    pub async fn ask(&self, prompt: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.try_ask(prompt, fields, None).await;
        assert_eq!(answer.status, 303, "{}", answer.html().text());
        answer.location()
    }

    pub async fn try_ask(&self, prompt: &str, fields: &[(&str, &str)], file: Option<(&str, Bytes)>) -> Answer {
        let token = uuid::Uuid::new_v4().to_string();
        let mut all = vec![("prompt", prompt), ("client_token", token.as_str())];
        all.extend_from_slice(fields);
        self.post_multipart("/app/conversations", &all, file).await
    }

    /// The conversation's page once nothing in it is being made any more.
    pub async fn settled(&self, conversation: &str) -> Html {
        eventually("the run to settle", || async {
            let page = self.get(conversation).await.html();
            (!page.has("[hx-trigger^=\"every\"]")).then_some(page)
        })
        .await
    }

    /// Asks and waits: the page with the pictures, or with the reason why not.
    pub async fn make(&self, prompt: &str, fields: &[(&str, &str)]) -> Html {
        let conversation = self.ask(prompt, fields).await;
        self.settled(&conversation).await
    }
}
