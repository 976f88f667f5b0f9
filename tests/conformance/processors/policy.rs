//! `on_record` with a policy, which the rule `{"at": "policy", "do": [{"policy": "RETRY ON_FAILURE ON_UNDECODABLE"}]}` chooses. The data of
//! a record chooses what it does: `poison` fails, `panic` panics, `once` fails the first time, `invalid` cannot be decoded.

mod poisoned;

use std::process::ExitCode;

use kcl::{BoxError, DeadLetter, MillisBehindLatest, Record, Shard};
use tests::script::{Failed, policy};

use crate::poisoned::{Poisoned, Valid};

macro_rules! policies {
    ($($retry:tt $on_failure:ident $on_undecodable:ident $($letters:ident)?;)*) => {
        fn main() -> ExitCode {
            let policy = policy();
            $({
                struct Policed(Poisoned);

                #[kcl::processor(main = false)]
                impl Policed {
                    #[on_init]
                    fn start(shard: &Shard) -> Result<Self, BoxError> {
                        Poisoned::start(shard).map(Self)
                    }

                    #[on_record(
                        retry = $retry,
                        backoff = "1ms..2ms",
                        on_failure = $on_failure,
                        on_undecodable = $on_undecodable
                    )]
                    fn record(&mut self, record: &Record, _: Valid, behind: MillisBehindLatest) -> Result<(), BoxError> {
                        self.0.record(record, behind)
                    }

                    $(
                        #[on_dead_letter]
                        fn $letters(&mut self, letter: &DeadLetter<'_>) {
                            self.0.script.dead_letter(letter);
                        }
                    )?

                    #[on_lease_lost]
                    fn lease_lost(&mut self) -> Result<(), Failed> {
                        self.0.script.message("lease_lost", None)
                    }

                    #[on_shard_end]
                    fn shard_end(&mut self) -> Result<(), Failed> {
                        self.0.script.message("shard_end", None)
                    }
                }

                if policy == format!("{} {} {}", $retry, stringify!($on_failure), stringify!($on_undecodable)) {
                    return kcl::run::<Policed>();
                }
            })*
            eprintln!("unknown policy {policy}");
            ExitCode::FAILURE
        }
    };
}

policies! {
    0 fail fail;
    0 fail skip;
    0 fail dead_letter keep;
    0 skip fail;
    0 skip skip;
    0 skip dead_letter keep;
    0 dead_letter fail keep;
    0 dead_letter skip keep;
    0 dead_letter dead_letter keep;
    2 fail fail;
    2 fail skip;
    2 fail dead_letter keep;
    2 skip fail;
    2 skip skip;
    2 skip dead_letter keep;
    2 dead_letter fail keep;
    2 dead_letter skip keep;
    2 dead_letter dead_letter keep;
}
