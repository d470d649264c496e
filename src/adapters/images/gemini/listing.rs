//! The vendor's list of models, page by page. Gateways that pass `generateContent` on keep one at the same address, or none.
//!
//! ```text
//! {"models":[{"name":"models/gemini-nano-banana-2.1",…}],"nextPageToken":…}
//! ```

use std::time::Duration;

use secrecy::ExposeSecret;
use serde::Deserialize;
use url::Url;

use super::{KEY_HEADER, address, classify, header, private};
use crate::adapters::images::{Access, Evidence, Failure, Http, answer::Reply, http::Call};

/// As many as the vendor puts on a page: of its list there is hardly ever a second.
const PAGE_SIZE: &str = "1000";
/// A list of more pages does not end.
const MAX_PAGES: usize = 10;
/// A page of a thousand models with their descriptions.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// For one page.
const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    models: Vec<Model>,
    #[serde(alias = "next_page_token")]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Model {
    name: String,
}

/// The ids of the models that the key of `access` may use; `None` where nobody keeps a list.
pub(super) async fn models(base: &Url, http: &Http, access: Access<'_>) -> Result<Option<Vec<String>>, Failure> {
    let private = private(access, "");
    let (mut ids, mut token) = (Vec::new(), None::<String>);
    for _ in 0..MAX_PAGES {
        let reply = ask(base, http, access, token.as_deref()).await?;
        let Some(page) = read(&reply, &private)? else { return Ok(None) };
        // Some gateways leave the first half of the name away.
        let id = |name: String| name.strip_prefix("models/").map(str::to_owned).unwrap_or(name);
        ids.extend(page.models.into_iter().map(|model| id(model.name)));
        token = page.next_page_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(Some(ids));
        }
    }
    Err(Failure::Transient { evidence: Evidence::new(None, "the list of models does not end", &private) })
}

async fn ask(base: &Url, http: &Http, access: Access<'_>, token: Option<&str>) -> Result<Reply, Failure> {
    let mut url = address(base, &["v1beta", "models"])?;
    url.query_pairs_mut().append_pair("pageSize", PAGE_SIZE).extend_pairs(token.map(|token| ("pageToken", token)));
    let call = Call {
        url,
        key: (KEY_HEADER, header(access.secret.expose_secret())?),
        body: None,
        proxy: access.proxy,
        deadline: DEADLINE,
        max_answer_bytes: MAX_PAGE_BYTES,
        private: &private(access, ""),
    };
    http.send(call).await.map_err(Failure::of_reading)
}

/// `None` when nothing lies at this address, or something else.
fn read(reply: &Reply, private: &[&str]) -> Result<Option<Page>, Failure> {
    let is_success = (200..300).contains(&reply.status);
    if is_success && let Ok(page) = serde_json::from_slice(&reply.body) {
        return Ok(Some(page));
    }
    match classify::failed_reading(&reply.answer(private)).of_reading() {
        // The proxy's own page says nothing of what lies behind it.
        failure @ Failure::ProxyFault { .. } => Err(failure),
        _ if matches!(reply.status, 404 | 405 | 501) => Ok(None),
        Failure::Transient { .. } if is_success && reply.cut.is_none() => Ok(None),
        failure => Err(failure),
    }
}
