//! Metrics: what a processor sends, and what `cargo kcl local` and `cargo kcl daemon` serve.

mod daemon;
mod local;
mod processor;
mod tool;
mod top;
