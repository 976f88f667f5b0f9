//! A processor for the tests. It writes what it sees to the file that `SEEN` names, one event per line. When a record's data is `now`,
//! it performs the action that `DO` names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::channel;
use std::{env, process, thread};

use kcl::{BoxError, Initialize, LeaseLost, ProcessRecords, Processor, Runner, Shard, ShardEnded, ShutdownRequested};

struct Witness {
    seen: File,
}

impl Witness {
    fn saw(&mut self, what: std::fmt::Arguments<'_>) -> io::Result<()> {
        // One write per line, so that the file holds what the process saw, however the process ends.
        self.seen.write_all(format!("{what}\n").as_bytes())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        _ = self.saw(format_args!("drop"));
    }
}

impl Initialize for Witness {
    fn initialize(shard: &Shard) -> Result<Self, BoxError> {
        let path = env::var_os("SEEN").ok_or("SEEN names no file")?;
        let mut witness = Self { seen: OpenOptions::new().create(true).append(true).open(path)? };
        witness.saw(format_args!("initialize {} {}", shard.id(), shard.position()))?;
        Ok(witness)
    }
}

impl Processor for Witness {
    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
        input.for_each_record(|input| {
            let record = input.record();
            self.saw(format_args!(
                "record {}/{} {}",
                record.sequence_number(),
                record.sub_sequence_number(),
                record.data().escape_ascii()
            ))?;
            if record.data() == b"now" { act(&env::var("DO")?) } else { Ok(()) }
        })
    }

    fn lease_lost(&mut self, _: &mut LeaseLost<'_>) -> Result<(), BoxError> {
        Ok(self.saw(format_args!("leaseLost"))?)
    }

    fn shard_ended(&mut self, _: &mut ShardEnded<'_>) -> Result<(), BoxError> {
        Ok(self.saw(format_args!("shardEnded"))?)
    }

    fn shutdown_requested(&mut self, _: &mut ShutdownRequested<'_>) -> Result<(), BoxError> {
        Ok(self.saw(format_args!("shutdownRequested"))?)
    }
}

/// Performs an action. A processor should not print to stdout; the tests check what happens if its author does so anyway.
#[expect(clippy::print_stdout)]
fn act(action: &str) -> Result<(), BoxError> {
    match action {
        "fail" => return Err("as told".into()),
        "fail-once" => {
            let path = std::path::PathBuf::from(env::var_os("SEEN").ok_or("SEEN names no file")?);
            if File::create_new(path.with_extension("failed")).is_ok() {
                return Err("as told".into());
            }
        }
        "panic" => panic!("as told"),
        "abort" => process::abort(),
        "print" => {
            println!("printed to stdout");
            eprintln!("printed to stderr");
            print!("printed without an end");
        }
        "print-much" => {
            for number in 0..100_000 {
                println!("line {number} of many that must not stand in the way of the protocol");
            }
        }
        "forge" => println!(r#"{{"action":"status","responseFor":"processRecords"}}"#),
        // `cat` would read the daemon's messages if it could.
        "spawn" => {
            Command::new("sh").args(["-c", "cat; echo spawned; echo spawned too >&2"]).status()?;
        }
        // Keeps every inherited descriptor open for longer than the parent of this process runs.
        "leave-grandchild" => {
            let child = Command::new("sh")
                .args(["-c", "echo $$ > \"$GRANDCHILD\"; exec sleep 1000"])
                .stdin(Stdio::inherit())
                .spawn()?;
            drop(child);
        }
        "noisy-grandchild" => {
            drop(Command::new("sh").args(["-c", "echo $$ > \"$GRANDCHILD\"; while :; do echo noise; done"]).spawn()?);
        }
        "hold-pipes" => hold_pipes()?,
        "exit" => {
            eprintln!("a complaint");
            print!("the last words");
            process::exit(7);
        }
        "hold-stdout" => {
            let (held, is_held) = channel();
            thread::spawn(move || {
                let _lock = io::stdout().lock();
                held.send(()).ok();
                thread::park();
            });
            is_held.recv()?;
        }
        "thread-panic" => {
            _ = thread::spawn(|| panic!("in a thread")).join();
        }
        other => return Err(format!("unknown action DO={other}").into()),
    }
    Ok(())
}

/// The daemon's pipes, which were this process's stdin, stdout and stderr at its start.
static DAEMONS: OnceLock<BTreeSet<PathBuf>> = OnceLock::new();

/// The pipes that this process has open, each with the path of a descriptor.
fn pipes() -> io::Result<BTreeMap<PathBuf, PathBuf>> {
    let mut pipes = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let path = entry?.path();
        match fs::read_link(&path) {
            Ok(pipe) if pipe.to_string_lossy().starts_with("pipe:") => _ = pipes.insert(pipe, path),
            _ => {}
        }
    }
    Ok(pipes)
}

/// Starts a process that holds the writing ends of all pipes but the daemon's, as a fork of this process would.
fn hold_pipes() -> Result<(), BoxError> {
    let mut pipes = pipes()?;
    pipes.retain(|pipe, _| DAEMONS.get().is_some_and(|daemons| !daemons.contains(pipe)));
    let held: Result<Vec<_>, _> = pipes.values().map(|path| OpenOptions::new().write(true).open(path)).collect();
    let [first, second] =
        <[File; 2]>::try_from(held?).map_err(|held| format!("{} pipes instead of two", held.len()))?;
    let command = ["-c", "echo $$ > \"$GRANDCHILD\"; exec sleep 1000"];
    drop(Command::new("sh").args(command).stdin(first).stdout(second).spawn()?);
    Ok(())
}

fn main() -> ExitCode {
    _ = DAEMONS.set(pipes().unwrap_or_default().into_keys().collect());
    let code = match env::var("DO").as_deref() {
        Ok("run-on") => {
            let error = Runner::new(Witness::initialize).run_on(io::stdin(), io::stdout()).err();
            error.map_or(ExitCode::SUCCESS, |error| {
                eprintln!("{error}");
                ExitCode::from(error.exit_code())
            })
        }
        _ => kcl::run::<Witness>(),
    };
    eprintln!("after the run");
    code
}
