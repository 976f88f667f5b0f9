//! Checks the messages and replies of a shard's processors against the input and the rules.
//!
//! It sees the lines as they are written and the replies as they are read, and follows the shard's [`Course`] through the input.
//! Its memory does not grow with the input: it holds the current line of the course, the last message and the progress.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use kcl::protocol::Message;
use kcl::{Position, Record, SequenceNumber};

use super::course::{Course, Milestone, Track};
use crate::args::shard_id;

/// A promise that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Promise {
    /// Every record is delivered at least once, unchanged from the input, and acknowledged or checkpointed.
    Delivered,
    /// No checkpoint is past the last record delivered.
    NotPast,
    /// No checkpoint goes back.
    NotBack,
    /// After a restart, delivery resumes right after the checkpoint.
    Resumes,
    /// Records come in order.
    Order,
}

/// How many breaches of a promise are shown per shard.
const SHOWN: usize = 2;

/// How many times a promise was broken, and descriptions of the first breaches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breaches {
    pub(crate) count: u64,
    pub(crate) shown: Vec<String>,
}

/// Counts of what was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) deliveries: u64,
    pub(crate) checkpoints: u64,
    /// How many of the shard's records were acknowledged or checkpointed.
    pub(crate) settled: u64,
}

/// The ledger of one shard.
#[derive(Debug)]
pub(crate) struct Ledger {
    track: Arc<Track>,
    shard: u32,
    lives: u32,
    /// The records that are due. `None` if they are no longer known, after a breach.
    course: Option<Course>,
    checkpoint: Position,
    /// The last record, at the checkpoint or before it, whose place is known.
    known: Option<Milestone>,
    /// The records of the last message that had any.
    batch: Vec<Milestone>,
    /// The last record delivered to this process.
    last: Option<Milestone>,
    /// The number and the action of the current message.
    current: (u64, &'static str),
    pub(crate) seen: Seen,
    pub(crate) breaches: BTreeMap<Promise, Breaches>,
}

impl Ledger {
    pub(crate) fn new(track: Arc<Track>, shard: u32) -> Self {
        Self {
            track,
            shard,
            lives: 0,
            course: None,
            checkpoint: Position::TrimHorizon,
            known: None,
            batch: Vec::new(),
            last: None,
            current: (0, ""),
            seen: Seen::default(),
            breaches: BTreeMap::new(),
        }
    }

    /// Checks a line that the processor was sent.
    pub(crate) fn sent(&mut self, number: u64, line: &[u8]) {
        match Message::from_line(line) {
            Ok(Message::Initialize { position, .. }) => {
                self.current = (number, "initialize");
                self.start(&position);
            }
            Ok(Message::ProcessRecords { records, .. }) => {
                self.current = (number, "processRecords");
                self.deliver(&records);
            }
            Ok(Message::ShardEnded) => {
                self.current = (number, "shardEnded");
                self.end();
            }
            Ok(Message::ShutdownRequested) => self.current = (number, "shutdownRequested"),
            Ok(Message::LeaseLost) => self.current = (number, "leaseLost"),
            Ok(_) => {}
            Err(error) => {
                self.broken(Promise::Delivered, format_args!("the tool wrote a line that it cannot read: {error}"))
            }
        }
    }

    fn start(&mut self, position: &Position) {
        self.lives += 1;
        self.last = None;
        self.batch.clear();
        if *position != self.checkpoint {
            let checkpoint = self.checkpoint.clone();
            self.broken(
                Promise::Resumes,
                format_args!("it was sent the position {position}, but the checkpoint is {checkpoint}"),
            );
        }
        let after = match &self.checkpoint {
            Position::After { sequence_number, sub_sequence_number } => Some((*sequence_number, *sub_sequence_number)),
            _ => None,
        };
        self.course = match Course::new(&self.track, self.shard, self.known, after) {
            Ok(course) => Some(course),
            Err(error) => self.unreadable(error),
        };
    }

