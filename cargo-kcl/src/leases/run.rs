//! `cargo kcl leases`: reads the table and the stream, and shows or moves leases.

use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use kcl::Position;

use super::options::LeasesOptions;
use super::plan::{PlanError, plan};
use super::rewind::{RewindError, carry_out};
use super::show::{Row, Table};
use crate::exit::{FAILED, WRONG_USE};
use crate::kinesis::connection::block_on;
use crate::kinesis::error::AwsError;
use crate::kinesis::shards::Shard;
use crate::lease_table::{
    Application, ApplicationError, Lease, Leases, Look, Stream, TableError, Watched, look_at_all, watch,
};
use crate::report;

/// The reason why the command failed.
#[derive(Debug, thiserror::Error)]
enum LeasesError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Application(#[from] ApplicationError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Rewind(#[from] RewindError),
    #[error("stdout cannot be written: {0}")]
    Output(io::Error),
}

impl From<TableError> for LeasesError {
    fn from(error: TableError) -> Self {
        Self::Application(error.into())
    }
}

impl LeasesError {
    fn code(&self) -> u8 {
        match self {
            Self::Aws(error)
            | Self::Plan(PlanError::Aws(error))
            | Self::Rewind(RewindError::Plan(PlanError::Aws(error))) => error.code(),
            Self::Application(error) | Self::Rewind(RewindError::Application(error)) => error.code(),
            Self::Plan(PlanError::Begun { .. })
            | Self::Rewind(
                RewindError::Plan(PlanError::Begun { .. })
                | RewindError::Owned { .. }
                | RewindError::Changed(_)
                | RewindError::Declined,
            )
            | Self::Output(_) => FAILED,
            Self::Plan(_) | Self::Rewind(_) => WRONG_USE,
        }
    }
}

/// Runs the verb.
pub(crate) fn run(options: &LeasesOptions) -> ExitCode {
    let done = block_on(carry_out_all(options)).map_err(LeasesError::from).and_then(|done| done);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::error(&error);
            ExitCode::from(error.code())
        }
    }
}

async fn carry_out_all(options: &LeasesOptions) -> Result<(), LeasesError> {
    let application = Application::open(&options.application, &options.aws).await?;
    let leases = application.leases().await?;
    if options.rewind.is_empty() {
        list(options, &application, leases).await
    } else {
        rewind(options, &application, &leases).await
    }
}

async fn rewind(options: &LeasesOptions, application: &Application, leases: &Leases) -> Result<(), LeasesError> {
    // A stream that is only similar must not decide where a lease goes, so it is not guessed.
    let stream = if application.names_stream() { Some(application.stream(&leases.leases).await?) } else { None };
    let known = stream.as_ref().map(|(stream, shards)| (stream, shards.as_slice()));
    let moves = plan(&application.name, leases, &options.rewind, known).await?;
    let shards = known.map(|(_, shards)| shards);
    let mut moved = Vec::new();
    let done = carry_out(application, moves, shards, options.yes, &mut moved).await;
    if options.json && (done.is_ok() || !moved.is_empty()) {
        let result = serde_json::json!({ "application": application.name, "moved": moved });
        report::json(&result).map_err(LeasesError::Output)?;
    }
    Ok(done?)
}

async fn list(options: &LeasesOptions, application: &Application, rows: Leases) -> Result<(), LeasesError> {
    if rows.is_empty() {
        report::line(format_args!(
            "the application `{}` has no leases yet; its workers create them a minute or two after they first start",
            application.name
        ));
    }
    let Leases { leases, unreadable } = rows;
    let stream = match application.stream(&leases).await {
        _ if leases.is_empty() => None,
        Ok((stream, shards)) => Some((Rc::new(stream), shards)),
        Err(error) => {
            report::warning(format_args!("ages are not shown: {error}"));
            None
        }
    };
    let watched = if options.no_wait {
        let unwatched = |lease: Lease| Watched { first: lease.clone(), last: lease, silent: Duration::ZERO };
        leases.into_iter().map(unwatched).collect()
    } else {
        watch(&application.table, leases, application.failover, |lease| !lease.is_done()).await?
    };
    let looks = match &stream {
        Some((stream, shards)) => looks(stream, shards, &watched).await,
        None => watched.iter().map(|_| Look::default()).collect(),
    };
    let was_watched = !options.no_wait;
    let rows = watched.into_iter().zip(looks).map(|(watched, look)| Row { watched, look, was_watched });
    let table = Table { rows: rows.collect(), unreadable };
    let now = stream.as_ref().map_or_else(SystemTime::now, |(stream, _)| stream.time());
    if options.json {
        let name = stream.as_ref().map(|(stream, _)| stream.name.as_str());
        return report::json(&table.json(&application.name, name, now)).map_err(LeasesError::Output);
    }
    if table.rows.is_empty() && table.unreadable.is_empty() {
        return Ok(());
    }
    report::data(table.lines(now)).map_err(LeasesError::Output)
}

/// A look at each checkpoint, which is unknown if the shard cannot be read.
async fn looks(stream: &Rc<Stream>, shards: &[Shard], watched: &[Watched]) -> Vec<Look> {
    let of = |watched: &Watched| {
        let shard = shards.iter().find(|shard| shard.id == watched.last.shard)?;
        Some((shard.clone(), watched.last.checkpoint.clone()))
    };
    let wanted: Vec<Option<(Shard, Position)>> = watched.iter().map(of).collect();
    let mut found = look_at_all(stream, wanted.iter().flatten().cloned().collect()).await.into_iter();
    let mut is_reported = false;
    let looks = wanted.iter().map(|wanted| match wanted.as_ref().and_then(|_| found.next()) {
        Some(Ok(look)) => look,
        Some(Err(error)) => {
            if !std::mem::replace(&mut is_reported, true) {
                report::warning(format_args!("some ages are not shown: {error}"));
            }
            Look::default()
        }
        None => Look::default(),
    });
    looks.collect()
}
