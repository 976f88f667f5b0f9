//! What a shard's processors were told and said, held against the input and the rules.
//!
//! It sees the lines as they are written and the replies as they are read, and follows the shard's [`Course`] through the input.
//! What it knows does not grow with the input: the course's line, the last message, and how far all is.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use kcl::protocol::Message;
use kcl::{Position, Record, SequenceNumber};

use super::course::{Course, Milestone, Track};
use crate::local::place::{Place, shard_id};

/// What is promised, and so checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Promise {
    /// Every record is delivered at least once, as it is in the input, and acknowledged or checkpointed.
    Delivered,
    /// No checkpoint is past the last record delivered.
    NotPast,
    /// No checkpoint goes back.
    NotBack,
    /// After a restart delivery goes on right behind the checkpoint.
    Behind,
    /// Records come in order.
    Order,
}

/// As many breaches of a promise are shown for each shard.
const SHOWN: usize = 2;

/// How often a promise was broken, and the first times in words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breaches {
    pub(crate) count: u64,
    pub(crate) shown: Vec<String>,
}

/// How much was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) deliveries: u64,
    pub(crate) checkpoints: u64,
    /// Of the shard's records, so many were acknowledged or checkpointed.
    pub(crate) settled: u64,
}

/// One shard's.
#[derive(Debug)]
pub(crate) struct Ledger {
    track: Arc<Track>,
    shard: u32,
    lives: u32,
    /// What is to come. None if that is not known any more, after a breach.
    course: Option<Course>,
    checkpoint: Position,
    /// The last record at the checkpoint or before it of which the place is known.
    known: Option<Milestone>,
    /// The records of the last message that brought some.
    batch: Vec<Milestone>,
    /// The last record delivered in this life.
    last: Option<Milestone>,
    /// The message at hand, and its number.
    at_hand: (u64, &'static str),
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
            at_hand: (0, ""),
            seen: Seen::default(),
            breaches: BTreeMap::new(),
        }
    }

    /// The processor was told this.
    pub(crate) fn told(&mut self, number: u64, line: &[u8]) {
        match Message::from_line(line) {
            Ok(Message::Initialize { position, .. }) => {
                self.at_hand = (number, "initialize");
                self.start(&position);
            }
            Ok(Message::ProcessRecords { records, .. }) => {
                self.at_hand = (number, "processRecords");
                self.deliver(&records);
            }
            Ok(Message::ShardEnded) => {
                self.at_hand = (number, "shardEnded");
                self.end();
            }
            Ok(Message::ShutdownRequested) => self.at_hand = (number, "shutdownRequested"),
            Ok(Message::LeaseLost) => self.at_hand = (number, "leaseLost"),
            Ok(_) => {}
            Err(error) => self.broken(Promise::Delivered, format_args!("the tool wrote what it cannot read: {error}")),
        }
    }

    fn start(&mut self, position: &Position) {
        self.lives += 1;
        self.last = None;
        self.batch.clear();
        if *position != self.checkpoint {
            let checkpoint = self.checkpoint.clone();
            self.broken(
                Promise::Behind,
                format_args!("it is to start behind {position}, but the checkpoint is {checkpoint}"),
            );
        }
        let behind = match &self.checkpoint {
            Position::After { sequence_number, .. } => Some(*sequence_number),
            _ => None,
        };
        self.course = match Course::new(&self.track, self.shard, self.known, behind) {
            Ok(course) => Some(course),
            Err(error) => self.unreadable(error),
        };
    }

    fn deliver(&mut self, records: &[Record]) {
        self.batch.clear();
        for record in records {
            self.seen.deliveries += 1;
            let Some(course) = &mut self.course else { continue };
            let number = record.sequence_number();
            let due = match course.next() {
                Ok(Some(due)) => due,
                Ok(None) => {
                    self.astray(
                        Promise::Delivered,
                        format_args!("record {number} was delivered, but the input has no more"),
                    );
                    continue;
                }
                Err(error) => {
                    self.course = self.unreadable(error);
                    continue;
                }
            };
            let place = due.milestone.place;
            let expected = place.sequence_number();
            if *number != expected {
                let promise = match (number < &expected, self.last) {
                    (_, None) if self.lives > 1 => Promise::Behind,
                    (true, _) => Promise::Order,
                    (false, _) => Promise::Delivered,
                };
                let due = self.name(place);
                self.astray(promise, format_args!("record {number} was delivered where {due} was to come"));
            } else if record.data() != due.data || record.partition_key() != due.key {
                let due = self.name(place);
                self.broken(Promise::Delivered, format_args!("{due} was delivered with other data than the input has"));
            }
            if self.course.is_some() {
                self.batch.push(due.milestone);
                self.last = Some(due.milestone);
            }
        }
    }

    /// All of the shard's records are to have been delivered.
    fn end(&mut self) {
        let Some(course) = &mut self.course else { return };
        match course.next() {
            Ok(None) => {}
            Ok(Some(due)) => {
                let due = self.name(due.milestone.place);
                self.astray(Promise::Delivered, format_args!("the shard ends before {due} was delivered"));
            }
            Err(error) => self.course = self.unreadable(error),
        }
    }

    /// The message at hand was acknowledged.
    pub(crate) fn acknowledged(&mut self) {
        if self.at_hand.1 == "processRecords" {
            self.settle(self.last);
        }
    }

    /// A checkpoint was asked for, and kept if there is no error.
    pub(crate) fn asked(
        &mut self,
        sequence_number: Option<&str>,
        sub_sequence_number: Option<i64>,
        error: Option<&str>,
    ) {
        let (_, action) = self.at_hand;
        if !matches!(action, "processRecords" | "shardEnded" | "shutdownRequested") {
            return;
        }
        self.seen.checkpoints += 1;
        let at_end = action == "shardEnded";
        let last = self.last.map(|last| last.place.sequence_number());
        let stands = match &self.checkpoint {
            Position::After { sequence_number, sub_sequence_number } => Some((*sequence_number, *sub_sequence_number)),
            _ => None,
        };
        let number = match sequence_number {
            None => last.or(stands.map(|(number, _)| number)),
            Some("SHARD_END") if at_end => last,
            Some(text) => match text.parse::<SequenceNumber>() {
                Ok(number) => {
                    self.judge(number, sub_sequence_number, stands);
                    Some(number)
                }
                Err(_) => {
                    self.broken(Promise::NotPast, format_args!("a checkpoint at `{text}`, which is no record"));
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
                Some(_) => number == last && stands.map(|(number, _)| number) != last,
            };
        let covered =
            self.batch.iter().rfind(|record| number.is_some_and(|number| record.place.sequence_number() <= number));
        let covered = covered.copied();
        self.settle(covered);
        self.known = covered.or(self.known);
        if ends {
            self.checkpoint = Position::ShardEnd;
        } else if let Some(number) = number {
            let sub = sub_sequence_number.and_then(|sub| u64::try_from(sub).ok()).unwrap_or(0);
            self.checkpoint = Position::after(number, if sequence_number.is_some() { sub } else { 0 });
        }
    }

    fn judge(&mut self, number: SequenceNumber, sub: Option<i64>, stands: Option<(SequenceNumber, u64)>) {
        let sub = sub.and_then(|sub| u64::try_from(sub).ok()).unwrap_or(0);
        let last = self.last.map(|last| (last.place.sequence_number(), 0)).or(stands);
        if last.is_none_or(|last| (number, sub) > last) && self.course.is_some() {
            let last = match self.last {
                Some(last) => format!("the last one delivered is {}", self.name(last.place)),
                None => "none was delivered in this life".to_owned(),
            };
            self.broken(Promise::NotPast, format_args!("a checkpoint at record {number}/{sub}; {last}"));
        }
        if let Some((stands, stands_sub)) = stands
            && (number, sub) < (stands, stands_sub)
        {
            self.broken(
                Promise::NotBack,
                format_args!("a checkpoint at record {number}/{sub}, but the shard stands at {stands}/{stands_sub}"),
            );
        }
    }

    /// What was not processed when all is over.
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

    /// A breach behind which nobody knows what is to come.
    fn astray(&mut self, promise: Promise, what: fmt::Arguments<'_>) {
        self.course = None;
        self.broken(promise, what);
    }

    fn unreadable(&mut self, error: io::Error) -> Option<Course> {
        self.broken(Promise::Delivered, format_args!("what was to come cannot be read from the input again: {error}"));
        None
    }

    fn broken(&mut self, promise: Promise, what: fmt::Arguments<'_>) {
        let (number, action) = self.at_hand;
        let breaches = self.breaches.entry(promise).or_default();
        breaches.count += 1;
        if breaches.shown.len() < SHOWN {
            breaches.shown.push(format!("{}, message {number}, {action}: {what}", shard_id(self.shard)));
        }
    }

    /// A record as people find it.
    fn name(&self, place: Place) -> String {
        let input = self.track.inputs.get(usize::from(place.input)).map(ToString::to_string).unwrap_or_default();
        format!("{} ({input}, line {})", place.sequence_number(), place.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use kcl::protocol::{ProcessRecords, WireRecord};

    use crate::input::lines::Input;
    use crate::input::record::Format;
    use crate::local::source::plan::Plan;
    use crate::local::source::plan::Reshard;

    /// Records `a` to `e`, a ledger, and their places.
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
        ledger.told(1, &serde_json::to_vec(&message).unwrap());
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
        let message = ProcessRecords { records: &records[..], millis_behind_latest: None };
        ledger.told(2, &serde_json::to_vec(&message).unwrap());
    }

    fn end(ledger: &mut Ledger) {
        ledger.told(3, b"{\"action\":\"shardEnded\"}");
        ledger.asked(None, None, None);
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
        ledger.asked(None, None, Some("ThrottlingException"));
        let (second, position) = at(places[1]);
        ledger.asked(Some(&second), None, None);
        // It dies. What was not checkpointed comes again.
        initialize(&mut ledger, position);
        deliver(&mut ledger, &places[2..5]);
        ledger.acknowledged();
        end(&mut ledger);
        assert!(ledger.breaches.is_empty(), "{:?}", ledger.breaches);
        assert_eq!((ledger.seen.settled, ledger.seen.deliveries, ledger.seen.checkpoints), (5, 6, 3));
    }

    #[test]
    fn each_breach_is_known_for_what_it_is() {
        let (_folder, mut first, places) = ledger();
        initialize(&mut first, Position::TrimHorizon);
        deliver(&mut first, &[places[0], places[2]]);
        assert_eq!(broken(&first), [Promise::Delivered], "one is left out");

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

        for (again, promise) in [(0, Promise::Behind), (3, Promise::Behind)] {
            let (_folder, mut first, places) = ledger();
            initialize(&mut first, Position::TrimHorizon);
            deliver(&mut first, &places[..2]);
            first.asked(None, None, None);
            initialize(&mut first, at(places[1]).1);
            deliver(&mut first, &places[again..]);
            assert_eq!(broken(&first), [promise], "from {again}");
        }

        let (_folder, mut first, places) = ledger();
        initialize(&mut first, Position::TrimHorizon);
        deliver(&mut first, &places[..3]);
        first.asked(Some(&at(places[3]).0), None, Some("IllegalArgumentException"));
        assert_eq!(broken(&first), [Promise::NotPast]);
        first.asked(None, None, None);
        first.asked(Some(&at(places[0]).0), None, Some("IllegalArgumentException"));
        assert_eq!(broken(&first), [Promise::NotPast, Promise::NotBack]);

        let (_folder, mut first, places) = ledger();
        initialize(&mut first, at(places[0]).1);
        assert_eq!(broken(&first), [Promise::Behind], "nothing was checkpointed");
        first.close(format_args!("failed"));
        assert_eq!(broken(&first), [Promise::Delivered, Promise::Behind]);
    }
}
