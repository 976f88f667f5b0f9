//! User-defined constants and statics with very plain names.
#![allow(non_upper_case_globals, dead_code)]

use kcl::{Checkpointer, Record, Shard};

const input: u8 = 1;
const cx: u8 = 2;
const result: u8 = 3;
static a1: u8 = 4;
const a2: u8 = 5;

struct Plain;

#[kcl::processor]
impl Plain {
    #[on_init]
    fn open(_: &Shard) -> Self {
        Plain
    }

    #[on_records]
    fn records(&mut self, _: &[Record], checkpointer: &mut Checkpointer) -> Result<(), kcl::CheckpointError> {
        checkpointer.checkpoint()
    }
}
