//! Moves each record from the input to the queue of its shard, in batches.
//!
//! One pass over the input serves all shards, so each record is read, parsed and hashed once. A shard whose full queue holds the
//! others back gets its own pass, if the input can be read again. Memory stays bounded, whatever the size of the input.

use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kcl::{Position, SequenceNumber};

use super::plan::Plan;
use super::queue::{Batch, End, Queue, Stamp};
use crate::args::shard_id;
use crate::exit::WRONG_USE;
use crate::input::kpl::{Content, Dropped, UserRecord};
use crate::input::limits::LONGEST_LINE;
use crate::input::lines::{Lines, Next};
use crate::input::number_hashes::NumberHashes;
use crate::input::path::Input;
use crate::input::record::Format;
use crate::input::source::{InputError, Source, SourceIdentity};
use crate::local::event::Event;
use crate::local::place::Place;
use crate::local::state::marks::{Mark, Marks, digest};
use crate::local::state::{Origin, Store, StoreError};
use crate::report;
use crate::threads;

/// The most data and keys in one `processRecords` message, in bytes.
const CALL: usize = LONGEST_LINE;
/// How long a shard may hold back other shards that wait for records.
const PATIENCE: Duration = Duration::from_millis(200);

/// The settings that turn the input into records.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) format: Format,
    /// The most data of a record, in bytes.
    pub(crate) longest: usize,
    /// The most records in a batch.
    pub(crate) max_records: usize,
    /// The number of records after which the run ends.
    pub(crate) limit: u64,
    /// Whether the shards end at the limit, as if the input ended there. Otherwise they stop, and a later run can continue.
    pub(crate) limit_ends: bool,
    /// The last record before the run's start, if it does not start at the first record.
    pub(crate) start: Option<SequenceNumber>,
}

/// The state that all passes over the input share.
#[derive(Clone)]
pub(crate) struct Feeder {
    pub(crate) inputs: Arc<[SourceIdentity]>,
    /// Whether the input can be read again.
    pub(crate) again: bool,
    pub(crate) reading: Reading,
    pub(crate) plan: Arc<Plan>,
    /// `None` if checkpoints do not outlive the run.
    pub(crate) store: Option<Arc<Store>>,
    /// The input as the first pass that reached its end found it. Every later pass must find the same.
    pub(crate) whole: Arc<OnceLock<Whole>>,
    /// Where the input ended in an earlier run, if shards ended there.
    pub(crate) ended: Option<Past>,
    /// Whether the marks of earlier runs are of a version that read the ends of lines in another way.
    pub(crate) old: bool,
    /// The start of the followed input when it was first read.
    pub(crate) first: Option<Origin>,
    pub(crate) events: Sender<Event>,
    pub(crate) dropped: Arc<Dropped>,
}

/// The end of an input at which shards ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Past {
    /// The number of shards.
    pub(crate) shards: u64,
    /// The total length of all inputs, in bytes.
    pub(crate) end: u64,
    /// The number of the last record that could belong to these shards.
    pub(crate) until: u64,
}

/// A summary of the whole input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    records: u64,
    digest: u32,
}

impl Feeder {
    /// Fills the queues of these shards from sources that are already open.
    pub(crate) fn feed(&self, lanes: Lanes, sources: Vec<Source>, marks: Marks, origin: Option<Origin>) {
        let feed = Feed { old: self.old, ..self.feed_of(lanes, marks, origin, false) };
        self.start(feed, move |feed| {
            let events = feed.common.events.clone();
            feed.run(Ok(sources));
            // If there is no receiver, the tool is about to exit.
            _ = events.send(Event::Read);
        });
    }

    /// Runs a pass on a thread. If there is none, the run ends with an error.
    fn start(&self, mut feed: Feed, run: impl FnOnce(Feed) + Send + 'static) {
        let queues: Vec<_> = feed.lanes.all().map(|lane| Arc::clone(&lane.queue)).collect();
        if let Err(error) = threads::spawn(move || run(feed)) {
            _ = self.events.send(Event::BadInput(InputError::Thread(error).into(), WRONG_USE));
            _ = self.events.send(Event::Read);
            queues.iter().for_each(|queue| queue.end(End::Paused));
        }
    }

