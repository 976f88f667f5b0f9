//! A fake stream and a fake lease table, which are what a test says they are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::fake::{Fake, refusal};
use crate::tool::{Ended, run, tool};

/// The rows of a page of a scan.
const PAGE: usize = 2;

/// A record of the stream.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    pub(crate) shard: &'static str,
    pub(crate) number: u128,
    /// In milliseconds since 1970.
    pub(crate) arrival: i64,
    pub(crate) data: Vec<u8>,
}

/// The content of the services.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// The rows of the lease table.
    pub(crate) rows: Vec<Map<String, Value>>,
    /// The shards of the stream: id, parent, and whether it is closed.
    pub(crate) shards: Vec<(&'static str, Option<&'static str>, bool)>,
    pub(crate) records: Vec<Put>,
    /// The worker that renews its leases whenever anybody reads them.
    pub(crate) alive: Option<&'static str>,
    /// The lease that a worker takes at the moment at which one is to be moved.
    pub(crate) is_taken: Option<&'static str>,
    /// The lease that a worker takes at the moment at which one was moved.
    pub(crate) is_taken_after: Option<&'static str>,
    /// The tokens of the transactions that were carried out.
    pub(crate) tokens: Vec<String>,
    /// The tables that were read, in this order.
    pub(crate) tables: Vec<String>,
    /// The updates that were asked for.
    pub(crate) updates: Vec<Value>,
    /// The reads of records so far.
    pub(crate) reads: usize,
    /// Whether reads of records are throttled.
    pub(crate) is_throttled: bool,
    /// The rows that are written before the whole table is read for the second time.
    pub(crate) later: Vec<Map<String, Value>>,
    /// Whether the table has been read.
    pub(crate) was_read: bool,
    /// How far each checkpoint moves whenever anybody reads the leases.
    pub(crate) step: u128,
}

/// A world, and the services that show it.
pub(crate) struct Services {
    pub(crate) fake: Fake,
    world: Arc<Mutex<World>>,
}

/// A row of the lease table.
pub(crate) fn row(shard: &str, owner: Option<&str>, checkpoint: &str, sub: u64) -> Map<String, Value> {
    let mut row = json!({
        "leaseKey": { "S": shard },
        "leaseCounter": { "N": "7" },
        "checkpoint": { "S": checkpoint },
        "checkpointSubSequenceNumber": { "N": sub.to_string() },
        "ownerSwitchesSinceCheckpoint": { "N": "2" },
        "pendingCheckpoint": { "S": "9" },
    });
    if let Some(owner) = owner {
        row["leaseOwner"] = json!({ "S": owner });
    }
    row.as_object().cloned().expect("an object")
}

/// A record that arrived this long ago.
pub(crate) fn put(shard: &'static str, number: u128, ago: Duration, data: &[u8]) -> Put {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let arrival = i64::try_from((now - ago).as_millis()).expect("a time of this century");
    Put { shard, number, arrival, data: data.to_vec() }
}

