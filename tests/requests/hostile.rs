//! Files from people who mean harm, through the real door of the real binary, whose memory and processor time are its own.

use std::{collections::BTreeMap, fs};

use bytes::Bytes;
use futures::future::join_all;
use nproxy::models::tokens::sha256;
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use tokio::process::Child;

use crate::support::{
    Answer, Person, Setup, TestApp, eventually, free_port,
    hostile::{self, Fate, File, SMUGGLED},
};

/// What all of it together may add to the memory of the process.
const MAX_GROWTH_KB: u64 = 256 * 1024;
/// And for each request that waits for its turn: its own buffers, however large its picture.
const MAX_WAITING_KB: u64 = 3 * 1024;
/// What one file may cost, in hundredths of a second of processor time: the machine may be busy with other things.
const MAX_TICKS: u64 = 200;

/// Files.
const SESSION_LASTS: usize = 150;

const TYPES: [&str; 6] =
    ["image/png", "image/jpeg", "image/webp", "image/svg+xml", "text/html", "application/octet-stream"];

/// F43, X20, X39 to X41: some three hundred hostile files. None is stored as it was sent, none is served as anything but a
/// picture, none costs more than two seconds, and all of them together let the process grow by at most 256 MiB; the worst
/// of them twenty at once by no more than that and what twenty requests need that carry nothing.
/// `HOSTILE_FILES=2000 HOSTILE_SEED=…` mixes more of them by chance.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_files_do_no_harm() {
    let app = Box::pin(TestApp::with(Setup { jobs: false, ..Setup::default() })).await;
    let server = Box::pin(Server::start(&app)).await;
    let mut ada = Box::pin(server.sign_in("ada")).await;
    let mut files = hostile::files();
    assert!(files.len() >= 220, "{} files", files.len());
    let wanted = std::env::var("HOSTILE_FILES").ok().map_or(0, |text| text.parse().expect("a number"));
    let seed = std::env::var("HOSTILE_SEED").ok().map_or(1, |text| text.parse().expect("a number"));
    files.extend(hostile::mixed(files.len().max(wanted) - files.len(), seed));
    let good = hostile::good();
    for _ in 0..5 {
        assert!(Box::pin(offer(&ada, &good, "holiday.png", "image/png")).await.is_taken());
    }
    let before = server.memory("VmRSS");

    let mut wrong = Vec::new();
    let mut costs = BTreeMap::new();
    let (mut taken, mut refused) = (0, 0);
    for (at, file) in files.iter().enumerate() {
        // One session may start only so much at once.
        if at % SESSION_LASTS == SESSION_LASTS - 1 {
            ada = Box::pin(server.sign_in("ada")).await;
        }
        let ticks = server.ticks();
        let name = ["photo.png", "photo.jpg", "photo.webp", "../../etc/passwd"][at % 4];
        let offered = Box::pin(offer(&ada, &file.bytes, name, TYPES[at % TYPES.len()])).await;
        let cost = server.ticks() - ticks;
        costs.insert(cost, file.what.clone());
        if cost > MAX_TICKS {
            wrong.push(format!("{}: took {cost} hundredths of a second", file.what));
        }
        if offered.is_taken() {
            taken += 1;
        } else {
            refused += 1;
        }
        wrong
            .extend(Box::pin(offered.wrong(file, &ada)).await.into_iter().map(|what| format!("{}: {what}", file.what)));
    }
    let one_by_one = server.memory("VmHWM").saturating_sub(before);
    let kept = server.memory("VmRSS").saturating_sub(before);

    let bombs = hostile::bombs();
    let twenty: Vec<_> = (0..20).map(|at| &bombs[at % bombs.len()]).collect();
    let answers = join_all(twenty.iter().map(|bomb| Box::pin(offer(&ada, &bomb.bytes, "bomb.png", "image/png")))).await;
    for (bomb, answer) in twenty.iter().zip(answers) {
        if matches!(bomb.fate, Fate::Taken(..)) && !answer.is_taken() {
            wrong.push(format!("{} among twenty: {}", bomb.what, answer.said));
        }
    }
    let growth = server.memory("VmHWM").saturating_sub(before);
    println!(
        "{taken} taken, {refused} refused; grown by {} MiB, of which {} stay, and by {} MiB with twenty at once",
        one_by_one / 1024,
        kept / 1024,
        growth / 1024
    );
    println!("the dearest: {:?}", costs.iter().rev().take(5).collect::<Vec<_>>());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(one_by_one <= MAX_GROWTH_KB, "the process grew by {} MiB", one_by_one / 1024);
    let most = MAX_GROWTH_KB + MAX_WAITING_KB * twenty.len() as u64;
    assert!(growth <= most, "the process grew by {} MiB with twenty at once", growth / 1024);
    assert!(taken > 60 && refused > 60);

    let sent: Vec<_> = files.iter().map(|file| sha256(&file.bytes)).collect();
    let stored = app.stored();
    for path in &stored {
        let bytes = fs::read(app.files().join(path)).unwrap();
        assert!(!sent.contains(&sha256(&bytes)), "{} is stored as it was sent", path.display());
    }
    // Nothing was ever made from them, so few are kept, and the sweep removes the others.
    assert_eq!(app.count("SELECT COUNT(*) FROM assets WHERE deleted_at IS NULL").await, 20);
    Box::pin(app.task("object_sweep", &[])).await.unwrap();
    assert_eq!(app.stored().len(), 40);
    assert_eq!(app.count("SELECT COUNT(*) FROM generations").await, 0);
    assert_eq!(app.open_holds().await, 0);
    drop(server);
    Box::pin(app.finish()).await;
}

