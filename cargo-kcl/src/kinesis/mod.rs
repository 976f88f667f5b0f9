//! Kinesis, on AWS or wherever an endpoint says.
//!
//! All of it stands behind the feature `aws`: what talks to AWS takes longer to build than all the rest of the tool. A build
//! without it has the same command line, and says which command builds the whole.

#[cfg(not(feature = "aws"))]
pub(crate) mod absent;
#[cfg(feature = "aws")]
pub(crate) mod connection;
#[cfg(feature = "aws")]
pub(crate) mod error;
#[cfg(feature = "aws")]
pub(crate) mod kpl;
#[cfg(feature = "aws")]
pub(crate) mod pace;
#[cfg(feature = "aws")]
pub(crate) mod shards;
#[cfg(feature = "aws")]
pub(crate) mod trouble;
