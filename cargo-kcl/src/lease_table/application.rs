//! The application that the options name: its table, its stream, and the time within which its workers renew their leases.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::lease::{Lease, Leases};
use super::stream::Stream;
use super::table::{LeaseTable, TableError};
use crate::args::{ApplicationOptions, AwsOptions, without_password};
use crate::exit::WRONG_USE;
use crate::kinesis::account::Account;
use crate::kinesis::connection::Connection;
use crate::kinesis::dynamodb::DynamoDb;
use crate::kinesis::error::AwsError;
use crate::kinesis::shards::Shard;
use crate::metrics::Site;
use crate::properties::{Malformed, Properties};
use crate::report;

/// The daemon's default of failoverTimeMillis.
const FAILOVER: Duration = Duration::from_secs(10);
/// The most streams that are compared with the leases.
const STREAMS: i32 = 20;

/// The reason why an application cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplicationError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("{} cannot be read: {error}", path.display())]
    Properties { path: PathBuf, error: io::Error },
    #[error("{}, {error}", path.display())]
    Malformed { path: PathBuf, error: Malformed },
    #[error("{} does not set `applicationName`; name the application with --app NAME", .0.display())]
    Unnamed(PathBuf),
    #[error(
        "the table `{table}` has leases of several streams ({one}), which only programs in Java create; this command reads leases of one stream"
    )]
    Several { table: String, one: String },
    #[error("the stream is not named, and {why}; add --stream NAME")]
    WhichStream { why: String },
}

impl ApplicationError {
    /// The tool's exit code for this error.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Aws(error) => error.code(),
            Self::Table(error) => error.code(),
            _ => WRONG_USE,
        }
    }
}

/// An application.
#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) name: String,
    pub(crate) table: LeaseTable,
    pub(crate) failover: Duration,
    pub(crate) properties: Properties,
    kinesis: Connection,
    stream: Option<String>,
}

impl Application {
    /// Finds the application that the options name. Makes no call.
    ///
    /// # Errors
    ///
    /// If the properties cannot be read, or there is no region, or there are no credentials.
    pub(crate) async fn open(options: &ApplicationOptions, aws: &AwsOptions) -> Result<Self, ApplicationError> {
        let properties = match &options.properties {
            Some(path) => {
                let bytes =
                    fs::read(path).map_err(|error| ApplicationError::Properties { path: path.clone(), error })?;
                Properties::parse(&bytes).map_err(|error| ApplicationError::Malformed { path: path.clone(), error })?
            }
            None => Properties::default(),
        };
        let property = |key: &str| properties.get(key).map(str::to_owned).filter(|value| !value.is_empty());
        let name = options.app.clone().or_else(|| property("applicationName"));
        let name = name.ok_or_else(|| ApplicationError::Unnamed(options.properties.clone().unwrap_or_default()))?;
        let arn = property("streamArn");
        let of_arn = arn.as_deref().and_then(|arn| arn.rsplit('/').next()).map(str::to_owned);
        let failover = property("failoverTimeMillis").and_then(|millis| millis.parse().ok()).map(Duration::from_millis);
        let of_arn_region = arn.as_deref().and_then(|arn| arn.split(':').nth(3)).map(str::to_owned);
        let aws = AwsOptions {
            region: aws.region.clone().or_else(|| property("regionName")).or(of_arn_region),
            aws_profile: aws.aws_profile.clone(),
            endpoint: aws.endpoint.clone().or_else(|| property("kinesisEndpoint")),
            limits: aws.limits,
        };
        let account = Account::find(&aws).await?;
        let dynamodb = options.dynamodb_endpoint.clone().or_else(|| property("dynamoDBEndpoint"));
        // The daemon does not replace it either when --app names another application.
        let table = options.table.clone().or_else(|| property("tableName")).unwrap_or_else(|| name.clone());
        Ok(Self {
            table: LeaseTable::new(DynamoDb::of(&account, dynamodb.as_deref()).await?, &table),
            kinesis: Connection::of(&account, aws.endpoint.as_deref()).await?,
            failover: options.failover.or(failover.filter(|time| !time.is_zero())).unwrap_or(FAILOVER),
            stream: options.stream.clone().or(of_arn).or_else(|| property("streamName")),
            properties,
            name,
        })
    }