/// What the form said to a file.
struct Offered {
    status: u16,
    said: String,
    /// The id under which the picture is offered again.
    input: Option<String>,
    words: String,
}

impl Offered {
    fn of(answer: &Answer) -> Self {
        let page = answer.html();
        let input = page.has("#composer input[name=input]").then(|| page.value("input"));
        let said = page.texts("#composer [data-error-text]").join(" / ");
        Self { status: answer.status, said, input, words: page.texts("#prompt").concat() }
    }

    fn is_taken(&self) -> bool {
        self.input.is_some()
    }

    /// What is not as it should be.
    async fn wrong(&self, file: &File, person: &Person) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.status != 422 {
            wrong.push(format!("answered with {}", self.status));
        }
        if self.words != WORDS {
            wrong.push(format!("the words are lost: {:?}", self.words));
        }
        match (&self.input, file.fate) {
            (None, Fate::Taken(..)) => wrong.push(format!("refused: {}", self.said)),
            (Some(_), Fate::Refused) => wrong.push("taken".into()),
            _ => {}
        }
        let Some(input) = &self.input else {
            if !self.said.contains("Nothing was charged.") {
                wrong.push(format!("says only {:?}", self.said));
            }
            return wrong;
        };
        let path = format!("/app/files/{input}");
        let served = person.get(&path).await;
        wrong.extend(harmful(&served, file));
        let small = person.get(&format!("{path}/thumbnail")).await;
        if small.header("content-type") != "image/jpeg" || image::load_from_memory(&small.bytes).is_err() {
            wrong.push("has no thumbnail".into());
        }
        wrong
    }
}

