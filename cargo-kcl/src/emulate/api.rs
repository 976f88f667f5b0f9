//! The part of the two services' JSON APIs that a local stream and its lease table need.

use std::time::Duration;

use serde_json::Value;

use super::{ACCESS_KEY, REGION};
use crate::report;

/// A time that no call to this machine should reach.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A service that speaks AWS's JSON protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Kinesis,
    DynamoDb,
}

/// The address of a service.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    service: Service,
    url: String,
}

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{operation} at {url}: {error}")]
    Http { operation: &'static str, url: String, error: minreq::Error },
    #[error("{operation} at {url} answered {kind}: {message}")]
    Refused { operation: &'static str, url: String, kind: String, message: String },
    #[error("{operation} at {url}: cannot parse the answer: {text}")]
    Answer { operation: &'static str, url: String, text: String },
}

impl ApiError {
    /// Whether the service refused with this exception.
    pub(crate) fn is(&self, exception: &str) -> bool {
        matches!(self, Self::Refused { kind, .. } if kind == exception)
    }
}

impl Endpoint {
    pub(crate) fn new(service: Service, url: impl Into<String>) -> Self {
        Self { service, url: url.into().trim_end_matches('/').to_owned() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Calls an operation.
    ///
    /// # Errors
    ///
    /// If the service cannot be reached or refuses.
    pub(crate) fn call(&self, operation: &'static str, input: &Value) -> Result<Value, ApiError> {
        let (prefix, version, name) = match self.service {
            Service::Kinesis => ("Kinesis_20131202", "1.1", "kinesis"),
            Service::DynamoDb => ("DynamoDB_20120810", "1.0", "dynamodb"),
        };
        // The emulators check only the form of the signature.
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/{REGION}/{name}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let url = || self.url.clone();
        let response = minreq::post(format!("{}/", self.url))
            .with_header("Content-Type", format!("application/x-amz-json-{version}"))
            .with_header("X-Amz-Target", format!("{prefix}.{operation}"))
            .with_header("X-Amz-Date", "20260101T000000Z")
            .with_header("Authorization", authorization)
            .with_body(input.to_string())
            .with_timeout(TIMEOUT.as_secs())
            .send()
            .map_err(|error| ApiError::Http { operation, url: url(), error })?;
        let text = response.as_str().unwrap_or_default().trim();
        let answer = if text.is_empty() { Ok(Value::Null) } else { serde_json::from_str(text) };
        let Ok(answer) = answer else {
            return Err(ApiError::Answer { operation, url: url(), text: report::excerpt(text) });
        };
        if response.status_code == 200 {
            return Ok(answer);
        }
        // `com.amazonaws.dynamodb.v20120810#ResourceInUseException`, or the name alone.
        let kind = answer["__type"].as_str().unwrap_or_default();
        Err(ApiError::Refused {
            operation,
            url: url(),
            kind: kind.rsplit('#').next().unwrap_or(kind).to_owned(),
            message: answer["message"].as_str().or(answer["Message"].as_str()).unwrap_or_default().to_owned(),
        })
    }
}
