//! How the launcher ends, and that it leaves no process running.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::Place;

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn prints_and_spawns(place: &Place) -> Result<(), Failed> {
    let grandchild = place.path("grandchild");
    let mut daemon = place.start(1)?;
    daemon.until("the shard is started", || place.ledger().all("initialize").count() == 1)?;
    let order = format!("print-and-spawn {}", grandchild.display());
    place.aws.put(&place.name, &[("1".to_owned(), order.into_bytes()), ("2".to_owned(), b"next".to_vec())])?;
    daemon.until("the next record is seen", || place.ledger().data().contains("next"))?;
    // The grandchild, which keeps every descriptor open, does not delay the daemon's end.
    let ended = daemon.stop()?;
    if let Some(pid) = fs::read_to_string(grandchild)?.trim().parse().ok().and_then(Pid::from_raw) {
        _ = kill_process(pid, Signal::KILL);
    }
    ended.was_graceful()?;
    for text in ["printed to stdout", "spawned\n", "spawned too"] {
        assert_eq!(ended.stderr.matches(text).count(), 1, "{text:?} in {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("wrote text to its stdout"), "{}", ended.stderr);
    Ok(())
}

pub(crate) fn own_emulators(place: &Place) -> Result<(), Failed> {
    let orders = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/orders.jsonl");
    let orders = fs::canonicalize(orders)?;
    let input = orders.to_str().ok_or("the path is not UTF-8")?;
    let mut daemon = place.start_on_its_own(&["--input", input, "--shards", "4"], place.processor())?;
    let records = fs::read_to_string(&orders)?.lines().count();
    daemon.until("all orders are seen", || place.ledger().all("record ").count() == records)?;
    let emulators = children(daemon.id());
    assert_eq!(emulators.len(), 3, "Kinesis, DynamoDB and the daemon");
    let ended = daemon.stop()?;
    ended.was_graceful()?;
    assert!(ended.stderr.contains(&format!(" with 4 shards; put {records} records on it")), "{}", ended.stderr);
    assert!(!emulators.iter().any(|&id| is_running(id)), "an emulator outlived the launcher");
    Ok(())
}

pub(crate) fn lost_emulator(place: &Place) -> Result<(), Failed> {
    let mut daemon = place.start_on_its_own(&["--shards", "1"], place.processor())?;
    daemon.until("the shard is started", || place.ledger().all("initialize").count() == 1)?;
    let children = children(daemon.id());
    let is_node = |id: &&i32| fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.starts_with("node"));
    let kinesis = children.iter().find(is_node).ok_or("the local Kinesis does not run")?;
    kill_process(Pid::from_raw(*kinesis).ok_or("no process")?, Signal::KILL)?;
    let ended = daemon.end()?;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("; the daemon cannot continue"), "{}", ended.stderr);
    assert!(!children.iter().any(|&id| is_running(id)), "a process outlived the launcher");
    Ok(())
}

pub(crate) fn killed_launcher(place: &Place) -> Result<(), Failed> {
    let mut daemon = place.start(2)?;
    daemon.until("both shards are started", || place.ledger().all("initialize").count() == 2)?;
    let java = children(daemon.id());
    assert_eq!(java.len(), 1, "the launcher runs one process");
    let mut all = java.clone();
    all.extend(children(java[0]));
    all.extend(place.ledger().0.iter().map(|entry| entry.process));
    assert!(all.len() >= 5, "Java, two taps and two processors: {all:?}");
    daemon.signal(Signal::KILL)?;
    let ended = daemon.end()?;
    assert_eq!(ended.status.code(), None);
    // Java was asked to stop, and shut the processors down.
    let deadline = Instant::now() + PATIENCE;
    while let Some(left) = all.iter().find(|&&pid| is_running(pid)) {
        if Instant::now() > deadline {
            return Err(format!("{left} of {all:?} still runs").into());
        }
        thread::sleep(Duration::from_millis(50));
    }
    let ledger = place.ledger();
    assert_eq!(ledger.all("shutdownRequested").count(), 2, "{ledger:?}");
    Ok(())
}

pub(crate) fn second_signal(place: &Place) -> Result<(), Failed> {
    let order = format!("wait-for {}", place.path("never").display());
    let mut daemon = place.start(1)?;
    daemon.until("the shard is started", || place.ledger().all("initialize").count() == 1)?;
    place.aws.put(&place.name, &[("1".to_owned(), order.into_bytes())])?;
    daemon.until("the processor hangs", || place.ledger().all("waiting").count() == 1)?;
    let processor = place.ledger().0[0].process;
    daemon.signal(Signal::INT)?;
    daemon.until("Java is ending", || place.log().contains("will initiate shutdown"))?;
    let ended = daemon.end_by_repeated(Signal::INT)?;
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    assert!(!is_running(processor), "the processor outlived the daemon");
    Ok(())
}

pub(crate) fn cannot_start(place: &Place) -> Result<(), Failed> {
    // The file is executable, but its interpreter does not exist.
    let script = place.path("script with spaces");
    fs::write(&script, "#!/nowhere/interpreter\n")?;
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let ended = place.start_with(&["--shards", "1"], [script.as_os_str()])?.end()?;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("cannot be started: there is no such file, or no interpreter"), "{}", ended.stderr);
    Ok(())
}

/// The child processes of this process.
pub(crate) fn children(parent: i32) -> Vec<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    ids.filter(|&id| status(id).is_some_and(|(_, of)| of == parent)).collect()
}

fn is_running(id: i32) -> bool {
    status(id).is_some_and(|(state, _)| state != "Z")
}

/// A process's state and its parent.
fn status(id: i32) -> Option<(String, i32)> {
    let stat = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
