//! Kinesis and DynamoDB, on AWS or at another endpoint.
//!
//! All of it needs the feature `aws`: the AWS SDK takes longer to build than the rest of the tool. A build without the feature has
//! the same command line, and leaves the work to the installed tool.

pub(crate) mod account;
mod bounded;
pub(crate) mod connection;
pub(crate) mod cursor;
pub(crate) mod dynamodb;
pub(crate) mod error;
mod http;
pub(crate) mod pace;
pub(crate) mod place;
pub(crate) mod reader;
pub(crate) mod shards;
pub(crate) mod trouble;
