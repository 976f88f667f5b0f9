//! What goes wrong with AWS, each in a sentence that says what to do.

use std::error::Error;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};

use super::connection::Place;
use crate::exit::{FAILED, WRONG_USE};

/// Why something on AWS was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AwsError {
    #[error("no AWS region is set; give --region REGION, or set AWS_REGION or `region` in the profile")]
    NoRegion,
    #[error(
        "no AWS credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile or AWS_PROFILE (after `aws sso login`, if it is one of SSO); the AWS SDK says: {0}"
    )]
    NoCredentials(String),
    #[error("the profile `{name}` gives no credentials: {said}")]
    Profile { name: String, said: String },
    #[error("the AWS credentials cannot be loaded: {0}")]
    Credentials(String),
    #[error(
        "the AWS credentials have expired; renew them (`aws sso login`, or a new AWS_SESSION_TOKEN) and run this again ({0})"
    )]
    ExpiredCredentials(String),
    #[error(
        "AWS does not accept the credentials; the access key or its secret is wrong, or belongs elsewhere than {place} ({said})"
    )]
    RefusedCredentials { place: Place, said: String },
    #[error("AWS does not accept the signature: the clock of this machine is wrong ({0})")]
    Clock(String),
    #[error("there is no stream `{name}` {place}{}", suggest(near))]
    NoSuchStream { name: String, place: Place, near: Vec<String> },
    #[error("the stream `{stream}` is there already {place}")]
    Exists { stream: String, place: Place },
    #[error("denied: {who} may not `{action}` on {on}; an IAM policy must allow that action there ({said})")]
    Denied { who: String, action: String, on: String, said: String },
    #[error(
        "{operation}: the key that encrypts the stream `{stream}` cannot be used ({code}): {said}; allow `kms:GenerateDataKey` for writing and `kms:Decrypt` for reading on an enabled key"
    )]
    Kms { operation: &'static str, stream: String, code: String, said: String },
    #[error("{operation}: Kinesis {place} cannot be reached: {why}; check the endpoint, the region and the network")]
    Unreachable { operation: &'static str, place: Place, why: String },
    #[error("{operation}: Kinesis {place} does not answer in time: {why}")]
    Timeout { operation: &'static str, place: Place, why: String },
    #[error("{operation}: the stream `{stream}` is asked for more than it allows ({code}): {said}")]
    Throttled { operation: &'static str, stream: String, code: String, said: String },
    #[error("{operation}: the stream `{stream}` is not ready for this: {said}")]
    InUse { operation: &'static str, stream: String, said: String },
    #[error("{operation}: Kinesis failed ({code}): {said}")]
    Unwell { operation: &'static str, code: String, said: String },
    #[error("{operation} on `{stream}` was refused ({code}): {said}")]
    Refused { operation: &'static str, stream: String, code: String, said: String },
    #[error("{operation}: {why}")]
    Other { operation: &'static str, why: String },
    #[error("nothing can run here: {0}")]
    Runtime(io::Error),
}

impl AwsError {
    /// What is wrong with a profile that was named.
    pub(crate) fn profile(name: &str, error: &CredentialsError) -> Self {
        match Self::from_credentials(error) {
            expired @ Self::ExpiredCredentials(_) => expired,
            _ => {
                let said = match error {
                    CredentialsError::CredentialsNotLoaded(_) => "it is not in ~/.aws/config, or holds none".to_owned(),
                    _ => chain(error),
                };
                Self::Profile { name: name.to_owned(), said }
            }
        }
    }

    fn from_credentials(error: &CredentialsError) -> Self {
        let said = chain(error);
        match error {
            CredentialsError::CredentialsNotLoaded(_) => Self::NoCredentials(said),
            // The last link of the chain: it is asked when nothing else is there.
            _ if said.contains("IMDS") => Self::NoCredentials(said),
            _ if said.contains("xpired") => Self::ExpiredCredentials(said),
            _ => Self::Credentials(said),
        }
    }

    /// The tool's exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::NoRegion | Self::NoCredentials(_) | Self::Credentials(_) | Self::Profile { .. } => WRONG_USE,
            _ => FAILED,
        }
    }

    /// Whether the same call may well succeed later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::Throttled { .. }
                | Self::InUse { .. }
                | Self::Unwell { .. }
        )
    }
}

impl From<CredentialsError> for AwsError {
    fn from(error: CredentialsError) -> Self {
        Self::from_credentials(&error)
    }
}

/// What an error of the SDK means.
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
            let said = service.err().message().unwrap_or_default().trim_end_matches('.').to_owned();
            let status = service.raw().status();
            match service.err().code().filter(|code| !code.is_empty()) {
                Some(code) => match answered(operation, stream, place, code, said) {
                    AwsError::Refused { code, said, .. } if status.is_server_error() => {
                        AwsError::Unwell { operation, code, said }
                    }
                    error => error,
                },
                // What stands before Kinesis may answer in its place.
                None if status.is_server_error() => AwsError::Unwell {
                    operation,
                    code: format!("HTTP status {status}"),
                    said: "it gives no reason".to_owned(),
                },
                None => AwsError::Other { operation, why: chain(&error) },
            }
        }
        SdkError::TimeoutError(_) => AwsError::Timeout { operation, place, why: chain(&error) },
        SdkError::DispatchFailure(failure) => {
            if let Some(credentials) = source::<CredentialsError>(&error) {
                let said = chain(credentials);
                return if said.contains("xpired") {
                    AwsError::ExpiredCredentials(said)
                } else {
                    AwsError::Credentials(said)
                };
            }
            let why = failure.as_connector_error().map_or_else(|| root(&error), |error| root(error));
            if failure.is_timeout() {
                AwsError::Timeout { operation, place, why }
            } else {
                AwsError::Unreachable { operation, place, why }
            }
        }
        // Something answered, and it was not Kinesis.
        SdkError::ResponseError(_) => AwsError::Unreachable { operation, place, why: chain(&error) },
        _ => AwsError::Other { operation, why: chain(&error) },
    }
}

