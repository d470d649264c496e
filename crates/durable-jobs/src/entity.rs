//! The two tables as `SeaORM` entities. Read them freely; write them only through this crate.

/// `jobs`: a row is a job.
pub mod job {
    use sea_orm::entity::prelude::*;

    /// Where a job stands.
    #[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
    #[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
    pub enum State {
        /// Waits for `run_at` and a free runner.
        Queued,
        /// Leased by one runner until `lease_expires_at`.
        Running,
        /// Its handler answered `Ok`.
        Done,
        /// Given up, cancelled or unreadable. Only an operator brings it back.
        Dead,
    }

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "jobs")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        /// Name of the worker.
        #[sea_orm(column_type = "Text")]
        pub class: String,
        /// JSON.
        #[sea_orm(column_type = "Text")]
        pub args: String,
        #[sea_orm(column_type = "Text")]
        pub queue: String,
        /// Higher runs first.
        pub priority: i32,
        pub state: State,
        /// Not before this moment.
        pub run_at: DateTimeUtc,
        /// Attempts begun, the running one included.
        pub attempts: i32,
        pub max_attempts: i32,
        /// Fencing token of the running attempt: who does not hold it can change nothing.
        pub lease_token: Option<i64>,
        /// `host:pid:random` of the process that runs it.
        #[sea_orm(column_type = "Text", nullable)]
        pub lease_owner: Option<String>,
        pub lease_expires_at: Option<DateTimeUtc>,
        /// One live job per key.
        #[sea_orm(column_type = "Text", nullable)]
        pub dedupe_key: Option<String>,
        #[sea_orm(column_type = "Text", nullable)]
        pub last_error: Option<String>,
        /// When the hint sweep last told somebody about it.
        pub hinted_at: Option<DateTimeUtc>,
        pub created_at: DateTimeUtc,
        pub finished_at: Option<DateTimeUtc>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// `job_ticks`: the last tick of each timetable entry that some host has turned into a job.
pub mod tick {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "job_ticks")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
        pub name: String,
        pub last_tick: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