    /// Reads the input and delivers nothing, to compare it with what earlier runs saved.
    pub(crate) fn check(&self, sources: Vec<Source>, marks: Marks, origin: Option<Origin>) -> Result<(), InputError> {
        let mut feed = Feed { old: self.old, ..self.feed_of(Lanes::default(), marks, origin, true) };
        // All of it counts, even if this run would stop before the end.
        feed.common.reading.limit = u64::MAX;
        feed.read(sources).map(|_| ())
    }

    fn feed_of(&self, lanes: Lanes, marks: Marks, origin: Option<Origin>, only_checks: bool) -> Feed {
        let common = self.clone();
        let (names, hashes) = (Vec::new(), NumberHashes::default());
        Feed { common, lanes, alone: false, marks, old: false, origin, names, only_checks, hashes }
    }

    /// Fills one shard's queue in a separate pass, which must meet the marks that earlier passes left.
    pub(crate) fn feed_alone(&self, shard: u32, lane: Lane, marks: Marks) {
        let mut lanes = Lanes::default();
        lanes.put(shard, lane);
        let feed = Feed { alone: true, ..self.feed_of(lanes, marks, None, false) };
        self.start(feed, |feed| {
            let sources = feed.common.inputs.iter().map(Source::open_again).collect();
            feed.run(sources);
        });
    }
}

/// The shards that a pass serves.
#[derive(Default)]
pub(crate) struct Lanes {
    by_shard: Vec<Option<Lane>>,
    count: usize,
}

impl Lanes {
    pub(crate) fn put(&mut self, shard: u32, lane: Lane) {
        let at = shard as usize;
        if self.by_shard.len() <= at {
            self.by_shard.resize_with(at + 1, || None);
        }
        self.count += usize::from(self.by_shard[at].replace(lane).is_none());
    }

    fn get(&mut self, shard: u32) -> Option<&mut Lane> {
        self.by_shard.get_mut(shard as usize)?.as_mut()
    }

    fn take(&mut self, shard: u32) -> Option<Lane> {
        let lane = self.by_shard.get_mut(shard as usize)?.take()?;
        self.count -= 1;
        Some(lane)
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.by_shard.iter_mut().flatten()
    }
}

/// One pass over the input.
struct Feed {
    common: Feeder,
    lanes: Lanes,
    /// Whether the pass serves a single shard.
    alone: bool,
    /// The marks that an earlier run or an earlier pass left of the input.
    marks: Marks,
    /// Whether the marks are of a version that read the ends of lines in another way.
    old: bool,
    origin: Option<Origin>,
    /// The inputs, for messages.
    names: Vec<Input>,
    /// Whether the pass serves no shard and only compares the input with what earlier runs saved.
    only_checks: bool,
    hashes: NumberHashes,
}

/// A shard, seen from the input.
pub(crate) struct Lane {
    queue: Arc<Queue>,
    batch: Batch,
    from: Start,
    /// The last record put into the queue.
    queued: Option<Stamp>,
}

/// The records of a shard to deliver.
#[derive(Clone, Copy, Debug)]
enum Start {
    All,
    /// The records after this one, which may be a part of an aggregate.
    After((SequenceNumber, u64)),
    /// No records: the shard was already processed to its end.
    Nowhere,
}

impl Lane {
    /// The lane of a shard whose checkpoint stands at `position`; `start` is the last record before the run's start.
    pub(crate) fn new(queue: Arc<Queue>, position: &Position, start: Option<SequenceNumber>) -> Self {
        let from = match (position, start) {
            (Position::ShardEnd, _) => Start::Nowhere,
            (Position::After { sequence_number, sub_sequence_number }, _) => {
                Start::After((*sequence_number, *sub_sequence_number))
            }
            (_, Some(start)) => Start::After((start, u64::MAX)),
            (_, None) => Start::All,
        };
        Self { queue, batch: Batch::default(), from, queued: None }
    }

    /// Puts the records so far into the queue, as long as a batch there has room for them, or waits for room.
    fn hand_over(&mut self, most_records: usize) {
        if self.batch.len() > 0 {
            self.queue.append(&mut self.batch, most_records, CALL);
        }
    }

