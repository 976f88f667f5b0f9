//! The watchers of a shard's conversations: chaos, the recording and the history.

use std::io;
use std::sync::Arc;

use super::chaos::Trial;
use super::shard::pulse::Pulse;
use super::shard::watcher::{Answer, Content, Effect, Excuse, Manner, Moment, Step, Watcher};
use crate::recording::{CheckpointNumbers, Tape};

/// The chaos of a shard and the recording of one conversation, each if there is one. What chaos does is recorded.
#[derive(Debug)]
pub(crate) struct Watchers {
    pub(crate) trial: Option<Box<Trial>>,
    pub(crate) tape: Option<Tape>,
    /// Keeps the history of the shard, if the run is to be reported.
    pub(crate) pulse: Arc<Pulse>,
}

impl Watchers {
    /// Records what chaos has done since the last call.
    fn record_faults(&mut self) -> io::Result<()> {
        let Some(trial) = &mut self.trial else { return Ok(()) };
        let faults = trial.take_notes();
        if !faults.is_empty() {
            self.pulse.note(|timeline| faults.iter().for_each(|fault| timeline.fault(fault)));
        }
        self.tape.iter_mut().try_for_each(|tape| faults.iter().try_for_each(|fault| tape.note("chaos", fault)))
    }
}

impl Watcher for Watchers {
    fn sees_lines(&self) -> bool {
        self.trial.is_some() || self.tape.is_some()
    }

    fn step(&mut self, records: usize) -> Step {
        self.trial.as_mut().map_or(Step::Deliver(records), |trial| trial.step(records))
    }

    fn begin(&mut self, action: &str, millis_behind_latest: &mut Option<u64>) -> bool {
        self.trial.as_mut().is_some_and(|trial| trial.begin(action, millis_behind_latest))
    }

    fn send(&mut self, line: &[u8], content: Content<'_>) -> io::Result<Manner> {
        let manner = self.trial.as_mut().map_or(Ok(Manner::Whole), |trial| trial.send(line, content))?;
        self.record_faults()?;
        if let Some(tape) = &mut self.tape {
            let end = if let Manner::Torn(end) = manner { end } else { line.len() };
            record_line(tape, &line[..end], content)?;
        }
        Ok(manner)
    }

    fn reach(&mut self, moment: Moment<'_>) -> io::Result<Effect> {
        if let Some(tape) = &mut self.tape {
            record_moment(tape, moment)?;
        }
        if let Moment::Answering(Answer { error: Some(exception), .. }) = moment {
            self.pulse.note(|timeline| timeline.refused(exception));
        }
        let effect = self.trial.as_mut().map_or(Ok(Effect::Continue), |trial| trial.reach(moment))?;
        self.record_faults()?;
        Ok(effect)
    }

    fn excuse(&mut self, gave_up: &dyn Fn() -> bool) -> Excuse {
        self.trial.as_mut().map_or(Excuse::Denied(None), |trial| trial.excuse(gave_up))
    }
}

fn record_line(tape: &mut Tape, line: &[u8], content: Content<'_>) -> io::Result<()> {
    match content {
        Content::Message(action) => tape.record_message(line, action),
        Content::Records(count) => tape.record_message(line, format_args!("processRecords n={count}")),
        Content::Answer(Answer { sequence_number, sub_sequence_number, error }) => {
            let numbers = CheckpointNumbers(sequence_number, sub_sequence_number);
            let error = error.unwrap_or("None");
            tape.record_message(line, format_args!("checkpoint {numbers} error={error}"))
        }
    }
}

fn record_moment(tape: &mut Tape, moment: Moment<'_>) -> io::Result<()> {
    match moment {
        Moment::Read(bytes) => tape.record_output(bytes),
        Moment::Received(reply) => tape.note_reply(reply),
        Moment::Closing => tape.note("eof", "stdin"),
        Moment::Exited(code) => tape.end(code),
        _ => Ok(()),
    }
}
