//! The chat: from words, from a picture, several at once, and what it costs.

use std::collections::HashSet;

use bytes::Bytes;
use futures::future::join_all;
use sandbox::Fault;

use crate::support::{Html, Person, Setup, TestApp, pictures};

/// The bytes behind every picture of the page, in order.
async fn pictures_of(person: &Person, page: &Html) -> Vec<Bytes> {
    let mut all = Vec::new();
    for thumbnail in page.attributes(".cell img", "src") {
        let answer = person.get(thumbnail.trim_end_matches("/thumbnail")).await;
        assert_eq!(answer.status, 200);
        all.push(answer.bytes);
    }
    all
}

async fn left(person: &Person) -> String {
    person.get("/app").await.html().texts("#allowance").join(" ")
}

/// How much of everything there is; equal before and after what has no effect.
async fn everything(app: &TestApp) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in [
        "conversations",
        "generations",
        "runs",
        "outputs",
        "holds",
        "ledger_entries",
        "jobs WHERE class <> 'RunTask'",
        "assets",
    ] {
        counts.push(app.count(&format!("SELECT COUNT(*) FROM {table}")).await);
    }
    counts.push(i64::try_from(app.stored().len()).unwrap());
    counts
}

fn alerts(page: &Html) -> String {
    page.texts("#composer [data-error-text], #prompt-error").join(" ")
}

/// F24, F26, F109: three free pictures, counted down where everybody sees it, with a warning at the last one; the fourth wish
/// is answered with the way to the plan, and costs nothing.
#[tokio::test]
async fn three_pictures_are_free() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    assert_eq!(left(&ada).await, "3 free pictures left");
    for after in ["2 free pictures left", "1 free picture left", "No free pictures left"] {
        assert!(!ada.get("/app").await.html().has("#allowance .text-error"));
        let page = ada.make("a red kite over dunes", &[]).await;
        assert_eq!(page.attributes(".cell img", "src").len(), 1);
        assert_eq!(page.texts("#allowance"), [after]);
        assert_eq!(page.has("#allowance .text-warning"), after.starts_with('1'), "{after}");
        let warned: Vec<_> = page.texts("#composer p.text-warning span");
        let expected: &[&str] = match after.as_bytes()[0] {
            b'1' => &["This is your last free picture. After it, the plan goes on."],
            _ => &[],
        };
        assert_eq!(warned, expected, "before sending");
    }
    let before = everything(&app).await;

    let fourth = ada.try_ask("one more", &[], None).await;

    assert_eq!(fourth.status, 402);
    let page = fourth.html();
    assert_eq!(page.attribute("#composer .alert a", "href"), "/app/billing");
    assert!(alerts(&page).contains("You have no pictures left. What you made stays yours."), "{}", alerts(&page));
    assert_eq!(page.texts("#prompt"), ["one more"], "the words are kept");
    assert!(page.has("#composer button[type=submit][disabled]"));
    assert_eq!(everything(&app).await, before);
    assert_eq!(app.sandbox.gemini().calls().len(), 3);
    assert_eq!(app.spent("ada").await, 3);
    app.finish().await;
}

/// F25: with one free picture left, ten wishes at the same moment are one picture.
#[tokio::test]
async fn the_last_free_picture_is_one() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    for _ in 0..2 {
        ada.ask("a kite", &[]).await;
    }
    assert_eq!(left(&ada).await, "1 free picture left", "what is under way is not free any more");

    let answers = join_all((0..10).map(|_| ada.try_ask("a boat", &[], None))).await;

    let accepted: Vec<_> = answers.iter().filter(|answer| answer.status == 303).collect();
    assert_eq!(accepted.len(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 402).count(), 9);
    app.work();
    ada.settled(&accepted[0].location()).await;
    app.idle().await;
    assert_eq!(app.sandbox.gemini().calls().len(), 3);
    assert_eq!(app.spent("ada").await, 3);
    assert_eq!(app.open_holds().await, 0);
    app.finish().await;
}

