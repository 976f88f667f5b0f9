//! A fake Kinesis that takes, refuses and delivers records as the test demands.

use std::collections::BTreeMap;
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

/// Something that goes wrong on the network.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The call is never answered.
    Silence,
    /// The answer stops in the middle.
    Stall,
    /// The connection breaks before the call is carried out.
    Reset,
    /// The connection breaks after the call is carried out.
    LostAnswer,
    /// Something else answers, with this status, type and body.
    Other(u16, &'static str, &'static str),
    /// The answer never ends.
    Endless,
    /// The answer arrives in a number of parts, with this pause before each.
    Drip(usize, Duration),
}

/// Decides what goes wrong, given the operation of a call and its number among the calls of that operation, from 0.
pub(crate) type Weather = Box<dyn FnMut(&str, usize) -> Option<Fault> + Send>;

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
    /// The pause after each part of a request that is read.
    pause: Mutex<Duration>,
    /// The time that answers give, if they give one.
    date: Mutex<Option<&'static str>>,
}

struct State {
    judge: Judge,
    respond: Respond,
    weather: Weather,
    /// How often each operation was called.
    operations: BTreeMap<String, usize>,
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
            state: Mutex::new(State {
                judge,
                respond,
                weather: Box::new(|_, _| None),
                operations: BTreeMap::new(),
                calls: Vec::new(),
                broken: 0,
                taken: Vec::new(),
            }),
            changed: Condvar::new(),
            pause: Mutex::new(Duration::ZERO),
            date: Mutex::default(),
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

    /// Decides what goes wrong from now on.
    pub(crate) fn with(self, weather: impl FnMut(&str, usize) -> Option<Fault> + Send + 'static) -> Self {
        self.set_weather(weather);
        self
    }

    /// Decides what goes wrong from now on.
    pub(crate) fn set_weather(&self, weather: impl FnMut(&str, usize) -> Option<Fault> + Send + 'static) {
        self.shared.state().weather = Box::new(weather);
    }

    /// Reads requests slowly, with this pause after every 16 KiB.
    pub(crate) fn read_slowly(&self, pause: Duration) {
        *self.shared.pause.lock().unwrap_or_else(PoisonError::into_inner) = pause;
    }

    /// Answers with this time.
    pub(crate) fn set_date(&self, date: &'static str) {
        *self.shared.date.lock().unwrap_or_else(PoisonError::into_inner) = Some(date);
    }

    /// How often an operation was called.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.shared.state().operations.get(operation).copied().unwrap_or_default()
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
        let pause = || *self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok(Some((operation, input))) = request(&mut reader, pause()) {
            if !self.up.load(Ordering::SeqCst) {
                self.state().broken += 1;
                self.changed.notify_all();
                return;
            }
            let fault = self.fault(&operation);
            match fault {
                Some(Fault::Silence) => return self.keep(&writer),
                Some(Fault::Reset) => return,
                Some(Fault::Endless) => return endless(&mut writer),
                Some(Fault::Other(status, kind, body)) => {
                    if writer.write_all(&self.reply(status, kind, body)).is_err() {
                        return;
                    }
                    continue;
                }
                Some(Fault::Stall | Fault::LostAnswer | Fault::Drip(..)) | None => {}
            }
            let Some((status, answer)) = self.answer(&operation, &input) else { return };
            let answer = self.reply(status, "application/x-amz-json-1.1", &answer.to_string());
            let written = match fault {
                Some(Fault::LostAnswer) => return,
                Some(Fault::Stall) => {
                    _ = writer.write_all(&answer[..answer.len() - 1]);
                    return self.keep(&writer);
                }
                Some(Fault::Drip(parts, pause)) => answer.chunks(answer.len().div_ceil(parts)).try_for_each(|part| {
                    thread::sleep(pause);
                    writer.write_all(part)
                }),
                _ => writer.write_all(&answer),
            };
            if written.is_err() {
                return;
            }
        }
    }

    /// The fault of this call, if there is one.
    fn fault(&self, operation: &str) -> Option<Fault> {
        let mut state = self.state();
        let count = state.operations.entry(operation.to_owned()).or_default();
        let number = *count;
        *count += 1;
        let fault = (state.weather)(operation, number);
        self.changed.notify_all();
        fault
    }

    /// Keeps a connection open until the other side closes it.
    fn keep(&self, mut connection: &TcpStream) {
        _ = connection.read(&mut [0]);
    }

    fn reply(&self, status: u16, kind: &str, body: &str) -> Vec<u8> {
        let date = *self.date.lock().unwrap_or_else(PoisonError::into_inner);
        let date = date.map(|date| format!("Date: {date}\r\nx-amzn-RequestId: 7\r\n")).unwrap_or_default();
        let length = body.len();
        format!("HTTP/1.1 {status} Status\r\n{date}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
            .into_bytes()
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

/// Answers with spaces until the other side closes the connection.
fn endless(writer: &mut TcpStream) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = [&b"10000\r\n"[..], &[b' '; 0x10000], b"\r\n"].concat();
    let mut written = writer.write_all(head.as_bytes());
    while written.is_ok() {
        written = writer.write_all(&chunk);
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
fn request(reader: &mut BufReader<TcpStream>, pause: Duration) -> io::Result<Option<(String, Value)>> {
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
    for part in body.chunks_mut(16 << 10) {
        reader.read_exact(part)?;
        thread::sleep(pause);
    }
    Ok(Some((operation, serde_json::from_slice(&body)?)))
}
