//! Any S3-compatible store, as a driver of Loco's storage.
//!
//! Objects never change: a key is written once, under a condition that the store keeps. The signature covers the hash of
//! the bytes, so bytes that changed on the way are refused; what the store holds afterwards is looked at once more.

use std::{fmt, io, path::Path, time::Duration};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    config::{
        Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation, http::HttpResponse,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
    operation::{get_object::GetObjectOutput, head_object::HeadObjectOutput},
    presigning::PresigningConfig,
    primitives::DateTime,
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use chrono::Utc;
use futures::stream;
use loco_rs::{
    Error, Result,
    storage::{
        StorageError, StorageResult,
        drivers::{GetResponse, ListEntry, PresignPutOptions, PresignedRequest, StoreDriver, UploadResponse},
        stream::BytesStream,
    },
};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use url::Url;

use crate::settings;

/// Name, connection and TLS together.
const CONNECT: Duration = Duration::from_secs(5);
/// One try, up to the head of the answer.
const ATTEMPT: Duration = Duration::from_secs(20);
/// All tries of one call; a body that is read whole has as long again.
const WHOLE: Duration = Duration::from_secs(60);
const ATTEMPTS: u32 = 3;

/// No link into the store works for longer.
pub const LONGEST_LINK: Duration = Duration::from_mins(5);

/// Beside every object: what its bytes hash to.
const HASH: &str = "sha256";

/// A bucket. Cheap to clone; connects when it is first asked for something.
#[derive(Clone)]
pub struct S3 {
    client: Client,
    /// Signs links only: browsers may reach the store at another address than we do.
    links: Client,
    bucket: String,
    endpoint: Url,
}

/// Shows where, never with what.
impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3").field("endpoint", &self.endpoint.as_str()).field("bucket", &self.bucket).finish()
    }
}

/// How the browser is told to take what a link leads to.
#[derive(Debug, Clone, Copy)]
pub struct Download<'a> {
    pub file_name: &'a str,
    pub mime: &'a str,
}

impl S3 {
    /// # Errors
    /// Names the setting that is missing or cannot be used.
    pub fn new(settings: &settings::Storage) -> Result<Self> {
        let secret = settings.s3_secret_access_key.expose_secret();
        let needed = [
            ("S3_ENDPOINT", settings.s3_endpoint.as_str()),
            ("S3_REGION", &settings.s3_region),
            ("S3_ACCESS_KEY_ID", &settings.s3_access_key_id),
            ("S3_SECRET_ACCESS_KEY", secret),
        ];
        let missing: Vec<_> = needed.iter().filter(|(_, value)| value.is_empty()).map(|(name, _)| *name).collect();
        if !missing.is_empty() {
            return Err(Error::Message(format!(
                "S3_BUCKET is set, so pictures go to S3, but {} {} not set",
                missing.join(", "),
                if missing.len() == 1 { "is" } else { "are" },
            )));
        }
        let endpoint = address("S3_ENDPOINT", &settings.s3_endpoint)?;
        let public = match settings.s3_public_endpoint.as_str() {
            "" => endpoint.clone(),
            public => address("S3_PUBLIC_ENDPOINT", public)?,
        };
        let config = aws_sdk_s3::Config::builder()
            .endpoint_url(endpoint.as_str())
            .region(Region::new(settings.s3_region.clone()))
            .credentials_provider(Credentials::new(&settings.s3_access_key_id, secret, None, None, "settings"))
            // The bucket in the path works everywhere; in the host name it needs DNS and a certificate per bucket.
            .force_path_style(true)
            // Ring, like everything else that speaks TLS here; the SDK's own choice would bring a second library.
            .http_client(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT)
                    .operation_attempt_timeout(ATTEMPT)
                    .operation_timeout(WHOLE)
                    .build(),
            )
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            // The newer checksums come as trailers, which strict stores refuse; the signature covers the body anyway.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        let links = config.to_builder().endpoint_url(public.as_str()).build();
        Ok(Self {
            client: Client::from_conf(config),
            links: Client::from_conf(links),
            bucket: settings.s3_bucket.clone(),
            endpoint,
        })
    }

    /// A link that anybody can follow until it ends, at most [`LONGEST_LINK`].
    ///
    /// # Errors
    /// The key is not text.
    pub async fn link(
        &self,
        path: &Path,
        expire: Duration,
        download: Option<Download<'_>>,
    ) -> StorageResult<PresignedRequest> {
        let key = key(path)?;
        let expire = PresigningConfig::expires_in(expire.min(LONGEST_LINK)).map_err(|e| StorageError::Any(e.into()))?;
        let mut get = self.links.get_object().bucket(&self.bucket).key(key);
        if let Some(Download { file_name, mime }) = download {
            get = get
                .response_content_type(mime)
                .response_content_disposition(format!("attachment; filename=\"{file_name}\""));
        }
        let signed = get.presigned(expire).await.map_err(|e| self.fault("link", key, &e))?;
        let uri = signed.uri().parse().map_err(|_| self.says("link", key, "the address cannot be written"))?;
        Ok(PresignedRequest::new(Method::GET, uri, HeaderMap::new()))
    }

    async fn head(&self, key: &str) -> std::result::Result<HeadObjectOutput, (StorageError, bool)> {
        self.client.head_object().bucket(&self.bucket).key(key).send().await.map_err(|error| {
            let is_missing = status(&error) == Some(404);
            (self.fault("head", key, &error), is_missing)
        })
    }

    async fn fetch(&self, key: &str) -> StorageResult<GetObjectOutput> {
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        get.send().await.map_err(|e| self.fault("get", key, &e))
    }

    fn fault<E: ProvideErrorMetadata>(&self, verb: &str, key: &str, error: &SdkError<E, HttpResponse>) -> StorageError {
        self.says(verb, key, &story(error))
    }

    fn says(&self, verb: &str, key: &str, what: &str) -> StorageError {
        StorageError::Any(format!("S3 {verb} {}/{key}: {what}", self.bucket).into())
    }
}

