//! What a run under chaos came to.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use serde::Serialize;

use super::ledger::{Breaches, Promise, Seen};
use super::{Chaos, Fault, Trial};
use crate::report;

/// As many breaches of a promise are shown.
const SHOWN: usize = 3;

/// What was done, and what held all the same.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdict {
    seed: u64,
    messages: u64,
    lives: u64,
    /// How often each fault came.
    faults: BTreeMap<String, u64>,
    /// Processors that ended by themselves over a checkpoint that was refused.
    gave_up: u64,
    promises: Vec<Judged>,
    /// Whether the run was interrupted, or its input went bad: then this is not all.
    unfinished: bool,
    /// The command that does the same again.
    repeat: String,
}

/// A promise.
#[derive(Debug, Serialize)]
struct Judged {
    promise: String,
    /// Null if the run did not come to where that is known.
    held: Option<bool>,
    breaches: u64,
    examples: Vec<String>,
}

impl Verdict {
    /// Of all shards, each with what became of it in words.
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
                all.shown.extend(other.shown.iter().cloned());
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
        let promises = [Promise::Delivered, Promise::Order, Promise::Behind, Promise::NotPast, Promise::NotBack];
        let judged = |promise| {
            let Breaches { count, shown } = breaches.remove(&promise).unwrap_or_default();
            let is_for_the_end = promise == Promise::Delivered;
            let promise = in_words(promise, &seen, chaos.records, restarts);
            let is_open = unfinished && is_for_the_end && count == 0;
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
            let deliveries = count(deliveries, "delivery", "deliveries");
            format!(
                "records came in the order of their shard: {deliveries}, done with or not (the table counts the records \
                 that a processor was done with, each time)"
            )
        }
        Promise::Behind => format!(
            "after a restart delivery went on right behind the checkpoint: {}",
            report::count(restarts, "restart")
        ),
        Promise::NotPast => format!(
            "no checkpoint was asked for past the last record delivered: {}",
            report::count(checkpoints, "request")
        ),
        Promise::NotBack => {
            format!("no checkpoint was asked for before the last one: {}", report::count(checkpoints, "request"))
        }
    }
}

fn count(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages = report::count(self.messages, "message");
        write!(f, "chaos {}: {messages} to {}", self.seed, count(self.lives, "process", "processes"))?;
        let faults: Vec<_> = Fault::all()
            .filter_map(|fault| {
                let hits = self.faults.get(&fault.to_string()).filter(|hits| **hits > 0)?;
                Some(format!("{fault} {hits}"))
            })
            .collect();
        writeln!(f, "; {}", if faults.is_empty() { "no fault came".to_owned() } else { faults.join(", ") })?;
        if self.gave_up > 0 {
            writeln!(
                f,
                "  {} ended with an error over a checkpoint that was refused; the MultiLangDaemon would end the whole worker on that",
                count(self.gave_up, "process", "processes")
            )?;
        }
        for judged in &self.promises {
            let word = match judged.held {
                Some(true) => "held  ",
                Some(false) => "BROKEN",
                None => "open  ",
            };
            write!(f, "  {word}  {}", judged.promise)?;
            if judged.breaches > 1 {
                write!(f, "; broken {} times", judged.breaches)?;
            }
            writeln!(f)?;
            judged.examples.iter().try_for_each(|example| writeln!(f, "            {example}"))?;
        }
        if self.unfinished {
            writeln!(f, "  The run did not come to its end, so this is not all.")?;
        }
        if self.held() { Ok(()) } else { writeln!(f, "  The same again: {}", self.repeat) }
    }
}

/// The command that runs now, as one would type it to run once more: what it recorded stands in the way of another recording.
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
    fn a_command_can_be_pasted_and_runs_once_more() {
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
