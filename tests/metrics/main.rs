//! Metrics: what a processor sends.

mod processor;
