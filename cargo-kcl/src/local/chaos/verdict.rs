//! The verdict of a run with chaos.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use serde::Serialize;

use super::ledger::{Breaches, Promise, Seen};
use super::{Chaos, Fault, Trial};
use crate::report::{self, Level, Message};

/// How many breaches of a promise are shown.
const SHOWN: usize = 3;

/// The faults that were injected, and the promises that held.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdict {
    seed: u64,
    messages: u64,
    lives: u64,
    /// How many times each fault occurred.
    faults: BTreeMap<String, u64>,
    /// Processors that ended by themselves after a checkpoint was refused.
    gave_up: u64,
    promises: Vec<Judged>,
    /// Whether the verdict is incomplete, because the run was interrupted or its input could not be read.
    unfinished: bool,
    /// The command that repeats the run.
    repeat: String,
}

/// A promise, and whether it held.
#[derive(Debug, Serialize)]
struct Judged {
    promise: String,
    /// Null if the run ended before that was known.
    held: Option<bool>,
    breaches: u64,
    examples: Vec<String>,
}

impl Verdict {
    /// The verdict on all shards, each with a description of its outcome.
    pub(crate) fn new(chaos: &Chaos, trials: Vec<(Box<Trial>, String)>, unfinished: bool) -> Self {
        let mut breaches: BTreeMap<Promise, Breaches> = BTreeMap::new();
        let mut seen = Seen::default();
        let mut faults = BTreeMap::new();
        let (mut messages, mut lives, mut gave_up, mut restarts) = (0, 0, 0, 0);
        for (mut trial, outcome) in trials {
            if !unfinished {
                trial.ledger.close(format_args!("{outcome}"));
            }
            for (promise, other) in &trial.ledger.breaches {
                let all = breaches.entry(*promise).or_default();
                all.count += other.count;
                all.shown.extend(other.shown.iter().map(|shown| report::bounded(shown).into_owned()));
                all.shown.truncate(SHOWN);
            }
            seen.deliveries += trial.ledger.seen.deliveries;
            seen.checkpoints += trial.ledger.seen.checkpoints;
            seen.settled += trial.ledger.seen.settled;
            messages += trial.number;
            lives += trial.lives;
            restarts += trial.lives.saturating_sub(1);
            gave_up += trial.gave_up;
            for fault in Fault::all() {
                *faults.entry(fault.to_string()).or_default() += trial.hits[fault as usize];
            }
        }
        let changes = chaos.reshard.to_string();
        *faults.entry(Fault::Reshard.to_string()).or_default() += changes.matches('@').count() as u64;
        if seen.settled != chaos.records && !unfinished {
            let all = breaches.entry(Promise::Delivered).or_default();
            all.count += u64::from(all.count == 0);
            let what = format!("{} of {} were processed", seen.settled, report::count(chaos.records, "record"));
            all.shown.push(what);
        }
        let promises = [Promise::Delivered, Promise::Order, Promise::Resumes, Promise::NotPast, Promise::NotBack];
        let judged = |promise| {
            let Breaches { count, shown } = breaches.remove(&promise).unwrap_or_default();
            let needs_the_end = promise == Promise::Delivered;
            let promise = in_words(promise, &seen, chaos.records, restarts);
            let is_open = unfinished && needs_the_end && count == 0;
            Judged { promise, held: (!is_open).then_some(count == 0), breaches: count, examples: shown }
        };
        Self {
            seed: chaos.schedule.seed,
            messages,
            lives,
            faults,
            gave_up,
            promises: promises.map(judged).into(),
            unfinished,
            repeat: repeat(std::env::args_os().skip(1)),
        }
    }

    /// Each promise in words, whether it held, if that is known, and how often it was broken.
    pub(crate) fn promises(&self) -> impl Iterator<Item = (&str, Option<bool>, u64)> {
        self.promises.iter().map(|judged| (&*judged.promise, judged.held, judged.breaches))
    }

    /// The faults that occurred, and how often.
    pub(crate) fn faults(&self) -> impl Iterator<Item = (&str, u64)> {
        self.faults.iter().filter(|(_, hits)| **hits > 0).map(|(fault, hits)| (&**fault, *hits))
    }