/// F27: the first prompt opens a conversation that bears its name and shows at once that somebody works on it; the
/// preselected model is Nano Banana.
#[tokio::test]
async fn a_prompt_shows_that_it_is_worked_on() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    let studio = ada.get("/app/conversations").await.html();
    let model = studio.attribute("select[name=model] option[selected]", "value");
    assert_eq!(model, "nano_banana");
    let prompt = "A lighthouse on a cliff at dusk, long exposure, soft mist over the sea";
    let form = studio.form("#composer").fill("prompt", prompt);

    let answer = ada.submit(&form).await;

    assert_eq!(answer.status, 303, "{}", alerts(&answer.html()));
    let page = ada.get(&answer.location()).await.html();
    assert_eq!(page.texts(".bubble")[0], prompt);
    assert!(page.text().contains("Picture 1 is being made"));
    assert!(page.text().contains("Next in line"));
    assert!(page.attributes(".cell img", "src").is_empty());
    let title = "A lighthouse on a cliff at dusk, long exposure,…";
    assert_eq!(page.texts("main h1"), [title]);
    assert_eq!(page.texts("#sidebar [aria-current=page] .truncate")[0], title);

    app.work();
    let page = ada.settled(&answer.location()).await;
    assert_eq!(pictures_of(&ada, &page).await.len(), 1);
    assert_eq!(page.texts("[role=status]")[0], "Your picture is ready");
    assert!(!page.text().contains("is being made"));
    let calls = app.sandbox.gemini().calls();
    assert_eq!((calls.len(), calls[0].image_size.as_deref()), (1, Some("1K")));
    assert_eq!(calls[0].model, "gemini-nano-banana-2.1");
    app.finish().await;
}

/// F27: who comes to the first screen again finds the settings of the last wish there, wherever that was; its words not.
#[tokio::test]
async fn the_first_screen_remembers_settings() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let bo = app.sign_in("bo").await;
    bo.ask("a boat", &[]).await;
    bo.ask("a market", &[("resolution", "2k"), ("aspect_ratio", "16:9"), ("batch_size", "3")]).await;
    app.sign_in("ada").await.ask("a stranger's", &[]).await;

    let form = bo.get("/app/conversations").await.html().form("#composer");

    let field = |name: &str| form.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let settings = ["resolution", "aspect_ratio", "batch_size", "mode", "prompt"].map(field);
    assert_eq!(settings, ["2k", "16:9", "3", "text_to_image", ""].map(Some));
    app.abandon().await;
}

/// F27: while the provider draws, the page says that it works, and the picture comes after that.
#[tokio::test]
async fn a_running_picture_says_so() {
    let app = TestApp::start().await;
    for key in ["sandbox-k1", "sandbox-k2", "sandbox-k3"] {
        app.sandbox.gemini().fault_times(key, Fault::Latency { ms: 1500 }, 1);
    }
    let ada = app.sign_in("ada").await;

    let conversation = ada.ask("a slow river", &[]).await;

    assert!(app.sandbox.gemini().wait_for_calls(1, crate::support::PATIENCE).await);
    let page = ada.get(&conversation).await.html();
    assert!(page.text().contains("Working") || page.has(".cell img"), "{}", page.text());
    assert_eq!(pictures_of(&ada, &ada.settled(&conversation).await).await.len(), 1);
    app.finish().await;
}

/// F28: a picture and a strength reach the provider: the very pixels, and the number in words that it follows.
#[tokio::test]
async fn a_picture_starts_from_a_picture() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let drawing = pictures::drawing(64, 48);
    let fields = [("strength", "0.65"), ("mode", "image_to_image")];

    let answer = ada.try_ask("as a woodcut", &fields, Some(("drawing.png", pictures::png(&drawing)))).await;

    assert_eq!(answer.status, 303, "{}", alerts(&answer.html()));
    let page = ada.settled(&answer.location()).await;
    let calls = app.sandbox.gemini().calls();
    assert_eq!(calls.len(), 1);
    assert!(calls[0].prompt.starts_with("as a woodcut\n\nChange strength: 65%."), "{}", calls[0].prompt);
    assert_eq!(calls[0].inputs.len(), 1);
    assert_eq!(calls[0].inputs[0].mime, "image/png");
    assert_eq!(image::load_from_memory(&calls[0].inputs[0].bytes).unwrap().to_rgb8(), drawing);
    assert_eq!(pictures_of(&ada, &page).await, [calls[0].picture.clone().unwrap()]);
    let input = page.attribute("article a[href^='/app/files/']", "href");
    assert_eq!(ada.get(&input).await.bytes, calls[0].inputs[0].bytes, "the turn shows what it started from");
    assert!(page.text().contains("Follows your words"));
    assert_eq!(app.spent("ada").await, 1);
    app.finish().await;
}

