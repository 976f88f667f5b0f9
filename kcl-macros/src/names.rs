//! Guesses the name that a misspelt one stands for.

use strsim::osa_distance;

use crate::handlers::Kind;
use crate::model::{Action, OptionName, Order, Runtime};

/// The names of a handler in the KCLs of other languages and in the daemon's protocol, and names that people misremember.
fn other_names(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Init => {
            &["initialize", "initialise", "init", "on_initialize", "on_initialise", "on_start", "on_startup", "on_new"]
        }
        Kind::Records => {
            &["process_records", "processRecords", "on_process_records", "on_batch", "on_records_received", "records"]
        }
        Kind::Record => &[
            "process_record",
            "processRecord",
            "on_process_record",
            "on_kinesis_record",
            "on_message",
            "on_event",
            "on_data",
            "record",
        ],
        Kind::LeaseLost => {
            &["lease_lost", "leaseLost", "on_lost_lease", "on_lease_loss", "on_lease_expired", "on_zombie"]
        }
        Kind::ShardEnd => &[
            "shard_ended",
            "shardEnded",
            "shard_end",
            "on_shard_ended",
            "on_shard_closed",
            "on_shard_complete",
            "on_shard_completed",
            "on_shard_finished",
            "on_end",
            "on_complete",
            "on_finish",
            "on_terminate",
        ],
        Kind::ShutdownRequested => &[
            "shutdown_requested",
            "shutdownRequested",
            "shutdown",
            "on_shutdown",
            "on_shutdown_request",
            "on_graceful_shutdown",
            "on_stop",
        ],
        Kind::DeadLetter => &["dead_letter", "on_dlq"],
        Kind::Tick => &["tick", "on_ticks", "on_timer", "on_interval", "on_timeout", "on_flush", "on_every", "on_idle"],
    }
}

/// Whether an unknown attribute was meant to be one of ours, and if so, which handler it is closest to.
///
/// Other macros may be on a handler, so the name must be close to one of ours, or start with `on_` as all of ours do.
pub(crate) fn misspelt(name: &str) -> Option<Option<Kind>> {
    let kinds = || Kind::ALL.iter().copied();
    let other = kinds().find(|&kind| other_names(kind).contains(&name));
    let same = |kind: &Kind| name.replace('_', "").eq_ignore_ascii_case(&kind.attribute().replace('_', ""));
    let near = || {
        let attributes: Vec<_> = kinds().map(Kind::attribute).collect();
        nearest(name, &attributes).and_then(Kind::from_name)
    };
    let meant = other.or_else(|| kinds().find(same)).or_else(near);
    if meant.is_some() || name.starts_with("on_") { Some(meant) } else { None }
}

/// The option that an unknown one was meant to be.
pub(crate) fn option(name: &str, options: &[OptionName]) -> Option<OptionName> {
    let meant = match name {
        "no_main" | "skip_main" | "without_main" | "generate_main" => Some(OptionName::Main),
        "retries" | "retires" | "max_retries" | "num_retries" | "retry_count" | "retry_limit" | "attempts"
        | "max_attempts" | "tries" => Some(OptionName::Retry),
        "delay" | "wait" | "retry_delay" | "retry_backoff" | "max_backoff" | "jitter" => Some(OptionName::Backoff),
        "otherwise" | "dlq" | "dead_letter_queue" | "ignore_errors" | "skip_errors" | "on_error" | "on_err"
        | "on_fail" | "on_exception" | "failure" => Some(OptionName::OnFailure),
        "invalid" | "skip_invalid" | "on_deserialize" | "on_invalid" | "undecodable" | "on_decode_error"
        | "on_parse_error" => Some(OptionName::OnUndecodable),
        "interval" | "period" | "after" | "seconds" | "duration" if options.contains(&OptionName::Every) => {
            Some(OptionName::Every)
        }
        "bisection" | "split" | "divide" => Some(OptionName::Bisect),
        "log_payload" | "log" | "quote_payloads" | "redact" => Some(OptionName::LogPayloads),
        "checkpoints" | "checkpoint_every" | "checkpoint_interval" | "every" | "interval" => {
            Some(OptionName::Checkpoint)
        }
        "warn" | "warning" | "slow" | "slow_after" => Some(OptionName::WarnAfter),
        "flavor" | "rt" | "executor" | "tokio" => Some(OptionName::Runtime),
        "threads" | "workers" if options.contains(&OptionName::WorkerThreads) => Some(OptionName::WorkerThreads),
        "parallelism"
        | "parallel"
        | "concurrent"
        | "max_concurrency"
        | "max_in_flight"
        | "in_flight"
        | "workers"
        | "threads"
        | "parallelization_factor" => Some(OptionName::Concurrency),
        "ordering" | "ordered" | "order_by" | "key" | "keys" => Some(OptionName::Order),
        "lookahead" | "look_ahead" | "prefetch" | "batches" | "ahead_batches" => Some(OptionName::Ahead),
        "bytes" | "max_bytes" | "ahead_size" | "memory" => Some(OptionName::AheadBytes),
        "grace" | "grace_period" | "drain_timeout" | "drain_time" | "shutdown_timeout" => Some(OptionName::Drain),
        "deadline" | "time_limit" | "max_time" | "timeout_secs" | "timeout_seconds" | "timeout_ms" => {
            Some(OptionName::Timeout)
        }
        _ => {
            let known: Vec<_> = options.iter().map(|option| option.text()).collect();
            nearest(name, &known).and_then(|near| options.iter().copied().find(|option| option.text() == near))
        }
    };
    meant.filter(|meant| options.contains(meant))
}

