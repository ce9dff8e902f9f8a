//! Extension messages of one number, which are not bencoded.

use crate::wire::WireError;

/// The payload of `upload_only` (BEP 21): whether we download nothing from now
/// on.
#[must_use]
pub fn encode_upload_only(upload_only: bool) -> Vec<u8> {
    vec![upload_only.into()]
}

/// Reads the payload of `upload_only`.
///
/// # Errors
///
/// If it is not one byte.
pub fn decode_upload_only(payload: &[u8]) -> Result<bool, WireError> {
    match payload {
        [flag] => Ok(*flag != 0),
        _ => Err(WireError::Extension("upload_only")),
    }
}

/// The payload of `lt_donthave` (BEP 54): a piece that we no longer have.
#[must_use]
pub fn encode_dont_have(piece: u32) -> Vec<u8> {
    piece.to_be_bytes().to_vec()
}

/// Reads the payload of `lt_donthave`.
///
/// # Errors
///
/// If it is not four bytes.
pub fn decode_dont_have(payload: &[u8]) -> Result<u32, WireError> {
    let bytes = payload.try_into().map_err(|_| WireError::Extension("lt_donthave"))?;
    Ok(u32::from_be_bytes(bytes))
}
