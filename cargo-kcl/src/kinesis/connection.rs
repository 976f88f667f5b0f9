//! A client for Kinesis, with the region, endpoint and credentials that the AWS SDK finds.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::Region;
use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::types::StreamDescriptionSummary;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_types::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

use super::error::{AwsError, explain};
use super::place::Place;
use crate::args::AwsOptions;

/// The longest wait for an answer, in which ten megabytes may be transferred.
const CALL: Duration = Duration::from_secs(60);
/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// The most stream names that a missing stream is compared with.
const NAMES: i32 = 1_000;

/// A client, and the place it connects to.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    place: Place,
}

/// Runs a future, and every task that it spawns, on this thread until the future ends.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, AwsError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AwsError::Runtime)?;
    Ok(runtime.block_on(future))
}

impl Connection {
    /// Finds the region, the endpoint and the credentials. Makes no call to Kinesis.
    ///
    /// # Errors
    ///
    /// If there is no region, or there are no credentials.
    pub(crate) async fn open(options: &AwsOptions) -> Result<Self, AwsError> {
        let http =
            aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(CALL).build();
        let mut loader =
            aws_config::defaults(BehaviorVersion::latest()).http_client(http.clone()).timeout_config(timeouts);
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
        Ok(Self { client: Client::from_conf(kinesis.build()), place })
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
        match self.client.describe_stream_summary().stream_name(stream).send().await {
            Ok(output) => output.stream_description_summary.ok_or_else(|| AwsError::Other {
                operation: "DescribeStreamSummary",
                why: "the answer contains no summary".to_owned(),
            }),
            Err(error) => Err(self.explain("DescribeStreamSummary", stream, error).await),
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
        let mut error = explain(operation, stream, &self.place, error);
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
