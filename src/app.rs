//! Table of contents: routes, workers, tasks, initializers. No logic.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use loco_rs::{
    Result,
    app::{AppContext, Hooks, Initializer},
    bgworker::{BackgroundWorker, Queue},
    boot::{BootResult, ServeParams, StartMode, create_context, run_app},
    config::Config,
    controller::{AppRoutes, middleware::MiddlewareLayer},
    environment::Environment,
    task::Tasks,
};

use crate::{
    context::Parts,
    controllers, initializers, models, settings, tasks,
    workers::{
        apply_payment::ApplyPayment, deliver_mail::DeliverMail, deliver_notice::DeliverNotice,
        deliver_telegram::DeliverTelegram, erase_conversation::EraseConversation, erase_files::EraseFiles,
        erase_picture::ErasePicture, fulfil_run::FulfilRun, prepare_export::PrepareExport, run_task::RunTask,
        tell_device::TellDevice, tell_devices::TellDevices,
    },
};

pub struct App;

#[async_trait]
impl Hooks for App {
    fn app_name() -> &'static str {
        env!("CARGO_CRATE_NAME")
    }

    fn app_version() -> String {
        env!("CARGO_PKG_VERSION").into()
    }

    async fn boot(mode: StartMode, environment: &Environment, config: Config) -> Result<BootResult> {
        tracing::info!(version = Self::app_version(), %environment, ?mode, "nproxy starts");
        initializers::schema::settle(&config.database).await?;
        let alone = mode == StartMode::All;
        let mut ctx = create_context::<Self>(environment, config).await?;
        initializers::config::lighten(&mut ctx.config);
        let booted = run_app::<Self>(&initializers::timetable::driven_by_jobs(mode), ctx).await?;
        if booted.router.is_none() {
            initializers::health::answer(&booted.app_context).await;
        }
        if alone {
            initializers::bot::begin(&booted.app_context);
        }
        Ok(booted)
    }

    async fn load_config(environment: &Environment) -> Result<Config> {
        settings::nothing_missing(environment)?;
        let mut config = environment.load()?;
        initializers::database::make_room(&config.database.uri)?;
        config.database.uri = initializers::database::limited(&config.database.uri);
        initializers::timetable::leave_out_what_is_off(&mut config);
        initializers::mail::suit(&mut config);
        Ok(config)
    }

    fn init_logger(ctx: &AppContext) -> Result<bool> {
        initializers::logging::begin(&ctx.config.logger);
        Ok(true)
    }

    /// Runs twice on `start`, so it only builds: no connections, no spawned tasks.
    async fn after_context(mut ctx: AppContext) -> Result<AppContext> {
        let pool = initializers::database::pool(&ctx.config.database).await?;
        std::mem::replace(&mut ctx.db, pool).close().await?;
        let parts = Parts::build(&ctx)?;
        let storage = parts.store().storage();
        ctx.shared_store.insert(parts.clone());
        ctx.shared_store.insert(controllers::health::Readiness::default());
        ctx.shared_store.insert(models::runs::Crowd::default());
        let queue = Queue::from_provider(Arc::new(parts.jobs().clone()));
        Ok(ctx.into_builder().queue_provider(Arc::new(queue)).storage(Arc::new(storage)).build())
    }

    async fn initializers(_ctx: &AppContext) -> Result<Vec<Box<dyn Initializer>>> {
        Ok(vec![
            Box::new(initializers::metrics::Metrics),
            Box::new(initializers::sandbox::Sandbox),
            Box::new(initializers::people::People),
            Box::new(initializers::timetable::Timetable),
            Box::new(initializers::views::Views),
            Box::new(initializers::edge::Edge),
        ])
    }

    /// Ours are in `initializers::edge`: Loco's request log shows whole addresses, its headers are off.
    fn middlewares(_ctx: &AppContext) -> Vec<Box<dyn MiddlewareLayer>> {
        Vec::new()
    }

    fn routes(ctx: &AppContext) -> AppRoutes {
        AppRoutes::empty()
            .add_route(controllers::home::routes())
            .add_route(controllers::registrations::routes())
            .add_route(controllers::sessions::routes())
            .add_route(controllers::passwords::routes())
            .add_route(controllers::dashboard::routes())
            .add_route(controllers::account::routes())
            .add_route(controllers::conversations::routes())
            .add_route(controllers::history::routes())
            .add_route(controllers::generations::routes())
            .add_route(controllers::runs::routes())
            .add_route(controllers::pictures::routes())
            .add_route(controllers::gallery::routes())
            .add_route(controllers::queue::routes())
            .add_route(controllers::shares::routes())
            .add_route(controllers::exports::routes())
            .add_route(controllers::shell::routes())
            .add_route(controllers::files::routes())
            .add_route(controllers::billing::routes())
            .add_route(controllers::pay::routes())
            .add_route(controllers::webhooks::routes())
            .add_route(controllers::admin::routes())
            .add_route(controllers::health::routes())
            .add_route(controllers::components::routes(&ctx.environment))
    }

    async fn serve(app: axum::Router, ctx: &AppContext, params: &ServeParams) -> Result<()> {
        initializers::serving::serve(app, ctx, params).await?;
        Self::on_shutdown(ctx).await;
        Ok(())
    }

    async fn connect_workers(ctx: &AppContext, queue: &Queue) -> Result<()> {
        queue.register(FulfilRun::build(ctx)).await?;
        queue.register(ErasePicture::build(ctx)).await?;
        queue.register(EraseConversation::build(ctx)).await?;
        queue.register(DeliverMail::build(ctx)).await?;
        queue.register(ApplyPayment::build(ctx)).await?;
        queue.register(DeliverNotice::build(ctx)).await?;
        queue.register(DeliverTelegram::build(ctx)).await?;
        queue.register(EraseFiles::build(ctx)).await?;
        queue.register(PrepareExport::build(ctx)).await?;
        queue.register(TellDevices::build(ctx)).await?;
        queue.register(TellDevice::build(ctx)).await?;
        queue.register(RunTask::build(ctx)).await?;
        Ok(())
    }

    fn register_tasks(tasks: &mut Tasks) {
        tasks::register(tasks);
    }

    /// Every process stops its own jobs; the bot and the sandbox go with the process.
    async fn on_shutdown(ctx: &AppContext) {
        initializers::bot::end(ctx).await;
        initializers::sandbox::stop(ctx);
    }

    async fn truncate(_ctx: &AppContext) -> Result<()> {
        Err(loco_rs::Error::string("nproxy does not truncate: its ledger and its audit log are append-only"))
    }

    async fn seed(ctx: &AppContext, _path: &Path) -> Result<()> {
        initializers::people::seed(ctx).await
    }
}
