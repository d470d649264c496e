//! Telegram's Bot API, through teloxide's client. What it tells becomes our few words here, so that a fact of the wire is
//! one edit. The token is part of every address, so nothing of an address and no answer as it came leaves this file.

use std::{fmt, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use teloxide::{
    ApiError, Bot, RequestError,
    net::default_reqwest_settings,
    payloads::{
        AnswerCallbackQuerySetters, DeleteWebhookSetters, EditMessageTextSetters, GetUpdatesSetters, SendMessageSetters,
    },
    requests::Requester,
    types::{
        AllowedUpdate, BotCommand, CallbackQueryId, ChatId, InlineKeyboardButton, InlineKeyboardMarkup,
        LinkPreviewOptions, MessageId, UpdateKind, User,
    },
};
use url::Url;

/// How long Telegram may hold a question for news.
pub const POLL: Duration = Duration::from_secs(10);
/// One call, from the connection to the last byte.
const CALL_DEADLINE: Duration = Duration::from_secs(15);
/// A text is at most so long, in UTF-16 units; what is longer was meant to be paged.
pub const TEXT_MAX: usize = 4096;
/// A notice over a pressed button.
const NOTICE_MAX_CHARS: usize = 190;

/// The `settings.telegram` tree. Without a token there is no bot.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `123456789:letters`, from Telegram's own bot for bots.
    pub bot_token: SecretString,
    /// Where the API is spoken; `None` = at Telegram.
    #[serde(deserialize_with = "crate::settings::url_if_any")]
    pub api_url: Option<Url>,
}

/// Our bot. Cheap to clone.
#[derive(Clone)]
pub struct Telegram {
    bot: Bot,
    /// Waits for news longer than any other call may take.
    listener: Bot,
    id: i64,
}

/// Something that happened to the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    pub id: i64,
    pub event: Event,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody wrote in the private chat; empty for what is no text.
    Said { from: Sender, text: String },
    /// Somebody pressed a button in the private chat.
    Pressed { from: Sender, query: String, message: i32, data: String },
    /// Groups, channels, other bots and whatever Telegram invents: not for us.
    Elsewhere,
}

/// Who it was. The id is Telegram's and also names the private chat; the names are their own and prove nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    pub id: i64,
    pub name: String,
    pub username: Option<String>,
}

/// What the bot says: plain text, never markup, so that nobody's words are read as such.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Note {
    pub text: String,
    /// Rows of buttons.
    pub buttons: Vec<Vec<Button>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    pub text: String,
    /// What we hear when it is pressed; at most 64 bytes.
    pub data: String,
}

/// Why a call came to nothing, by what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("Telegram asks to wait for {} s", .0.as_secs())]
    Busy(Duration),
    #[error("somebody else reads this bot's updates")]
    Conflict,
    #[error("a webhook is set for this bot")]
    Webhook,
    #[error("Telegram does not take TELEGRAM_BOT_TOKEN")]
    Token,
    /// They have blocked the bot, or never wrote to it.
    #[error("the chat is closed to the bot")]
    Closed,
    #[error("Telegram refuses: {0}")]
    Refused(String),
    #[error("Telegram does not answer: {0}")]
    Silent(&'static str),
}

impl Settings {
    /// # Errors
    /// Says what is wrong with the token, not what it is.
    pub fn check(&self) -> Result<(), String> {
        if !self.bot_token.expose_secret().is_empty() && self.bot_id().is_none() {
            return Err("TELEGRAM_BOT_TOKEN is no bot's token; one looks like 123456789:letters".to_owned());
        }
        Ok(())
    }

    /// The first half of a token, which is no secret.
    fn bot_id(&self) -> Option<i64> {
        let (id, secret) = self.bot_token.expose_secret().split_once(':')?;
        id.parse().ok().filter(|id| *id > 0 && !secret.is_empty())
    }
}

impl Telegram {
    /// `None` without a token.
    ///
    /// # Errors
    /// The client cannot be built.
    pub fn new(settings: &Settings) -> Result<Option<Self>, String> {
        let Some(id) = settings.bot_id() else { return Ok(None) };
        let bot = |deadline: Duration| -> Result<Bot, String> {
            let client = default_reqwest_settings().timeout(deadline).build().map_err(|error| error.to_string())?;
            let bot = Bot::with_client(settings.bot_token.expose_secret(), client);
            Ok(match &settings.api_url {
                Some(url) => bot.set_api_url(url.clone()),
                None => bot,
            })
        };
        Ok(Some(Self { bot: bot(CALL_DEADLINE)?, listener: bot(POLL + CALL_DEADLINE)?, id }))
    }

