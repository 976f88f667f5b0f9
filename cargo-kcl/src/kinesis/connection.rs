//! A client for Kinesis.

use std::time::{Duration, SystemTime};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::types::{StreamDescriptionSummary, StreamStatus};
use tokio::time::Instant;

use super::account::{Account, patience};
use super::error::{AwsError, explain};
use super::http::Clock;
use super::place::{Place, Service};
use super::trouble::Remote;
use crate::args::AwsOptions;

/// The most stream names that a missing stream is compared with.
const NAMES: i32 = 1_000;

/// A client, and the place it connects to. A call is made once; whoever makes it decides whether to repeat it.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    place: Place,
    clock: Clock,
    idle: Duration,
}

/// Runs a future, and every task that it spawns, on this thread until the future ends.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, AwsError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AwsError::Runtime)?;
    let output = runtime.block_on(future);
    // A thread that resolves a name must not keep the tool from ending.
    runtime.shutdown_background();
    Ok(output)
}

impl Connection {
    /// Finds the region, the endpoint and the credentials. Makes no call to Kinesis.
    ///
    /// # Errors
    ///
    /// If there is no region, or there are no credentials.
    pub(crate) async fn open(options: &AwsOptions) -> Result<Self, AwsError> {
        let account = Account::find(options).await?;
        Self::of(&account, options.endpoint.as_deref()).await
    }

    /// A client for Kinesis with this account, at this URL unless the region's is meant.
    ///
    /// # Errors
    ///
    /// If the URL is invalid, or there are no credentials.
    pub(crate) async fn of(account: &Account, endpoint: Option<&str>) -> Result<Self, AwsError> {
        let place = account.place(Service::Kinesis, endpoint)?;
        account.credentials().await?;
        let mut kinesis = aws_sdk_kinesis::config::Builder::from(account.config());
        kinesis.set_endpoint_url(place.endpoint.as_deref().map(str::to_owned));
        kinesis.set_retry_config(Some(RetryConfig::disabled()));
        let client = Client::from_conf(kinesis.build());
        Ok(Self { client, place, clock: account.clock().clone(), idle: account.idle() })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// When the last byte was sent or received.
    pub(crate) fn moved(&self) -> Instant {
        self.clock.moved()
    }

    /// The time at Kinesis, or a little earlier. The clock of this machine may be wrong.
    pub(crate) fn time(&self) -> SystemTime {
        self.clock.at_service()
    }

    /// The longest time in which no byte is sent or received.
    pub(crate) fn idle(&self) -> Duration {
        self.idle
    }

    /// How long a single command is repeated while its calls fail.
    pub(crate) fn patience(&self) -> Duration {
        patience(self.idle)
    }

    /// Describes a stream.
    ///
    /// # Errors
    ///
    /// If the call fails, or its answer is empty.
    pub(crate) async fn describe(&self, stream: &str) -> Result<StreamDescriptionSummary, AwsError> {
        match self.summary(stream).await {
            Err(error) => Err(self.with_names_near(error).await),
            described => described,
        }
    }

    /// The status of a stream; `None` if there is no such stream.
    ///
    /// # Errors
    ///
    /// If the call fails, or its answer is empty.
    pub(crate) async fn status(&self, stream: &str) -> Result<Option<StreamStatus>, AwsError> {
        match self.summary(stream).await {
            Ok(summary) => Ok(Some(summary.stream_status)),
            Err(AwsError::NoSuchStream { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn summary(&self, stream: &str) -> Result<StreamDescriptionSummary, AwsError> {
        let operation = "DescribeStreamSummary";
        match self.client.describe_stream_summary().stream_name(stream).send().await {
            // The SDK makes up what an answer does not contain.
            Ok(output) => match output.stream_description_summary.filter(|summary| !summary.stream_name.is_empty()) {
                Some(summary) => Ok(summary),
                None => Err(AwsError::foreign(operation, &self.place, "without a summary")),
            },
            Err(error) => Err(explain(operation, stream, &self.place, error)),
        }
    }

    /// Explains the error of a call of this operation on this stream.
    pub(crate) async fn explain<E>(
        &self,
        operation: &'static str,
        stream: &str,
        error: SdkError<E, HttpResponse>,
    ) -> AwsError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.with_names_near(explain(operation, stream, &self.place, error)).await
    }

    /// Adds the names of similar streams to the error of a missing one.
    async fn with_names_near(&self, mut error: AwsError) -> AwsError {
        if let AwsError::NoSuchStream { name, near, .. } = &mut error {
            *near = self.names_near(name).await;
        }
        error
    }

    /// The names of streams that the user may have meant; empty if the streams cannot be listed.
    async fn names_near(&self, name: &str) -> Vec<String> {
        let Ok(output) = self.client.list_streams().limit(NAMES).send().await else { return Vec::new() };
        let mut names: Vec<_> =
            output.stream_names.into_iter().map(|other| (strsim::jaro_winkler(name, &other), other)).collect();
        // A stream of the same name may have been created since.
        names.retain(|(likeness, other)| *likeness > 0.65 && other != name);
        names.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        names.into_iter().map(|(_, name)| name).take(3).collect()
    }
}

impl Remote for Connection {
    fn place(&self) -> &Place {
        self.place()
    }

    fn moved(&self) -> Instant {
        self.moved()
    }
}