impl Services {
    pub(crate) fn new(world: World) -> Self {
        let world = Arc::new(Mutex::new(world));
        let shown = Arc::clone(&world);
        let fake = Fake::answering(move |operation, input| {
            shown.lock().unwrap_or_else(PoisonError::into_inner).answer(operation, input)
        });
        Self { fake, world }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a verb on the application `revenue` and the stream `orders`, with a short failover time.
    pub(crate) fn run(&self, verb: &str, arguments: &[&str]) -> Ended {
        let names = [verb, "--app", "revenue", "--stream", "orders", "--failover", "150ms"];
        run(tool(&self.fake.url(), &[&names, arguments].concat()), b"")
    }
}

impl World {
    fn answer(&mut self, operation: &str, input: &Value) -> (u16, Value) {
        match operation {
            "Scan" => {
                self.tables.push(input["TableName"].as_str().unwrap_or_default().to_owned());
                self.renew();
                let start = input["ExclusiveStartKey"]["leaseKey"]["S"].as_str();
                if start.is_none() && std::mem::replace(&mut self.was_read, true) {
                    self.write_later();
                }
                let at = start.map_or(0, |start| {
                    self.rows.iter().position(|row| row["leaseKey"]["S"] == start).map_or(0, |at| at + 1)
                });
                let page: Vec<_> = self.rows.iter().skip(at).take(PAGE).collect();
                let mut answer = json!({ "Items": page });
                if at + PAGE < self.rows.len() {
                    answer["LastEvaluatedKey"] = json!({ "leaseKey": self.rows[at + PAGE - 1]["leaseKey"] });
                }
                (200, answer)
            }
            "GetItem" => {
                self.renew();
                let found = self.rows.iter().find(|row| row["leaseKey"] == input["Key"]["leaseKey"]);
                (200, found.map_or(json!({}), |row| json!({ "Item": row })))
            }
            "TransactWriteItems" => self.transact(input),
            "ListShards" => (200, self.list()),
            "DescribeStreamSummary" => (
                200,
                json!({ "StreamDescriptionSummary": {
                "StreamName": "orders", "StreamARN": "arn", "StreamStatus": "ACTIVE", "RetentionPeriodHours": 24,
                "StreamCreationTimestamp": 0.0, "EnhancedMonitoring": [], "OpenShardCount": 1
            } }),
            ),
            "GetShardIterator" => self.iterator(input),
            "GetRecords" if self.is_throttled => {
                refusal("ProvisionedThroughputExceededException", "Rate exceeded for shard")
            }
            "GetRecords" => (200, self.read(input)),
            other => refusal("UnknownOperationException", other),
        }
    }

    fn write_later(&mut self) {
        for row in std::mem::take(&mut self.later) {
            self.rows.retain(|other| other["leaseKey"] != row["leaseKey"]);
            self.rows.push(row);
        }
    }

    /// Renews the leases of the worker that is alive, and moves its checkpoints.
    fn renew(&mut self) {
        for row in &mut self.rows {
            let is_alive =
                self.alive.is_some_and(|alive| row.get("leaseOwner").is_some_and(|owner| owner["S"] == alive));
            if is_alive {
                raise(&mut row["leaseCounter"]["N"], 1);
                raise(&mut row["checkpoint"]["S"], self.step);
            }
        }
    }

    /// Carries out a transaction, unless one of its conditions does not hold or it was carried out before.
    fn transact(&mut self, input: &Value) -> (u16, Value) {
        let items = input["TransactItems"].as_array().expect("a transaction");
        for update in items.iter().map(|item| &item["Update"]).filter(|update| update.is_object()) {
            self.updates.push(update.clone());
        }
        let token = input["ClientRequestToken"].as_str().expect("a token").to_owned();
        if self.tokens.contains(&token) {
            return (200, json!({}));
        }
        if let Some(taken) = self.is_taken {
            self.take(taken);
        }
        let part = |item: &Value| item["Update"].as_object().or(item["ConditionCheck"].as_object()).cloned();
        let holds = |item: &Value| {
            let part = part(item).expect("an update or a check");
            let row = self.rows.iter().find(|row| row["leaseKey"] == part["Key"]["leaseKey"]);
            match part["ConditionExpression"].as_str() {
                Some("attribute_not_exists(leaseKey)") => row.is_none(),
                _ => row.is_some_and(|row| row["leaseCounter"] == part["ExpressionAttributeValues"][":seen"]),
            }
        };
        if !items.iter().all(holds) {
            let message = "Transaction cancelled, please refer cancellation reasons for specific reasons [ConditionalCheckFailed]";
            return refusal("TransactionCanceledException", message);
        }
        items.iter().for_each(|item| self.update(&item["Update"]));
        self.tokens.push(token);
        if let Some(taken) = self.is_taken_after {
            self.take(taken);
        }
        (200, json!({}))
    }

