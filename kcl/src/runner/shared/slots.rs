//! The handlers that run at the same time: a set of futures with one slot each, all polled by one task.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::error::{BoxError, Failure};
use crate::runner::call::{clear, guard};
use crate::runner::shared::ring::Arrival;

/// A set of futures, each for one record.
#[derive(Debug)]
pub(super) struct Slots<F> {
    slots: Vec<Slot<F>>,
    /// The slots without a future.
    free: Vec<usize>,
    /// The largest number of slots.
    limit: usize,
    /// The slots to poll in this round. The record that arrived first comes first, because it holds the checkpoint back.
    round: BTreeSet<(Arrival, usize)>,
    /// The slots that were woken since the round began. They are polled in the next one: otherwise, futures that wake themselves could
    /// keep the others from being polled.
    next: BTreeSet<(Arrival, usize)>,
    /// The number of polls that are left in this turn.
    polls: usize,
    bells: Arc<Bells>,
}

/// A slot, which is used again and again.
#[derive(Debug)]
struct Slot<F> {
    /// The record that has the slot.
    at: Option<Arrival>,
    future: Pin<Box<Option<F>>>,
    /// The future was polled.
    has_begun: bool,
    bell: Arc<Bell>,
    waker: Waker,
}

/// Wakes one slot.
#[derive(Debug)]
struct Bell {
    slot: usize,
    /// Whether the slot is among those that rang.
    rings: AtomicBool,
    bells: Arc<Bells>,
}

/// The bells of all slots.
#[derive(Debug, Default)]
struct Bells(Mutex<Rung>);

#[derive(Debug, Default)]
struct Rung {
    /// The slots to poll in the next turn.
    slots: Vec<usize>,
    /// The task that polls them, if it waits.
    task: Option<Waker>,
}

