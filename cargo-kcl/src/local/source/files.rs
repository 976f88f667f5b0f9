//! Files and standard input as a source of records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use kcl::Position;

use super::feed::{Feeder, Lane, Lanes, Past, Reading};
use super::plan::Plan;
use super::queue::Queue;
use super::{SourceError, Standing, Supply, rotated};
use crate::input::kpl::Dropped;
use crate::input::path::Input;
use crate::input::record::Format;
use crate::input::source::{InputError, Source};
use crate::local::event::Event;
use crate::local::place::Place;
use crate::local::state::marks::{Mark, Marks, Met};
use crate::local::state::{LIMIT, Origin, Run, Store, StoreError, sequence_number};

use crate::report;

/// The inputs of a run, and what earlier runs saved about them.
pub(crate) struct Files {
    feeder: Feeder,
    /// The open sources, until the run begins.
    sources: Vec<Source>,
    identity: Run,
    /// The position at which a shard without a checkpoint starts.
    initial: Position,
    marks: Vec<Mark>,
    origin: Option<Origin>,
}

impl Files {
    /// Reads these sources, in this order. With `again` they can be read again, and `initial` is where a shard without a checkpoint
    /// starts.
    pub(crate) fn new(
        (sources, again): (Vec<Source>, bool),
        reading: Reading,
        plan: Plan,
        identity: Run,
        initial: Position,
        events: Sender<Event>,
    ) -> Self {
        let feeder = Feeder {
            inputs: sources.iter().map(Source::identity_now).collect(),
            again,
            reading,
            plan: Arc::new(plan),
            store: None,
            whole: Arc::default(),
            ended: None,
            old: false,
            first: None,
            events,
            dropped: Arc::default(),
        };
        Self { feeder, sources, identity, initial, marks: Vec::new(), origin: None }
    }

    fn lane(&self, position: &Position) -> (Arc<Queue>, Lane) {
        let queue = Arc::new(Queue::default());
        // Nothing is known of records that are not in the files yet.
        queue.set_millis_behind(0);
        let lane = Lane::new(Arc::clone(&queue), position, self.feeder.reading.start);
        (queue, lane)
    }

    /// Refuses an input that has grown since shards ended: no shard would receive the new records. If a later split or merge would have
    /// replaced these shards, the records after it are allowed, which is found while they are read.
    fn check_end(&mut self, was: Option<u64>, positions: &BTreeMap<u32, Position>) -> Result<(), InputError> {
        let ended = positions.iter().filter(|(_, position)| **position == Position::ShardEnd);
        let ended: Vec<_> = ended.map(|(shard, _)| self.feeder.plan.until(*shard)).collect();
        let (Some(end), Some(&until)) = (was, ended.iter().max()) else { return Ok(()) };
        let shards = ended.iter().filter(|other| **other == until).count() as u64;
        self.feeder.ended = Some(Past { shards, end, until });
        // The length of a pipe is found while it is read.
        let lengths = self.sources.iter().map(|source| source.length().filter(|_| source.is_file()));
        match lengths.sum::<Option<u64>>() {
            Some(now) if end < now && until == u64::MAX => {
                let what: Vec<_> = self.sources.iter().map(|source| source.input.to_string()).collect();
                Err(InputError::Grown { what: what.join(", "), shards: report::count(shards, "shard"), was: end, now })
            }
            _ => Ok(()),
        }
    }

    /// Says which records are waited for.
    fn announce(&self) {
        for absent in self.sources.iter().filter(|source| source.is_absent()) {
            report::line(format_args!("{} does not exist yet; waiting for it", absent.input));
        }
        if self.is_typed() {
            report::line("reading records from the terminal, one per line; Ctrl-D ends the input");
        }
    }

