//! The last problem of each shard in the daemons' logs that nothing has solved since.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use kcl::Position;
use serde::Deserialize as _;
use serde_json::Value;

use crate::args::shard_id_in;
use crate::daemon_log::{Cause, Context, Event, IS_UP, LAUNCHER, STARTING, cause, explain, long_call};
use crate::lease_table::is_before;
use crate::metrics::Site;
use crate::report;

/// The part of a long log that is read: its end.
const MOST: u64 = 64 << 20;
/// The length at which a line is cut, in bytes.
const LONGEST: u64 = 64 << 10;
/// The lines of an exception that are kept. The causes that matter are among them.
const LINES: usize = 200;
/// The time that a processor may take to report a long-running handler again, in addition to the handler's time.
const MARGIN: Duration = Duration::from_secs(60);

/// A problem in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    /// The sentence for it.
    pub(super) text: String,
    /// When it was logged, if the log says so.
    pub(super) time: Option<SystemTime>,
}

/// The kind of a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A handler has been running for a long time.
    Slow {
        /// The last record that it works on, if it works on records.
        record: Option<Position>,
        /// How long it had been running.
        ran: Option<Duration>,
    },
    Logged(Cause),
}

impl Finding {
    /// Whether it is about a record that a checkpoint has passed.
    pub(super) fn is_passed(&self, checkpoint: &Position) -> bool {
        let Kind::Slow { record: Some(record), .. } = &self.kind else { return false };
        matches!(checkpoint, Position::After { .. }) && is_before(checkpoint, record) == Some(false)
    }

    /// Whether it is about a handler that cannot be running any more, because `kcl` reports it again after twice its time.
    pub(super) fn is_over(&self, now: SystemTime) -> bool {
        let (Kind::Slow { ran: Some(ran), .. }, Some(time)) = (&self.kind, self.time) else { return false };
        now.duration_since(time).is_ok_and(|since| since > *ran * 2 + MARGIN)
    }
}

/// The problems in the logs.
#[derive(Debug, Default)]
pub(super) struct Findings {
    logs: Vec<Log>,
}

/// The problems in a log.
#[derive(Debug, Default)]
struct Log {
    path: PathBuf,
    /// Where the worker keeps its leases, if the log says so.
    site: Option<Site>,
    shards: BTreeMap<String, Last>,
    /// A problem that concerns the whole daemon.
    all: Option<Finding>,
}

/// The end of a log as far as a shard is concerned.
#[derive(Debug, Default)]
struct Last {
    /// When the log last mentioned the shard.
    time: Option<SystemTime>,
    problem: Option<Finding>,
}

impl Findings {
    /// Reads a log, in addition to those that were read before. It goes on in this file after the one that the launcher has renamed.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub(super) fn read(&mut self, path: &Path, context: Context) -> io::Result<()> {
        let file = File::open(path)?;
        let log = Log { path: path.to_owned(), ..Log::default() };
        let mut reader = Reader { log, context, event: None, lines: 0 };
        let mut before = path.as_os_str().to_owned();
        before.push(".1");
        if let Ok(before) = File::open(before) {
            // Many logs have none, and the file of another program may be anything.
            _ = reader.file(before, MOST.saturating_sub(file.metadata()?.len()));
        }
        reader.file(file, MOST)?;
        reader.flush();
        self.logs.push(reader.log);
        Ok(())
    }

    /// Where the workers of the logs keep their leases, as far as the logs say so.
    pub(super) fn sites(&self) -> impl Iterator<Item = (&Path, &Site)> {
        self.logs.iter().filter_map(|log| Some((log.path.as_path(), log.site.as_ref()?)))
    }

    /// Forgets the logs of workers that certainly keep their leases elsewhere.
    pub(super) fn forget_elsewhere(&mut self, here: &Site) {
        self.logs.retain(|log| !log.site.as_ref().is_some_and(|site| site.differs(here)));
    }

    /// The problem of a shard in the log that mentioned the shard last, or else the one of that whole daemon. For a shard that no log
    /// mentions, the last problem of a whole daemon.
    pub(super) fn of(&self, shard: &str) -> Option<&Finding> {
        let logs = self.logs.iter().filter_map(|log| Some((log, log.shards.get(shard)?)));
        match logs.max_by_key(|(_, last)| last.time) {
            Some((log, last)) => last.problem.as_ref().or(log.all.as_ref()),
            None => self.logs.iter().filter_map(|log| log.all.as_ref()).max_by_key(|finding| finding.time),
        }
    }
}

impl Log {
    fn note(&mut self, shard: Option<&str>, finding: Finding) {
        match shard {
            Some(shard) => {
                _ = self.shards.insert(shard.to_owned(), Last { time: finding.time, problem: Some(finding) });
            }
            None => self.all = Some(finding),
        }
    }

    /// Forgets the problems that are solved when a processor has answered. A missing checkpoint at the end of the shard is not.
    fn progress(&mut self, shard: &str, time: Option<SystemTime>, is_end: bool) {
        let last = self.shards.entry(shard.to_owned()).or_default();
        let remains = |finding: &Finding| is_end && finding.kind == Kind::Logged(Cause::ShardEnd);
        *last = Last { time, problem: last.problem.take().filter(remains) };
        self.all = None;
    }

    /// Forgets all problems, because the daemon was started again.
    fn restarted(&mut self) {
        self.shards.values_mut().for_each(|last| last.problem = None);
        self.all = None;
    }
}

