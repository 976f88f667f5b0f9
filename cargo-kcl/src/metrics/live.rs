//! Metrics in a build with them.

use std::ffi::OsString;
use std::fmt;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{env, io};

use super::board::Board;
use super::folder::{self, Sockets};
use super::mailbox::Mailbox;
use super::options::Address;
use super::server::{Listener, Server};
use super::shard::Watcher;
use super::{About, DaemonEvent, MetricsError, MetricsOptions, Seen, Site, Stage};
use crate::report;
use crate::threads;

/// The metrics of a run. Clones are of the same run.
#[derive(Clone)]
pub(crate) struct Metrics {
    board: Arc<Mutex<Board>>,
    /// `None` if the sockets could not be created.
    sockets: Option<Arc<Sockets>>,
    mailbox: Option<Arc<Mailbox>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("sockets", &self.sockets).finish_non_exhaustive()
    }
}

impl Metrics {
    /// Starts to serve the metrics of this run.
    ///
    /// # Errors
    ///
    /// If the metrics were asked for and cannot be served. If they were not asked for, only a warning says that they are missing.
    pub(crate) fn open(options: &MetricsOptions, about: About) -> Result<Self, MetricsError> {
        let mut metrics = Self {
            board: Arc::new(Mutex::new(Board::new(about, options.metrics.is_some()))),
            sockets: None,
            mailbox: None,
        };
        let listener = options.metrics.map(listen).transpose()?;
        match (metrics.serve(listener), options.metrics) {
            (Err(error), Some(_)) => return Err(error),
            (Err(error), None) => report::warning(format_args!("cargo kcl top cannot show this run: {error}")),
            (Ok(()), _) => {}
        }
        Ok(metrics)
    }

    fn serve(&mut self, listener: Option<TcpListener>) -> Result<(), MetricsError> {
        let path = folder::path();
        let created = Sockets::create(&path);
        let (sockets, requests, snapshots) = created.map_err(|error| MetricsError::Socket { path, error })?;
        let listeners = [Listener::Unix(requests)].into_iter().chain(listener.map(Listener::Tcp));
        let mailbox = Arc::new(Mailbox::new(Arc::clone(&self.board), snapshots));
        let server = Server::new(Arc::clone(&self.board), Arc::clone(&mailbox), listeners.collect());
        // It serves until the tool ends.
        threads::spawn(move || server.run()).map_err(MetricsError::Thread)?;
        (self.sockets, self.mailbox) = (Some(Arc::new(sockets)), Some(mailbox));
        Ok(())
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The environment variables that name the run, and that make a processor send its metrics here. It also sends those that the
    /// user has asked for.
    pub(crate) fn variables(&self) -> Vec<(&'static str, OsString)> {
        let mut variables = self.board().about().names();
        let Some(sockets) = &self.sockets else { return variables };
        let mut output = OsString::from("unix:");
        output.push(PathBuf::from(sockets.snapshots()));
        if let Some(others) = env::var_os("KCL_METRICS").filter(|others| !others.is_empty()) {
            output.push(",");
            output.push(others);
        }
        variables.push(("KCL_METRICS", output));
        variables
    }

    /// Notes the name under which the daemon holds leases, and where it keeps them.
    pub(crate) fn work_as(&self, worker: Option<&str>, site: &Site) {
        self.board().work_as(worker, site);
    }

    /// Notes where a shard stands.
    pub(crate) fn reach(&self, shard: &str, stage: Stage) {
        self.board().reach(shard, stage);
    }

    /// Notes that a processor of the shard has started.
    pub(crate) fn started(&self, shard: &str) {
        self.board().started(shard);
    }

    /// Notes that a processor of the shard has ended with this exit code; for a signal, 128 more than its number.
    pub(crate) fn exited(&self, shard: &str, code: Option<i32>) {
        // Its last snapshot was sent before.
        self.catch_up();
        self.board().exited(shard, code);
    }

    /// Provides what the tool sees of the shard's processors, and takes how many retries they report in each snapshot.
    pub(crate) fn watch(
        &self,
        shard: &str,
        seen: impl Fn() -> Seen + Send + 'static,
        retried: impl Fn(u64) + Send + 'static,
    ) {
        self.board().watch(shard, Watcher { seen: Box::new(seen), retried: Box::new(retried) });
    }

    /// Takes the snapshots that were sent before now.
    pub(crate) fn catch_up(&self) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.empty();
        }
    }

    /// Notes what happened to the daemon.
    pub(crate) fn daemon(&self, event: DaemonEvent) {
        self.board().daemon(event);
    }
}

fn listen(Address(address): Address) -> Result<TcpListener, MetricsError> {
    let open = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        io::Result::Ok((listener.local_addr()?, listener))
    };
    let (address, listener) = open().map_err(|error| MetricsError::Listen { address, error })?;
    report::line(format_args!("metrics: http://{address}/metrics"));
    Ok(listener)
}
