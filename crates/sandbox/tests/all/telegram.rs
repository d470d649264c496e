//! Telegram's Bot API, over real sockets.

use std::time::{Duration, Instant};

use sandbox::{
    Sandbox, TelegramFault, TelegramPerson, TelegramTrouble,
    telegram::{ANN, BOT_ID, BOT_TOKEN},
};
use serde_json::{Value, json};

use crate::support::{client, start};

async fn ask(sandbox: &Sandbox, method: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/bot{BOT_TOKEN}/{method}", sandbox.url());
    let answer = client().post(url).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// The ids of the updates from `offset` on.
async fn updates(sandbox: &Sandbox, offset: i64) -> Vec<i64> {
    let (status, answer) = ask(sandbox, "getUpdates", json!({"offset": offset})).await;
    assert_eq!(status, 200, "{answer}");
    answer["result"].as_array().unwrap().iter().map(|it| it["update_id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn methods_are_found_in_either_case_and_tokens_are_checked() {
    let sandbox = start().await;
    for method in ["getMe", "GetMe", "getme"] {
        let (status, answer) = ask(&sandbox, method, json!({})).await;
        assert_eq!((status, &answer["result"]["id"]), (200, &json!(BOT_ID)));
        for field in ["is_bot", "can_join_groups", "can_read_all_group_messages", "has_main_web_app"] {
            assert!(answer["result"][field].is_boolean(), "{field}");
        }
    }
    assert_eq!(ask(&sandbox, "getLost", json!({})).await.0, 404);
    let with = async |token: &str| {
        let url = format!("{}/bot{token}/getMe", sandbox.url());
        client().get(url).send().await.unwrap().status().as_u16()
    };
    assert_eq!((with("1:wrong").await, with("nonsense").await, with(BOT_TOKEN).await), (401, 404, 200));
    let url = format!("{}/bot{BOT_TOKEN}/sendMessage", sandbox.url());
    let broken = client().post(url).body("{]").send().await.unwrap();
    assert_eq!(broken.status(), 400);
}

#[tokio::test]
async fn updates_wait_until_they_are_confirmed() {
    let sandbox = start().await;
    let telegram = sandbox.telegram();
    let (first, second) = (telegram.says(&ANN, "/start"), telegram.says(&ANN, "again"));
    assert_eq!(second, first + 1);
    assert_eq!(updates(&sandbox, 0).await, [first, second]);
    assert_eq!(updates(&sandbox, second).await, [second]);
    assert_eq!(updates(&sandbox, 0).await, [second], "what lay before the offset is confirmed");
    assert!(updates(&sandbox, second + 1).await.is_empty());
    assert_eq!(telegram.waiting(), 0);

    telegram.repeat(1);
    assert_eq!(updates(&sandbox, 0).await, [second], "a server that has lost its memory");
}

#[tokio::test]
async fn a_poll_is_held_until_there_is_something() {
    let sandbox = start().await;
    let telegram = sandbox.telegram().clone();
    let began = Instant::now();
    let (answer, ()) = tokio::join!(ask(&sandbox, "GetUpdates", json!({"timeout": 20})), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        telegram.says(&ANN, "/status now");
    });
    assert!(began.elapsed() < Duration::from_secs(15));
    let message = &answer.1["result"][0]["message"];
    assert_eq!((&message["text"], &message["chat"]["type"]), (&json!("/status now"), &json!("private")));
    assert_eq!(message["entities"][0], json!({"type": "bot_command", "offset": 0, "length": 7}));

    let began = Instant::now();
    let (_, answer) = ask(&sandbox, "getUpdates", json!({"timeout": 1, "offset": i64::from(i32::MAX)})).await;
    assert_eq!(answer["result"], json!([]));
    assert!(began.elapsed() >= Duration::from_millis(900));
}

#[tokio::test]
async fn of_two_pollers_the_newer_stays() {
    let sandbox = start().await;
    let (old, new) = tokio::join!(ask(&sandbox, "getUpdates", json!({"timeout": 20})), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        ask(&sandbox, "getUpdates", json!({"timeout": 1})).await
    });
    assert_eq!((old.0, new.0), (409, 200));
    assert!(old.1["description"].as_str().unwrap().starts_with("Conflict: terminated by other getUpdates request"));

    sandbox.telegram().webhook("https://elsewhere.example.com/hook");
    let (status, answer) = ask(&sandbox, "getUpdates", json!({})).await;
    assert_eq!(status, 409);
    assert!(answer["description"].as_str().unwrap().contains("webhook is active"), "{answer}");
    assert_eq!(ask(&sandbox, "deleteWebhook", json!({})).await.0, 200);
    assert_eq!(ask(&sandbox, "getUpdates", json!({})).await.0, 200);
}

#[tokio::test]
async fn messages_are_sent_changed_and_pressed() {
    let sandbox = start().await;
    let telegram = sandbox.telegram();
    let keyboard = json!({"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]});
    let (status, sent) =
        ask(&sandbox, "SendMessage", json!({"chat_id": 42, "text": "Sure?", "reply_markup": keyboard})).await;
    assert_eq!(status, 200, "{sent}");
    let id = sent["result"]["message_id"].as_i64().unwrap();
    assert_eq!(sent["result"]["reply_markup"], keyboard);

    telegram.clicks(&ANN, "Yes").unwrap();
    let (_, answer) = ask(&sandbox, "getUpdates", json!({"allowed_updates": ["callback_query"]})).await;
    let query = &answer["result"][0]["callback_query"];
    assert_eq!((&query["data"], &query["message"]["message_id"]), (&json!("y"), &json!(id)));
    assert_eq!(
        ask(&sandbox, "answerCallbackQuery", json!({"callback_query_id": query["id"], "text": "ok"})).await.0,
        200
    );
    assert_eq!(telegram.notices(), ["ok"]);
    assert_eq!(ask(&sandbox, "answerCallbackQuery", json!({"callback_query_id": "0"})).await.0, 400);

    let edit = json!({"chat_id": 42, "message_id": id, "text": "Done"});
    assert_eq!(ask(&sandbox, "EditMessageText", edit.clone()).await.0, 200);
    let (status, same) = ask(&sandbox, "editMessageText", edit).await;
    assert_eq!(status, 400);
    assert!(same["description"].as_str().unwrap().contains("message is not modified"));
    let answers = telegram.answers(42);
    assert_eq!((answers[0].text.as_str(), answers[0].keyboard.len(), answers[0].edits), ("Done", 0, 1));

    for (body, says) in [
        (json!({"chat_id": 42, "text": " "}), "message text is empty"),
        (json!({"chat_id": 42, "text": "x".repeat(4097)}), "message is too long"),
        (json!({"chat_id": 99, "text": "x"}), "chat not found"),
        (
            json!({"chat_id": 42, "text": "x", "reply_markup":
                {"inline_keyboard": [[{"text": "a", "callback_data": "d".repeat(65)}]]}}),
            "BUTTON_DATA_INVALID",
        ),
    ] {
        let (status, answer) = ask(&sandbox, "sendMessage", body).await;
        assert_eq!(status, 400);
        assert!(answer["description"].as_str().unwrap().contains(says), "{answer}");
    }
    assert_eq!(
        ask(&sandbox, "setMyCommands", json!({"commands": [{"command": "Status", "description": "x"}]})).await.0,
        400
    );
}

#[tokio::test]
async fn it_fails_as_it_is_told_to() {
    let sandbox = start().await;
    let telegram = sandbox.telegram();
    telegram.fail(TelegramTrouble::always(TelegramFault::RateLimited { retry_after_s: 3 }).of("sendMessage").times(1));
    let (status, answer) = ask(&sandbox, "sendMessage", json!({"chat_id": 42, "text": "x"})).await;
    assert_eq!((status, &answer["parameters"]["retry_after"]), (429, &json!(3)));
    assert_eq!(ask(&sandbox, "sendMessage", json!({"chat_id": 42, "text": "x"})).await.0, 200);

    telegram.fail(TelegramTrouble::always(TelegramFault::Html).of("sendmessage").acting().times(1));
    let url = format!("{}/bot{BOT_TOKEN}/sendMessage", sandbox.url());
    let lost = client().post(&url).json(&json!({"chat_id": 42, "text": "acted"})).send().await.unwrap();
    assert_eq!(lost.status(), 502);
    assert_eq!(telegram.answers(42).last().unwrap().text, "acted", "carried out, and the answer was lost");

    for (fault, code) in [
        (TelegramFault::Conflict, 409),
        (TelegramFault::Unauthorized, 401),
        (TelegramFault::Blocked, 403),
        (TelegramFault::Status { code: 500 }, 500),
    ] {
        telegram.fail(TelegramTrouble::always(fault).times(1));
        assert_eq!(ask(&sandbox, "getMe", json!({})).await.0, code);
    }
    telegram.fail(TelegramTrouble::always(TelegramFault::Hang));
    let hung = client().post(&url).json(&json!({})).timeout(Duration::from_millis(300)).send().await;
    assert!(hung.unwrap_err().is_timeout());
    telegram.heal();
    assert_eq!(ask(&sandbox, "getMe", json!({})).await.0, 200);
}

/// The page is a person at the chat: what is written arrives as an update, buttons are forms, nothing that was written is
/// read as markup.
#[tokio::test]
async fn a_person_talks_on_the_page() {
    let sandbox = start().await;
    let telegram = sandbox.telegram();
    let page = |path: &str| format!("{}{path}", sandbox.url());
    let client = client();
    let form = [("from", "42"), ("text", "<b>hi</b>")];
    let said = client.post(page("/telegram/messages")).form(&form).send().await.unwrap();
    assert_eq!(said.status(), 200, "led back to the page");
    assert_eq!(updates(&sandbox, 0).await.len(), 1);
    let keyboard = json!({"inline_keyboard": [[{"text": "Go <on>", "callback_data": "go"}]]});
    ask(&sandbox, "sendMessage", json!({"chat_id": 42, "text": "<script>x</script>", "reply_markup": keyboard})).await;

    let chat = client.get(page("/telegram/chats/42")).send().await.unwrap();
    let policy = chat.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("frame-ancestors 'self'"), "{policy}");
    let html = chat.text().await.unwrap();
    assert!(html.contains("&lt;b&gt;hi&lt;/b&gt;") && html.contains("Go &lt;on&gt;"), "{html}");
    assert!(!html.contains("<script>"), "{html}");

    let message = telegram.answers(42)[0].id.to_string();
    let press = [("from", "42"), ("message", &message), ("data", "go")];
    assert_eq!(client.post(page("/telegram/presses")).form(&press).send().await.unwrap().status(), 200);
    assert_eq!(telegram.waiting(), 2);

    let bob = [("id", "43"), ("name", "Bob"), ("username", "")];
    let met = client.post(page("/telegram/people")).form(&bob).send().await.unwrap();
    assert!(met.text().await.unwrap().contains("Bob (43)"));
    assert!(telegram.people().contains(&TelegramPerson::new(43, "Bob", None)));
    assert_eq!(client.get(page("/telegram?as=99")).send().await.unwrap().status(), 404);
}