    /// Puts the records so far into the queue. Returns `false` instead of holding back others that wait.
    fn try_flush(&mut self, others_wait: impl Fn() -> bool) -> bool {
        let last = self.batch.last_stamp();
        let taken = last.is_none() || self.queue.offer(&mut self.batch, PATIENCE, others_wait);
        if taken {
            self.queued = last.or(self.queued);
        }
        taken
    }

    /// The same lane, starting after the records that are already in the queue.
    fn rest(self) -> Self {
        let from = self.queued.map_or(self.from, |last| Start::After(last.number()));
        Self { batch: Batch::default(), from, ..self }
    }

    fn is_open(&self) -> bool {
        !matches!(self.from, Start::Nowhere) && self.queue.is_open()
    }
}

/// The state of a pass.
struct Pass {
    /// The last record before the run's start, until it is passed.
    start: Option<SequenceNumber>,
    /// The record before which no shard needs any, until it is reached.
    skip_to: Option<SequenceNumber>,
    /// The number of records after which shards change next.
    change: u64,
    /// The number of records in the whole input, if an earlier pass has found it.
    most: u64,
    progress: Progress,
    /// The length of all inputs before the current one, if each was read to its end.
    before: Option<u64>,
    /// The file that is followed.
    file: Option<Origin>,
}

impl Pass {
    /// Notes that the next record is in the file that starts at this offset.
    fn begin_file(&mut self, input: u16, offset: u64) {
        if self.file.is_none_or(|file| file.offset != offset) {
            let Progress { record, digest, .. } = self.progress;
            self.file = Some(Origin { input, offset, record, digest, file: None });
        }
    }

    /// Moves past a record.
    fn pass_by(&mut self, place: Place) {
        if self.start.is_some_and(|last| place.sequence_number() > last) {
            self.start = None;
        }
        if self.start.is_none() {
            self.progress.counted += 1;
        }
        // It may be an aggregate with parts that were not delivered.
        if self.skip_to.is_some_and(|first| place.sequence_number() >= first) {
            self.skip_to = None;
        }
    }
}

/// Why reading an input stopped.
enum Stop {
    /// At its end, which is at this offset, or at the last record that the run wants.
    At(Option<u64>),
    /// No shard takes records any more.
    Early,
}

/// How far the input has been read.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// The number of records so far.
    record: u64,
    /// The number of these after the run's start, which count towards the limit.
    counted: u64,
    digest: u32,
}

impl Feed {
    /// Reads all sources to their end, or until no shard takes records any more, then ends the queues. The first invalid line is
    /// reported; the records before it are delivered.
    fn run(mut self, sources: Result<Vec<Source>, InputError>) {
        let end = match sources.and_then(|sources| self.read(sources)) {
            Ok(end) => end,
            Err(error) => {
                // Report this before any shard is done, so that it is known by then.
                _ = self.common.events.send(Event::BadInput(error.into(), WRONG_USE));
                End::Paused
            }
        };
        // A shard that has not taken its batch does not keep the others from their ends.
        for lane in self.lanes.all() {
            lane.queue.finish(&mut lane.batch, end);
        }
    }

    /// Reads all sources, and returns how the queues end.
    fn read(&mut self, sources: Vec<Source>) -> Result<End, InputError> {
        self.names = sources.iter().map(|source| source.input.clone()).collect();
        let mut pass = Pass {
            start: self.common.reading.start,
            skip_to: self.earliest(),
            change: self.common.plan.next_change(0),
            // Records that were added since the end was found are not part of the run.
            most: self.common.whole.get().map_or(u64::MAX, |whole| whole.records),
            progress: Progress::default(),
            before: Some(0),
            file: None,
        };
        for (input, source) in (0..).zip(sources) {
            // The run stops before this input, so nothing is saved about it.
            if input > 0 && pass.progress.counted >= self.common.reading.limit {
                break;
            }
            let mut lines = Lines::new(source, self.common.reading.format.framing(self.common.reading.longest));
            let Stop::At(length) = self.read_one(input, &mut lines, &mut pass)? else { return Ok(End::Finished) };
            pass.before = pass.before.zip(length).map(|(before, length)| before + length);
        }
        self.end(&pass)
    }

