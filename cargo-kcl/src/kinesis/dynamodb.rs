//! A client for the few calls to DynamoDB that the tool makes: signed JSON, over the same connections as Kinesis.

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::Value;
use tokio::time::Instant;

use super::account::{Account, patience};
use super::error::{AwsError, from_code, not_answered, without_code};
use super::place::{Place, Service};
use super::trouble::{Remote, Troubles};

/// The prefix of the operations' names in requests.
const TARGET: &str = "DynamoDB_20120810";
/// The name of the only caller.
const CALLER: &str = "dynamodb";

/// A client for DynamoDB.
#[derive(Debug)]
pub(crate) struct DynamoDb {
    account: Account,
    place: Place,
    url: String,
    troubles: Troubles,
}

impl DynamoDb {
    /// A client with this account, at this URL unless the region's is meant. Makes no call to DynamoDB.
    ///
    /// # Errors
    ///
    /// If the URL is invalid, or there are no credentials.
    pub(crate) async fn of(account: &Account, endpoint: Option<&str>) -> Result<Self, AwsError> {
        let place = account.place(Service::DynamoDb, endpoint)?;
        account.credentials().await?;
        let url = match &place.endpoint {
            Some(url) => format!("{}/", url.trim_end_matches('/')),
            None => format!("https://dynamodb.{}.{}/", place.region, domain(&place.region)),
        };
        let troubles = Troubles::new("retrying", "DynamoDB answers again");
        Ok(Self { account: account.clone(), place, url, troubles })
    }

    /// Calls an operation on a table. A call that fails for a transient reason is repeated for a while.
    ///
    /// # Errors
    ///
    /// If the call fails, or the answer is not one of DynamoDB.
    pub(crate) async fn call(&self, operation: &'static str, table: &str, input: &Value) -> Result<Value, AwsError> {
        let once = async || {
            let request = self.request(operation, input).await?;
            match self.account.connector().call(request).await {
                Ok(answer) => self.parse(operation, table, answer).await,
                Err(error) => Err(not_answered(operation, self.place.clone(), &error)),
            }
        };
        self.troubles.persist(CALLER, self, self.patience(), once).await
    }

    /// How long a call is repeated while it fails.
    fn patience(&self) -> Duration {
        patience(self.account.idle())
    }

    async fn request(&self, operation: &'static str, input: &Value) -> Result<HttpRequest, AwsError> {
        let unusable = |why: String| AwsError::Other { operation, why };
        let body = input.to_string();
        let headers = [
            ("content-type", "application/x-amz-json-1.0".to_owned()),
            ("x-amz-target", format!("{TARGET}.{operation}")),
        ];
        let identity: Identity = self.account.credentials().await?.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.place.region)
            .name(Service::DynamoDb.prefix())
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let named = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new("POST", self.url.as_str(), named, SignableBody::Bytes(body.as_bytes()))
            .map_err(|error| unusable(error.to_string()))?;
        let (signed, _) = sign(signable, &params.into()).map_err(|error| unusable(error.to_string()))?.into_parts();
        let mut request = HttpRequest::new(SdkBody::from(body.as_str()));
        request.set_method("POST").map_err(|error| unusable(error.to_string()))?;
        request.set_uri(self.url.as_str()).map_err(|error| unusable(error.to_string()))?;
        let all = headers.iter().map(|(name, value)| (*name, value.as_str())).chain(signed.headers());
        for (name, value) in all {
            let added = request.headers_mut().try_insert(name.to_owned(), value.to_owned());
            added.map_err(|error| unusable(error.to_string()))?;
        }
        Ok(request)
    }

    /// The content of an answer, or the error that it is.
    async fn parse(&self, operation: &'static str, table: &str, mut answer: HttpResponse) -> Result<Value, AwsError> {
        let body = match ByteStream::new(answer.take_body()).collect().await {
            Ok(body) => body.into_bytes(),
            Err(error) => return Err(not_answered(operation, self.place.clone(), &error)),
        };
        let content: Option<Value> = serde_json::from_slice(&body).ok().filter(Value::is_object);
        let status = answer.status();
        if status.is_success()
            && let Some(content) = content
        {
            return Ok(content);
        }
        let code = content.as_ref().and_then(|content| content["__type"].as_str()).unwrap_or_default();
        // `com.amazonaws.dynamodb.v20120810#ResourceNotFoundException`, or the name alone.
        let code = code.rsplit('#').next().unwrap_or(code);
        let Some(content) = content.as_ref().filter(|_| !code.is_empty()) else {
            *answer.body_mut() = SdkBody::from(body);
            return Err(without_code(operation, self.place.clone(), &answer));
        };
        let message = content["message"].as_str().or(content["Message"].as_str()).unwrap_or_default();
        let message = message.trim_end_matches('.').to_owned();
        Err(match from_code(operation, table, self.place.clone(), code, message) {
            AwsError::Refused { code, message, .. } if status.is_server_error() => {
                AwsError::ServiceFailed { operation, service: Service::DynamoDb, code, message }
            }
            error => error,
        })
    }
}

impl Remote for DynamoDb {
    fn place(&self) -> &Place {
        &self.place
    }

    fn moved(&self) -> Instant {
        self.account.clock().moved()
    }
}

/// The domain of the services in a region.
fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else if region.starts_with("us-iso-") {
        "c2s.ic.gov"
    } else if region.starts_with("us-isob-") {
        "sc2s.sgov.gov"
    } else {
        "amazonaws.com"
    }
}
