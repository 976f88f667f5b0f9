// The options `checkpoint` and `warn_after`.

use kcl::{Checkpoints, Processor, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(checkpoint = "30s", warn_after = "5m")]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}

const _: () = assert!(matches!(Bytes::CHECKPOINTS, Checkpoints::Interval(time) if time.as_millis() == 30_000));
const _: () = assert!(Bytes::WARN_AFTER.as_secs() == 300);

mod by_number {
    use kcl::{Checkpointer, Checkpoints, Processor, Record};

    #[derive(Default)]
    struct Generic<T>(T);

    #[kcl::processor(main = false, checkpoint = "1000 records")]
    impl<T> Generic<T> {
        #[on_records]
        fn count(&mut self, _: &[Record]) {}

        // It checkpoints in another message than `processRecords`.
        #[on_shutdown_requested]
        fn flush(&mut self, checkpointer: &mut Checkpointer) {
            _ = checkpointer.checkpoint();
        }
    }

    const _: () = assert!(matches!(Generic::<u8>::CHECKPOINTS, Checkpoints::Records(1000)));
}

mod by_batch {
    use kcl::{Checkpoints, Processor};

    #[derive(Default)]
    struct Count;

    #[kcl::processor(main = false, checkpoint = batch)]
    impl Count {
        #[on_record]
        fn count(&mut self) {}
    }

    const _: () = assert!(matches!(Count::CHECKPOINTS, Checkpoints::Batch));
}
