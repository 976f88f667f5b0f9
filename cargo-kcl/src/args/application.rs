//! The options that name an application and its tables.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::{interval, stream_name};

/// An application, its stream and its workers.
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "aws"), allow(dead_code))]
pub(crate) struct ApplicationOptions {
    /// Name of the application, which is that of its DynamoDB table of leases unless --table names another
    #[arg(long, value_name = "NAME", env = "KCL_APP", value_parser = NonEmptyStringValueParser::new(), required_unless_present = "properties")]
    pub(crate) app: Option<String>,

    /// Name of the stream; by default the stream whose shards are those of the leases, if there is only one
    #[arg(long, value_name = "NAME", env = "KCL_STREAM", value_parser = stream_name())]
    pub(crate) stream: Option<String>,

    /// Name of the DynamoDB table of leases, if it is not that of the application; tableName of the properties does the same
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) table: Option<String>,

    /// Read the names, the endpoints and failoverTimeMillis from these properties of the daemon
    #[arg(long, value_name = "FILE")]
    pub(crate) properties: Option<PathBuf>,

    /// failoverTimeMillis of the workers: the owner of a lease counts as dead if it does not renew the lease in twice this time; by default
    /// the daemon's own default, 10s
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub(crate) failover: Option<Duration>,

    /// URL of DynamoDB, if it is not the region's; by default AWS_ENDPOINT_URL_DYNAMODB
    #[arg(long, value_name = "URL", help_heading = "AWS", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) dynamodb_endpoint: Option<String>,
}