/// What is wrong with a picture as it is served.
fn harmful(served: &Answer, file: &File) -> Vec<String> {
    let mut wrong = Vec::new();
    let kind = served.header("content-type");
    for (name, wanted) in [
        ("x-content-type-options", "nosniff"),
        ("content-disposition", "inline"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
        ("content-length", &served.bytes.len().to_string()),
    ] {
        if served.header(name) != wanted {
            wrong.push(format!("{name}: {:?}", served.header(name)));
        }
    }
    if served.status != 200 || !["image/png", "image/jpeg", "image/webp"].contains(&kind) {
        wrong.push(format!("{} as {kind:?}", served.status));
    }
    if served.bytes == file.bytes {
        wrong.push("served as it was sent".into());
    }
    if let Some(smuggled) = SMUGGLED.iter().find(|part| served.bytes.windows(part.len()).any(|bytes| bytes == **part)) {
        wrong.push(format!("still holds {:?}", String::from_utf8_lossy(smuggled)));
    }
    match image::load_from_memory(&served.bytes) {
        Err(error) => wrong.push(format!("cannot be shown: {error}")),
        Ok(picture) => {
            let size = (picture.width(), picture.height());
            if let Fate::Taken(width, height) = file.fate
                && size != (width, height)
            {
                wrong.push(format!("is {} by {}", size.0, size.1));
            }
        }
    }
    if !is_bare(&served.bytes) {
        wrong.push("holds more than pixels".into());
    }
    wrong
}

/// Whether a file has nothing in it but what makes its pixels, and ends where they do.
fn is_bare(bytes: &[u8]) -> bool {
    let read = |at: usize, count: usize| bytes.get(at..at + count);
    if bytes.starts_with(b"\x89PNG") {
        let mut at = 8;
        while let Some(head) = read(at, 8) {
            let length = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
            match &head[4..] {
                b"IHDR" | b"IDAT" => at += 12 + length,
                b"IEND" => return at + 12 == bytes.len(),
                _ => return false,
            }
        }
        return false;
    }
    let mut at = 2;
    while let Some(head) = read(at, 4) {
        match head[1] {
            0xE0 if head[2..] == [0, 16] => {}
            0xC0 | 0xC4 | 0xDB => {}
            0xDA => {
                let end =
                    bytes[at + 2..].windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xD0..=0xD7));
                return end.is_some_and(|end| bytes[at + 2 + end..] == [0xFF, 0xD9]);
            }
            _ => return false,
        }
        at += 2 + usize::from(u16::from_be_bytes([head[2], head[3]]));
    }
    false
}

const WORDS: &str = "as a woodcut";

/// A wish that is refused for its number of pictures, so that nothing is made of the file.
async fn offer(person: &Person, bytes: &Bytes, name: &str, kind: &str) -> Offered {
    let token = uuid::Uuid::new_v4().to_string();
    let form = [
        ("prompt", WORDS),
        ("client_token", &token),
        ("composer", "1"),
        ("mode", "image_to_image"),
        ("batch_size", "99"),
    ];
    let form = form.iter().fold(Form::new(), |form, (name, value)| form.text((*name).to_owned(), (*value).to_owned()));
    let file = Part::stream(bytes.clone()).file_name(name.to_owned()).mime_str(kind).unwrap();
    let request = person.request(Method::POST, "/app/conversations").header("sec-fetch-site", "same-origin");
    Offered::of(&person.send(request.multipart(form.part("image", file))).await)
}

/// `nproxy start`: the web server alone, as a process of its own.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    async fn start(app: &TestApp) -> Self {
        let port = free_port();
        let url = format!("http://localhost:{port}");
        let log = fs::File::create(app.folder.path().join("server.log")).unwrap();
        let child = app
            .command()
            .arg("start")
            .env("PORT", port.to_string())
            .env("APP_URL", &url)
            // As README.md tells operators: what was freed goes back to the system.
            .env("MALLOC_ARENA_MAX", "2")
            .env("MALLOC_MMAP_THRESHOLD_", "262144")
            .env("MALLOC_TRIM_THRESHOLD_", "262144")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let up = format!("{url}/up");
        eventually("the server to be up", || async {
            client.get(&up).send().await.ok().filter(|answer| answer.status().is_success()).map(|_| ())
        })
        .await;
        Self { child, url }
    }

    async fn sign_in(&self, name: &str) -> Person {
        let person = Person::new(&self.url);
        let email = format!("{name}@example.com");
        let answer =
            person.post("/login", &[("email", &email), ("password", nproxy::models::users::seeds::PASSWORD)]).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        person
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id().unwrap())).unwrap()
    }

    /// A line of its status, in KiB.
    fn memory(&self, line: &str) -> u64 {
        let status = self.proc("status");
        let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')).unwrap();
        value.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Processor time so far, in hundredths of a second.
    fn ticks(&self) -> u64 {
        let stat = self.proc("stat");
        let fields: Vec<_> = stat[stat.rfind(')').unwrap()..].split_whitespace().collect();
        fields[12..14].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }
}