    /// Finds the file in which the followed input continues, which may have been rotated while nobody followed it.
    fn find_followed(&mut self, mut origins: Vec<Origin>, shards: &[Standing]) -> Result<(), InputError> {
        let Some(last) = self.sources.len().checked_sub(1) else { return Ok(()) };
        let input = u16::try_from(last).unwrap_or(u16::MAX);
        let named = self.sources[last].input.clone();
        let Input::File(path) = named.clone() else { return Ok(()) };
        origins.retain(|origin| origin.input == input);
        // On the first run, nothing is saved. Before a file that is not the first input, an earlier version saved nothing from which
        // the records could be counted.
        if origins.is_empty() && (input > 0 || self.marks_between(input, 0, u64::MAX).is_empty()) {
            return Ok(());
        }
        if origins.is_empty() {
            origins.push(Origin { input, offset: 0, record: 0, digest: 0, file: None });
        }
        self.feeder.first = origins.first().copied().filter(|first| first.offset == 0);
        let is_needed = |next: &&Origin| !shards.iter().all(|shard| self.is_past(next, &shard.position));
        // The first file of which a shard may need a record: every shard is past the files before it.
        let from = origins.iter().skip(1).take_while(|next| !is_needed(next)).count();
        let framing = self.feeder.reading.format.framing(self.feeder.reading.longest);
        for (at, origin) in origins.iter().enumerate().skip(from) {
            let end = origins.get(at + 1).map_or(u64::MAX, |next| next.offset);
            let marks = self.marks_between(input, origin.offset, end);
            if let Some(found) = rotated::find(&path, origin, &marks, framing)? {
                self.sources[last].begin_in(found.file, found.later);
                self.origin = Some(*origin);
                self.forget_rotated(shards);
                return Ok(());
            }
            // The file of the last origin is named by its marks, below.
            let is_marked = at + 1 == origins.len() && !marks.is_empty();
            if !is_marked && let Some(path) = rotated::newest_compressed(&path)? {
                return Err(InputError::Compressed { input: named, path });
            }
        }
        // Nothing was found. Without a mark, nothing contradicts the file that has the name now.
        let newest = origins.last().copied();
        let offset = newest.map_or(0, |origin| origin.offset);
        let marks = self.marks_between(input, offset, u64::MAX);
        if let Some(newest) = newest.filter(|_| !marks.is_empty()) {
            if !rotated::is_changed(&path, &newest, &marks)? {
                return Err(InputError::RotatedAway { input: named });
            }
            // The comparison with the marks finds the line that has changed.
            self.origin = Some(newest);
            self.forget_rotated(shards);
            return Ok(());
        }
        // The file that has the name now is another one.
        self.origin = newest.map(|newest| Origin { file: None, ..newest });
        self.forget_rotated(shards);
        report::warning(format_args!(
            "{} was replaced or removed since it was read, and the file that was read is not beside it; unprocessed records of that file are not delivered",
            path.display()
        ));
        Ok(())
    }

    /// The marks in a followed file, in order.
    fn marks_between(&self, input: u16, start: u64, end: u64) -> Vec<Mark> {
        let place = |mark: &Mark| Place::from_sequence_number(&mark.sequence_number);
        let is_here = |place: Place| place.input == input && (start..end).contains(&place.offset);
        let mut marks: Vec<_> = self.marks.iter().copied().filter(|mark| place(mark).is_some_and(is_here)).collect();
        marks.sort_by_key(|mark| mark.sequence_number);
        marks
    }

    /// Whether a shard that stands here needs no record before this origin.
    fn is_past(&self, origin: &Origin, position: &Position) -> bool {
        let last = match position {
            Position::ShardEnd => return true,
            Position::After { sequence_number, .. } => Some(*sequence_number),
            _ => self.feeder.reading.start,
        };
        let place = last.and_then(|last| Place::from_sequence_number(&last));
        place.is_some_and(|place| {
            // A record of another format may be an aggregate, of which the shard has only some parts.
            let is_last = place.record >= origin.record && matches!(self.feeder.reading.format, Format::Lines(_));
            (place.input, place.offset) >= (origin.input, origin.offset) || is_last
        })
    }

    /// Refuses another limit if the shards ended at theirs, as they did in earlier versions; otherwise saves it.
    fn check_limit(&self, store: &Store, positions: &BTreeMap<u32, Position>) -> Result<(), StoreError> {
        let Some((_, given)) = self.identity.iter().find(|(what, _)| *what == LIMIT) else { return Ok(()) };
        let stored = store.run()?.into_iter().find(|(what, _)| what == LIMIT);
        let Some((_, stored)) = stored.filter(|(_, stored)| stored != given) else { return Ok(()) };
        let ended =
            |(shard, position): (&u32, &Position)| *position == Position::ShardEnd && self.feeder.plan.is_last(*shard);
        if store.end()?.is_none() && positions.iter().any(ended) {
            return Err(StoreError::EndedAtLimit { stored, given: given.clone() });
        }
        store.keep_limit(given)
    }

