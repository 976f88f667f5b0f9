// A processor without `Default`, created by a factory.

use kcl::{Record, Runner};
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};

struct Forward(Sender<Vec<u8>>);

#[kcl::processor(main = false)]
impl Forward {
    #[on_record]
    fn forward(&mut self, record: &Record) -> Result<(), kcl::BoxError> {
        Ok(self.0.send(record.data().to_vec())?)
    }
}

fn main() -> ExitCode {
    let (sender, _receiver) = channel();
    Runner::new(move |_| Ok::<_, String>(Forward(sender.clone()))).run()
}