    /// Lets a worker take a lease, which it creates if there is none.
    fn take(&mut self, shard: &str) {
        let at = self.rows.iter().position(|row| row["leaseKey"]["S"] == shard).unwrap_or_else(|| {
            self.rows.push(row(shard, None, "TRIM_HORIZON", 0));
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        raise(&mut row["leaseCounter"]["N"], 1);
        row.insert("leaseOwner".to_owned(), json!({ "S": "another" }));
    }

    fn update(&mut self, input: &Value) {
        let Some(row) = self.rows.iter_mut().find(|row| row["leaseKey"] == input["Key"]["leaseKey"]) else { return };
        let values = &input["ExpressionAttributeValues"];
        let (set, remove) = input["UpdateExpression"]
            .as_str()
            .and_then(|update| update.strip_prefix("SET ")?.split_once(" REMOVE "))
            .expect("an update");
        for assignment in set.split(", ") {
            let (name, value) = assignment.split_once(" = ").expect("an assignment");
            row.insert(name.to_owned(), values[value].clone());
        }
        for name in remove.split(", ") {
            row.remove(name);
        }
    }

    fn list(&self) -> Value {
        let shards = self.shards.iter().map(|(id, parent, is_closed)| {
            let mut numbers = json!({ "StartingSequenceNumber": "0" });
            if *is_closed {
                numbers["EndingSequenceNumber"] = json!("9");
            }
            json!({
                "ShardId": id, "ParentShardId": parent, "SequenceNumberRange": numbers,
                "HashKeyRange": { "StartingHashKey": "0", "EndingHashKey": u128::MAX.to_string() },
            })
        });
        json!({ "Shards": shards.collect::<Vec<_>>() })
    }

    fn of<'a>(&'a self, shard: &'a str) -> Vec<&'a Put> {
        self.records.iter().filter(|record| record.shard == shard).collect()
    }

    fn iterator(&self, input: &Value) -> (u16, Value) {
        let shard = input["ShardId"].as_str().unwrap_or_default();
        let records = self.of(shard);
        let number = || input["StartingSequenceNumber"].as_str().and_then(|text| text.parse::<u128>().ok());
        let time = || input["Timestamp"].as_f64().map(|seconds| (seconds * 1e3).round() as i64);
        let at = match input["ShardIteratorType"].as_str() {
            Some("TRIM_HORIZON") => 0,
            Some("AT_SEQUENCE_NUMBER") => {
                let number = number().expect("a number");
                if number < 1_000 {
                    return refusal("InvalidArgumentException", "Invalid StartingSequenceNumber");
                }
                records.iter().position(|record| record.number >= number).unwrap_or(records.len())
            }
            Some("AT_TIMESTAMP") => {
                let time = time().expect("a time");
                records.iter().position(|record| record.arrival >= time).unwrap_or(records.len())
            }
            other => panic!("{other:?} is not asked for"),
        };
        (200, json!({ "ShardIterator": format!("{shard}|{at}") }))
    }

    fn read(&mut self, input: &Value) -> Value {
        self.reads += 1;
        let (shard, at) = input["ShardIterator"].as_str().and_then(|text| text.split_once('|')).expect("an iterator");
        let at: usize = at.parse().expect("a number");
        let limit = input["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10_000);
        let records = self.of(shard);
        let page: Vec<_> = records.iter().skip(at).take(limit).collect();
        let next = at + page.len();
        let is_closed = self.shards.iter().any(|(id, _, is_closed)| *id == shard && *is_closed);
        let shown = page.iter().map(|record| json!({
            "SequenceNumber": record.number.to_string(), "PartitionKey": "k", "Data": BASE64_STANDARD.encode(&record.data),
            "ApproximateArrivalTimestamp": record.arrival as f64 / 1e3,
        }));
        let mut answer = json!({ "Records": shown.collect::<Vec<_>>(), "MillisBehindLatest": if next < records.len() { 1_000 } else { 0 } });
        if !(is_closed && next >= records.len()) {
            answer["NextShardIterator"] = json!(format!("{shard}|{next}"));
        }
        answer
    }
}

/// Raises a number in a text, if it is one.
fn raise(text: &mut Value, by: u128) {
    if let Some(number) = text.as_str().and_then(|text| text.parse::<u128>().ok()) {
        *text = json!((number + by).to_string());
    }
}
