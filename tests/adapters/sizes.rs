//! X20: answers of any size. Each is read in a process of its own, so that its memory can be measured.

use std::{
    env, fs,
    io::Write as _,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use sandbox::{Fault, Options, Sandbox};
use tokio::io::AsyncWriteExt as _;

use super::peer::{AMPLE, Peer, SECRET, class, expect, generate, picture};

const MIB: usize = 1 << 20;
const AT_MOST_MIB: usize = 256;
const OPENING: &str =
    r#"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgoA"#;
const CLOSING: &str = r#""}}]},"finishReason":"STOP"}]}"#;

/// 200 with `letters` of base64 in a picture, under their exact length if `sized`, then the end.
async fn vendor_of(letters: usize, sized: bool) -> Peer {
    Peer::new(move |mut line| async move {
        line.request().await;
        let length = OPENING.len() + letters + CLOSING.len();
        let length = if sized { format!("Content-Length: {length}\r\n") } else { String::new() };
        line.say(format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{length}\r\n{OPENING}")).await;
        let block = vec![b'A'; MIB];
        let mut left = letters;
        while left > 0 && line.socket.write_all(&block[..left.min(MIB)]).await.is_ok() {
            left -= left.min(MIB);
        }
        line.say(CLOSING).await;
    })
    .await
}

fn packed(body: impl FnOnce(&mut GzEncoder<Vec<u8>>)) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    body(&mut gzip);
    let body = gzip.finish().unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

/// X20: nothing a vendor sends makes us grow by more than 256 MiB, and what is beyond the cap is never a picture.
#[tokio::test]
async fn whatever_the_vendor_sends_memory_is_bounded() {
    // The largest picture that is taken, which shows that the measure measures.
    let (class, largest) = measured(&vendor_of(43 * MIB / 4 * 4, true).await.http(), 20).await;
    assert_eq!(class, "ambiguous", "a little more than 32 MiB");
    assert!(largest >= 43, "{largest} MiB");
    let (class, largest) = measured(&vendor_of((32 * MIB - 9) / 3 * 4, true).await.http(), 20).await;
    assert_eq!(class, "delivered", "a little less");
    assert!((43 + 31..=AT_MOST_MIB).contains(&largest), "{largest} MiB");

    for (what, vendor) in [
        ("500 MB", vendor_of(500_000_000, true).await),
        ("1 GB of base64", vendor_of(1_000_000_000, true).await),
        ("a stream without end", vendor_of(usize::MAX, false).await),
        ("a packed gigabyte", {
            let answer = packed(|gzip| {
                gzip.write_all(OPENING.as_bytes()).unwrap();
                let block = vec![b'A'; MIB];
                (0..1000).for_each(|_| gzip.write_all(&block).unwrap());
            });
            assert!(answer.len() < 8 * MIB, "a bomb");
            Peer::saying(answer).await
        }),
    ] {
        let (class, mib) = measured(&vendor.http(), 20).await;
        assert_eq!(class, "ambiguous", "{what}");
        assert!(mib <= AT_MOST_MIB, "{what}: {mib} MiB");
    }
}

/// X20, X21: the same with the stand-in's ways of flooding and starving.
#[tokio::test]
async fn the_sandbox_cannot_fill_our_memory_either() {
    let sandbox = Sandbox::start(Options { latency: Duration::ZERO, ..Options::default() }).await.unwrap();
    for (fault, wanted, seconds) in [
        (Fault::Huge, "ambiguous", 20),
        // Slow on purpose: either the cap or the deadline ends it.
        (Fault::EndlessBody, "ambiguous", 20),
        (Fault::Drip, "ambiguous", 2),
        // Seventy bytes that claim to be gigapixels are nobody's trouble before they are decoded.
        (Fault::Bomb, "delivered", 20),
    ] {
        sandbox.gemini().fault(SECRET, fault.clone());
        let (class, mib) = measured(&sandbox.url(), seconds).await;
        assert_eq!(class, wanted, "{fault:?}");
        assert!(mib <= AT_MOST_MIB, "{fault:?}: {mib} MiB");
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    // What the sockets buffer comes on top: a few MiB.
    for (status, wanted, at_most_mib) in [(200, "ambiguous", 60), (500, "transient", 12)] {
        let mib = Arc::new(AtomicUsize::new(0));
        let written = mib.clone();
        let vendor = Peer::new(move |mut line| {
            let written = written.clone();
            async move {
                line.request().await;
                line.say(format!("HTTP/1.1 {status} X\r\n\r\n{{\"candidates\":[{{\"x\":\"")).await;
                let block = vec![b'A'; MIB];
                while written.load(Ordering::SeqCst) < 200 && line.socket.write_all(&block).await.is_ok() {
                    written.fetch_add(1, Ordering::SeqCst);
                }
            }
        })
        .await;
        expect(&generate(&vendor.http(), "", AMPLE).await, wanted);
        assert!(mib.load(Ordering::SeqCst) <= at_most_mib, "{mib:?} MiB for a {status}");
    }
}

/// Packed though nobody asked for it, even a picture is unreadable: what is never unpacked cannot be a bomb.
#[tokio::test]
async fn nothing_is_unpacked() {
    let picture = picture();
    let body = picture.split(|byte| *byte == b'{').skip(1).map(|it| [b"{", it].concat()).collect::<Vec<_>>().concat();
    let vendor = Peer::saying(packed(|gzip| gzip.write_all(&body).unwrap())).await;
    expect(&generate(&vendor.http(), "", AMPLE).await, "ambiguous");
    assert!(vendor.heard().contains("accept-encoding: identity\r\n"), "{}", vendor.heard());
}

/// Class and growth in MiB of one call at `base_url` made by another process.
async fn measured(base_url: &str, seconds: u64) -> (String, usize) {
    let output = tokio::process::Command::new(env::current_exe().unwrap())
        .args(["--exact", "adapters::sizes::one_call", "--ignored", "--nocapture"])
        .env("ONE_CALL_AT", base_url)
        .env("ONE_CALL_SECONDS", seconds.to_string())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let found = said.lines().find_map(|line| line.split_once("one call: ")).unwrap_or_else(|| panic!("{said}"));
    let (class, kib) = found.1.split_once(", ").unwrap();
    (class.to_owned(), kib.trim_end_matches(" KiB").parse::<usize>().unwrap() / 1024)
}

#[tokio::test]
#[ignore = "the other process of the tests above"]
async fn one_call() {
    let url = env::var("ONE_CALL_AT").unwrap();
    let seconds = env::var("ONE_CALL_SECONDS").unwrap().parse().unwrap();
    let before = kib("VmRSS:");
    let outcome = generate(&url, "", Duration::from_secs(seconds)).await;
    println!("one call: {}, {} KiB", class(&outcome), kib("VmHWM:").saturating_sub(before));
}

/// A line of what Linux knows about this process.
fn kib(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    value.trim().trim_end_matches(" kB").parse().unwrap()
}