#[async_trait]
impl StoreDriver for S3 {
    async fn upload(&self, path: &Path, content: &Bytes) -> StorageResult<UploadResponse> {
        let key = key(path)?;
        let hash = format!("{:x}", Sha256::digest(content));
        let put = self.client.put_object().bucket(&self.bucket).key(key).if_none_match("*");
        let put = put.metadata(HASH, &hash).body(content.clone().into()).send().await;
        let (answer, was_there) = match put {
            Ok(put) => (UploadResponse::new(put.e_tag, put.version_id), false),
            Err(error) if status(&error) == Some(412) => (UploadResponse::new(None, None), true),
            Err(error) => return Err(self.fault("put", key, &error)),
        };
        // What counts as stored was seen there: all of it, with our hash beside it, and not changed since.
        let held = self.head(key).await.map_err(|(error, _)| error)?;
        let is_whole = held.content_length.and_then(|length| usize::try_from(length).ok()) == Some(content.len());
        let is_ours = held.metadata.as_ref().and_then(|metadata| metadata.get(HASH)) == Some(&hash);
        let is_same = answer.e_tag.is_none() || answer.e_tag == held.e_tag;
        match (was_there, is_whole && is_ours && is_same) {
            (false, true) => Ok(answer),
            // An answer can get lost; the SDK sends again and then meets the object that it has just made itself.
            (true, true) => Ok(UploadResponse::new(held.e_tag, held.version_id)),
            (false, false) => Err(self.says("put", key, "taken, but something else is stored")),
            (true, false) => Err(self.says("put", key, "there is another object under this key already")),
        }
    }

    async fn get(&self, path: &Path) -> StorageResult<GetResponse> {
        let key = key(path)?;
        let object = self.fetch(key).await?;
        match timeout(WHOLE, object.body.collect()).await {
            Ok(Ok(bytes)) => Ok(GetResponse::from_bytes(bytes.into_bytes())),
            Ok(Err(error)) => Err(self.says("get", key, &format!("the object ended early: {}", innermost(&error)))),
            Err(_) => Err(self.says("get", key, "the object did not come in time")),
        }
    }

    async fn get_stream(&self, path: &Path) -> StorageResult<BytesStream> {
        let object = self.fetch(key(path)?).await?;
        Ok(BytesStream::from_body_stream(stream::unfold(object.body, |mut body| async {
            let chunk = body.next().await?;
            Some((chunk.map_err(io::Error::other), body))
        })))
    }

    async fn delete(&self, path: &Path) -> StorageResult<()> {
        let key = key(path)?;
        let delete = self.client.delete_object().bucket(&self.bucket).key(key);
        delete.send().await.map_err(|e| self.fault("delete", key, &e))?;
        Ok(())
    }