    /// All leases of the application.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or they are about several streams.
    pub(crate) async fn leases(&self) -> Result<Leases, ApplicationError> {
        let leases = self.table.leases().await?;
        // `account:stream:epoch:shard`.
        match leases.leases.iter().find(|lease| lease.shard.contains(':')) {
            Some(lease) => {
                Err(ApplicationError::Several { table: self.table.name.clone(), one: report::excerpt(&lease.shard) })
            }
            None => Ok(leases),
        }
    }

    /// The region of the stream.
    pub(crate) fn region(&self) -> &str {
        &self.kinesis.place().region
    }

    /// Where the table is.
    pub(crate) fn site(&self) -> Site {
        let place = self.table.place();
        Site { region: Some(place.region.clone()), endpoint: place.endpoint.as_deref().map(without_password) }
    }

    /// The name of the stream, if the options or the properties name it.
    pub(crate) fn stream_name(&self) -> Option<&str> {
        self.stream.as_deref()
    }

    /// Whether the options or the properties name the stream.
    pub(crate) fn names_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// The stream of these leases, and its shards.
    ///
    /// # Errors
    ///
    /// If the stream cannot be read, or is not named and not the only one that fits.
    pub(crate) async fn stream(&self, leases: &[Lease]) -> Result<(Stream, Vec<Shard>), ApplicationError> {
        if let Some(name) = &self.stream {
            let stream = Stream::new(self.kinesis.clone(), name);
            let shards = stream.shards().await?;
            return Ok((stream, shards));
        }
        let unknown = |why: String| Err(ApplicationError::WhichStream { why });
        let names = match self.kinesis.client.list_streams().limit(STREAMS).send().await {
            Ok(output) if !output.has_more_streams => output.stream_names,
            Ok(_) => return unknown("the region has too many streams to compare them with the leases".to_owned()),
            Err(error) => return unknown(self.kinesis.explain("ListStreams", "*", error).await.to_string()),
        };
        let mut fitting = Vec::new();
        for name in names {
            let stream = Stream::new(self.kinesis.clone(), &name);
            match stream.shards().await {
                Ok(shards) if fits(leases, &shards) => fitting.push((stream, shards)),
                Ok(_) | Err(AwsError::NoSuchStream { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match fitting.pop() {
            None => unknown("no stream in the region has the shards of the leases".to_owned()),
            Some((stream, shards)) if fitting.is_empty() => {
                report::line(format_args!(
                    "the stream is `{}`, the only one whose shards are those of the leases; name another one with --stream NAME",
                    stream.name
                ));
                Ok((stream, shards))
            }
            Some((last, _)) => {
                let mut names: Vec<_> = fitting.into_iter().map(|(stream, _)| stream.name).collect();
                names.push(last.name);
                unknown(format!("several streams have the shards of the leases: {}", names.join(", ")))
            }
        }
    }
}

/// Whether leases may be those of a stream with these shards.
fn fits(leases: &[Lease], shards: &[Shard]) -> bool {
    let mut matches = 0;
    for lease in leases {
        match shards.iter().find(|shard| shard.id == lease.shard) {
            Some(shard) => match &lease.range {
                Some((start, end))
                    if shard.range.start.to_string() != *start || shard.range.end.to_string() != *end =>
                {
                    return false;
                }
                _ => matches += 1,
            },
            // The shard may be past retention, in which case newer ones are there.
            None if shards.first().is_some_and(|oldest| oldest.id > lease.shard) => {}
            None => return false,
        }
    }
    matches > 0
}
