//! Processors to read and to run: see the files beside `Cargo.toml`, each a ready binary.
