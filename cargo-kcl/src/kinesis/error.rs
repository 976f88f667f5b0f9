//! Errors of AWS, each a sentence that says what to do.

use std::error::Error;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};

use super::place::Place;
use crate::exit::{FAILED, WRONG_USE};

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
    #[error("the stream `{stream}` already exists {place}")]
    Exists { stream: String, place: Place },
    #[error("denied: {who} may not `{action}` on {on}; an IAM policy must allow that action there ({message})")]
    Denied { who: String, action: String, on: String, message: String },
    #[error(
        "{operation}: the key that encrypts the stream `{stream}` cannot be used ({code}): {message}; allow `kms:GenerateDataKey` for writing and `kms:Decrypt` for reading on an enabled key"
    )]
    Kms { operation: &'static str, stream: String, code: String, message: String },
    #[error("{operation}: Kinesis {place} cannot be reached: {why}; check the endpoint, the region and the network")]
    Unreachable { operation: &'static str, place: Place, why: String },
    #[error("{operation}: Kinesis {place} does not answer in time: {why}")]
    Timeout { operation: &'static str, place: Place, why: String },
    #[error("{operation}: requests to the stream `{stream}` are throttled ({code}): {message}")]
    Throttled { operation: &'static str, stream: String, code: String, message: String },
    #[error("{operation}: the stream `{stream}` is not ready for this: {message}")]
    InUse { operation: &'static str, stream: String, message: String },
    #[error("{operation}: Kinesis failed ({code}): {message}")]
    ServiceFailed { operation: &'static str, code: String, message: String },
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
            Self::NoRegion | Self::NoCredentials(_) | Self::Credentials(_) | Self::Profile { .. } => WRONG_USE,
            _ => FAILED,
        }
    }

    /// Whether the same call may succeed later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::Throttled { .. }
                | Self::InUse { .. }
                | Self::ServiceFailed { .. }
        )
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
    match &error {
        SdkError::ServiceError(service) => {
            let message = service.err().message().unwrap_or_default().trim_end_matches('.').to_owned();
            let status = service.raw().status();
            match service.err().code().filter(|code| !code.is_empty()) {
                Some(code) => match from_code(operation, stream, place, code, message) {
                    AwsError::Refused { code, message, .. } if status.is_server_error() => {
                        AwsError::ServiceFailed { operation, code, message }
                    }
                    error => error,
                },
                // A proxy in front of Kinesis may have from_code.
                None if status.is_server_error() => AwsError::ServiceFailed {
                    operation,
                    code: format!("HTTP status {status}"),
                    message: "no reason was given".to_owned(),
                },
                None => AwsError::Other { operation, why: chain(&error) },
            }
        }
        SdkError::TimeoutError(_) => AwsError::Timeout { operation, place, why: chain(&error) },
        SdkError::DispatchFailure(failure) => {
            if let Some(credentials) = source::<CredentialsError>(&error) {
                let message = chain(credentials);
                return if message.contains("xpired") {
                    AwsError::ExpiredCredentials(message)
                } else {
                    AwsError::Credentials(message)
                };
            }
            let why = failure.as_connector_error().map_or_else(|| root(&error), |error| root(error));
            if failure.is_timeout() {
                AwsError::Timeout { operation, place, why }
            } else {
                AwsError::Unreachable { operation, place, why }
            }
        }
        // Something from_code that is not Kinesis.
        SdkError::ResponseError(_) => AwsError::Unreachable { operation, place, why: chain(&error) },
        _ => AwsError::Other { operation, why: chain(&error) },
    }
}

/// Converts the code and the message of an error answer.
pub(crate) fn from_code(operation: &'static str, stream: &str, place: Place, code: &str, message: String) -> AwsError {
    let (stream, owned) = (stream.to_owned(), code.to_owned());
    match code {
        "ResourceNotFoundException" => AwsError::NoSuchStream { name: stream, place, near: Vec::new() },
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => denied(operation, stream, message),
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
        | "RequestLimitExceeded" => AwsError::Throttled { operation, stream, code: owned, message },
        "ResourceInUseException" if operation == "CreateStream" => AwsError::Exists { stream, place },
        "ResourceInUseException" => AwsError::InUse { operation, stream, message },
        "InternalFailure"
        | "InternalFailureException"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => AwsError::ServiceFailed { operation, code: owned, message },
        code if code.starts_with("KMS") => AwsError::Kms { operation, stream, code: owned, message },
        _ => AwsError::Refused { operation, stream, code: owned, message },
    }
}

/// Parses `User: arn:… is not authorized to perform: kinesis:PutRecords on resource: arn:… because …`.
fn denied(operation: &'static str, stream: String, message: String) -> AwsError {
    let after = |words: &str| {
        let rest = &message[message.find(words)? + words.len()..];
        rest.split_ascii_whitespace().next().map(|word| word.trim_end_matches([',', '.']).to_owned())
    };
    AwsError::Denied {
        who: after("User: ").map_or("the caller".to_owned(), |user| format!("`{user}`")),
        action: after("to perform: ").unwrap_or(format!("kinesis:{operation}")),
        on: after("on resource: ").map_or(format!("the stream `{stream}`"), |resource| format!("`{resource}`")),
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
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts
}

fn source<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(code: &str, message: &str) -> String {
        let place = Place { region: "eu-west-1".to_owned(), endpoint: None };
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
}
