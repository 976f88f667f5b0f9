//! Errors of AWS, each a sentence that says what to do.

use std::error::Error;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};

use super::bounded::TooLong;
use super::http::is_expiry;
use super::place::{Place, Service};
use crate::exit::{FAILED, WRONG_USE};
use crate::report;

/// The code for a transaction of DynamoDB that is still being carried out.
const IN_PROGRESS: &str = "TransactionInProgressException";

/// The reason why a request to AWS failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AwsError {
    #[error("no AWS region is set; give --region REGION, or set AWS_REGION or `region` in the profile")]
    NoRegion,
    #[error(
        "no AWS credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --aws-profile or AWS_PROFILE (after `aws sso login`, if it is an SSO profile); the AWS SDK reports: {0}"
    )]
    NoCredentials(String),
    #[error("the profile `{name}` does not provide credentials: {message}")]
    Profile { name: String, message: String },
    #[error("the AWS credentials cannot be loaded: {0}")]
    Credentials(String),
    #[error(
        "the AWS credentials have expired; renew them (`aws sso login`, or a new AWS_SESSION_TOKEN) and run this again ({0})"
    )]
    ExpiredCredentials(String),
    #[error(
        "AWS does not accept the credentials; the access key or its secret is wrong, or not valid {place} ({message})"
    )]
    RefusedCredentials { place: Place, message: String },
    #[error("AWS does not accept the signature: the clock of this machine is wrong ({0})")]
    Clock(String),
    #[error("there is no stream `{name}` {place}{}", suggest(near))]
    NoSuchStream { name: String, place: Place, near: Vec<String> },
    #[error("there is no table `{name}` {place}; check the name, the region and the account")]
    NoSuchTable { name: String, place: Place },
    #[error("the stream `{stream}` already exists {place}")]
    Exists { stream: String, place: Place },
    #[error("denied: {who} may not `{action}` on {on}; an IAM policy must allow that action there ({message})")]
    Denied { who: String, action: String, on: String, message: String },
    #[error(
        "{operation}: the key that encrypts the stream `{stream}` cannot be used ({code}): {message}; allow `kms:GenerateDataKey` for writing and `kms:Decrypt` for reading on an enabled key"
    )]
    Kms { operation: &'static str, stream: String, code: String, message: String },
    #[error("`{0}` is not the URL of an endpoint; write one such as http://localhost:4566")]
    Endpoint(String),
    #[error(
        "{operation}: the answer {place} is not one of {}: HTTP status {status}, {what}; a proxy, a login page of the network or another service may have sent it; check the endpoint and the network",
        place.service
    )]
    Foreign { operation: &'static str, place: Place, status: u16, what: String },
    #[error(
        "{operation}: the answer {place} is longer than any of {}: {why}; a proxy or another service may have sent it; check the endpoint and the network",
        place.service
    )]
    TooLong { operation: &'static str, place: Place, why: String },
    #[error(
        "{operation}: {} {place} does not prove its identity: {why}; check the endpoint, the clock, and whether a proxy or a login page of the network answers instead",
        place.service
    )]
    Certificate { operation: &'static str, place: Place, why: String },
    #[error("{operation}: {} {place} cannot be reached: {why}; check the endpoint, the region and the network", place.service)]
    Unreachable { operation: &'static str, place: Place, why: String },
    #[error("{operation}: {} {place} does not answer in time: {why}", place.service)]
    Timeout { operation: &'static str, place: Place, why: String },
    #[error("{operation}: requests to the {} `{name}` are throttled ({code}): {message}", service.noun())]
    Throttled { operation: &'static str, service: Service, name: String, code: String, message: String },
    #[error("{operation}: the stream `{stream}` is not ready for this: {message}")]
    InUse { operation: &'static str, stream: String, message: String },
    #[error("{operation}: {service} failed ({code}): {message}")]
    ServiceFailed { operation: &'static str, service: Service, code: String, message: String },
    #[error("{operation} on `{stream}` was refused ({code}): {message}")]
    Refused { operation: &'static str, stream: String, code: String, message: String },
    #[error("{operation}: {why}")]
    Other { operation: &'static str, why: String },
    #[error("the async runtime cannot be started: {0}")]
    Runtime(io::Error),
}

impl AwsError {
    /// The error for a profile that the user named.
    pub(crate) fn profile(name: &str, error: &CredentialsError) -> Self {
        match Self::from_credentials(error) {
            expired @ Self::ExpiredCredentials(_) => expired,
            _ => {
                let message = match error {
                    CredentialsError::CredentialsNotLoaded(_) => {
                        "it is not in ~/.aws/config, or has none there".to_owned()
                    }
                    _ => chain(error),
                };
                Self::Profile { name: name.to_owned(), message }
            }
        }
    }

    fn from_credentials(error: &CredentialsError) -> Self {
        let message = chain(error);
        match error {
            CredentialsError::CredentialsNotLoaded(_) => Self::NoCredentials(message),
            // The last provider of the chain, which is tried when no other has credentials.
            _ if message.contains("IMDS") => Self::NoCredentials(message),
            _ if message.contains("xpired") => Self::ExpiredCredentials(message),
            _ => Self::Credentials(message),
        }
    }

    /// The tool's exit code for this error.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::NoRegion | Self::NoCredentials(_) | Self::Profile { .. } | Self::Endpoint(_) => WRONG_USE,
            _ => FAILED,
        }
    }

    /// The error of an answer that succeeded, and does not have the content that the service's own has.
    pub(crate) fn foreign(operation: &'static str, place: &Place, what: &str) -> Self {
        Self::Foreign { operation, place: place.clone(), status: 200, what: what.to_owned() }
    }

    /// A word for the reason why the same call may succeed later; `None` if it will not.
    pub(crate) fn transient(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { .. } => Some("no connection"),
            Self::Timeout { .. } => Some("no answer"),
            Self::Throttled { .. } => Some("throttled"),
            Self::InUse { .. } => Some("stream not ready"),
            Self::ServiceFailed { .. } => Some("service failed"),
            _ => None,
        }
    }

    /// Whether the same call may succeed later.
    pub(crate) fn is_transient(&self) -> bool {
        self.transient().is_some()
    }

    /// Whether the call may have been carried out although it failed.
    pub(crate) fn leaves_open(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::ServiceFailed { .. } => true,
            Self::Throttled { code, .. } => code == IN_PROGRESS,
            _ => false,
        }
    }
}

impl From<CredentialsError> for AwsError {
    fn from(error: CredentialsError) -> Self {
        Self::from_credentials(&error)
    }
}

/// Converts an error of the SDK.
pub(crate) fn explain<E>(
    operation: &'static str,
    stream: &str,
    place: &Place,
    error: SdkError<E, HttpResponse>,
) -> AwsError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let place = place.clone();
    if source::<TooLong>(&error).is_some() {
        return not_answered(operation, place, &error);
    }
    match &error {
        SdkError::ServiceError(service) => {
            let message = service.err().message().unwrap_or_default().trim_end_matches('.').to_owned();
            let status = service.raw().status();
            match service.err().code().filter(|code| !code.is_empty()) {
                Some(code) => match from_code(operation, stream, place, code, message) {
                    AwsError::Refused { code, message, .. } if status.is_server_error() => {
                        AwsError::ServiceFailed { operation, service: Service::Kinesis, code, message }
                    }
                    error => error,
                },
                None => without_code(operation, place, service.raw()),
            }
        }
        SdkError::TimeoutError(_) => AwsError::Timeout { operation, place, why: chain(&error) },
        SdkError::DispatchFailure(failure) => {
            if let Some(credentials) = source::<CredentialsError>(&error) {
                return AwsError::from_credentials(credentials);
            }
            match failure.as_connector_error() {
                Some(failure) => not_answered(operation, place, failure),
                None => not_answered(operation, place, &error),
            }
        }
        SdkError::ResponseError(response) if !response.raw().status().is_success() => {
            without_code(operation, place, response.raw())
        }
        SdkError::ResponseError(response) => match response.raw().body().bytes() {
            Some(body) if !body.trim_ascii_start().starts_with(b"{") => {
                AwsError::Foreign { operation, place, status: response.raw().status().as_u16(), what: sort(body) }
            }
            // The rest of the answer was lost.
            _ => not_answered(operation, place, &error),
        },
        _ => AwsError::Other { operation, why: chain(&error) },
    }
}

/// The error of a call whose answer did not arrive, or only a part of it.
pub(super) fn not_answered(operation: &'static str, place: Place, error: &(dyn Error + 'static)) -> AwsError {
    let why = root(error);
    if let Some(long) = source::<TooLong>(error) {
        AwsError::TooLong { operation, place, why: long.to_string() }
    } else if is_expiry(error) {
        AwsError::Timeout { operation, place, why }
    } else if source::<rustls::Error>(error).is_some() {
        AwsError::Certificate { operation, place, why }
    } else {
        AwsError::Unreachable { operation, place, why }
    }
}

/// The error of an answer without the code that each error of AWS has. A proxy in front of it may have answered.
pub(super) fn without_code(operation: &'static str, place: Place, answer: &HttpResponse) -> AwsError {
    let status = answer.status();
    let what = sort(answer.body().bytes().unwrap_or_default());
    if status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
        let service = place.service;
        return AwsError::ServiceFailed { operation, service, code: format!("HTTP status {status}"), message: what };
    }
    AwsError::Foreign { operation, place, status: status.as_u16(), what }
}

