// A parameter that a bound ties to another.

use std::marker::PhantomData;

use kcl::{Json, Record};
use serde::de::DeserializeOwned;

trait Format {
    type Payload;
}

struct Numbers;

impl Format for Numbers {
    type Payload = u64;
}

struct Typed<F> {
    format: PhantomData<F>,
}

#[kcl::processor(main = false)]
impl<F, T> Typed<F>
where
    F: Format<Payload = T>,
    T: DeserializeOwned + std::fmt::Debug,
{
    #[on_init]
    fn open() -> Self {
        Typed { format: PhantomData }
    }

    #[on_record]
    fn print(&mut self, Json(value): Json<T>, _: &Record) {
        eprintln!("{value:?}");
    }
}

fn main() -> std::process::ExitCode {
    kcl::run::<Typed<Numbers>>()
}
