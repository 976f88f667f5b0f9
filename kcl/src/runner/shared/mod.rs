//! Many records of a shard at once.
//!
//! While records are handled, their futures borrow the processor, so this is a separate phase of the conversation. Each message that
//! needs the processor alone ends the phase.

mod ending;
mod hot;
mod keys;
mod phase;
#[cfg(test)]
mod random;
mod ring;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod simulation;
mod slots;
mod work;

use crate::async_processor::AsyncProcessor;
use crate::concurrency::{Concurrency, ConcurrentRecord};
use crate::dead_letter::letter::DeadLetter;
use crate::error::Fatal;
#[cfg(test)]
use crate::record::Record;
use crate::runner::current;
use crate::runner::session::Session;
pub(super) use crate::runner::shared::phase::Left;
use crate::runner::shared::phase::Phase;
use crate::runner::shared::work::{Job, Rules, Work};
use crate::trace;

impl<P: AsyncProcessor> Session<P> {
    /// Converses while records are handled at once, until a message needs the processor alone.
    pub(super) async fn share(&mut self, concurrency: Concurrency) -> Result<Left, Fatal> {
        let Self { processor, shard, checkpointer, watermark, ticked, .. } = self;
        let (processor, shard) = (&*processor, &*shard);
        let make = |job| async move {
            match job {
                Job::Attempt(record, millis_behind_latest) => {
                    let input = ConcurrentRecord { record: &record, millis_behind_latest, shard };
                    current::within(&record, trace::within(trace::record(&record), processor.process_record(&input)))
                        .await
                }
                Job::Letter(record, failed) => {
                    let letter = DeadLetter::new(&record, shard, failed.failure().as_error(), failed.attempts());
                    let call = processor.concurrent_dead_letter(&letter);
                    current::within(&record, trace::within(trace::record(&record), call)).await
                }
            }
        };
        let rules = Rules {
            limit: concurrency.at_once as usize,
            order: concurrency.order,
            policy: P::POLICY,
            timeout: P::TIMEOUT,
        };
        let checkpointer = &mut checkpointer.inner;
        let watcher = checkpointer.conversation.watcher();
        let mut phase = Phase {
            processor,
            shard,
            checkpointer,
            watermark,
            ticked,
            concurrency,
            work: Work::new(make, rules, shard),
            reached: 0,
            untouched: 0,
            timer: None,
            due: None,
            limit: None,
            watcher,
            is_lost: false,
        };
        phase.run().await
    }
}

/// Records for tests: every two of them are the user records of one aggregated record.
#[cfg(test)]
pub(super) fn records(first: usize, count: usize) -> Vec<Record> {
    use crate::protocol::WireRecord;

    WireRecord::into_batch((first..first + count).map(|number| WireRecord {
        data: b"data",
        partition_key: "k",
        sequence_number: (number as u64 / 2).into(),
        sub_sequence_number: number as u64 % 2,
        approximate_arrival_timestamp: None,
    }))
}
