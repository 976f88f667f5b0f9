//! Kinesis, on AWS or at another endpoint.
//!
//! All of it needs the feature `aws`: the AWS SDK takes longer to build than the rest of the tool. A build without the feature has
//! the same command line, and leaves the work to the installed tool.

#[cfg(feature = "aws")]
pub(crate) mod connection;
#[cfg(feature = "aws")]
pub(crate) mod cursor;
#[cfg(feature = "aws")]
pub(crate) mod error;
#[cfg(feature = "aws")]
pub(crate) mod kpl;
#[cfg(feature = "aws")]
pub(crate) mod pace;
#[cfg(feature = "aws")]
pub(crate) mod reader;
#[cfg(feature = "aws")]
pub(crate) mod shards;
#[cfg(feature = "aws")]
pub(crate) mod trouble;
