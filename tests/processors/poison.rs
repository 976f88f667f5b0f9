//! A processor for the tests whose records choose what it does. It keeps dead letters in the folder that `KCL_TEST_FOLDER` names.
//!
//! The payload is a text in JSON: `poison` fails, `once` fails if the folder does not contain a file `once`, `panic` panics, `wait` waits
//! until the folder contains a file `go`, and anything else succeeds. With `KCL_TEST_FIXED`, `poison` succeeds too. `mute` and `chatty` fail
//! with an error whose `Display` panics or prints more than a pipe holds. `dots` fails after it has begun a line.

use std::borrow::Cow;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fmt, io, thread};

use kcl::dead_letter::JsonLines;
use kcl::{BoxError, DeadLetter, Json, Shard};

/// An error with this `Display`.
struct Told(fn(&mut fmt::Formatter<'_>) -> fmt::Result);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

impl std::error::Error for Told {}

fn chat(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for _ in 0..5_000 {
        eprintln!("what a long time it takes until an error has told everything");
    }
    f.write_str("as it says")
}

struct Poison {
    folder: PathBuf,
    letters: JsonLines,
    fixed: bool,
}

#[kcl::processor(warn_after = "40ms")]
impl Poison {
    #[on_init]
    fn open(shard: &Shard) -> io::Result<Self> {
        let folder = PathBuf::from(env::var_os("KCL_TEST_FOLDER").unwrap_or_default());
        let letters = JsonLines::open(folder.join("letters"), shard)?;
        Ok(Poison { folder, letters, fixed: env::var_os("KCL_TEST_FIXED").is_some() })
    }

    #[on_record(retry = 1, backoff = "1ms..1ms", on_failure = dead_letter, on_undecodable = skip)]
    fn handle(&mut self, Json(what): Json<Cow<'_, str>>) -> Result<(), BoxError> {
        eprintln!("payload: {what}");
        match &*what {
            "poison" if !self.fixed => return Err("as it says".into()),
            "once" if File::create_new(self.folder.join("once")).is_ok() => return Err("as it says".into()),
            "mute" => return Err(Told(|_| panic!("without a text")).into()),
            "chatty" => return Err(Told(chat).into()),
            "dots" => {
                eprint!("...");
                return Err("as it says".into());
            }
            "panic" => panic!("as it says"),
            "wait" => {
                while !self.folder.join("go").exists() {
                    thread::sleep(Duration::from_millis(2));
                }
            }
            _ => {}
        }
        Ok(())
    }

    #[on_dead_letter]
    fn keep(&mut self, letter: &DeadLetter) -> io::Result<()> {
        self.letters.write(letter)
    }
}