/// A phrase for the body of an answer that is not one of the service.
fn sort(body: &[u8]) -> String {
    let body = body.trim_ascii();
    match body {
        [] => "without content".to_owned(),
        [b'<', ..] => format!("a page: {}", report::excerpt(body)),
        _ => format!("with the content {}", report::excerpt(body)),
    }
}

/// Converts the code and the message of an error answer. `stream` is the stream or the table that the call names.
pub(crate) fn from_code(operation: &'static str, stream: &str, place: Place, code: &str, message: String) -> AwsError {
    let (stream, owned, service) = (stream.to_owned(), code.to_owned(), place.service);
    match code {
        "ResourceNotFoundException" if service == Service::DynamoDb => AwsError::NoSuchTable { name: stream, place },
        "ResourceNotFoundException" => AwsError::NoSuchStream { name: stream, place, near: Vec::new() },
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => {
            denied(operation, service, stream, message)
        }
        "ExpiredTokenException" | "ExpiredToken" | "RequestExpired" => AwsError::ExpiredCredentials(message),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => {
            if message.contains("Signature expired") || message.contains("not yet current") {
                AwsError::Clock(message)
            } else {
                AwsError::RefusedCredentials { place, message }
            }
        }
        "KMSThrottlingException"
        | "ProvisionedThroughputExceededException"
        | "LimitExceededException"
        | "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        // The same transaction, which was sent before.
        | IN_PROGRESS => AwsError::Throttled { operation, service, name: stream, code: owned, message },
        "TransactionCanceledException" if is_throttled(&message) => {
            AwsError::Throttled { operation, service, name: stream, code: owned, message }
        }
        "ResourceInUseException" if operation == "CreateStream" => AwsError::Exists { stream, place },
        "ResourceInUseException" => AwsError::InUse { operation, stream, message },
        "InternalFailure"
        | "InternalFailureException"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => AwsError::ServiceFailed { operation, service, code: owned, message },
        "UnknownOperationException" | "SerializationException" => {
            AwsError::Foreign { operation, place, status: 400, what: format!("{owned}: {}", report::excerpt(&message)) }
        }
        code if code.starts_with("KMS") => AwsError::Kms { operation, stream, code: owned, message },
        _ => AwsError::Refused { operation, stream, code: owned, message },
    }
}