impl Bells {
    fn rung(&self) -> MutexGuard<'_, Rung> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.rings.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut rung = self.bells.rung();
        rung.slots.push(self.slot);
        let task = rung.task.take();
        // The task's waker is foreign code.
        drop(rung);
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl<F> Slots<F> {
    /// A set of at most this many futures.
    pub(super) fn new(limit: usize) -> Self {
        let (slots, free, round, next) = (Vec::new(), Vec::new(), BTreeSet::new(), BTreeSet::new());
        Self { slots, free, limit, round, next, polls: 0, bells: Arc::default() }
    }

    /// Whether no slot is free.
    pub(super) fn is_full(&self) -> bool {
        self.running() == self.limit
    }

    /// The number of slots in use.
    pub(super) fn running(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether a record has this slot.
    pub(super) fn holds(&self, at: Arrival, slot: usize) -> bool {
        self.slots.get(slot).is_some_and(|slot| slot.at == Some(at))
    }

    /// Gives a record a slot, where its future is polled in this round, or in the next one. Returns the slot. One must be free.
    pub(super) fn start(&mut self, at: Arrival, future: F) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            let slot = self.slots.len();
            let bell = Arc::new(Bell { slot, rings: AtomicBool::new(false), bells: Arc::clone(&self.bells) });
            let waker = Waker::from(Arc::clone(&bell));
            self.slots.push(Slot { at: None, future: Box::pin(None), has_begun: false, bell, waker });
            slot
        });
        let Slot { at: holder, future: place, has_begun, .. } = &mut self.slots[slot];
        (*holder, *has_begun) = (Some(at), false);
        place.set(Some(future));
        // A round does not grow while others wait for the next one.
        let turns = if self.next.is_empty() { &mut self.round } else { &mut self.next };
        turns.insert((at, slot));
        slot
    }

    /// Drops the future of a record, and gives its slot back. Returns whether the record still had the slot.
    pub(super) fn stop(&mut self, at: Arrival, slot: usize) -> bool {
        if !self.holds(at, slot) {
            return false;
        }
        self.round.remove(&(at, slot));
        self.clear(slot);
        true
    }

    /// Drops all futures, those of the first records to arrive first. Returns the records.
    pub(super) fn stop_all(&mut self) -> Vec<Arrival> {
        self.stop_those(|_, _| true)
    }

    /// Drops the futures for which `is_meant` returns true. The function gets the record, and whether the future was polled.
    pub(super) fn stop_those(&mut self, is_meant: impl Fn(Arrival, bool) -> bool) -> Vec<Arrival> {
        let running = self.slots.iter().enumerate().filter_map(|(slot, Slot { at, has_begun, .. })| {
            at.filter(|at| is_meant(*at, *has_begun)).map(|at| (at, slot))
        });
        let mut running: Vec<_> = running.collect();
        running.sort_unstable();
        for &(at, slot) in &running {
            self.stop(at, slot);
        }
        running.into_iter().map(|(at, _)| at).collect()
    }

    fn clear(&mut self, slot: usize) {
        let Slot { at, future, .. } = &mut self.slots[slot];
        if let Some(at) = at.take() {
            self.next.remove(&(at, slot));
        }
        // A panic in a destructor does not take the others along.
        clear(future.as_mut());
        self.free.push(slot);
    }

    /// Starts a turn of at most this many polls, and of what the task's budget allows, on a task with this waker. A turn continues the
    /// round of the last turn, if slots are left in it. If not, it begins a round, in which each slot that was woken is polled once.
    /// Returns whether it begins one.
    pub(super) fn start_turn(&mut self, task: &Waker, polls: usize) -> bool {
        self.polls = polls;
        let begins = self.round.is_empty();
        if begins {
            std::mem::swap(&mut self.round, &mut self.next);
        }
        let woken = if begins { &mut self.round } else { &mut self.next };
        let mut rung = self.bells.rung();
        match &mut rung.task {
            Some(waker) => waker.clone_from(task),
            none => *none = Some(task.clone()),
        }
        for slot in rung.slots.drain(..) {
            let Slot { at, bell, .. } = &self.slots[slot];
            // Whatever was written before the bell rang is visible to the poll, also if it rang again in the meantime.
            bell.rings.swap(false, Ordering::AcqRel);
            // An old future of the slot may have left its waker somewhere.
            if let Some(at) = at {
                woken.insert((*at, slot));
            }
        }
        begins
    }

    /// Whether slots are left to poll in this round.
    pub(super) fn is_round_left(&self) -> bool {
        !self.round.is_empty()
    }

    /// Whether slots are left to poll in another turn, although nothing more wakes the task.
    pub(super) fn is_turn_left(&self) -> bool {
        self.is_round_left() || !self.next.is_empty()
    }
}

impl<T, F: Future<Output = Result<T, BoxError>>> Slots<F> {
    /// Polls slots until a future ends: returns its record and its result, and gives the slot back. `None` if the turn is over.
    ///
    /// Of the slots that are left in the round, in the order in which their records arrived, `pick` chooses the next one. The function
    /// gets their number.
    pub(super) fn next_ended(&mut self, mut pick: impl FnMut(usize) -> usize) -> Option<(Arrival, Result<T, Failure>)> {
        while let Some(polls) = self.polls.checked_sub(1).filter(|_| has_budget()) {
            let place = if self.round.len() > 1 { pick(self.round.len()) } else { 0 };
            let &(at, slot) = self.round.iter().nth(place)?;
            self.round.remove(&(at, slot));
            self.polls = polls;
            let Slot { future, waker, has_begun, .. } = &mut self.slots[slot];
            *has_begun = true;
            let Some(future) = future.as_mut().as_pin_mut() else { continue };
            let Poll::Ready(result) = guard(|| future.poll(&mut Context::from_waker(waker))) else { continue };
            self.clear(slot);
            return Some((at, result));
        }
        None
    }
}

/// Whether anything of the runtime could be ready in this poll of the task. If not, a handler would be polled for nothing, and its turn
/// in the round would be over.
fn has_budget() -> bool {
    #[cfg(feature = "tokio")]
    let has_budget = tokio::task::coop::has_budget_remaining();
    #[cfg(not(feature = "tokio"))]
    let has_budget = true;
    has_budget
}

