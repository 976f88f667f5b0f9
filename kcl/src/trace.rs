//! Spans and events with the feature `tracing`. Without the feature, the functions do nothing.
//!
//! Events follow the [stream of events](crate::runner::events). Spans are scopes, so they are entered where the scope is.

#[cfg(not(feature = "tracing"))]
pub(crate) use off::*;
#[cfg(feature = "tracing")]
pub(crate) use on::*;

#[cfg(feature = "tracing")]
mod on {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use tracing::span::Entered;
    use tracing::subscriber::NoSubscriber;
    use tracing::{debug, debug_span, info_span, trace_span, warn};

    use crate::protocol::Reply;
    use crate::record::Record;
    use crate::runner::events::Event;
    use crate::shard::Shard;

    pub(crate) use tracing::Span;

    /// Enters a span. The guard must not live across an `await`.
    pub(crate) fn enter(span: &Span) -> Entered<'_> {
        span.enter()
    }

    /// Polls a future within a span.
    pub(crate) async fn within<F: Future>(span: Span, future: F) -> F::Output {
        if span.is_disabled() {
            return future.await;
        }
        let mut future = pin!(Some(future));
        poll_fn(|cx| {
            let _entered = span.enter();
            let polled = future.as_mut().as_pin_mut().map_or(Poll::Pending, |future| future.poll(cx));
            if polled.is_ready() {
                // Its destructor is part of it.
                future.set(None);
            }
            polled
        })
        .await
    }

    pub(crate) fn shard(shard: &Shard) -> Span {
        info_span!(target: "kcl", "shard", shard_id = shard.id(), position = %shard.position())
    }

    /// Makes the span again if it was made before the subscriber was set up.
    pub(crate) fn shard_anew(span: Span, current: &Shard) -> Span {
        let is_late = span.with_subscriber(|(_, subscriber)| subscriber.is::<NoSubscriber>()).unwrap_or(true);
        if is_late { shard(current) } else { span }
    }

    pub(crate) fn message(action: &'static str, records: &[Record]) -> Span {
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return debug_span!(target: "kcl", "message", action);
        };
        debug_span!(
            target: "kcl",
            "message",
            action,
            records = records.len(),
            first_sequence_number = %first.sequence_number(),
            last_sequence_number = %last.sequence_number(),
        )
    }

    pub(crate) fn record(record: &Record) -> Span {
        trace_span!(
            target: "kcl",
            "record",
            sequence_number = %record.sequence_number(),
            sub_sequence_number = record.sub_sequence_number(),
        )
    }

    /// Passes an event on to the subscriber.
    #[inline(always)]
    pub(crate) fn observe(event: &Event<'_>) {
        match event {
            Event::Failed { failed, record } => warn!(
                target: "kcl",
                sequence_number = record.map(|record| display(record.sequence_number())),
                sub_sequence_number = record.map(Record::sub_sequence_number),
                attempts = failed.attempts(),
                error = %failed,
                "retrying",
            ),
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

    /// A span that does not exist.
    #[derive(Clone)]
    pub(crate) struct Span;

    pub(crate) struct Entered;

    #[inline]
    pub(crate) fn enter(_: &Span) -> Entered {
        Entered
    }

    #[inline]
    pub(crate) fn within<F: Future>(_: Span, future: F) -> F {
        future
    }

    pub(crate) fn shard(_: &Shard) -> Span {
        Span
    }

    pub(crate) fn shard_anew(span: Span, _: &Shard) -> Span {
        span
    }

    pub(crate) fn message(_: &'static str, _: &[Record]) -> Span {
        Span
    }

    #[inline]
    pub(crate) fn record(_: &Record) -> Span {
        Span
    }

    #[inline(always)]
    pub(crate) fn observe(_: &Event<'_>) {}
}