/// Reads a log line by line.
struct Reader {
    log: Log,
    context: Context,
    /// The event whose exception the next lines may belong to.
    event: Option<Event>,
    lines: usize,
}

impl Reader {
    /// Reads the end of a file, at most as many bytes as this.
    fn file(&mut self, mut file: File, most: u64) -> io::Result<()> {
        let length = file.metadata()?.len();
        let skips = length > most;
        if skips {
            file.seek(SeekFrom::Start(length - most))?;
        }
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        let mut is_part = skips;
        loop {
            line.clear();
            if file.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let is_whole = line.ends_with(b"\n");
            if !std::mem::replace(&mut is_part, !is_whole) {
                self.line(String::from_utf8_lossy(&line).trim_end());
            }
        }
    }

    fn line(&mut self, line: &str) {
        if line.starts_with('{')
            && let Ok(value) = serde_json::from_str::<Value>(line)
            && value["source"].is_string()
        {
            self.flush();
            self.json(&value);
        } else if let Some((time, shard, said)) = processor_line(line) {
            self.flush();
            self.processor(shard, said, time);
        } else if let Some(event) = event(line) {
            self.flush();
            self.event = Some(event);
            self.lines = 0;
        } else if let Some(event) = &mut self.event
            && self.lines < LINES
        {
            self.lines += 1;
            event.exception.push_str(line);
            event.exception.push('\n');
        }
    }

    /// Takes an object of `--log-format json`.
    fn json(&mut self, value: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let time = text(&value["time"]);
        match value["source"].as_str() {
            Some("processor") => {
                self.processor(value["shard"].as_str().unwrap_or_default(), &text(&value["message"]), &time);
            }
            Some("daemon") => {
                let fields = &value["fields"];
                let message = value["message"].as_str().unwrap_or_default();
                // Milestones come without the fields of the event.
                if let (true, Some(shard)) = (fields.is_null(), value["shard"].as_str()) {
                    self.log.progress(shard, parse(&time), message == "processed to its end");
                    return;
                }
                self.take(&Event {
                    time,
                    level: text(&value["level"]).to_uppercase(),
                    logger: text(&fields["logger"]),
                    message: text(&fields["message"]),
                    exception: text(&fields["exception"]),
                });
            }
            Some("tool") if value["message"] == IS_UP => {
                self.log.site = Site::deserialize(&value["fields"]).ok().or(self.log.site.take());
                self.restarted();
            }
            _ => {}
        }
    }

    /// Takes the event that is complete now.
    fn flush(&mut self) {
        if let Some(event) = self.event.take() {
            self.take(&event);
        }
    }

    fn take(&mut self, event: &Event) {
        if event.logger == LAUNCHER
            && let Some(start) = event.message.strip_prefix(STARTING)
        {
            self.log.site = serde_json::from_str(start).ok();
        }
        if event.logger == "Scheduler" && event.message.starts_with("Initialization complete") {
            self.restarted();
        }
        if let Some(rest) = event.message.strip_prefix("Received response ")
            && let Some((what, shard)) = rest.rsplit_once(" while processing shard ")
        {
            self.log.progress(shard, parse(&event.time), what.contains("shardEnded"));
        }
        let Some(text) = explain(event, &self.context) else { return };
        let all = format!("{}\n{}", event.message, event.exception);
        let finding = Finding { kind: Kind::Logged(cause(event)), text, time: parse(&event.time) };
        self.log.note(shard_id_in(&all), finding);
    }

    fn restarted(&mut self) {
        self.log.restarted();
        self.context.restarted();
    }

    /// Takes a line of a processor. `kcl` reports handlers that run for a long time.
    fn processor(&mut self, shard: &str, line: &str, time: &str) {
        self.context.printed(shard, line);
        let Some((what, ran)) = long_call(shard, line) else { return };
        let kind = Kind::Slow { record: record(what), ran: time_in(ran) };
        let [what, ran] = [what, ran].map(report::excerpt);
        let text = format!("its handler {what} has been running for {ran}");
        self.log.note(Some(shard), Finding { kind, text, time: parse(time) });
    }
}

/// The last record in the report of a long-running handler.
fn record(what: &str) -> Option<Position> {
    let number = match what.split_once(" at record ") {
        Some((_, rest)) => rest.split([' ', ',']).next()?,
        None => what.split_once(" in a batch of ")?.1.rsplit(' ').next()?,
    };
    let (number, sub) = number.split_once('/')?;
    Some(Position::after(number.parse().ok()?, sub.parse().ok()?))
}

/// The time in the report of a long-running handler, such as `120s`.
fn time_in(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    humantime::parse_duration(&text[..end]).ok()
}

fn parse(time: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(time).ok()
}

/// The time, the shard and the text of a processor's line in the text form: `2026-01-31T12:00:00.000Z [shard] text`.
fn processor_line(line: &str) -> Option<(&str, &str, &str)> {
    let (time, rest) = line.split_once(" [")?;
    let (shard, said) = rest.split_once("] ")?;
    parse(time).map(|_| (time, shard, said))
}

/// The event that a line of the text form begins: `2026-01-31T12:00:00.000Z ERROR Logger: message`.
fn event(line: &str) -> Option<Event> {
    let (time, rest) = line.split_once(' ')?;
    let (level, rest) = rest.split_once(' ')?;
    let (logger, message) = rest.trim_start().split_once(": ")?;
    parse(time).map(|_| Event {
        time: time.to_owned(),
        level: level.to_owned(),
        logger: logger.to_owned(),
        message: message.to_owned(),
        exception: String::new(),
    })
}