/// Polls what is not in a slot. The handlers, which are polled before it, may have used up all of the task's budget.
pub(super) fn poll_beside_slots<T>(cx: &mut Context<'_>, poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    #[cfg(feature = "tokio")]
    let polled = crate::runtime::poll_unconstrained(cx, poll);
    #[cfg(not(feature = "tokio"))]
    let polled = { poll }(cx);
    polled
}

impl<F> Drop for Slots<F> {
    fn drop(&mut self) {
        self.stop_all();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::{pending, poll_fn};
    use std::rc::Rc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    type Boxed<'f> = Pin<Box<dyn Future<Output = Result<u32, BoxError>> + 'f>>;

    /// A task that counts how often it was woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes the waker of its first poll, and is ready at its second one.
    fn twice<'f>(wakers: &'f RefCell<Vec<Waker>>, result: u32) -> Boxed<'f> {
        let mut first = true;
        Box::pin(poll_fn(move |cx| {
            if !std::mem::take(&mut first) {
                return Poll::Ready(Ok(result));
            }
            wakers.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        }))
    }

    fn turn(slots: &mut Slots<Boxed<'_>>, task: &Arc<Task>) -> Vec<(Arrival, Option<u32>)> {
        slots.start_turn(&Waker::from(Arc::clone(task)), 100);
        std::iter::from_fn(|| slots.next_ended(|_| 0)).map(|(at, result)| (at, result.ok())).collect()
    }

    #[test]
    fn the_slots_that_were_woken_are_polled_in_the_order_of_arrival() {
        let (task, wakers) = (Arc::new(Task::default()), RefCell::new(Vec::new()));
        let mut slots = Slots::new(3);
        for (at, result) in [(7, 70), (3, 30), (5, 50)] {
            slots.start(at, twice(&wakers, result));
        }
        assert!(slots.is_full());
        assert_eq!(turn(&mut slots, &task), []);
        assert_eq!(task.0.load(Ordering::Relaxed), 0);
        // They were polled in the order of arrival: 3, 5, 7.
        wakers.borrow()[2].wake_by_ref();
        wakers.borrow()[0].wake_by_ref();
        wakers.borrow()[0].wake_by_ref();
        assert_eq!(task.0.load(Ordering::Relaxed), 1, "the task is woken once");
        assert_eq!(turn(&mut slots, &task), [(3, Some(30)), (7, Some(70))]);
        assert_eq!(slots.running(), 1);
        // The old wakers of a slot wake whoever has it now.
        let slot = slots.start(9, Box::pin(pending()));
        wakers.borrow()[0].wake_by_ref();
        wakers.borrow()[2].wake_by_ref();
        assert_eq!(turn(&mut slots, &task), []);
        assert!(slots.stop(9, slot) && !slots.stop(9, slot) && !slots.stop(5, slot));
        assert_eq!(slots.stop_all(), [5]);
    }

    #[test]
    fn a_future_that_wakes_itself_does_not_starve_the_others() {
        let task = Arc::new(Task::default());
        let mut slots = Slots::new(2);
        let eager: Boxed<'_> = Box::pin(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        slots.start(0, eager);
        let mut left = 3;
        let patient: Boxed<'_> = Box::pin(poll_fn(move |cx| {
            cx.waker().wake_by_ref();
            left -= 1;
            if left == 0 { Poll::Ready(Ok(1)) } else { Poll::Pending }
        }));
        slots.start(1, patient);
        assert_eq!(turn(&mut slots, &task), []);
        assert_eq!(turn(&mut slots, &task), []);
        assert_eq!(turn(&mut slots, &task), [(1, Some(1))]);
        assert_eq!(task.0.load(Ordering::Relaxed), 3, "once in each turn");
    }

    #[test]
    fn futures_that_fill_turns_do_not_starve_the_others() {
        let task = Waker::from(Arc::new(Task::default()));
        let mut slots: Slots<Boxed<'_>> = Slots::new(4);
        for at in 0..3 {
            let eager = poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::Pending
            });
            slots.start(at, Box::pin(eager));
        }
        slots.start(3, Box::pin(async { Ok(1) }));
        let mut ended = Vec::new();
        for _ in 0..3 {
            slots.start_turn(&task, 2);
            ended.extend(slots.next_ended(|_| 0).map(|(at, _)| at));
            assert!(slots.is_turn_left());
        }
        assert_eq!(ended, [3]);
        assert_eq!(slots.stop_all(), [0, 1, 2]);
        assert!(!slots.is_turn_left());
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn a_future_that_uses_up_the_budget_does_not_starve_the_others() {
        use tokio::task::coop::consume_budget;

        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut slots: Slots<Boxed<'_>> = Slots::new(2);
        let busy = async {
            loop {
                consume_budget().await;
            }
        };
        slots.start(0, Box::pin(busy));
        let other = async {
            consume_budget().await;
            Ok(1)
        };
        slots.start(1, Box::pin(other));
        let mut turns = 0;
        let ended = runtime.block_on(poll_fn(|cx| {
            turns += 1;
            slots.start_turn(cx.waker(), 100);
            cx.waker().wake_by_ref();
            match slots.next_ended(|_| 0) {
                Some((at, _)) => Poll::Ready(Some(at)),
                None if turns == 9 => Poll::Ready(None),
                None => Poll::Pending,
            }
        }));
        assert_eq!((ended, turns), (Some(1), 2));
    }

    #[test]
    fn a_turn_has_a_limit() {
        let task = Arc::new(Task::default());
        let mut slots: Slots<Boxed<'_>> = Slots::new(1);
        slots.start_turn(&Waker::from(task), 3);
        let mut done = 0;
        loop {
            slots.start(done, Box::pin(async { Ok(0) }));
            if slots.next_ended(|_| 0).is_none() {
                break;
            }
            done += 1;
        }
        assert!(done == 3 && slots.is_turn_left());
    }

    #[test]
    fn a_panic_concerns_one_future_only() {
        let task = Arc::new(Task::default());
        /// Panics when it is dropped.
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("a destructor");
            }
        }
        let order = Rc::new(RefCell::new(Vec::new()));
        struct Note(Rc<RefCell<Vec<u64>>>, u64);
        impl Drop for Note {
            fn drop(&mut self) {
                self.0.borrow_mut().push(self.1);
            }
        }
        let mut slots: Slots<Boxed<'_>> = Slots::new(4);
        for at in [2, 1, 3] {
            let note = Note(Rc::clone(&order), at);
            slots.start(
                at,
                Box::pin(async move {
                    let (_note, _bomb) = (note, Bomb);
                    pending().await
                }),
            );
        }
        slots.start(0, Box::pin(async { panic!("a handler") }));
        slots.start_turn(&Waker::from(task), 100);
        let (at, result) = slots.next_ended(|_| 0).expect("one of them ends");
        let failure = result.expect_err("a panic");
        assert!(at == 0 && failure.as_error().to_string() == "panicked: a handler", "{failure:?}");
        assert!(slots.next_ended(|_| 0).is_none());
        drop(slots);
        assert_eq!(*order.borrow(), [1, 2, 3], "in the order of arrival");
    }

    #[test]
    fn pick_decides_who_is_next() {
        let task = Arc::new(Task::default());
        let mut slots: Slots<Boxed<'_>> = Slots::new(9);
        (0..5).for_each(|at| _ = slots.start(at, Box::pin(async { Ok(0) })));
        slots.start_turn(&Waker::from(task), 100);
        let picked: Vec<_> = std::iter::from_fn(|| slots.next_ended(|count| count - 1)).map(|(at, _)| at).collect();
        assert_eq!(picked, [4, 3, 2, 1, 0]);
    }
}