/// F28: a strength says how far a picture is changed. A program that sends one without a picture is told so; a person
/// whose browser sends the unused slider is not.
#[tokio::test]
async fn strength_goes_with_a_picture() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let before = everything(&app).await;
    for (fields, said) in [
        (vec![("strength", "0.5")], "Strength goes with a picture to start from."),
        (vec![("strength", "0.5"), ("mode", "text_to_image")], "Strength goes with a picture to start from."),
        (vec![("mode", "image_to_image")], "Choose a picture to start from."),
        (vec![("mode", "image_to_image"), ("strength", "1.5")], "Choose a strength from 0 to 1."),
        (vec![("mode", "image_to_image"), ("strength", "NaN")], "Choose a strength from 0 to 1."),
        (vec![("mode", "clip")], "This model does not work that way."),
    ] {
        let answer = ada.try_ask("a boat", &fields, None).await;
        assert_eq!((answer.status, alerts(&answer.html()).as_str()), (422, said), "{fields:?}");
    }
    assert_eq!(everything(&app).await, before);

    let form = ada.get("/app/conversations").await.html().form("#composer");
    assert!(form.fields.iter().any(|(name, _)| name == "strength"), "without JavaScript the slider is sent");
    assert_eq!(ada.submit(&form.fill("prompt", "a boat")).await.status, 303);
    app.idle().await;
    app.finish().await;
}

/// F28: "use as input" takes an earlier picture as it is.
#[tokio::test]
async fn a_result_is_worked_on_further() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let first = ada.make("a house", &[]).await;
    let [original] = pictures_of(&ada, &first).await.try_into().unwrap();

    let composer = ada.get(&first.attribute(".cell a[title='Use as input']", "href")).await.html();
    assert!(composer.text().contains("Starting from this picture"));
    let form = composer.form("#composer").fill("prompt", "in snow").fill("strength", "0.3");
    let answer = ada.submit(&form).await;

    assert_eq!(answer.status, 303, "{}", alerts(&answer.html()));
    ada.settled(answer.location().split('#').next().unwrap()).await;
    let calls = app.sandbox.gemini().calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[1].inputs[0].bytes, original);
    assert!(calls[1].prompt.starts_with("in snow\n\nChange strength: 30%."));
    app.finish().await;
}

/// F28: nobody starts from a stranger's picture, or from one that never was; the two are answered alike and cost nothing.
#[tokio::test]
async fn a_strangers_picture_is_not_there() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
    let page = ada.make("a house", &[]).await;
    let hers = page.attribute(".cell a", "href").replace("/app/pictures/", "");
    let before = everything(&app).await;
    let never_was = uuid::Uuid::new_v4().to_string();

    for input in [hers.as_str(), never_was.as_str(), "../../etc/passwd"] {
        let answer = eve.try_ask("in snow", &[("input", input)], None).await;
        assert_eq!(answer.status, 422, "{input}");
        assert_eq!(alerts(&answer.html()), "Choose a picture to start from.");
        assert!(!answer.body.contains(&hers));
        let shown = eve.get(&format!("/app/conversations?input={input}")).await;
        assert!(!shown.body.contains("/thumbnail"), "{input}");
    }

    assert_eq!(everything(&app).await, before);
    assert_eq!(app.spent("eve").await, 0);
    app.finish().await;
}