    fn deliver(&mut self, records: &[Record]) {
        self.batch.clear();
        for record in records {
            self.seen.deliveries += 1;
            let Some(course) = &mut self.course else { continue };
            let number = (record.sequence_number(), record.sub_sequence_number());
            let due = match course.next() {
                Ok(Some(due)) => due,
                Ok(None) => {
                    self.lose_track(
                        Promise::Delivered,
                        format_args!("record {} was delivered, but the input has no more records", Number(number)),
                    );
                    continue;
                }
                Err(error) => {
                    self.course = self.unreadable(error);
                    continue;
                }
            };
            let expected = due.milestone.number();
            if number != expected {
                let promise = match (number < expected, self.last) {
                    (_, None) if self.lives > 1 => Promise::Resumes,
                    (true, _) => Promise::Order,
                    (false, _) => Promise::Delivered,
                };
                let due = self.name(due.milestone);
                self.lose_track(promise, format_args!("record {} was delivered instead of {due}", Number(number)));
            } else if record.data() != due.data || record.partition_key() != due.key {
                let due = self.name(due.milestone);
                self.broken(
                    Promise::Delivered,
                    format_args!("{due} was delivered with data or a key that differs from the input"),
                );
            }
            if self.course.is_some() {
                self.batch.push(due.milestone);
                self.last = Some(due.milestone);
            }
        }
    }

    /// Checks that all of the shard's records were delivered.
    fn end(&mut self) {
        let Some(course) = &mut self.course else { return };
        match course.next() {
            Ok(None) => {}
            Ok(Some(due)) => {
                let due = self.name(due.milestone);
                self.lose_track(Promise::Delivered, format_args!("the shard ended before {due} was delivered"));
            }
            Err(error) => self.course = self.unreadable(error),
        }
    }

    /// Notes that the current message was acknowledged.
    pub(crate) fn acknowledged(&mut self) {
        if self.current.1 == "processRecords" {
            self.settle(self.last);
        }
    }

    /// Checks a request for a checkpoint, which was kept if there is no error.
    pub(crate) fn checkpoint_requested(
        &mut self,
        sequence_number: Option<&str>,
        sub_sequence_number: Option<i64>,
        error: Option<&str>,
    ) {
        let (_, action) = self.current;
        if !matches!(action, "processRecords" | "shardEnded" | "shutdownRequested") {
            return;
        }
        self.seen.checkpoints += 1;
        let at_end = action == "shardEnded";
        let last = self.last.map(|last| last.number());
        let kept = match &self.checkpoint {
            Position::After { sequence_number, sub_sequence_number } => Some((*sequence_number, *sub_sequence_number)),
            _ => None,
        };
        let number = match sequence_number {
            None => last.or(kept),
            Some("SHARD_END") if at_end => last,
            Some(text) => match text.parse::<SequenceNumber>() {
                Ok(number) => {
                    let sub = sub_sequence_number.and_then(|sub| u64::try_from(sub).ok()).unwrap_or(0);
                    self.judge((number, sub), kept);
                    Some((number, sub))
                }
                Err(_) => {
                    self.broken(Promise::NotPast, format_args!("a checkpoint at `{text}`, which is not a record"));
                    None
                }
            },
        };
        if error.is_some() {
            return;
        }
        let ends = at_end
            && match sequence_number {
                None | Some("SHARD_END") => true,
                Some(_) => number == last && kept != last,
            };
        let covered = self.batch.iter().rfind(|record| number.is_some_and(|number| record.number() <= number));
        let covered = covered.copied();
        self.settle(covered);
        self.known = covered.or(self.known);
        if ends {
            self.checkpoint = Position::ShardEnd;
        } else if let Some((number, sub)) = number {
            self.checkpoint = Position::after(number, sub);
        }
    }