    async fn rename(&self, from: &Path, to: &Path) -> StorageResult<()> {
        self.copy(from, to).await?;
        self.delete(from).await
    }

    async fn copy(&self, from: &Path, to: &Path) -> StorageResult<()> {
        let (from, to) = (key(from)?, key(to)?);
        let source = in_header(&format!("{}/{from}", self.bucket));
        let copy = self.client.copy_object().copy_source(source).bucket(&self.bucket).key(to);
        copy.send().await.map_err(|e| self.fault("copy", from, &e))?;
        Ok(())
    }

    async fn exists(&self, path: &Path) -> StorageResult<bool> {
        match self.head(key(path)?).await {
            Ok(_) => Ok(true),
            // A head has no words: the object may be missing, or its whole bucket.
            Err((_, true)) => {
                let bucket = self.client.head_bucket().bucket(&self.bucket).send().await;
                bucket
                    .map(|_| false)
                    .map_err(|e| StorageError::Any(format!("S3 bucket {}: {}", self.bucket, story(&e)).into()))
            }
            Err((error, false)) => Err(error),
        }
    }

    async fn list(&self, path: &Path, recursive: bool) -> StorageResult<Vec<ListEntry>> {
        let mut prefix = key(path)?.to_owned();
        if !prefix.is_empty() && !prefix.ends_with('/') {
            prefix.push('/');
        }
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix);
        let list = list.set_delimiter((!recursive).then(|| "/".into()));
        let mut pages = list.into_paginator().send();
        let mut entries = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| self.fault("list", &prefix, &e))?;
            let folders = page.common_prefixes.unwrap_or_default().into_iter().filter_map(|folder| folder.prefix);
            entries.extend(folders.map(|folder| ListEntry::new(folder, true, None, None, None)));
            entries.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| {
                let modified = object.last_modified.as_ref().and_then(moment);
                Some(ListEntry::new(object.key?, false, length(object.size), modified, object.e_tag))
            }));
        }
        Ok(entries)
    }

    async fn stat(&self, path: &Path) -> StorageResult<ListEntry> {
        let key = key(path)?;
        let held = self.head(key).await.map_err(|(error, _)| error)?;
        let modified = held.last_modified.as_ref().and_then(moment);
        Ok(ListEntry::new(key.to_owned(), false, length(held.content_length), modified, held.e_tag))
    }

    async fn presign_get(&self, path: &Path, expire: Duration) -> StorageResult<PresignedRequest> {
        self.link(path, expire, None).await
    }

    /// Nobody but us writes: what people give is looked at and drawn anew first.
    async fn presign_put(&self, path: &Path, _: Duration, _: PresignPutOptions) -> StorageResult<PresignedRequest> {
        Err(self.says("link", key(path)?, "only the application writes"))
    }
}

fn address(name: &str, value: &str) -> Result<Url> {
    let wrong = |why: &str| Error::Message(format!("{name}: {why}; write it like https://s3.example.com"));
    // The value itself is not repeated: somebody may have put credentials into it.
    let url: Url = value.parse().map_err(|_| wrong("not an address"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("not an http or https address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("credentials do not belong into the address"));
    }
    Ok(url)
}

fn key(path: &Path) -> StorageResult<&str> {
    path.to_str().ok_or_else(|| StorageError::Any("S3: a key must be UTF-8".into()))
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

/// Status and code, or what went wrong on the way. Not the store's own words: they may repeat what we signed.
fn story<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> String {
    match (error, status(error)) {
        (SdkError::ServiceError(answer), Some(status)) => match answer.err().code() {
            Some(code) => format!("{status} {code}"),
            None => status.to_string(),
        },
        (_, Some(status)) => format!("an answer with status {status} that is not S3's"),
        (SdkError::TimeoutError(_), _) => "no answer in time".into(),
        (SdkError::DispatchFailure(failure), _) => match failure.as_connector_error() {
            Some(error) => format!("no connection: {}", innermost(error)),
            None => "no connection".into(),
        },
        _ => "the request could not be built".into(),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn length(length: Option<i64>) -> Option<u64> {
    length.and_then(|length| u64::try_from(length).ok())
}

fn moment(moment: &DateTime) -> Option<chrono::DateTime<Utc>> {
    chrono::DateTime::from_timestamp(moment.secs(), moment.subsec_nanos())
}

/// Percent-encoded, as the name of a source travels in a header.
fn in_header(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
