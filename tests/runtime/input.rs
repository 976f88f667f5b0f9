//! Input that the daemon should not send, and a daemon that has died.

use std::io;

use kcl::{BoxError, CheckpointError, ProcessRecords, Runner, Shard};

use crate::{ALL, Auto, EMPTY, INITIALIZE, LEASE_LOST, OK, Own, SHARD_ENDED, batch, run, run_bytes, status};

#[test]
fn input_that_is_not_understood_is_never_acknowledged() {
    for (input, shard, part) in [
        (&["hello"][..], false, "`hello`"),
        (&[r#"{"customer":"alice"}"#], false, "cargo kcl local --bin NAME --input FILE"),
        (&["{"], false, "cargo kcl local --bin NAME --input FILE"),
        (&[""], false, "not a MultiLangDaemon message: the line is empty; "),
        (&[INITIALIZE, " \t"], true, "not a MultiLangDaemon message: the line is empty"),
        (&["null"], false, "expected a JSON object"),
        (&[INITIALIZE, "hello"], true, "`hello`"),
        (&[INITIALIZE, r#"{"action":"dance"}"#], true, "unknown action `dance`"),
        (&[INITIALIZE, "\u{1b}[31m"], true, r"\u{1b}[31m"),
        (&[EMPTY], false, "`processRecords`"),
        (&[INITIALIZE, INITIALIZE], true, "`initialize`"),
        (&[INITIALIZE, OK], true, "`checkpoint`"),
    ] {
        let (output, result) = run(Auto::default(), input);
        assert_eq!(output.len(), input.len() - 1);
        let error = result.expect_err("not understood");
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(text.contains(part) && text.contains("shardId-000000000007") == shard, "{text}");
        assert!(!(shard && text.contains("cargo kcl local")), "a daemon sent it: {text}");
    }
}

#[test]
fn a_message_that_was_cut_short_is_not_understood() {
    let whole = format!("{INITIALIZE}\n{}", batch([(1, 0)]));
    let (output, result) = run_bytes(Auto::default(), &whole.as_bytes()[..whole.len() - 20]);
    assert_eq!(output, [status("initialize")]);
    let error = result.expect_err("cut short");
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("a line ends in the middle of its message"), "{error}");
}

#[test]
fn a_wrong_answer_to_a_checkpoint_ends_the_run_whatever_the_handler_returns() {
    for answer in ["hello", LEASE_LOST] {
        let records = Box::new(|input: &mut ProcessRecords<'_>| {
            assert!(matches!(input.checkpointer().checkpoint(), Err(CheckpointError::Io(_))));
            assert!(matches!(input.checkpointer().checkpoint(), Err(CheckpointError::Io(_))));
            Ok(())
        });
        let (output, result) = run(Own { records, ..Own::default() }, &[INITIALIZE, &batch([(1, 0)]), answer, OK]);
        assert_eq!(output, [&status("initialize"), ALL]);
        assert_eq!(result.expect_err("not understood").exit_code(), 2);

        let (output, result) = run(Auto::default(), &[INITIALIZE, &batch([(1, 0)]), answer, OK]);
        assert_eq!(output, [&status("initialize"), ALL]);
        assert_eq!(result.expect_err("not understood").exit_code(), 2);
    }
}

#[test]
fn a_daemon_that_dies_instead_of_answering_gets_no_acknowledgement() {
    let (output, result) = run(Auto::default(), &[INITIALIZE, &batch([(1, 0)])]);
    assert_eq!(output, [&status("initialize"), ALL]);
    assert!(result.is_ok());

    let (output, result) = run(Auto::default(), &[INITIALIZE, SHARD_ENDED]);
    assert_eq!(output, [&status("initialize"), ALL]);
    assert_eq!(result.expect_err("SHARD_END was not confirmed").exit_code(), 1);
}

#[test]
fn a_closed_output_ends_the_run_and_a_failed_read_fails_it() {
    struct Closed;
    impl io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let runner = Runner::new(|_: &Shard| Ok::<_, BoxError>(Auto::default()));
    assert!(runner.run_on(INITIALIZE.as_bytes(), Closed).is_ok());

    struct Failing;
    impl io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is on fire"))
        }
    }
    let error = runner.run_on(Failing, io::sink()).expect_err("reading failed");
    assert_eq!((error.exit_code(), error.to_string().contains("the disk is on fire")), (2, true));
}
