//! `--log-format`: the form of everything on stderr.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::escape::{is_control, json_length, to_json};
use super::words::bounded;

/// The longest line of JSON, in bytes. Collectors of logs cut longer lines, and then they are not JSON.
pub(super) const LONGEST_LINE: usize = 64 << 10;

/// The form of everything on stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object per line
    Json,
    /// As text, but a processor's lines are passed on byte for byte
    Raw,
}

/// The importance of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// The program that a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Source {
    Tool,
    Processor,
    Daemon,
    /// The daemon's virtual machine.
    Java,
    Emulator,
    /// A program that builds or installs something: Cargo, Maven or npm.
    Build,
}

static FORMAT: OnceLock<LogFormat> = OnceLock::new();
static STREAM: OnceLock<String> = OnceLock::new();

/// Sets the form of everything on stderr, once.
pub(crate) fn use_format(format: LogFormat) {
    _ = FORMAT.set(format);
}

/// The form of everything on stderr.
pub(crate) fn format() -> LogFormat {
    FORMAT.get().copied().unwrap_or_default()
}

/// Sets the Kinesis stream that all messages are about, once.
pub(crate) fn use_stream(name: &str) {
    _ = STREAM.set(bounded(name).into_owned());
}

/// A message as a line of JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line<'a> {
    time: String,
    level: Level,
    source: Source,
    stream: Option<&'a str>,
    shard: Option<Cow<'a, str>>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<&'a RawValue>,
    /// The number of bytes that the message and the object lack.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut_bytes: Option<u64>,
}

impl<'a> Line<'a> {
    pub(super) fn new(level: Level, source: Source, shard: Option<&'a str>, message: &'a str) -> Self {
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let stream = STREAM.get().map(String::as_str);
        Self { time, level, source, stream, shard: shard.map(bounded), message, fields: None, cut_bytes: None }
    }

    /// Adds an object.
    pub(super) fn with_fields(self, fields: Option<&'a RawValue>) -> Self {
        Self { fields, ..self }
    }

    /// The line, with its line feed. If it is too long, it loses its object, the message is cut, and `cutBytes` says by how much.
    /// `lost` counts bytes of the message that were dropped before.
    pub(super) fn write(mut self, lost: u64) -> Vec<u8> {
        self.cut_bytes = Some(lost).filter(|lost| *lost > 0);
        let json = self.json();
        if json.len() <= LONGEST_LINE {
            return json;
        }
        let fields = self.fields.take().map_or(0, |fields| fields.get().len() as u64);
        let whole = std::mem::take(&mut self.message);
        self.cut_bytes = Some(u64::MAX);
        let mut room = LONGEST_LINE.saturating_sub(self.json().len());
        let end = whole.char_indices().find(|(_, char)| match room.checked_sub(json_length(*char)) {
            Some(left) => {
                room = left;
                false
            }
            None => true,
        });
        let (shown, rest) = whole.split_at(end.map_or(whole.len(), |(at, _)| at));
        self.message = shown;
        self.cut_bytes = Some(rest.len() as u64 + fields + lost);
        self.json()
    }

    fn json(&self) -> Vec<u8> {
        let mut json = to_json(self);
        json.push(b'\n');
        json
    }
}

/// The starts of lines of metrics, which CloudWatch and other readers recognize only if nothing is around the object.
const METRICS: [&[u8]; 2] = [b"{\"_aws\":", b"{\"event\":\"kcl.metrics\","];

/// Whether this is a whole line of metrics, which may be shown as it is.
pub(super) fn is_metrics(line: &[u8]) -> bool {
    METRICS.iter().any(|start| line.starts_with(start))
        && std::str::from_utf8(line).is_ok_and(|text| !text.contains(is_control) && object(text).is_some())
}

/// A processor's line as a line of JSON. An object stands under `fields`, and its own level and message are used.
pub(super) fn processor_line(shard: Option<&str>, line: &[u8], lost: u64) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    let source = Source::Processor;
    if lost == 0
        && let Some((raw, object)) = object(&text)
    {
        let text = |map: &Map<String, Value>| {
            let message = ["message", "msg"].iter().find_map(|key| map.get(*key)?.as_str());
            message.map(str::to_owned)
        };
        // The feature `json` of tracing-subscriber writes `{"level": ..., "fields": {"message": ...}}`.
        let inner = || object.get("fields").and_then(Value::as_object).and_then(text);
        let message = text(&object).or_else(inner).unwrap_or_default();
        let json = Line::new(level(&object), source, shard, &message).with_fields(Some(raw)).json();
        if json.len() <= LONGEST_LINE {
            return json;
        }
    }
    Line::new(Level::Info, source, shard, &text).write(lost)
}

