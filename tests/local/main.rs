//! End-to-end tests of `cargo kcl local`: the tool as users run it, with correct processors and with rogue ones.

mod awaiting;
mod chaos;
mod empties;
mod ending;
mod follow;
mod formats;
mod harness;
mod input;
mod kills;
mod log;
mod old_states;
mod recording;
mod report;
mod resume;
mod rogue;
mod services;
mod shards;
mod split;
mod summary;
mod terminal;
