//! Processors written with Amazon's libraries for Node and Python, under `cargo kcl local`. These libraries write a line feed before
//! each reply.
//!
//! npm and pip install the libraries once, into the target folder. A test whose programs are missing is ignored, unless `CI` is set.

#[expect(dead_code, reason = "the tests of `local` use the rest")]
#[path = "../local/harness.rs"]
mod harness;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use tests::emulators;

use crate::harness::{Place, Running};

/// One of Amazon's libraries.
struct Library {
    /// The programs that install it and run its processors.
    programs: &'static [&'static str],
    /// Installs it into an empty folder.
    install: fn(&Path) -> Result<(), Failed>,
    /// The processor, in the folder of this test.
    processor: &'static str,
    /// The variable in which the interpreter finds the library, and where it is in the folder.
    path: (&'static str, &'static str),
}

const NODE: Library = Library {
    programs: &["node", "npm"],
    install: |folder| run(Command::new("npm").args(["install", "--prefix", ".", "aws-kcl@2.3.2"]), folder),
    processor: "processor.js",
    path: ("NODE_PATH", "node_modules"),
};

const PYTHON: Library = Library {
    programs: &["python3", "pip3", "tar"],
    // An installation would download the daemon's jars, too.
    install: |folder| {
        run(Command::new("pip3").args(["download", "--no-deps", "amazon_kclpy==3.2.0"]), folder)?;
        run(Command::new("tar").args(["-xzf", "amazon_kclpy-3.2.0.tar.gz"]), folder)
    },
    processor: "processor.py",
    path: ("PYTHONPATH", "amazon_kclpy-3.2.0"),
};

fn run(command: &mut Command, folder: &Path) -> Result<(), Failed> {
    let output = command.current_dir(folder).output()?;
    if output.status.success() {
        return Ok(());
    }
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    Err(format!("{command:?}: {}\n{stdout}{stderr}", output.status).into())
}

impl Library {
    /// The first missing program.
    fn missing(&self) -> Option<&'static str> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
        self.programs.iter().copied().find(|program| !found(program))
    }

    /// The folder of the library, which is installed unless it is there.
    fn installed(&self) -> Result<PathBuf, Failed> {
        let cache = emulators::cache().join("libraries");
        fs::create_dir_all(&cache)?;
        let lock = File::create(cache.join("lock"))?;
        lock.lock()?;
        let folder = cache.join(self.processor);
        if !folder.join(self.path.1).is_dir() {
            _ = fs::remove_dir_all(&folder);
            fs::create_dir(&folder)?;
            (self.install)(&folder)?;
        }
        Ok(folder.join(self.path.1))
    }

    /// Adds the processor, and the place of its library.
    fn add_to(&self, mut command: Command) -> Result<Command, Failed> {
        command.env(self.path.0, self.installed()?);
        command.args(["--", self.programs[0]]).arg(tests::workspace().join("tests/libraries").join(self.processor));
        Ok(command)
    }
}

fn records_and_checkpoints(library: &Library) -> Result<(), Failed> {
    let input: String = (1..=100).map(|number| format!("{number}\n")).collect();
    let place = Place::with_input(&input);
    let local = |arguments: &[&str]| {
        library.add_to(place.tool([&["--input", "input", "--max-records", "10"], arguments].concat()))
    };

    let arguments = ["--shards", "2", "--app", "app", "--record", "recorded"];
    Running::start(local(&arguments)?).end().expect(0, &["100 records", "ended"]);
    let seen = place.seen();
    assert_eq!((seen.records().count(), seen.count("shardEnded")), (100, 2));
    // The recording keeps the blank lines, and numbers them.
    let out = place.read("recorded/shardId-000000000000/out.jsonl");
    assert!(out.starts_with("\n{") && out.contains("}\n\n{"), "{out}");
    let times = place.read("recorded/shardId-000000000000/times.tsv");
    assert!(times.contains("\tout\t1 noise\n") && times.contains("\tout\t2 status initialize\n"), "{times}");
    Running::start(local(&arguments[..4])?).end().expect(0, &["everything was already processed"]);

    let replayed = library.add_to(place.replay(["recorded"]))?;
    Running::start(replayed).end().expect(0, &["2 conversations: all the same"]);
    Ok(())
}

fn chaos(library: &Library) -> Result<(), Failed> {
    let input: String = (1..=100).map(|number| format!("{number}\n")).collect();
    let place = Place::with_input(&input);
    let tool = place.tool(["--input", "input", "--max-records", "10", "--shards", "2", "--chaos", "7"]);
    Running::start(library.add_to(tool)?).end().expect(0, &["held    every record was delivered at least once"]);
    Ok(())
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for (language, library) in [("node", &NODE), ("python", &PYTHON)] {
        let missing = library.missing().filter(|_| std::env::var_os("CI").is_none());
        let mut add = |name: &str, test: fn(&Library) -> Result<(), Failed>| {
            let trial = Trial::test(format!("{language}::{name}"), move || test(library));
            let trial = trial.with_kind(missing.map(|program| format!("no {program}")).unwrap_or_default());
            trials.push(trial.with_ignored_flag(missing.is_some()));
        };
        add("records_and_checkpoints_are_recorded_and_replayed", records_and_checkpoints);
        add("chaos_loses_no_record", chaos);
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
