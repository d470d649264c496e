//! A stand-in for the Bot API with one bot: people who write to it and press its buttons, and ways in which it fails.

mod api;
mod fault;
mod person;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::sync::Notify;

pub(crate) use api::routes;
pub use fault::{TelegramFault, TelegramTrouble};
pub use person::{ANN, TelegramPerson};

use crate::{clock::Clock, host::lock};
use fault::Met;

/// The id of the only bot, which is also the first half of its token.
pub const BOT_ID: i64 = 7_000_000_001;
/// What opens the API.
pub const BOT_TOKEN: &str = "7000000001:sandbox-telegram-token-canary-0001";
/// How people find it.
pub const BOT_NAME: &str = "nproxy_sandbox_bot";

/// Messages and updates that are remembered.
const REMEMBERED: usize = 5_000;
/// Update ids count on from a moment, so that a new life of the sandbox repeats none: ten a second since 2024.
const EPOCH: i64 = 1_704_067_200;

/// What a client has to be told to use the stand-in at `url`.
pub fn settings(url: &str) -> Value {
    json!({"bot_token": BOT_TOKEN, "api_url": url})
}

/// A button under a message: what it says, and what the bot hears when it is pressed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TelegramButton {
    pub text: String,
    pub data: String,
}

/// A message as it stands in a chat now.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TelegramMessage {
    pub id: i64,
    pub chat: i64,
    /// Written by the bot.
    pub from_bot: bool,
    pub text: String,
    /// Rows of buttons.
    pub keyboard: Vec<Vec<TelegramButton>>,
    /// How often the bot has changed it.
    pub edits: u32,
    /// What the bot asked to be read as markup; empty for plain text.
    pub parse_mode: String,
    pub at: i64,
}

/// A call of the bot.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TelegramCall {
    /// In lower case.
    pub method: String,
    pub body: Value,
    /// The status it was answered with; none while it waits or when it was cut.
    pub status: Option<u16>,
}

