//! `cargo kcl top` at a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use crate::local::follow;
use crate::tool::{Place, Run, wait_for_state, wait_until};

const ROWS: usize = 24;
const COLUMNS: usize = 80;
/// The size of a terminal of which nobody knows the size.
const UNKNOWN: Winsize = Winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };

/// The tool with its input and outputs on a terminal.
struct Terminal {
    child: Child,
    /// The terminal as the tool has it.
    theirs: File,
    keys: File,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn start(mut command: Command, size: Winsize) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("it may be used");
        let name = ptsname(&ours, Vec::new()).expect("it has a name").into_string().expect("text");
        let theirs = File::options().read(true).write(true).open(name).expect("it can be opened");
        tcsetwinsize(&ours, size).expect("a size");
        let handle = || theirs.try_clone().expect("a handle");
        command.env("TERM", "xterm-256color");
        let start = |command: &mut Command| command.stdin(handle()).stdout(handle()).stderr(handle()).spawn();
        // Without `setsid`, a terminal in which the tests run is asked for its size.
        let child = start(&mut controlled(&command)).or_else(|_| start(&mut command)).expect("it starts");
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut output = File::from(ours);
        let keys = output.try_clone().expect("a handle");
        thread::spawn({
            let written = Arc::clone(&written);
            move || {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = output.read(&mut buffer) {
                    written.lock().expect("no panic").extend_from_slice(&buffer[..read]);
                }
            }
        });
        Self { child, theirs, keys, written }
    }

    fn raw(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().expect("no panic")).into_owned()
    }

    fn press(&self, keys: &str) {
        (&self.keys).write_all(keys.as_bytes()).expect("a terminal");
    }

    /// Waits until the screen shows this text.
    #[track_caller]
    fn wait_for(&self, text: &str) {
        wait_until(&text, || match shown(&self.raw()) {
            lines if lines.iter().any(|line| line.contains(text)) => Ok(()),
            lines => Err(lines.join("\n")),
        });
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// The exit code. Before it ends, the tool must have left the terminal as it was.
    #[track_caller]
    fn end(mut self) -> Option<i32> {
        wait_until(&"the end", || match self.child.try_wait() {
            Ok(Some(_)) => Ok(()),
            _ => Err(shown(&self.raw()).join("\n")),
        });
        wait_until(&"the end of the screen", || match self.raw() {
            raw if raw.contains("\x1b[?1049l") && raw.ends_with("\x1b[?25h") => Ok(()),
            raw => Err(raw),
        });
        let untouched = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        let modes = |of: &dyn std::os::fd::AsFd| tcgetattr(of).expect("a terminal").local_modes;
        assert_eq!(modes(&self.theirs), modes(&untouched));
        self.child.wait().expect("it has ended").code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A failed test must not leave the tool running.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The same command in a session whose terminal is the one at its input.
fn controlled(command: &Command) -> Command {
    let mut controlled = Command::new("setsid");
    controlled.arg("-c").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => controlled.env(name, value),
            None => controlled.env_remove(name),
        };
    }
    command.get_current_dir().into_iter().for_each(|folder| _ = controlled.current_dir(folder));
    controlled
}

/// The lines on the screen: a terminal emulator with just what the tool needs.
fn shown(raw: &str) -> Vec<String> {
    let mut screen = vec![[' '; COLUMNS]; ROWS];
    let (mut row, mut column) = (0_usize, 0_usize);
    let mut chars = raw.chars();
    while let Some(char) = chars.next() {
        if char != '\x1b' {
            screen[row.min(ROWS - 1)][column.min(COLUMNS - 1)] = char;
            column += 1;
            continue;
        }
        let mut numbers = String::new();
        let end = loop {
            match chars.next() {
                Some(char) if !char.is_ascii_alphabetic() => numbers.push(char),
                end => break end,
            }
        };
        let mut numbers = numbers.trim_start_matches('[').split(';').map(|number| number.parse().unwrap_or(1_usize));
        match end {
            Some('H') => [row, column] = [(); 2].map(|()| numbers.next().unwrap_or(1) - 1),
            Some('J') => screen = vec![[' '; COLUMNS]; ROWS],
            _ => {}
        }
    }
    screen.into_iter().map(|line| line.iter().collect::<String>().trim_end().to_owned()).collect()
}

/// A run with two shards, and its view at a terminal once it shows both.
fn start(place: &Place, more: &[&str]) -> (Run, Terminal) {
    start_with(place, more, Winsize { ws_row: ROWS as u16, ws_col: COLUMNS as u16, ..UNKNOWN })
}

fn start_with(place: &Place, more: &[&str], size: Winsize) -> (Run, Terminal) {
    let run = follow(place, &[]);
    wait_for_state(&run.address(), |state| {
        let shards = state["shards"].as_array().map_or(&[][..], |shards| shards);
        shards.len() == 2 && shards.iter().all(|shard| shard["totals"]["settled"].as_u64() > Some(0))
    });
    let terminal = Terminal::start(place.tool(&[&["top", "--app", "revenue"], more].concat()), size);
    terminal.wait_for("shardId-0001 ");
    (run, terminal)
}

#[test]
fn keys_select_sort_and_explain() {
    let place = Place::new();
    let (_run, terminal) = start(&place, &[]);
    terminal.wait_for("all 2 shards");
    terminal.wait_for("dead-lettered (error ");
    terminal.press("\x1b[B\x1b[B");
    terminal.wait_for("shardId-0001, running for ");
    terminal.wait_for(" 3/3");
    terminal.press("s");
    terminal.wait_for("sort by rec/s");
    terminal.press("?");
    terminal.wait_for("show the details on the whole screen");
    terminal.press("?\r");
    terminal.wait_for("Enter shards");
    // Ctrl-L draws everything again.
    let clears = || terminal.raw().matches("\x1b[2J").count();
    let before = clears();
    terminal.press("\x0c");
    wait_until(&"a new screen", || if clears() > before { Ok(()) } else { Err(terminal.raw()) });
    terminal.wait_for("shardId-0001, running for ");
    terminal.press("\x1b[H");
    terminal.wait_for(" 1/3");
    // Ctrl-Z does not stop it while the screen is not the shell's.
    terminal.press("\x1aq");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn a_run_that_does_not_answer_does_not_delay_keys() {
    let place = Place::new();
    let (run, terminal) = start(&place, &["--every", "20ms"]);
    run.signal(Signal::STOP);
    terminal.wait_for("the run has not answered for ");
    terminal.press("?");
    terminal.wait_for("reverse the order");
    terminal.press("\x03");
    assert_eq!(terminal.end(), Some(130));
    run.signal(Signal::CONT);
}

#[test]
fn signals_leave_the_terminal_as_it_was() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 143), (Signal::INT, 130)] {
        let place = Place::new();
        let (_run, terminal) = start(&place, &[]);
        terminal.signal(signal);
        assert_eq!(terminal.end(), Some(code), "{signal:?}");
    }
}

#[test]
fn a_terminal_without_a_size_has_80_columns() {
    let place = Place::new();
    let (_run, terminal) = start_with(&place, &[], UNKNOWN);
    terminal.wait_for("r reverse        1/3");
    terminal.press("q");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn a_run_that_ends_is_a_line_in_the_view() {
    let place = Place::new();
    let (run, terminal) = start(&place, &["--every", "20ms"]);
    run.signal(Signal::INT);
    assert_eq!(run.code(), Some(130));
    terminal.wait_for("no `cargo kcl local` or `cargo kcl daemon`");
    terminal.wait_for("…, shown is the state of ");
    terminal.press("q");
    assert_eq!(terminal.end(), Some(0));
}
