//! Judges the outcome of a scenario. Unless a step says otherwise, the following must hold after it:
//!
//! - The row's checkpoint has not changed, and Amazon's class has not given up.
//! - The processor saw every record that was sent, once, in order and unchanged.
//! - The processor wrote one call of the handler for the message.
//! - The processor is still running, unless the step ends it. Then its exit code is 0, or 1 if Amazon's class gave up.
//!
//! In every scenario, standard output contains only protocol messages, and a processor that exited with 0 was dropped.
//! Processes that it spawned and left running are still running, so they really could have kept a pipe open.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::Outcome;
use crate::report::{Event, Report, Seen, lines};
use crate::scenario::{Act, Anything, Exits, Position, Scenario, Step, expand_marks};

/// The time that an orphaned processor may take to end. The test waits for all of it only if the processor does not end.
const ORPHAN_DEADLINE: Duration = Duration::from_secs(20);

/// Returns a complaint for each difference from the expected outcome.
pub(crate) fn judge(scenario: &Scenario, outcome: &Outcome, folder: &Path) -> Result<Vec<String>, String> {
    let mut verdict = Verdict { scenario, folder, complaints: Vec::new() };
    let judged = match outcome {
        Outcome::Played(report) => verdict.played(report),
        Outcome::DaemonGone(status) => verdict.orphaned(*status),
    };
    // Nothing may be left running, whatever else went wrong.
    verdict.survivors()?;
    judged.map(|()| verdict.complaints)
}

struct Verdict<'a> {
    scenario: &'a Scenario,
    folder: &'a Path,
    complaints: Vec<String>,
}