    /// Saves which file is followed, and again when more of its first bytes are known.
    fn keep_file(&self, input: u16, lines: &Lines, pass: &mut Pass) -> Result<(), InputError> {
        let source = lines.source();
        if self.common.store.is_none() || self.only_checks || !source.is_followed() || source.is_absent() {
            return Ok(());
        }
        pass.begin_file(input, lines.origin());
        let Some(file) = &mut pass.file else { return Ok(()) };
        if file.file.is_none_or(|id| !id.is_complete()) {
            let id = lines.file_id()?;
            // A file that an earlier run has read is known by more than was read of it so far.
            let earlier = self.origin.filter(|origin| (origin.input, origin.offset) == (input, file.offset));
            let known = file.file.or(earlier.and_then(|origin| origin.file));
            let is_better = known.is_none_or(|known| id.is_better_than(&known));
            file.file = if is_better { Some(id) } else { known };
            if is_better {
                let file = *file;
                self.keep(|store| store.keep_origin(&file))?;
            }
        }
        Ok(())
    }

    /// Reads one input to its end.
    fn read_one(&mut self, input: u16, lines: &mut Lines, pass: &mut Pass) -> Result<Stop, InputError> {
        self.continue_at(input, lines, pass)?;
        let digests = self.common.again || self.common.store.is_some();
        pass.file = None;
        while pass.progress.counted < self.common.reading.limit && pass.progress.record < pass.most {
            self.keep_file(input, lines, pass)?;
            let (text, place, arrival, origin, altered) = match lines.next_in_file()? {
                // Save the new file before any record of it is delivered.
                None => continue,
                Some(Next::Line { text, number: line, offset, arrival, origin, altered }) => {
                    let place = Place { input, offset, line, record: pass.progress.record + 1 };
                    (text, place, arrival, origin, altered)
                }
                Some(Next::Idle) => {
                    // Everything written so far has been read.
                    if lines.source().is_followed() {
                        self.marks.end().map_err(|mark| self.changed(mark))?;
                        if self.only_checks {
                            return Ok(Stop::At(None));
                        }
                    }
                    pass.begin_file(input, lines.origin());
                    let most_records = self.common.reading.max_records;
                    self.lanes.all().for_each(|lane| lane.hand_over(most_records));
                    continue;
                }
                Some(Next::End) => return Ok(Stop::At(Some(lines.offset()))),
            };
            pass.begin_file(input, origin);
            self.check_length(pass.before, place)?;
            if self.make_changes(pass) {
                return Ok(Stop::Early);
            }
            pass.progress.record += 1;
            if digests {
                self.check_line_ends(input, altered)?;
                pass.progress.digest = digest(pass.progress.digest, text);
                let met = self.marks.meet(|| place.sequence_number(), pass.progress.digest);
                met.map_err(|mark| self.changed(mark))?;
            }
            pass.pass_by(place);
            if pass.skip_to.is_some() || self.lanes.count == 0 {
                continue;
            }
            let stamp = Stamp { place, sub: 0, arrival, digest: pass.progress.digest };
            if !self.read_record(text, stamp)? {
                return Ok(Stop::Early);
            }
        }
        self.keep_file(input, lines, pass)?;
        Ok(Stop::At(None))
    }

    /// Refuses a line that the run which saved the marks read in another way, until all of them are met.
    fn check_line_ends(&mut self, input: u16, altered: Option<u64>) -> Result<(), InputError> {
        if !self.old {
            return Ok(());
        }
        if self.marks.end().is_ok() {
            self.old = false;
            return self.keep(Store::keep_line_ends);
        }
        altered.map_or(Ok(()), |line| Err(InputError::Altered { input: self.name(input), line }))
    }

