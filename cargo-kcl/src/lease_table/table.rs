//! A lease table in DynamoDB: how it is read, and how a lease is moved.

use kcl::Position;
use serde_json::{Value, json};

use super::lease::Lease;
use crate::kinesis::dynamodb::DynamoDb;
use crate::kinesis::error::AwsError;
use crate::kinesis::trouble::Remote as _;

/// The attributes of a checkpoint that was prepared and not made.
const PENDING: &str = "pendingCheckpoint, pendingCheckpointSubSequenceNumber, pendingCheckpointState";

/// The reason why a lease table cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("{0}; the workers of an application create it when they first start, and --app names it")]
    NoTable(AwsError),
    #[error("the table `{0}` is not a lease table: none of its rows is a lease")]
    Foreign(String),
}

impl TableError {
    fn of(error: AwsError) -> Self {
        match error {
            AwsError::NoSuchTable { .. } => Self::NoTable(error),
            error => error.into(),
        }
    }

    /// The tool's exit code for this error.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Aws(error) | Self::NoTable(error) => error.code(),
            Self::Foreign(_) => crate::exit::FAILED,
        }
    }
}

/// The result of a conditional update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Moved,
    /// The lease is not as it was seen: a worker renewed, took or deleted it meanwhile.
    Changed,
}

/// The table of an application.
#[derive(Debug)]
pub(crate) struct LeaseTable {
    dynamodb: DynamoDb,
    name: String,
}

impl LeaseTable {
    pub(crate) fn new(dynamodb: DynamoDb, name: &str) -> Self {
        Self { dynamodb, name: name.to_owned() }
    }

    /// All leases, ordered by shard.
    ///
    /// # Errors
    ///
    /// If the table cannot be read, or has rows but no lease.
    pub(crate) async fn leases(&self) -> Result<Vec<Lease>, TableError> {
        let mut leases = Vec::new();
        let mut rows = 0;
        let mut input = json!({ "TableName": self.name, "ConsistentRead": true });
        loop {
            let mut output = self.call("Scan", &input).await?;
            let Value::Array(page) = output["Items"].take() else {
                return Err(AwsError::foreign("Scan", self.dynamodb.place(), "without rows").into());
            };
            rows += page.len();
            leases.extend(page.iter().filter_map(Lease::parse));
            match output["LastEvaluatedKey"].take() {
                Value::Null => break,
                key => input["ExclusiveStartKey"] = key,
            }
        }
        if leases.is_empty() && rows > 0 && !self.has_the_key().await? {
            return Err(TableError::Foreign(self.name.clone()));
        }
        leases.sort_by(|a, b| a.shard.cmp(&b.shard));
        Ok(leases)
    }

    /// The lease of a shard; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the table cannot be read.
    pub(crate) async fn lease(&self, shard: &str) -> Result<Option<Lease>, TableError> {
        let input = json!({ "TableName": self.name, "ConsistentRead": true, "Key": { "leaseKey": { "S": shard } } });
        let output = self.call("GetItem", &input).await?;
        Ok(Lease::parse(&output["Item"]))
    }

    /// Moves a lease to a position, unless it has changed since it was read. The same update raises its counter and removes its owner.
    /// A worker that still takes itself for the owner can therefore neither renew the lease nor checkpoint.
    ///
    /// # Errors
    ///
    /// If the update fails. If its answer was lost, the lease is read again to see whether it was moved.
    pub(crate) async fn rewind(&self, lease: &Lease, to: &Position) -> Result<Outcome, TableError> {
        let (number, sub) = match to {
            Position::After { sequence_number, sub_sequence_number } => {
                (sequence_number.to_string(), *sub_sequence_number)
            }
            sentinel => (sentinel.to_string(), 0),
        };
        let update = format!(
            "SET checkpoint = :checkpoint, checkpointSubSequenceNumber = :sub, leaseCounter = :next, ownerSwitchesSinceCheckpoint = :zero \
             REMOVE leaseOwner, checkpointOwner, {PENDING}"
        );
        let next = lease.counter.saturating_add(1);
        let input = json!({
            "TableName": self.name,
            "Key": { "leaseKey": { "S": lease.shard } },
            "UpdateExpression": update,
            "ConditionExpression": "leaseCounter = :seen",
            "ExpressionAttributeValues": {
                ":checkpoint": { "S": number },
                ":sub": { "N": sub.to_string() },
                ":next": { "N": next.to_string() },
                ":seen": { "N": lease.counter.to_string() },
                ":zero": { "N": "0" },
            },
        });
        match self.dynamodb.call("UpdateItem", &self.name, &input).await {
            Ok(_) => Ok(Outcome::Moved),
            Err(AwsError::Refused { code, .. }) if code == "ConditionalCheckFailedException" => {
                // The first attempt may have been carried out although its answer was lost.
                let now = self.lease(&lease.shard).await?;
                let is_moved =
                    now.is_some_and(|now| now.counter == next && now.owner.is_none() && now.checkpoint == *to);
                Ok(if is_moved { Outcome::Moved } else { Outcome::Changed })
            }
            Err(error) => Err(TableError::of(error)),
        }
    }

    async fn call(&self, operation: &'static str, input: &Value) -> Result<Value, TableError> {
        self.dynamodb.call(operation, &self.name, input).await.map_err(TableError::of)
    }

    /// Whether the table has the key of a lease table. Its rows may all be other entities of the KCL.
    async fn has_the_key(&self) -> Result<bool, TableError> {
        match self.lease("shardId-000000000000").await {
            Ok(_) => Ok(true),
            // The key has another name.
            Err(TableError::Aws(AwsError::Refused { code, .. })) if code == "ValidationException" => Ok(false),
            Err(error) => Err(error),
        }
    }
}