/// The line as an object. `None` if it is not an object, or one that common parsers refuse inside another object.
fn object(line: &str) -> Option<(&RawValue, Map<String, Value>)> {
    let line = line.trim_ascii();
    if !line.starts_with('{') {
        return None;
    }
    // One level deeper, since the depth is limited.
    let [object]: [Map<String, Value>; 1] = serde_json::from_str(&format!("[{line}]")).ok()?;
    Some((serde_json::from_str(line).ok()?, object))
}

fn level(object: &Map<String, Value>) -> Level {
    let name = ["level", "severity"].iter().find_map(|key| object.get(*key)?.as_str()).unwrap_or_default();
    match name.to_ascii_lowercase().as_str() {
        "trace" => Level::Trace,
        "debug" => Level::Debug,
        "warn" | "warning" => Level::Warn,
        "error" | "fatal" | "critical" => Level::Error,
        _ => Level::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[u8]) -> Value {
        assert!(line.len() <= LONGEST_LINE && line.ends_with(b"\n"), "{} bytes", line.len());
        assert_eq!(memchr::memchr_iter(b'\n', line).count(), 1);
        serde_json::from_slice(line).expect("valid JSON")
    }

    #[test]
    fn an_object_of_the_processor_stands_under_fields() {
        let line = br#" {"level":"WARN","time":1e2,"message":"late","shard":"x","n":12345678901234567890123} "#;
        let text = String::from_utf8(processor_line(Some("shardId-000000000001"), line, 0)).expect("UTF-8");
        assert!(text.contains(r#""n":12345678901234567890123}"#), "numbers stay exact: {text}");
        let value = parsed(text.as_bytes());
        assert_eq!((value["level"].as_str(), value["message"].as_str()), (Some("warn"), Some("late")));
        assert_eq!((&value["shard"], &value["fields"]["shard"]), (&"shardId-000000000001".into(), &"x".into()));
        assert_eq!(value["source"], "processor");
        let tracing = br#"{"level":"ERROR","fields":{"message":"it broke"},"target":"x"}"#;
        let value = parsed(&processor_line(None, tracing, 0));
        assert_eq!((value["level"].as_str(), value["message"].as_str()), (Some("error"), Some("it broke")));
    }

    #[test]
    fn a_line_of_metrics_is_whole_and_harmless() {
        for line in [r#"{"_aws":{"Timestamp":1},"Records":2}"#, r#"{"event":"kcl.metrics","shard":"s"}"#] {
            assert!(is_metrics(line.as_bytes()), "{line}");
        }
        let others = [
            r#"{"_aws":{"Timestamp":1},"Rec"#,
            "{\"_aws\":\"\u{202e}\"}",
            r#"{"event":"other"}"#,
            r#" {"_aws":1}"#,
            "_aws",
        ];
        for line in others {
            assert!(!is_metrics(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn anything_else_is_a_message() {
        for line in
            ["", "text", "{", "[1]", "{}x", "{}],[{}", r#"{"a":"\ud800"}"#, r#"{"a":1e999}"#, &"{\"a\":".repeat(200)]
        {
            let value = parsed(&processor_line(None, line.as_bytes(), 0));
            assert_eq!((&value["message"], value.get("fields")), (&line.into(), None));
            assert_eq!((&value["shard"], &value["stream"]), (&Value::Null, &Value::Null));
        }
        assert_eq!(parsed(&processor_line(None, b"\xff\x1b[1m\0", 0))["message"], "\u{fffd}\x1b[1m\0");
        let deepest = format!("{}{}", "{\"a\":".repeat(125), format_args!("1{}", "}".repeat(125)));
        assert!(parsed(&processor_line(None, deepest.as_bytes(), 0)).get("fields").is_some());
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        for (text, width) in [("x", 1), ("\x01", 6), ("\"", 2), ("🦀", 4), ("\u{202e}", 6)] {
            let long = text.repeat(LONGEST_LINE / width);
            let line = processor_line(Some("shardId-000000000001"), long.as_bytes(), 7);
            assert!(line.len() > LONGEST_LINE - 32, "as much as possible is kept: {}", line.len());
            let value = parsed(&line);
            let message = value["message"].as_str().expect("text");
            assert!(long.starts_with(message));
            assert_eq!(value["cutBytes"], long.len() - message.len() + 7);
        }
        let object = format!("{{\"a\":\"{}\"}}", "x".repeat(LONGEST_LINE));
        let value = parsed(&processor_line(None, object.as_bytes(), 0));
        assert!(
            value.get("fields").is_none() && value["message"].as_str().is_some_and(|text| text.starts_with("{\"a\""))
        );
        let value = parsed(&processor_line(None, b"{\"a\":1}", 1));
        assert_eq!((value.get("fields"), &value["cutBytes"]), (None, &1.into()));
    }
}
