//! The problems that were shown, and whether the processors have answered since.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

/// How often it is reported that the same shard answers again. Until then, its problems are still known, and not shown anew.
const PAUSE: Duration = Duration::from_secs(600);

/// The problems that were shown, and that nothing has solved.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// The texts by which the log knows the problems of each shard. `None` is the whole daemon.
    open: BTreeMap<Option<String>, BTreeSet<String>>,
    /// The time of the last report that a problem is over.
    solved: BTreeMap<Option<String>, SystemTime>,
}

impl Troubles {
    /// Notes that a problem of a shard, or else of the whole daemon, was shown.
    pub(super) fn note(&mut self, shard: Option<&str>, texts: impl IntoIterator<Item = String>) {
        self.open.entry(shard.map(str::to_owned)).or_default().extend(texts);
    }

    /// The texts of the problems that are over if a processor of this shard answers at this time, unless that was reported recently.
    pub(super) fn answered(&mut self, shard: &str, time: SystemTime) -> Option<BTreeSet<String>> {
        let mut over = None;
        for of in [Some(shard.to_owned()), None] {
            let is_recent = |told: &SystemTime| time.duration_since(*told).is_ok_and(|since| since < PAUSE);
            if self.solved.get(&of).is_some_and(is_recent) {
                continue;
            }
            if let Some(texts) = self.open.remove(&of) {
                over.get_or_insert_with(BTreeSet::new).extend(texts);
                self.solved.insert(of, time);
            }
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_that_answers_now_and_then_is_not_reported_each_time() {
        let start = SystemTime::now();
        for problem_of in [Some("shard"), None] {
            let mut troubles = Troubles::default();
            assert_eq!(troubles.answered("shard", start), None);
            troubles.note(problem_of, ["throttled".to_owned()]);
            let over = troubles.answered("shard", start);
            assert!(over.is_some_and(|texts| texts.contains("throttled")), "it is to be shown when it occurs again");
            assert_eq!(troubles.answered("shard", start + PAUSE), None, "nothing has happened");
            troubles.note(problem_of, ["throttled".to_owned()]);
            assert_eq!(troubles.answered("shard", start + PAUSE / 2), None, "it stays the last word");
            assert!(troubles.answered("shard", start + PAUSE).is_some());
        }
    }

    #[test]
    fn only_the_shard_with_the_problem_answers_again() {
        let mut troubles = Troubles::default();
        troubles.note(Some("one"), []);
        assert_eq!(troubles.answered("two", SystemTime::now()), None);
        assert!(troubles.answered("one", SystemTime::now()).is_some());
    }
}