    /// Names the bot; update ids are its own.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.id
    }

    /// What has happened from `offset` on; everything before it is done with. Waits a while for something to happen.
    pub async fn updates(&self, offset: Option<i64>) -> Result<Vec<Update>, Failure> {
        let wait = u32::try_from(POLL.as_secs()).unwrap_or(0);
        let wanted = [AllowedUpdate::Message, AllowedUpdate::CallbackQuery];
        let mut call = self.listener.get_updates().timeout(wait).allowed_updates(wanted);
        if let Some(offset) = offset.and_then(|offset| i32::try_from(offset).ok()) {
            call = call.offset(offset);
        }
        Ok(call.await.map_err(failure)?.into_iter().map(Update::read).collect())
    }

    /// A webhook of another life of this bot would keep us from asking. What waits for it waits for us then.
    pub async fn forget_webhook(&self) -> Result<(), Failure> {
        self.bot.delete_webhook().drop_pending_updates(false).await.map_err(failure).map(drop)
    }

    /// What people see when they type `/`.
    pub async fn offer_commands(&self, commands: &[(&str, &str)]) -> Result<(), Failure> {
        let commands = commands.iter().map(|(name, about)| BotCommand::new(*name, *about));
        self.bot.set_my_commands(commands).await.map_err(failure).map(drop)
    }

    /// Writes in a private chat.
    pub async fn send(&self, chat: i64, note: &Note) -> Result<(), Failure> {
        let mut call = self.bot.send_message(ChatId(chat), fitted(&note.text)).link_preview_options(no_preview());
        if !note.buttons.is_empty() {
            call = call.reply_markup(keyboard(note));
        }
        call.await.map_err(failure).map(drop)
    }

    /// Changes what the bot wrote before. A text that stays as it is counts as changed.
    pub async fn edit(&self, chat: i64, message: i32, note: &Note) -> Result<(), Failure> {
        let text = fitted(&note.text);
        let call = self.bot.edit_message_text(ChatId(chat), MessageId(message), text);
        // An empty keyboard takes the old buttons away.
        match call.reply_markup(keyboard(note)).link_preview_options(no_preview()).await {
            Ok(_) | Err(RequestError::Api(ApiError::MessageNotModified)) => Ok(()),
            Err(error) => Err(failure(error)),
        }
    }

    /// Ends the little clock on a pressed button, with a notice over it or without.
    pub async fn answer(&self, query: &str, notice: &str) -> Result<(), Failure> {
        let mut call = self.bot.answer_callback_query(CallbackQueryId(query.to_owned()));
        if !notice.is_empty() {
            call = call.text(notice.chars().take(NOTICE_MAX_CHARS).collect::<String>());
        }
        call.await.map_err(failure).map(drop)
    }
}

impl fmt::Debug for Telegram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telegram").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Update {
    fn read(update: teloxide::types::Update) -> Self {
        let id = i64::from(update.id.0);
        let event = match update.kind {
            UpdateKind::Message(message) => match &message.from {
                Some(from) if message.chat.is_private() && !from.is_bot => {
                    Event::Said { from: Sender::of(from), text: message.text().unwrap_or_default().to_owned() }
                }
                Some(_) | None => Event::Elsewhere,
            },
            UpdateKind::CallbackQuery(query) => match (&query.message, query.data) {
                (Some(message), Some(data)) if message.chat().is_private() && !query.from.is_bot => {
                    Event::Pressed { from: Sender::of(&query.from), query: query.id.0, message: message.id().0, data }
                }
                _ => Event::Elsewhere,
            },
            _ => Event::Elsewhere,
        };
        Self { id, event }
    }
}

impl Sender {
    fn of(user: &User) -> Self {
        // What nobody can type (and `PostgreSQL` cannot store), and what turns a line of the console around, is left out.
        let plain = |text: &str| {
            let odd = |c: char| {
                c.is_control()
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            text.chars().filter(|c| !odd(*c)).take(64).collect::<String>()
        };
        Self {
            id: i64::try_from(user.id.0).unwrap_or(i64::MAX),
            name: plain(&user.full_name()),
            username: user.username.as_deref().map(plain),
        }
    }
}

impl Note {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), buttons: Vec::new() }
    }

    /// With one more row of buttons.
    #[must_use]
    pub fn row(mut self, buttons: impl IntoIterator<Item = Button>) -> Self {
        let row: Vec<Button> = buttons.into_iter().collect();
        if !row.is_empty() {
            self.buttons.push(row);
        }
        self
    }
}

