//! Spans and events with the feature `tracing`. Without the feature, the functions do nothing.
//!
//! Events follow the [stream of events](crate::runner::events). Spans are scopes, so they are entered where the scope is.

#[cfg(not(feature = "tracing"))]
pub(crate) use off::*;
#[cfg(feature = "tracing")]
pub(crate) use on::*;

#[cfg(feature = "tracing")]
mod on {
    use tracing::span::EnteredSpan;
    use tracing::subscriber::NoSubscriber;
    use tracing::{debug, debug_span, info_span, trace_span, warn};

    use crate::protocol::Reply;
    use crate::record::Record;
    use crate::runner::events::Event;
    use crate::shard::Shard;

    pub(crate) type Entered = EnteredSpan;

    pub(crate) fn shard(shard: &Shard) -> Entered {
        info_span!(target: "kcl", "shard", shard_id = shard.id(), position = %shard.position()).entered()
    }

    /// Makes the span again if it was made before the subscriber was set up.
    pub(crate) fn shard_anew(entered: Entered, current: &Shard) -> Entered {
        let is_late = entered.with_subscriber(|(_, subscriber)| subscriber.is::<NoSubscriber>()).unwrap_or(true);
        if is_late { shard(current) } else { entered }
    }

    pub(crate) fn message(action: &'static str, records: &[Record]) -> Entered {
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return debug_span!(target: "kcl", "message", action).entered();
        };
        debug_span!(
            target: "kcl",
            "message",
            action,
            records = records.len(),
            first_sequence_number = %first.sequence_number(),
            last_sequence_number = %last.sequence_number(),
        )
        .entered()
    }

    pub(crate) fn record(record: &Record) -> Entered {
        trace_span!(
            target: "kcl",
            "record",
            sequence_number = %record.sequence_number(),
            sub_sequence_number = record.sub_sequence_number(),
        )
        .entered()
    }

    /// Passes an event on to the subscriber.
    #[inline(always)]
    pub(crate) fn observe(event: &Event<'_>) {
        match event {
            Event::Failed(failed) => {
                warn!(target: "kcl", attempts = failed.attempts(), error = %failed, "retrying");
            }
            Event::Passed(passed) => warn!(
                target: "kcl",
                sequence_number = %passed.record.sequence_number(),
                sub_sequence_number = passed.record.sub_sequence_number(),
                attempts = passed.failed.attempts(),
                error = %passed.failed,
                "{}",
                passed.how,
            ),
            Event::Checkpoint { request: Reply::Checkpoint { sequence_number, sub_sequence_number }, result } => {
                let (sequence_number, sub_sequence_number) = (sequence_number.as_deref(), *sub_sequence_number);
                match result {
                    Ok(()) => debug!(target: "kcl", sequence_number, sub_sequence_number, "checkpointed"),
                    Err(error) => {
                        warn!(target: "kcl", sequence_number, sub_sequence_number, %error, "not checkpointed")
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use crate::record::Record;
    use crate::runner::events::Event;
    use crate::shard::Shard;

    pub(crate) struct Entered;

    pub(crate) fn shard(_: &Shard) -> Entered {
        Entered
    }

    pub(crate) fn shard_anew(entered: Entered, _: &Shard) -> Entered {
        entered
    }

    pub(crate) fn message(_: &'static str, _: &[Record]) -> Entered {
        Entered
    }

    #[inline]
    pub(crate) fn record(_: &Record) -> Entered {
        Entered
    }

    #[inline(always)]
    pub(crate) fn observe(_: &Event<'_>) {}
}
