//! One `PutRecords` call.

use std::sync::Arc;

use aws_sdk_kinesis::error::BuildError;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use tokio::time::Instant;

use super::window::Item;
use crate::kinesis::connection::Connection;
use crate::kinesis::error::{AwsError, from_code};

/// The result of a call.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The numbers of the records in the call.
    pub(crate) numbers: Vec<u64>,
    /// When the call was made.
    pub(crate) made: Instant,
    /// For each record, in the same order, the shard that took it or the reason why it was refused.
    pub(crate) outcome: Result<Vec<Result<String, AwsError>>, AwsError>,
}

/// Puts records on the stream.
pub(crate) async fn put(aws: &Connection, stream: &str, items: Vec<Arc<Item>>) -> Answer {
    let numbers = items.iter().map(|item| item.number).collect();
    let made = Instant::now();
    let count = items.len();
    let entries: Result<Vec<_>, _> = items.iter().map(|item| entry(item)).collect();
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => {
            let error = AwsError::Other { operation: "PutRecords", why: error.to_string() };
            return Answer { numbers, made, outcome: Err(error) };
        }
    };
    let call = aws.client.put_records().stream_name(stream).set_records(Some(entries));
    let outcome = match call.send().await {
        Err(error) => Err(aws.explain("PutRecords", stream, error).await),
        Ok(output) if output.records.len() != count => {
            let what = format!("with {} records where {count} were sent", output.records.len());
            Err(AwsError::foreign("PutRecords", aws.place(), &what))
        }
        Ok(output) => Ok(output
            .records
            .into_iter()
            .map(|record| match (record.error_code, record.shard_id) {
                (None, Some(shard)) => Ok(shard),
                (code, _) => {
                    let (code, message) = (code.unwrap_or_default(), record.error_message.unwrap_or_default());
                    Err(from_code("PutRecords", stream, aws.place().clone(), &code, message))
                }
            })
            .collect()),
    };
    Answer { numbers, made, outcome }
}

fn entry(item: &Item) -> Result<PutRecordsRequestEntry, BuildError> {
    PutRecordsRequestEntry::builder()
        .data(Blob::new(item.data.as_slice()))
        .partition_key(&item.key)
        .set_explicit_hash_key(item.explicit_hash_key.clone())
        .build()
}
