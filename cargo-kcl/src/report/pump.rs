//! Passing on the output of other programs.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::escape::plain;
use super::log::{LONGEST_LINE, Level, Line, LogFormat, Source, format, is_metrics, processor_line};
use super::message::Prefix;
use super::words::summary_of;
use super::{has_colours, write};

/// The longest line that is passed on in one piece, byte for byte.
const LONGEST_RAW: usize = 1 << 20;

/// A program whose lines are passed on.
#[derive(Clone, Debug)]
pub(crate) struct Speaker {
    pub(crate) source: Source,
    pub(crate) prefix: Prefix,
    /// The shard that the program processes.
    pub(crate) shard: Option<String>,
}

impl Speaker {
    /// A program that is not about a shard.
    pub(crate) fn new(source: Source, prefix: Prefix) -> Self {
        Self { source, prefix, shard: None }
    }
}

/// Copies to stderr until the end, line by line. Lines of different writers are never mixed. `observe` also gets the lines,
/// unchanged.
pub(crate) fn pump(from: impl Read, speaker: Speaker, observe: impl FnMut(&[u8])) {
    pump_to(from, Passing::new(speaker), observe, write);
}

/// Passes on one line, without its line feed.
pub(crate) fn pass_on(speaker: Speaker, line: &str) {
    write(&Passing::new(speaker).lines(format!("{line}\n").as_bytes()));
}

/// Turns lines of a program into what is printed.
struct Passing {
    speaker: Speaker,
    form: Form,
    /// The start of a line whose end has not been read yet, for JSON.
    held: Vec<u8>,
    /// The number of bytes of that line that were dropped.
    lost: u64,
}

/// The form in which the lines of a program are passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text { coloured: bool },
    Json,
    Bytes,
}

impl Passing {
    fn new(speaker: Speaker) -> Self {
        let form = match format() {
            LogFormat::Json => Form::Json,
            LogFormat::Raw if speaker.source == Source::Processor => Form::Bytes,
            LogFormat::Raw | LogFormat::Text => Form::Text { coloured: has_colours() },
        };
        Self { speaker, form, held: Vec::new(), lost: 0 }
    }

    /// The longest part of a line to take at once.
    fn longest(&self) -> usize {
        if self.form == Form::Bytes { LONGEST_RAW } else { LONGEST_LINE }
    }

    /// Takes whole lines, or a part of a line that is too long.
    fn lines(&mut self, text: &[u8]) -> Vec<u8> {
        let mut to = Vec::with_capacity(text.len());
        match self.form {
            Form::Bytes => to.extend_from_slice(text),
            Form::Json => text.split_inclusive(|&byte| byte == b'\n').for_each(|line| self.json(line, &mut to)),
            Form::Text { coloured } => {
                let prefix = self.speaker.prefix.text(Level::Info, coloured);
                for line in text.split_inclusive(|&byte| byte == b'\n') {
                    if self.is_metrics(line.trim_ascii_end()) {
                        to.extend_from_slice(line);
                        continue;
                    }
                    let line = line.strip_suffix(b"\n").unwrap_or(line);
                    to.extend_from_slice(prefix.as_bytes());
                    let shown = plain(line, coloured);
                    let imitates = |text: &str| text.trim_start().starts_with("cargo kcl:");
                    if prefix.is_empty() && (imitates(&shown) || coloured && imitates(&plain(line, false))) {
                        // Otherwise it would look like a line of the tool.
                        to.extend_from_slice(b"[processor] ");
                    }
                    to.extend_from_slice(shown.as_bytes());
                    to.push(b'\n');
                }
            }
        }
        to
    }

    fn json(&mut self, line: &[u8], to: &mut Vec<u8>) {
        let is_whole = line.ends_with(b"\n");
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if !is_whole && self.held.is_empty() {
            self.held.extend_from_slice(line);
        } else if !is_whole {
            self.lost += line.len() as u64;
        } else if self.held.is_empty() {
            to.append(&mut self.object(line, 0));
        } else {
            let held = std::mem::take(&mut self.held);
            let lost = std::mem::take(&mut self.lost) + line.len() as u64;
            to.append(&mut self.object(&held, lost));
        }
    }

