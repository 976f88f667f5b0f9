//! The part of the daemon's log that people see: the processors' stderr, the milestones of shards, each problem once, and
//! explanations.

use std::collections::HashMap;
use std::fmt::Display;
use std::iter;
use std::path::Path;
use std::process::ExitStatus;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::DaemonError;
use super::log_file::LogFile;
use super::troubles::Troubles;
use crate::args::shard_id_in;
use crate::daemon_log::{Context, Event, Events, IS_UP, LAUNCHER, STARTING, explain, long_call};
use crate::metrics::{DaemonEvent, Metrics, Site, Stage};
use crate::properties::Properties;
use crate::report::{self, Level, Message, Prefix, Source, Speaker};

/// Warnings that every healthy daemon logs.
const HARMLESS: [&str; 1] = ["Did not find an operating range metadata provider"];

/// The length in bytes at which a message of the daemon is cut. The rest does not help.
const LONGEST: usize = 300;
/// The number of kinds of problems that are told apart. With more of them, all are shown again.
const MOST_KINDS: usize = 1_000;

/// The description of a worker in its log, by which `cargo kcl why` knows where it keeps its leases.
#[derive(Debug, Serialize)]
pub(crate) struct Identity<'a> {
    pub(crate) application: &'a str,
    pub(crate) stream: &'a str,
    pub(crate) worker: Option<&'a str>,
    #[serde(flatten)]
    pub(crate) site: Site,
}

/// Reads the daemon's two outputs and shows the important part.
pub(crate) struct Log {
    verbose: bool,
    context: Context,
    file: Option<LogFile>,
    /// The description of the worker.
    identity: Option<Box<RawValue>>,
    events: Events,
    /// Lines of processors that came in the log and not yet on stderr. Each line comes on both.
    echoes: HashMap<String, usize>,
    /// The number of times that each kind of problem occurred.
    problems: HashMap<String, u64>,
    /// The number of problems that were not shown, because others of their kind were.
    folded: u64,
    /// Explanations that were given, because each is given once.
    explained: Vec<Explained>,
    /// The shards that have had records.
    with_records: Vec<String>,
    /// The known problems and the slow handlers that were shown.
    troubles: Troubles,
    stopping: bool,
    metrics: Metrics,
}

/// An explanation that was given, and the event that it explains, unless that is long.
struct Explained {
    text: String,
    event: Option<Event>,
}

/// The most bytes of an event to keep.
const KEPT: usize = 64 << 10;

impl Explained {
    fn new(text: String, event: &Event) -> Self {
        let is_short = event.message.len() + event.exception.len() <= KEPT;
        Self { text, event: is_short.then(|| event.clone()) }
    }

    /// The explanation as it is now. A processor's output may have arrived after the event.
    fn now(&self, context: &Context) -> String {
        let now = self.event.as_ref().and_then(|event| explain(event, context));
        now.unwrap_or_else(|| self.text.clone())
    }
}

impl Log {
    /// Creates the log. Everything also goes to the file, if there is one.
    pub(crate) fn open(
        verbose: bool,
        path: Option<&Path>,
        properties: &Properties,
        identity: &Identity<'_>,
        metrics: Metrics,
    ) -> Result<Self, DaemonError> {
        let failed = |path: &Path, error| DaemonError::Log { path: path.to_owned(), error };
        let file = path.map(|path| LogFile::open(path).map_err(|error| failed(path, error))).transpose()?;
        let mut log = Self {
            verbose,
            context: Context::new(properties),
            file,
            identity: to_raw_value(identity).ok(),
            events: Events::default(),
            echoes: HashMap::new(),
            problems: HashMap::new(),
            folded: 0,
            explained: Vec::new(),
            with_records: Vec::new(),
            troubles: Troubles::default(),
            stopping: false,
            metrics,
        };
        log.begin();
        Ok(log)
    }

