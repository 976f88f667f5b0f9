//! A fake Kinesis that takes, refuses and delivers records as the test demands.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// The longest wait, which only a failing test reaches.
const PATIENCE: Duration = Duration::from_secs(60);

/// A record as it was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) data: Vec<u8>,
    pub(crate) explicit_hash_key: Option<String>,
}

/// The answer to a call.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// Takes all records.
    Take,
    /// Takes only the marked records; the others are throttled.
    TakeSome(Vec<bool>),
    /// Refuses the call with this status, exception and message.
    Refuse(u16, &'static str, &'static str),
    /// Takes all records and closes the connection without an answer.
    HangUp,
}

/// Decides about a `PutRecords` call, given its number, from 0, and its records.
pub(crate) type Judge = Box<dyn FnMut(usize, &[Record]) -> Verdict + Send>;

/// Answers a call of another operation, given its name and its input, with a status and a body.
pub(crate) type Respond = Box<dyn FnMut(&str, &Value) -> (u16, Value) + Send>;

/// The answer that refuses a call.
pub(crate) fn refusal(kind: &str, message: &str) -> (u16, Value) {
    (400, json!({ "__type": kind, "message": message }))
}

/// The server, which ends when the value is dropped.
pub(crate) struct Fake {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether calls are answered.
    up: AtomicBool,
    over: AtomicBool,
}

struct State {
    judge: Judge,
    respond: Respond,
    /// The records of each call.
    calls: Vec<Vec<Record>>,
    /// Connections that broke because calls were not answered.
    broken: usize,
    taken: Vec<Record>,
}

impl Fake {
    /// Starts the server, which takes records as the judge decides.
    pub(crate) fn new(judge: impl FnMut(usize, &[Record]) -> Verdict + Send + 'static) -> Self {
        Self::start(Box::new(judge), Box::new(|operation, _| refusal("UnknownOperationException", operation)))
    }

    /// Starts the server, which answers calls like this.
    pub(crate) fn answering(respond: impl FnMut(&str, &Value) -> (u16, Value) + Send + 'static) -> Self {
        Self::start(Box::new(|_, _| Verdict::Take), Box::new(respond))
    }

    fn start(judge: Judge, respond: Respond) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let address = listener.local_addr().expect("the listener has an address");
        let shared = Arc::new(Shared {
            state: Mutex::new(State { judge, respond, calls: Vec::new(), broken: 0, taken: Vec::new() }),
            changed: Condvar::new(),
            up: AtomicBool::new(true),
            over: AtomicBool::new(false),
        });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if server.over.load(Ordering::SeqCst) {
                    return;
                }
                let server = Arc::clone(&server);
                thread::spawn(move || server.serve(connection));
            }
        });
        Self { address, shared }
    }

    /// The server's URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All records taken so far, in order.
    pub(crate) fn taken(&self) -> Vec<Record> {
        self.shared.state().taken.clone()
    }

    /// The records of each call made so far.
    pub(crate) fn calls(&self) -> Vec<Vec<Record>> {
        self.shared.state().calls.clone()
    }

    /// Replaces the judge of later calls.
    pub(crate) fn judge(&self, judge: impl FnMut(usize, &[Record]) -> Verdict + Send + 'static) {
        self.shared.state().judge = Box::new(judge);
    }

    /// Sets whether calls are answered; if not, connections break.
    pub(crate) fn set_up(&self, up: bool) {
        self.shared.up.store(up, Ordering::SeqCst);
    }

    /// Waits until this many calls were made.
    pub(crate) fn wait_for_calls(&self, calls: usize) {
        self.wait(|state| state.calls.len() >= calls);
    }

    /// Waits until this many connections broke.
    pub(crate) fn wait_for_broken(&self, connections: usize) {
        self.wait(|state| state.broken >= connections);
    }

    fn wait(&self, until: impl Fn(&State) -> bool) {
        let state = self.shared.state();
        let waited = self.shared.changed.wait_timeout_while(state, PATIENCE, |state| !until(state));
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "timed out after {} calls", state.calls.len());
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it ends.
        _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, connection: TcpStream) {
        let Ok(mut writer) = connection.try_clone() else { return };
        let mut reader = BufReader::new(connection);
        while let Ok(Some((operation, input))) = request(&mut reader) {
            if !self.up.load(Ordering::SeqCst) {
                self.state().broken += 1;
                self.changed.notify_all();
                return;
            }
            let Some((status, answer)) = self.answer(&operation, &input) else { return };
            let body = answer.to_string();
            let head = format!(
                "HTTP/1.1 {status} Status\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            if writer.write_all((head + &body).as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, operation: &str, input: &Value) -> Option<(u16, Value)> {
        match operation {
            "PutRecords" => self.put(input),
            "ListStreams" => Some((200, json!({ "StreamNames": ["orders", "clicks"], "HasMoreStreams": false }))),
            _ => Some((self.state().respond)(operation, input)),
        }
    }

    fn put(&self, input: &Value) -> Option<(u16, Value)> {
        let records: Vec<_> = input["Records"].as_array().into_iter().flatten().map(record).collect();
        let mut state = self.state();
        let number = state.calls.len();
        let verdict = (state.judge)(number, &records);
        state.calls.push(records.clone());
        self.changed.notify_all();
        let answer = match verdict {
            Verdict::Refuse(status, kind, message) => (status, refusal(kind, message).1),
            Verdict::HangUp => {
                state.taken.extend(records);
                return None;
            }
            Verdict::Take => (200, entries(&mut state, records, |_| true)),
            Verdict::TakeSome(which) => (200, entries(&mut state, records, |index| which[index])),
        };
        Some(answer)
    }
}

fn entries(state: &mut State, records: Vec<Record>, is_taken: impl Fn(usize) -> bool) -> Value {
    let mut failed = 0;
    let mut entries = Vec::new();
    for (index, record) in records.into_iter().enumerate() {
        if is_taken(index) {
            state.taken.push(record);
            entries.push(json!({ "ShardId": "shardId-000000000000", "SequenceNumber": state.taken.len().to_string() }));
        } else {
            failed += 1;
            entries.push(json!({ "ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded for shard" }));
        }
    }
    json!({ "FailedRecordCount": failed, "Records": entries })
}

fn record(entry: &Value) -> Record {
    let text = |name: &str| entry[name].as_str().map(str::to_owned);
    Record {
        key: text("PartitionKey").unwrap_or_default(),
        data: BASE64_STANDARD.decode(text("Data").unwrap_or_default()).expect("the data is base64"),
        explicit_hash_key: text("ExplicitHashKey"),
    }
}

/// The operation and the input of the next request; `None` at the end of the connection.
fn request(reader: &mut BufReader<TcpStream>) -> io::Result<Option<(String, Value)>> {
    let mut operation = String::new();
    let mut length = 0;
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "x-amz-target" => operation = value.trim().rsplit('.').next().unwrap_or_default().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((operation, serde_json::from_slice(&body)?)))
}
