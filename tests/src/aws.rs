//! The part of the emulators' API that the tests need.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// The two emulators.
#[derive(Debug, Clone)]
pub struct Aws {
    /// Kinesis's URL.
    pub kinesis: String,
    /// DynamoDB's URL.
    pub dynamodb: String,
}

/// A row of the lease table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The shard of the lease.
    pub shard: String,
    /// The worker that holds it, if one does.
    pub owner: String,
    /// The number that its owner raises to renew it.
    pub counter: u64,
    /// The sequence number.
    pub checkpoint: String,
    /// The sub-sequence number.
    pub sub: String,
}

impl Aws {
    /// Calls Kinesis.
    ///
    /// # Errors
    ///
    /// The answer of the emulator, if it is an error.
    pub fn kinesis(&self, operation: &str, input: &Value) -> Result<Value, String> {
        call(&self.kinesis, "Kinesis_20131202", "kinesis", operation, input)
    }

    /// Calls DynamoDB.
    ///
    /// # Errors
    ///
    /// The answer of the emulator, if it is an error.
    pub fn dynamodb(&self, operation: &str, input: &Value) -> Result<Value, String> {
        call(&self.dynamodb, "DynamoDB_20120810", "dynamodb", operation, input)
    }

    /// Puts records, each with its partition key, and returns their shards and sequence numbers.
    ///
    /// # Errors
    ///
    /// The answer of the emulator, if it is an error.
    pub fn put(&self, stream: &str, records: &[(String, Vec<u8>)]) -> Result<Vec<(String, String)>, String> {
        let mut put = Vec::with_capacity(records.len());
        for call in records.chunks(500) {
            let entries =
                call.iter().map(|(key, data)| json!({ "PartitionKey": key, "Data": BASE64_STANDARD.encode(data) }));
            let entries: Vec<_> = entries.collect();
            let output = self.kinesis("PutRecords", &json!({ "StreamName": stream, "Records": entries }))?;
            if output["FailedRecordCount"].as_u64().unwrap_or(0) > 0 {
                return Err(format!("records were refused: {output}"));
            }
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let entries = output["Records"].as_array().into_iter().flatten();
            put.extend(entries.map(|entry| (text(&entry["ShardId"]), text(&entry["SequenceNumber"]))));
        }
        Ok(put)
    }

    /// The lease table, ordered by shard.
    ///
    /// # Errors
    ///
    /// The answer of the emulator, if it is an error.
    pub fn leases(&self, application: &str) -> Result<Vec<Lease>, String> {
        let output = self.dynamodb("Scan", &json!({ "TableName": application, "ConsistentRead": true }))?;
        let mut leases: Vec<_> = output["Items"].as_array().into_iter().flatten().map(lease).collect();
        // Since KCL 3.5 the table also holds the leader and the loads of the workers.
        leases.retain(|lease| lease.shard.starts_with("shardId-"));
        leases.sort_by(|a, b| a.shard.cmp(&b.shard));
        Ok(leases)
    }
}

fn lease(item: &Value) -> Lease {
    let text = |name: &str, kind: &str| item[name][kind].as_str().unwrap_or_default().to_owned();
    Lease {
        shard: text("leaseKey", "S"),
        owner: text("leaseOwner", "S"),
        counter: text("leaseCounter", "N").parse().unwrap_or(0),
        checkpoint: text("checkpoint", "S"),
        sub: text("checkpointSubSequenceNumber", "N"),
    }
}

fn call(url: &str, api: &str, service: &str, operation: &str, input: &Value) -> Result<Value, String> {
    let version = if service == "kinesis" { "1.1" } else { "1.0" };
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    let response = minreq::post(format!("{url}/"))
        .with_header("Content-Type", format!("application/x-amz-json-{version}"))
        .with_header("X-Amz-Target", format!("{api}.{operation}"))
        .with_header("X-Amz-Date", "20260101T000000Z")
        .with_header("Authorization", authorization)
        .with_body(input.to_string())
        .with_timeout(60)
        .send()
        .map_err(|error| error.to_string())?;
    let text = response.as_str().map_err(|error| error.to_string())?.trim();
    if response.status_code != 200 {
        return Err(format!("{operation}: {text}"));
    }
    Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(text).map_err(|error| error.to_string())? })
}
