//! Reads base64, with the fastest engine that the machine supports.

use std::sync::LazyLock;

use base64::engine::{DecodePaddingMode, Engine, GeneralPurposeConfig};
use base64::{DecodeError, DecodeSliceError};

use crate::buffers::Buffers;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
type Fastest = base64::engine::Simd;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Fastest = base64::engine::GeneralPurpose;

pub(in crate::protocol) static ENGINE: LazyLock<Fastest> = LazyLock::new(|| {
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
