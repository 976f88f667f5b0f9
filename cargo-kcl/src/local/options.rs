//! The meaning of the options of `cargo kcl local`.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::mpsc::Sender;
use std::time::Duration;
use std::{fs, io};

use clap::Args;
use kcl::{Position, SequenceNumber};

use super::chaos::{Chaos, Rates};
use super::error::LocalError;
use super::event::Event;
use super::place::{MOST_INPUTS, Place};
use super::source::Supply;
use super::source::feed::Reading;
use super::source::files::Files;
use super::source::plan::{Plan, Reshard};
use super::state::{LIMIT, Run, Store, StoreError};
use crate::args::{
    AwsOptions, CHAOS, CHECKPOINTS, INPUT, LogOptions, REPORT, SHARDS, ShardName, StartAt, count, duration, interval,
    is_trim_horizon, shard_id, stream_name,
};
use crate::disk;
use crate::input::options::RecordOptions;
use crate::input::path::Input;
use crate::input::source::Source;
use crate::metrics::{About, MetricsOptions};
use crate::process::cargo::{CargoError, workspace_root};
use crate::process::program::{Program, ProgramError, ProgramOptions};

/// More bytes than any input has.
const MOST_BYTES: u64 = 999_999_999_999_999_999;

/// The name under which checkpoints are saved. It is valid both as the name of a KCL lease table and as a file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppName(String);

impl FromStr for AppName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
        if text.is_empty() || text.len() > 200 || text.starts_with('.') || !text.chars().all(known) {
            return Err("a name has up to 200 letters, digits, `_`, `-` and `.`, and does not start with `.`");
        }
        Ok(Self(text.to_owned()))
    }
}

/// A shard, and the position to which its checkpoint is moved back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rewind {
    pub(crate) shard: u32,
    pub(crate) position: Position,
}

impl FromStr for Rewind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write SHARD=SEQUENCE, as in shardId-000000000000=TRIM_HORIZON or 0=49…; delivery resumes after that record";
        let (shard, sequence) = text.split_once('=').ok_or(FORM)?;
        let name: ShardName = shard.parse().map_err(|_| FORM)?;
        let shard = name.number().ok_or(FORM)?;
        let position = match sequence {
            oldest if is_trim_horizon(oldest) => Position::TrimHorizon,
            digits => Position::after(digits.parse().map_err(|_| FORM)?, 0),
        };
        Ok(Self { shard, position })
    }
}

/// Run a processor over files, standard input or a stream, as the MultiLangDaemon would
///
/// Splits the input into shards, runs one processor per shard, and speaks the MultiLangDaemon's protocol with it. The checks are
/// stricter than the real daemon's: what the daemon would skip silently, except blank lines, is an error here.
///
/// Each line is a record, without its end, `\n` or `\r\n`; empty lines are skipped. Its arrival time is the time at which its file was last written, or, for
/// standard input, the time at which the run began. The shards end when all records have been delivered. With --format json each
/// line is an object that describes the record in full:
///
/// {"data": "text", "partitionKey": "k", "approximateArrivalTimestamp": 1700000000000}
///
/// Use `dataBase64` instead of `data` for bytes, and add `explicitHashKey` to choose the shard. Everything except the data is
/// optional. With --format aws the input has documents as AWS prints them, on one line or several, of up to 64 MiB each: the answer
/// of `aws kinesis get-records`, or an event of AWS Lambda. With json and aws, records that the Kinesis Producer Library aggregated
/// are unpacked.
///
/// With --stream the records come from a Kinesis stream, or from a stream of `cargo kcl emulate`. Each shard of the stream has a
/// processor. Splits and merges are followed, and child shards start after their parents. Records that the Kinesis Producer Library
/// aggregated are unpacked. This is for development, and for streams that one machine can handle. To use several machines, run
/// `cargo kcl daemon`.
///
/// On a terminal it shows the progress of each shard; elsewhere it prints a line every 5 s.
///
/// Checkpoints are discarded after the run unless --app or --state is given; with one of them, the next run resumes after the saved
/// checkpoints. A run is refused if the input before a checkpoint has changed, if the input has grown after its shards ended, if
/// the stream is no longer the same one, or while another run uses the same checkpoints.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all shards ended or --limit was reached, 1 a processor failed (the other shards continued), Kinesis failed or --chaos \
                  found a broken promise, 2 usage error or bad input, 130 interrupted.\n\n\
                  Examples:\n  \
                  cargo kcl local --input orders.jsonl --key /customer --shards 4 --app revenue\n  \
                  zcat orders.gz | cargo kcl local --release --input -\n  \
                  cargo kcl local --input app.log --follow --from latest -- target/debug/alerts\n  \
                  cargo kcl local --stream orders --from latest --app revenue\n  \
                  cargo kcl local --input orders.jsonl --shards 4 --chaos 7\n  \
                  cargo kcl local --show-checkpoints --app revenue"
)]
pub(crate) struct LocalOptions {
    #[command(flatten)]
    pub(crate) program: ProgramOptions,

