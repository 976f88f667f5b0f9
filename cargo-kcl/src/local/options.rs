//! What the options of `cargo kcl local` mean.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::SystemTime;
use std::{fs, io};

use kcl::{Position, SequenceNumber};

use super::LocalError;
use super::place::{Place, shard_id};
use super::source::Supply;
use super::source::feed::Reading;
use super::source::plan::{Plan, Reshard};
use super::state::{Run, Store, StoreError};
use crate::cli::{LineFormat, LocalOptions};
use crate::input::lines::{LONGEST_LINE, Source};
use crate::input::record::Format;
use crate::process::program::{Program, workspace_root};

/// The most data of a record on a stream of Kinesis that was not told otherwise.
pub(crate) const LONGEST_RECORD: usize = 1 << 20;
/// More than any input has.
const MOST_BYTES: u64 = 999_999_999_999_999_999;

/// Where the records start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartAt {
    TrimHorizon,
    /// Behind what was there before the run, which takes a file that is followed, or a stream.
    Latest,
    /// With the records of a stream that arrived then or later.
    Time(SystemTime),
}

impl fmt::Display for StartAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrimHorizon => f.write_str("trim-horizon"),
            Self::Latest => f.write_str("latest"),
            Self::Time(time) => humantime::format_rfc3339(*time).fmt(f),
        }
    }
}

impl FromStr for StartAt {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "trim-horizon" => Ok(Self::TrimHorizon),
            "latest" => Ok(Self::Latest),
            time => match humantime::parse_rfc3339(time) {
                Ok(time) if time > SystemTime::now() => Err("this time is yet to come"),
                Ok(time) => Ok(Self::Time(time)),
                Err(_) => Err("write `trim-horizon`, `latest` or a time in UTC as in 2026-01-31T12:00:00Z"),
            },
        }
    }
}

/// The name under which checkpoints are kept: what a lease table of the KCL may be called, and so a file.
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

/// A shard, and where it is to stand again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rewind {
    pub(crate) shard: u32,
    pub(crate) position: Position,
}

impl FromStr for Rewind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "it is SHARD=SEQUENCE, such as shardId-000000000000=TRIM_HORIZON or 0=49…: delivery goes on behind that record";
        let (shard, sequence) = text.split_once('=').ok_or(FORM)?;
        let shard = shard.strip_prefix("shardId-").unwrap_or(shard).parse().map_err(|_| FORM)?;
        let position = match sequence {
            "TRIM_HORIZON" => Position::TrimHorizon,
            digits => Position::after(digits.parse().map_err(|_| FORM)?, 0),
        };
        Ok(Self { shard, position })
    }
}

