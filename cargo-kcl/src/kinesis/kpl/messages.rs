//! The protobuf messages of an aggregate.
//!
//! Fields that the format requires are optional here, so that a missing one can be detected. Text fields are bytes, because the
//! KCL's reader accepts text that is not UTF-8.

use prost::bytes::Bytes;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Aggregate {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(crate) partition_keys: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(crate) explicit_hash_keys: Vec<Bytes>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) records: Vec<Part>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Part {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) partition_key_index: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) explicit_hash_key_index: Option<u64>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub(crate) data: Option<Bytes>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) tags: Vec<Tag>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Tag {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) key: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) value: Option<Bytes>,
}

impl Aggregate {
    /// Whether all fields that the format requires are present.
    pub(crate) fn is_complete(&self) -> bool {
        self.records.iter().all(|part| {
            let tagged = part.tags.iter().all(|tag| tag.key.is_some());
            part.partition_key_index.is_some() && part.data.is_some() && tagged
        })
    }
}
