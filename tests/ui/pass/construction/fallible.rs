// A constructor that can fail.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use kcl::{Record, Shard};

struct Log {
    file: File,
}

#[kcl::processor]
impl Log {
    #[on_init]
    fn open(shard: &Shard) -> io::Result<Log> {
        let file = OpenOptions::new().append(true).create(true).open(shard.id())?;
        Ok(Log { file })
    }

    #[on_record]
    fn write(&mut self, record: &Record) -> io::Result<()> {
        self.file.write_all(record.data())
    }
}