    /// Reads a text as a record, and delivers it or its parts. Returns `false` if no shard takes records any more.
    fn read_record(&mut self, text: &[u8], stamp: Stamp) -> Result<bool, InputError> {
        let Place { input, line, record: number, .. } = stamp.place;
        let Reading { format, longest, .. } = &self.common.reading;
        let record = format.record(text, number, *longest).map_err(|problem| {
            let (input, excerpt) = (self.name(input), report::excerpt(text));
            InputError::Record { input, line, problem: Box::new(problem), excerpt }
        })?;
        let stamp = Stamp { arrival: record.arrival.unwrap_or(stamp.arrival), ..stamp };
        let aggregate = match format.take_apart(&record) {
            Content::Plain => {
                let hash = || record.hash_of(number, &mut self.hashes);
                let shard = self.common.plan.shard(hash, number);
                return Ok(self.deliver(shard, &record.data, &record.key, stamp));
            }
            Content::Elsewhere => {
                // A pass for one shard reads records that another pass has read.
                if !self.alone {
                    let shard = self.common.plan.shard(|| record.hash(), number);
                    self.common.dropped.add(&shard_id(shard), stamp.place.sequence_number());
                }
                return Ok(true);
            }
            Content::Aggregate(aggregate) => aggregate,
        };
        for (sub, UserRecord { partition_key, data, hash }) in (0..).zip(aggregate.records()) {
            let shard = self.common.plan.shard(|| hash, number);
            if !self.deliver(shard, data, partition_key, Stamp { sub, ..stamp }) {
                return Ok(false);
            }
        }
        if let (Some(trouble), false) = (&aggregate.trouble, self.alone) {
            report::warning(format_args!(
                "{}, line {line}: part {} of the aggregate cannot be read: {trouble}; this part and those after it are dropped, as \
                 in the KCL",
                self.name(input),
                aggregate.len()
            ));
        }
        Ok(true)
    }

    /// Checks, at the end of all inputs, that they are what earlier runs and earlier passes have read.
    fn end(&self, pass: &Pass) -> Result<End, InputError> {
        let is_at_limit = pass.progress.counted >= self.common.reading.limit;
        // An earlier run may have had a higher limit.
        if !is_at_limit {
            self.marks.end().map_err(|mark| self.changed(mark))?;
        }
        let whole = Whole { records: pass.progress.record, digest: pass.progress.digest };
        if *self.common.whole.get_or_init(|| whole) != whole {
            return Err(InputError::Rewritten(self.what()));
        }
        // Save this before any shard is done, to tell the ended input from what is added later.
        if let Some(end) = pass.before.filter(|_| !self.only_checks) {
            self.keep(|store| store.keep_end(end))?;
        }
        // A later run with a higher limit continues there.
        Ok(if is_at_limit && !self.common.reading.limit_ends { End::Paused } else { End::Finished })
    }

    /// Refuses a record after the place where the input ended when shards ended: the shard that it belongs to may be one of them.
    fn check_length(&self, before: Option<u64>, place: Place) -> Result<(), InputError> {
        match (self.common.ended, before) {
            (Some(Past { shards, end, until }), Some(before))
                if before + place.offset >= end && place.record <= until =>
            {
                let shards = report::count(shards, "shard");
                Err(InputError::Longer { what: self.what(), shards, was: end })
            }
            _ => Ok(()),
        }
    }

    /// The names of all inputs.
    fn what(&self) -> String {
        let names: Vec<_> = self.names.iter().map(Input::to_string).collect();
        names.join(", ")
    }

    fn changed(&self, mark: Mark) -> InputError {
        let place = Place::from_sequence_number(&mark.sequence_number).unwrap_or_default();
        InputError::Changed { input: self.name(place.input), line: place.line }
    }

    fn name(&self, input: u16) -> Input {
        self.names.get(usize::from(input)).or(self.names.last()).cloned().unwrap_or(Input::Stdin)
    }

    /// Lets a followed file start where it did when it was last read, if the inputs before it are still the same.
    fn continue_at(&self, input: u16, lines: &mut Lines, pass: &mut Pass) -> Result<(), InputError> {
        let is_here = |origin: &Origin| origin.input == input && lines.source().is_followed();
        let Some(origin) = self.origin.filter(is_here) else { return Ok(()) };
        let read = (pass.progress.record, pass.progress.digest);
        if self.common.first.is_some_and(|first| (first.record, first.digest) != read) {
            return Err(InputError::ChangedBefore { input: self.name(input) });
        }
        lines.start_at(origin.offset);
        let counted = if self.common.reading.start.is_none() { origin.record } else { 0 };
        pass.progress = Progress { record: origin.record, counted, digest: origin.digest };
        Ok(())
    }

