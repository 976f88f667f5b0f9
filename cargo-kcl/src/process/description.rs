//! The description that a processor gives of itself before it runs: `KCL_DESCRIBE=1` makes it write one line of JSON and exit.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use memchr::memmem;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;

use super::exec::Death;
use super::program::find;
use super::spawn::{DESCRIBE, Process, bound};
use crate::{report, threads};

/// The longest time until the answer. A program that does not know the question finds an empty input, which ends every processor.
const PATIENCE: Duration = Duration::from_secs(5);

/// The bytes after which an output is not an answer.
const LONGEST: u64 = 4 << 10;

/// A processor's description of itself. Times are in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Description {
    /// Whether it needs messages on a quiet shard: for a tick, or for a checkpoint of records that were settled late.
    pub(crate) empty_batches: bool,
    /// How many batches it acknowledges before all of their records are done.
    #[serde(default)]
    pub(crate) ahead: u32,
    /// The longest time that running records get before it stops.
    pub(crate) drain_millis: Option<u64>,
    /// The longest time of one attempt.
    pub(crate) timeout_millis: Option<u64>,
    /// The most attempts for a record.
    #[serde(default)]
    pub(crate) attempts: Option<u64>,
    /// The longest sum of the waits before further attempts.
    #[serde(default)]
    pub(crate) backoff_millis: Option<u64>,
}

impl Description {
    /// Asks a program whose file mentions the question, as that of every processor of this library does. Any other program would do its
    /// work once more instead. One that does not answer is an ordinary processor.
    ///
    /// Call it on the tool's main thread, as [`spawn`](super::spawn::spawn).
    pub(crate) fn ask(command: &[OsString]) -> Option<Self> {
        let program = File::open(find(command.first()?)?).ok()?;
        if !mentions(program, DESCRIBE.as_bytes()).ok()? {
            return None;
        }
        let mut question = bound(command, Death::Kill).ok()?;
        question.env(DESCRIBE, "1").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = question.spawn().ok()?;
        let stdout = child.stdout.take();
        let group = Pid::from_child(&child);
        let process = Process::new(child);
        let (sender, answer) = mpsc::channel();
        let reads = stdout.map(|stdout| {
            threads::spawn(move || {
                let mut line = Vec::new();
                let read = BufReader::new(stdout.take(LONGEST)).read_until(b'\n', &mut line);
                _ = sender.send(read.ok().map(|_| line));
            })
        });
        let answer = reads.and_then(Result::ok).map(|_| answer.recv_timeout(PATIENCE));
        if let Some(Err(_)) = answer {
            report::warning(format_args!(
                "`{}` did not say in {} what it needs ({DESCRIBE}=1), and is taken for a processor that needs nothing",
                report::excerpt(command.first()?.as_encoded_bytes()),
                report::duration(PATIENCE)
            ));
        }
        // Nobody has waited for the process yet, so the id is its own even if only its children are left.
        _ = kill_process_group(group, Signal::KILL);
        _ = process.wait_for(PATIENCE);
        serde_json::from_slice(&answer?.ok()??).ok()
    }

    /// The longest time that a record can take, if there is a limit: all attempts, and the waits before them.
    pub(crate) fn longest_record(&self) -> Option<Duration> {
        let attempts = self.timeout_millis?.saturating_mul(self.attempts.unwrap_or(1));
        Some(Duration::from_millis(attempts.saturating_add(self.backoff_millis.unwrap_or(0))))
    }
}

/// Whether a file contains these bytes.
fn mentions(mut file: impl Read, bytes: &[u8]) -> io::Result<bool> {
    let finder = memmem::Finder::new(bytes);
    let mut buffer = vec![0; 1 << 16];
    let mut kept = 0;
    loop {
        let read = match file.read(&mut buffer[kept..]) {
            Ok(0) => return Ok(false),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = kept + read;
        if finder.find(&buffer[..end]).is_some() {
            return Ok(true);
        }
        // The bytes may be divided between two reads.
        kept = end.min(bytes.len() - 1);
        buffer.copy_within(end - kept..end, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_may_be_anywhere() {
        for before in [0, 1, (1 << 16) - 5, 1 << 16, 200_000] {
            let file = [&vec![b'K'; before][..], b"KCL_DESCRIBE", b"KCL"].concat();
            assert!(mentions(&file[..], b"KCL_DESCRIBE").expect("it can be read"), "{before}");
            assert!(!mentions(&file[..before + 11], b"KCL_DESCRIBE").expect("it can be read"), "{before}");
        }
    }

    #[test]
    fn an_answer_may_have_further_fields() {
        let answer = r#"{"emptyBatches":true,"drainMillis":10000,"timeoutMillis":null,"ahead":1,"later":[]}"#;
        let description: Description = serde_json::from_str(answer).expect("an answer");
        assert!(description.empty_batches);
        assert_eq!(description.ahead, 1);
        assert_eq!(description.drain_millis, Some(10_000));
        assert_eq!(description.longest_record(), None);
        for other in ["", "{}", "hello", "[]", r#"{"action":"status"}"#] {
            assert!(serde_json::from_str::<Description>(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_record_takes_its_attempts_and_the_waits_between_them() {
        let description = Description {
            timeout_millis: Some(5_000),
            attempts: Some(4),
            backoff_millis: Some(700),
            ..Description::default()
        };
        assert_eq!(description.longest_record(), Some(Duration::from_millis(20_700)));
    }
}