    fn judge(&mut self, (number, sub): (SequenceNumber, u64), kept: Option<(SequenceNumber, u64)>) {
        let last = self.last.map(|last| last.number()).or(kept);
        if last.is_none_or(|last| (number, sub) > last) && self.course.is_some() {
            let last = match self.last {
                Some(last) => format!("the last record delivered is {}", self.name(last)),
                None => "no record was delivered to this process".to_owned(),
            };
            self.broken(Promise::NotPast, format_args!("a checkpoint at record {number}/{sub}; {last}"));
        }
        if let Some((kept, kept_sub)) = kept
            && (number, sub) < (kept, kept_sub)
        {
            self.broken(
                Promise::NotBack,
                format_args!("a checkpoint at record {number}/{sub}, but the shard's checkpoint is {kept}/{kept_sub}"),
            );
        }
    }

    /// Reports, at the end of the run, a shard that was not processed to its end.
    pub(crate) fn close(&mut self, outcome: fmt::Arguments<'_>) {
        if self.checkpoint == Position::ShardEnd {
            return;
        }
        let breaches = self.breaches.entry(Promise::Delivered).or_default();
        breaches.count += 1;
        breaches.shown.push(format!("{} {outcome}; its checkpoint is {}", shard_id(self.shard), self.checkpoint));
    }

    fn settle(&mut self, upto: Option<Milestone>) {
        self.seen.settled = self.seen.settled.max(upto.map_or(0, |record| record.nth));
    }

    /// Reports a breach after which the due records are unknown.
    fn lose_track(&mut self, promise: Promise, what: fmt::Arguments<'_>) {
        self.course = None;
        self.broken(promise, what);
    }

    fn unreadable(&mut self, error: io::Error) -> Option<Course> {
        self.broken(Promise::Delivered, format_args!("the due records cannot be read from the input again: {error}"));
        None
    }

    fn broken(&mut self, promise: Promise, what: fmt::Arguments<'_>) {
        let (number, action) = self.current;
        let breaches = self.breaches.entry(promise).or_default();
        breaches.count += 1;
        if breaches.shown.len() < SHOWN {
            breaches.shown.push(format!("{}, message {number}, {action}: {what}", shard_id(self.shard)));
        }
    }

