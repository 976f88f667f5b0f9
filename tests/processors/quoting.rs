//! Fails with errors that quote what they were given, in every way that a handler's error may quote it.

use std::path::Path;
use std::{env, io};

use anyhow::Context as _;
use kcl::dead_letter::JsonLines;
use kcl::{BoxError, DeadLetter, Json, Shard};
use serde::Deserialize;

/// A record names the way in which its handler fails.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    how: String,
    /// JSON that the handler decodes.
    #[serde(default)]
    inner: String,
}

#[derive(Debug, Deserialize)]
struct Inner {
    #[expect(dead_code, reason = "only decoded")]
    cents: u64,
}

struct Quoting {
    letters: JsonLines,
}

#[kcl::processor]
impl Quoting {
    #[on_init]
    fn open(shard: &Shard) -> io::Result<Self> {
        let folder = env::var_os("KCL_TEST_FOLDER").ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { letters: JsonLines::open(Path::new(&folder).join("letters"), shard)? })
    }

    #[on_record(on_failure = dead_letter, on_undecodable = dead_letter)]
    fn order(&mut self, Json(order): Json<Order>) -> Result<(), BoxError> {
        let inner = || serde_json::from_str::<Inner>(&order.inner);
        match order.how.as_str() {
            "plain" => _ = inner()?,
            "io" => _ = inner().map_err(io::Error::from)?,
            "anyhow" => _ = inner().context("the inner order")?,
            "eyre" => Err(eyre::eyre!("an eyre"))?,
            "text" => _ = inner().map_err(|error| format!("bad order: {error}"))?,
            "repeated" => _ = inner().map_err(Repeated)?,
            "unwrap" => _ = inner().unwrap(),
            "long" => Err("é".repeat(450_000))?,
            _ => {}
        }
        Ok(())
    }

    #[on_dead_letter]
    fn keep(&mut self, letter: &DeadLetter) -> io::Result<()> {
        self.letters.write(letter)
    }
}

/// An error that repeats its cause's text.
#[derive(Debug)]
struct Repeated(serde_json::Error);

impl std::fmt::Display for Repeated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the order is bad: {}", self.0)
    }
}

impl std::error::Error for Repeated {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