    /// Writes the description of the worker to the file, in the form of an event.
    fn begin(&mut self) {
        if let Some(identity) = &self.identity {
            let time = humantime::format_rfc3339_millis(SystemTime::now());
            let line = format!("{time} INFO  {LAUNCHER}: {STARTING}{identity}");
            self.write(&line);
        }
    }

    /// Handles a line of the daemon's stdout, which is its log.
    pub(crate) fn output(&mut self, line: &str) {
        let Some(event) = self.events.line(line) else { return };
        if let Some((line, shard)) = processor_line(&event) {
            *self.echoes.entry(line.to_owned()).or_default() += 1;
            self.context.printed(shard, line);
            if long_call(shard, line).is_some() {
                self.troubles.note(Some(shard), []);
            }
            self.write(&format!("{} [{shard}] {line}", event.time));
            let speaker = Speaker { source: Source::Processor, prefix: prefix(shard), shard: Some(shard.to_owned()) };
            report::pass_on(speaker, line);
            return;
        }
        self.write(&full(&event));
        self.measure(&event);
        let explanation = explain(&event, &self.context);
        let is_known = explanation.is_some();
        let mut shown = Vec::new();
        if self.verbose && event.level.is_empty() {
            report::pass_on(java(), &event.message);
        } else if self.verbose {
            whole(&event).print();
        } else if !is_known || event.level != "INFO" {
            shown.extend(self.show(&event));
        }
        shown.extend(self.report_once(explanation, &event));
        // Explanations at INFO are of lines that a processor prints, and it answers after them.
        if is_known && event.level != "INFO" && !shown.is_empty() {
            self.troubles.note(shard_id_in(&format!("{}\n{}", event.message, event.exception)), shown);
        }
    }

    /// Passes on to the metrics what the log says about the daemon and its shards.
    fn measure(&self, event: &Event) {
        if event.logger == "Scheduler" && event.message.starts_with("Initialization complete") {
            self.metrics.daemon(DaemonEvent::Up);
        }
        // Each is logged now and then.
        if event.message.starts_with("No activities assigned") || event.message.contains(", leasesOwned=0,") {
            self.metrics.daemon(DaemonEvent::Idle);
        }
        let Some((waited_for, shard)) = answered(event) else { return };
        match waited_for {
            "initialize" => self.metrics.started(shard),
            "shardEnded" => self.metrics.reach(shard, Stage::Ended),
            "leaseLost" => self.metrics.reach(shard, Stage::Lost),
            "shutdownRequested" => self.metrics.reach(shard, Stage::Stopped),
            _ => {}
        }
    }

    /// Reports the explanation of an event, unless it was reported before. Returns it if it was reported now.
    fn report_once(&mut self, explanation: Option<String>, event: &Event) -> Option<String> {
        let is_new = |text: &String| self.explained.iter().all(|known| known.text != *text);
        let new = explanation.filter(|text| !self.stopping && is_new(text))?;
        report::error(&new);
        self.explained.push(Explained::new(new.clone(), event));
        Some(new)
    }

    /// Handles a line of the daemon's stderr: a processor's line that was in the log already, or Java's own.
    pub(crate) fn error(&mut self, line: &str) {
        if let Some(count) = self.echoes.get_mut(line) {
            *count -= 1;
            if *count == 0 {
                self.echoes.remove(line);
            }
            return;
        }
        self.write(line);
        // Indented lines are stack frames or the daemon's usage. They do not name the problem.
        if self.verbose || !line.starts_with(char::is_whitespace) && !line.is_empty() {
            report::pass_on(java(), line);
        }
        let event = Event { level: "ERROR".to_owned(), message: line.to_owned(), ..Event::default() };
        let explanation = explain(&event, &self.context);
        self.report_once(explanation, &event);
    }

    /// Marks the daemon as stopping. It logs problems about everything that stops with it, and those are not shown.
    pub(crate) fn stopping(&mut self) {
        self.stopping = true;
    }

