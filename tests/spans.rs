//! The spans and events that a subscriber of `tracing` sees.
//!
//! These tests have a process of their own. `tracing` shares the interest in a span between all threads, so a conversation
//! of another test could decide that nobody is interested.

use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kcl::{BoxError, DeadLetter, Json, Runner, Shard};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Values};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};

const INITIALIZE: &str =
    r#"{"action":"initialize","shardId":"shardId-000000000007","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#;
const OK: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;
const REFUSED: &str =
    r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":"NullPointerException"}"#;
const SHARD_ENDED: &str = r#"{"action":"shardEnded"}"#;

/// A batch of these records: their sequence numbers, and their data in base64.
fn batch(records: &[(&str, &str)]) -> String {
    let records: Vec<_> = records
        .iter()
        .map(|(number, data)| {
            format!(r#"{{"data":"{data}","partitionKey":"k","sequenceNumber":"{number}","subSequenceNumber":7}}"#)
        })
        .collect();
    format!(r#"{{"action":"processRecords","records":[{}]}}"#, records.join(","))
}

/// A subscriber that notes spans and events, each with its enclosing spans.
struct Notes {
    max_level: Level,
    next: AtomicU64,
    /// All spans so far, by id.
    spans: Mutex<Vec<String>>,
    entered: Mutex<Vec<u64>>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Notes {
    fn note(&self, text: &str) {
        let spans = self.spans.lock().expect("no panic");
        let entered = self.entered.lock().expect("no panic");
        let within: Vec<_> = entered.iter().map(|&id| spans[id as usize - 1].as_str()).chain([text]).collect();
        self.lines.lock().expect("no panic").push(within.join(" > "));
    }
}

/// A visitor that writes fields as text.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).expect("a string");
    }
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "kcl" && *metadata.level() <= self.max_level
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = Text(span.metadata().name().to_owned());
        span.record(&mut text);
        self.spans.lock().expect("no panic").push(text.0);
        Id::from_u64(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(event.metadata().level().to_string());
        event.record(&mut text);
        self.note(&text.0);
    }

    fn enter(&self, span: &Id) {
        self.entered.lock().expect("no panic").push(span.into_u64());
        self.note("");
    }

    fn exit(&self, span: &Id) {
        assert_eq!(self.entered.lock().expect("no panic").pop(), Some(span.into_u64()));
    }

    fn record(&self, _: &Id, _: &Values<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}
}

#[derive(Default)]
struct Picky(u32);

#[kcl::processor(main = false)]
impl Picky {
    #[on_record(retry = 1, backoff = "1ms..1ms", on_failure = skip, on_undecodable = skip)]
    fn handle(&mut self, Json(body): Json<u64>) -> Result<(), &'static str> {
        self.0 += 1;
        if body == 2 { Err("it broke") } else { Ok(()) }
    }
}

/// A subscriber that writes everything up to this level to `lines`.
fn notes(max_level: Level, lines: &Arc<Mutex<Vec<String>>>) -> Notes {
    Notes {
        max_level,
        next: AtomicU64::new(1),
        spans: Mutex::default(),
        entered: Mutex::default(),
        lines: Arc::clone(lines),
    }
}

/// Runs a conversation that causes every kind of span and event.
fn converse() {
    // The number 2, and a payload that is not a number.
    let input = [INITIALIZE, &batch(&[("1", "Mg=="), ("2", "eA==")]), OK, SHARD_ENDED, REFUSED].join("\n");
    Runner::new(|_: &Shard| Ok::<_, BoxError>(Picky::default()))
        .run_on(input.as_bytes(), std::io::sink())
        .expect_err("the checkpoint of the end is refused");
}

/// Allows one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// The lines noted up to this level.
fn seen(max_level: Level) -> Vec<String> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = Arc::default();
    tracing::subscriber::with_default(notes(max_level, &lines), converse);
    std::mem::take(&mut *lines.lock().expect("no panic"))
}

const SHARD: &str = "shard shard_id=\"shardId-000000000007\" position=TRIM_HORIZON > ";
const MESSAGE: &str = "message action=\"processRecords\" records=2 first_sequence_number=1 last_sequence_number=2 > ";