/// F29: four pictures of one prompt are four different pictures and cost four.
#[tokio::test]
async fn a_batch_is_four_different_pictures() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;

    let page = bo.make("a market in the rain", &[("batch_size", "4")]).await;

    let different: HashSet<_> = pictures_of(&bo, &page).await.into_iter().collect();
    assert_eq!(different.len(), 4);
    assert_eq!(page.texts("[role=status]")[0], "All 4 pictures are ready");
    assert_eq!(app.sandbox.gemini().calls().len(), 4);
    assert_eq!(app.spent("bo").await, 4);
    app.finish().await;
}

/// F29: shape and size, as they are chosen in the form, reach the provider, and the picture has them.
#[tokio::test]
async fn shape_and_size_reach_the_provider() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    let form = bo.get("/app/conversations").await.html().form("#composer");
    let form = form.fill("prompt", "a market").fill("resolution", "2k").fill("aspect_ratio", "16:9");

    let page = bo.settled(&bo.submit(&form).await.location()).await;

    let calls = app.sandbox.gemini().calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].image_size.as_deref(), Some("2K"));
    assert_eq!(calls[0].aspect_ratio.as_deref(), Some("16:9"));
    let (width, height) = sandbox::gemini::pixels("16:9", "2K");
    assert_eq!(page.attributes(".cell img", "width"), [width.to_string()]);
    assert_eq!(page.attributes(".cell img", "height"), [height.to_string()]);
    let drawn = image::load_from_memory(&pictures_of(&bo, &page).await[0]).unwrap();
    assert_eq!((drawn.width(), drawn.height()), (width, height));
    assert_eq!(app.spent("bo").await, 1);
    app.finish().await;
}

/// F29: of four pictures one is declined: three come, three are paid, and the page says so.
#[tokio::test]
async fn a_declined_place_is_not_charged() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    app.sandbox.gemini().fault_times("*", Fault::RefusedPrompt, 1);
    let bo = app.sign_in("bo").await;

    let page = bo.make("a market in the rain", &[("batch_size", "4")]).await;

    assert_eq!(pictures_of(&bo, &page).await.len(), 3);
    assert_eq!(page.texts("[role=status]")[0], "3 of 4 pictures are ready");
    assert!(page.text().contains("One picture did not come. You were not charged for it."));
    assert!(page.text().contains("Declined, not charged"));
    assert_eq!(app.sandbox.gemini().calls().len(), 4, "a declined prompt is asked once");
    assert_eq!(app.spent("bo").await, 3);
    assert_eq!(app.open_holds().await, 0);
    app.finish().await;
}

/// F29: settings that are not on offer are refused beside their field, and nothing is spent.
#[tokio::test]
async fn settings_that_are_not_on_offer() {
    let app = TestApp::start().await;
    let bo = app.sign_in("bo").await;
    let before = everything(&app).await;
    let long = "x".repeat(4001);
    for (prompt, field, value, said) in [
        ("a boat", "batch_size", "5", "Choose from 1 to 4 pictures."),
        ("a boat", "batch_size", "0", "Choose from 1 to 4 pictures."),
        ("a boat", "batch_size", "-1", "Choose from 1 to 4 pictures."),
        ("a boat", "batch_size", "two", "Choose from 1 to 4 pictures."),
        ("a boat", "resolution", "4k", "Choose one of 1k, 2k."),
        ("a boat", "aspect_ratio", "5:1", "Choose one of 1:1, 4:3, 3:4, 16:9, 9:16."),
        ("a boat", "model", "dall_e", "This model is not on offer."),
        ("  \n ", "model", "", "Say what you would like to see."),
        (long.as_str(), "model", "", "Keep the prompt under 4000 characters."),
        (
            "a boat",
            "client_token",
            "",
            "This form is incomplete. Reload the page and send it again; nothing was charged.",
        ),
    ] {
        let answer = bo.try_ask(prompt, &[(field, value)], None).await;
        assert_eq!((answer.status, alerts(&answer.html()).as_str()), (422, said), "{field}={value}");
        assert_eq!(answer.html().texts("#prompt"), [prompt.trim()], "the words are kept");
    }
    assert_eq!(everything(&app).await, before);
    assert_eq!(app.spent("bo").await, 0);
    app.finish().await;
}