    /// Starts anew for a daemon that was restarted.
    pub(crate) fn restarted(&mut self) {
        self.events = Events::default();
        self.echoes.clear();
        self.problems.clear();
        self.folded = 0;
        self.explained.clear();
        self.with_records.clear();
        self.troubles = Troubles::default();
        self.context.restarted();
        self.begin();
    }

    /// Reports the daemon's end, with a summary.
    pub(crate) fn finish(&mut self, status: ExitStatus) {
        if self.folded > 0 {
            report::line(format_args!(
                "{} of the daemon not shown; -v shows them all",
                report::count(self.folded, "repeated message")
            ));
        }
        if self.stopping {
            report::line("the daemon has ended");
        } else if self.explained.is_empty() {
            report::error(format_args!("the daemon gave up ({status}); -v or --log FILE shows its full log"));
        } else {
            let mut causes: Vec<String> = Vec::new();
            for cause in self.explained.iter().map(|known| known.now(&self.context)) {
                if !causes.contains(&cause) {
                    causes.push(cause);
                }
            }
            report::error(format_args!("the daemon gave up ({status}): {}", causes.join("; ")));
        }
    }

    fn write(&mut self, text: &str) {
        if let Some(file) = &mut self.file {
            file.line(&report::escaped_lines(text));
        }
    }

    /// Shows what is important in an event. Returns the kind of the problem, if it shows one.
    fn show(&mut self, event: &Event) -> Option<String> {
        if let Some((what, shard)) = self.milestone(event) {
            Message::from(Source::Daemon, Level::Info, prefix(&shard), what).of(shard).print();
            return None;
        }
        if event.level.is_empty() {
            report::pass_on(java(), &event.message);
            return None;
        }
        let harmless = HARMLESS.iter().any(|known| event.message.starts_with(known));
        if self.stopping || harmless || !matches!(event.level.as_str(), "WARN" | "ERROR") {
            return None;
        }
        let causes: Vec<_> = event.causes().collect();
        let first_line = event.message.lines().next().unwrap_or_default();
        let kind = kind(first_line, &causes);
        if self.problems.len() >= MOST_KINDS && !self.problems.contains_key(&kind) {
            self.problems.clear();
        }
        let times = self.problems.entry(kind.clone()).or_default();
        *times += 1;
        if *times == 1 {
            let word = event.level.to_lowercase();
            message(event, format_args!("{word}: {}: {}", event.logger, shortened(first_line)))
                .with(causes.into_iter().map(|cause| format!("      {}", shortened(cause))))
                .print();
        } else if times.is_power_of_two() && *times >= 16 {
            message(event, format_args!("{}: {} ({times} times)", event.logger, shortened(first_line))).print();
        } else {
            self.folded += 1;
            return None;
        }
        Some(kind)
    }

    /// The event in the life of a shard that this log event reports, and the shard.
    fn milestone(&mut self, event: &Event) -> Option<(&'static str, String)> {
        match event.logger.as_str() {
            "Scheduler" if event.message.starts_with("Initialization complete") => {
                Message::new(Level::Info, IS_UP).with_fields(&self.identity).print();
                None
            }
            "MultiLangProtocol" => {
                let (waited_for, shard) = answered(event)?;
                let shard = shard.to_owned();
                let was_troubled = waited_for == "processRecords" && self.answers_again(&shard, &event.time);
                let what = match waited_for {
                    "initialize" => "started",
                    "processRecords" if !self.with_records.contains(&shard) => {
                        self.with_records.push(shard.clone());
                        "first records processed"
                    }
                    // Otherwise nobody who reads the log would know that the problem is over.
                    "processRecords" if was_troubled => "answers again",
                    "shardEnded" => "processed to its end",
                    "leaseLost" if !self.stopping => "lease lost or given up",
                    "shutdownRequested" if !self.stopping => "shut down, for its handover",
                    _ => return None,
                };
                Some((what, shard))
            }
            _ => None,
        }
    }