    /// Read records from this file, one per line; `-` is standard input. May be given several times
    #[arg(long, help_heading = INPUT, value_name = "FILE", required_unless_present_any = ["show_checkpoints", "stream"], value_parser = clap::value_parser!(Input))]
    pub(crate) input: Vec<Input>,

    /// Read this Kinesis stream instead of files. A stream does not end: stop the run with Ctrl-C or --limit
    #[arg(
        long, help_heading = INPUT,
        value_name = "NAME",
        value_parser = stream_name(),
        conflicts_with_all = ["input", "format", "key", "key_missing", "follow", "large_records", "shards", "reshard", "show_checkpoints"]
    )]
    pub(crate) stream: Option<String>,

    #[command(flatten)]
    pub(crate) records: RecordOptions,

    /// Keep reading after the end of the last --input, as `tail -F` does: across rotation, and from the start of a file that was
    /// truncated. Waits for a file that does not exist yet. A line becomes a record once its line feed has been written. Stop
    /// with Ctrl-C
    #[arg(long, help_heading = INPUT)]
    pub(crate) follow: bool,

    /// Where to start: at the first record, after the existing records (with --follow or --stream), or at TIME (with --stream), such
    /// as 2026-01-31T12:00:00+01:00, 2026-01-31 or -2h
    #[arg(
        long, help_heading = INPUT,
        value_name = "trim-horizon|latest|TIME",
        default_value = "trim-horizon",
        allow_hyphen_values = true
    )]
    pub(crate) from: StartAt,

    /// Stop after N records of the input. The shards do not end, so that a run with a higher limit continues after them (with --chaos,
    /// they end there). With --stream, N counts the records of this run
    #[arg(long, help_heading = INPUT, value_name = "N", value_parser = count(clap::value_parser!(u64)))]
    pub(crate) limit: Option<u64>,

    /// Send a batch without records whenever TIME has passed since the last batch was sent, as the KCL does with
    /// callProcessRecordsEvenForEmptyRecordList: while no records arrive, and between two batches if the processor took that long. By
    /// default every second, if the processor has a tick or works ahead, and otherwise never
    #[arg(long, help_heading = INPUT, value_name = "TIME", value_parser = interval)]
    pub(crate) empty_every: Option<Duration>,

    /// Split the records into N shards, with one process per shard
    #[arg(long, help_heading = SHARDS, value_name = "N", default_value_t = 1, value_parser = count(clap::value_parser!(u32).range(1..=10_000)))]
    pub(crate) shards: u32,

    /// Split or merge shards during the run, each after N records of the input: a split halves the widest shard, a merge joins the
    /// two narrowest neighbours. The new shards start when their parents have ended
    #[arg(long, help_heading = SHARDS, value_name = "split@N,merge@N,…")]
    pub(crate) reshard: Option<Reshard>,

    /// Run at most N processors at once; the others wait until one ends, and those of a stream's open shards never end. Requires
    /// files, which can be read again, or a stream
    #[arg(long, help_heading = SHARDS, value_name = "N", value_parser = count(clap::value_parser!(u32).range(1..)))]
    pub(crate) jobs: Option<u32>,

    /// Restart a shard's failed processor up to N times, from its checkpoint, after a wait that doubles from 0.5 s to 30 s.
    /// Requires files, which can be read again, or a stream
    #[arg(long, help_heading = SHARDS, value_name = "N", value_parser = count(clap::value_parser!(u32)), default_value_t = 0)]
    pub(crate) restarts: u32,

    /// Report a processor that has spent TIME on a request, and name the request
    #[arg(long, help_heading = SHARDS, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) stuck_after: Duration,

    /// Write the result of the run to stdout as one JSON object, instead of the table on stderr
    #[arg(long, help_heading = REPORT)]
    pub(crate) json: bool,

    /// Report only problems
    #[arg(long, help_heading = REPORT, short)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) log: LogOptions,

    #[command(flatten)]
    pub(crate) metrics: MetricsOptions,

    /// Send at most N records in a processRecords message; a message never carries more than 10 MiB of data and keys
    #[arg(long, help_heading = SHARDS, value_name = "N", default_value_t = 1_000, value_parser = count(clap::value_parser!(u32).range(1..=10_000)))]
    pub(crate) max_records: u32,

    /// Save checkpoints under this name, in .kcl next to the workspace's Cargo.toml or else in the current directory, and resume
    /// from them next time
    #[arg(long, help_heading = CHECKPOINTS, value_name = "NAME")]
    pub(crate) app: Option<AppName>,

    /// Save checkpoints in this folder, under the processor's name unless --app is given
    #[arg(long, help_heading = CHECKPOINTS, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// Discard the saved checkpoints and start over
    #[arg(long, help_heading = CHECKPOINTS)]
    pub(crate) fresh: bool,

    /// Before the run, move back the saved checkpoint of a shard, given by its id or number: delivery resumes after this record or,
    /// with TRIM_HORIZON, at the first record. May be given several times
    #[arg(long, help_heading = CHECKPOINTS, value_name = "SHARD=SEQUENCE", conflicts_with = "fresh")]
    pub(crate) rewind: Vec<Rewind>,

    /// Inject production failures on a schedule derived from SEED, and verify that no record is lost
    #[arg(
        long,
        help_heading = CHAOS,
        value_name = "SEED",
        conflicts_with_all = ["app", "state", "fresh", "rewind", "show_checkpoints"],
        long_help = crate::local::chaos::HELP
    )]
    pub(crate) chaos: Option<u64>,

    /// Set the probability of each fault of --chaos, from 0 to 1, as in all=0,kill=0.2; faults not named keep their defaults
    #[arg(long, help_heading = CHAOS, value_name = "NAME=RATE,…", requires = "chaos")]
    pub(crate) chaos_rates: Option<Rates>,

    /// Record each conversation with a processor in this folder, in both directions, as it happens; `cargo kcl replay` replays it
    ///
    /// Each conversation has its own folder: DIR/SHARD for a shard's first processor, DIR/SHARD.2 for the second, and so on. in.jsonl
    /// holds what was sent to the processor, out.jsonl what it sent back, times.tsv the times and the order, and exit its exit code,
    /// unless a signal ended it. Each line is in the file before it is passed on. DIR must be empty.
    #[arg(long, help_heading = REPORT, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,

    /// Write a page about the run to this file when it has ended: timelines, latencies, what took the time, dead letters by error
    ///
    /// The page is one file of HTML, which needs neither a network nor a script. It has a timeline for each of the first 200 shards,
    /// in at most 120 periods of time whatever the length of the run. It contains no payloads: in the errors of records, numbers and
    /// quoted parts are left out. An existing file is replaced.
    #[arg(long, help_heading = REPORT, value_name = "FILE.html", conflicts_with = "show_checkpoints")]
    pub(crate) report: Option<PathBuf>,

    /// Show the checkpoints that are saved under --app, without running anything
    #[arg(long, help_heading = CHECKPOINTS, conflicts_with_all = ["input", "fresh", "rewind", "json"])]
    pub(crate) show_checkpoints: bool,

    #[command(flatten)]
    pub(crate) aws: AwsOptions,
}

