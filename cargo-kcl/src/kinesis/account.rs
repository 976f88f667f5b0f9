//! The region, the endpoints and the credentials that the AWS SDK finds.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_kinesis::config::Region;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_types::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

use super::error::AwsError;
use super::http::{self, Clock};
use super::place::{Place, Service};
use crate::args::{AwsOptions, without_password};
use crate::signals;

/// How many idle limits a single command is worth: a minute by default.
const ATTEMPTS: u32 = 6;

/// How long a single command is repeated while its calls fail, given the idle limit.
pub(super) fn patience(idle: Duration) -> Duration {
    idle * ATTEMPTS
}

/// The parts that clients for several services share.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    config: SdkConfig,
    connector: SharedHttpConnector,
    clock: Clock,
    idle: Duration,
    region: String,
    profile: Option<String>,
}

impl Account {
    /// Finds the region. The calls that follow may last, so from now on a signal ends the tool with the exit code of an
    /// interruption, even before the verb catches it.
    ///
    /// # Errors
    ///
    /// If there is no region.
    pub(crate) async fn find(options: &AwsOptions) -> Result<Self, AwsError> {
        signals::end_until_caught().map_err(AwsError::Runtime)?;
        let clock = Clock::new();
        let connector = http::connector(options.limits, &clock).map_err(AwsError::Runtime)?;
        // The limits of the client replace those of the SDK.
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http::client(&connector))
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(region) = &options.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &options.aws_profile {
            // An explicit profile takes precedence over the environment, as in the AWS CLI.
            let provider = ProviderConfig::without_region().with_http_client(http::client(&connector));
            let credentials = ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&provider);
            loader = loader.profile_name(profile).credentials_provider(credentials.build());
        }
        let config = loader.load().await;
        let region = config.region().ok_or(AwsError::NoRegion)?.to_string();
        Ok(Self { config, connector, clock, idle: options.limits.idle, region, profile: options.aws_profile.clone() })
    }

    /// The place of a service: at this URL, or else at the one that the environment or the profile names, or else in the region.
    ///
    /// # Errors
    ///
    /// If the URL is invalid.
    pub(crate) fn place(&self, service: Service, endpoint: Option<&str>) -> Result<Place, AwsError> {
        let endpoint = endpoint.map(str::to_owned).or_else(|| configured(&self.config, service));
        match endpoint {
            Some(url) if !is_url(&url) => Err(AwsError::Endpoint(without_password(&url))),
            endpoint => Ok(Place { service, region: self.region.clone(), endpoint: endpoint.map(Into::into) }),
        }
    }

    /// The credentials, renewed if they are about to expire.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub(crate) async fn credentials(&self) -> Result<Credentials, AwsError> {
        let Some(provider) = self.config.credentials_provider() else {
            return Err(AwsError::NoCredentials("no credentials provider".to_owned()));
        };
        match (provider.provide_credentials().await, &self.profile) {
            (Ok(credentials), _) => Ok(credentials),
            (Err(error), Some(profile)) => Err(AwsError::profile(profile, &error)),
            (Err(error), None) => Err(error.into()),
        }
    }

    pub(super) fn config(&self) -> &SdkConfig {
        &self.config
    }

    pub(super) fn connector(&self) -> &SharedHttpConnector {
        &self.connector
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The longest time in which no byte is sent or received.
    pub(super) fn idle(&self) -> Duration {
        self.idle
    }
}

/// Whether HTTP can go there.
fn is_url(url: &str) -> bool {
    let uri = url.parse::<hyper::Uri>();
    uri.is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    })
}

/// The endpoint that the environment or the profile names, for this service or for all services.
fn configured(config: &SdkConfig, service: Service) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(match service {
            Service::Kinesis => "Kinesis",
            Service::DynamoDb => "DynamoDB",
        })
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let own = config.service_config().and_then(|services| services.load_config(key));
    own.or_else(|| config.endpoint_url().map(str::to_owned))
}
