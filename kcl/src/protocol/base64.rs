//! Base64 as the daemon writes it, with the fastest engine that the machine supports.

use std::sync::LazyLock;

use base64::engine::{DecodePaddingMode, Engine, GeneralPurposeConfig};
use base64::{DecodeError, DecodeSliceError};

use crate::buffers::Buffers;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
type Fastest = base64::engine::Simd;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Fastest = base64::engine::GeneralPurpose;

static ENGINE: LazyLock<Fastest> = LazyLock::new(|| {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    return Fastest::standard(config);
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return Fastest::new(&base64::alphabet::STANDARD, config);
});

/// Makes the decoded bytes of `encoded` the data of the current record.
pub(crate) fn decode(encoded: &[u8], to: &mut Buffers) -> Result<(), DecodeError> {
    // The estimate is an upper bound.
    to.write_data(base64::decoded_len_estimate(encoded.len()), |to| ENGINE.decode_slice(encoded, to)).map_err(|error| {
        match error {
            DecodeSliceError::DecodeError(error) => error,
            DecodeSliceError::OutputSliceTooSmall => DecodeError::InvalidLength(encoded.len()),
        }
    })
}

/// `data` in base64, with padding.
pub(crate) fn encode(data: &[u8]) -> String {
    ENGINE.encode(data)
}

/// Appends `data` in base64, with padding.
pub(crate) fn encode_to(data: &[u8], to: &mut Vec<u8>) {
    let start = to.len();
    to.resize(start + data.len().div_ceil(3) * 4, 0);
    // There is room for all of it.
    let written = ENGINE.encode_slice(data, &mut to[start..]).unwrap_or(0);
    to.truncate(start + written);
}
