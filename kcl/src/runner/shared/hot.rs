//! A key that most records have: they are handled one after the other, whatever the concurrency is.

/// The number of records that are looked at together.
const WINDOW: usize = 1000;
/// The lead that a key must have over all others in a window. A key of at least 90 % of the records always has it, and a key of less
/// than 80 % never does.
const LEAD: usize = 800;

/// Looks for a key that most records have. Keeps one key and two numbers: this is the majority vote of Boyer and Moore.
#[derive(Debug, Default)]
pub(super) struct Hot {
    key: String,
    lead: usize,
    records: usize,
    is_found: bool,
}

impl Hot {
    /// Looks at the key of a record. Returns the key once, when it is found to be that of most records.
    pub(super) fn look(&mut self, key: &str) -> Option<&str> {
        if self.is_found {
            return None;
        }
        self.records += 1;
        if self.key == key {
            self.lead += 1;
        } else if let Some(lead) = self.lead.checked_sub(1) {
            self.lead = lead;
        } else {
            self.key.clear();
            self.key.push_str(key);
            self.lead = 1;
        }
        if self.records < WINDOW {
            return None;
        }
        self.is_found = self.lead >= LEAD;
        (self.records, self.lead) = (0, 0);
        self.is_found.then_some(&self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a key that this many of ten records have is found among keys of their own.
    fn is_found(hot: usize, is_first: bool) -> bool {
        let mut found = Hot::default();
        (0..10 * WINDOW).any(|at| {
            let is_hot = if is_first { at % WINDOW < hot * WINDOW / 10 } else { at % 10 < hot };
            let key = if is_hot { "hot".to_owned() } else { at.to_string() };
            found.look(&key).is_some_and(|key| key == "hot")
        })
    }

    #[test]
    fn a_key_with_most_of_the_records_is_found() {
        for is_first in [true, false] {
            assert!(is_found(10, is_first) && is_found(9, is_first));
            assert!(!is_found(7, is_first) && !is_found(5, is_first) && !is_found(0, is_first));
        }
        let mut hot = Hot::default();
        assert_eq!((0..5 * WINDOW).filter(|_| hot.look("k").is_some()).count(), 1, "it is found once");
    }
}
