//! HTTP with two limits: on the time of connecting, and on the time in which no byte moves.
//!
//! The client of the SDK limits the time until an answer begins, during which a slow network may still be sending a large request.
//! Here the socket itself is watched: a slow call goes on for as long as bytes move either way. HTTP/1.1 keeps calls apart: a
//! connection carries one call at a time.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use hyper::Uri;
use hyper::header::{DATE, HeaderMap};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector as Tcp};
use hyper_util::client::legacy::{Client, Error as HyperError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tower_service::Service;

use super::bounded::Bounded;
use super::error::sources;
use crate::args::Limits;
use crate::report;

/// The most bytes that wait in the system to be sent. More would hide for how long nothing was sent.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 32 << 10;

/// The header that each answer of AWS has.
const REQUEST_ID: &str = "x-amzn-requestid";

type BoxError = Box<dyn Error + Send + Sync>;

/// The form in which the SDK takes a connector.
pub(super) fn client(connector: &SharedHttpConnector) -> SharedHttpClient {
    let connector = connector.clone();
    http_client_fn(move |_, _| connector.clone())
}

/// A connector whose bytes move the clock.
///
/// # Errors
///
/// If TLS cannot be set up.
pub(super) fn connector(limits: Limits, clock: &Clock) -> io::Result<SharedHttpConnector> {
    let mut tcp = Tcp::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let https = HttpsConnectorBuilder::new().with_tls_config(tls()?).https_or_http().enable_http1();
    let connect = Connect { https: https.wrap_connector(tcp), limits, clock: clock.clone() };
    let mut builder = Client::builder(TokioExecutor::new());
    // A connection that a call takes from the pool is far from its own limit.
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(limits.idle / 2);
    Ok(SharedHttpConnector::new(Http { client: builder.build(connect), clock: clock.clone() }))
}

/// TLS with the certificates of the system. It may have none, because an endpoint on this machine needs none.
fn tls() -> io::Result<ClientConfig> {
    let builder = || {
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions().map_err(io::Error::other)
    };
    let builder = match builder()?.with_native_roots() {
        Ok(builder) => builder,
        Err(_) => builder()?.with_root_certificates(RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

/// The last time at which a byte was sent or received, and the time at the service.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// In milliseconds since the start.
    moved: Arc<AtomicU64>,
    /// The date of the last answer that had one, and when it arrived.
    served: Arc<Mutex<Option<(SystemTime, Instant)>>>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), moved: Arc::default(), served: Arc::default() }
    }

    pub(crate) fn moved(&self) -> Instant {
        self.start + Duration::from_millis(self.moved.load(Ordering::Relaxed))
    }

    fn tick(&self, now: Instant) {
        let millis = u64::try_from((now - self.start).as_millis()).unwrap_or(u64::MAX);
        self.moved.fetch_max(millis, Ordering::Relaxed);
    }

    /// The time at the service, or a little earlier: answers give it in whole seconds, and take a while to arrive. It is the time of this
    /// machine if no answer has given it.
    pub(crate) fn at_service(&self) -> SystemTime {
        let served = *self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.map_or_else(SystemTime::now, |(date, at)| date + at.elapsed())
    }

    /// Notes the date of an answer of AWS. A proxy may answer, too, and its clock does not count.
    fn note_date(&self, headers: &HeaderMap) {
        if !headers.contains_key(REQUEST_ID) {
            return;
        }
        let text = headers.get(DATE).and_then(|date| date.to_str().ok());
        let date = text.and_then(|text| DateTime::from_str(text, Format::HttpDate).ok());
        if let Some(Ok(date)) = date.map(SystemTime::try_from) {
            *self.served.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
        }
    }
}

/// No byte moved, or no connection was made, within a limit.
#[derive(Debug, thiserror::Error)]
enum Expired {
    #[error("no connection was made in {}", report::duration(*.0))]
    Connect(Duration),
    #[error("no byte was sent or received for {}", report::duration(*.0))]
    Idle(Duration),
}

impl From<Expired> for io::Error {
    fn from(expired: Expired) -> Self {
        Self::new(ErrorKind::TimedOut, expired)
    }
}