    /// A description by which people can find the record.
    fn name(&self, record: Milestone) -> String {
        let place = record.place;
        let input = self.track.inputs.get(usize::from(place.input)).map(ToString::to_string).unwrap_or_default();
        format!("{} ({input}, line {})", Number(record.number()), place.line)
    }
}

/// A sequence number, with the sub-sequence number if it is not 0.
struct Number((SequenceNumber, u64));

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            (number, 0) => number.fmt(f),
            (number, sub) => write!(f, "{number}/{sub}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use kcl::protocol::{ProcessRecordsMessage, WireRecord};

    use crate::input::path::Input;
    use crate::input::record::Format;
    use crate::local::place::Place;
    use crate::local::source::plan::Plan;
    use crate::local::source::plan::Reshard;

    /// A ledger for an input with the records `a` to `e`, and their places.
    fn ledger() -> (tempfile::TempDir, Ledger, Vec<Place>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input");
        std::fs::write(&path, "a\nb\nc\nd\ne\n").unwrap();
        let plan = Plan::new(1, &Reshard::default()).unwrap();
        let inputs = vec![Input::File(path)];
        let track = Track { inputs, format: Format::Lines(None), longest: 100, limit: u64::MAX, plan };
        let places = (0..5).map(|n| Place { input: 0, offset: 2 * n, line: n + 1, record: n + 1 }).collect();
        (folder, Ledger::new(Arc::new(track), 0), places)
    }

    fn initialize(ledger: &mut Ledger, position: Position) {
        let message = Message::Initialize { shard_id: "s".to_owned(), position };
        ledger.sent(1, &serde_json::to_vec(&message).unwrap());
    }

    fn deliver(ledger: &mut Ledger, places: &[Place]) {
        let keys: Vec<_> = places.iter().map(|place| place.record.to_string()).collect();
        let records = places.iter().zip(&keys).map(|(place, key)| WireRecord {
            data: &b"abcde"[place.record as usize - 1..place.record as usize],
            partition_key: key,
            sequence_number: place.sequence_number(),
            sub_sequence_number: 0,
            approximate_arrival_timestamp: None,
        });
        let records: Vec<_> = records.collect();
        let message = ProcessRecordsMessage { records: &records[..], millis_behind_latest: None };
        ledger.sent(2, &serde_json::to_vec(&message).unwrap());
    }

    fn end(ledger: &mut Ledger) {
        ledger.sent(3, b"{\"action\":\"shardEnded\"}");
        ledger.checkpoint_requested(None, None, None);
        ledger.acknowledged();
        ledger.close(format_args!("ended"));
    }

    fn broken(ledger: &Ledger) -> Vec<Promise> {
        ledger.breaches.keys().copied().collect()
    }

    fn at(place: Place) -> (String, Position) {
        let number = place.sequence_number();
        (number.to_string(), Position::after(number, 0))
    }

    #[test]
    fn a_good_run_breaks_nothing() {
        let (_folder, mut ledger, places) = ledger();
        initialize(&mut ledger, Position::TrimHorizon);
        deliver(&mut ledger, &places[..3]);
        ledger.checkpoint_requested(None, None, Some("ThrottlingException"));
        let (second, position) = at(places[1]);
        ledger.checkpoint_requested(Some(&second), None, None);
        // The process dies. Records that were not checkpointed are delivered again.
        initialize(&mut ledger, position);
        deliver(&mut ledger, &places[2..5]);
        ledger.acknowledged();
        end(&mut ledger);
        assert!(ledger.breaches.is_empty(), "{:?}", ledger.breaches);
        assert_eq!((ledger.seen.settled, ledger.seen.deliveries, ledger.seen.checkpoints), (5, 6, 3));
    }

    #[test]
    fn each_breach_is_assigned_to_its_promise() {
        let (_folder, mut first, places) = ledger();
        initialize(&mut first, Position::TrimHorizon);
        deliver(&mut first, &[places[0], places[2]]);
        assert_eq!(broken(&first), [Promise::Delivered], "one is missing");

        let (_folder, mut first, places) = ledger();
        initialize(&mut first, Position::TrimHorizon);
        deliver(&mut first, &[places[0], places[1], places[0]]);
        assert_eq!(broken(&first), [Promise::Order]);

        let (_folder, mut first, places) = ledger();
        initialize(&mut first, Position::TrimHorizon);
        deliver(&mut first, &places[..4]);
        end(&mut first);
        assert_eq!(broken(&first), [Promise::Delivered], "the last one is missing");
        assert!(first.breaches[&Promise::Delivered].shown[0].contains("line 5"));

        for (again, promise) in [(0, Promise::Resumes), (3, Promise::Resumes)] {
            let (_folder, mut first, places) = ledger();
            initialize(&mut first, Position::TrimHorizon);
            deliver(&mut first, &places[..2]);
            first.checkpoint_requested(None, None, None);
            initialize(&mut first, at(places[1]).1);
            deliver(&mut first, &places[again..]);
            assert_eq!(broken(&first), [promise], "from {again}");
        }

        let (_folder, mut first, places) = ledger();
        initialize(&mut first, Position::TrimHorizon);
        deliver(&mut first, &places[..3]);
        first.checkpoint_requested(Some(&at(places[3]).0), None, Some("IllegalArgumentException"));
        assert_eq!(broken(&first), [Promise::NotPast]);
        first.checkpoint_requested(None, None, None);
        first.checkpoint_requested(Some(&at(places[0]).0), None, Some("IllegalArgumentException"));
        assert_eq!(broken(&first), [Promise::NotPast, Promise::NotBack]);

        let (_folder, mut first, places) = ledger();
        initialize(&mut first, at(places[0]).1);
        assert_eq!(broken(&first), [Promise::Resumes], "nothing was checkpointed");
        first.close(format_args!("failed"));
        assert_eq!(broken(&first), [Promise::Delivered, Promise::Resumes]);
    }
}