    /// The number that the faults were drawn from.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether no promise was broken.
    pub(crate) fn held(&self) -> bool {
        self.promises.iter().all(|judged| judged.held != Some(false))
    }
}

fn in_words(promise: Promise, seen: &Seen, records: u64, restarts: u64) -> String {
    let Seen { deliveries, checkpoints, settled } = *seen;
    match promise {
        Promise::Delivered => format!(
            "every record was delivered at least once, and acknowledged or checkpointed: {settled} of {records}"
        ),
        Promise::Order => {
            let deliveries = report::count(deliveries, "delivery");
            format!(
                "records were delivered in the order of their shard: {deliveries}, completed or not (the table counts only \
                 the completed ones)"
            )
        }
        Promise::Resumes => format!(
            "after a restart, delivery resumed right after the checkpoint: {}",
            report::count(restarts, "restart")
        ),
        Promise::NotPast => format!(
            "no checkpoint was requested past the last record delivered: {}",
            report::count(checkpoints, "request")
        ),
        Promise::NotBack => {
            format!("no checkpoint was requested before the previous one: {}", report::count(checkpoints, "request"))
        }
    }
}

impl Verdict {
    /// The verdict for people.
    pub(crate) fn message(&self) -> Message {
        let faults: Vec<_> = Fault::all()
            .filter_map(|fault| {
                let hits = self.faults.get(&fault.to_string()).filter(|hits| **hits > 0)?;
                Some(format!("{fault} {hits}"))
            })
            .collect();
        let level = if self.held() { Level::Info } else { Level::Error };
        let text = format!(
            "chaos {}: {} to {}; {}",
            self.seed,
            report::count(self.messages, "message"),
            report::count(self.lives, "process"),
            if faults.is_empty() { "no fault occurred".to_owned() } else { faults.join(", ") },
        );
        Message::result(level, text).with(self.lines()).with_fields(self)
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.gave_up > 0 {
            lines.push(format!(
                "{} ended with an error after a checkpoint was refused; in production, the MultiLangDaemon would end the whole worker",
                report::count(self.gave_up, "process")
            ));
        }
        for judged in &self.promises {
            let word = match judged.held {
                Some(true) => "held  ",
                Some(false) => "BROKEN",
                None => "open  ",
            };
            let times = match judged.breaches {
                0 | 1 => String::new(),
                breaches => format!("; broken {breaches} times"),
            };
            lines.push(format!("{word}  {}{times}", judged.promise));
            lines.extend(judged.examples.iter().map(|example| format!("          {example}")));
        }
        if self.unfinished {
            lines.push("The run did not reach its end, so this verdict is incomplete.".to_owned());
        }
        if !self.held() {
            lines.push(format!("To repeat this run: {}", self.repeat));
        }
        lines
    }
}

/// The command line of this run, quoted so that it can be pasted. It leaves out --record, because the recording already exists.
fn repeat(arguments: impl Iterator<Item = OsString>) -> String {
    let mut arguments = arguments.skip_while(|argument| argument == "kcl");
    let mut command = "cargo kcl".to_owned();
    let mut add = |argument: &OsStr| command.extend([" ", &report::quoted(&argument.to_string_lossy())]);
    while let Some(argument) = arguments.next() {
        match argument.as_encoded_bytes() {
            b"--record" => _ = arguments.next(),
            option if option.starts_with(b"--record=") => {}
            b"--" => {
                add(&argument);
                break;
            }
            _ => add(&argument),
        }
    }
    arguments.for_each(|argument| add(&argument));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_and_run_again() {
        for (given, again) in [
            ("kcl local --input|my file|--chaos 7", "local --input 'my file' --chaos 7"),
            ("local --record|a b|--chaos 7 -- p --record x", "local --chaos 7 -- p --record x"),
            ("local --record=a --chaos 7", "local --chaos 7"),
        ] {
            let arguments = given.split('|').enumerate().flat_map(|(nth, part)| match nth % 2 {
                0 => part.split(' ').collect(),
                _ => vec![part],
            });
            assert_eq!(repeat(arguments.map(OsString::from)), format!("cargo kcl {again}"));
        }
    }
}
