//! The socket that receives the snapshots of processors.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex, PoisonError};

use kcl::metrics::Snapshot;

use super::board::Board;

/// The longest snapshot that is read.
const LONGEST_SNAPSHOT: usize = 64 << 10;
/// The number of snapshots that are read before requests get their turn.
const AT_ONCE: usize = 200;

/// Puts the snapshots that arrive onto the board. Any thread may do so.
pub(super) struct Mailbox {
    board: Arc<Mutex<Board>>,
    socket: UnixDatagram,
}

impl Mailbox {
    /// `socket` never waits.
    pub(super) fn new(board: Arc<Mutex<Board>>, socket: UnixDatagram) -> Self {
        Self { board, socket }
    }

    /// Takes the snapshots that are there, up to a number of them. Returns whether there may be more.
    pub(super) fn receive(&self) -> bool {
        let mut buffer = vec![0; LONGEST_SNAPSHOT];
        // Held all the time, so that whoever finds the socket empty finds its content on the board.
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..AT_ONCE {
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    if let Ok(snapshot) = serde_json::from_slice::<Snapshot>(&buffer[..length]) {
                        board.take(snapshot);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Takes all the snapshots that are there. Processors that never stop sending cannot hold this up for long.
    pub(super) fn empty(&self) {
        const MOST: usize = 1_000;
        _ = (0..MOST).take_while(|_| self.receive()).count();
    }
}

impl AsFd for Mailbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