    /// Whether a line is one of a processor's metrics. Such lines are passed on in every form as they are.
    fn is_metrics(&self, line: &[u8]) -> bool {
        self.speaker.source == Source::Processor && is_metrics(line)
    }

    fn object(&self, line: &[u8], lost: u64) -> Vec<u8> {
        let Speaker { source, shard, .. } = &self.speaker;
        match source {
            _ if lost == 0 && self.is_metrics(line) => [line, b"\n"].concat(),
            Source::Processor => processor_line(shard.as_deref(), line, lost),
            _ => Line::new(Level::Info, *source, shard.as_deref(), &String::from_utf8_lossy(line)).write(lost),
        }
    }
}

/// The last lines of some text, each shortened for a summary.
#[derive(Debug)]
pub(crate) struct LastLines {
    lines: VecDeque<String>,
    most: usize,
}

impl LastLines {
    /// Keeps this many lines.
    pub(crate) fn new(most: usize) -> Self {
        Self { lines: VecDeque::new(), most }
    }

    /// Adds whole lines.
    pub(crate) fn add(&mut self, lines: &[u8]) {
        let mut last: Vec<_> = lines.trim_ascii_end().rsplit(|&byte| byte == b'\n').take(self.most).collect();
        last.reverse();
        for line in last.into_iter().filter(|line| !line.is_empty()) {
            if self.lines.len() == self.most {
                self.lines.pop_front();
            }
            self.lines.push_back(summary_of(plain(line, false).as_bytes()));
        }
    }

