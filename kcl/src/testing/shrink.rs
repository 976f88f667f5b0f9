//! Shorter schedules that fail like a longer one: which are tried, and in which order.

use std::ops::Range;

use crate::testing::draw::{Piece, Plan};
use crate::testing::script::{Action, Fault};

/// The largest number of schedules that are tried.
const TRIES: u32 = 1_000;

/// A part of a plan that can be removed: a step, or one record of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    stretch: usize,
    piece: usize,
    record: Option<usize>,
}

/// Makes a plan shorter, as long as it fails.
pub(crate) struct Shrinker<F> {
    plan: Plan,
    /// Whether records may be removed that the test itself chose.
    any: bool,
    tries: u32,
    fails: F,
}

/// Finds a short plan that fails, too. `any` says that records may be removed even if the test chose them.
pub(crate) fn shrink(plan: Plan, any: bool, fails: impl FnMut(&Plan) -> bool) -> Plan {
    let mut shrinker = Shrinker { plan, any, tries: 0, fails };
    loop {
        let steps = shrinker.remove(steps);
        let records = shrinker.remove(records);
        let merged = shrinker.merge();
        let calmed = shrinker.calm();
        let renumbered = shrinker.renumber();
        if !(steps || records || merged || calmed || renumbered) {
            return shrinker.plan;
        }
    }
}

impl<F: FnMut(&Plan) -> bool> Shrinker<F> {
    /// Replaces the plan if the other one fails.
    fn try_plan(&mut self, plan: Plan) -> bool {
        if self.tries == TRIES || plan == self.plan {
            return false;
        }
        self.tries += 1;
        let fails = (self.fails)(&plan);
        if fails {
            self.plan = plan;
        }
        fails
    }

    /// Removes parts: all of them, halves, quarters and so on, down to single ones.
    fn remove(&mut self, parts: fn(&Plan) -> Vec<Place>) -> bool {
        let mut is_shorter = false;
        let mut size = parts(&self.plan).len();
        while size > 0 {
            let mut at = 0;
            loop {
                let places = parts(&self.plan);
                let Some(some) = places.get(at..places.len().min(at + size)).filter(|some| !some.is_empty()) else {
                    break;
                };
                if without(&self.plan, some, self.any).is_some_and(|shorter| self.try_plan(shorter)) {
                    is_shorter = true;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        is_shorter
    }

    /// Makes one batch of two that follow each other.
    fn merge(&mut self) -> bool {
        let mut is_shorter = false;
        for stretch in 0..self.plan.len() {
            let mut first = 0;
            while first + 1 < self.plan[stretch].pieces.len() {
                let mut merged = self.plan.clone();
                let pieces = &mut merged[stretch].pieces;
                let (Piece::Batch(_), Piece::Batch(second)) = (&pieces[first], pieces[first + 1].clone()) else {
                    first += 1;
                    continue;
                };
                pieces.remove(first + 1);
                if let Piece::Batch(records) = &mut pieces[first] {
                    records.extend(second);
                }
                if self.try_plan(merged) {
                    is_shorter = true;
                } else {
                    first += 1;
                }
            }
        }
        is_shorter
    }

    /// Makes the number of a fault 1, or one less.
    fn calm(&mut self) -> bool {
        let mut is_calmer = false;
        for place in steps(&self.plan) {
            for calm in [|_| 1, |number: u32| number.saturating_sub(1).max(1)] {
                let mut calmer = self.plan.clone();
                let Piece::Step(Action::Fault(Fault(kind))) = &mut calmer[place.stretch].pieces[place.piece] else {
                    break;
                };
                let Some(number) = kind.number() else { break };
                *number = calm(*number);
                is_calmer |= self.try_plan(calmer);
            }
        }
        is_calmer
    }

    /// Takes the first ones of the records that the test can make.
    fn renumber(&mut self) -> bool {
        let mut is_simpler = false;
        for stretch in 0..self.plan.len() {
            let mut simpler = self.plan.clone();
            let part = &mut simpler[stretch];
            if part.least.is_some() {
                let mut numbers = 0..;
                let batches = part.pieces.iter_mut().filter_map(|piece| match piece {
                    Piece::Batch(records) => Some(records),
                    Piece::Step(_) => None,
                });
                batches.flatten().zip(&mut numbers).for_each(|(record, number)| *record = number);
                is_simpler |= self.try_plan(simpler);
            }
        }
        is_simpler
    }
}

/// The steps of a plan.
fn steps(plan: &Plan) -> Vec<Place> {
    let all = pieces(plan).filter(|(_, piece)| matches!(piece, Piece::Step(_)));
    all.map(|(place, _)| place).collect()
}

/// The records of a plan.
fn records(plan: &Plan) -> Vec<Place> {
    let all = pieces(plan).flat_map(|(place, piece)| {
        let records: Range<usize> = match piece {
            Piece::Batch(records) => 0..records.len(),
            Piece::Step(_) => 0..0,
        };
        records.map(move |record| Place { record: Some(record), ..place })
    });
    all.collect()
}

fn pieces(plan: &Plan) -> impl Iterator<Item = (Place, &Piece)> {
    plan.iter().enumerate().flat_map(|(stretch, part)| {
        let pieces = part.pieces.iter().enumerate();
        pieces.map(move |(piece, found)| (Place { stretch, piece, record: None }, found))
    })
}

/// The plan without these places; `None` if it needs them.
fn without(plan: &Plan, places: &[Place], any: bool) -> Option<Plan> {
    let mut shorter = plan.clone();
    for (stretch, part) in shorter.iter_mut().enumerate() {
        let before = plan[stretch].records();
        let is_left = |piece, record| !places.contains(&Place { stretch, piece, record });
        let pieces = std::mem::take(&mut part.pieces).into_iter().enumerate();
        part.pieces = pieces
            .filter_map(|(piece, found)| match found {
                Piece::Step(step) => is_left(piece, None).then_some(Piece::Step(step)),
                Piece::Batch(records) => {
                    let records = records.into_iter().enumerate();
                    let left = records.filter(|(record, _)| is_left(piece, Some(*record)));
                    let left: Vec<_> = left.map(|(_, record)| record).collect();
                    (!left.is_empty()).then_some(Piece::Batch(left))
                }
            })
            .collect();
        let least = if any { 0 } else { part.least.unwrap_or(before) };
        if part.records() < least.min(before) {
            return None;
        }
    }
    Some(shorter)
}
