// Durations and numbers in every spelling.

use kcl::{Checkpoints, Processor};

macro_rules! processors {
    ($($name:ident $checkpoint:literal $warn_after:literal $backoff:literal;)*) => {$(
        mod $name {
            #[derive(Default)]
            pub(super) struct Count(usize);

            #[kcl::processor(main = false, checkpoint = $checkpoint, warn_after = $warn_after)]
            impl Count {
                #[on_record(retry = 1_000, backoff = $backoff)]
                fn count(&mut self) {
                    self.0 += 1;
                }
            }
        }
    )*};
}

processors! {
    short "30s" "500ms" "1ms..1s";
    spaced " 30 sec " "1m 30s" "200 ms .. 5 s";
    words "30 seconds" "1 minute" "1second..1hour";
    many "0.5min" "1h30m" "0.2s..5s";
    days "1d" "2 days" "1 hour .. 1 day";
    records "1_000 records" "1 000 ms" "10_000ms..1min";
    record "1 record" "1min" "1.5s..2.5s";
}

const fn seconds(checkpoints: Checkpoints) -> u64 {
    match checkpoints {
        Checkpoints::Interval(time) => time.as_secs(),
        _ => 0,
    }
}

const _: () = {
    assert!(seconds(short::Count::CHECKPOINTS) == 30 && short::Count::WARN_AFTER.as_millis() == 500);
    assert!(seconds(spaced::Count::CHECKPOINTS) == 30 && spaced::Count::WARN_AFTER.as_secs() == 90);
    assert!(seconds(words::Count::CHECKPOINTS) == 30 && words::Count::WARN_AFTER.as_secs() == 60);
    assert!(seconds(many::Count::CHECKPOINTS) == 30 && many::Count::WARN_AFTER.as_secs() == 5400);
    assert!(seconds(days::Count::CHECKPOINTS) == 86_400 && days::Count::WARN_AFTER.as_secs() == 172_800);
    assert!(matches!(records::Count::CHECKPOINTS, Checkpoints::Records(1000)));
    assert!(records::Count::WARN_AFTER.as_millis() == 1000);
    assert!(matches!(record::Count::CHECKPOINTS, Checkpoints::Records(1)));
};

fn main() {}