impl LocalOptions {
    /// Opens the inputs and finds where the run starts in them.
    pub(crate) fn sources(&self) -> Result<(Vec<Source>, Option<SequenceNumber>), LocalError> {
        if self.input.len() > usize::from(MOST_INPUTS) {
            return Err(LocalError::Inputs(self.input.len()));
        }
        let sources = if self.follow { Source::open_followed(&self.input)? } else { Source::open_all(&self.input)? };
        let start = match (self.from, sources.last()) {
            (StartAt::TrimHorizon | StartAt::Time(_), _) | (_, None) => None,
            (StartAt::Latest, Some(_)) if !self.follow => {
                return Err(LocalError::Options(
                    "--from latest requires --follow: without it, nothing is read after the end of a file or of standard input",
                ));
            }
            (StartAt::Latest, Some(last)) => {
                let input = u16::try_from(sources.len() - 1).unwrap_or(u16::MAX);
                let before = Place::last_before(input, last.last_line_end()?);
                let before = before.or_else(|| Place::last_before(input.checked_sub(1)?, MOST_BYTES));
                before.map(Place::sequence_number)
            }
        };
        Ok((sources, start))
    }

    /// The files and standard input as the source of the records, with these splits and merges.
    pub(crate) fn files(&self, reshard: &Reshard, events: Sender<Event>) -> Result<Files, LocalError> {
        let initial = match self.from {
            StartAt::TrimHorizon => Position::TrimHorizon,
            StartAt::Latest => Position::Latest,
            StartAt::Time(_) => {
                return Err(LocalError::Options(
                    "--from TIME requires --stream: the lines of a file do not carry a time to start from; `trim-horizon` reads all \
                     lines, `latest` only new ones",
                ));
            }
        };
        let reading = self.reading(None)?;
        let (sources, start) = self.sources()?;
        let plan = Plan::new(self.shards, reshard)?;
        let again = !self.follow && sources.iter().all(Source::is_file);
        if !again && self.restarts > 0 {
            return Err(LocalError::Options(
                "--restarts requires input that can be read again: files that are not followed",
            ));
        }
        if !again && self.jobs.is_some_and(|jobs| jobs < plan.len()) {
            return Err(LocalError::Options(
                "--jobs below the number of shards requires input that can be read again: files that are not followed",
            ));
        }
        Ok(Files::new((sources, again), Reading { start, ..reading }, plan, self.identity(), initial, events))
    }

