//! Batches of which a part fails: named by the handler, or found by halving.

use std::cell::RefCell;
use std::time::Duration;

use kcl::{
    BoxError, Checkpoints, DeadLetter, FailedRecords, FailureAction, FailurePolicy, Permanent, ProcessRecords,
    Processor, RunError, Shard,
};

use super::{ALL, DONE, INITIALIZE, INITIALIZED, OK, at, failed, numbers, run};

thread_local! {
    /// The numbers of the records that each call got.
    static CALLS: RefCell<Vec<Vec<u64>>> = const { RefCell::new(Vec::new()) };
    /// Number, attempts, error.
    static LETTERS: RefCell<Vec<(u64, u32, String)>> = const { RefCell::new(Vec::new()) };
}

/// The result of a call with these records.
type Handle = fn(&[u64]) -> Result<(), BoxError>;

/// Notes its calls, and lets a function decide.
struct Batches<const DEAD: bool, const BISECT: bool>(Handle);

impl<const DEAD: bool, const BISECT: bool> Processor for Batches<DEAD, BISECT> {
    const POLICY: FailurePolicy = {
        let action = if DEAD { FailureAction::DeadLetter } else { FailureAction::Fail };
        let policy = FailurePolicy::new().retry(2).backoff(Duration::ZERO, Duration::ZERO).on_failure(action);
        if BISECT { policy.bisect() } else { policy }
    };

    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
        let numbers: Vec<u64> = input
            .records()
            .iter()
            .map(|record| record.sequence_number().to_string().parse())
            .collect::<Result<_, _>>()?;
        CALLS.with_borrow_mut(|calls| calls.push(numbers.clone()));
        (self.0)(&numbers)
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), BoxError> {
        let number = letter.record().sequence_number().to_string().parse()?;
        LETTERS.with_borrow_mut(|letters| letters.push((number, letter.attempts(), letter.to_string())));
        Ok(())
    }
}

/// The outcome of one batch of `count` records.
struct Outcome {
    calls: Vec<Vec<u64>>,
    letters: Vec<(u64, u32, String)>,
    output: Vec<String>,
    result: Result<(), RunError>,
}

fn one_batch<const DEAD: bool, const BISECT: bool>(count: u64, handle: Handle) -> Outcome {
    let (output, result) = run(|| Batches::<DEAD, BISECT>(handle), &[INITIALIZE, &numbers(count), OK]);
    Outcome { calls: CALLS.take(), letters: LETTERS.take(), output, result }
}

/// How often the records were handed over before.
fn calls_before() -> usize {
    CALLS.with_borrow(Vec::len) - 1
}

fn letter(number: u64, attempts: u32, error: &str) -> (u64, u32, String) {
    (number, attempts, error.to_owned())
}

#[test]
fn further_attempts_get_only_the_records_that_failed() {
    let outcome = one_batch::<true, false>(5, |_| match calls_before() {
        0 => Err([(3, "busy"), (1, "busy"), (3, "again")].into_iter().collect::<FailedRecords>())?,
        1 => Err([(1, "busy")].into_iter().collect::<FailedRecords>())?,
        _ => Ok(()),
    });
    assert_eq!(outcome.calls, [vec![1, 2, 3, 4, 5], vec![2, 4], vec![4]]);
    assert_eq!(outcome.letters, []);
    assert_eq!(outcome.output, [INITIALIZED, ALL, DONE]);
}

#[test]
fn a_named_record_without_an_attempt_left_is_passed_alone_with_its_own_error() {
    let outcome = one_batch::<true, false>(4, |numbers| {
        FailedRecords::from_results(numbers.iter().map(|number| match number {
            2 => Err(BoxError::from("two")),
            3 => Err(Permanent("three").into()),
            _ => Ok(()),
        }))?;
        Ok(())
    });
    assert_eq!(outcome.calls, [vec![1, 2, 3, 4], vec![2], vec![2]]);
    assert_eq!(outcome.letters, [letter(3, 1, "three"), letter(2, 3, "two")]);
    assert_eq!(outcome.output, [INITIALIZED, ALL, DONE]);
}

#[test]
fn no_checkpoint_passes_the_first_record_that_failed() {
    for (place, expected) in [(0, vec![INITIALIZED.to_owned()]), (2, vec![INITIALIZED.to_owned(), at(2)])] {
        let handle: Handle = match place {
            0 => |_| Err([(0, "no")].into_iter().collect::<FailedRecords>())?,
            _ => |numbers| {
                let place = numbers.iter().position(|&number| number == 3).unwrap_or_default();
                Err([(place, "no")].into_iter().collect::<FailedRecords>())?
            },
        };
        let outcome = one_batch::<false, false>(4, handle);
        assert_eq!(outcome.calls.len(), 3);
        assert_eq!(outcome.output, expected);
        let failed = failed(outcome.result);
        assert_eq!(failed.attempts(), 3);
        assert!(failed.to_string().contains(&format!("at record {}/0", place + 1)), "{failed}");
    }
}