/// Whether a cancelled transaction may succeed later, by its reasons: `… [None, ThrottlingError]`.
fn is_throttled(message: &str) -> bool {
    let has = |reason| message.contains(reason);
    (has("ThrottlingError") || has("ProvisionedThroughputExceeded")) && !has("ConditionalCheckFailed")
}

/// Parses `User: arn:… is not authorized to perform: kinesis:PutRecords on resource: arn:… because …`.
fn denied(operation: &'static str, service: Service, name: String, message: String) -> AwsError {
    let after = |words: &str| {
        let rest = &message[message.find(words)? + words.len()..];
        rest.split_ascii_whitespace().next().map(|word| word.trim_end_matches([',', '.']).to_owned())
    };
    AwsError::Denied {
        who: after("User: ").map_or("the caller".to_owned(), |user| format!("`{user}`")),
        action: after("to perform: ").unwrap_or(format!("{}:{operation}", service.prefix())),
        on: after("on resource: ")
            .map_or(format!("the {} `{name}`", service.noun()), |resource| format!("`{resource}`")),
        message,
    }
}

fn suggest(near: &[String]) -> String {
    match near {
        [] => "; check its name, the region and the account".to_owned(),
        near => format!("; did you mean `{}`?", near.join("`, `")),
    }
}

/// An error and its sources, without repetitions.
fn chain(error: &(dyn Error + 'static)) -> String {
    links(error).join(": ")
}

/// The innermost two layers of an error: the outer layers only say that something failed, not what.
fn root(error: &(dyn Error + 'static)) -> String {
    let links = links(error);
    links[links.len().saturating_sub(2)..].join(": ")
}

fn links(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for error in sources(error) {
        // The SDK lists the providers of credentials on lines of their own.
        let text = error.to_string().lines().map(str::trim).collect::<Vec<_>>().join("; ");
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
    }
    texts
}

fn source<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    sources(error).find_map(|error| error.downcast_ref())
}

/// An error and its sources. An `io::Error` is the text of the error that it contains, whose source it skips.
pub(super) fn sources<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(code: &str, message: &str) -> String {
        let place = Place { service: Service::Kinesis, region: "eu-west-1".to_owned(), endpoint: None };
        from_code("PutRecords", "orders", place, code, message.to_owned()).to_string()
    }

    #[test]
    fn a_denial_names_who_what_and_where_from_the_message() {
        let message = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: kinesis:PutRecords on resource: arn:aws:kinesis:eu-west-1:123456789012:stream/orders because no identity-based policy allows the kinesis:PutRecords action";
        assert!(sentence("AccessDeniedException", message).starts_with(
            "denied: `arn:aws:iam::123456789012:user/ann` may not `kinesis:PutRecords` on `arn:aws:kinesis:eu-west-1:123456789012:stream/orders`; an IAM policy"
        ));
        assert!(
            sentence("AccessDeniedException", "no")
                .starts_with("denied: the caller may not `kinesis:PutRecords` on the stream `orders`;")
        );
    }

    #[test]
    fn each_common_failure_says_what_to_do() {
        for (code, message, expected) in [
            ("ResourceNotFoundException", "", "there is no stream `orders` in region eu-west-1; check its name"),
            ("ExpiredTokenException", "the token is expired", "have expired; renew them"),
            ("UnrecognizedClientException", "invalid", "does not accept the credentials"),
            (
                "InvalidSignatureException",
                "Signature expired: 1 is now earlier than 2",
                "the clock of this machine is wrong",
            ),
            ("KMSAccessDeniedException", "key", "allow `kms:GenerateDataKey`"),
            ("ProvisionedThroughputExceededException", "rate", "are throttled"),
            ("InternalFailure", "", "Kinesis failed"),
            ("ValidationException", "bad name", "refused (ValidationException): bad name"),
        ] {
            let sentence = sentence(code, message);
            assert!(sentence.contains(expected), "{code}: {sentence}");
        }
    }

    #[test]
    fn a_transaction_may_succeed_later_unless_a_condition_failed() {
        for (code, message, is_transient, leaves_open) in [
            (IN_PROGRESS, "wait", true, true),
            ("TransactionCanceledException", "[None, ThrottlingError]", true, false),
            ("TransactionCanceledException", "[ProvisionedThroughputExceeded]", true, false),
            ("TransactionCanceledException", "[ConditionalCheckFailed, ThrottlingError]", false, false),
            ("TransactionCanceledException", "[ValidationError]", false, false),
        ] {
            let place = Place { service: Service::DynamoDb, region: "eu-west-1".to_owned(), endpoint: None };
            let error = from_code("TransactWriteItems", "revenue", place, code, message.to_owned());
            assert_eq!((error.is_transient(), error.leaves_open()), (is_transient, leaves_open), "{code}: {message}");
        }
    }
}
