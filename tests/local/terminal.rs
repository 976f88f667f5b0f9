//! The view of a user at a terminal while the tool is running.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::harness::{Place, wait_until};

/// Prints a line when it receives records, and continues once a file `go` exists.
const WORKS: &str = r#"
    status() { echo "{\"action\":\"status\",\"responseFor\":\"$1\"}"; }
    read -r line; status initialize
    while read -r line; do case $line in
        *'"records":'*) echo "at work, and saying so" >&2; until [ -e go ]; do sleep 0.01; done; status processRecords;;
        *shardEnded*) echo '{"action":"checkpoint"}'; read -r line; status shardEnded;;
        *shutdownRequested*) status shutdownRequested;;
        *leaseLost*) status leaseLost;;
    esac; done"#;

/// The tool with its outputs on a terminal.
struct Terminal {
    child: Child,
    /// The input of the terminal, as if typed by a person.
    keys: File,
    written: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
    size: (u16, u16),
}

impl Terminal {
    fn start(mut command: Command, (rows, columns): (u16, u16)) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("it may be used");
        let name = ptsname(&ours, Vec::new()).expect("it has a name").into_string().expect("text");
        let theirs = File::options().read(true).write(true).open(name).expect("it can be opened");
        tcsetwinsize(&ours, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).expect("a size");
        command.stdout(theirs.try_clone().expect("a handle")).stderr(theirs);
        let child = command.spawn().expect("it starts");
        // Closes this end, or the reader would never see the end of the output.
        drop(command);
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut ours = File::from(ours);
        let keys = ours.try_clone().expect("a handle");
        let reader = thread::spawn({
            let written = Arc::clone(&written);
            move || {
                let mut buffer = [0; 4096];
                // Linux reports that all others have closed it with an error.
                while let Ok(read @ 1..) = ours.read(&mut buffer) {
                    written.lock().expect("no panic").extend_from_slice(&buffer[..read]);
                }
            }
        });
        Self { child, keys, written, reader, size: (rows, columns) }
    }

    /// Everything that was written, unchanged.
    fn raw(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().expect("no panic")).into_owned()
    }

    /// The lines that the terminal shows, and those scrolled out of sight.
    fn shows(&self) -> Vec<String> {
        shown(&self.raw(), self.size)
    }

    fn wait_for(&self, line: &str) {
        wait_until(line, || self.shows().iter().any(|shown| shown.contains(line)));
    }

    /// Types Ctrl-C, which the terminal itself shows too.
    fn type_ctrl_c(&self) {
        (&self.keys).write_all(b"\x03").expect("a terminal");
        self.wait_for("^C");
        self.interrupt();
    }

    fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("it runs");
    }

    /// Interrupts the tool repeatedly until it ends.
    fn interrupt_until_it_ends(&mut self) {
        wait_until("a later interruption ends the tool", || {
            let has_ended = self.child.try_wait().expect("it can be waited for").is_some();
            if !has_ended {
                self.interrupt();
            }
            has_ended
        });
    }

    fn end(mut self) -> (Option<i32>, Vec<String>, String) {
        wait_until("the tool ends", || self.child.try_wait().expect("it can be waited for").is_some());
        wait_until("nobody holds the terminal", || self.reader.is_finished());
        (self.child.wait().expect("it has ended").code(), self.shows(), self.raw())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A failed test must not leave the tool running.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A terminal emulator with just what the tool needs: text, line ends, wrapping, moves up and down, cleared lines, colours.
fn shown(raw: &str, (rows, columns): (u16, u16)) -> Vec<String> {
    let (rows, columns) = (usize::from(rows), usize::from(columns));
    let mut lines = vec![Vec::new()];
    let (mut row, mut column) = (0_usize, 0_usize);
    let mut chars = raw.chars();
    while let Some(char) = chars.next() {
        match char {
            '\r' => column = 0,
            '\n' => row += 1,
            '\x1b' => {
                assert_eq!(chars.next(), Some('['), "{raw:?}");
                let mut number = String::new();
                let end = loop {
                    match chars.next() {
                        Some(char) if char.is_ascii_digit() || char == ';' => number.push(char),
                        end => break end,
                    }
                };
                let count = number.parse().unwrap_or(1);
                match end {
                    Some('A') => row = row.saturating_sub(count).max(lines.len().saturating_sub(rows)),
                    Some('B') => row = (row + count).min(lines.len() - 1),
                    Some('K') => lines[row] = Vec::new(),
                    Some('m') => {}
                    // The rest of the sequence is still on its way.
                    None => break,
                    other => panic!("{other:?} in {raw:?}"),
                }
            }
            char => {
                if column == columns {
                    (row, column) = (row + 1, 0);
                    lines.resize(lines.len().max(row + 1), Vec::new());
                }
                let line = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = char;
                column += 1;
            }
        }
        lines.resize(lines.len().max(row + 1), Vec::new());
    }
    lines.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_owned()).collect()
}