impl Button {
    #[must_use]
    pub fn new(text: impl Into<String>, data: impl Into<String>) -> Self {
        Self { text: text.into(), data: data.into() }
    }
}

fn failure(error: RequestError) -> Failure {
    match error {
        RequestError::RetryAfter(wait) => Failure::Busy(wait.duration()),
        RequestError::MigrateToChatId(_) => Failure::Closed,
        RequestError::Network(error) if error.is_timeout() => Failure::Silent("it took too long"),
        RequestError::Network(error) if error.is_connect() => Failure::Silent("it cannot be reached"),
        RequestError::Network(_) => Failure::Silent("the connection broke"),
        RequestError::InvalidJson { .. } => Failure::Silent("what came is not the Bot API"),
        RequestError::Io(_) => Failure::Silent("a file"),
        RequestError::Api(error) => refusal(error),
    }
}

fn refusal(error: ApiError) -> Failure {
    match error {
        ApiError::TerminatedByOtherGetUpdates => Failure::Conflict,
        ApiError::CantGetUpdates => Failure::Webhook,
        ApiError::InvalidToken => Failure::Token,
        ApiError::BotBlocked
        | ApiError::BotKicked
        | ApiError::ChatNotFound
        | ApiError::UserDeactivated
        | ApiError::UserNotFound
        | ApiError::CantInitiateConversation
        | ApiError::CantTalkWithBots => Failure::Closed,
        ApiError::Unknown(words) if words.contains("webhook is active") => Failure::Webhook,
        ApiError::Unknown(words) if words.starts_with("Conflict") => Failure::Conflict,
        ApiError::Unknown(words) if words.starts_with("Forbidden") => Failure::Closed,
        ApiError::Unknown(words) if words.starts_with("Bad Request") => Failure::Refused(words),
        // Its words for trouble of its own are not listed anywhere.
        ApiError::Unknown(_) => Failure::Silent("it is in trouble"),
        known => Failure::Refused(known.to_string()),
    }
}

fn keyboard(note: &Note) -> InlineKeyboardMarkup {
    let button = |it: &Button| InlineKeyboardButton::callback(it.text.clone(), it.data.clone());
    InlineKeyboardMarkup::new(note.buttons.iter().map(|row| row.iter().map(button)))
}

fn no_preview() -> LinkPreviewOptions {
    LinkPreviewOptions {
        is_disabled: true,
        url: None,
        prefer_small_media: false,
        prefer_large_media: false,
        show_above_text: false,
    }
}

/// The text within Telegram's limit, which counts UTF-16 units.
fn fitted(text: &str) -> String {
    if text.encode_utf16().count() <= TEXT_MAX {
        return text.to_owned();
    }
    let mut units = 0;
    let kept = text.chars().take_while(|c| {
        units += c.len_utf16();
        units < TEXT_MAX
    });
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(token: &str) -> Settings {
        Settings { bot_token: token.to_owned().into(), api_url: None }
    }

    #[test]
    fn a_token_is_looked_at_and_never_shown() {
        assert!(with("").check().is_ok());
        assert!(Telegram::new(&with("")).unwrap().is_none());
        for wrong in ["canary", "canary:1", "0:canary", "12:"] {
            let said = with(wrong).check().unwrap_err();
            assert!(!said.contains("canary"), "{said}");
        }
        let bot = Telegram::new(&with("12:canary")).unwrap().unwrap();
        assert_eq!(bot.id(), 12);
        assert!(!format!("{bot:?} {:?}", with("12:canary")).contains("canary"));
    }

    #[test]
    fn a_text_is_cut_at_the_limit_and_not_within_a_letter() {
        assert_eq!(fitted("short"), "short");
        assert_eq!(fitted(&"x".repeat(TEXT_MAX)).len(), TEXT_MAX);
        let cut = fitted(&"🐈".repeat(TEXT_MAX));
        assert!(cut.encode_utf16().count() <= TEXT_MAX && cut.ends_with("🐈…"));
    }
}