/// Whether the value of an unknown option cannot be that of the option that was meant: it says the opposite, or counts in another way.
pub(crate) fn has_another_value(name: &str) -> bool {
    name.starts_with("no_")
        || matches!(name, "skip_main" | "without_main" | "redact" | "attempts" | "max_attempts" | "tries")
}

/// The order that an unknown value was meant to be. A path may name the variant of an enum.
pub(crate) fn order(found: &str) -> Option<Order> {
    match word(found).as_str() {
        "key" | "keys" | "by_key" | "per_key" | "keyed" | "partition" | "partitionkey" | "partition_keys" | "true" => {
            Some(Order::PartitionKey)
        }
        "any" | "unordered" | "random" | "no" | "off" | "false" => Some(Order::None),
        word => nearest(word, &Order::ALL.map(Order::word)).and_then(Order::from_word),
    }
}

/// Whether a value of `order` asks for the order of the shard.
pub(crate) fn means_one_by_one(found: &str) -> bool {
    matches!(
        word(found).as_str(),
        "shard" | "strict" | "total" | "all" | "sequence" | "sequential" | "sequence_number" | "arrival" | "batch"
    )
}

/// The kind of runtime that an unknown value was meant to be. A path may name the variant of an enum.
pub(crate) fn runtime(found: &str) -> Option<Runtime> {
    match word(found).as_str() {
        "single" | "single_thread" | "single_threaded" | "current" | "currentthread" | "basic" | "local" => {
            Some(Runtime::CurrentThread)
        }
        "multi" | "multithread" | "multi_threaded" | "multithreaded" | "threaded" | "threads" | "many" => {
            Some(Runtime::MultiThread)
        }
        word => nearest(word, &Runtime::ALL.map(Runtime::word)).and_then(Runtime::from_word),
    }
}

/// The last name of a path, as a word.
fn word(found: &str) -> String {
    found.rsplit("::").next().unwrap_or_default().trim().to_lowercase().replace(['-', ' '], "_")
}

/// The record handler that a method was meant to be, by its name, if it has no attribute.
pub(crate) fn record_handler(method: &str) -> Option<Kind> {
    let method = method.trim_start_matches("handle_");
    Kind::ALL.iter().copied().filter(|kind| kind.handles_records()).find(|&kind| {
        method == kind.attribute() || other_names(kind).iter().any(|name| name.trim_start_matches("on_") == method)
    })
}

/// Whether a value of `checkpoint` asks for no checkpoints of the runtime.
pub(crate) fn means_never(value: &str) -> bool {
    matches!(
        value.trim().to_lowercase().as_str(),
        "never"
            | "none"
            | "no"
            | "off"
            | "false"
            | "manual"
            | "manually"
            | "handler"
            | "self"
            | "user"
            | "disabled"
            | "explicit"
    )
}