    /// The chaos of the run, if it is requested. Reads the input once, to count its records.
    pub(crate) fn chaos(&self) -> Result<Option<Chaos>, LocalError> {
        let Some(seed) = self.chaos else { return Ok(None) };
        let reading = self.reading(None)?;
        let (sources, _) = self.sources()?;
        if sources.is_empty() || self.follow || !sources.iter().all(Source::is_file) {
            return Err(LocalError::Options(
                "--chaos needs input that can be read again, for each new processor and for the verdict: files, without --follow",
            ));
        }
        let rates = self.chaos_rates.clone().unwrap_or_default();
        Ok(Some(Chaos::new(seed, rates, &self.input, reading, self.shards, self.reshard.as_ref())?))
    }

    /// The settings that turn the input into records, which start after `start`.
    fn reading(&self, start: Option<SequenceNumber>) -> Result<Reading, LocalError> {
        Ok(Reading {
            format: self.records.format().map_err(LocalError::Options)?,
            longest: self.records.longest(),
            max_records: self.max_records as usize,
            limit: self.limit.unwrap_or(u64::MAX),
            // Chaos expects all shards to end.
            limit_ends: self.chaos.is_some(),
            start,
        })
    }

    /// Opens the store of the checkpoints, if they are to outlive the run.
    pub(crate) fn store(&self, program: &Program, supply: &dyn Supply) -> Result<Option<Store>, LocalError> {
        let app = match (&self.app, &self.state) {
            (Some(app), _) => app.clone(),
            (None, None) if self.rewind.is_empty() => return Ok(None),
            (None, None) => {
                return Err(LocalError::Options("--rewind requires --app or --state: without them, no checkpoints are saved"));
            }
            (None, Some(_)) => program.name.parse().map_err(|_| {
                LocalError::Options(
                    "--state saves checkpoints under the processor's name, which is not a valid name here; add --app NAME",
                )
            })?,
        };
        let folder = self.folder()?;
        if self.state.is_none() {
            make_default(&folder).map_err(|error| StoreError::Folder { path: folder.clone(), error })?;
        }
        let store = Store::open(&folder, &app.0, &supply.identity(), self.fresh, supply.start())?;
        self.rewind(&store)?;
        Ok(Some(store))
    }

    /// The description of a run with this program in the metrics.
    pub(crate) fn about(&self, program: &Program) -> About {
        About {
            verb: "local",
            application: self.app.as_ref().map_or_else(|| program.name.clone(), |app| app.0.clone()),
            stream: self.stream.clone(),
            stuck_after: self.stuck_after,
        }
    }

    fn folder(&self) -> Result<PathBuf, LocalError> {
        if let Some(folder) = &self.state {
            return Ok(folder.clone());
        }
        let manifest = self.program.cargo.manifest_path.as_deref();
        match (workspace_root(manifest), manifest) {
            (None, Some(manifest)) => Err(ProgramError::from(CargoError::NotAManifest(manifest.to_owned())).into()),
            (root, _) => Ok(root.unwrap_or_default().join(".kcl")),
        }
    }

