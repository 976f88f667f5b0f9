//! `cargo kcl-bench scaling`: the costs and the limits of a stream with up to 10,000 shards, computed from measured constants.

use fastrand::Rng;

use crate::Outcome;
use crate::page;
use crate::picture::Lines;
use crate::report::{number, table};

/// The options of `cargo kcl-bench scaling`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Simulate the loss of a host this often
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    losses: usize,
    /// Start the simulation from this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write the tables and the pictures into `docs`
    #[arg(long)]
    publish: bool,
}

/// A cost that grows with the size of a record, in nanoseconds.
struct PerRecord {
    base: f64,
    byte: f64,
}

impl PerRecord {
    fn of(&self, bytes: f64) -> f64 {
        self.base + self.byte * bytes
    }
}

// Measured: `docs/performance.md` and `docs/scaling.md` say how. The CPU is the one named there.

/// CPU of a processor, without what its handler does.
const PROCESSOR: PerRecord = PerRecord { base: 110.0, byte: 0.35 };
/// CPU of the JVM to write a record to the processor.
const JVM_WRITE: PerRecord = PerRecord { base: 830.0, byte: 4.2 };
/// CPU of the JVM for everything before that: HTTP, TLS, decoding, checksums. This one is an assumption.
const JVM_FETCH: PerRecord = PerRecord { base: 2.0 * JVM_WRITE.base, byte: JVM_WRITE.byte };
/// Memory of a processor that keeps no record, and of its pipe, in bytes.
const PROCESSOR_MEMORY: f64 = 5e6;
/// Memory of the JVM without shards, in bytes.
const JVM_MEMORY: f64 = 300e6;

// The daemon's defaults, from the source of KCL 3.5.1. Times are in seconds.

/// `failoverTimeMillis`.
const FAILOVER: f64 = 10.0;
/// A lease is renewed three times during the failover time (`CommonCalculations`).
const RENEWAL: f64 = FAILOVER / 3.0 - 0.025;
/// `leaseAssignmentIntervalMillis`: how often the leader scans the lease table.
const ASSIGNMENT: f64 = 2.0 * FAILOVER;
/// How often each worker asks the index which leases are its own (`LeaseCoordinator`).
const DISCOVERY: f64 = ASSIGNMENT / 2.0 - 0.025;
/// How often each worker writes its load (`workerMetricsReporterFreqInMillis`).
const WORKER_REPORT: f64 = 30.0;
/// How long the leader's lock outlives it (`dynamoDbLockBasedLeaderLeaseDurationInMillis`).
const LEADER_LOCK: f64 = 120.0;
/// How often the lock is renewed, and how often others try to take it (`DynamoDBLockBasedLeaderDecider`).
const LEADER_HEARTBEAT: f64 = 30.0;
/// `idleTimeBetweenReadsInMillis`: the wait between two reads of a shard that has no more records.
const IDLE: f64 = 1.5;
/// The bytes that the daemon fetches ahead for each shard (`SimpleRecordsFetcherFactory`).
const PREFETCH: f64 = 8.0 * 1024.0 * 1024.0;
/// The threads that renew leases (`maxLeaseRenewalThreads`).
const RENEWAL_THREADS: f64 = 20.0;

// The limits of the services.

/// Bytes and records that a shard takes in a second.
const SHARD_BYTES: f64 = 1024.0 * 1024.0;
const SHARD_RECORDS: f64 = 1000.0;
/// Write units a second of a new on-demand table, and of any table without a raised quota.
const NEW_TABLE_WRITES: f64 = 4_000.0;
const TABLE_WRITES: f64 = 40_000.0;

// List prices in US dollars, us-east-1, 2026.

const SHARD_HOUR: f64 = 0.015;
/// A million payload units of 25 KB each.
const MILLION_PUTS: f64 = 0.014;
const MILLION_WRITES: f64 = 0.625;
const MILLION_READS: f64 = 0.125;

/// A kind of host.
struct Instance {
    name: &'static str,
    cores: f64,
    /// Bytes.
    memory: f64,
    /// Dollars an hour.
    price: f64,
}

