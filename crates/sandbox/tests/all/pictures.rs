use std::{collections::HashSet, io::Cursor, time::Instant};

use bytes::Bytes;
use image::{ImageReader, RgbImage};
use sandbox::{
    gemini::pixels,
    paint::{Format, Order, paint},
};
use serde_json::json;

use crate::support::{MODEL, ask, call, picture, start};

fn order(prompt: &str) -> Order {
    Order {
        prompt: prompt.into(),
        variation: 0,
        width: 256,
        height: 256,
        inputs: Vec::new(),
        format: Format::Png,
        sketch: false,
    }
}

fn decoded(bytes: &[u8]) -> RgbImage {
    ImageReader::new(Cursor::new(bytes)).with_guessed_format().unwrap().decode().unwrap().to_rgb8()
}

/// Mean difference of two pictures of the same size, 0 to 255.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}

/// How much a picture varies: 0 for a flat one.
fn spread(image: &RgbImage) -> f64 {
    let values = image.as_raw();
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64;
    (values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

#[test]
fn the_same_order_gives_the_same_picture_and_another_prompt_another() {
    let once = paint(&order("mountains at dawn")).unwrap().bytes;
    assert_eq!(once, paint(&order("mountains at dawn")).unwrap().bytes);
    let other = paint(&order("the sea at dusk")).unwrap().bytes;
    assert!(difference(&decoded(&once), &decoded(&other)) > 8.0);
}

#[test]
fn every_motif_draws_something_that_is_neither_flat_nor_noise() {
    for prompt in [
        "mountains",
        "forest",
        "sea",
        "dunes",
        "aurora",
        "city",
        "planet",
        "cat",
        "leaves",
        "flowers",
        "bauhaus",
        "terrazzo",
        "silk",
        "bokeh",
        "кот у моря ночью",
        "x",
        "",
    ] {
        let image = decoded(&paint(&order(prompt)).unwrap().bytes);
        assert!(spread(&image) > 10.0, "{prompt}: flat, {}", spread(&image));
        // Neighbours are alike in a picture and strangers in noise.
        let mut shifted = RgbImage::new(image.width(), image.height());
        for (x, y, pixel) in shifted.enumerate_pixels_mut() {
            *pixel = *image.get_pixel((x + 1).min(image.width() - 1), y);
        }
        assert!(difference(&image, &shifted) < 12.0, "{prompt}: noisy, {}", difference(&image, &shifted));
    }
}

#[tokio::test]
async fn a_batch_of_four_gives_four_pictures() {
    let sandbox = start().await;
    let mut seen = HashSet::new();
    for _ in 0..4 {
        let (_, answer) = call(&sandbox, MODEL, &ask("something nice")).await;
        seen.insert(picture(&answer).1);
    }
    assert_eq!(seen.len(), 4);
    let hashes: HashSet<_> = sandbox.gemini().calls().into_iter().map(|call| call.picture_sha256).collect();
    assert_eq!(hashes.len(), 4);
}

#[tokio::test]
async fn ratio_and_size_give_the_vendors_pixels() {
    let sandbox = start().await;
    assert_eq!(pixels("1:1", "1K"), (1024, 1024));
    for (ratio, size, width, height) in [
        ("1:1", "512", 512, 512),
        ("16:9", "1K", 1376, 768),
        ("9:16", "1K", 768, 1376),
        ("21:9", "1K", 1584, 672),
        ("1:8", "1K", 384, 3072),
        ("4:3", "2K", 2400, 1792),
        ("1:1", "4K", 4096, 4096),
    ] {
        let mut body = ask("terrazzo");
        body["generationConfig"]["imageConfig"] = json!({"aspectRatio": ratio, "imageSize": size});
        let (_, answer) = call(&sandbox, MODEL, &body).await;
        let (_, bytes) = picture(&answer);
        assert_eq!(sandbox::paint::dimensions(&bytes), Some((width, height)), "{ratio} {size}");
        let tokens = if size == "4K" { 2000 } else { 1120 };
        assert_eq!(answer["usageMetadata"]["candidatesTokenCount"], tokens);
    }
}

#[test]
fn strength_decides_how_much_of_the_source_stays() {
    let source = paint(&order("a cat")).unwrap().bytes;
    let original = decoded(&source);
    let changed = |prompt: &str| {
        let order = Order { inputs: vec![source.clone()], ..order(prompt) };
        difference(&original, &decoded(&paint(&order).unwrap().bytes))
    };
    let mild = changed("an orange sunset. Change strength: 10%.");
    let usual = changed("an orange sunset");
    let bold = changed("an orange sunset. Change strength: 100%.");
    assert!(0.5 < mild && mild < usual && usual < bold, "{mild} {usual} {bold}");
    let unrelated = difference(&original, &decoded(&paint(&order("an orange sunset")).unwrap().bytes));
    assert!(bold < unrelated, "still recognisable: {bold} {unrelated}");
}

#[tokio::test]
async fn without_a_ratio_the_source_decides_the_shape() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let sandbox = start().await;
    let wide = paint(&Order { width: 320, height: 180, ..order("sea") }).unwrap().bytes;
    let body = json!({"contents": [{"parts": [{"text": "x"}, {"inlineData": {"mimeType": "image/png", "data": STANDARD.encode(wide)}}]}]});
    let (_, answer) = call(&sandbox, MODEL, &body).await;
    assert_eq!(sandbox::paint::dimensions(&picture(&answer).1), Some((1376, 768)));
}

#[test]
fn bombs_and_nonsense_are_not_decoded() {
    for input in [sandbox::paint::bomb(), Bytes::from_static(b"nonsense")] {
        let order = Order { inputs: vec![input], ..order("x") };
        assert!(paint(&order).is_err());
    }
}

/// How long a whole call takes when pictures are only sketched.
#[tokio::test]
#[ignore = "measures"]
async fn how_long_a_sketched_call_takes() {
    let sandbox = start().await;
    for prompt in ["sea", "forest", "silk"] {
        let start = Instant::now();
        call(&sandbox, MODEL, &ask(prompt)).await;
        println!("{prompt}: {:?}", start.elapsed());
    }
}

/// Not a limit, a look: how long the motifs take here. Run with `--ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn how_long_it_takes() {
    for prompt in [
        "mountains",
        "forest",
        "sea",
        "dunes",
        "aurora",
        "city",
        "planet",
        "cat",
        "leaves",
        "bauhaus",
        "terrazzo",
        "silk",
        "bokeh",
    ] {
        for side in [1024, 2048, 4096] {
            let start = Instant::now();
            paint(&Order { width: side, height: side, format: Format::Jpeg, ..order(prompt) }).unwrap();
            println!("{prompt} {side}: {:?}", start.elapsed());
        }
    }
}
