// Constants as the values of options.

use std::time::Duration;

use kcl::{Checkpoints, FailureAction, FailurePolicy, Processor, Record};

const SLOW: Duration = Duration::from_secs(90);

mod limits {
    use std::time::Duration;

    use kcl::Checkpoints;

    pub(crate) const RETRIES: u32 = 3;
    pub(crate) const FIRST: Duration = Duration::from_millis(200);
    pub(crate) const MOST: Duration = Duration::from_secs(5);
    pub(crate) const PACE: Checkpoints = Checkpoints::Records(1000);
    #[allow(non_upper_case_globals)]
    pub(crate) const lower: Duration = Duration::from_secs(7);
}

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(main = false, checkpoint = crate::limits::PACE, warn_after = SLOW)]
impl Bytes {
    const RETRIES: u32 = 2;

    #[on_record(retry = Self::RETRIES, backoff = limits::FIRST..limits::MOST, on_failure = skip)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}

/// The form that rustc proposes for a constant of another type.
#[derive(Default)]
struct Timed {
    bytes: usize,
}

#[kcl::processor(main = false, checkpoint = kcl::Checkpoints::Interval(SLOW))]
impl Timed {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}

const _: () = assert!(matches!(Timed::CHECKPOINTS, Checkpoints::Interval(SLOW)));

const _: () = {
    assert!(matches!(Bytes::CHECKPOINTS, Checkpoints::Records(1000)));
    assert!(Bytes::WARN_AFTER.as_secs() == 90);
};

struct Sampled<'a, T> {
    name: &'a str,
    samples: Vec<T>,
}

#[kcl::processor(main = false, checkpoint = Checkpoints::Batch, warn_after = limits::lower)]
impl<'a, T: From<u8>> Sampled<'a, T> {
    #[cfg(all())]
    #[on_record(retry = limits::RETRIES, backoff = "1s"..limits::MOST)]
    fn add(&mut self, record: &Record) {
        self.samples.extend(record.data().first().map(|&byte| T::from(byte)));
        eprintln!("{}", self.name);
    }

    #[cfg(not(all()))]
    #[on_record(retry = limits::MISSING)]
    fn add_none(&mut self) {}
}

fn main() {
    let policy = FailurePolicy::new().retry(2).backoff(limits::FIRST, limits::MOST).on_failure(FailureAction::Skip);
    assert_eq!(Bytes::POLICY, policy);
    let policy = FailurePolicy::new().retry(3).backoff(Duration::from_secs(1), limits::MOST);
    assert_eq!(Sampled::<u8>::POLICY, policy);
}
