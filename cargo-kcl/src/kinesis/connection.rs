//! A client for Kinesis, with the region, endpoint and credentials that the AWS SDK finds.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::Region;
use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::types::{StreamDescriptionSummary, StreamStatus};
use aws_types::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use tokio::time::Instant;

use super::error::{AwsError, explain};
use super::http::{self, Clock};
use super::place::Place;
use crate::args::AwsOptions;
use crate::signals;

/// The most stream names that a missing stream is compared with.
const NAMES: i32 = 1_000;
/// How many idle limits a single command is worth: a minute by default.
const ATTEMPTS: u32 = 6;

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
    /// Finds the region, the endpoint and the credentials. Makes no call to Kinesis. The calls that follow may last, so from now on a
    /// signal ends the tool with the exit code of an interruption, even before the verb catches it.
    ///
    /// # Errors
    ///
    /// If there is no region, or there are no credentials.
    pub(crate) async fn open(options: &AwsOptions) -> Result<Self, AwsError> {
        signals::end_until_caught().map_err(AwsError::Runtime)?;
        let clock = Clock::new();
        let http = http::client(options.limits, &clock).map_err(AwsError::Runtime)?;
        // The limits of the client replace those of the SDK.
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http.clone())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(region) = &options.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &options.aws_profile {
            // An explicit profile takes precedence over the environment, as in the AWS CLI.
            let provider = ProviderConfig::without_region().with_http_client(http);
            let credentials = ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&provider);
            loader = loader.profile_name(profile).credentials_provider(credentials.build());
        }
        let config = loader.load().await;
        let region = config.region().ok_or(AwsError::NoRegion)?.to_string();
        let place = Place { region, endpoint: options.endpoint.clone().or_else(|| endpoint(&config)) };
        if let Some(url) = place.endpoint.as_deref().filter(|url| !is_url(url)) {
            return Err(AwsError::Endpoint(url.to_owned()));
        }
        match config.credentials_provider() {
            None => return Err(AwsError::NoCredentials("no credentials provider".to_owned())),
            Some(provider) => match (provider.provide_credentials().await, &options.aws_profile) {
                (Ok(_), _) => {}
                (Err(error), Some(profile)) => return Err(AwsError::profile(profile, &error)),
                (Err(error), None) => return Err(error.into()),
            },
        }
        let mut kinesis = aws_sdk_kinesis::config::Builder::from(&config);
        kinesis.set_endpoint_url(place.endpoint.clone());
        kinesis.set_retry_config(Some(RetryConfig::disabled()));
        let client = Client::from_conf(kinesis.build());
        Ok(Self { client, place, clock, idle: options.limits.idle })
    }

    /// When the last byte was sent or received.
    pub(crate) fn moved(&self) -> Instant {
        self.clock.moved()
    }

    /// The longest time in which no byte is sent or received.
    pub(crate) fn idle(&self) -> Duration {
        self.idle
    }

    /// How long a single command is repeated while its calls fail.
    pub(crate) fn patience(&self) -> Duration {
        self.idle * ATTEMPTS
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
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

/// Whether HTTP can go there.
fn is_url(url: &str) -> bool {
    let uri = url.parse::<hyper::Uri>();
    uri.is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    })
}

/// The endpoint that the environment or the profile names, for Kinesis or for all services.
fn endpoint(config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id("Kinesis")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let own = config.service_config().and_then(|services| services.load_config(key));
    own.or_else(|| config.endpoint_url().map(str::to_owned))
}
