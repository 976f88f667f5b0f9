//! The thread that receives snapshots and answers requests. It never waits for a single peer.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::board::Board;
use super::http::{LONGEST_HEAD, Request, Response, request};
use super::mailbox::Mailbox;
use super::prometheus;

/// The number of connections that are served at once, for each listener. A new one takes the place of the oldest one that has not sent
/// its request yet, so that silent clients cannot hold up a probe.
const MOST_CONNECTIONS: usize = 32;
/// How long a connection may take from its start to its end.
const PATIENCE: Duration = Duration::from_secs(5);
/// The interval at which the board is updated.
const TICK: Duration = Duration::from_secs(1);
/// The wait after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// Where requests come from.
pub(super) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    fn accept(&self) -> io::Result<OwnedFd> {
        let fd: OwnedFd = match self {
            Self::Unix(listener) => listener.accept()?.0.into(),
            Self::Tcp(listener) => listener.accept()?.0.into(),
        };
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(fd)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(listener) => listener.as_fd(),
            Self::Tcp(listener) => listener.as_fd(),
        }
    }
}

/// A client that is being served.
struct Connection {
    peer: File,
    /// The number of the listener that it comes from.
    from: usize,
    head: Vec<u8>,
    /// The response, once the head of the request has arrived, and how much of it was written.
    response: Option<(Vec<u8>, usize)>,
    deadline: Instant,
}

/// Whether a connection goes on.
#[derive(PartialEq, Eq)]
enum Progress {
    Continues,
    Over,
}

/// Receives snapshots and answers requests.
pub(super) struct Server {
    board: Arc<Mutex<Board>>,
    mailbox: Arc<Mailbox>,
    listeners: Vec<Listener>,
    connections: Vec<Connection>,
    ticked: Instant,
}

impl Server {
    pub(super) fn new(board: Arc<Mutex<Board>>, mailbox: Arc<Mailbox>, listeners: Vec<Listener>) -> Self {
        Self { board, mailbox, listeners, connections: Vec::new(), ticked: Instant::now() }
    }

    /// Serves until the tool ends.
    pub(super) fn run(mut self) {
        loop {
            self.wait();
            self.mailbox.receive();
            self.accept();
            let board = Arc::clone(&self.board);
            let now = Instant::now();
            self.connections.retain_mut(|connection| {
                connection.deadline > now
                    && connection.go_on(&board).is_ok_and(|progress| progress == Progress::Continues)
            });
            if self.ticked.elapsed() >= TICK {
                self.ticked = Instant::now();
                self.board().tick();
            }
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something can be done.
    fn wait(&self) {
        let mut fds = vec![PollFd::new(&*self.mailbox, PollFlags::IN)];
        let open = self.listeners.iter().enumerate().filter(|(number, _)| self.has_room(*number));
        fds.extend(open.map(|(_, listener)| PollFd::new(listener, PollFlags::IN)));
        fds.extend(self.connections.iter().map(|connection| {
            let wanted = if connection.response.is_some() { PollFlags::OUT } else { PollFlags::IN };
            PollFd::new(&connection.peer, wanted)
        }));
        let limit = TICK.saturating_sub(self.ticked.elapsed()).max(Duration::from_millis(10));
        let limit = Timespec::try_from(limit).unwrap_or_default();
        if let Err(error) = poll(&mut fds, Some(&limit))
            && error != rustix::io::Errno::INTR
        {
            // The system lacks memory, which may pass.
            thread::sleep(TICK);
        }
    }

    /// Whether a client of this listener can be accepted: not all of its connections wait for their peers to read.
    fn has_room(&self, listener: usize) -> bool {
        let is_busy = |connection: &&Connection| connection.from == listener && connection.response.is_some();
        self.connections.iter().filter(is_busy).count() < MOST_CONNECTIONS
    }

    /// Closes the oldest connection of this listener without a request, if the listener has too many connections.
    fn make_room(&mut self, listener: usize) {
        let own = |connection: &&Connection| connection.from == listener;
        if self.connections.iter().filter(own).count() > MOST_CONNECTIONS {
            let is_silent = |connection: &Connection| connection.from == listener && connection.response.is_none();
            let oldest = self.connections.iter().position(is_silent);
            oldest.map(|oldest| self.connections.remove(oldest));
        }
    }

    fn accept(&mut self) {
        for from in 0..self.listeners.len() {
            // Those that are accepted are read before others can take their places.
            for _ in 0..MOST_CONNECTIONS {
                if !self.has_room(from) {
                    break;
                }
                let peer = match self.listeners[from].accept() {
                    Ok(peer) => peer.into(),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {
                        // The connection has failed already, or there are too many open files, which may pass.
                        thread::sleep(PAUSE);
                        break;
                    }
                };
                let deadline = Instant::now() + PATIENCE;
                self.connections.push(Connection { peer, from, head: Vec::new(), response: None, deadline });
                self.make_room(from);
            }
        }
    }
}

impl Connection {
    /// Reads and writes what is possible without waiting.
    fn go_on(&mut self, board: &Mutex<Board>) -> io::Result<Progress> {
        match self.try_to_end(board) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Progress::Continues),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Progress::Continues),
            result => result,
        }
    }

    fn try_to_end(&mut self, board: &Mutex<Board>) -> io::Result<Progress> {
        let mut buffer = [0; 1024];
        while self.response.is_none() {
            if let Some(response) = answer(&self.head, board) {
                self.response = Some((response, 0));
                break;
            }
            let room = LONGEST_HEAD - self.head.len();
            let read = self.peer.read(&mut buffer[..room.min(1024)])?;
            if read == 0 {
                return Ok(Progress::Over);
            }
            self.head.extend_from_slice(&buffer[..read]);
        }
        let Some((response, written)) = &mut self.response else { return Ok(Progress::Over) };
        while *written < response.len() {
            *written += self.peer.write(&response[*written..])?;
        }
        Ok(Progress::Over)
    }
}

/// The response to a request, once its head is complete.
fn answer(head: &[u8], board: &Mutex<Board>) -> Option<Vec<u8>> {
    let board = || board.lock().unwrap_or_else(PoisonError::into_inner);
    let (response, is_head) = match request(head) {
        Request::Unfinished => return None,
        Request::Bad => (Response::text("400 Bad Request", "this is not an HTTP/1.1 request\n"), false),
        Request::Refused => (Response::text("405 Method Not Allowed", "only GET and HEAD are served\n"), false),
        Request::Get { path, is_head } => {
            let response = match path {
                "/metrics" => Response::prometheus(prometheus::page(&board())),
                "/livez" => judged(&board().problems()),
                "/readyz" => judged(&board().unready().map(str::to_owned).into_iter().collect::<Vec<_>>()),
                "/state" => Response::json(serde_json::to_string(&board().state()).unwrap_or_default()),
                "/about" => Response::json(serde_json::to_string(&board().about_state()).unwrap_or_default()),
                "/" => Response::text("200 OK", "/metrics\n/livez\n/readyz\n/state\n"),
                _ => Response::text("404 Not Found", "not found; the paths are /metrics, /livez, /readyz and /state\n"),
            };
            (response, is_head)
        }
    };
    Some(response.into_bytes(is_head))
}

/// The response of a probe: everything is well, or these are the problems.
fn judged(problems: &[String]) -> Response {
    if problems.is_empty() {
        return Response::text("200 OK", "ok\n");
    }
    let lines: String = problems.iter().map(|problem| format!("{}\n", crate::report::escaped(problem))).collect();
    Response::text("503 Service Unavailable", lines)
}
