use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;

use super::{
    classify::{classify, enclosed_error, unrecognised},
    glance::Object,
    reading::Reading,
};
use crate::adapters::images::{Answer, Failure, Output, Refusal, sniff};

/// A decoded picture is at most this long.
const MAX_PICTURE_BYTES: usize = 32 * 1024 * 1024;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The picture in an answer, or why there is none. Total: any status, headers and bytes give one or the other.
///
/// A 2xx that cannot be read (cut short, JSON that breaks off, a picture that is none) is [`Failure::Ambiguous`]: the
/// vendor ran the request and billed it, so it is a strike like any broken answer, and not repeated over the whole pool.
pub fn read(answer: &Answer<'_>) -> Result<Output, Failure> {
    let reading = open(answer)?;
    let Some(picture) = reading.picture() else { return Err(nothing(answer, &reading)) };
    let bytes = decode(picture).map_err(|what| ambiguous(answer, what))?;
    let mime = sniff(&bytes).ok_or_else(|| ambiguous(answer, "the picture is neither PNG, JPEG nor WebP"))?;
    Ok(Output { bytes, mime, usage: reading.usage(), response_id: reading.response_id() })
}

/// Whether an answer to a text question shows a working key: anything the vendor itself says with a 2xx does.
pub(super) fn acknowledges(answer: &Answer<'_>) -> Result<(), Failure> {
    let reading = open(answer)?;
    if let credential @ Failure::Credential { .. } = nothing(answer, &reading) {
        return Err(credential);
    }
    Ok(())
}

/// A 2xx in the vendor's shape; everything else is a failure already.
fn open<'a>(answer: &Answer<'a>) -> Result<Reading<'a>, Failure> {
    if !(200..300).contains(&answer.status) {
        return Err(classify(answer));
    }
    // Some gateways wrap everything in a list of one.
    let reading = match answer.body.trim_ascii_start().first() {
        Some(b'[') => serde_json::from_slice::<[Object<Reading<'_>>; 1]>(answer.body).map(|[Object(reading)]| reading),
        Some(b'{') => serde_json::from_slice::<Reading<'_>>(answer.body).map(Some),
        _ => return Err(answer.cut.map_or_else(|| unrecognised(answer), |cut| ambiguous(answer, cut.as_str()))),
    };
    // JSON that ends is whole, wherever the connection was cut after it: that picture is paid for.
    let reading = reading.map_err(|error| match answer.cut {
        Some(cut) => ambiguous(answer, cut.as_str()),
        None => ambiguous(answer, &format!("the answer's JSON is broken ({:?})", error.classify())),
    })?;
    let Some(reading) = reading else { return Err(unrecognised(answer)) };
    if reading.is_error() {
        return Err(enclosed_error(answer));
    }
    if !reading.is_vendors() {
        return Err(unrecognised(answer));
    }
    Ok(reading)
}

/// Why a well-formed answer holds no picture.
fn nothing(answer: &Answer<'_>, reading: &Reading<'_>) -> Failure {
    if let Some(blocked) = reading.block_reason() {
        let evidence = answer.evidence(&format!("blockReason {}", blocked.name()));
        return Failure::Refused { reason: Refusal::Prompt, evidence };
    }
    let finish = reading.finish_reason();
    let text = if reading.has_text() { ", text only" } else { "" };
    let evidence = answer.evidence(&format!("no picture, finishReason {}{text}", finish.name()));
    match finish.text().unwrap_or_default() {
        "SAFETY" | "PROHIBITED_CONTENT" | "BLOCKLIST" | "SPII" | "IMAGE_SAFETY" | "IMAGE_PROHIBITED_CONTENT" => {
            Failure::Refused { reason: Refusal::Output, evidence }
        }
        "RECITATION" | "IMAGE_RECITATION" => Failure::Refused { reason: Refusal::Recitation, evidence },
        "PUP_LIMITED_DISABLED" => Failure::Credential { evidence },
        // STOP, NO_IMAGE, IMAGE_OTHER, OTHER, MALFORMED_RESPONSE, MAX_TOKENS, LANGUAGE, and what is still to be invented.
        _ => Failure::Empty { evidence },
    }
}

fn ambiguous(answer: &Answer<'_>, what: &str) -> Failure {
    Failure::Ambiguous { evidence: answer.evidence(what) }
}

/// Both alphabets, with or without padding: the vendor's own Python client writes the URL-safe one.
fn decode(picture: &str) -> Result<Bytes, &'static str> {
    if base64::decoded_len_estimate(picture.len()) > MAX_PICTURE_BYTES + 3 {
        return Err("the picture is too large");
    }
    let engine = if picture.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    let bytes = engine.decode(picture).map_err(|_| "the picture's base64 is broken")?;
    if bytes.len() > MAX_PICTURE_BYTES {
        return Err("the picture is too large");
    }
    Ok(bytes.into())
}
