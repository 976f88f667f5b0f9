//! A second worker. This test is inherently slow, because the daemon balances shards over minutes.

use libtest_mimic::Failed;
use rustix::process::Signal;

use crate::harness::Place;

pub(crate) fn second_worker(place: &Place) -> Result<(), Failed> {
    let mut first = place.start(2)?;
    first.until("both shards are started", || place.ledger().all("initialize").count() == 2)?;
    let processor = place.processor();
    let mut second = place.start_with(&["--shards", "2", "--set", "workerId=second"], processor)?;
    let numbers: Vec<_> = (0..50).map(|number| (number.to_string(), format!("first {number}").into_bytes())).collect();
    place.aws.put(&place.name, &numbers)?;
    first.until("the first fifty are seen", || place.ledger().data().len() == 50)?;

    // The worker dies without shutting down. Its shards are taken over once its leases and its leader lock have expired.
    first.signal(Signal::KILL)?;
    first.end()?;
    let more: Vec<_> = (0..50).map(|number| (number.to_string(), format!("second {number}").into_bytes())).collect();
    place.aws.put(&place.name, &more)?;
    second.until("the other fifty are seen", || place.ledger().data().len() == 100)?;
    second.stop()?.was_graceful()
}