/// A command that runs shards with two records each.
fn works(place: &Place, shards: u32, more: &[&str]) -> Command {
    let width = u128::MAX / u128::from(shards);
    let records = (0..2 * shards).map(|number| {
        let hash = u128::from(number % shards) * width + width / 2;
        format!("{{\"data\":\"{number}\",\"explicitHashKey\":\"{hash}\"}}\n")
    });
    std::fs::write(place.path("input"), records.collect::<String>()).expect("it can be written");
    let shards = shards.to_string();
    let mut command =
        place.script(&[&["--format", "json", "--shards", &shards, "--max-records", "1"], more].concat(), WORKS);
    command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
    command
}

/// Waits until this many processors are at work, and the bars have been drawn since.
fn wait_for_bars(terminal: &Terminal, processors: usize) -> Vec<String> {
    wait_until("all are at work", || terminal.raw().matches("at work").count() == processors);
    terminal.wait_for("% ");
    // Wait for a complete drawing, not half of a redraw.
    let mut shows = Vec::new();
    wait_until("bars", || {
        shows = terminal.shows();
        shows.last().is_some_and(|last| last.contains(" %  0 records"))
    });
    shows
}

#[test]
fn every_shard_has_a_line_below_the_output_of_processors() {
    let place = Place::with_input("");
    let terminal = Terminal::start(works(&place, 2, &[]), (24, 100));
    let shows = wait_for_bars(&terminal, 2);
    let header = shows.iter().position(|line| line.contains("records records/s    MB/s    behind restarts")).unwrap();
    let mut above = shows[..header].to_vec();
    above.sort();
    assert_eq!(above, ["[0] at work, and saying so", "[1] at work, and saying so"]);
    assert!(shows[header + 1].starts_with("[0]             0         0     0.0     290 B        0"), "{shows:?}");
    assert!(shows[header + 2].starts_with("[1]  "), "{shows:?}");
    assert!(shows[header + 3].ends_with("]   0 %  0 records  0 records/s  0 B/s  2 processors"), "{shows:?}");
    assert_eq!(shows.len(), header + 4, "{shows:?}");
    File::create(place.path("go")).unwrap();
    let (code, shows, raw) = terminal.end();
    assert_eq!(code, Some(0), "{shows:?}");
    for prefix in ["\x1b[36m[0]\x1b[0m ", "\x1b[33m[1]\x1b[0m "] {
        assert!(raw.contains(prefix), "a colour for each shard: {raw:?}");
    }
    assert!(!raw.contains("\x1b[31m"), "red is the colour of errors: {raw:?}");
    let of_processors = shows.iter().take_while(|line| line.ends_with("] at work, and saying so"));
    assert_eq!(of_processors.count(), 4, "{shows:?}");
    assert!(shows[4].starts_with("shard  "), "nothing else is left: {shows:?}");
}