const INSTANCES: [Instance; 5] = [
    Instance { name: "t4g.small", cores: 2.0, memory: 2.0 * GIB, price: 0.0168 },
    Instance { name: "c7g.large", cores: 2.0, memory: 4.0 * GIB, price: 0.0725 },
    Instance { name: "m7g.large", cores: 2.0, memory: 8.0 * GIB, price: 0.0816 },
    Instance { name: "m7i.large", cores: 2.0, memory: 8.0 * GIB, price: 0.1008 },
    Instance { name: "m7g.4xlarge", cores: 16.0, memory: 64.0 * GIB, price: 0.6528 },
];
/// The instance of the tables that are not about instances.
const USUAL: &Instance = &INSTANCES[2];
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// The share of a host's cores and memory that is planned for.
const HOST_SHARE: f64 = 0.6;
/// The share of a shard's limits that producers use.
const SHARD_SHARE: f64 = 0.5;
/// Bytes of an item of the lease table, and of a key in its index.
const LEASE: f64 = 700.0;
const LEASE_KEY: f64 = 100.0;

/// The load on the application.
#[derive(Clone, Copy)]
struct Load {
    shards: f64,
    /// Bytes of a record.
    bytes: f64,
    /// Seconds between two checkpoints of a shard; 0 for one a batch.
    checkpoint: f64,
    /// CPU nanoseconds that the handler spends on a record.
    handler: f64,
}

impl Load {
    /// Records of one shard in a second.
    fn rate(&self) -> f64 {
        SHARD_SHARE * (SHARD_BYTES / self.bytes).min(SHARD_RECORDS)
    }

    /// Records of all shards in a second.
    fn records(&self) -> f64 {
        self.rate() * self.shards
    }

    /// Cores that one shard keeps busy.
    fn cores(&self) -> f64 {
        let record = PROCESSOR.of(self.bytes) + JVM_WRITE.of(self.bytes) + JVM_FETCH.of(self.bytes) + self.handler;
        self.rate() * record * 1e-9
    }

    /// Bytes of memory that one shard needs: the processor, what was fetched ahead, and one batch as text.
    fn memory(&self) -> f64 {
        let batch = self.rate() * IDLE * (self.bytes + 150.0);
        PROCESSOR_MEMORY + (3.0 * batch).min(PREFETCH) + 4.0 * batch
    }

    /// The shards that a host can take.
    fn shards_of(&self, host: &Instance) -> f64 {
        let by_cores = host.cores * HOST_SHARE / self.cores();
        let by_memory = (host.memory * HOST_SHARE - JVM_MEMORY) / self.memory();
        by_cores.min(by_memory).floor().max(1.0)
    }

    fn hosts(&self, host: &Instance) -> f64 {
        (self.shards / self.shards_of(host)).ceil()
    }

    /// Writes to DynamoDB in a second: renewals, checkpoints, reports of workers.
    fn writes(&self) -> f64 {
        let checkpoints = 1.0 / self.checkpoint.max(IDLE);
        self.shards * (1.0 / RENEWAL + checkpoints) + self.hosts(USUAL) / WORKER_REPORT
    }

    /// Read units of DynamoDB in a second: the leader's scan, and each worker's query. Both are eventually consistent.
    fn reads(&self) -> f64 {
        let scan = (self.shards * LEASE / 4096.0 / 2.0).ceil() / ASSIGNMENT;
        let hosts = self.hosts(USUAL);
        let query = (self.shards / hosts * LEASE_KEY / 4096.0 / 2.0).ceil() / DISCOVERY;
        scan + hosts * query
    }

    /// Dollars for a million records: hosts, Kinesis, DynamoDB.
    fn dollars(&self, host: &Instance) -> [f64; 3] {
        let million = 1e6 / self.records();
        let hour = million / 3600.0;
        let puts = (self.bytes / 25_000.0).ceil() * MILLION_PUTS;
        [
            self.hosts(host) * host.price * hour,
            self.shards * SHARD_HOUR * hour + puts,
            (self.writes() * MILLION_WRITES + self.reads() * MILLION_READS) * million / 1e6,
        ]
    }
}

/// The load of the tables, unless they say otherwise: 1 KiB records and a handler that takes 10 µs.
const BASE: Load = Load { shards: 100.0, bytes: 1024.0, checkpoint: 0.0, handler: 10_000.0 };

const SHARDS: [f64; 5] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0];

/// Runs `cargo kcl-bench scaling`.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let pictures = "![Dollars for a million records](images/cost.svg)\n\n![Writes to the lease table](images/writes.svg)\n\n\
                    ![Hosts](images/hosts.svg)\n";
    let tables = [instances(), growth(), limits(), losses(options)].join("\n");
    let text = format!("{}\n{tables}\n{pictures}", constants());
    println!("{text}");
    let pictures = [("cost.svg", cost_picture()), ("writes.svg", writes_picture()), ("hosts.svg", hosts_picture())];
    page::write(options.publish, "scaling.md", "model", &text, &pictures)
}

