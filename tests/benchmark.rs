//! The cost of a record in `cargo kcl local`, compared with the processor that it feeds and with a pipe whose reader throws the same
//! bytes away. The benchmark takes a minute and is most accurate on an idle machine:
//!
//! ```console
//! $ cargo test -p tests --test benchmark -- --ignored --nocapture
//! ```

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use kcl::protocol::{ProcessRecordsMessage, WireRecord};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// The number of input bytes of each run.
fn bytes() -> usize {
    env::var("KCL_BENCHMARK_MB").map_or(400, |text| text.parse().expect("a number of megabytes")) * 1_000_000
}

/// The resources that a process used.
struct Cost {
    wall: Duration,
    /// CPU time of the process itself.
    cpu: Duration,
    /// CPU time of the processes that it started.
    of_children: Duration,
    /// Peak memory in bytes.
    memory: u64,
}

/// Waits for a process to end and returns its cost, which must be read before the process is reaped.
fn cost(mut child: Child, started: Instant) -> Cost {
    let id = Pid::from_child(&child);
    let proc = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", id.as_raw_nonzero())).unwrap_or_default();
    let mut memory = 0;
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while waitid(WaitId::Pid(id), ended).expect("it is a child").is_none() {
        let status = proc("status");
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
        memory = most.map_or(memory, |kilobytes| kilobytes.trim().parse::<u64>().expect("a number") << 10);
        thread::sleep(Duration::from_millis(10));
    }
    let wall = started.elapsed();
    let [cpu, of_children] = times(&proc("stat"));
    assert!(child.wait().expect("it has ended").success());
    Cost { wall, cpu, of_children, memory }
}

/// The CPU times of a process and of its ended children, from its `stat`.
fn times(stat: &str) -> [Duration; 2] {
    let (_, fields) = stat.rsplit_once(") ").expect("the format of proc(5)");
    let ticks: Vec<u64> = fields.split(' ').skip(11).take(4).map(|ticks| ticks.parse().expect("a number")).collect();
    let time = |ticks: u64| Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64);
    [time(ticks[0] + ticks[1]), time(ticks[2] + ticks[3])]
}

/// Writes lines of `record` bytes each, line feeds included. Returns the number of lines.
fn generate(path: &Path, record: usize) -> usize {
    let records = bytes() / record;
    let mut file = BufWriter::new(File::create(path).expect("it can be made"));
    let fill = "x".repeat(record - r#"{"id":000000000000,"text":""}"#.len() - 1);
    for number in 0..records {
        writeln!(file, r#"{{"id":{number:012},"text":"{fill}"}}"#).expect("there is room");
    }
    file.flush().expect("there is room");
    records
}

/// Writes the messages of a shard with `records` records, as the tool writes them, to a consumer that throws them away. Returns the
/// elapsed time and the CPU time of the writer.
fn write_to_discarder(record: usize, records: usize) -> (Duration, Duration) {
    let data = vec![b'x'; record - 1];
    let wire = (0..1_000_u64).map(|number| WireRecord {
        data: &data,
        partition_key: "1000000",
        sequence_number: format!("49{number:054}").parse().expect("a number"),
        sub_sequence_number: 0,
        approximate_arrival_timestamp: Some(1_800_000_000_000),
    });
    let wire: Vec<_> = wire.collect();
    let mut line = Vec::new();
    ProcessRecordsMessage { records: &wire[..], millis_behind_latest: Some(0) }.write(&mut line);
    line.push(b'\n');
    let mut discarder = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    let mut pipe = discarder.stdin.take().expect("piped");
    let own = || times(&fs::read_to_string("/proc/self/stat").expect("readable"))[0];
    let (started, before) = (Instant::now(), own());
    for _ in 0..records / wire.len() {
        pipe.write_all(&line).expect("it reads");
    }
    drop(pipe);
    discarder.wait().expect("it ends");
    (started.elapsed(), own() - before)
}

#[test]
#[ignore = "takes a minute and needs an idle machine"]
fn cost_of_a_record() {
    let tool = tests::build(&["--release", "--package", "cargo-kcl", "--no-default-features"]);
    let processor = tests::build(&["--release", "--package", "examples", "--example", "by_hand"]);
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("input");
    eprintln!("                                           CPU ns/record             as much as a pipe");
    eprintln!("  record  shards   records/s   MB/s     tool processor ratio       wall      CPU      memory");
    for record in [100, 1 << 10] {
        let records = generate(&input, record);
        let (pipe_wall, pipe_cpu) = write_to_discarder(record, records);
        let per_record = |time: Duration| time.as_secs_f64() * 1e9 / records as f64;
        for shards in ["1", "8"] {
            let mut command = Command::new(&tool);
            command.args(["local", "--quiet", "--input"]).arg(&input).args(["--shards", shards, "--"]).arg(&processor);
            command.stdin(Stdio::null()).stderr(Stdio::null());
            let started = Instant::now();
            let Cost { wall, cpu, of_children, memory } = cost(command.spawn().expect("it starts"), started);
            eprintln!(
                "{record:>6} B {shards:>7} {:>11.0} {:>6.0} {:>8.0} {:>9.0} {:>5.2} {:>10.2} {:>8.2} {:>8.1} MB",
                records as f64 / wall.as_secs_f64(),
                (records * record) as f64 / wall.as_secs_f64() / 1e6,
                per_record(cpu),
                per_record(of_children),
                cpu.as_secs_f64() / of_children.as_secs_f64(),
                wall.as_secs_f64() / pipe_wall.as_secs_f64(),
                cpu.as_secs_f64() / pipe_cpu.as_secs_f64(),
                memory as f64 / 1e6,
            );
        }
    }
}