#[test]
fn a_line_keeps_its_colours_and_controls_nothing_else() {
    let place = Place::with_input("1\n");
    let script = r#"read -r line; printf '\033[32mgreen\rcargo kcl: forged\033[2J\033]0;x\007\n' >&2"#;
    let (code, _, raw) = Terminal::start(place.script(&[], script), (24, 100)).end();
    assert_eq!(code, Some(1), "{raw:?}");
    assert!(raw.contains("\x1b[32mgreencargo kcl: forged]0;x\x1b[0m\r\n"), "{raw:?}");
    assert!(raw.contains("\x1b[31mcargo kcl:\x1b[0m shardId-000000000000: "), "errors are red: {raw:?}");
}

#[test]
fn an_interruption_leaves_the_terminal_clean() {
    let place = Place::with_input("");
    let mut terminal = Terminal::start(works(&place, 2, &[]), (24, 100));
    wait_for_bars(&terminal, 2);
    terminal.type_ctrl_c();
    terminal.wait_for("interrupt again to kill them");
    wait_until("the bars are below again", || {
        terminal.shows().last().is_some_and(|last| last.ends_with("2 processors"))
    });
    terminal.type_ctrl_c();
    terminal.interrupt_until_it_ends();
    let (code, shows, _) = terminal.end();
    assert_eq!(code, Some(130));
    assert!(!shows.iter().any(|line| line.contains("records/s") || line.contains("^C")), "{shows:?}");
    assert!(shows.iter().any(|line| line.ends_with("the processors are killed")), "{shows:?}");
}

#[test]
fn many_shards_fit_a_small_terminal() {
    let place = Place::with_input("");
    let terminal = Terminal::start(works(&place, 20, &[]), (12, 28));
    let shows = wait_for_bars(&terminal, 20);
    let bottom = shows.iter().position(|line| line.contains("records records/s")).unwrap();
    let [header, shards @ .., more, whole] = &shows[bottom..] else { panic!("{shows:?}") };
    assert_eq!((shards.len(), header.len().max(whole.len()) < 28), (4, true), "{shows:?}");
    assert!(shards[0].starts_with("[0] ") && shards[3].starts_with("[3] "), "{shows:?}");
    assert!(more.starts_with('…') && whole.starts_with("  0 %"), "{shows:?}");
    let said = shows[..bottom].concat();
    assert_eq!(said.matches("at work, and saying so").count(), 20, "{shows:?}");
    File::create(place.path("go")).unwrap();
    let (code, shows, _) = terminal.end();
    assert_eq!(code, Some(0), "{shows:?}");
    assert!(!shows.iter().any(|line| line.contains("records records/s") || line.starts_with('…')), "{shows:?}");
}

#[test]
fn bars_and_colours_can_be_turned_off() {
    let place = Place::with_input("");
    File::create(place.path("go")).unwrap();
    let with = |change: &dyn Fn(&mut Command)| {
        let mut command = works(&place, 2, &[]);
        change(&mut command);
        Terminal::start(command, (24, 100)).end()
    };
    let (code, shows, raw) = with(&|command| _ = command.env("TERM", "dumb"));
    assert_eq!(code, Some(0), "{shows:?}");
    assert!(!raw.contains('\x1b') && raw.contains("[0] at work"), "{raw:?}");
    let (_, _, raw) = with(&|command| _ = command.env("NO_COLOR", "1"));
    assert!(!raw.contains("\x1b[3"), "{raw:?}");
}

#[test]
fn quiet_is_quiet_on_a_terminal() {
    let place = Place::with_input("");
    let terminal = Terminal::start(works(&place, 1, &["--quiet"]), (24, 100));
    terminal.wait_for("at work");
    File::create(place.path("go")).unwrap();
    let (code, shows, _) = terminal.end();
    assert_eq!(
        (code, &shows[..]),
        (Some(0), &["at work, and saying so".to_owned(), "at work, and saying so".to_owned(), String::new()][..])
    );
}
