//! The options of `cargo kcl leases`.
#![cfg_attr(not(feature = "aws"), allow(dead_code))]

use std::str::FromStr;

use clap::Args;
use kcl::Position;

use crate::args::{ApplicationOptions, AwsOptions, ShardName, StartAt, is_trim_horizon};

/// Show the leases of an application: which worker reads which shard, and how far; and move them back
///
/// For each shard, it shows the owner, whether the owner renews the lease, and the checkpoint. The age is the time since the record of the
/// checkpoint arrived, and behind is how long the oldest record after it has been waiting. An owner that has not renewed its lease for twice
/// failoverTimeMillis is dead. The command waits that long at most; --no-wait does not.
///
/// --rewind moves a lease back, so that records are delivered again. It needs a lease without an owner, or whose owner is dead. Stop the worker
/// first. A worker that was only paused loses the lease when it wakes up. What would change is shown before it is done.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 success, 1 AWS did not carry out the command or a lease is not free, 2 usage error, no region or no credentials, 130 interrupted.\n\n\
                  Examples:\n  \
                  cargo kcl leases --app revenue --stream orders\n  \
                  cargo kcl leases --app revenue --stream orders --rewind 3=2026-01-31T12:00:00Z\n  \
                  cargo kcl leases --properties revenue.properties --rewind shardId-000000000003=TRIM_HORIZON --yes"
)]
pub(crate) struct LeasesOptions {
    #[command(flatten)]
    pub(crate) application: ApplicationOptions,

    /// Move back the lease of a shard, given by its id or number. Delivery resumes after the record SEQUENCE (with /SUB, after that part of
    /// it), at the oldest record, or at the first record that arrived at TIME or later. TIME is such as 2026-01-31T12:00:00+01:00, 2026-01-31
    /// or -2h. Needs the name of the stream, except for TRIM_HORIZON. May be given several times
    #[arg(long, value_name = "SHARD=SEQUENCE|TRIM_HORIZON|TIME")]
    pub(crate) rewind: Vec<Rewind>,

    /// Do not ask before leases are moved
    #[arg(long, requires = "rewind")]
    pub(crate) yes: bool,

    /// Do not wait to see which owners renew their leases
    #[arg(long, conflicts_with = "rewind")]
    pub(crate) no_wait: bool,

    /// Print the result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) aws: AwsOptions,
}

/// A shard, and the place to which its lease is moved back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rewind {
    pub(crate) shard: ShardName,
    pub(crate) to: Target,
}

/// A place at which delivery resumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Position(Position),
    /// At the first record that arrived then or later.
    Time(StartAt),
}

impl FromStr for Rewind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write SHARD=SEQUENCE, SHARD=TRIM_HORIZON or SHARD=TIME, as in shardId-000000000000=TRIM_HORIZON, 0=49… or \
                            0=2026-01-31T12:00:00Z";
        let (shard, to) = text.split_once('=').ok_or(FORM)?;
        let shard: ShardName = shard.parse()?;
        let to = match to {
            oldest if is_trim_horizon(oldest) => Target::Position(Position::TrimHorizon),
            sequence if is_sequence(sequence) => {
                let (number, sub) = sequence.split_once('/').unwrap_or((sequence, "0"));
                let number = number.parse().map_err(|error| format!("{error}"))?;
                let sub = sub.parse().map_err(|_| FORM)?;
                Target::Position(Position::after(number, sub))
            }
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => return Err(FORM.to_owned()),
            time if time.parse::<StartAt>().is_err_and(|error| error.starts_with("write `latest`")) => {
                return Err(FORM.to_owned());
            }
            time => match time.parse()? {
                at @ StartAt::Time(_) => Target::Time(at),
                StartAt::TrimHorizon | StartAt::Latest => return Err(FORM.to_owned()),
            },
        };
        Ok(Self { shard, to })
    }
}

/// Whether a text is meant as a sequence number, and not as a time. A number of seconds has fewer digits.
fn is_sequence(text: &str) -> bool {
    const DIGITS_OF_TIMES: usize = 20;
    let (number, sub) = text.split_once('/').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(number) && is_number(sub) && number.len() > DIGITS_OF_TIMES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_sequence_number_an_end_or_a_time() {
        let rewind = |text: &str| text.parse::<Rewind>().map(|rewind| (rewind.shard.0, rewind.to));
        let number = "49590338271490256608559692538361571095921575989136588898";
        let shard = || "shardId-000000000003".to_owned();
        let after = |sub| Target::Position(Position::after(number.parse().unwrap(), sub));
        assert_eq!(rewind(&format!("3={number}")), Ok((shard(), after(0))));
        assert_eq!(rewind(&format!("shardId-000000000003={number}/7")), Ok((shard(), after(7))));
        for oldest in ["TRIM_HORIZON", "trim-horizon"] {
            assert_eq!(rewind(&format!("3={oldest}")), Ok((shard(), Target::Position(Position::TrimHorizon))));
        }
        for time in ["2026-01-31T12:00:00Z", "2026-01-31", "-2h"] {
            assert_eq!(rewind(&format!("3={time}")), Ok((shard(), Target::Time(time.parse().unwrap()))), "{time}");
        }
        for text in ["", "3", "x=TRIM_HORIZON", "3=", "3=LATEST", "3=SHARD_END", "=-2h", "3=1769860800", "3=49/x"] {
            assert!(rewind(text).is_err(), "{text}");
        }
    }
}
