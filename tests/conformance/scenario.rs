//! The data files: their format and their defaults.
//!
//! A file holds `{"about": ..., "scenarios": [...]}`. A scenario with `"for_each": {"error": ["A", "B"]}` stands for
//! one scenario per value, with `$error` replaced in all its text. Several keys stand for every combination. If the
//! value is an object, `$error.name` stands for its member `name`. `"also": ["P"]` repeats a scenario with the processor `P`, and adds
//! ` with P` to its name.
//!
//! Positions are written `3` or `"3/1"` (a record's number and sub-sequence number), or as a sentinel such as
//! `"TRIM_HORIZON"`. The number of a record becomes a sequence number of the length that Kinesis uses, and so does `#3`
//! in other text. In `"=3"`, the number stays as it is.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

/// The prefix of sequence numbers, followed by a record's number in six digits.
const PREFIX: &str = "49590338271490256608559692538361571095921575989136";

const ARRIVAL: u64 = 1_790_000_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: String,
    scenarios: Vec<Map<String, Value>>,
}

/// One conversation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// The rule that must hold, in a sentence, which a failure shows.
    pub(crate) about: String,
    /// The name of the processor, one of `processors/`.
    pub(crate) processor: String,
    /// The processor's behaviour: see `tests::script`.
    #[serde(default)]
    behave: Vec<Value>,
    /// The JVM's default charset.
    #[serde(default = "utf8")]
    pub(crate) charset: String,
    /// Gives the scenario its own JVM, which must end with this exit code before the last step is over.
    #[serde(default)]
    pub(crate) daemon_exit: Option<i32>,
    /// The daemon's property `timeoutInSeconds`.
    #[serde(default)]
    timeout_in_seconds: Option<u32>,
    /// The row's checkpoint at the start; null for a row without one.
    #[serde(default = "trim_horizon")]
    pub(crate) lease: Option<Position>,
    /// Whether the JVM's charset may change the partition keys.
    #[serde(default)]
    pub(crate) lossy_keys: bool,
    pub(crate) steps: Vec<Step>,
    /// Texts that the standard error of all processes together must contain.
    #[serde(default)]
    pub(crate) stderr: Vec<String>,
    /// Texts that it must not contain.
    #[serde(default)]
    pub(crate) stderr_not: Vec<String>,
}

