// Ticks with each form of `every`, and each argument.

use std::time::Duration;

use kcl::{BoxError, CheckpointError, Checkpointer, Json, MillisBehindLatest, Record, Shard};

const PACE: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Collect(Vec<Record>);

#[kcl::processor]
impl Collect {
    #[on_records(retry = 1, bisect)]
    fn collect(&mut self, records: &[Record], _: &mut Checkpointer) {
        self.0.extend(records.iter().cloned());
    }

    #[on_tick(every = "1m30s")]
    fn flush(
        &mut self,
        shard: &Shard,
        MillisBehindLatest(behind): MillisBehindLatest,
        checkpointer: &mut Checkpointer,
    ) -> Result<(), CheckpointError> {
        eprintln!("{}: {} records, {behind:?}", shard.id(), self.0.len());
        self.0.clear();
        checkpointer.checkpoint()
    }
}

type Progress<'a> = &'a mut Checkpointer;

#[derive(Default)]
struct Aliased(u64);

#[kcl::processor(main = false)]
impl Aliased {
    #[on_record]
    fn add(&mut self, Json(cents): Json<u64>, _: Progress<'_>) {
        self.0 += cents;
    }

    #[on_tick(every = PACE)]
    fn flush(&mut self, progress: Progress<'_>) -> Result<(), BoxError> {
        Ok(progress.checkpoint()?)
    }
}

struct Generic<T>(Option<T>);

#[kcl::processor(main = false, log_payloads = false)]
impl<T: serde::de::DeserializeOwned> Generic<T> {
    #[on_record(on_undecodable = skip)]
    fn keep(&mut self, Json(last): Json<T>) {
        self.0 = Some(last);
    }

    #[on_tick(every = self::PACE)]
    fn report(&self, behind: MillisBehindLatest) {
        eprintln!("{behind:?}, {}", self.0.is_some());
    }
}

#[derive(Default)]
struct Configured(usize);

#[kcl::processor(main = false, checkpoint = "30s", log_payloads = true)]
impl Configured {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.0 += record.data().len();
    }

    #[cfg(unix)]
    #[on_tick(every = "250ms")]
    fn report(&self, _: &Shard, _: MillisBehindLatest) {}

    #[cfg(not(unix))]
    #[on_tick(every = "1 hour")]
    fn report(&self) {}
}
