//! Questions to Redis that are always answered in time, if only by an error.

use std::{future::Future, sync::OnceLock, time::Duration};

use bb8::Pool;
use redis::{Client, FromRedisValue, IntoConnectionInfo, Pipeline, aio::PubSub};
use sea_orm::DbErr;
use sidekiq::{RedisConnectionManager, RedisPool};

use super::{InvalidRedisUrl, RedisSettings};

/// Enough for the loops of one process; nobody holds one for longer than a question.
const CONNECTIONS: u32 = 4;

pub(crate) struct Link {
    client: Client,
    manager: RedisConnectionManager,
    patience: Duration,
    /// Made with the first question: `DurableQueue::redis` is called where nothing may be spawned.
    pool: OnceLock<RedisPool>,
}

impl Link {
    pub(super) fn new(settings: &RedisSettings) -> Result<Self, InvalidRedisUrl> {
        let broken = |error: redis::RedisError| InvalidRedisUrl(error.to_string());
        // Of the address itself nothing is repeated: it may hold a password.
        let address = settings.url.as_str().into_connection_info().map_err(broken)?;
        let client = Client::open(address.clone()).map_err(broken)?;
        let manager = RedisConnectionManager::new(address).map_err(broken)?;
        Ok(Self { client, manager, patience: settings.patience, pool: OnceLock::new() })
    }

    /// Sends these commands in one go.
    pub(super) async fn ask<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, DbErr> {
        let mut connection = self.in_time(self.pool().get()).await?;
        // Without a response timeout of its own (rusty-sidekiq means it for BRPOP).
        self.in_time(commands.query_async(connection.unnamespaced_borrow_mut())).await
    }

    /// What is said on a channel from now on, over a connection of its own.
    pub(super) async fn subscribe(&self, channel: &str) -> Result<PubSub, DbErr> {
        let mut connection = self.in_time(self.client.get_async_pubsub()).await?;
        self.in_time(connection.subscribe(channel)).await?;
        Ok(connection)
    }

    async fn in_time<T, E: std::fmt::Display>(&self, ask: impl Future<Output = Result<T, E>>) -> Result<T, DbErr> {
        match tokio::time::timeout(self.patience, ask).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(trouble(error)),
            Err(_late) => Err(trouble(format!("no answer within {:?}", self.patience))),
        }
    }

    fn pool(&self) -> &RedisPool {
        self.pool.get_or_init(|| {
            Pool::builder()
                .max_size(CONNECTIONS)
                .connection_timeout(self.patience)
                .retry_connection(false)
                .idle_timeout(None)
                .max_lifetime(None)
                .build_unchecked(self.manager.clone())
        })
    }
}

/// As an error of the loops, which know one kind.
pub(super) fn trouble(error: impl std::fmt::Display) -> DbErr {
    DbErr::Custom(format!("Redis: {error}"))
}