/// One action of the daemon.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    #[serde(rename = "do")]
    pub(crate) what: Act,
    /// For `initialize`: the shard, if it is not the first.
    #[serde(default = "first_shard")]
    pub(crate) shard: String,
    /// For `initialize`: a behaviour other than the scenario's.
    #[serde(default)]
    behave: Option<Vec<Value>>,
    /// For `initialize`: the checkpoint that another worker left in the row.
    #[serde(default)]
    pub(crate) lease: Option<Position>,
    /// For `processRecords`.
    #[serde(default)]
    records: Vec<Records>,
    /// For `processRecords`.
    #[serde(default, rename = "millisBehindLatest")]
    pub(crate) millis_behind_latest: Option<u64>,
    /// For `signal`.
    #[serde(default)]
    signal: Option<String>,
    /// The refusal of checkpoints in this step.
    #[serde(default)]
    refuse: Option<Refuse>,
    /// The number of bytes of this step's message after which the processor's input ends.
    #[serde(default)]
    cut: Option<u64>,
    /// The actions that happen while the message is being handled.
    #[serde(default)]
    during: Vec<During>,
    /// The expected state afterwards.
    #[serde(default, rename = "then")]
    pub(crate) expect: Expect,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Act {
    /// Also starts a processor, as the daemon does.
    Initialize,
    ProcessRecords,
    LeaseLost,
    ShardEnded,
    ShutdownRequested,
    /// Closes the processor's standard input and waits for it to end.
    EndOfInput,
    /// Sends a signal to the processor while it waits for a message.
    Signal,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refuse {
    /// The exception's simple name. If it is left out, no exception is thrown and the row is written.
    #[serde(default)]
    error: Option<String>,
    /// The number of refusals. If it is left out, every checkpoint is refused.
    #[serde(default)]
    times: Option<u32>,
    /// The number of checkpoints that succeed first.
    #[serde(default)]
    after: u32,
    /// A signal that the processor receives while it waits for the answer.
    #[serde(default)]
    signal: Option<String>,
    /// Also close the processor's input, so that no answer gets through.
    #[serde(default)]
    hang_up: bool,
    /// Also kill the daemon.
    #[serde(default)]
    die: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum During {
    /// Wait until the processor has written an event of this name.
    Await(String),
    Signal(String),
    /// Create the file that the processor waits for.
    Open(String),
    /// Close the processor's standard input.
    HangUp(bool),
    /// Kill the daemon.
    Die(bool),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Records {
    Range {
        from: u64,
        count: u64,
        /// The number of generated bytes in each record.
        bytes: u64,
    },
    One {
        at: Position,
        #[serde(default, deserialize_with = "some")]
        data: Option<Data>,
        #[serde(default)]
        key: Option<String>,
        #[serde(default, deserialize_with = "some")]
        arrival: Option<Option<u64>>,
    },
    Plain(Position),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Data {
    Text(String),
    Bytes { bytes: u64 },
    Null(()),
}

/// The expected state after a step. `verdict` derives what is left out from the kind of step.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// The row's checkpoint, if it changed.
    #[serde(default)]
    pub(crate) lease: Option<Position>,
    /// Whether Amazon's class gives up, which ends the daemon.
    #[serde(default)]
    pub(crate) failed: bool,
    /// The records that the processor saw, if it did not see all.
    #[serde(default)]
    pub(crate) saw: Option<Anything<Vec<Position>>>,
    /// The other events that it wrote.
    #[serde(default)]
    pub(crate) events: Option<Anything<Vec<String>>>,
    /// The checkpoints that it asked for; `"null"` is one without a sequence number.
    #[serde(default)]
    pub(crate) asked: Option<Vec<Position>>,
    /// The number of checkpoints that it asked for.
    #[serde(default)]
    pub(crate) tries: Option<usize>,
    /// The exit codes that it may have ended with, if it had to end.
    #[serde(default)]
    pub(crate) exit: Option<Anything<Exits>>,
}

/// `"any"`, or a value to compare with.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Anything<T> {
    Only(T),
    Any(Any),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Any {
    Any,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Exits {
    One(i32),
    OneOf(Vec<i32>),
}

/// A place in a shard, as a scenario writes it and as the row holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Position {
    pub(crate) sequence: String,
    pub(crate) sub: u64,
}

impl Position {
    pub(crate) fn new(sequence: &str, sub: u64) -> Self {
        Position { sequence: sequence.to_owned(), sub }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (sequence, sub) = text.split_once('/').unwrap_or((text, "0"));
        let sub = sub.parse().map_err(|_| format!("`{text}` is not a position"))?;
        Ok(match (sequence.strip_prefix('='), sequence.parse::<u32>()) {
            (Some(verbatim), _) => Position::new(verbatim, sub),
            (None, Ok(number)) => Position { sequence: format!("{PREFIX}{number:06}"), sub },
            (None, Err(_)) => Position::new(sequence, sub),
        })
    }

    fn json(&self) -> Value {
        json!({"sequenceNumber": self.sequence, "subSequenceNumber": self.sub})
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.sequence.strip_prefix(PREFIX).and_then(|number| number.parse::<u64>().ok()) {
            Some(number) => write!(f, "{number}")?,
            None => f.write_str(&self.sequence)?,
        }
        if self.sub > 0 {
            write!(f, "/{}", self.sub)?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            other => return Err(serde::de::Error::custom(format!("`{other}` is not a position"))),
        };
        Position::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Every scenario of a folder, in the order of the files' names.
pub(crate) fn load(folder: &Path) -> Result<Vec<Scenario>, String> {
    let mut paths = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>())
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    paths.sort();
    let mut scenarios: Vec<Scenario> = Vec::new();
    for path in paths {
        let located = |error: String| format!("{}: {error}", path.display());
        let text = std::fs::read(&path).map_err(|error| located(error.to_string()))?;
        let file: File = serde_json::from_slice(&text).map_err(|error| located(error.to_string()))?;
        let theme = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for scenario in file.scenarios {
            let repeated = with_others(scenario).map_err(located)?.into_iter().map(combinations);
            for value in repeated.collect::<Result<Vec<_>, _>>().map_err(located)?.concat() {
                let name = value["name"].clone();
                let mut scenario: Scenario =
                    serde_json::from_value(value).map_err(|error| located(format!("{name}: {error}")))?;
                scenario.name = format!("{theme}/{}", scenario.name);
                if scenarios.iter().any(|other| other.name == scenario.name) {
                    return Err(located(format!("{name} exists twice")));
                }
                scenarios.push(scenario);
            }
        }
    }
    Ok(scenarios)
}

/// The scenario, and its repetitions with the processors of `also`.
fn with_others(mut scenario: Map<String, Value>) -> Result<Vec<Map<String, Value>>, String> {
    let also = scenario.remove("also").unwrap_or_else(|| json!([]));
    let also: Vec<String> = serde_json::from_value(also).map_err(|error| format!("`also`: {error}"))?;
    let mut all = vec![scenario];
    for processor in also {
        let mut repeated = all[0].clone();
        if let Some(Value::String(name)) = repeated.get_mut("name") {
            *name += &format!(" with {processor}");
        }
        repeated.insert("processor".to_owned(), processor.into());
        all.push(repeated);
    }
    Ok(all)
}

/// Replaces a scenario that has `for_each` by one scenario for each combination of its values.
fn combinations(mut scenario: Map<String, Value>) -> Result<Vec<Value>, String> {
    let Some(each) = scenario.remove("for_each") else {
        return Ok(vec![Value::Object(scenario)]);
    };
    let mut all = vec![Value::Object(scenario)];
    for (key, values) in each.as_object().ok_or("`for_each` is not an object")? {
        let values = values.as_array().ok_or("a value of `for_each` is not an array")?;
        let marks = |value: &Value| match value.as_object() {
            Some(members) => members.iter().map(|(name, value)| (format!("${key}.{name}"), value.clone())).collect(),
            None => vec![(format!("${key}"), value.clone())],
        };
        let fill = |scenario: &Value, value: &Value| {
            marks(value).iter().fold(scenario.clone(), |filled, (mark, value)| replaced(&filled, mark, value))
        };
        all = all.iter().flat_map(|scenario| values.iter().map(|value| fill(scenario, value))).collect();
    }
    Ok(all)
}

fn replaced(within: &Value, mark: &str, by: &Value) -> Value {
    match within {
        Value::String(text) if text == mark => by.clone(),
        Value::String(text) => {
            let by = by.as_str().map_or_else(|| by.to_string(), str::to_owned);
            text.replace(mark, &by).into()
        }
        Value::Array(values) => values.iter().map(|value| replaced(value, mark, by)).collect(),
        Value::Object(values) => {
            values.iter().map(|(key, value)| (key.clone(), replaced(value, mark, by))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// Replaces `#3` in a text by the sequence number of the third record.
pub(crate) fn expand_marks(text: &str) -> String {
    let mut parts = text.split('#');
    let mut expanded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        match part[..digits].parse::<u64>() {
            Ok(number) => expanded += &format!("{PREFIX}{number:06}{}", &part[digits..]),
            Err(_) => expanded += &format!("#{part}"),
        }
    }
    expanded
}

impl Scenario {
    /// The scenario in the driver's format.
    pub(crate) fn request(&self, command: &Path, folder: &Path) -> Value {
        let steps: Vec<Value> = self.steps.iter().map(|step| self.step(step, command, folder)).collect();
        json!({
            "name": self.name,
            "folder": folder,
            "lease": self.lease.as_ref().map(Position::json),
            "timeoutInSeconds": self.timeout_in_seconds,
            "steps": steps,
        })
    }

    fn step(&self, step: &Step, command: &Path, folder: &Path) -> Value {
        let during: Vec<Value> = step.during.iter().map(During::json).collect();
        let mut value = json!({
            "do": step.what.name(),
            "during": during,
            "cut": step.cut,
            "refuse": step.refuse.as_ref().map(|refuse| json!({
                "error": refuse.error,
                "times": refuse.times,
                "after": refuse.after,
                "signal": refuse.signal,
                "hangUp": refuse.hang_up,
                "die": refuse.die,
            })),
        });
        match step.what {
            Act::Initialize => {
                let behave = step.behave.as_ref().unwrap_or(&self.behave);
                value["shard"] = step.shard.clone().into();
                value["command"] = json!([command]);
                value["environment"] = json!({
                    "KCL_TEST_FOLDER": folder,
                    "KCL_TEST_SCRIPT": expand_marks(&Value::from(behave.clone()).to_string()),
                });
                if let Some(lease) = &step.lease {
                    value["lease"] = lease.json();
                }
            }
            Act::ProcessRecords => {
                value["records"] = step.records.iter().flat_map(Records::json).collect();
                value["millisBehindLatest"] = step.millis_behind_latest.into();
            }
            Act::Signal => value["signal"] = step.signal.clone().into(),
            _ => {}
        }
        value
    }
}

impl Act {
    fn name(self) -> &'static str {
        match self {
            Act::Initialize => "initialize",
            Act::ProcessRecords => "processRecords",
            Act::LeaseLost => "leaseLost",
            Act::ShardEnded => "shardEnded",
            Act::ShutdownRequested => "shutdownRequested",
            Act::EndOfInput => "endOfInput",
            Act::Signal => "signal",
        }
    }
}

impl During {
    fn json(&self) -> Value {
        match self {
            During::Await(event) => json!({"await": event}),
            During::Signal(name) => json!({"signal": name}),
            During::Open(gate) => json!({"open": gate}),
            During::HangUp(yes) => json!({"hangUp": yes}),
            During::Die(yes) => json!({"die": yes}),
        }
    }
}

impl Records {
    fn json(&self) -> Vec<Value> {
        match self {
            Records::Range { from, count, bytes } => (*from..from + count)
                .map(|number| {
                    let at = Position::new(&format!("{PREFIX}{number:06}"), 0);
                    record(&at, &Some(Data::Bytes { bytes: *bytes }), None, None)
                })
                .collect(),
            Records::One { at, data, key, arrival } => vec![record(at, data, key.as_deref(), *arrival)],
            Records::Plain(at) => vec![record(at, &None, None, None)],
        }
    }
}

fn record(at: &Position, data: &Option<Data>, key: Option<&str>, arrival: Option<Option<u64>>) -> Value {
    let data = match data {
        None => BASE64_STANDARD.encode(format!("record {at}")).into(),
        Some(Data::Text(text)) => BASE64_STANDARD.encode(text).into(),
        Some(Data::Bytes { bytes }) => (*bytes).into(),
        Some(Data::Null(())) => Value::Null,
    };
    json!({
        "sequenceNumber": at.sequence,
        "subSequenceNumber": at.sub,
        "partitionKey": key.map_or_else(|| format!("key {at}"), str::to_owned),
        "arrival": arrival.unwrap_or(Some(ARRIVAL + at.sub)),
        "data": data,
    })
}

/// Distinguishes a null from a missing value.
fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn utf8() -> String {
    "UTF-8".to_owned()
}

fn trim_horizon() -> Option<Position> {
    Some(Position::new("TRIM_HORIZON", 0))
}

fn first_shard() -> String {
    "shardId-000000000000".to_owned()
}