/// The measured constants, in words.
fn constants() -> String {
    let formula = |name, PerRecord { base, byte }: PerRecord| format!("{name}(b) = {base:.0} + {byte} × b");
    let [p, w, f] = [("p", PROCESSOR), ("w", JVM_WRITE), ("f", JVM_FETCH)].map(|(name, cost)| formula(name, cost));
    format!("In nanoseconds, {p}, {w} and {f}.\n")
}

fn instances() -> String {
    let mut rows = Vec::new();
    for host in &INSTANCES {
        for bytes in [100.0, 1024.0, 10_240.0] {
            let load = Load { bytes, ..BASE };
            let [hosts, kinesis, dynamo] = load.dollars(host);
            let cells = [
                load.cores() / load.rate() * 1e6,
                load.memory() / 1e6,
                load.shards_of(host),
                load.hosts(host),
                hosts,
                kinesis,
                dynamo,
                hosts + kinesis + dynamo,
            ];
            rows.push([vec![format!("{}, {}", host.name, size(bytes))], cells.map(price).to_vec()].concat());
        }
    }
    let header = [
        "100 shards",
        "CPU seconds a million",
        "MB a shard",
        "shards a host",
        "hosts",
        "hosts, $ a million",
        "Kinesis, $ a million",
        "DynamoDB, $ a million",
        "all, $ a million",
    ];
    table(&header, &rows)
}

fn growth() -> String {
    let mut rows = Vec::new();
    for shards in SHARDS {
        let load = Load { shards, ..BASE };
        let slow = Load { checkpoint: 30.0, ..load };
        let [hosts, kinesis, dynamo] = load.dollars(USUAL);
        let cells = [
            load.records(),
            load.hosts(USUAL),
            load.writes(),
            slow.writes(),
            load.reads(),
            hosts + kinesis + dynamo,
            slow.dollars(USUAL).iter().sum(),
        ];
        rows.push([vec![number(shards).replace(".00", "").replace(".0", "")], cells.map(price).to_vec()].concat());
    }
    let header = [
        "shards",
        "records/s",
        "hosts",
        "writes/s, a checkpoint a batch",
        "writes/s, every 30 s",
        "read units/s",
        "$ a million, a checkpoint a batch",
        "$ a million, every 30 s",
    ];
    table(&header, &rows)
}

fn limits() -> String {
    let write = |checkpoint: f64| {
        let one = Load { shards: 10_000.0, checkpoint, ..BASE };
        one.writes() / one.shards
    };
    // A conditional update of DynamoDB takes about 10 ms.
    let renewals = RENEWAL_THREADS / 0.010 * RENEWAL;
    let child = |bytes| 1e9 / PROCESSOR.of(bytes) / (SHARD_RECORDS.min(SHARD_BYTES / bytes));
    let rows = [
        ("shards of one host whose leases 20 threads renew in time", renewals),
        ("shards until a new table is throttled, a checkpoint a batch", NEW_TABLE_WRITES / write(0.0)),
        ("shards until a new table is throttled, every 30 s", NEW_TABLE_WRITES / write(30.0)),
        ("shards until a table with the default quota is throttled, a checkpoint a batch", TABLE_WRITES / write(0.0)),
        ("shards until a table with the default quota is throttled, every 30 s", TABLE_WRITES / write(30.0)),
        ("a processor on one core, in full shards of 100 B records", child(100.0)),
        ("a processor on one core, in full shards of 1 KiB records", child(1024.0)),
        (
            "a JVM on one core, in full shards of 1 KiB records",
            1e9 / (JVM_WRITE.of(1024.0) + JVM_FETCH.of(1024.0)) / SHARD_RECORDS,
        ),
        ("µs of CPU that a handler may take for a record, in a full shard", 1e6 / SHARD_RECORDS),
    ];
    table(&["limit", ""], &rows.map(|(name, value)| vec![name.to_owned(), number(value)]))
}

/// The seconds from the loss of a host until a shard of it is read again.
fn loss(rng: &mut Rng, leader: bool) -> f64 {
    // Times count from the loss.
    if leader {
        // Another worker first becomes the leader. Its first scan starts the clock of every lease.
        let expired = LEADER_LOCK - rng.f64() * LEADER_HEARTBEAT;
        let scan = expired + rng.f64() * (LEADER_HEARTBEAT + ASSIGNMENT);
        return scan + ASSIGNMENT + rng.f64() * DISCOVERY;
    }
    let renewed = -rng.f64() * RENEWAL;
    // The first scan after the last renewal starts the clock of the lease. The next scan finds the lease expired.
    let mut scan = -rng.f64() * ASSIGNMENT;
    while scan < renewed {
        scan += ASSIGNMENT;
    }
    scan + ASSIGNMENT + rng.f64() * DISCOVERY
}