/// F34: a prompt that is declined costs nothing and says what to do, with a way to edit it.
#[tokio::test]
async fn a_declined_prompt_can_be_edited() {
    let app = TestApp::start().await;
    app.sandbox.gemini().fault("*", Fault::RefusedPrompt);
    let ada = app.sign_in("ada").await;

    let page = ada.make("somebody famous", &[]).await;

    assert!(page.text().contains("The image service declined this prompt. You were not charged. Try rewording it"));
    let again = ada.get(&page.attribute("#feed .alert a", "href")).await.html();
    assert_eq!(again.texts("#prompt"), ["somebody famous"]);
    assert_eq!(left(&ada).await, "3 free pictures left");
    app.finish().await;
}

/// F27: however often one press arrives, it is one picture, and every answer leads to it.
#[tokio::test]
async fn one_press_is_one_picture() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let press = [("client_token", "the same press")];

    let answers = join_all((0..100).map(|_| ada.try_ask("a boat", &press, None))).await;

    for answer in &answers {
        assert_eq!((answer.status, answer.location()), (303, answers[0].location()));
    }
    ada.settled(&answers[0].location()).await;
    app.idle().await;
    for table in ["conversations", "generations", "runs", "holds"] {
        assert_eq!(app.count(&format!("SELECT COUNT(*) FROM {table}")).await, 1, "{table}");
    }
    assert_eq!(app.sandbox.gemini().calls().len(), 1);
    assert_eq!(app.spent("ada").await, 1);

    let before = everything(&app).await;
    let other = ada.try_ask("a plane", &press, None).await;
    assert_eq!(other.status, 422);
    assert!(alerts(&other.html()).starts_with("This form was sent before with other words. Nothing was charged."));
    let form = other.html().form("#composer");
    assert_ne!(form.fields.iter().find(|(name, _)| name == "client_token").unwrap().1, "the same press");
    assert_eq!(everything(&app).await, before);
    let eves = app.sign_in("eve").await.try_ask("a plane", &press, None).await;
    assert_eq!(eves.status, 303, "another person's token is another token");
    app.idle().await;
    app.finish().await;
}

/// F27: the same press with a file, many times at once, is one picture too.
#[tokio::test]
async fn one_press_with_a_file_is_one_picture() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let file = pictures::png(&pictures::drawing(32, 32));
    let press = [("client_token", "the same press"), ("strength", "0.5")];

    let answers = join_all((0..8).map(|_| ada.try_ask("a boat", &press, Some(("a.png", file.clone()))))).await;

    for answer in &answers {
        assert_eq!((answer.status, answer.location()), (303, answers[0].location()));
    }
    app.idle().await;
    assert_eq!(app.count("SELECT COUNT(*) FROM generations").await, 1);
    assert_eq!(app.spent("ada").await, 1);
    app.finish().await;
}

/// F27: with twenty runs under way the next wish waits; a repeated press of one of them still leads to it.
#[tokio::test]
async fn a_person_has_so_much_under_way() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let bo = app.sign_in("bo").await;
    for n in 0..20 {
        bo.ask("a boat", &[("client_token", &format!("press {n}"))]).await;
    }

    let next = bo.try_ask("a boat", &[], None).await;
    let again = bo.try_ask("a boat", &[("client_token", "press 7")], None).await;

    assert_eq!(next.status, 429);
    assert!(alerts(&next.html()).starts_with("You have many pictures under way. Nothing was charged."));
    assert_eq!(again.status, 303);
    assert_eq!(app.open_holds().await, 20);
    app.finish().await;
}

/// The menu marks where one is: all conversations are not the archive.
#[tokio::test]
async fn the_menu_marks_where_one_is() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    for (path, marked) in [
        ("/app", "Dashboard"),
        ("/app/history", "Search conversations"),
        ("/app/history?shelf=archived", "Archive"),
        ("/app/account/email", "Account"),
    ] {
        let page = ada.get(path).await.html();
        assert_eq!(page.texts("#sidebar nav[aria-label=Account] [aria-current=page]"), [marked], "{path}");
    }
    app.finish().await;
}
