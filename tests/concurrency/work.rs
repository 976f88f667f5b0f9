//! How many of 64 records at once are at work: the sum of the handlers' measured times over the time of the run.
//!
//! `cargo test --release -p tests --test concurrency -- --ignored --nocapture work` prints it. It says something on an idle machine only.

use std::cell::Cell;

use super::*;

const BATCHES: u64 = 40;
const SIZE: u64 = 500;

struct Measured<const AHEAD: u32> {
    work: Rc<Cell<Duration>>,
    is_exponential: bool,
}

impl<const AHEAD: u32> AsyncProcessor for Measured<AHEAD> {
    const CONCURRENCY: Option<Concurrency> = Some(Concurrency::new(64).ahead(AHEAD));
    // A transcript has no answers to checkpoints whose time is not known.
    const CHECKPOINTS: Checkpoints = Checkpoints::Interval(Duration::MAX);

    async fn process_records(&mut self, _: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result<(), BoxError> {
        Err("records are handled at once".into())
    }

    async fn process_record(&self, input: &ConcurrentRecord<'_>) -> Result<(), BoxError> {
        let number: u64 = input.record().sequence_number().to_string().parse()?;
        let millis = if self.is_exponential { -5.0 * fraction(number).ln() } else { 5.0 };
        let start = Instant::now();
        tokio::time::sleep(Duration::from_secs_f64(millis / 1000.0)).await;
        self.work.set(self.work.get() + start.elapsed());
        Ok(())
    }
}

/// A number from 0 to 1 that depends only on the seed.
fn fraction(seed: u64) -> f64 {
    let mixed = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (seed << 7)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

fn measure<const AHEAD: u32>(is_exponential: bool, key: impl Fn(u64) -> u64) -> f64 {
    let keys: Vec<_> = (0..1000).map(|key| format!("key-{key}")).collect();
    let messages = (0..BATCHES).map(|at| {
        let numbers = at * SIZE + 1..=(at + 1) * SIZE;
        batch(numbers.map(|number| (number, &*keys[key(number) as usize], "x")))
    });
    let input: String =
        [INITIALIZE.to_owned()].into_iter().chain(messages).flat_map(|line| [line, "\n".to_owned()]).collect();
    let work = Rc::new(Cell::new(Duration::ZERO));
    let runner = Runner::from_async(async |_: &Shard| {
        Ok::<_, BoxError>(Measured::<AHEAD> { work: Rc::clone(&work), is_exponential })
    });
    let start = Instant::now();
    runner.run_on(input.as_bytes(), std::io::sink()).expect("the run succeeds");
    work.get().as_secs_f64() / start.elapsed().as_secs_f64()
}

#[test]
#[ignore = "it measures time, which takes an idle machine"]
fn work_of_64_at_once() {
    let in_turn = measure::<0>(false, |number| number % 64);
    let drawn = measure::<1>(true, |number| (fraction(number ^ 0xabcdef) * 1000.0) as u64 % 1000);
    eprintln!("64 keys in turn, 5 ms each: {in_turn:.1}; 1,000 keys, exponential times, 1 ahead: {drawn:.1}");
}
