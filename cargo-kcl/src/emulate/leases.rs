//! Creating the tables of an application before the daemon looks for them.
//!
//! The daemon would create them itself, but it waits ten seconds for an index, up to thirty before it first looks at an empty lease
//! table, and some more for the other tables. These waits exist for sharing work among workers, and here there is only one.

use serde_json::{Value, json};

use super::api::{ApiError, Endpoint};

/// The position at which a shard starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    TrimHorizon,
    Latest,
    AtTimestamp,
}

impl Start {
    /// The position as the lease table stores it.
    fn checkpoint(self) -> &'static str {
        match self {
            Self::TrimHorizon => "TRIM_HORIZON",
            Self::Latest => "LATEST",
            Self::AtTimestamp => "AT_TIMESTAMP",
        }
    }
}

/// Creates the tables of `application`, with a lease for each shard that has no parent, owned by `worker`. Does nothing if the lease
/// table exists.
pub(crate) fn prepare(
    kinesis: &Endpoint,
    dynamodb: &Endpoint,
    stream: &str,
    application: &str,
    worker: &str,
    start: Start,
) -> Result<(), ApiError> {
    let attribute = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let lease_table = json!({
        "TableName": application,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [attribute("leaseKey"), attribute("leaseOwner")],
        "KeySchema": [key("leaseKey", "HASH")],
        "GlobalSecondaryIndexes": [{
            "IndexName": "LeaseOwnerToLeaseKeyIndex",
            "KeySchema": [key("leaseOwner", "HASH"), key("leaseKey", "RANGE")],
            "Projection": { "ProjectionType": "KEYS_ONLY" },
        }],
    });
    if !create(dynamodb, &lease_table)? {
        return Ok(());
    }
    for (suffix, name) in [("CoordinatorState", "key"), ("WorkerMetricStats", "wid")] {
        create(
            dynamodb,
            &json!({
                "TableName": format!("{application}-{suffix}"),
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [attribute(name)],
                "KeySchema": [key(name, "HASH")],
            }),
        )?;
    }
    for shard in shards_without_parents(kinesis, stream)? {
        let item = json!({
            "leaseKey": { "S": shard["ShardId"] },
            "leaseOwner": { "S": worker },
            "leaseCounter": { "N": "0" },
            "checkpoint": { "S": start.checkpoint() },
            "checkpointSubSequenceNumber": { "N": "0" },
            "ownerSwitchesSinceCheckpoint": { "N": "0" },
            "startingHashKey": { "S": shard["HashKeyRange"]["StartingHashKey"] },
            "endingHashKey": { "S": shard["HashKeyRange"]["EndingHashKey"] },
        });
        dynamodb.call("PutItem", &json!({ "TableName": application, "Item": item }))?;
    }
    Ok(())
}

/// Creates a table. Returns false if it exists already.
fn create(dynamodb: &Endpoint, table: &Value) -> Result<bool, ApiError> {
    match dynamodb.call("CreateTable", table) {
        Ok(_) => Ok(true),
        Err(error) if error.is("ResourceInUseException") => Ok(false),
        Err(error) => Err(error),
    }
}

/// The shards for which the daemon itself would create leases first: those without parents, or whose parents are gone.
fn shards_without_parents(kinesis: &Endpoint, stream: &str) -> Result<Vec<Value>, ApiError> {
    let mut shards = Vec::new();
    let mut input = json!({ "StreamName": stream });
    loop {
        let mut output = kinesis.call("ListShards", &input)?;
        if let Value::Array(page) = output["Shards"].take() {
            shards.extend(page);
        }
        match output["NextToken"].take() {
            Value::String(token) => input = json!({ "NextToken": token }),
            _ => break,
        }
    }
    let ids: Vec<_> = shards.iter().map(|shard| shard["ShardId"].clone()).collect();
    shards.retain(|shard| !ids.contains(&shard["ParentShardId"]));
    Ok(shards)
}
