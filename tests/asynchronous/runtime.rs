//! The runtime in which methods run.

use std::convert::Infallible;

use kcl::Processor;

use super::*;

/// A processor that runs this function for each batch.
struct Calls<F>(F);

impl<F: AsyncFnMut() -> Result> AsyncProcessor for Calls<F> {
    async fn process_records(&mut self, _: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result {
        (self.0)().await
    }
}

fn call(call: impl AsyncFn() -> Result + Clone) -> Result<(), RunError> {
    let lines = [INITIALIZE, &batch(1..=1), OK].join("\n");
    let runner = Runner::from_async(async |_: &Shard| Ok::<_, Infallible>(Calls(call.clone())));
    runner.run_on(lines.as_bytes(), Vec::new())
}

#[test]
fn tasks_can_be_spawned_with_and_without_send() {
    let counted = Rc::new(RefCell::new(0));
    let count = Rc::clone(&counted);
    call(async move || {
        let count = Rc::clone(&count);
        let local = tokio::task::spawn_local(async move { *count.borrow_mut() += 1 });
        let sent = tokio::spawn(async { 7 });
        local.await?;
        assert_eq!(sent.await?, 7);
        assert_eq!(tokio::task::spawn_blocking(|| 8).await?, 8);
        Ok(())
    })
    .expect("no error");
    assert_eq!(*counted.borrow(), 1);
}

struct Threads;

impl AsyncProcessor for Threads {
    const WORKER_THREADS: Option<usize> = Some(2);

    async fn process_records(&mut self, _: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result {
        let here = std::thread::current().id();
        // The task runs on another thread while this one is blocked.
        let (sender, receiver) = std::sync::mpsc::channel();
        tokio::spawn(async move { sender.send(std::thread::current().id()) });
        assert_ne!(receiver.recv()?, here);
        Ok(())
    }
}

#[test]
fn spawned_tasks_may_have_threads_of_their_own() {
    let lines = [INITIALIZE, &batch(1..=1), OK].join("\n");
    let runner = Runner::from_async(async |_: &Shard| Ok::<_, Infallible>(Threads));
    runner.run_on(lines.as_bytes(), Vec::new()).expect("no error");
}

#[test]
fn a_runtime_is_not_started_within_another() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let error = runtime.block_on(async { call(async || Ok(())) }).expect_err("it is refused");
    assert_eq!(error.exit_code(), 2);
    let text = error.to_string();
    assert!(text.contains("`#[tokio::main]`") && text.contains("kcl::run_async::<P>()"), "{text}");
}

struct Blocking;

impl Processor for Blocking {
    fn process_records(&mut self, _: &mut ProcessRecords<'_>) -> Result {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(async { Ok(()) })
    }
}

#[test]
fn a_handler_that_blocks_on_a_future_within_a_runtime_is_told_what_to_do() {
    let lines = [INITIALIZE, &batch(1..=1), OK].join("\n");
    let runner = Runner::new(|_: &Shard| Ok::<_, Infallible>(Blocking));
    runner.run_on(lines.as_bytes(), Vec::new()).expect("no runtime is running");
    let runner = Runner::from_async(async |_: &Shard| Ok::<_, Infallible>(Blocking));
    let error = runner.run_on(lines.as_bytes(), Vec::new()).expect_err("the thread runs a runtime");
    let text = error.to_string();
    assert!(text.contains("panicked: Cannot start a runtime from within a runtime"), "{text}");
    assert!(text.contains("make the handler `async`") && text.contains("`#[tokio::main]`"), "{text}");
}

struct InPlace;

impl AsyncProcessor for InPlace {
    const WORKER_THREADS: Option<usize> = Some(2);

    async fn process_records(&mut self, _: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result {
        // A task that has a thread of the runtime may block in place.
        assert_eq!(tokio::spawn(async { tokio::task::block_in_place(|| 7) }).await?, 7);
        tokio::task::block_in_place(|| Ok(()))
    }
}

#[test]
fn a_handler_that_blocks_in_place_is_told_what_to_do() {
    let lines = [INITIALIZE, &batch(1..=1), OK].join("\n");
    let runner = Runner::from_async(async |_: &Shard| Ok::<_, Infallible>(InPlace));
    let text = runner.run_on(lines.as_bytes(), Vec::new()).expect_err("a handler is not a task").to_string();
    assert!(text.contains("panicked: can call blocking only when running on the multi-threaded runtime"), "{text}");
    assert!(
        text.contains("a handler cannot call `block_in_place`") && text.contains("`tokio::task::spawn_blocking`"),
        "{text}"
    );
}

#[test]
fn a_processor_is_dropped_within_the_runtime() {
    struct Dropped(Rc<RefCell<Vec<&'static str>>>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            // The runtime is still there.
            drop(tokio::runtime::Handle::current());
            self.0.borrow_mut().push("dropped");
        }
    }

    impl AsyncProcessor for Dropped {
        async fn process_records(&mut self, _: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result {
            Ok(())
        }
    }

    let seen = Rc::new(RefCell::new(Vec::new()));
    let runner = Runner::from_async(async |_: &Shard| Ok::<_, Infallible>(Dropped(Rc::clone(&seen))));
    runner.run_on(INITIALIZE.as_bytes(), Vec::new()).expect("no error");
    assert_eq!(*seen.borrow(), ["dropped"]);
}

#[test]
fn a_factory_may_wait_and_fail() {
    let runner = Runner::from_async(async |_: &Shard| {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Err::<Blocking, _>("no database")
    });
    let error = runner.run_on(INITIALIZE.as_bytes(), Vec::new()).expect_err("it failed").to_string();
    assert_eq!(error, "shard shardId-000000000007: initialize failed: no database");
}
