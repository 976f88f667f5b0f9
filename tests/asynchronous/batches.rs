//! Batches of which a part fails, with a method that waits: named by the method, or found by halving.

use kcl::{FailedRecords, FailureAction};

use super::*;

type Calls = Rc<RefCell<Vec<Vec<u64>>>>;

/// Notes the records of each call, waits, and lets a function decide. The function is given the records and the number of earlier calls.
struct Batches {
    calls: Calls,
    handle: fn(&[u64], usize) -> Step,
}

impl AsyncProcessor for Batches {
    const POLICY: FailurePolicy =
        FailurePolicy::new().retry(1).backoff(Duration::ZERO, Duration::ZERO).on_failure(FailureAction::Skip).bisect();
    const TIMEOUT: Option<Duration> = Some(Duration::from_millis(20));

    async fn process_records(&mut self, input: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result {
        let numbers = input.records().iter().map(|record| record.sequence_number().to_string().parse());
        let numbers: Vec<u64> = numbers.collect::<Result<_, _>>()?;
        tokio::task::yield_now().await;
        let step = (self.handle)(&numbers, self.calls.borrow().len());
        self.calls.borrow_mut().push(numbers.clone());
        match step {
            Step::Fail => Err("it broke".into()),
            Step::Panic => panic!("it broke"),
            Step::Hang => pending().await,
            Step::Name(named) => {
                let places = numbers.iter().enumerate().filter(|(_, number)| named.contains(number));
                Err(places.map(|(place, _)| (place, "it broke")).collect::<FailedRecords>().into())
            }
            Step::Done => Ok(()),
        }
    }
}

/// The end of a call with some records.
enum Step {
    Done,
    Fail,
    Panic,
    /// Wait until the future is dropped.
    Hang,
    /// Fail with these records.
    Name(&'static [u64]),
}

/// Runs one batch of this many records. Returns the records of each call, and the replies.
fn one_batch(count: u64, handle: fn(&[u64], usize) -> Step) -> (Vec<Vec<u64>>, Vec<String>) {
    let calls = Calls::default();
    let runner = Runner::from_async(async |_: &Shard| Ok::<_, BoxError>(Batches { calls: Rc::clone(&calls), handle }));
    let input = [INITIALIZE, &batch(1..=count), OK].join("\n");
    let mut output = Vec::new();
    runner.run_on(input.as_bytes(), &mut output).expect("no error");
    let replies = String::from_utf8(output).expect("JSON").lines().map(str::to_owned).collect();
    (calls.take(), replies)
}

#[test]
fn halves_find_the_record_that_fails() {
    let fails: [fn(&[u64], usize) -> Step; 3] = [
        |records, _| if records.contains(&6) { Step::Fail } else { Step::Done },
        |records, _| if records.contains(&6) { Step::Panic } else { Step::Done },
        |records, _| if records.contains(&6) { Step::Hang } else { Step::Done },
    ];
    for handle in fails {
        let (calls, replies) = one_batch(8, handle);
        let all = || (1..=8).collect::<Vec<_>>();
        let halves = [vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![5, 6], vec![5], vec![6], vec![7, 8]];
        assert_eq!(calls, [vec![all(), all()], halves.to_vec()].concat());
        assert_eq!(replies, [INITIALIZED, ALL, DONE]);
    }
}

#[test]
fn only_the_records_that_were_named_are_tried_again() {
    let (calls, replies) = one_batch(5, |_, before| match before {
        0 => Step::Name(&[2, 4]),
        1 => Step::Name(&[4]),
        _ => Step::Fail,
    });
    // No attempt is left for the record 4, and it is skipped.
    assert_eq!(calls, [vec![1, 2, 3, 4, 5], vec![2, 4]]);
    assert_eq!(replies, [INITIALIZED, ALL, DONE]);
}
