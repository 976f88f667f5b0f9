// Names of the standard library, and `kcl`, that mean something else.

#![allow(nonstandard_style, dead_code, unused_macros)]

mod std {}
mod core {}
mod kcl {
    pub mod handler {}
}
mod handler {}

struct Result;
struct Option;
struct Box;
struct Vec;
struct String;
struct Processor;
struct Initialize;
struct Takes;
struct ExitCode;
trait Outcome {}
trait Default {}
trait From {}
trait Into {}
fn Ok() {}
fn Err() {}
fn Some() {}
fn run() {}
const None: () = ();

macro_rules! assert {
    () => {};
}
macro_rules! panic {
    () => {};
}

struct Count {
    input: usize,
    cx: usize,
}

#[::kcl::processor]
impl Count {
    #[on_init]
    fn open(input: &::kcl::Shard) -> ::std::result::Result<Self, ::kcl::BoxError> {
        let cx = input.id().len();
        ::std::result::Result::Ok(Count { input: 0, cx })
    }

    #[on_record]
    fn count(&mut self, cx: &::kcl::Record, input: &mut ::kcl::Checkpointer, _: &::kcl::Shard) {
        let _ = (cx, input);
        self.input += self.cx;
    }

    #[on_lease_lost]
    fn handled(&self) {}

    #[on_shard_end]
    fn take(&self, _: &::kcl::Shard, _: &mut ::kcl::Checkpointer) -> ::std::result::Result<(), &'static str> {
        ::std::result::Result::Err("no")
    }
}
