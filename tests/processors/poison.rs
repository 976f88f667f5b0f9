//! Does with a record as its payload says, and keeps what fails for good in the folder that `KCL_TEST_FOLDER` names.
//!
//! The payload is a text in JSON: `poison` fails, `panic` panics, `wait` waits until there is a file `go` in the folder, anything else
//! is good. With `KCL_TEST_MENDED`, `poison` is good, too.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, io, thread};

use kcl::dead_letter::JsonLines;
use kcl::{DeadLetter, Json, Shard};

struct Poison {
    folder: PathBuf,
    letters: JsonLines,
    mended: bool,
}

#[kcl::processor(warn_after = "40ms")]
impl Poison {
    #[on_init]
    fn open(shard: &Shard) -> io::Result<Self> {
        let folder = PathBuf::from(env::var_os("KCL_TEST_FOLDER").unwrap_or_default());
        let letters = JsonLines::open(folder.join("letters"), shard)?;
        Ok(Poison { folder, letters, mended: env::var_os("KCL_TEST_MENDED").is_some() })
    }

    #[on_record(retry = 1, backoff = "1ms..1ms", otherwise = "dead_letter", invalid = "skip")]
    fn handle(&mut self, Json(what): Json<&str>) -> Result<(), &'static str> {
        eprintln!("is told {what}");
        match what {
            "poison" if !self.mended => return Err("as it says"),
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