    /// Whether a problem is over, and people are to know it, now that a processor of this shard has answered. If so, the problem is
    /// shown when it occurs again: otherwise the log of a shard that is stuck would end with its answer.
    fn answers_again(&mut self, shard: &str, time: &str) -> bool {
        let time = humantime::parse_rfc3339(time).unwrap_or_else(|_| SystemTime::now());
        let Some(over) = self.troubles.answered(shard, time) else { return false };
        self.problems.retain(|kind, _| !over.contains(kind));
        self.explained.retain(|known| !over.contains(&known.text));
        true
    }
}

/// The kind of a problem. Occurrences of the same problem differ only in numbers, in the shard and in the id of a request.
fn kind(first_line: &str, causes: &[&str]) -> String {
    let parts = iter::once(first_line).chain(causes.iter().copied());
    let texts = parts.map(|text| text.split("Request ID").next().unwrap_or_default());
    let same = |text: &str| text.chars().filter(|c| !c.is_ascii_hexdigit()).take(LONGEST).collect::<String>();
    texts.map(same).collect::<Vec<_>>().join("\n")
}

/// The message that a processor has answered, and its shard, if the event reports that.
fn answered(event: &Event) -> Option<(&str, &str)> {
    if event.logger != "MultiLangProtocol" {
        return None;
    }
    let (what, shard) = event.message.strip_prefix("Received response ")?.rsplit_once(" while processing shard ")?;
    let (_, waited_for) = what.rsplit_once(" while waiting for ")?;
    Some((waited_for, shard))
}

/// The prefix of a shard's lines.
fn prefix(shard: &str) -> Prefix {
    let sum = shard.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    Prefix::Label(shard.to_owned(), sum)
}

/// Java itself, as opposed to the daemon's log.
fn java() -> Speaker {
    Speaker::new(Source::Java, Prefix::Name("java"))
}

/// A message of the daemon, with the fields of this event.
fn message(event: &Event, text: impl Display) -> Message {
    let level = match event.level.as_str() {
        "ERROR" => Level::Error,
        "WARN" => Level::Warn,
        "DEBUG" => Level::Debug,
        "TRACE" => Level::Trace,
        _ => Level::Info,
    };
    let Event { logger, message, exception, .. } = event;
    Message::from(Source::Daemon, level, Prefix::Name("daemon"), text)
        .with_fields(&json!({ "logger": logger, "message": message, "exception": exception }))
}

/// A whole event: the lines of its message and of its exception.
fn whole(event: &Event) -> Message {
    let mut lines = event.message.lines();
    let first = lines.next().unwrap_or_default();
    let text = format!("{} {:5} {}: {first}", event.time, event.level, event.logger);
    message(event, text).with(lines.chain(event.exception.lines()).map(|line| line.replace('\t', "  ")))
}

fn shortened(text: &str) -> String {
    report::shortened(text, LONGEST)
}

/// A line that a processor wrote to its stderr, and its shard.
fn processor_line(event: &Event) -> Option<(&str, &str)> {
    if event.logger != "DrainChildSTDERRTask" {
        return None;
    }
    event.message.strip_prefix("Received error line from subprocess [")?.rsplit_once("] for shard ")
}

fn full(event: &Event) -> String {
    if event.level.is_empty() {
        return event.message.clone();
    }
    let end = if event.exception.is_empty() { "" } else { "\n" };
    format!("{} {:5} {}: {}{end}{}", event.time, event.level, event.logger, event.message, event.exception)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_that_arrives_after_an_explanation_is_in_the_last_one() {
        let end = "Reached end of STDIN of child process for shard shardId-000000000003 so";
        for (length, expected) in [(0, "its last report is `processRecords failed`"), (KEPT, "as it was")] {
            let message = end.to_owned() + &" ".repeat(length);
            let event = Event { level: "ERROR".to_owned(), message, ..Event::default() };
            let explained = Explained::new("as it was".to_owned(), &event);
            let mut context = Context::new(&Properties::default());
            context.printed("shardId-000000000003", "kcl: processRecords failed");
            assert!(explained.now(&context).contains(expected), "{}", explained.now(&context));
        }
    }
}