/// The action that an unknown value was meant to be. A path may name the variant of an enum.
pub(crate) fn action(found: &str) -> Option<Action> {
    let name = found.rsplit("::").next()?.to_lowercase().replace('-', "_");
    match name.as_str() {
        "deadletter" | "dlq" => Some(Action::DeadLetter),
        "drop" | "ignore" | "continue" | "discard" => Some(Action::Skip),
        "error" | "stop" | "exit" | "abort" | "panic" => Some(Action::Fail),
        name => nearest(name, &Action::ALL.map(Action::word)).and_then(Action::from_word),
    }
}

/// Whether an attribute belongs to rustc or to a tool.
pub(crate) fn is_builtin(name: &str) -> bool {
    const BUILTIN: &[&str] = &[
        "allow",
        "automatically_derived",
        "cfg",
        "cfg_attr",
        "clippy",
        "cold",
        "coverage",
        "deny",
        "deprecated",
        "diagnostic",
        "doc",
        "expect",
        "forbid",
        "inline",
        "miri",
        "must_use",
        "no_mangle",
        "rust_analyzer",
        "rustfmt",
        "target_feature",
        "track_caller",
        "warn",
    ];
    BUILTIN.contains(&name)
}

/// The candidate that a typo turns into `name`, if there is one.
pub(crate) fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let (distance, candidate) = candidates
        .iter()
        .map(|candidate| (osa_distance(name, candidate), *candidate))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= candidate.len() / 4).then_some(candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_recognised() {
        for (name, kind) in [
            ("on_recrods", Kind::Records),
            ("on_recrod", Kind::Record),
            ("onrecord", Kind::Record),
            ("OnRecords", Kind::Records),
            ("onShutdownRequested", Kind::ShutdownRequested),
            ("on_shard_ended", Kind::ShardEnd),
            ("on_leaselost", Kind::LeaseLost),
            ("on_shutdown", Kind::ShutdownRequested),
            ("process_records", Kind::Records),
            ("on_initt", Kind::Init),
        ] {
            assert_eq!(misspelt(name), Some(Some(kind)), "{name}");
        }
    }

    #[test]
    fn a_name_with_our_prefix_is_ours_even_if_no_handler_is_close() {
        assert_eq!(misspelt("on_full_moon"), Some(None));
    }

    #[test]
    fn old_names_of_options_are_recognised() {
        let options = [OptionName::Retry, OptionName::OnFailure, OptionName::OnUndecodable];
        for (name, meant) in [
            ("otherwise", Some(OptionName::OnFailure)),
            ("invalid", Some(OptionName::OnUndecodable)),
            ("on_failures", Some(OptionName::OnFailure)),
            ("retries", Some(OptionName::Retry)),
            ("checkpoints", None),
            ("timeout", None),
            ("purple", None),
            ("max_attempts", Some(OptionName::Retry)),
        ] {
            assert_eq!(option(name, &options), meant, "{name}");
        }
    }

    #[test]
    fn methods_of_other_kcls_are_recognised() {
        for (method, kind) in [
            ("process_records", Some(Kind::Records)),
            ("on_batch", None),
            ("batch", Some(Kind::Records)),
            ("on_record", Some(Kind::Record)),
            ("handle_record", Some(Kind::Record)),
            ("process_record", Some(Kind::Record)),
            ("report", None),
        ] {
            assert_eq!(record_handler(method), kind, "{method}");
        }
    }

    #[test]
    fn actions_are_recognised() {
        for (found, meant) in [
            ("skpi", Some(Action::Skip)),
            ("kcl::FailureAction::DeadLetter", Some(Action::DeadLetter)),
            ("FAIL", Some(Action::Fail)),
            ("dead-letter", Some(Action::DeadLetter)),
            ("drop", Some(Action::Skip)),
            ("purple", None),
        ] {
            assert_eq!(action(found), meant, "{found}");
        }
    }

    #[test]
    fn other_attributes_are_left_alone() {
        for name in ["inline", "allow", "instrument", "test", "must_use", "cold", "doc", "expect", "deprecated"] {
            assert_eq!(misspelt(name), None, "{name}");
        }
    }
}
