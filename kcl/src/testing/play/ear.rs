//! What a process does, as its events report it: the calls of handlers, and which records are settled.

use std::panic::resume_unwind;

use crate::error::Failure;
use crate::record::Record;
use crate::runner::events::{Event, Listener, Step};
use crate::testing::context::Killed;
use crate::testing::journal::{Call, Moment, explain};
use crate::testing::play::Play;
use crate::testing::quiet;
use crate::testing::wire::Shared;

/// Follows the events of a process.
pub(crate) struct Ear(pub(crate) Shared<Play>);

impl Listener for Ear {
    fn observe(&mut self, event: &Event<'_>) {
        let mut half = self.0.lock();
        let play = &mut half.director;
        if play.killed {
            drop(half);
            resume_unwind(Box::new(Killed));
        }
        match event {
            Event::Called { action, .. } => {
                play.action = action;
                play.ledger.call();
            }
            Event::Attempt(places) => play.ledger.attempt(*places),
            Event::Named(places) => play.ledger.named(places),
            Event::Record(place) => play.ledger.hand_over(*place),
            Event::At(Some(place)) if play.action == "dead_letter" => play.ledger.point(*place),
            Event::Handled(result) => {
                let error = result.as_ref().err().map(|error| explain(&**error));
                if let Some((place, tries)) = play.ledger.handled(error.clone()) {
                    play.note(vec![place], tries, error);
                }
            }
            Event::Attempted(result) => play.attempted(*result),
            Event::Among { record, step, .. } => play.among(record, step),
            Event::Passed(passed) => {
                let error = explain(passed.failed.failure().as_error());
                if let Some(place) = play.ledger.pass(passed) {
                    play.journal.push(Moment::Settled { how: passed.how, place, error });
                    play.succeed();
                }
            }
            _ => {}
        }
    }
}

impl Play {
    /// Notes what happens to a record that is handled beside others.
    fn among(&mut self, record: &Record, moved: &Step<'_>) {
        let Some(place) = self.ledger.find(record) else { return };
        let ended = match moved {
            Step::Started { .. } => return self.ledger.begin(place),
            Step::Letter => return self.ledger.take_up(place),
            Step::Ended { result, .. } | Step::Taken(result) => result.err().map(describe),
            Step::Dropped { .. } => Some("cancelled".to_owned()),
            Step::Parked { .. } | Step::Settled { .. } => return,
        };
        if let Some((handler, attempt)) = self.ledger.finish(place, ended.clone()) {
            self.called(Call { handler, records: vec![place], attempt, error: ended });
        }
    }

    fn attempted(&mut self, result: Result<(), &Failure>) {
        let error = result.err().map(describe);
        if self.action == "drop" && error.is_none() {
            return;
        }
        if self.action != "processRecords" {
            let places = self.ledger.pointed().map_or(Vec::new(), |place| vec![place]);
            return self.note(places, 1, error);
        }
        // From a record that panicked, the handler did not return.
        if let Some((place, tries)) = error.as_ref().and_then(|error| self.ledger.handled(Some(error.clone()))) {
            self.note(vec![place], tries, error.clone());
        }
        if let Some((places, tries)) = self.ledger.attempted(result) {
            self.note(places, tries, error);
        }
    }
}

/// The failure of a handler; for a panic, with its place.
fn describe(failure: &Failure) -> String {
    let text = explain(failure.as_error());
    match failure {
        Failure::Error(_) | Failure::Gone => text,
        Failure::Panic(_) => quiet::last_panic().map_or(text.clone(), |at| format!("{text} (at {at})")),
    }
}