    fn keep(&self, what: impl FnOnce(&Store) -> Result<(), StoreError>) -> Result<(), InputError> {
        let kept = self.common.store.as_deref().map_or(Ok(()), what);
        kept.map_err(|error| InputError::Unkept(Box::new(error)))
    }

    /// The record before which no shard needs any.
    fn earliest(&self) -> Option<SequenceNumber> {
        let wanted = self.lanes.by_shard.iter().flatten().filter_map(|lane| match lane.from {
            Start::All => Some(None),
            Start::After((last, _)) => Some(Some(last)),
            Start::Nowhere => None,
        });
        wanted.min().flatten()
    }

    /// Makes the changes of shards that are due after the records so far. Returns whether the pass has no shard left.
    fn make_changes(&mut self, pass: &mut Pass) -> bool {
        let is_due = pass.progress.record >= pass.change;
        // Several changes are due where a file continues that was rotated.
        while pass.progress.record >= pass.change {
            self.change(pass.change);
            pass.change = self.common.plan.next_change(pass.change);
        }
        is_due && self.alone && self.lanes.count == 0
    }

    /// Replaces some shards by their children; the replaced shards receive no more records.
    fn change(&mut self, records: u64) {
        // Report the children before any parent is done, so that they are known by then.
        for shard in self.common.plan.born_after(records) {
            let parents = self.common.plan.parents(shard).to_owned();
            _ = self.common.events.send(Event::Born { shard, parents });
        }
        let ended: Vec<_> = self.common.plan.ended_by(records).collect();
        for shard in ended {
            if let Some(mut lane) = self.lanes.take(shard) {
                lane.queue.finish(&mut lane.batch, End::Finished);
            }
        }
    }

    /// Puts a record into its batch. Returns `false` if no shard takes records any more.
    fn deliver(&mut self, shard: u32, data: &[u8], key: &str, stamp: Stamp) -> bool {
        let Some(mut lane) = self.lanes.get(shard) else { return true };
        match lane.from {
            Start::All => {}
            Start::After(last) if stamp.number() > last => lane.from = Start::All,
            Start::After(_) | Start::Nowhere => return true,
        }
        if lane.batch.size() + data.len() + key.len() > CALL {
            if !self.flush(shard) {
                return true;
            }
            if !self.lanes.all().any(|lane| lane.is_open()) {
                return false;
            }
            let Some(flushed) = self.lanes.get(shard) else { return true };
            lane = flushed;
        }
        lane.batch.push(data, key, stamp);
        if lane.batch.len() < self.common.reading.max_records {
            return true;
        }
        self.flush(shard);
        self.lanes.all().any(|lane| lane.is_open())
    }