#[test]
fn an_error_that_names_no_record_of_the_call_is_a_failure_of_all() {
    for (places, text) in [(&[][..], "`FailedRecords` without a record"), (&[4], "the record at place 4 failed: no")] {
        thread_local! { static PLACES: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) }; }
        PLACES.set(places.to_vec());
        let outcome = one_batch::<false, false>(4, |_| {
            Err(PLACES.with_borrow(|places| places.iter().map(|&place| (place, "no")).collect::<FailedRecords>()))?
        });
        assert_eq!(outcome.calls, vec![vec![1, 2, 3, 4]; 3]);
        assert_eq!(outcome.output, [INITIALIZED]);
        let failed = failed(outcome.result).to_string();
        assert!(
            failed.contains("in a batch of 4 records, 1/0 to 4/0, after 3 attempts") && failed.contains(text),
            "{failed}"
        );
    }
}

#[test]
fn halving_finds_every_set_of_records_that_fail() {
    thread_local! { static POISON: RefCell<u64> = const { RefCell::new(0) }; }
    let is_poison = |number: u64| POISON.with_borrow(|poison| poison >> (number - 1) & 1 == 1);
    for count in 1..=8_u64 {
        for poison in 0..1_u64 << count {
            POISON.set(poison);
            let outcome = one_batch::<true, true>(count, |numbers| {
                let poison = POISON.with_borrow(|poison| *poison);
                let is_bad = numbers.iter().any(|number| poison >> (number - 1) & 1 == 1);
                if is_bad { Err("poison".into()) } else { Ok(()) }
            });
            let letters: Vec<_> = outcome.letters.iter().map(|letter| letter.0).collect();
            assert_eq!(letters, (1..=count).filter(|&number| is_poison(number)).collect::<Vec<_>>());
            assert_eq!(outcome.output, [INITIALIZED, ALL, DONE]);
            // The others were each in exactly one call that succeeded.
            let succeeded = outcome.calls.iter().filter(|call| !call.iter().any(|&number| is_poison(number)));
            let succeeded: Vec<_> = succeeded.flatten().copied().collect();
            assert_eq!(succeeded, (1..=count).filter(|&number| !is_poison(number)).collect::<Vec<_>>());
            let further = outcome.calls.len().saturating_sub(3) as u32;
            let most = 2 * poison.count_ones() * (count.next_power_of_two().ilog2() + 1);
            assert!(further <= most, "{further} further calls for {poison:b} of {count}");
        }
    }
}

#[test]
fn halving_stops_at_the_first_record_that_may_not_be_passed() {
    let outcome = one_batch::<false, true>(8, |numbers| if numbers.contains(&6) { Err("six".into()) } else { Ok(()) });
    let further = [&[1, 2, 3, 4][..], &[5, 6, 7, 8], &[5, 6], &[5], &[6]];
    assert_eq!(outcome.calls[3..], further);
    assert_eq!(outcome.output, [INITIALIZED, &at(5)]);
    assert!(failed(outcome.result).to_string().contains("in a batch of 1 record, 6/0"));
}

/// Checkpoints what each call got.
struct ByHand;

impl Processor for ByHand {
    const CHECKPOINTS: Checkpoints = Checkpoints::Handler;
    const POLICY: FailurePolicy = FailurePolicy::new().on_failure(FailureAction::Skip).bisect();

    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
        let is_bad = input.records().iter().any(|record| record.data() == b"2");
        if is_bad {
            return Err("two".into());
        }
        Ok(input.checkpointer().checkpoint()?)
    }
}

#[test]
fn a_checkpoint_in_a_half_is_of_that_half() {
    let (output, result) = run(|| ByHand, &[INITIALIZE, &numbers(4), OK, OK]);
    assert!(result.is_ok());
    assert_eq!(output, [INITIALIZED, &at(1), &at(4), DONE]);
}

/// Handles the payloads of a half, some of which cannot be decoded.
struct Typed;

#[kcl::processor(main = false)]
impl Typed {
    #[on_init]
    fn open(_: &Shard) -> Self {
        Self
    }

    #[on_records(on_undecodable = skip)]
    fn handle(&mut self, bodies: Vec<(&kcl::Record, kcl::Json<i64>)>) -> Result<(), FailedRecords> {
        let bodies: Vec<_> = bodies.iter().map(|(_, kcl::Json(body))| *body).collect();
        FailedRecords::from_results(bodies.iter().map(|&body| if body < 0 { Err("negative") } else { Ok(()) }))
    }
}

#[test]
fn places_are_those_in_what_the_call_was_given() {
    let batch = super::batch(&["{", "1", "-2", "3"]);
    let (output, result) = run(|| Typed, &[INITIALIZE, &batch, OK]);
    assert_eq!(output, [INITIALIZED, &at(2)]);
    let failed = failed(result).to_string();
    assert!(failed.contains("failed: negative; at record 3/0"), "{failed}");
}