#[test]
fn spans_carry_the_shard_and_the_sequence_numbers() {
    let seen = seen(Level::TRACE);
    let failed = "error=shard shardId-000000000007: processRecords failed: ";
    let expected = [
        // For `initialize`, and for the messages that follow.
        SHARD.to_owned(),
        SHARD.to_owned(),
        format!("{SHARD}{MESSAGE}"),
        format!("{SHARD}{MESSAGE}record sequence_number=1 sub_sequence_number=7 > "),
        format!(
            "{SHARD}{MESSAGE}WARN message=retrying sequence_number=1 sub_sequence_number=7 attempts=1 {failed}it broke; at record \
             1/7 with partition key `k`"
        ),
        format!("{SHARD}{MESSAGE}record sequence_number=1 sub_sequence_number=7 > "),
        format!(
            "{SHARD}{MESSAGE}WARN message=skipped sequence_number=1 sub_sequence_number=7 attempts=2 {failed}it broke; at \
             record 1/7 with partition key `k`, after 2 attempts"
        ),
        format!("{SHARD}{MESSAGE}record sequence_number=2 sub_sequence_number=7 > "),
        format!(
            "{SHARD}{MESSAGE}WARN message=skipped sequence_number=2 sub_sequence_number=7 attempts=0 {failed}the payload"
        ),
        format!("{SHARD}{MESSAGE}DEBUG message=checkpointed"),
        format!("{SHARD}message action=\"shardEnded\" > "),
        format!(
            "{SHARD}message action=\"shardEnded\" > WARN message=not checkpointed error=the daemon's checkpoint failed"
        ),
        // For the drop of the processor.
        SHARD.to_owned(),
    ];
    assert_eq!(seen.len(), expected.len(), "{seen:#?}");
    for (seen, expected) in seen.iter().zip(&expected) {
        assert!(seen.starts_with(expected.as_str()), "{seen}\n{expected}");
    }
}

/// A processor whose handler of dead letters has events of its own.
#[derive(Default)]
struct Undertaker;

#[kcl::processor(main = false)]
impl Undertaker {
    #[on_record(on_undecodable = dead_letter)]
    fn handle(&mut self, _: Json<u64>) {}

    #[on_dead_letter]
    fn bury(&mut self, _: &DeadLetter) {
        tracing::info!(target: "kcl", "buried");
    }
}

#[test]
fn the_handler_of_dead_letters_runs_in_the_span_of_its_record() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = Arc::default();
    let input = [INITIALIZE, &batch(&[("1", "Mg=="), ("2", "eA==")]), OK, SHARD_ENDED, OK].join("\n");
    let run = || {
        Runner::new(|_: &Shard| Ok::<_, BoxError>(Undertaker))
            .run_on(input.as_bytes(), std::io::sink())
            .expect("it ends")
    };
    tracing::subscriber::with_default(notes(Level::TRACE, &lines), run);
    let expected = format!("{SHARD}{MESSAGE}record sequence_number=2 sub_sequence_number=7 > INFO message=buried");
    let lines = lines.lock().expect("no panic");
    assert!(lines.contains(&expected), "{lines:#?}");
}

#[test]
fn levels_above_the_subscribers_are_left_out() {
    let levels = |max_level| seen(max_level).iter().map(|line| line.split(" > ").count() - 1).max();
    assert_eq!([Level::INFO, Level::DEBUG, Level::TRACE].map(levels), [Some(1), Some(2), Some(3)]);
    assert!(seen(Level::WARN).iter().all(|line| line.starts_with("WARN ")));
}

/// A processor that sets up its own subscriber.
struct SelfMade(#[expect(dead_code, reason = "for its drop")] DefaultGuard);

#[kcl::processor(main = false)]
impl SelfMade {
    #[on_record(on_undecodable = skip)]
    fn handle(&mut self, _: Json<u64>) {}
}

#[test]
fn a_subscriber_set_up_in_on_init_sees_the_shard() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = Arc::default();
    let make = |_: &Shard| Ok::<_, BoxError>(SelfMade(tracing::subscriber::set_default(notes(Level::DEBUG, &lines))));
    let input = [INITIALIZE, &batch(&[("1", "eA==")]), OK].join("\n");
    Runner::new(make).run_on(input.as_bytes(), std::io::sink()).expect("all is well");
    let seen = std::mem::take(&mut *lines.lock().expect("no panic"));
    let message = "message action=\"processRecords\" records=1 first_sequence_number=1 last_sequence_number=1 > ";
    assert_eq!(seen[..2], [SHARD.to_owned(), format!("{SHARD}{message}")]);
}
