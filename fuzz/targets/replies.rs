//! A processor's replies, as a daemon reads them. A reply that is accepted must survive writing and reading, and a refusal must
//! have an explanation.

#![no_main]

use kcl::protocol::Reply;
use kcl::protocol::daemon::Lease;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| match Reply::from_line(line) {
    Ok(reply) => {
        let written = serde_json::to_vec(&reply).expect("it serializes");
        assert_eq!(Reply::from_line(&written).as_ref(), Ok(&reply));
        if let Reply::Checkpoint { sequence_number, sub_sequence_number } = reply {
            let mut lease = Lease::new(kcl::Position::TrimHorizon);
            lease.deliver(1000.into(), 5);
            if let Ok(Some(position)) = lease.judge(sequence_number.as_deref(), sub_sequence_number) {
                lease.advance(position);
                assert_eq!(lease.judge(sequence_number.as_deref(), sub_sequence_number), Ok(None));
            }
        }
    }
    Err(refused) => assert!(!refused.to_string().is_empty()),
});
