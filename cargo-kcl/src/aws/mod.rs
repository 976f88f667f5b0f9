//! Kinesis, on AWS or wherever an endpoint says.
//!
//! All of it stands behind the feature `aws`: what talks to AWS takes longer to build than all the rest of the tool. A build
//! without it has the same command line, and says which command builds the whole.

#[cfg(not(feature = "aws"))]
mod absent;
#[cfg(feature = "aws")]
pub(crate) mod connection;
#[cfg(feature = "aws")]
pub(crate) mod error;
#[cfg(feature = "aws")]
pub(crate) mod pace;
#[cfg(feature = "aws")]
mod put;
#[cfg(feature = "aws")]
pub(crate) mod shards;
#[cfg(feature = "aws")]
mod stream;
#[cfg(feature = "aws")]
mod tail;
#[cfg(feature = "aws")]
pub(crate) mod trouble;

#[cfg(not(feature = "aws"))]
pub(crate) use self::absent::refuse;
#[cfg(feature = "aws")]
pub(crate) use self::{put::run as put, stream::run as stream, tail::run as tail};
