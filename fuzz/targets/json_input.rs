//! A line of `cargo kcl local --format json`. If it is a record, spelling that record out in another way reads as the same
//! record.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|line: &[u8]| match cargo_kcl::json_record(line) {
    Ok((data, key, hash)) => {
        let line = json!({
            "dataBase64": STANDARD.encode(&data),
            "partitionKey": key,
            "explicitHashKey": hash.to_string(),
        });
        assert_eq!(cargo_kcl::json_record(line.to_string().as_bytes()), Ok((data, key, hash)));
    }
    Err(error) => assert!(!error.is_empty()),
});
