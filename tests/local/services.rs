//! Stand-ins for the services that the examples send to: an HTTP service and a Redis database, on threads of the test.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// The longest time to wait for a second request; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Listens on a free port, and serves each connection on a thread of its own.
fn listen<S: Send + Sync + 'static>(service: &Arc<S>, serve: fn(&S, TcpStream) -> io::Result<()>) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let service = Arc::clone(service);
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let service = Arc::clone(&service);
            // The other side closes the connection, or the test ends.
            thread::spawn(move || _ = serve(&service, connection));
        }
    });
    address
}

/// An HTTP service. It refuses bodies that contain `refuse`, and is busy the first time for those that contain `busy`.
#[derive(Debug, Default)]
pub(crate) struct Http {
    seen: Mutex<Seen>,
    changed: Condvar,
}

/// The requests of an [`Http`] service.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The bodies that the service took, in order.
    pub(crate) taken: Vec<String>,
    /// The number of requests for each `idempotency-key`.
    pub(crate) requests: BTreeMap<String, usize>,
    at_once: usize,
    most_at_once: usize,
}

impl Http {
    pub(crate) fn start() -> (Arc<Self>, SocketAddr) {
        let service = Arc::new(Self::default());
        let address = listen(&service, Self::serve);
        (service, address)
    }

    /// The requests so far.
    pub(crate) fn take_seen(&self) -> Seen {
        std::mem::take(&mut *self.seen.lock().expect("no panic"))
    }

    fn serve(&self, connection: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(connection.try_clone()?);
        while let Some((key, body)) = request(&mut reader)? {
            let status = self.answer(key, &body);
            write!(&connection, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")?;
        }
        Ok(())
    }

    /// The status for a request. The first ones wait until there are two at once.
    fn answer(&self, key: String, body: &str) -> &'static str {
        let mut seen = self.seen.lock().expect("no panic");
        seen.at_once += 1;
        seen.most_at_once = seen.most_at_once.max(seen.at_once);
        self.changed.notify_all();
        let (mut seen, waited) =
            self.changed.wait_timeout_while(seen, PATIENCE, |seen| seen.most_at_once < 2).expect("no panic");
        assert!(!waited.timed_out(), "there were never two requests at once");
        seen.at_once -= 1;
        let requests = seen.requests.entry(key).or_default();
        *requests += 1;
        match *requests {
            _ if body.contains("refuse") => "400 Bad Request",
            1 if body.contains("busy") => "503 Service Unavailable",
            _ => {
                seen.taken.push(body.to_owned());
                "200 OK"
            }
        }
    }
}

/// Reads a request: its `idempotency-key` and its body. `None` at the end of the connection.
fn request(reader: &mut impl BufRead) -> io::Result<Option<(String, String)>> {
    let (mut key, mut length) = (String::new(), 0);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("idempotency-key") => key = value.to_owned(),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().map_err(io::Error::other)?;
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((key, String::from_utf8(body).map_err(io::Error::other)?)))
}

/// A database that knows the commands which the client needs, and `HSET`.
#[derive(Debug, Default)]
pub(crate) struct Redis {
    hashes: Mutex<BTreeMap<String, String>>,
}

impl Redis {
    pub(crate) fn start() -> (Arc<Self>, SocketAddr) {
        let database = Arc::new(Self::default());
        let address = listen(&database, Self::serve);
        (database, address)
    }

    /// The values by `KEY FIELD`.
    pub(crate) fn hashes(&self) -> BTreeMap<String, String> {
        self.hashes.lock().expect("no panic").clone()
    }

    fn serve(&self, connection: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(connection.try_clone()?);
        while let Some(words) = command(&mut reader)? {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let answer = match words[..] {
                ["HSET", key, field, value] => {
                    let mut hashes = self.hashes.lock().expect("no panic");
                    let is_new = hashes.insert(format!("{key} {field}"), value.to_owned()).is_none();
                    format!(":{}\r\n", u8::from(is_new))
                }
                ["PING"] => "+PONG\r\n".to_owned(),
                ["PING", text] => format!("${}\r\n{text}\r\n", text.len()),
                _ => "+OK\r\n".to_owned(),
            };
            (&connection).write_all(answer.as_bytes())?;
        }
        Ok(())
    }
}

/// Reads a command, an array of texts. `None` at the end of the connection.
fn command(reader: &mut impl BufRead) -> io::Result<Option<Vec<String>>> {
    let Some(count) = number(reader, "*")? else { return Ok(None) };
    let mut words = Vec::new();
    for _ in 0..count {
        let length = number(reader, "$")?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut bytes = vec![0; length + 2];
        reader.read_exact(&mut bytes)?;
        bytes.truncate(length);
        words.push(String::from_utf8(bytes).map_err(io::Error::other)?);
    }
    Ok(Some(words))
}

/// Reads a line that has a number after this mark.
fn number(reader: &mut impl BufRead, mark: &str) -> io::Result<Option<usize>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let digits = line.trim().strip_prefix(mark).ok_or(io::ErrorKind::InvalidData)?;
    digits.parse().map(Some).map_err(io::Error::other)
}