    /// The kept lines, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}

fn pump_to(mut from: impl Read, mut passing: Passing, mut observe: impl FnMut(&[u8]), mut write: impl FnMut(&[u8])) {
    let longest = passing.longest();
    let mut buffer = vec![0; LONGEST_LINE.min(longest)];
    let mut held = 0;
    loop {
        if held == buffer.len() {
            buffer.resize((2 * held).min(longest), 0);
        }
        let read = match from.read(&mut buffer[held..]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        held += read;
        let complete = match memchr::memrchr(b'\n', &buffer[..held]) {
            Some(end) => end + 1,
            None if held == longest => between_characters(&buffer),
            None => continue,
        };
        observe(&buffer[..complete]);
        write(&passing.lines(&buffer[..complete]));
        buffer.copy_within(complete..held, 0);
        held -= complete;
    }
    if held > 0 || !passing.held.is_empty() {
        observe(&buffer[..held]);
        buffer.truncate(held);
        buffer.push(b'\n');
        write(&passing.lines(&buffer));
    }
}

/// The largest length of a part of the text that does not end within a character.
fn between_characters(text: &[u8]) -> usize {
    let is_start = |at: &usize| text.get(*at).is_none_or(|byte| byte & 0b1100_0000 != 0b1000_0000);
    let last = (text.len().saturating_sub(4)..text.len()).rev().find(is_start).unwrap_or(text.len());
    let is_complete = std::str::from_utf8(&text[last..]).is_ok();
    if is_complete || last == 0 { text.len() } else { last }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pumped(text: &[u8], form: Form, prefix: Prefix) -> Vec<u8> {
        let mut lines = Vec::new();
        let speaker = Speaker { source: Source::Processor, prefix, shard: Some("shardId-000000000001".to_owned()) };
        let passing = Passing { speaker, form, held: Vec::new(), lost: 0 };
        pump_to(text, passing, |_| {}, |written| lines.extend_from_slice(written));
        lines
    }

    fn shown(text: &[u8]) -> Vec<u8> {
        pumped(text, Form::Text { coloured: false }, Prefix::Label("1".to_owned(), 1))
    }

    #[test]
    fn every_line_gets_the_prefix_and_an_end() {
        assert_eq!(shown(b"one\n\ntw\xff\nend"), "[1] one\n[1] \n[1] tw\u{fffd}\n[1] end\n".as_bytes());
        assert_eq!(shown(b""), b"");
    }

    #[test]
    fn a_line_does_not_pass_for_one_of_the_tool() {
        let lines = pumped(b"\x07cargo kcl: all is well\n", Form::Text { coloured: false }, Prefix::None);
        assert_eq!(lines, b"[processor] cargo kcl: all is well\n");
        for line in ["\x1b[31mcargo kcl:\x1b[0m forged", "\x1b[1m cargo\x1b[0m kcl: forged"] {
            let shown = pumped(format!("{line}\n").as_bytes(), Form::Text { coloured: true }, Prefix::None);
            assert_eq!(shown, format!("[processor] {line}\x1b[0m\n").as_bytes());
        }
    }

    #[test]
    fn lines_of_metrics_are_passed_on_in_every_form() {
        let metrics = "{\"_aws\":{},\"Records\":1}\n";
        let text = format!("one\n{metrics}two\n");
        assert_eq!(shown(text.as_bytes()), format!("[1] one\n{metrics}[1] two\n").as_bytes());
        let lines = pumped(text.as_bytes(), Form::Json, Prefix::None);
        assert_eq!(String::from_utf8_lossy(&lines).lines().nth(1), Some(metrics.trim_end()));
    }

    #[test]
    fn the_last_lines_are_remembered() {
        let mut last = LastLines::new(5);
        last.add(b"1\n2\n3\n");
        last.add(b"4\n\n5\n\x1b[1m6\x07");
        assert_eq!(last.lines(), ["2", "3", "4", "5", "6"]);
    }

    #[test]
    fn a_line_of_any_length_comes_through() {
        let long = vec![b'x'; 3 * LONGEST_LINE + 5];
        let lines = shown(&long);
        assert_eq!(lines.iter().filter(|&&byte| byte == b'x').count(), long.len());
        assert!(lines.ends_with(b"x\n"));
        let wide = "é🦀".repeat(LONGEST_LINE / 3);
        assert!(!String::from_utf8_lossy(&shown(wide.as_bytes())).contains('\u{fffd}'));
    }

    #[test]
    fn raw_lines_are_not_changed() {
        let long = vec![b'x'; 3 * LONGEST_RAW + 5];
        for text in [&b"a\x1b[1m\r\n\n\xff\tb\n"[..], &[&long[..], b"\n"].concat(), b""] {
            assert!(pumped(text, Form::Bytes, Prefix::Label("1".to_owned(), 1)) == text);
        }
        assert_eq!(pumped(b"no end", Form::Bytes, Prefix::None), b"no end\n", "another line may follow");
    }

    #[test]
    fn each_line_is_an_object_whatever_its_length() {
        let lines = [
            b"one\n\xff\n\n".to_vec(),
            [&vec![b'y'; 3 * LONGEST_LINE][..], b"\n"].concat(),
            [&vec![b'z'; LONGEST_LINE][..], b"\n{\"a\":1}\nno end"].concat(),
        ];
        let objects = pumped(&lines.concat(), Form::Json, Prefix::None);
        let objects: Vec<serde_json::Value> =
            objects.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let cut = |object: &serde_json::Value| object["cutBytes"].as_u64();
        assert_eq!(objects.len(), 7);
        assert_eq!((&objects[0]["message"], &objects[2]["message"]), (&"one".into(), &"".into()));
        for (object, length) in [(&objects[3], 3 * LONGEST_LINE), (&objects[4], LONGEST_LINE)] {
            let shown = object["message"].as_str().expect("text").len();
            assert_eq!(cut(object), Some((length - shown) as u64));
        }
        assert_eq!((&objects[5]["fields"]["a"], &objects[6]["message"]), (&1.into(), &"no end".into()));
    }
}
