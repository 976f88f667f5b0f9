//! Stands between the daemon and a processor, for the tests: keeps what passes in `TRANSCRIPTS`, a folder a process.
//!
//! Its arguments are the processor's command. It ends as the processor ends.

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
    // Not joined: it may wait for the daemon when the processor has ended.
    thread::spawn(move || copy(io::stdin(), stdin, incoming));
    copy(stdout, io::stdout(), outgoing);
    let status = child.wait()?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// Copies until either side is closed; what was read is kept.
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
