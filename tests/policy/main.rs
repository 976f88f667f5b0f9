//! Failure policies, as the daemon and the processor see them.

mod kills;
mod parts;
mod processes;
mod texts;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::rc::Rc;

use kcl::dead_letter::JsonLines;
use kcl::testing::{Daemon, Report};
use kcl::{
    BoxError, CheckpointError, Checkpointer, DeadLetter, HandlerError, Json, Permanent, Processor, Record, RunError,
    Runner, Shard,
};
use serde_json::Value;

const INITIALIZE: &str =
    r#"{"action":"initialize","shardId":"shardId-000000000007","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#;
const OK: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;
const LOST: &str =
    r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":"ShutdownException"}"#;
const ALL: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}"#;
const INITIALIZED: &str = r#"{"action":"status","responseFor":"initialize"}"#;
const DONE: &str = r#"{"action":"status","responseFor":"processRecords"}"#;

fn at(number: u64) -> String {
    format!(r#"{{"action":"checkpoint","sequenceNumber":"{number}","subSequenceNumber":0}}"#)
}

/// Records numbered from 1, with these bodies.
fn batch(bodies: &[&str]) -> String {
    use base64::Engine as _;
    let records: Vec<_> = (1..)
        .zip(bodies)
        .map(|(number, body)| {
            let data = base64::engine::general_purpose::STANDARD.encode(body);
            format!(r#"{{"data":"{data}","partitionKey":"key-{number}","sequenceNumber":"{number}"}}"#)
        })
        .collect();
    format!(r#"{{"action":"processRecords","records":[{}]}}"#, records.join(","))
}

/// A batch whose bodies are the numbers from 1.
fn numbers(count: u64) -> String {
    let bodies: Vec<_> = (1..=count).map(|number| number.to_string()).collect();
    batch(&bodies.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The failures planned for a handler, and the calls that it received.
#[derive(Clone, Default)]
struct Plan(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    /// How often the handler still fails at each body.
    failures: HashMap<i64, u32>,
    panics: bool,
    calls: Vec<i64>,
    /// Number, attempts, error.
    letters: Vec<(String, u32, String)>,
    letters_fail: bool,
}

impl Plan {
    fn failing(failures: impl IntoIterator<Item = (i64, u32)>) -> Self {
        let plan = Self::default();
        plan.0.borrow_mut().failures = failures.into_iter().collect();
        plan
    }

    fn handle(&self, body: i64) -> Result<(), BoxError> {
        let mut inner = self.0.borrow_mut();
        inner.calls.push(body);
        match inner.failures.get_mut(&body) {
            Some(left @ 1..) => *left -= 1,
            _ => return Ok(()),
        }
        let panics = inner.panics;
        drop(inner);
        if panics { panic!("it broke") } else { Err("it broke".into()) }
    }

    fn take(&self, letter: &DeadLetter<'_>) -> Result<(), BoxError> {
        let mut inner = self.0.borrow_mut();
        inner.letters.push((letter.record().sequence_number().to_string(), letter.attempts(), letter.to_string()));
        if inner.letters_fail { Err("the disk is full".into()) } else { Ok(()) }
    }

    fn calls(&self) -> Vec<i64> {
        self.0.borrow().calls.clone()
    }

    fn letters(&self) -> Vec<(String, u32, String)> {
        self.0.borrow().letters.clone()
    }
}

/// Runs a processor on these lines. Returns its replies and the result of the run.
fn run<P: Processor>(make: impl Fn() -> P, input: &[&str]) -> (Vec<String>, Result<(), RunError>) {
    let input = input.iter().map(|line| format!("{line}\n")).collect::<String>();
    let mut output = Vec::new();
    let result = Runner::new(|_: &Shard| Ok::<_, BoxError>(make())).run_on(input.as_bytes(), &mut output);
    (String::from_utf8(output).expect("JSON").lines().map(str::to_owned).collect(), result)
}

fn failed(result: Result<(), RunError>) -> HandlerError {
    match result {
        Err(RunError::Handler(failed)) => failed,
        other => panic!("{other:?}"),
    }
}

struct Retries(Plan);

#[kcl::processor(main = false)]
impl Retries {
    #[on_record(retry = 2, backoff = "1ms..2ms")]
    fn handle(&mut self, Json(body): Json<i64>) -> Result<(), BoxError> {
        self.0.handle(body)
    }
}

struct Skips(Plan);

#[kcl::processor(main = false)]
impl Skips {
    #[on_record(retry = 1, backoff = "1ms..1ms", on_failure = skip, on_undecodable = skip)]
    fn handle(&mut self, Json(body): Json<i64>) -> Result<(), BoxError> {
        self.0.handle(body)
    }
}

struct Letters(Plan);

#[kcl::processor(main = false)]
impl Letters {
    #[on_record(retry = 1, backoff = "1ms..1ms", on_failure = dead_letter, on_undecodable = dead_letter)]
    fn handle(&mut self, Json(body): Json<i64>) -> Result<(), BoxError> {
        self.0.handle(body)
    }

    #[on_dead_letter]
    fn keep(&mut self, record: &Record, shard: &Shard, letter: &DeadLetter<'_>) -> Result<(), BoxError> {
        assert_eq!(record.sequence_number(), letter.record().sequence_number());
        assert_eq!(shard.id(), letter.shard().id());
        self.0.take(letter)
    }
}

struct Batches(Plan);

#[kcl::processor(main = false)]
impl Batches {
    #[on_records(retry = 1, backoff = "1ms..1ms", on_failure = dead_letter, on_undecodable = dead_letter)]
    fn handle(&mut self, bodies: Vec<(&Record, Json<i64>)>) -> Result<(), BoxError> {
        for (record, Json(body)) in bodies {
            assert_eq!(record.data(), body.to_string().as_bytes());
            self.0.handle(body)?;
        }
        Ok(())
    }

    #[on_dead_letter]
    fn keep(&mut self, letter: &DeadLetter<'_>) -> Result<(), BoxError> {
        self.0.take(letter)
    }
}

#[test]
fn a_record_is_retried_and_nothing_is_sent_to_the_daemon_meanwhile() {
    for panics in [false, true] {
        let plan = Plan::failing([(2, 2), (3, 1)]);
        plan.0.borrow_mut().panics = panics;
        let (output, result) = run(|| Retries(plan.clone()), &[INITIALIZE, &numbers(4), OK]);
        assert!(result.is_ok());
        assert_eq!(plan.calls(), [1, 2, 2, 2, 3, 3, 4]);
        assert_eq!(output, [INITIALIZED, ALL, DONE]);
    }
}

#[test]
fn a_permanent_failure_reports_the_number_of_attempts() {
    let plan = Plan::failing([(2, 1), (3, 9)]);
    let (output, result) = run(|| Retries(plan.clone()), &[INITIALIZE, &numbers(4), OK]);
    assert_eq!(plan.calls(), [1, 2, 2, 3, 3, 3]);
    assert_eq!(output, [INITIALIZED, &at(2)]);
    let failed = failed(result);
    assert_eq!(failed.attempts(), 3);
    assert!(
        failed.to_string().ends_with(": it broke; at record 3/0 with partition key `key-3`, after 3 attempts"),
        "{failed}"
    );
}

struct Dooms;

#[kcl::processor(main = false)]
impl Dooms {
    #[on_record(retry = 2, backoff = "1ms..2ms", on_failure = dead_letter)]
    fn handle(&mut self, record: &Record) -> Result<(), BoxError> {
        use anyhow::Context as _;
        let no = || Err::<(), _>("no such customer");
        match record.data() {
            b"plain" => no().map_err(Permanent)?,
            b"anyhow" => Err(anyhow::Error::from(Permanent("no such customer")))?,
            b"context" => no().map_err(Permanent).context("order 7").context("a batch")?,
            b"eyre" => Err(eyre::Report::from(Permanent("no such customer")).wrap_err("order 7"))?,
            b"io" => no().map_err(|error| std::io::Error::other(Permanent(error)))?,
            _ => no()?,
        }
        Ok(())
    }

    #[on_dead_letter]
    fn keep(&mut self, letter: &DeadLetter<'_>) {
        LETTERS.with_borrow_mut(|letters| letters.push((letter.attempts(), letter.to_string())));
    }
}

thread_local! {
    static LETTERS: RefCell<Vec<(u32, String)>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn a_permanent_error_is_not_tried_again_whatever_is_around_it() {
    let run = deliver(|| Dooms, &["plain", "anyhow", "context", "eyre", "io", "another"]);
    assert_eq!(run.dead_letters().len(), 6);
    let no = "no such customer".to_owned();
    let expected = [
        (1, no.clone()),
        (1, no.clone()),
        (1, format!("a batch: order 7: {no}")),
        (1, format!("order 7: {no}")),
        (1, no.clone()),
        (3, no),
    ];
    assert_eq!(LETTERS.take(), expected);
}

#[test]
fn a_payload_that_cannot_be_decoded_is_never_retried() {
    let plan = Plan::default();
    let (output, result) = run(|| Retries(plan.clone()), &[INITIALIZE, &batch(&["1", "two", "3"]), OK]);
    assert_eq!(plan.calls(), [1]);
    assert_eq!(output, [INITIALIZED, &at(1)]);
    let failed = failed(result);
    assert_eq!(failed.attempts(), 0);
    assert!(failed.to_string().contains("cannot be decoded from `two`"), "{failed}");
}

/// Delivers one batch of records with these bodies, which the processor survives.
fn deliver<P: Processor>(make: impl Fn() -> P, bodies: &[&str]) -> Report<P> {
    let run = Daemon::new().batch(bodies.iter().copied()).run_with(|_: &Shard| Ok::<_, BoxError>(make()));
    run.assert_succeeded();
    run.assert_checkpoint_at(bodies.len());
    run
}

#[test]
fn a_record_is_skipped_at_any_place_in_its_batch() {
    for poison in 1..=3 {
        let plan = Plan::failing([(poison, 9)]);
        let run = deliver(|| Skips(plan.clone()), &["1", "2", "3"]);
        assert_eq!(run.skipped(), [(poison as usize, "it broke")]);
        assert_eq!(plan.calls().iter().filter(|&&body| body == poison).count(), 2);
        assert_eq!(plan.calls().len(), 4);
    }
}

#[test]
fn a_batch_in_which_every_record_fails_is_skipped() {
    let plan = Plan::failing([(1, 9)]);
    let run = deliver(|| Skips(plan.clone()), &["x", "1", "y"]);
    assert_eq!(plan.calls(), [1, 1]);
    assert_eq!(run.skipped().iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_dead_letter_has_the_record_the_error_and_the_attempts() {
    let plan = Plan::failing([(1, 9)]);
    let run = deliver(|| Letters(plan.clone()), &["1", "{", "3"]);
    assert_eq!(plan.calls(), [1, 1, 3]);
    assert_eq!(run.dead_letters().iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1, 2]);
    let letters = plan.letters();
    assert_eq!(letters[0], ("1".to_owned(), 2, "it broke".to_owned()));
    assert_eq!((&*letters[1].0, letters[1].1), ("2", 0));
    assert!(letters[1].2.starts_with("the payload cannot be decoded from `{`: "), "{}", letters[1].2);
    assert_eq!(letters.len(), 2);
}

#[test]
fn a_panic_becomes_a_dead_letter_with_its_message() {
    let plan = Plan::failing([(1, 9)]);
    plan.0.borrow_mut().panics = true;
    deliver(|| Letters(plan.clone()), &["1"]);
    assert_eq!(plan.letters(), [("1".to_owned(), 2, "panicked: it broke".to_owned())]);
}

/// Fails with messages of several lines, as `assert_eq!` does.
struct Verbose(Plan);

#[kcl::processor(main = false)]
impl Verbose {
    #[on_record(on_failure = dead_letter)]
    fn handle(&mut self, record: &Record) -> Result<(), &'static str> {
        match record.data() {
            b"1" => Err("it broke\nkcl: shard b: forged\x1b[2J"),
            b"2" => panic!("it\n\tbroke"),
            _ => Ok(()),
        }
    }

    #[on_dead_letter]
    fn keep(&mut self, letter: &DeadLetter<'_>) -> Result<(), BoxError> {
        self.0.take(letter)
    }
}

#[test]
fn an_error_is_reported_on_one_line_whatever_its_text() {
    let plan = Plan::default();
    run(|| Verbose(plan.clone()), &[INITIALIZE, &numbers(2), OK]).1.expect("every dead letter is kept");
    let texts: Vec<_> = plan.letters().into_iter().map(|(.., text)| text).collect();
    assert_eq!(texts, [r"it broke\nkcl: shard b: forged\u{1b}[2J", r"panicked: it\n\tbroke"]);
    for number in [1, 2] {
        let plan = Plan::default();
        plan.0.borrow_mut().letters_fail = true;
        let text = failed(run(|| Verbose(plan.clone()), &[INITIALIZE, &batch(&[&number.to_string()])]).1).to_string();
        assert!(!text.contains(char::is_control), "{text}");
    }
}

#[test]
fn a_dead_letter_that_cannot_be_kept_fails_its_record() {
    let plan = Plan::failing([(2, 9)]);
    plan.0.borrow_mut().letters_fail = true;
    let (output, result) = run(|| Letters(plan.clone()), &[INITIALIZE, &numbers(3), OK]);
    assert_eq!(plan.calls(), [1, 2, 2]);
    assert_eq!(output, [INITIALIZED, &at(1)]);
    let text = failed(result).to_string();
    assert!(text.contains("; at record 2/0"), "{text}");
    assert!(text.contains("failed: it broke; and it could not be dead-lettered: the disk is full; "), "{text}");
}

#[test]
fn a_batch_is_retried_whole() {
    let plan = Plan::failing([(2, 1)]);
    let run = deliver(|| Batches(plan.clone()), &["1", "2", "3"]);
    assert_eq!(plan.calls(), [1, 2, 1, 2, 3]);
    assert!(plan.letters().is_empty());
    let attempts: Vec<_> = run.calls().iter().skip(1).map(|call| (call.records().len(), call.attempt())).collect();
    assert_eq!(attempts, [(3, 1), (3, 2)]);
}

#[test]
fn a_batch_that_fails_permanently_is_dead_lettered_whole_with_each_record_once() {
    let plan = Plan::failing([(3, 9)]);
    deliver(|| Batches(plan.clone()), &["1", "x", "3"]);
    assert_eq!(plan.calls(), [1, 3, 1, 3]);
    let letters: Vec<_> = plan.letters().into_iter().map(|(number, attempts, _)| (number, attempts)).collect();
    assert_eq!(letters, [("2".to_owned(), 0), ("1".to_owned(), 2), ("3".to_owned(), 2)]);
}

#[test]
fn a_batch_leaves_out_payloads_that_cannot_be_decoded() {
    let plan = Plan::default();
    let run = deliver(|| Batches(plan.clone()), &["a", "2", "b", "4", "c"]);
    assert_eq!(plan.calls(), [2, 4]);
    assert_eq!(run.dead_letters().iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1, 3, 5]);
}

#[derive(serde::Deserialize)]
struct Customer<'a>(#[serde(borrow)] Cow<'a, str>);

struct Borrows<const SAFELY: bool>(Plan);

#[kcl::processor(main = false)]
impl Borrows<true> {
    #[on_record(on_undecodable = skip)]
    fn handle(&mut self, Json(Customer(text)): Json<Customer<'_>>) -> Result<(), BoxError> {
        self.0.handle(text.len() as i64)
    }
}

#[kcl::processor(main = false)]
impl Borrows<false> {
    #[on_record(on_undecodable = dead_letter)]
    fn handle(&mut self, Json(text): Json<&str>) -> Result<(), BoxError> {
        self.0.handle(text.len() as i64)
    }

    #[on_dead_letter]
    fn keep(&mut self, letter: &DeadLetter<'_>) -> Result<(), BoxError> {
        self.0.take(letter)
    }
}

#[test]
fn a_payload_that_borrows_a_text_with_an_escape_explains_its_error() {
    let input = [INITIALIZE, &batch(&[r#""Zo\u00eb""#, r#""Zoë""#, "7"]), OK];
    let plan = Plan::default();
    assert!(run(|| Borrows::<true>(plan.clone()), &input).1.is_ok());
    assert_eq!(plan.calls(), [4, 4]);

    let plan = Plan::default();
    assert!(run(|| Borrows::<false>(plan.clone()), &input).1.is_ok());
    assert_eq!(plan.calls(), [4]);
    let [(_, _, escaped), (_, _, number)] = &plan.letters()[..] else { panic!("{:?}", plan.letters()) };
    let hint = "; a JSON string with an escape cannot be borrowed: instead of `&str`, write `Cow<'_, str>` with `#[serde(borrow)]`";
    assert!(escaped.ends_with(hint) && escaped.contains("expected a borrowed string"), "{escaped}");
    assert!(!number.contains("borrow)]"), "{number}");

    // A handler's own error gets the same explanation.
    struct Bytes;
    #[kcl::processor(main = false)]
    impl Bytes {
        #[on_record]
        fn handle(&mut self, record: &Record) -> Result<(), BoxError> {
            let bytes: &[u8] = record.json()?;
            eprintln!("{}", bytes.len());
            Ok(())
        }
    }
    let text = failed(run(|| Bytes, &input).1).to_string();
    assert!(text.contains("instead of `&[u8]`, write `Cow<'_, [u8]>` with `#[serde(borrow)]`"), "{text}");
}

struct Typed;

#[kcl::processor(main = false)]
impl Typed {
    #[on_records]
    fn handle(&mut self, _: Vec<(&Record, Json<i64>)>) {}
}

struct Payloads(Plan);

#[kcl::processor(main = false)]
impl Payloads {
    #[on_records(on_undecodable = skip)]
    fn handle(&mut self, bodies: Vec<Json<i64>>) -> Result<(), BoxError> {
        bodies.into_iter().try_for_each(|Json(body)| self.0.handle(body))
    }
}

#[test]
fn payloads_need_not_come_with_their_records() {
    let plan = Plan::default();
    let run = deliver(|| Payloads(plan.clone()), &["1", "x", "3"]);
    assert_eq!(plan.calls(), [1, 3]);
    assert_eq!(run.skipped()[0].0, 2);
}

#[test]
fn a_payload_that_fails_a_batch_is_named() {
    let (output, result) = run(|| Typed, &[INITIALIZE, &batch(&["1", "2"]), OK, &batch(&["1", "x", "y"]), OK]);
    assert_eq!(output, [INITIALIZED, ALL, DONE]);
    let text = failed(result).to_string();
    assert!(
        text.contains("failed: the payload cannot be decoded from `x`")
            && text.contains("; at record 2/0 with partition key `key-2`"),
        "{text}"
    );
}

struct Sees(Plan);

#[kcl::processor(main = false)]
impl Sees {
    #[on_record]
    fn handle(&mut self, body: Option<Json<i64>>) -> Result<(), BoxError> {
        self.0.handle(body.map_or(-1, |Json(body)| body))
    }
}

struct SeesWhy(Plan);

#[kcl::processor(main = false)]
impl SeesWhy {
    #[on_records]
    fn handle(&mut self, bodies: Vec<(&Record, Result<Json<i64>, BoxError>)>) -> Result<(), BoxError> {
        bodies.into_iter().try_for_each(|(_, body)| self.0.handle(body.map_or(-1, |Json(body)| body)))
    }
}

#[test]
fn a_handler_may_see_payloads_that_cannot_be_decoded() {
    let plan = Plan::default();
    deliver(|| Sees(plan.clone()), &["1", "x", "3"]);
    deliver(|| SeesWhy(plan.clone()), &["1", "x", "3"]);
    assert_eq!(plan.calls(), [1, -1, 3, 1, -1, 3]);
}

struct Own(Plan);

#[kcl::processor(main = false)]
impl Own {
    #[on_record(retry = 3, backoff = "1ms..1ms", on_failure = skip)]
    fn handle(&mut self, record: &Record, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        let body = record.json()?;
        match checkpointer.checkpoint() {
            Err(CheckpointError::LeaseLost) => Err(CheckpointError::LeaseLost.into()),
            _ => self.0.handle(body),
        }
    }
}

#[test]
fn nothing_is_retried_or_skipped_once_the_lease_is_lost() {
    let plan = Plan::default();
    let (output, result) = run(|| Own(plan.clone()), &[INITIALIZE, &numbers(3), OK, LOST]);
    assert!(result.is_ok());
    assert_eq!(plan.calls(), [1]);
    assert_eq!(output, [INITIALIZED, &at(1), &at(2), DONE]);
}

struct OwnPayload(Plan);

#[kcl::processor(main = false)]
impl OwnPayload {
    #[on_record(on_undecodable = dead_letter)]
    fn handle(&mut self, Json(body): Json<i64>, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        // Whatever the daemon answers.
        _ = checkpointer.checkpoint();
        self.0.handle(body)
    }

    #[on_dead_letter]
    fn keep(&mut self, letter: &DeadLetter<'_>) -> Result<(), BoxError> {
        self.0.take(letter)
    }
}

#[test]
fn no_payload_is_dead_lettered_once_the_lease_or_the_daemon_is_gone() {
    let batch = batch(&["1", "x", "3"]);
    for answer in [Some(LOST), None] {
        let plan = Plan::default();
        let input: Vec<_> = [INITIALIZE, &batch].into_iter().chain(answer).collect();
        let (output, result) = run(|| OwnPayload(plan.clone()), &input);
        assert_eq!((plan.calls(), plan.letters()), (vec![1], vec![]));
        match answer {
            Some(_) => {
                assert_eq!((output, result.is_ok()), (vec![INITIALIZED.to_owned(), at(1), DONE.to_owned()], true))
            }
            None => drop(failed(result)),
        }
    }
}

#[test]
fn nothing_is_retried_or_skipped_once_the_daemon_is_gone() {
    let plan = Plan::failing([(1, 9)]);
    let (output, result) = run(|| Own(plan.clone()), &[INITIALIZE, &numbers(3)]);
    // The handler gets no answer, continues, and fails.
    assert_eq!(plan.calls(), [1]);
    assert_eq!(output, [INITIALIZED, &at(1)]);
    failed(result);
}

#[test]
fn the_checkpoint_on_failure_covers_skipped_records() {
    struct Mixed(Plan);

    #[kcl::processor(main = false)]
    impl Mixed {
        #[on_record(on_undecodable = skip)]
        fn handle(&mut self, Json(body): Json<i64>) -> Result<(), BoxError> {
            self.0.handle(body)
        }
    }

    let plan = Plan::failing([(3, 1)]);
    let (output, result) = run(|| Mixed(plan.clone()), &[INITIALIZE, &batch(&["1", "x", "3"]), OK]);
    assert_eq!(output, [INITIALIZED, &at(2)]);
    failed(result);
}

struct Kept {
    plan: Plan,
    letters: JsonLines,
}

#[kcl::processor(main = false)]
impl Kept {
    #[on_record(on_failure = dead_letter)]
    fn handle(&mut self, record: &Record) -> Result<(), BoxError> {
        self.plan.handle(i64::from(record.data().len() as u32))
    }

    #[on_dead_letter]
    fn keep(&mut self, letter: &DeadLetter<'_>) -> std::io::Result<()> {
        self.letters.write(letter)
    }
}

/// Runs one processor that keeps its dead letters in this folder.
fn keep(folder: &std::path::Path, failures: &[(i64, u32)], input: &str) -> Result<(), RunError> {
    let shard = Shard::new("shardId-000000000007", kcl::Position::TrimHorizon);
    let make = || Kept {
        plan: Plan::failing(failures.iter().copied()),
        letters: JsonLines::open(folder.join("letters"), &shard).expect("a folder"),
    };
    run(make, &[INITIALIZE, input, OK]).1
}

/// The lines of each file, in the order of the files' names.
fn lines(folder: &std::path::Path) -> Vec<Vec<Value>> {
    let files = fs::read_dir(folder.join("letters")).expect("readable").map(|entry| entry.expect("readable").path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    let read = |path| fs::read_to_string(path).expect("readable");
    let parse = |text: String| text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    files.into_iter().map(read).map(parse).collect()
}

#[test]
fn dead_letters_are_lines_that_can_be_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    keep(folder.path(), &[(1, 9), (3, 9)], &batch(&["é", "x", "two", "yes", "\u{0}\n\""]))
        .expect("every dead letter is kept");
    let files = lines(folder.path());
    let [letters] = &files[..] else { panic!("{files:?}") };
    let data: Vec<_> = letters.iter().map(|letter| letter["data"].as_str().expect("text")).collect();
    assert_eq!(data, ["x", "two", "yes", "\u{0}\n\""]);
    let letter = &letters[0];
    assert_eq!(letter["partitionKey"], "key-2");
    assert_eq!(letter["sequenceNumber"], "2");
    assert_eq!(letter["subSequenceNumber"], 0);
    assert_eq!(letter["shardId"], "shardId-000000000007");
    assert_eq!(letter["error"], "it broke");
    assert_eq!(letter["attempts"], 1);
}

#[test]
fn bytes_that_are_not_text_are_kept_in_base64() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = r#"{"action":"processRecords","records":[{"data":"/w==","partitionKey":"a","sequenceNumber":"7","approximateArrivalTimestamp":5}]}"#;
    keep(folder.path(), &[(1, 9)], input).expect("the dead letter is kept");
    let letter = &lines(folder.path())[0][0];
    assert_eq!((&letter["dataBase64"], &letter["data"]), (&Value::from("/w=="), &Value::Null));
    assert_eq!(letter["approximateArrivalTimestamp"], 5);
}

#[test]
fn each_process_gets_its_own_file_with_its_first_dead_letter() {
    let folder = tempfile::tempdir().expect("a folder");
    keep(folder.path(), &[], &numbers(3)).expect("nothing fails");
    assert!(lines(folder.path()).is_empty());
    for _ in 0..3 {
        keep(folder.path(), &[(1, 9)], &numbers(3)).expect("every dead letter is kept");
    }
    assert_eq!(lines(folder.path()).iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 3]);
}

#[test]
fn no_dead_letter_is_written_to_a_removed_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let shard = Shard::new("shardId-000000000007", kcl::Position::TrimHorizon);

    struct Removed(JsonLines, std::path::PathBuf);

    #[kcl::processor(main = false)]
    impl Removed {
        #[on_record(on_failure = dead_letter)]
        fn handle(&mut self, record: &Record) -> Result<(), BoxError> {
            if record.data() == b"2" {
                // A user removes the file after playing it back.
                fs::remove_file(fs::read_dir(&self.1)?.next().ok_or("no file")??.path())?;
            }
            Err("it broke".into())
        }

        #[on_dead_letter]
        fn keep(&mut self, letter: &DeadLetter<'_>) -> std::io::Result<()> {
            self.0.write(letter)
        }
    }

    let letters = folder.path().join("letters");
    let make = || Removed(JsonLines::open(&letters, &shard).expect("a folder"), letters.clone());
    run(make, &[INITIALIZE, &numbers(3), OK]).1.expect("every dead letter is kept");
    let files = lines(folder.path());
    let [letters] = &files[..] else { panic!("{files:?}") };
    let data: Vec<_> = letters.iter().map(|letter| letter["data"].as_str().expect("text")).collect();
    assert_eq!(data, ["2", "3"]);
}

#[test]
fn a_folder_is_created_with_its_parents_and_by_several_processes() {
    let folder = tempfile::tempdir().expect("a folder");
    let shard = Shard::new("shardId-000000000007", kcl::Position::TrimHorizon);
    let (deep, file) = (folder.path().join("a/b/c"), folder.path().join("file"));
    for _ in 0..2 {
        JsonLines::open(&deep, &shard).expect("it is created or exists");
    }
    assert!(deep.is_dir());
    fs::write(&file, "").expect("writable");
    JsonLines::open(&file, &shard).expect_err("it is not a folder");
    JsonLines::open(file.join("a"), &shard).expect_err("its parent is not a folder");
}

#[test]
fn a_missing_folder_fails_the_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let shard = Shard::new("shardId-000000000007", kcl::Position::TrimHorizon);
    let make = || {
        let letters = JsonLines::open(folder.path().join("letters"), &shard).expect("a folder");
        fs::remove_dir(folder.path().join("letters")).expect("it is empty");
        Kept { plan: Plan::failing([(1, 9)]), letters }
    };
    let (output, result) = run(make, &[INITIALIZE, &numbers(2), OK]);
    assert_eq!(output, [INITIALIZED]);
    assert!(failed(result).to_string().contains("it could not be dead-lettered"));
}