impl LocalOptions {
    /// Opens the input, and finds where the run starts in it.
    pub(crate) fn sources(&self) -> Result<(Vec<Source>, Option<SequenceNumber>), LocalError> {
        if self.format == LineFormat::Json && self.key.is_some() {
            return Err(LocalError::Options("--key is for --format lines; with json a line names its `partitionKey`"));
        }
        let mut sources = Source::open_all(&self.input)?;
        if self.follow
            && let Some(last) = sources.last_mut()
        {
            last.follow()?;
        }
        let start = match (self.from, sources.last()) {
            (StartAt::TrimHorizon | StartAt::Time(_), _) | (_, None) => None,
            (StartAt::Latest, Some(_)) if !self.follow => {
                return Err(LocalError::Options(
                    "--from latest takes --follow: nothing comes behind what is in a file, or was put on standard input",
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

    /// Which shards there are, with these splits and merges.
    pub(crate) fn plan(&self, reshard: &Reshard) -> Result<Plan, LocalError> {
        Plan::new(self.shards, reshard).ok_or(LocalError::Options("--reshard merges the only shard there is"))
    }

    /// How the input becomes records, which start behind `start`.
    pub(crate) fn reading(&self, start: Option<SequenceNumber>) -> Reading {
        Reading {
            format: Format::new(self.format, self.key.clone()),
            longest: if self.large_records { LONGEST_LINE } else { LONGEST_RECORD },
            max_records: self.max_records as usize,
            limit: self.limit.unwrap_or(u64::MAX),
            start,
        }
    }

    /// Where checkpoints are kept, if they are to outlive the run.
    pub(crate) fn store(&self, program: &Program, supply: &dyn Supply) -> Result<Option<Store>, LocalError> {
        let app = match (&self.app, &self.state) {
            (Some(app), _) => app.clone(),
            (None, None) if self.rewind.is_empty() => return Ok(None),
            (None, None) => {
                return Err(LocalError::Options("--rewind takes --app or --state: nothing is kept without"));
            }
            (None, Some(_)) => program.name.parse().map_err(|_| {
                LocalError::Options(
                    "--state keeps checkpoints under the processor's name, which cannot be used here; name --app",
                )
            })?,
        };
        let folder = self.folder();
        if self.state.is_none() {
            make_default(&folder).map_err(|error| StoreError::Folder { path: folder.clone(), error })?;
        }
        let store = Store::open(&folder, &app.0, &supply.identity(), self.fresh, supply.start())?;
        self.rewind(&store)?;
        Ok(Some(store))
    }

    fn folder(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| workspace_root().unwrap_or_default().join(".kcl"))
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
            store.keep(*shard, position, None)?;
        }
        Ok(())
    }

    /// The kept checkpoints, for people to read.
    pub(crate) fn checkpoints(&self) -> Result<String, LocalError> {
        let Some(app) = &self.app else {
            return Err(LocalError::Options("--show-checkpoints takes --app NAME, the name they are kept under"));
        };
        let store = Store::open_existing(&self.folder(), &app.0)?;
        let run = store.run()?;
        let is_stream = run.iter().any(|(what, _)| what == "--stream");
        let mut text: String = run.iter().map(|(what, value)| format!("{what}: {value}\n")).collect();
        let positions = store.positions()?;
        if positions.is_empty() {
            text.push_str("no shard has a checkpoint yet\n");
        }
        for (shard, position) in positions {
            text.push_str(&format!("{}  {position}", shard_id(shard)));
            if let Position::After { sequence_number, .. } = &position
                && !is_stream
                && let Some(place) = Place::from_sequence_number(sequence_number)
            {
                text.push_str(&format!("  (input {}, line {})", place.input + 1, place.line));
            }
            text.push('\n');
        }
        Ok(text)
    }

    /// What must be the same for kept checkpoints to mean the same records.
    pub(crate) fn identity(&self) -> Run {
        let inputs: Vec<_> = self.input.iter().map(Source::identity).collect();
        let key = self.key.as_ref().map_or("the record's number".to_owned(), |key| format!("`{key}`"));
        vec![
            ("--input", inputs.join(", ")),
            ("--shards", self.shards.to_string()),
            ("--key", key),
            ("--format", self.format.to_string()),
            ("--follow", if self.follow { "given" } else { "not given" }.to_owned()),
            ("--from", self.from.to_string()),
            ("--reshard", self.reshard.as_ref().map_or("none".to_owned(), Reshard::to_string)),
            ("--limit", self.limit.map_or("none".to_owned(), |limit| limit.to_string())),
        ]
    }
}

/// Makes `.kcl`, which keeps itself out of version control.
fn make_default(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    match fs::File::create_new(folder.join(".gitignore")) {
        Ok(mut file) => io::Write::write_all(&mut file, b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
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
        let behind = |shard, position| Ok(Rewind { shard, position });
        assert_eq!("shardId-000000000012=TRIM_HORIZON".parse(), behind(12, Position::TrimHorizon));
        assert_eq!("3=77".parse(), behind(3, Position::after(77.into(), 0)));
        for text in ["", "3", "x=7", "3=", "3=x", "3=LATEST", "=7"] {
            assert!(text.parse::<Rewind>().is_err(), "{text}");
        }
    }
}