/// What an answer means that is an error.
pub(crate) fn answered(operation: &'static str, stream: &str, place: Place, code: &str, said: String) -> AwsError {
    let (stream, owned) = (stream.to_owned(), code.to_owned());
    match code {
        "ResourceNotFoundException" => AwsError::NoSuchStream { name: stream, place, near: Vec::new() },
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => denied(operation, stream, said),
        "ExpiredTokenException" | "ExpiredToken" | "RequestExpired" => AwsError::ExpiredCredentials(said),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => {
            if said.contains("Signature expired") || said.contains("not yet current") {
                AwsError::Clock(said)
            } else {
                AwsError::RefusedCredentials { place, said }
            }
        }
        "KMSThrottlingException"
        | "ProvisionedThroughputExceededException"
        | "LimitExceededException"
        | "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded" => AwsError::Throttled { operation, stream, code: owned, said },
        "ResourceInUseException" if operation == "CreateStream" => AwsError::Exists { stream, place },
        "ResourceInUseException" => AwsError::InUse { operation, stream, said },
        "InternalFailure"
        | "InternalFailureException"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => AwsError::Unwell { operation, code: owned, said },
        code if code.starts_with("KMS") => AwsError::Kms { operation, stream, code: owned, said },
        _ => AwsError::Refused { operation, stream, code: owned, said },
    }
}

/// `User: arn:… is not authorized to perform: kinesis:PutRecords on resource: arn:… because …`, taken apart.
fn denied(operation: &'static str, stream: String, said: String) -> AwsError {
    let behind = |words: &str| {
        let rest = &said[said.find(words)? + words.len()..];
        rest.split_ascii_whitespace().next().map(|word| word.trim_end_matches([',', '.']).to_owned())
    };
    AwsError::Denied {
        who: behind("User: ").map_or("who is asking".to_owned(), |user| format!("`{user}`")),
        action: behind("to perform: ").unwrap_or(format!("kinesis:{operation}")),
        on: behind("on resource: ").map_or(format!("the stream `{stream}`"), |resource| format!("`{resource}`")),
        said,
    }
}

fn suggest(near: &[String]) -> String {
    match near {
        [] => "; check its name, the region and the account".to_owned(),
        near => format!("; did you mean `{}`?", near.join("`, `")),
    }
}

/// An error with all that is behind it, once each.
fn chain(error: &(dyn Error + 'static)) -> String {
    links(error).join(": ")
}

/// What is at the bottom of an error: the layers above say that something failed, and not what.
fn root(error: &(dyn Error + 'static)) -> String {
    let links = links(error);
    links[links.len().saturating_sub(2)..].join(": ")
}

fn links(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if said.last().is_none_or(|last| !last.contains(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    said
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

    fn said(code: &str, said: &str) -> String {
        let place = Place { region: "eu-west-1".to_owned(), endpoint: None };
        answered("PutRecords", "orders", place, code, said.to_owned()).to_string()
    }

    #[test]
    fn who_is_denied_what_and_where_is_read_from_the_message() {
        let message = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: kinesis:PutRecords on resource: arn:aws:kinesis:eu-west-1:123456789012:stream/orders because no identity-based policy allows the kinesis:PutRecords action";
        assert!(said("AccessDeniedException", message).starts_with(
            "denied: `arn:aws:iam::123456789012:user/ann` may not `kinesis:PutRecords` on `arn:aws:kinesis:eu-west-1:123456789012:stream/orders`; an IAM policy"
        ));
        assert!(
            said("AccessDeniedException", "no")
                .starts_with("denied: who is asking may not `kinesis:PutRecords` on the stream `orders`;")
        );
    }

    #[test]
    fn each_usual_failure_says_what_to_do() {
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
            ("ProvisionedThroughputExceededException", "rate", "more than it allows"),
            ("InternalFailure", "", "Kinesis failed"),
            ("ValidationException", "bad name", "refused (ValidationException): bad name"),
        ] {
            let said = said(code, message);
            assert!(said.contains(expected), "{code}: {said}");
        }
    }
}
