//! Where Kinesis is, and with which credentials it is called.

use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::interval;

/// The address of Kinesis and the credentials for it.
#[derive(Debug, Args)]
#[command(next_help_heading = "AWS")]
pub(crate) struct AwsOptions {
    /// Region of the stream; by default the one that the AWS SDK finds, such as AWS_REGION or the profile's
    #[arg(long, value_name = "REGION", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) region: Option<String>,

    /// Profile of AWS with the credentials; by default AWS_PROFILE, or the credentials that the AWS SDK finds
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) aws_profile: Option<String>,

    /// URL of Kinesis, if it is not the region's; by default AWS_ENDPOINT_URL_KINESIS
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) endpoint: Option<String>,

    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// The limits of an attempt to call AWS. They suit every network; docs/streams.md describes them.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Limits {
    /// Longest wait for a connection
    #[arg(long = "connect-timeout", value_name = "TIME", env = "KCL_CONNECT_TIMEOUT", default_value = "5s", value_parser = interval, hide = true)]
    pub(crate) connect: Duration,

    /// Longest time in which no byte is sent or received
    #[arg(long = "idle-timeout", value_name = "TIME", env = "KCL_IDLE_TIMEOUT", default_value = "10s", value_parser = interval, hide = true)]
    pub(crate) idle: Duration,
}

impl AwsOptions {
    /// Whether any of these options was given.
    pub(crate) fn is_given(&self) -> bool {
        self.region.is_some() || self.aws_profile.is_some() || self.endpoint.is_some()
    }
}

/// Whether a URL is one of this machine.
pub(crate) fn is_local(url: &str) -> bool {
    let rest = url.strip_prefix("http://").unwrap_or_default();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // The start of a host with a user before it is the user's name.
    let has_user = host.contains('@');
    let is_known = ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|local| host.strip_prefix(local).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')));
    is_known && !has_user
}

/// A URL for people and files, without the user and the password in it.
#[cfg_attr(not(feature = "aws"), allow(dead_code))]
pub(crate) fn without_password(url: &str) -> String {
    let rest = url.find("://").map_or(0, |at| at + "://".len());
    let end = url[rest..].find(['/', '?', '#']).map_or(url.len(), |at| rest + at);
    match url[rest..end].rfind('@') {
        Some(at) => format!("{}***{}", &url[..rest], &url[rest + at..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_url_of_this_machine_is_local() {
        for url in ["http://localhost", "http://127.0.0.1:4566/a@b", "http://[::1]:1"] {
            assert!(is_local(url), "{url}");
        }
        for url in ["http://localhost:secret@proxy", "http://localhost.example", "https://localhost", "localhost"] {
            assert!(!is_local(url), "{url}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_left_out() {
        for (url, shown) in [
            ("http://localhost:4566", "http://localhost:4566"),
            ("https://ann:s@cret@proxy:1/a@b?c@d", "https://***@proxy:1/a@b?c@d"),
            ("http://token@[::1]", "http://***@[::1]"),
            ("http://proxy?user@host", "http://proxy?user@host"),
            ("ann:secret@proxy", "***@proxy"),
            ("é", "é"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