impl Verdict<'_> {
    fn complain(&mut self, complaint: impl Into<String>) {
        self.complaints.push(complaint.into());
    }

    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, expected: &T, seen: &T) {
        if expected != seen {
            self.complain(format!("{what}: expected {expected:?}, saw {seen:?}"));
        }
    }

    fn played(&mut self, report: &Report) -> Result<(), String> {
        if self.scenario.daemon_exit.is_some() {
            self.complain("the daemon did not end");
        }
        let mut before = Seen::default();
        let mut lease = self.scenario.lease.clone();
        for (index, (step, seen)) in self.scenario.steps.iter().zip(&report.steps).enumerate() {
            let place = format!("step {} ({:?})", index + 1, step.what);
            if seen.hung {
                self.complain(format!("{place} hung, and the processor was killed"));
                break;
            }
            if report.error.is_some() && index + 1 == report.steps.len() {
                break;
            }
            if step.lease.is_some() {
                lease.clone_from(&step.lease);
            }
            self.step(&place, step, &before, seen, lease.as_ref())?;
            lease = step.expect.lease.clone().or(lease);
            before = Seen { out: seen.out, events: seen.events, life: seen.life, ..Seen::default() };
        }
        if let Some(error) = &report.error {
            self.complain(error.clone());
        }
        if report.left_over {
            self.complain("a processor was still running at the end");
        }
        self.standard_output(before.life)?;
        self.standard_error(before.life);
        self.drops(report)
    }

    fn step(
        &mut self,
        place: &str,
        step: &Step,
        before: &Seen,
        seen: &Seen,
        lease: Option<&Position>,
    ) -> Result<(), String> {
        let expect = &step.expect;
        self.compare(&format!("{place}: Amazon's class gave up"), &expect.failed, &seen.gave_up);

        let holds = seen.sequence_number.as_deref().map(|number| Position::new(number, seen.sub_sequence_number));
        let shown = |position: Option<&Position>| position.map(ToString::to_string);
        let wanted = expect.lease.as_ref().or(lease);
        self.compare(&format!("{place}: the row"), &shown(wanted), &shown(holds.as_ref()));

        self.exit(place, step, seen);

        let events: Vec<Event> = lines(&self.folder.join("events.jsonl"), before.events, Some(seen.events))?;
        self.records(place, step, seen, &events);
        self.calls(place, step, seen, &events, lease);
        self.asked(place, step, before, seen)
    }

    fn exit(&mut self, place: &str, step: &Step, seen: &Seen) {
        let ends = matches!(step.what, Act::LeaseLost | Act::ShardEnded | Act::EndOfInput);
        let fine = match &step.expect.exit {
            Some(Anything::Any(_)) => seen.exit.is_some(),
            Some(Anything::Only(Exits::One(code))) => seen.exit == Some(*code),
            Some(Anything::Only(Exits::OneOf(codes))) => seen.exit.is_some_and(|code| codes.contains(&code)),
            None if step.expect.failed => seen.exit == Some(1),
            None if ends => seen.exit == Some(0),
            None => seen.exit.is_none(),
        };
        if !fine {
            self.complain(match seen.exit {
                Some(code) => format!("{place}: the processor exited with {code}"),
                None => format!("{place}: the processor is still running"),
            });
        }
    }

    fn records(&mut self, place: &str, step: &Step, seen: &Seen, events: &[Event]) {
        let saw: Vec<_> = events.iter().filter_map(|event| event.record.as_ref()).collect();
        let by_place: HashMap<_, _> = seen.sent.iter().map(|sent| ((&sent.sequence, sent.sub), sent)).collect();
        for record in &saw {
            let sent = by_place.get(&(&record.sequence, record.sub)).copied();
            if !sent.is_some_and(|sent| record.is(sent, self.scenario.lossy_keys)) {
                self.complain(format!(
                    "{place}: saw a record that differs from the one sent: {record:?}, sent {sent:?}"
                ));
                return;
            }
        }
        let shown = |sequence: &str, sub| Position::new(sequence, sub).to_string();
        let expected: Vec<String> = match &step.expect.saw {
            Some(Anything::Any(_)) => return,
            Some(Anything::Only(positions)) => positions.iter().map(ToString::to_string).collect(),
            None => seen.sent.iter().map(|record| shown(&record.sequence, record.sub)).collect(),
        };
        let saw: Vec<String> = saw.iter().map(|record| shown(&record.sequence, record.sub)).collect();
        if expected != saw {
            self.complain(format!("{place}: records: expected {}, saw {}", short(&expected), short(&saw)));
        }
    }

    fn calls(&mut self, place: &str, step: &Step, seen: &Seen, events: &[Event], lease: Option<&Position>) {
        let batches = self.scenario.processor.contains("records");
        let expected: Vec<String> = match (&step.expect.events, step.what) {
            (Some(Anything::Any(_)), _) => return,
            (Some(Anything::Only(events)), _) => events.iter().map(|event| expand_marks(event)).collect(),
            (None, Act::Initialize) => {
                let position = lease.map_or("unknown".to_owned(), |at| {
                    if at.sub > 0 { format!("{}/{}", at.sequence, at.sub) } else { at.sequence.clone() }
                });
                vec![format!("init {} {position}", step.shard)]
            }
            (None, Act::ProcessRecords) if batches => vec![format!("batch {}", seen.sent.len())],
            (None, Act::ShardEnded) => vec!["shard_end".to_owned()],
            (None, Act::LeaseLost) => vec!["lease_lost".to_owned()],
            (None, Act::ShutdownRequested) => vec!["shutdown_requested".to_owned()],
            (None, Act::ProcessRecords | Act::EndOfInput | Act::Signal) => Vec::new(),
        };
        let saw: Vec<String> =
            events.iter().filter(|event| event.event != "record" && event.event != "drop").map(Event::words).collect();
        self.compare(&format!("{place}: events"), &expected, &saw);

        for event in events.iter().filter(|event| event.event == "record" || event.event == "batch") {
            if event.behind != step.millis_behind_latest {
                self.compare(&format!("{place}: millisBehindLatest"), &step.millis_behind_latest, &event.behind);
                break;
            }
        }
    }

    fn asked(&mut self, place: &str, step: &Step, before: &Seen, seen: &Seen) -> Result<(), String> {
        let from = if before.life == seen.life { before.out } else { 0 };
        let out = self.folder.join(seen.life.to_string()).join("out.jsonl");
        // Lines that are not JSON get a complaint of their own elsewhere.
        let replies: Vec<Value> = lines(&out, from, Some(seen.out)).unwrap_or_default();
        let asked: Vec<String> = replies
            .iter()
            .filter(|message| message["action"] == "checkpoint")
            .map(|message| match message["sequenceNumber"].as_str() {
                None => "null".to_owned(),
                Some(number) => {
                    Position::new(number, message["subSequenceNumber"].as_u64().unwrap_or_default()).to_string()
                }
            })
            .collect();
        if let Some(expected) = &step.expect.asked {
            let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
            self.compare(&format!("{place}: checkpoints asked for"), &expected, &asked);
        }
        if let Some(tries) = &step.expect.tries {
            self.compare(&format!("{place}: attempts to checkpoint"), tries, &asked.len());
        }
        Ok(())
    }

    /// Checks that every line is a message: at best, the daemon skips a line that is not.
    fn standard_output(&mut self, lives: usize) -> Result<(), String> {
        for life in 1..=lives {
            let path = self.folder.join(life.to_string()).join("out.jsonl");
            let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let text = String::from_utf8_lossy(&bytes);
            if !text.is_empty() && !text.ends_with('\n') {
                self.complain("standard output ends without a newline");
            }
            for line in text.lines() {
                if !is_message(line) {
                    self.complain(format!("a line on standard output is not a message: {line:.200}"));
                }
            }
        }
        Ok(())
    }

    fn standard_error(&mut self, lives: usize) {
        let mut text = String::new();
        for life in 1..=lives {
            let path = self.folder.join(life.to_string()).join("err.txt");
            text += &String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default());
        }
        for wanted in &self.scenario.stderr {
            if !text.contains(&expand_marks(wanted)) {
                self.complain(format!("missing on standard error: {wanted}"));
            }
        }
        for unwanted in &self.scenario.stderr_not {
            if text.contains(&expand_marks(unwanted)) {
                self.complain(format!("must not be on standard error: {unwanted}"));
            }
        }
    }

    fn drops(&mut self, report: &Report) -> Result<(), String> {
        let events: Vec<Event> = lines(&self.folder.join("events.jsonl"), 0, None)?;
        let mut left = 0;
        for life in 1..=report.steps.last().map_or(0, |seen| seen.life) {
            let ended = report.steps.iter().filter(|seen| seen.life == life).find_map(|seen| seen.exit);
            left += usize::from(ended == Some(0));
        }
        let drops = events.iter().filter(|event| event.event == "drop").count();
        let begun = events.iter().filter(|event| event.event == "init").count();
        if drops < left.min(begun) {
            self.complain(format!("only {drops} of the {left} processors that exited with 0 were dropped"));
        }
        Ok(())
    }

    /// Checks that the processor ends by itself after the death of the daemon.
    fn orphaned(&mut self, status: ExitStatus) -> Result<(), String> {
        if status.code() != self.scenario.daemon_exit {
            self.complain(format!("the daemon ended with {status}"));
        }
        let path = self.folder.join("events.jsonl");
        let begun: Vec<Event> = lines(&path, 0, None)?;
        for pid in begun.iter().filter(|event| event.event == "init").filter_map(|event| event.pid) {
            let deadline = Instant::now() + ORPHAN_DEADLINE;
            while is_running(pid) {
                if Instant::now() > deadline {
                    self.complain("the processor outlived the daemon");
                    kill(pid)?;
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let events: Vec<Event> = lines(&path, 0, None)?;
        let drops = events.iter().filter(|event| event.event == "drop").count();
        self.compare("processors dropped", &begun.iter().filter(|event| event.event == "init").count(), &drops);
        if let Some(Anything::Only(expected)) = self.scenario.steps.last().and_then(|step| step.expect.saw.as_ref()) {
            let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
            let saw: Vec<String> = events
                .iter()
                .filter_map(|event| event.record.as_ref())
                .map(|record| Position::new(&record.sequence, record.sub).to_string())
                .collect();
            self.compare("records", &expected, &saw);
        }
        Ok(())
    }

    fn survivors(&mut self) -> Result<(), String> {
        let events: Vec<Event> = lines(&self.folder.join("events.jsonl"), 0, None)?;
        for pid in events.iter().filter(|event| event.event == "spawned").filter_map(|event| event.pid) {
            if is_running(pid) {
                kill(pid)?;
            } else {
                self.complain("a process that the processor spawned was not running any more");
            }
        }
        Ok(())
    }
}

/// Whether the daemon would take a line as a message: it skips a line with an unknown key.
fn is_message(line: &str) -> bool {
    let Ok(Value::Object(message)) = serde_json::from_str(line) else {
        return false;
    };
    let keys: &[&str] = match message.get("action").and_then(Value::as_str) {
        Some("status") => &["action", "responseFor"],
        Some("checkpoint") => &["action", "sequenceNumber", "subSequenceNumber", "error"],
        _ => return false,
    };
    message.keys().all(|key| keys.contains(&key.as_str()))
}

/// Whether a process with this id exists and has not ended.
fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.starts_with(" Z")))
}

fn kill(pid: u32) -> Result<(), String> {
    Command::new("kill")
        .args(["-s", "KILL", &pid.to_string()])
        .status()
        .map(drop)
        .map_err(|error| format!("kill: {error}"))
}

fn short(list: &[String]) -> String {
    match list {
        [first, .., last] if list.len() > 20 => format!("{} from {first} to {last}", list.len()),
        _ => format!("{list:?}"),
    }
}
