//! `on_records` with a policy, which the rule `{"at": "policy", "do": [{"policy": "RETRY ON_FAILURE ON_UNDECODABLE"}]}` chooses. The data of
//! a record chooses what it does: `poison` fails, `panic` panics, `once` fails the first time, `invalid` cannot be decoded.

mod poisoned;

use std::process::ExitCode;

use kcl::{BoxError, DeadLetter, MillisBehindLatest, Record, Shard};
use tests::script::{Failed, policy};

use crate::poisoned::{Poisoned, Valid};

impl Poisoned {
    fn records(&mut self, records: &[(&Record, Valid)], behind: MillisBehindLatest) -> Result<(), BoxError> {
        self.script.batch(records.len(), behind);
        records.iter().try_for_each(|(record, _)| self.record(record, behind))
    }
}

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

                    #[on_records(
                        retry = $retry,
                        backoff = "1ms..2ms",
                        on_failure = $on_failure,
                        on_undecodable = $on_undecodable
                    )]
                    fn records(
                        &mut self,
                        records: Vec<(&Record, Valid)>,
                        behind: MillisBehindLatest,
                    ) -> Result<(), BoxError> {
                        self.0.records(&records, behind)
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
    2 fail fail;
    0 skip skip;
    2 skip skip;
    0 dead_letter dead_letter keep;
    2 dead_letter dead_letter keep;
}
