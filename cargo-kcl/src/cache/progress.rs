//! Running a program that downloads files, and showing its progress.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use super::CacheError;
use crate::process::spawn::spawn;
use crate::report::{self, Prefix, Source, Speaker, StatusLine};
use crate::threads;

/// The number of a program's last lines that are shown if it fails.
const LAST_LINES: usize = 12;

/// Runs the program with this input, and shows what `shown` returns for each of its lines. If the program fails, the lines that
/// contain `trouble` are shown.
pub(crate) fn run(
    tool: &'static str,
    what: &str,
    command: &[OsString],
    input: &[u8],
    trouble: &str,
    mut shown: impl FnMut(&str) -> String,
) -> Result<(), CacheError> {
    let failed = |error| CacheError::Run { tool, error };
    let mut spawned = spawn(command).map_err(failed)?;
    // A program that ends early says why.
    _ = spawned.stdin.write_all(input);
    drop(spawned.stdin);
    let (lines, received) = channel();
    let (stdout, stderr) = (spawned.stdout, spawned.stderr);
    let readers = [
        {
            let lines = lines.clone();
            threads::spawn(move || send_lines(stdout, &lines)).map_err(failed)?
        },
        threads::spawn(move || send_lines(stderr, &lines)).map_err(failed)?,
    ];
    let mut progress = StatusLine::new(false);
    let mut output: Vec<String> = Vec::new();
    for line in received {
        let text = shown(&line);
        progress.show(|| text);
        output.push(line);
    }
    progress.clear();
    for reader in readers {
        _ = reader.join();
    }
    // Both of its outputs are closed, so it has ended or is about to.
    let status = loop {
        if let Some(status) = spawned.process.wait_for(Duration::from_secs(1)).map_err(failed)? {
            break status;
        }
    };
    if status.success() {
        return Ok(());
    }
    let mut excerpt: Vec<_> = output.iter().filter(|line| line.contains(trouble)).map(String::as_str).collect();
    excerpt.truncate(LAST_LINES);
    if excerpt.is_empty() {
        excerpt = output[output.len().saturating_sub(LAST_LINES)..].iter().map(String::as_str).collect();
    }
    for line in excerpt {
        report::pass_on(Speaker::new(Source::Build, Prefix::Name(tool)), line);
    }
    Err(CacheError::Fetch { tool, what: what.to_owned(), status: status.to_string() })
}

fn send_lines(from: impl Read, to: &Sender<String>) {
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        if to.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
            return;
        }
    }
}
