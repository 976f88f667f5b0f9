//! The last problem of each shard in the daemon's log that nothing has solved since.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde_json::Value;

use crate::args::shard_id_in;
use crate::daemon_log::{Cause, Context, Event, cause, explain};
use crate::report;

/// The part of a long log that is read: its end.
const MOST: u64 = 64 << 20;
/// The length at which a line is cut, in bytes.
const LONGEST: u64 = 64 << 10;
/// The lines of an exception that are kept. The causes that matter are among them.
const LINES: usize = 200;

/// A problem in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    /// The sentence for it.
    pub(super) text: String,
    /// When it was logged, if the log says so.
    pub(super) time: String,
}

/// The kind of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A handler has been running for a long time.
    Slow,
    Logged(Cause),
}

/// The problems in the logs.
#[derive(Debug, Default)]
pub(super) struct Findings {
    of_shards: BTreeMap<String, Finding>,
    /// A problem that concerns the whole daemon.
    of_all: Option<Finding>,
}

impl Findings {
    /// Reads a log.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub(super) fn read(&mut self, path: &Path, context: &mut Context) -> io::Result<()> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut reader = Reader { findings: self, context, event: None, lines: 0 };
        let skips = length > MOST;
        if skips {
            file.seek(SeekFrom::Start(length - MOST))?;
        }
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        let mut is_part = skips;
        loop {
            line.clear();
            if file.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let is_whole = line.ends_with(b"\n");
            if !std::mem::replace(&mut is_part, !is_whole) {
                reader.line(String::from_utf8_lossy(&line).trim_end());
            }
        }
        reader.flush();
        Ok(())
    }

    /// The problem of a shard, or else the one of the whole daemon.
    pub(super) fn of(&self, shard: &str) -> Option<&Finding> {
        self.of_shards.get(shard).or(self.of_all.as_ref())
    }

    fn note(&mut self, shard: Option<&str>, finding: Finding) {
        match shard {
            Some(shard) => _ = self.of_shards.insert(shard.to_owned(), finding),
            None => self.of_all = Some(finding),
        }
    }
}

/// Reads a log line by line.
struct Reader<'a> {
    findings: &'a mut Findings,
    context: &'a mut Context,
    /// The event whose exception the next lines may belong to.
    event: Option<Event>,
    lines: usize,
}

impl Reader<'_> {
    fn line(&mut self, line: &str) {
        if line.starts_with('{')
            && let Ok(value) = serde_json::from_str::<Value>(line)
            && value["source"].is_string()
        {
            self.flush();
            self.json(&value);
        } else if let Some((shard, said)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            self.flush();
            self.processor(shard, said, "");
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
                let event = Event {
                    time,
                    level: text(&value["level"]).to_uppercase(),
                    logger: text(&fields["logger"]),
                    message: text(&fields["message"]),
                    exception: text(&fields["exception"]),
                };
                self.take(&event);
                // Milestones come without the fields of the event.
                let message = value["message"].as_str().unwrap_or_default();
                if let (true, Some(shard)) = (fields.is_null(), value["shard"].as_str()) {
                    self.progress(shard, message);
                }
            }
            Some("tool") if value["message"] == "the daemon is up" => self.restarted(),
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
        if event.logger == "Scheduler" && event.message.starts_with("Initialization complete") {
            self.restarted();
        }
        if let Some(rest) = event.message.strip_prefix("Received response ")
            && let Some((_, shard)) = rest.rsplit_once(" while processing shard ")
        {
            self.progress(shard, rest);
        }
        let Some(text) = explain(event, self.context) else { return };
        let kind = Kind::Logged(cause(event));
        let all = format!("{}\n{}", event.message, event.exception);
        self.findings.note(shard_id_in(&all), Finding { kind, text, time: event.time.clone() });
    }

    /// Forgets the problem of a shard whose processor has answered. A missing checkpoint at the end of the shard remains a problem.
    fn progress(&mut self, shard: &str, what: &str) {
        let is_end = what.contains("shardEnded") || what == "processed to its end";
        let found = self.findings.of_shards.get(shard).map(|finding| finding.kind);
        if !is_end || found != Some(Kind::Logged(Cause::ShardEnd)) {
            self.findings.of_shards.remove(shard);
        }
    }

    /// Forgets all problems, because the daemon was started again.
    fn restarted(&mut self) {
        *self.findings = Findings::default();
        self.context.restarted();
    }

    /// Takes a line of a processor. `kcl` reports handlers that run for a long time.
    fn processor(&mut self, shard: &str, line: &str, time: &str) {
        self.context.printed(shard);
        let Some((what, time_of_it)) = line.split_once(" has been running for ") else { return };
        let Some((_, what)) = what.split_once(&format!("shard {shard}: ")) else { return };
        let [what, since] = [what, time_of_it].map(report::excerpt);
        let text = format!("its handler {what} has been running for {since}");
        self.findings.note(Some(shard), Finding { kind: Kind::Slow, text, time: time.to_owned() });
    }
}

/// The event that a line of the text form begins: `12:00:00.000 ERROR Logger: message`.
fn event(line: &str) -> Option<Event> {
    let (time, rest) = line.split_at_checked(12)?;
    let is_time = time.bytes().enumerate().all(|(at, byte)| match at {
        2 | 5 => byte == b':',
        8 => byte == b'.',
        _ => byte.is_ascii_digit(),
    });
    let (level, rest) = rest.strip_prefix(' ')?.split_once(' ')?;
    let (logger, message) = rest.trim_start().split_once(": ")?;
    is_time.then(|| Event {
        time: time.to_owned(),
        level: level.to_owned(),
        logger: logger.to_owned(),
        message: message.to_owned(),
        exception: String::new(),
    })
}
