//! A program for the tests that runs between the daemon and a processor. It keeps the traffic in the folder `TRANSCRIPTS`, in one
//! folder per process.
//!
//! Its arguments are the processor's command. It exits as the processor exits.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{self, Command, ExitCode, Stdio};
use std::{env, thread};

fn main() -> io::Result<ExitCode> {
    let missing = |what| move || io::Error::other(what);
    let mut arguments = env::args_os().skip(1);
    let program = arguments.next().ok_or_else(missing("no command is given"))?;
    let folder = PathBuf::from(env::var_os("TRANSCRIPTS").ok_or_else(missing("TRANSCRIPTS names no folder"))?);
    let folder = folder.join(process::id().to_string());
    fs::create_dir_all(&folder)?;
    let (incoming, outgoing) = (File::create(folder.join("in.jsonl"))?, File::create(folder.join("out.jsonl"))?);

    let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take().ok_or_else(missing("the processor has no stdin"))?;
    let stdout = child.stdout.take().ok_or_else(missing("the processor has no stdout"))?;
    // The thread is not joined: it may still wait for the daemon after the processor has ended.
    thread::spawn(move || copy(io::stdin(), stdin, incoming));
    copy(stdout, io::stdout(), outgoing);
    let status = child.wait()?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// Copies until either side is closed, and keeps the bytes that it read.
fn copy(mut from: impl Read, mut to: impl Write, mut kept: impl Write) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        if kept.write_all(read).is_err() || to.write_all(read).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}
