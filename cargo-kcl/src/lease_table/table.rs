//! A lease table in DynamoDB: how it is read, and how a lease is moved.

use kcl::Position;
use serde_json::{Value, json};

use super::lease::{Lease, Leases};
use crate::exit::FAILED;
use crate::kinesis::dynamodb::DynamoDb;
use crate::kinesis::error::AwsError;
use crate::kinesis::place::Place;
use crate::kinesis::trouble::Remote as _;

/// The attributes of a checkpoint that was prepared and not made.
const PENDING: &str = "pendingCheckpoint, pendingCheckpointSubSequenceNumber, pendingCheckpointState";

/// The condition that nobody has renewed or taken a lease since it was read.
const AS_SEEN: &str = "leaseCounter = :seen";
/// The reasons for a cancelled transaction that mean that somebody else writes to its leases.
const CHANGED: [&str; 2] = ["ConditionalCheckFailed", "TransactionConflict"];
/// The length of a transaction's token. DynamoDB takes 36 characters at most.
const TOKEN: usize = 32;

/// The reason why a lease table cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("{0}; the workers of an application create it when they first start, and --app names it")]
    NoTable(AwsError),
    #[error("the table `{0}` is not a lease table: none of its rows is a lease")]
    Foreign(String),
    #[error(
        "the lease of {shard} may have been moved: {error}; look at it with `cargo kcl leases` before you run this again"
    )]
    Unclear { shard: String, error: Box<AwsError> },
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
            Self::Foreign(_) | Self::Unclear { .. } => FAILED,
        }
    }
}

/// The result of a conditional update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Moved,
    /// The lease, or that of a shard that follows, is not as it was seen: a worker created, renewed, took or deleted it meanwhile.
    Changed,
}

/// A shard that had not begun when the leases were read, and that follows one whose lease is to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Follower<'a> {
    /// It has this lease.
    Waiting(&'a Lease),
    /// The shard with this id does not have a lease.
    Absent(String),
}

/// The table of an application.
#[derive(Debug)]
pub(crate) struct LeaseTable {
    dynamodb: DynamoDb,
    pub(super) name: String,
}

impl LeaseTable {
    pub(crate) fn new(dynamodb: DynamoDb, name: &str) -> Self {
        Self { dynamodb, name: name.to_owned() }
    }

    /// Where the table is.
    pub(super) fn place(&self) -> &Place {
        self.dynamodb.place()
    }

    /// All leases, ordered by shard.
    ///
    /// # Errors
    ///
    /// If the table cannot be read, or has rows but no lease.
    pub(crate) async fn leases(&self) -> Result<Leases, TableError> {
        let mut leases = Leases::default();
        let mut rows = 0;
        let mut input = json!({ "TableName": self.name, "ConsistentRead": true });
        loop {
            let mut output = self.call("Scan", &input).await?;
            let Value::Array(page) = output["Items"].take() else {
                return Err(AwsError::foreign("Scan", self.dynamodb.place(), "without rows").into());
            };
            rows += page.len();
            page.iter().for_each(|row| leases.add(row));
            match output["LastEvaluatedKey"].take() {
                Value::Null => break,
                key => input["ExclusiveStartKey"] = key,
            }
        }
        if leases.is_empty() && rows > 0 && !self.has_the_key().await? {
            return Err(TableError::Foreign(self.name.clone()));
        }
        leases.sort();
        Ok(leases)
    }

    /// The lease of a shard; `None` if there is none that can be read.
    ///
    /// # Errors
    ///
    /// If the table cannot be read.
    pub(crate) async fn lease(&self, shard: &str) -> Result<Option<Lease>, TableError> {
        let input = json!({ "TableName": self.name, "ConsistentRead": true, "Key": { "leaseKey": { "S": shard } } });
        let output = self.call("GetItem", &input).await?;
        Ok(Lease::parse(&output["Item"]))
    }

    /// Moves a lease to a position, unless it or one of its followers has changed since it was read. The same transaction raises its
    /// counter and removes its owner. A worker that still takes itself for the owner can therefore neither renew the lease nor checkpoint.
    ///
    /// # Errors
    ///
    /// If the lease was not moved for another reason, or if nobody can tell whether it was.
    pub(crate) async fn rewind(
        &self,
        lease: &Lease,
        followers: &[Follower<'_>],
        to: &Position,
    ) -> Result<Outcome, TableError> {
        let next = lease.counter.saturating_add(1);
        let mut items = vec![self.update(lease, next, to)];
        items.extend(followers.iter().map(|follower| self.check(follower)));
        // With the token, an attempt after a lost answer succeeds if the first one did, whatever happened to the lease since.
        let token: String = std::iter::repeat_with(fastrand::alphanumeric).take(TOKEN).collect();
        let input = json!({ "TransactItems": items, "ClientRequestToken": token });
        let error = match self.dynamodb.call("TransactWriteItems", &self.name, &input).await {
            Ok(_) => return Ok(Outcome::Moved),
            Err(AwsError::Refused { code, message, .. })
                if code == "TransactionCanceledException" && CHANGED.iter().any(|reason| message.contains(reason)) =>
            {
                return Ok(Outcome::Changed);
            }
            Err(error) => error,
        };
        match self.lease(&lease.shard).await {
            // Otherwise an attempt may be carried out after this look.
            Ok(Some(now)) if now == *lease && !error.leaves_open() => Err(TableError::of(error)),
            Ok(Some(now)) if now.counter == next && now.owner.is_none() && now.checkpoint == *to => Ok(Outcome::Moved),
            _ => Err(TableError::Unclear { shard: lease.shard.clone(), error: Box::new(error) }),
        }
    }

    /// The part of the transaction that checks that a shard has not begun.
    fn check(&self, follower: &Follower<'_>) -> Value {
        let (shard, condition) = match follower {
            Follower::Waiting(lease) => (lease.shard.as_str(), AS_SEEN),
            Follower::Absent(shard) => (shard.as_str(), "attribute_not_exists(leaseKey)"),
        };
        let mut check = json!({
            "TableName": self.name,
            "Key": { "leaseKey": { "S": shard } },
            "ConditionExpression": condition,
        });
        // DynamoDB refuses values that no expression uses.
        if let Follower::Waiting(lease) = follower {
            check["ExpressionAttributeValues"] = json!({ ":seen": { "N": lease.counter.to_string() } });
        }
        json!({ "ConditionCheck": check })
    }

    /// The part of the transaction that moves the lease.
    fn update(&self, lease: &Lease, next: u64, to: &Position) -> Value {
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
        json!({ "Update": {
            "TableName": self.name,
            "Key": { "leaseKey": { "S": lease.shard } },
            "UpdateExpression": update,
            "ConditionExpression": AS_SEEN,
            "ExpressionAttributeValues": {
                ":checkpoint": { "S": number },
                ":sub": { "N": sub.to_string() },
                ":next": { "N": next.to_string() },
                ":seen": { "N": lease.counter.to_string() },
                ":zero": { "N": "0" },
            },
        } })
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