    fn rewind(&self, store: &Store) -> Result<(), LocalError> {
        let positions = store.positions()?;
        for Rewind { shard, position } in &self.rewind {
            let stands = positions.iter().find(|(other, _)| other == shard).map(|(_, position)| position);
            let is_back = match (position, stands) {
                (_, None) => false,
                (Position::TrimHorizon, _) | (_, Some(Position::ShardEnd)) => true,
                (Position::After { sequence_number: to, .. }, Some(Position::After { sequence_number, .. })) => {
                    to <= sequence_number
                }
                _ => false,
            };
            if !is_back {
                let stands = stands.map_or("has no checkpoint".to_owned(), |stands| format!("stands at {stands}"));
                return Err(LocalError::Rewind { shard: shard_id(*shard), stands });
            }
            store.move_to(*shard, position.clone());
        }
        Ok(())
    }

    /// The saved checkpoints, as lines for people.
    pub(crate) fn checkpoints(&self) -> Result<Vec<String>, LocalError> {
        let Some(app) = &self.app else {
            return Err(LocalError::Options("--show-checkpoints requires --app NAME, the name they are saved under"));
        };
        let store = Store::open_existing(&self.folder()?, &app.0)?;
        let run = store.run()?;
        let is_stream = run.iter().any(|(what, _)| what == "--stream");
        let mut lines = vec!["Saved by a run with:".to_owned()];
        lines.extend(run.iter().map(|(what, value)| format!("  {what}: {value}")));
        let positions = store.positions()?;
        if positions.is_empty() {
            lines.push("no shard has a checkpoint yet".to_owned());
        }
        for (shard, position) in positions {
            let mut line = format!("{}  {position}", shard_id(shard));
            if let Position::After { sequence_number, .. } = &position
                && !is_stream
                && let Some(place) = Place::from_sequence_number(sequence_number).filter(Place::is_record)
            {
                line += &format!("  (input {}, line {})", place.input + 1, place.line);
            }
            lines.push(line);
        }
        Ok(lines)
    }

    /// The settings that must be the same for saved checkpoints to mean the same records.
    pub(crate) fn identity(&self) -> Run {
        let inputs: Vec<_> = self.input.iter().map(Source::identity).collect();
        let RecordOptions { format, key, key_missing, .. } = &self.records;
        let key = key.as_ref().map_or("the record's number".to_owned(), |key| format!("`{key}`"));
        let key = match key_missing {
            Some(missing) => format!("{key}, or {missing} if there is none"),
            None => key,
        };
        vec![
            ("--input", inputs.join(", ")),
            ("--shards", self.shards.to_string()),
            ("--key", key),
            ("--format", format.to_string()),
            ("--follow", if self.follow { "given" } else { "not given" }.to_owned()),
            ("--from", self.from.to_string()),
            ("--reshard", self.reshard.as_ref().map_or("none".to_owned(), Reshard::to_string)),
            (LIMIT, self.limit.map_or("none".to_owned(), |limit| limit.to_string())),
        ]
    }
}

/// Creates `.kcl` with a `.gitignore` that keeps it out of version control.
fn make_default(folder: &Path) -> io::Result<()> {
    disk::create_folder(folder)?;
    let path = folder.join(".gitignore");
    match fs::symlink_metadata(&path) {
        // An empty file is from a version that was killed before it wrote the line.
        Ok(metadata) if metadata.len() > 0 || !metadata.is_file() => Ok(()),
        _ => disk::write(&path, b"*\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_a_file_in_its_folder() {
        for name in ["a", "orders-2026_v1.x"] {
            assert!(name.parse::<AppName>().is_ok(), "{name}");
        }
        for name in ["", ".", "..", ".hidden", "a/b", "../a", "a b", "é", &"x".repeat(201)] {
            assert!(name.parse::<AppName>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_shard_may_be_named_by_its_id_or_its_number() {
        let rewind = |shard, position| Ok(Rewind { shard, position });
        assert_eq!("shardId-000000000012=TRIM_HORIZON".parse(), rewind(12, Position::TrimHorizon));
        assert_eq!("3=trim-horizon".parse(), rewind(3, Position::TrimHorizon));
        assert_eq!("3=77".parse(), rewind(3, Position::after(77.into(), 0)));
        for text in ["", "3", "x=7", "shardId-x=7", "3=", "3=x", "3=LATEST", "=7"] {
            assert!(text.parse::<Rewind>().is_err(), "{text}");
        }
    }
}
