//! The protobuf messages of an aggregate.
//!
//! What the format requires is optional here, so that what is missing shows. Text is bytes, as the KCL's reader does not mind
//! what is no UTF-8.

use prost::bytes::Bytes;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Aggregate {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) partition_keys: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(super) explicit_hash_keys: Vec<Bytes>,
    #[prost(message, repeated, tag = "3")]
    pub(super) records: Vec<Part>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Part {
    #[prost(uint64, optional, tag = "1")]
    pub(super) partition_key_index: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    pub(super) explicit_hash_key_index: Option<u64>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub(super) data: Option<Bytes>,
    #[prost(message, repeated, tag = "4")]
    pub(super) tags: Vec<Tag>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Tag {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(super) key: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(super) value: Option<Bytes>,
}

impl Aggregate {
    /// Whether all is there that the format requires.
    pub(super) fn is_complete(&self) -> bool {
        self.records.iter().all(|part| {
            let tagged = part.tags.iter().all(|tag| tag.key.is_some());
            part.partition_key_index.is_some() && part.data.is_some() && tagged
        })
    }
}
