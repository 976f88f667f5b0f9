//! A Maven repository on this machine that answers as the test demands.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// A call that the server has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The target of the request line. A proxy gets a whole URL.
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Call {
    /// The offset from which the client wants the file.
    pub(crate) fn start(&self) -> Option<usize> {
        self.headers.get("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// What the server does with a call.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Sends the file, from the offset that the client wants.
    File,
    /// The same, but closes the connection after this number of bytes.
    Cut(usize),
    /// The same, but sends no more after this number of bytes, and keeps the connection open.
    Stall(usize),
    /// The same, with a pause before each of these many parts.
    Drip(usize),
    /// Sends the whole file, whatever the client wants.
    Whole,
    /// Sends other bytes of the same length, from the offset that the client wants.
    Forged,
    /// Sends this status, and these headers.
    Status(u16, Vec<(&'static str, String)>),
}

type Judge = Box<dyn FnMut(usize, &Call) -> Answer + Send>;

struct Shared {
    files: BTreeMap<String, Vec<u8>>,
    calls: Mutex<Vec<Call>>,
    judge: Mutex<Judge>,
    ended: AtomicBool,
}

/// The server, which ends when the value is dropped.
pub(crate) struct Repository {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Repository {
    /// Serves the files by their paths. The judge gets the number of a call, from 0, and the call.
    pub(crate) fn serve(
        files: &[(String, Vec<u8>)],
        judge: impl FnMut(usize, &Call) -> Answer + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            files: files.iter().cloned().collect(),
            calls: Mutex::default(),
            judge: Mutex::new(Box::new(judge)),
            ended: AtomicBool::new(false),
        });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if server.ended.load(Ordering::Relaxed) {
                    return;
                }
                let server = Arc::clone(&server);
                // A client that is killed breaks its connection.
                thread::spawn(move || _ = server.talk(stream));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/maven2", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what the server does.
    pub(crate) fn now(&self, judge: impl FnMut(usize, &Call) -> Answer + Send + 'static) {
        *self.shared.judge.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(judge);
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts connections.
        _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn talk(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(call) = receive(&mut reader)? {
            let number = {
                let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
                calls.push(call.clone());
                calls.len() - 1
            };
            let answer = (self.judge.lock().unwrap_or_else(PoisonError::into_inner))(number, &call);
            let path = call.target.split("/maven2/").nth(1).unwrap_or_default();
            match self.files.get(path) {
                _ if matches!(answer, Answer::Status(..)) => refuse(&mut stream, &answer)?,
                None => refuse(&mut stream, &Answer::Status(404, Vec::new()))?,
                Some(file) => {
                    if !send(&mut stream, file, call.start(), &answer)? {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }
}

fn receive(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Call>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => _ = headers.insert(name.to_lowercase(), value.to_owned()),
            None => return Ok(Some(Call { target, headers })),
        }
    }
}

fn refuse(stream: &mut TcpStream, answer: &Answer) -> io::Result<()> {
    let Answer::Status(status, headers) = answer else { return Ok(()) };
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "HTTP/1.1 {status} Told So\r\n{headers}Content-Length: 0\r\n\r\n")
}

/// Sends a file. Returns false if the connection ends.
fn send(stream: &mut TcpStream, file: &[u8], start: Option<usize>, answer: &Answer) -> io::Result<bool> {
    let start = start.filter(|_| !matches!(answer, Answer::Whole)).unwrap_or(0);
    if start >= file.len() && start > 0 {
        write!(stream, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n")?;
        return Ok(true);
    }
    let (status, range) = match start {
        0 => ("200 OK", String::new()),
        _ => ("206 Partial Content", format!("Content-Range: bytes {start}-{}/{}\r\n", file.len() - 1, file.len())),
    };
    let rest = &file[start..];
    write!(stream, "HTTP/1.1 {status}\r\n{range}Content-Length: {}\r\n\r\n", rest.len())?;
    match *answer {
        Answer::Cut(bytes) => {
            stream.write_all(&rest[..bytes])?;
            return Ok(false);
        }
        Answer::Stall(bytes) => {
            stream.write_all(&rest[..bytes])?;
            // The client ends the connection.
            _ = io::copy(stream, &mut io::sink());
            return Ok(false);
        }
        Answer::Drip(parts) => {
            for part in rest.chunks(rest.len().div_ceil(parts)) {
                thread::sleep(Duration::from_millis(20));
                stream.write_all(part)?;
            }
        }
        Answer::Forged => stream.write_all(&vec![b'?'; rest.len()])?,
        _ => stream.write_all(rest)?,
    }
    Ok(true)
}
