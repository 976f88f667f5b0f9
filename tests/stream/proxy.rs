//! A proxy of a Kinesis that fails calls on demand.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Forwards calls until its process ends.
#[derive(Clone)]
pub(crate) struct Proxy {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    to: String,
    /// The operations to answer with an error, and the errors.
    failures: VecDeque<(&'static str, &'static str)>,
    /// The operations that were called, in order.
    calls: Vec<String>,
}

impl Proxy {
    pub(crate) fn start(to: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let url = format!("http://{}", listener.local_addr()?);
        let proxy = Self { url, state: Arc::default() };
        proxy.lead_to(to);
        let serving = proxy.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let proxy = serving.clone();
                // The client opens a broken connection again.
                thread::spawn(move || _ = proxy.serve(&stream));
            }
        });
        Ok(proxy)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn lead_to(&self, url: &str) {
        url.clone_into(&mut self.state().to);
    }

    /// Answers the next calls of an operation with an error.
    pub(crate) fn fail(&self, operation: &'static str, error: &'static str, times: usize) {
        self.state().failures.extend(std::iter::repeat_n((operation, error), times));
    }

    /// Whether all demanded failures have occurred.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().failures.is_empty()
    }

    /// How many times an operation was called.
    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.state().calls.iter().filter(|call| *call == operation).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let mut headers = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line)?;
                match line.trim_end().split_once(':') {
                    Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
                    None => break,
                }
            }
            let header =
                |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
            let mut body = vec![0; header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
            reader.read_exact(&mut body)?;
            let operation = header("x-amz-target").and_then(|target| target.rsplit('.').next()).unwrap_or_default();
            let (status, kind, answer) = self.answer(operation, &headers, body)?;
            write!(
                &mut &*stream,
                "HTTP/1.1 {status} .\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                answer.len()
            )?;
            (&mut &*stream).write_all(&answer)?;
        }
    }

    fn answer(
        &self,
        operation: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> io::Result<(u16, String, Vec<u8>)> {
        let to = {
            let mut state = self.state();
            state.calls.push(operation.to_owned());
            if let Some((_, error)) = state.failures.pop_front_if(|(failing, _)| *failing == operation) {
                let answer = format!("{{\"__type\":\"{error}\",\"message\":\"as the test demands\"}}");
                return Ok((400, "application/x-amz-json-1.1".to_owned(), answer.into_bytes()));
            }
            state.to.clone()
        };
        let mut request = minreq::post(format!("{to}/")).with_body(body).with_timeout(60);
        for (name, value) in headers {
            if name.starts_with("x-amz") || name == "authorization" || name == "content-type" {
                request = request.with_header(name, value);
            }
        }
        let response = request.send().map_err(io::Error::other)?;
        let kind = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let kind = kind.map(|(_, kind)| kind.clone()).unwrap_or_default();
        Ok((response.status_code, kind, response.into_bytes()))
    }
}
