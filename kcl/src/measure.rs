//! The metrics of a conversation, with the feature `metrics`. Without the feature, the functions do nothing.

use std::time::Duration;

#[cfg(not(feature = "metrics"))]
pub(crate) use off::*;
#[cfg(feature = "metrics")]
pub(crate) use on::*;

/// What the watch sees of the calls at one moment.
#[derive(Clone, Debug, Default)]
#[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "only metrics read it"))]
pub(crate) struct Look {
    pub(crate) now: Duration,
    /// How long the call has been running, or the handling of the record at `place`.
    pub(crate) running: Duration,
    /// The place of a record in its batch.
    pub(crate) place: Option<u64>,
    /// The start of the oldest of the records that are handled at once.
    pub(crate) oldest: Option<Duration>,
    /// Where the call is, once it is slow: which record or batch it handles, as a text that follows the name of the action.
    pub(crate) at: Option<String>,
}

#[cfg(feature = "metrics")]
mod on {
    use std::sync::Arc;
    use std::time::Duration;

    use crate::clock::Clock;
    use crate::error::RunError;
    use crate::io::stderr::Report;
    use crate::measure::Look;
    use crate::metrics::{Collector, Settings, Shared};
    use crate::runner::events::Event;

    /// Collects the numbers of a conversation, if the environment asks for them.
    #[derive(Default)]
    pub(crate) struct Measure(Option<Collector>);

    impl Measure {
        pub(crate) fn from_env(clock: &Arc<dyn Clock>, report: &Report) -> Result<Self, RunError> {
            Ok(Self(Settings::from_env()?.map(|settings| Collector::new(settings, clock, report))))
        }

        /// Starts to collect for this shard.
        pub(crate) fn begin(&self, shard: &str) {
            if let Some(collector) = &self.0 {
                collector.begin(shard);
            }
        }

        /// Takes an event into account.
        #[inline(always)]
        pub(crate) fn observe(&mut self, event: &Event<'_>) {
            if let Some(collector) = &mut self.0 {
                collector.observe(event);
            }
        }

        pub(crate) fn gauge(&self) -> Gauge {
            Gauge(self.0.as_ref().map(|collector| Arc::clone(collector.shared())))
        }
    }

    /// The numbers so far, which another thread sends.
    #[derive(Clone, Default)]
    pub(crate) struct Gauge(Option<Arc<Shared>>);

    impl Gauge {
        /// Whether there are any numbers.
        pub(crate) fn is_wanted(&self) -> bool {
            self.0.is_some()
        }

        /// Sends a snapshot if it is due, and returns the time until the next one.
        pub(crate) fn tick(&self, look: &Look) -> Duration {
            self.0.as_ref().map_or(Duration::MAX, |shared| shared.tick(look))
        }

        /// Sends the last snapshot of a run with this result.
        pub(crate) fn finish(&self, result: &Result<(), RunError>) {
            if let Some(shared) = &self.0 {
                shared.finish(result.as_ref().err().map_or(0, RunError::exit_code));
            }
        }
    }
}

#[cfg(not(feature = "metrics"))]
mod off {
    use std::sync::Arc;
    use std::time::Duration;

    use crate::clock::Clock;
    use crate::error::RunError;
    use crate::io::stderr::Report;
    use crate::measure::Look;
    use crate::runner::events::Event;

    #[derive(Default)]
    pub(crate) struct Measure;

    impl Measure {
        pub(crate) fn from_env(_: &Arc<dyn Clock>, _: &Report) -> Result<Self, RunError> {
            Ok(Self)
        }

        pub(crate) fn begin(&self, _: &str) {}

        #[inline(always)]
        pub(crate) fn observe(&mut self, _: &Event<'_>) {}

        pub(crate) fn gauge(&self) -> Gauge {
            Gauge
        }
    }

    #[derive(Clone, Default)]
    pub(crate) struct Gauge;

    impl Gauge {
        pub(crate) fn is_wanted(&self) -> bool {
            false
        }

        pub(crate) fn tick(&self, _: &Look) -> Duration {
            Duration::MAX
        }

        pub(crate) fn finish(&self, _: &Result<(), RunError>) {}
    }
}
