//! The classes of failures, and the reasons of refused checkpoints.

use crate::checkpoint::error::CheckpointError;
use crate::error::Failure;
use crate::payload::{UndecodablePayload, UndecodablePayloads};
use crate::permanent::is_permanent;

/// The class of a failure. Its text may be different each time, and the number of metrics would be unbounded.
pub(super) fn class_of_failure(failure: &Failure) -> &'static str {
    let error = match failure {
        Failure::Error(error) => error,
        Failure::Panic(_) => return "panic",
        Failure::Gone => return "cancelled",
    };
    if error.is::<UndecodablePayload>() || error.is::<UndecodablePayloads>() {
        "undecodable"
    } else if is_permanent(&**error) {
        "permanent"
    } else {
        "error"
    }
}

pub(super) fn class_of_refusal(error: &CheckpointError) -> &'static str {
    match error {
        CheckpointError::Throttled => "throttled",
        CheckpointError::Dependency => "dependency",
        CheckpointError::LeaseLost => "lease_lost",
        CheckpointError::InvalidState => "invalid_state",
        CheckpointError::OutOfRange => "out_of_range",
        CheckpointError::Other(_) => "other",
        CheckpointError::Io(_) => "io",
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::metrics::Totals;
    use crate::permanent::Permanent;

    #[test]
    fn every_class_is_listed() {
        let failures = [
            Failure::Error(UndecodablePayloads(Vec::new()).into()),
            Failure::Error(Permanent("failed").into()),
            Failure::panic(&"panicked"),
            Failure::Gone,
            Failure::Error("failed".into()),
        ];
        assert_eq!(failures.each_ref().map(class_of_failure)[..], *Totals::FAILURE_CLASSES);
        let refusals = [
            CheckpointError::Throttled,
            CheckpointError::Dependency,
            CheckpointError::LeaseLost,
            CheckpointError::InvalidState,
            CheckpointError::OutOfRange,
            CheckpointError::Io(io::Error::other("closed")),
            CheckpointError::Other("RuntimeException".to_owned()),
        ];
        assert_eq!(refusals.each_ref().map(class_of_refusal)[..], *Totals::REFUSAL_REASONS);
    }
}