    /// Puts a shard's batch into its queue. Returns `false` if the shard holds others back; it then gets its own pass.
    fn flush(&mut self, shard: u32) -> bool {
        let Some(mut lane) = self.lanes.take(shard) else { return false };
        let others = &self.lanes.by_shard;
        let others_wait = || self.common.again && others.iter().flatten().any(|lane| lane.queue.is_hungry());
        if !lane.try_flush(others_wait) {
            let marks = Marks::new(lane.queued.iter().map(Stamp::mark).collect());
            self.common.feed_alone(shard, lane.rest(), marks);
            return false;
        }
        self.lanes.put(shard, lane);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::Write;
    use std::sync::mpsc::Receiver;
    use std::thread;

    use crate::local::source::plan::Reshard;
    use crate::local::source::queue;

    /// A feeder for one shard, and its events.
    fn feeder(inputs: Arc<[SourceIdentity]>, max_records: usize) -> (Feeder, Receiver<Event>) {
        let reading = Reading {
            format: Format::Lines(None),
            longest: LONGEST_LINE,
            max_records,
            limit: u64::MAX,
            limit_ends: false,
            start: None,
        };
        let (events, received) = std::sync::mpsc::channel();
        let feeder = Feeder {
            inputs,
            again: true,
            reading,
            plan: Arc::new(Plan::new(1, &Reshard::default()).unwrap()),
            store: None,
            whole: Arc::default(),
            ended: None,
            old: false,
            first: None,
            events,
            dropped: Arc::default(),
        };
        (feeder, received)
    }

    /// The records that one shard receives, batch by batch, from files with these contents.
    fn fed(files: &[&[u8]], position: &Position, max_records: usize) -> Vec<Vec<(Place, Vec<u8>, String)>> {
        let folder = tempfile::tempdir().unwrap();
        let inputs: Vec<_> = (0..files.len()).map(|file| folder.path().join(file.to_string())).collect();
        for (path, content) in inputs.iter().zip(files) {
            std::fs::write(path, content).unwrap();
        }
        let sources = Source::open_all(&inputs.into_iter().map(Input::File).collect::<Vec<_>>()).unwrap();
        let queue = Arc::new(Queue::default());
        let mut lanes = Lanes::default();
        lanes.put(0, Lane::new(Arc::clone(&queue), position, None));
        let (feeder, received) = feeder(Arc::new([]), max_records);
        let feed = feeder.feed_of(lanes, Marks::default(), None, false);
        let feed = thread::spawn(move || feed.run(Ok(sources)));
        let mut batches = Vec::new();
        let mut batch = Batch::default();
        while queue.pop(&mut batch, None).is_ok() {
            let records = batch.places().zip(queue::read(batch.all()));
            batches.push(records.map(|(place, (data, key))| (place, data, key)).collect());
        }
        feed.join().unwrap();
        assert!(received.try_recv().is_err(), "no event is sent");
        batches
    }

    #[test]
    fn records_are_counted_over_all_inputs_and_lines_in_each() {
        let batches = fed(&[b"a\n\nb\n", b"\nc"], &Position::TrimHorizon, 2);
        let place = |input, offset, line, record| Place { input, offset, line, record };
        assert_eq!(
            batches,
            [
                vec![
                    (place(0, 0, 1, 1), b"a".to_vec(), "1".to_owned()),
                    (place(0, 3, 3, 2), b"b".to_vec(), "2".to_owned()),
                ],
                vec![(place(1, 1, 2, 3), b"c".to_vec(), "3".to_owned())],
            ]
        );
    }

    #[test]
    fn delivery_resumes_right_after_a_position() {
        let files: [&[u8]; 2] = [b"a\nb\n", b"c\nd\n"];
        let all: Vec<_> = fed(&files, &Position::TrimHorizon, 9).concat();
        for (index, (place, ..)) in all.iter().enumerate() {
            let position = Position::after(place.sequence_number(), 0);
            assert_eq!(fed(&files, &position, 9).concat(), all[index + 1..]);
        }
        // The daemon lets a processor checkpoint numbers that no record has.
        assert_eq!(fed(&files, &Position::after(1.into(), 0), 9).concat(), all);
        assert!(fed(&files, &Position::ShardEnd, 9).is_empty());
    }

    #[test]
    fn a_later_pass_finds_the_records_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input");
        std::fs::write(&path, "1\n2\n").unwrap();
        let sources = Source::open_all(&[Input::File(path.clone())]).unwrap();
        let (feeder, events) = feeder(sources.iter().map(Source::identity_now).collect(), 9);
        feeder.check(sources, Marks::default(), None).unwrap();
        for (content, expected) in [("1\n2\n", End::Finished), ("1\nx\n", End::Paused)] {
            // The file is the same one, with a new content of the same length.
            let mut file = std::fs::File::options().write(true).open(&path).unwrap();
            file.write_all(content.as_bytes()).unwrap();
            let queue = Arc::new(Queue::default());
            feeder.feed_alone(0, Lane::new(Arc::clone(&queue), &Position::TrimHorizon, None), Marks::default());
            let mut batch = Batch::default();
            queue.pop(&mut batch, None).unwrap();
            assert_eq!(queue.pop(&mut batch, None), Err(expected));
        }
        let error = events.try_iter().find_map(|event| match event {
            Event::BadInput(error, _) => Some(error.to_string()),
            _ => None,
        });
        assert!(error.unwrap().contains("was rewritten during the run"));
    }

    #[test]
    fn a_batch_has_no_more_data_than_a_message_may_hold() {
        let line = [&vec![b'x'; 4 << 20][..], b"\n"].concat();
        let batches = fed(&[&line.repeat(5)], &Position::TrimHorizon, 1_000);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    }
}