/// The client as the SDK calls it.
#[derive(Debug)]
struct Http {
    client: Client<Connect, SdkBody>,
    clock: Clock,
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let (answer, clock) = (self.client.request(request), self.clock.clone());
        HttpConnectorFuture::new(async move {
            let answer = answer.await.map_err(failure)?;
            clock.note_date(answer.headers());
            HttpResponse::try_from(answer.map(|body| SdkBody::from_body_1_x(Bounded::new(body))))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn failure(error: HyperError) -> ConnectorError {
    if is_expiry(&error) { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
}

/// Whether a limit of time is the cause of an error.
pub(super) fn is_expiry(error: &(dyn Error + 'static)) -> bool {
    sources(error)
        .any(|error| error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::TimedOut))
}

/// Makes connections.
#[derive(Clone)]
struct Connect {
    https: HttpsConnector<Tcp>,
    limits: Limits,
    clock: Clock,
}

impl Service<Uri> for Connect {
    type Response = Watched;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Watched, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.https.call(uri);
        let (limits, clock) = (self.limits, self.clock.clone());
        Box::pin(async move {
            let Ok(connected) = timeout(limits.connect, connecting).await else {
                return Err(io::Error::from(Expired::Connect(limits.connect)).into());
            };
            let stream = connected?;
            limit_unsent(&stream)?;
            clock.tick(Instant::now());
            Ok(Watched { stream, limit: limits.idle, idle: Box::pin(sleep(limits.idle)), clock })
        })
    }
}

/// Makes the system accept no more bytes than it can send soon.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn limit_unsent(stream: &Stream) -> io::Result<()> {
    let socket = match stream {
        MaybeHttpsStream::Http(stream) => stream.inner(),
        MaybeHttpsStream::Https(stream) => stream.inner().get_ref().0.inner().inner(),
    };
    socket2::SockRef::from(socket).set_tcp_notsent_lowat(UNSENT)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn limit_unsent(_: &Stream) -> io::Result<()> {
    Ok(())
}

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A connection that fails if no byte moves for some time.
struct Watched {
    stream: Stream,
    limit: Duration,
    idle: Pin<Box<Sleep>>,
    clock: Clock,
}

impl Watched {
    /// Notes whether bytes moved, given the result of a read or a write.
    fn note<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
        moved: impl FnOnce(&T) -> bool,
    ) -> Poll<io::Result<T>> {
        match &result {
            Poll::Ready(Ok(value)) if moved(value) => {
                let now = Instant::now();
                self.clock.tick(now);
                self.idle.as_mut().reset(now + self.limit);
            }
            Poll::Ready(_) => {}
            Poll::Pending if self.idle.as_mut().poll(context).is_ready() => {
                return Poll::Ready(Err(Expired::Idle(self.limit).into()));
            }
            Poll::Pending => {}
        }
        result
    }
}

impl Read for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        // The end of the stream counts, too: it is noticed at once.
        self.note(context, result, |()| true)
    }
}

impl Write for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(context, result, |written| *written > 0)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.note(context, result, |written| *written > 0)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.note(context, result, |()| false)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        self.note(context, result, |()| false)
    }
}

impl Connection for Watched {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn the_time_at_the_service_is_that_of_its_answers() {
        let clock = Clock::new();
        assert!(clock.at_service() >= SystemTime::now() - Duration::from_secs(60), "this machine's");
        let of_proxy = |date| HeaderMap::from_iter([(DATE, HeaderValue::from_static(date))]);
        let headers = |date| {
            let mut headers = of_proxy(date);
            headers.insert(REQUEST_ID, HeaderValue::from_static("7"));
            headers
        };
        clock.note_date(&headers("Sat, 31 Jan 2026 12:00:00 GMT"));
        clock.note_date(&of_proxy("Sun, 31 Jan 2027 12:00:00 GMT"));
        clock.note_date(&headers("yesterday"));
        clock.note_date(&HeaderMap::new());
        let noon = humantime::parse_rfc3339("2026-01-31T12:00:00Z").unwrap();
        let since = clock.at_service().duration_since(noon).unwrap();
        assert!(since < Duration::from_secs(60), "{since:?}");
    }
}