/// The server: chats, updates and faults. Clones share everything.
#[derive(Clone, Debug)]
pub struct Telegram {
    state: Arc<Mutex<State>>,
    clock: Clock,
    news: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    people: Vec<TelegramPerson>,
    messages: VecDeque<TelegramMessage>,
    /// Not confirmed yet, the oldest first.
    updates: VecDeque<(i64, &'static str, Value)>,
    /// Confirmed, the newest last, for [`Telegram::repeat`].
    confirmed: VecDeque<(i64, &'static str, Value)>,
    /// Presses that wait for an answer: the query and what it was answered with.
    queries: Vec<(String, Option<String>)>,
    calls: VecDeque<TelegramCall>,
    commands: Value,
    webhook: String,
    troubles: Vec<TelegramTrouble>,
    last_update: i64,
    last_message: i64,
    count: u64,
    /// Who polls: a newer poller ends an older one.
    poller: u64,
}

impl Telegram {
    pub(crate) fn new(clock: Clock) -> Self {
        let base = (clock.now().timestamp() - EPOCH).max(0) * 10;
        let state = State { people: vec![ANN], last_update: base, last_message: base, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), clock, news: Arc::default() }
    }

    /// Somebody who can write to the bot; known from then on.
    pub fn person(&self, person: &TelegramPerson) {
        let mut state = lock(&self.state);
        match state.people.iter_mut().find(|it| it.id == person.id) {
            Some(known) => known.clone_from(person),
            None => state.people.push(person.clone()),
        }
    }

    /// Everybody who is known.
    pub fn people(&self) -> Vec<TelegramPerson> {
        lock(&self.state).people.clone()
    }

    /// Writes to the bot in the private chat, and answers the id of the update.
    pub fn says(&self, person: &TelegramPerson, text: &str) -> i64 {
        self.person(person);
        self.say_in(person, text, &person.chat())
    }

    /// Writes in a group that the bot is in.
    pub fn says_in_group(&self, person: &TelegramPerson, group: i64, text: &str) -> i64 {
        self.person(person);
        self.say_in(person, text, &json!({"id": group, "type": "supergroup", "title": "A group"}))
    }

    /// Presses a button of a message of the bot's; none without such a message. The data need not be on it: a stranger's
    /// client can send anything.
    pub fn presses(&self, person: &TelegramPerson, message: i64, data: &str) -> Option<i64> {
        self.person(person);
        let mut state = lock(&self.state);
        let found = state.messages.iter().find(|it| it.id == message && it.from_bot)?.clone();
        state.count += 1;
        let query = format!("{}{:05}", self.clock.now().timestamp_micros(), state.count);
        state.queries.push((query.clone(), None));
        let body = json!({
            "id": query,
            "from": person.user(),
            "chat_instance": "1",
            "message": api::shown(&found, &state.people),
            "data": data,
        });
        Some(self.push(state, "callback_query", body))
    }

    /// Presses the button with these words under the newest message in the person's chat that has one.
    pub fn clicks(&self, person: &TelegramPerson, words: &str) -> Option<i64> {
        let messages = self.messages(person.id);
        let (message, data) = messages.iter().rev().find_map(|message| {
            let button = message.keyboard.iter().flatten().find(|it| it.text == words)?;
            Some((message.id, button.data.clone()))
        })?;
        self.presses(person, message, &data)
    }

    /// The messages of a chat, the oldest first.
    pub fn messages(&self, chat: i64) -> Vec<TelegramMessage> {
        lock(&self.state).messages.iter().filter(|it| it.chat == chat).cloned().collect()
    }

    /// What the bot has written in a chat, the oldest first.
    pub fn answers(&self, chat: i64) -> Vec<TelegramMessage> {
        self.messages(chat).into_iter().filter(|it| it.from_bot).collect()
    }

    /// What a press was answered with: the words of the notice, for each answered press.
    pub fn notices(&self) -> Vec<String> {
        lock(&self.state).queries.iter().filter_map(|it| it.1.clone()).collect()
    }

    /// The newest calls of the bot, in order.
    pub fn calls(&self) -> Vec<TelegramCall> {
        lock(&self.state).calls.iter().cloned().collect()
    }

    /// What `setMyCommands` was told last.
    pub fn commands(&self) -> Value {
        lock(&self.state).commands.clone()
    }

    /// Updates that the bot has not confirmed.
    pub fn waiting(&self) -> usize {
        lock(&self.state).updates.len()
    }

    /// Delivers the newest confirmed updates once more, as a server does that has lost its memory.
    pub fn repeat(&self, count: usize) {
        let mut state = lock(&self.state);
        let newest: Vec<_> = state.confirmed.iter().rev().take(count).cloned().collect();
        for update in newest {
            state.updates.push_front(update);
        }
        drop(state);
        self.news.notify_waiters();
    }

    /// A webhook that somebody has set; with one nobody may poll.
    pub fn webhook(&self, url: &str) {
        lock(&self.state).webhook = url.to_owned();
    }

    /// Makes calls fail; of several faults the first that fits is met.
    pub fn fail(&self, trouble: TelegramTrouble) {
        lock(&self.state).troubles.push(trouble);
        // A poll under way is a connection that breaks too.
        self.news.notify_waiters();
    }

    /// Every fault is over.
    pub fn heal(&self) {
        lock(&self.state).troubles.clear();
        self.news.notify_waiters();
    }

    /// The faults that are set.
    pub fn troubles(&self) -> Vec<TelegramTrouble> {
        lock(&self.state).troubles.clone()
    }

    /// Forgets messages and calls, not people, faults or updates under way.
    pub fn clear(&self) {
        let mut state = lock(&self.state);
        state.messages.clear();
        state.calls.clear();
        state.queries.clear();
    }

    fn meet(&self, method: &str) -> Option<Met> {
        fault::meet(&mut lock(&self.state).troubles, method)
    }

    fn say_in(&self, person: &TelegramPerson, text: &str, chat: &Value) -> i64 {
        let mut state = lock(&self.state);
        state.last_message += 1;
        let message = TelegramMessage {
            id: state.last_message,
            chat: chat["id"].as_i64().unwrap_or_default(),
            from_bot: false,
            text: text.to_owned(),
            keyboard: Vec::new(),
            edits: 0,
            parse_mode: String::new(),
            at: self.clock.now().timestamp(),
        };
        let mut body =
            json!({"message_id": message.id, "date": message.at, "chat": chat, "from": person.user(), "text": text});
        if let Some(command) = text.split_whitespace().next().filter(|it| it.starts_with('/')) {
            let length = command.encode_utf16().count();
            body["entities"] = json!([{"type": "bot_command", "offset": 0, "length": length}]);
        }
        remember(&mut state.messages, message);
        self.push(state, "message", body)
    }

    fn push(&self, mut state: std::sync::MutexGuard<'_, State>, kind: &'static str, body: Value) -> i64 {
        state.last_update += 1;
        let id = state.last_update;
        state.updates.push_back((id, kind, body));
        drop(state);
        self.news.notify_waiters();
        id
    }
}

fn remember<T>(all: &mut VecDeque<T>, one: T) {
    if all.len() >= REMEMBERED {
        all.pop_front();
    }
    all.push_back(one);
}

/// How long a poll may be held; the real server's limit.
const POLL_MAX: Duration = Duration::from_secs(50);