    /// Discards the marks of a file that was rotated away: its records can no longer be compared or read.
    fn forget_rotated(&mut self, shards: &[Standing]) {
        let Some(origin) = self.origin else { return };
        let Some(last) = Place::last_before(origin.input, origin.offset).map(Place::sequence_number) else { return };
        let first = Place { input: origin.input, ..Place::default() }.sequence_number();
        self.marks.retain(|mark| !(first..last).contains(&mark.sequence_number));
        let count = shards.iter().filter(|shard| !self.is_past(&origin, &shard.position)).count() as u64;
        if count > 0 {
            report::warning(format_args!(
                "the checkpoints of {} are before the end of a file that has since been replaced; its unprocessed records are not \
                 delivered",
                report::count(count, "shard"),
            ));
        }
    }
}

impl Supply for Files {
    fn identity(&self) -> Run {
        self.identity.clone()
    }

    fn dropped(&self) -> &Dropped {
        &self.feeder.dropped
    }

    fn start(&self) -> Option<String> {
        self.feeder.reading.start.map(|last| last.to_string())
    }

    fn ends(&self) -> Option<Vec<u64>> {
        let mut end = 0;
        let ends = self.sources.iter().map(|source| {
            end += source.length()?;
            Some(end)
        });
        // With a limit, the place of the last record is not known.
        ends.collect::<Option<_>>().filter(|_| self.feeder.reading.limit == u64::MAX)
    }

    fn is_typed(&self) -> bool {
        self.sources.iter().any(Source::is_terminal)
    }

    fn load(&mut self, store: Option<Arc<Store>>) -> Result<Vec<Standing>, SourceError> {
        let mut positions = BTreeMap::new();
        let mut origins = Vec::new();
        if let Some(store) = &store {
            positions = store.positions()?.into_iter().collect();
            self.marks = store.marks()?;
            self.feeder.old = !store.has_line_ends()?;
            origins = store.origins()?;
            self.feeder.reading.start = store.start()?.map(sequence_number).transpose()?;
            self.check_limit(store, &positions)?;
            self.check_end(store.end()?, &positions)?;
        }
        self.feeder.store = store;
        let plan = &self.feeder.plan;
        let shards = (0..plan.len()).map(|number| Standing {
            number,
            position: positions.remove(&number).unwrap_or(self.initial.clone()),
            parents: plan.parents(number).to_owned(),
            born: plan.starts_after(number) == 0,
        });
        let shards: Vec<_> = shards.collect();
        if self.sources.last().is_some_and(Source::is_followed) && self.feeder.store.is_some() {
            self.find_followed(origins, &shards)?;
        }
        Ok(shards)
    }

    fn check(&mut self) -> Result<(), SourceError> {
        self.announce();
        let marks = Marks::new(std::mem::take(&mut self.marks));
        Ok(self.feeder.check(std::mem::take(&mut self.sources), marks, self.origin)?)
    }

    fn begin(&mut self, ready: Vec<(u32, Position)>, waiting: Vec<(u32, Position)>) -> BTreeMap<u32, Arc<Queue>> {
        self.announce();
        // Input that cannot be read again is also read for the shards that wait.
        let waiting = waiting.into_iter().filter(|_| !self.feeder.again);
        let mut lanes = Lanes::default();
        let mut queues = BTreeMap::new();
        for (shard, position) in ready.into_iter().chain(waiting) {
            let (queue, lane) = self.lane(&position);
            lanes.put(shard, lane);
            queues.insert(shard, queue);
        }
        let marks = Marks::new(self.marks.clone());
        self.feeder.feed(lanes, std::mem::take(&mut self.sources), marks, self.origin);
        queues
    }

    fn fill(&mut self, shard: u32, position: &Position, met: Met) -> Arc<Queue> {
        let (queue, lane) = self.lane(position);
        let marks = self.marks.iter().copied().chain(met.marks());
        self.feeder.feed_alone(shard, lane, Marks::new(marks.collect()));
        queue
    }
}
