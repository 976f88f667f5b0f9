//! Parsing the daemon's log into events.

/// The character before each field of an event.
const FIELD: char = '\u{241f}';
/// The end of an event.
const END: &str = "\u{241e}";
/// The size in bytes that no event reaches.
const LONGEST: usize = 4 << 20;

/// One event of the log, or a line outside any event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// In UTC, such as `2026-01-31T12:00:00.000Z`.
    pub(crate) time: String,
    /// `INFO`, `WARN` or `ERROR`; empty for a line outside any event.
    pub(crate) level: String,
    /// The class that logs it, without its package.
    pub(crate) logger: String,
    pub(crate) message: String,
    /// The exception's stack trace, as Java prints it.
    pub(crate) exception: String,
}

/// Assembles events from lines.
#[derive(Debug, Default)]
pub(crate) struct Events {
    held: String,
}

impl Events {
    /// Takes a line, without its line feed. Returns an event if the line completes one.
    pub(crate) fn line(&mut self, line: &str) -> Option<Event> {
        if self.held.is_empty() && !line.starts_with(FIELD) {
            return Some(Event { message: line.to_owned(), ..Event::default() });
        }
        if !self.held.is_empty() {
            self.held.push('\n');
        }
        self.held.push_str(line);
        if !self.held.ends_with(END) && self.held.len() < LONGEST {
            return None;
        }
        let held = std::mem::take(&mut self.held);
        let text = held.strip_suffix(END).unwrap_or(&held);
        let mut fields = text.split(FIELD).skip(1).map(str::to_owned);
        let mut field = || fields.next().unwrap_or_default();
        let (time, level, logger) = (field(), field(), field());
        let mut rest: Vec<String> = fields.collect();
        // A message may contain the separator; a stack trace hardly ever does.
        let exception = rest.pop().unwrap_or_default();
        Some(Event { time, level, logger, message: rest.join("\u{241f}"), exception: exception.trim_end().to_owned() })
    }
}

impl Event {
    /// The first line of the exception and of each of its causes, without the stack frames.
    pub(crate) fn causes(&self) -> impl Iterator<Item = &str> {
        let lines = self.exception.lines().enumerate();
        lines.filter_map(|(at, line)| if at == 0 { Some(line) } else { line.strip_prefix("Caused by: ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<Event> {
        let mut events = Events::default();
        text.lines().filter_map(|line| events.line(line)).collect()
    }

    #[test]
    fn an_event_may_have_several_lines() {
        let text = "plain\n␟2026-01-31T12:00:01.000Z␟ERROR␟Scheduler␟two\nlines␟java.lang.RuntimeException: no\n\tat x\nCaused by: y: z\n␞\n\
                    ␟2026-01-31T12:00:02.000Z␟INFO␟A␟a ␟ b␟␞\n";
        let found = events(text);
        assert_eq!(found.len(), 3, "{found:#?}");
        assert_eq!((found[0].message.as_str(), found[0].level.as_str()), ("plain", ""));
        assert_eq!((found[1].logger.as_str(), found[1].message.as_str()), ("Scheduler", "two\nlines"));
        assert_eq!(found[1].causes().collect::<Vec<_>>(), ["java.lang.RuntimeException: no", "y: z"]);
        assert_eq!((found[2].message.as_str(), found[2].exception.as_str()), ("a ␟ b", ""));
    }
}
