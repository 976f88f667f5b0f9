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

/// The application whose tables are created.
#[derive(Debug, Clone)]
pub(crate) struct Application {
    pub(crate) name: String,
    /// The lease table, if it does not have the application's name.
    pub(crate) lease_table: Option<String>,
    pub(crate) stream: String,
    /// The worker that owns the leases.
    pub(crate) worker: String,
    pub(crate) start: Start,
    /// Whether the leader and the loads of the workers have tables of their own. The daemon keeps using such tables if they exist, so
    /// they must not be created for one that would put everything into the lease table.
    pub(crate) has_three_tables: bool,
}

/// Creates the tables of an application, with a lease for each shard that has no parent. Does nothing if the lease table exists.
pub(crate) fn prepare(kinesis: &Endpoint, dynamodb: &Endpoint, application: &Application) -> Result<(), ApiError> {
    let Application { name, lease_table, stream, worker, start, has_three_tables } = application;
    let table = lease_table.as_ref().unwrap_or(name);
    let attribute = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let lease_table = json!({
        "TableName": table,
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
    let others = [("CoordinatorState", "key"), ("WorkerMetricStats", "wid")];
    for (suffix, attribute_name) in others.iter().filter(|_| *has_three_tables) {
        create(
            dynamodb,
            &json!({
                "TableName": format!("{name}-{suffix}"),
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [attribute(attribute_name)],
                "KeySchema": [key(attribute_name, "HASH")],
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
        dynamodb.call("PutItem", &json!({ "TableName": table, "Item": item }))?;
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
