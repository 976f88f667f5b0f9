//! A processor for the tests. It writes each event to the file that `LEDGER` names, one per line: the shard, the process id and the
//! event. Some records are orders that it follows. With `LEDGER_PACED`, it is checkpointed after every fifth record, also within a
//! batch.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{self, Command, ExitCode};
use std::time::Duration;
use std::{env, fmt, thread};

use kcl::{BoxError, Record, Shard};

struct Ledger {
    file: File,
    shard: String,
}

impl Ledger {
    fn write(&mut self, what: fmt::Arguments<'_>) -> io::Result<()> {
        // One write per line, because processes of several shards write to the same file, and any of them may be killed.
        let line = format!("{} {} {what}\n", self.shard, process::id());
        self.file.write_all(line.as_bytes())
    }

    /// Follows the order in a record.
    #[expect(clippy::print_stdout)]
    fn obey(&mut self, order: &str) -> Result<(), BoxError> {
        let (order, path) = order.split_once(' ').unwrap_or((order, ""));
        let first_time = || OpenOptions::new().write(true).create_new(true).open(path).is_ok();
        match order {
            "fail-once" if first_time() => return Err("as told".into()),
            "die-once" if first_time() => {
                Command::new("kill").args(["-KILL", &process::id().to_string()]).status()?;
            }
            "wait-for" => {
                self.write(format_args!("waiting"))?;
                while !Path::new(path).exists() {
                    thread::sleep(Duration::from_millis(10));
                }
            }
            "print-and-spawn" => {
                println!("printed to stdout");
                print!("and without an end");
                Command::new("sh").args(["-c", "cat; echo spawned; echo spawned too >&2"]).status()?;
                // It keeps every inherited descriptor open for longer than this process runs.
                Command::new("sh").args(["-c", "echo $$ > \"$0\"; exec sleep 1000", path]).spawn()?;
            }
            _ => {}
        }
        Ok(())
    }
}

#[kcl::processor(main = false)]
impl Ledger {
    #[on_init]
    fn open(shard: &Shard) -> Result<Self, BoxError> {
        let path = env::var_os("LEDGER").ok_or("LEDGER names no file")?;
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let mut ledger = Ledger { file, shard: shard.id().to_owned() };
        ledger.write(format_args!("initialize {}", shard.position()))?;
        Ok(ledger)
    }

    #[on_record]
    fn record(&mut self, record: &Record) -> Result<(), BoxError> {
        let (sequence, sub, data) = (record.sequence_number(), record.sub_sequence_number(), record.data());
        let shown = &data[..data.len().min(200)];
        self.write(format_args!("record {sequence}/{sub} {} {}", data.len(), shown.escape_ascii()))?;
        self.obey(std::str::from_utf8(shown).unwrap_or_default())
    }

    #[on_lease_lost]
    fn lease_lost(&mut self) -> io::Result<()> {
        self.write(format_args!("leaseLost"))
    }

    #[on_shard_end]
    fn shard_end(&mut self) -> io::Result<()> {
        self.write(format_args!("shardEnded"))
    }

    #[on_shutdown_requested]
    fn shutdown_requested(&mut self) -> io::Result<()> {
        self.write(format_args!("shutdownRequested"))
    }
}

/// A ledger that is checkpointed within batches.
struct Paced(Ledger);

#[kcl::processor(main = false, checkpoint = "5 records")]
impl Paced {
    #[on_init]
    fn open(shard: &Shard) -> Result<Self, BoxError> {
        Ledger::open(shard).map(Self)
    }

    #[on_record]
    fn record(&mut self, record: &Record) -> Result<(), BoxError> {
        self.0.record(record)
    }

    #[on_lease_lost]
    fn lease_lost(&mut self) -> io::Result<()> {
        self.0.lease_lost()
    }

    #[on_shard_end]
    fn shard_end(&mut self) -> io::Result<()> {
        self.0.shard_end()
    }

    #[on_shutdown_requested]
    fn shutdown_requested(&mut self) -> io::Result<()> {
        self.0.shutdown_requested()
    }
}

fn main() -> ExitCode {
    if env::var_os("LEDGER_PACED").is_some() { kcl::run::<Paced>() } else { kcl::run::<Ledger>() }
}