fn losses(options: &Options) -> String {
    let mut rng = Rng::with_seed(options.seed);
    let mut row = |name: &str, leader| {
        let mut samples: Vec<f64> = (0..options.losses.max(100)).map(|_| loss(&mut rng, leader)).collect();
        samples.sort_by(f64::total_cmp);
        let at = |share: f64| samples[((samples.len() - 1) as f64 * share) as usize];
        let backlog = at(0.5) * BASE.rate();
        // A shard can be read at twice the rate that it is written.
        let caught_up = backlog / (2.0 * SHARD_BYTES / BASE.bytes - BASE.rate());
        [vec![name.to_owned()], [at(0.5), at(0.99), at(1.0), backlog, caught_up].map(number).to_vec()].concat()
    };
    let rows = [row("a host", false), row("the host of the leader", true)];
    let header = [
        "the loss of",
        "p50, s",
        "p99, s",
        "max, s",
        "records that wait in a shard (p50)",
        "seconds until they are read",
    ];
    table(&header, &rows)
}

/// Points of an axis from 1 to 10,000.
fn points(value: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let shards = (0..=40).map(|step| 10_f64.powf(f64::from(step) / 10.0).round());
    shards.map(|shards| (shards, value(shards))).collect()
}

fn cost_picture() -> String {
    let part = |checkpoint, part: usize| points(move |shards| Load { shards, checkpoint, ..BASE }.dollars(USUAL)[part]);
    let lines = vec![
        ("Kinesis, shards half full".to_owned(), part(0.0, 1)),
        ("hosts (m7g.large)".to_owned(), part(0.0, 0)),
        ("DynamoDB, a checkpoint a batch".to_owned(), part(0.0, 2)),
        ("DynamoDB, every 30 s".to_owned(), part(30.0, 2)),
    ];
    Lines { title: "Dollars for a million records of 1 KiB", x: "shards", y: "$", lines }.draw()
}

fn writes_picture() -> String {
    let writes = |checkpoint| points(move |shards| Load { shards, checkpoint, ..BASE }.writes());
    let lines = vec![
        ("a checkpoint a batch".to_owned(), writes(0.0)),
        ("a checkpoint every 30 s".to_owned(), writes(30.0)),
        ("limit of a new table".to_owned(), points(|_| NEW_TABLE_WRITES)),
        ("default quota of a table".to_owned(), points(|_| TABLE_WRITES)),
    ];
    Lines { title: "Writes to the lease table", x: "shards", y: "1/s", lines }.draw()
}

fn hosts_picture() -> String {
    let hosts = |host: &'static Instance, handler| points(move |shards| Load { shards, handler, ..BASE }.hosts(host));
    let lines = vec![
        ("m7g.large, handler 10 µs".to_owned(), hosts(USUAL, 10_000.0)),
        ("m7g.large, handler 100 µs".to_owned(), hosts(USUAL, 100_000.0)),
        ("m7g.large, handler 1 ms".to_owned(), hosts(USUAL, 1_000_000.0)),
        ("m7g.4xlarge, handler 10 µs".to_owned(), hosts(&INSTANCES[4], 10_000.0)),
    ];
    Lines { title: "Hosts for shards that are half full of 1 KiB records", x: "shards", y: "hosts", lines }.draw()
}

fn size(bytes: f64) -> String {
    if bytes < 1024.0 { format!("{bytes:.0} B") } else { format!("{:.0} KiB", bytes / 1024.0) }
}

/// A number of a table: whole numbers as such.
fn price(value: f64) -> String {
    if value.fract() == 0.0 {
        let text = number(value);
        return text.split_once('.').map_or(text.clone(), |(whole, _)| whole.to_owned());
    }
    if value < 0.1 { format!("{value:.4}") } else { number(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_shards_need_more_hosts_and_writes() {
        let load = |shards| Load { shards, ..BASE };
        assert!(load(1000.0).hosts(USUAL) > load(10.0).hosts(USUAL));
        assert!((load(10_000.0).writes() / load(100.0).writes() - 100.0).abs() < 2.0);
    }

    #[test]
    fn a_lost_shard_is_found_by_the_second_scan() {
        let mut rng = Rng::with_seed(1);
        for _ in 0..1000 {
            let seconds = loss(&mut rng, false);
            assert!((ASSIGNMENT - RENEWAL..2.0 * ASSIGNMENT + DISCOVERY).contains(&seconds), "{seconds}");
        }
    }
}
