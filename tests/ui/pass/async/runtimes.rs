// Every option for the runtime.

use std::time::Duration;

use kcl::Record;

const LIMIT: Duration = Duration::from_secs(30);

mod limits {
    pub const THREADS: usize = 2;
}

#[derive(Default)]
struct Bytes;

#[kcl::processor(runtime = multi_thread, worker_threads = limits::THREADS)]
impl Bytes {
    #[on_record(timeout = LIMIT)]
    async fn add(&mut self, _: &Record) {}
}

macro_rules! processors {
    ($($name:ident: $($option:ident = $value:tt),+;)+) => {$(
        #[derive(Default)]
        pub struct $name;

        #[kcl::processor(main = false, $($option = $value),+)]
        impl $name {
            #[on_records(timeout = "1m30s")]
            async fn add(&mut self, _: &[Record]) {}
        }

        const _: Option<usize> = <$name as kcl::AsyncProcessor>::WORKER_THREADS;
    )+};
}

processors! {
    Current: runtime = current_thread;
    Many: runtime = multi_thread;
    Four: worker_threads = 4, runtime = multi_thread;
}

const _: () = {
    assert!(matches!(<Current as kcl::AsyncProcessor>::WORKER_THREADS, None));
    assert!(matches!(<Four as kcl::AsyncProcessor>::WORKER_THREADS, Some(4)));
    assert!(matches!(<Bytes as kcl::AsyncProcessor>::WORKER_THREADS, Some(2)));
};
