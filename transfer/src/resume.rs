//! The fast-resume file: which pieces are there, without hashing them again.
//!
//! Only its form stands here; when it is written and when it is believed is
//! the host's part. It is ours alone: other clients have forms of their own.

use crate::bencode::{self, Kind, Limits, Value};
use crate::{InfoHash, PieceSet};

const VERSION: i64 = 1;
/// The most bytes that are read of a fast-resume file.
pub const MAX_BYTES: usize = 64 << 20;

/// The length and the time of the last change of a file, to see whether anybody
/// else has touched it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its length in bytes.
    pub len: u64,
    /// When it was changed last, in nanoseconds since 1970.
    pub modified_ns: i128,
}

/// What a fast-resume file claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The pieces that were hashed and written.
    pub have: PieceSet,
    /// A stamp for each file, or none where there was no file.
    pub stamps: Vec<Option<Stamp>>,
    /// If the download goes on, so that more is written: when the files were
    /// like that, in nanoseconds since 1970.
    pub open_ns: Option<i128>,
}

impl Claim {
    /// Writes it for the torrent of this info-hash.
    pub fn encode(&self, info_hash: InfoHash) -> Vec<u8> {
        let mut out = Vec::new();
        bencode::dict_with(&mut out, |out| {
            bencode::string(out, "files");
            bencode::list_with(out, |out| {
                for stamp in &self.stamps {
                    bencode::list_with(out, |out| {
                        if let Some(stamp) = stamp {
                            bencode::string(out, stamp.len.to_be_bytes());
                            bencode::string(out, stamp.modified_ns.to_be_bytes());
                        }
                    });
                }
            });
            bencode::string(out, "info hash");
            bencode::string(out, info_hash.0);
            if let Some(open_ns) = self.open_ns {
                bencode::string(out, "open");
                bencode::string(out, open_ns.to_be_bytes());
            }
            bencode::string(out, "pieces");
            bencode::string(out, self.have.to_bitfield());
            bencode::string(out, "version");
            bencode::int(out, VERSION);
        });
        out
    }

    /// Reads it, if it is one of this torrent, which has this many pieces.
    pub fn decode(bytes: &[u8], info_hash: InfoHash, pieces: u32) -> Option<Self> {
        let value = Value::parse(bytes, &Limits::new(MAX_BYTES)).ok()?;
        let dict = value.as_dict()?;
        let is_ours = matches!(dict.get("version")?.kind(), Kind::Int(VERSION))
            && dict.bytes("info hash")? == info_hash.0;
        if !is_ours {
            return None;
        }
        let have = PieceSet::from_bitfield(dict.bytes("pieces")?, pieces).ok()?;
        let Kind::List(list) = dict.get("files")?.kind() else { return None };
        let stamps = list.iter().map(stamp).collect::<Option<_>>()?;
        let open_ns = match dict.get("open") {
            Some(value) => Some(i128::from_be_bytes(value.as_bytes()?.try_into().ok()?)),
            None => None,
        };
        Some(Self { have, stamps, open_ns })
    }
}

/// A stamp, or none where there was no file; nothing if it is neither.
fn stamp(value: Value<'_>) -> Option<Option<Stamp>> {
    let Kind::List(fields) = value.kind() else { return None };
    let mut fields = fields.iter();
    let Some(len) = fields.next() else { return Some(None) };
    let len = u64::from_be_bytes(len.as_bytes()?.try_into().ok()?);
    let modified_ns = i128::from_be_bytes(fields.next()?.as_bytes()?.try_into().ok()?);
    match fields.next() {
        Some(_) => None,
        None => Some(Some(Stamp { len, modified_ns })),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const HASH: InfoHash = InfoHash([7; 20]);

    fn claims() -> impl Strategy<Value = Claim> {
        let stamp = any::<Option<(u64, i128)>>()
            .prop_map(|stamp| stamp.map(|(len, modified_ns)| Stamp { len, modified_ns }));
        let open = any::<Option<i128>>();
        (vec(any::<bool>(), 0..100), vec(stamp, 0..5), open).prop_map(
            |(pieces, stamps, open_ns)| {
                let mut have = PieceSet::empty(pieces.len() as u32);
                for (piece, _) in pieces.iter().enumerate().filter(|(_, is_there)| **is_there) {
                    have.insert(piece as u32);
                }
                Claim { have, stamps, open_ns }
            },
        )
    }

    #[test]
    fn the_form_stays() {
        let mut have = PieceSet::empty(9);
        have.insert(0);
        have.insert(8);
        let stamps = vec![None, Some(Stamp { len: 0x6161_6161_6161_6161, modified_ns: 0 })];
        let claim = Claim { have, stamps, open_ns: None };
        let bytes = claim.encode(InfoHash(*b"aaaaaaaaaaaaaaaaaaaa"));
        let zeros = "\0".repeat(16);
        let expected = [
            "d5:filesllel8:aaaaaaaa16:".as_bytes(),
            zeros.as_bytes(),
            b"ee9:info hash20:aaaaaaaaaaaaaaaaaaaa6:pieces2:\x80\x807:versioni1ee",
        ];
        assert_eq!(bytes, expected.concat());
        let open = Claim { open_ns: Some(0), ..claim }.encode(InfoHash(*b"aaaaaaaaaaaaaaaaaaaa"));
        let at = bytes.len() - "6:pieces2:..7:versioni1ee".len();
        let expected = [&bytes[..at], b"4:open16:", zeros.as_bytes(), &bytes[at..]];
        assert_eq!(open, expected.concat());
    }

    #[test]
    fn no_file_of_another_torrent_or_version_is_believed() {
        let claim = Claim { have: PieceSet::full(4), stamps: Vec::new(), open_ns: None };
        let bytes = claim.encode(HASH);
        assert_eq!(Claim::decode(&bytes, HASH, 4), Some(claim));
        assert_eq!(Claim::decode(&bytes, InfoHash([3; 20]), 4), None);
        // A spare bit is set, or a byte is missing.
        assert_eq!(Claim::decode(&bytes, HASH, 3), None);
        assert_eq!(Claim::decode(&bytes, HASH, 9), None);
        let text = bytes.iter().map(|&byte| char::from(byte)).collect::<String>();
        let later: Vec<u8> =
            text.replace("versioni1e", "versioni2e").chars().map(|c| c as u8).collect();
        assert_eq!(Claim::decode(&later, HASH, 4), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(claim in claims()) {
            let bytes = claim.encode(HASH);
            let len = claim.have.len();
            prop_assert_eq!(Claim::decode(&bytes, HASH, len), Some(claim));
        }

        #[test]
        fn whatever_stands_there_does_no_harm(
            claim in claims(), noise: Vec<u8>, at in 0usize..300, bit in 0u8..8,
        ) {
            prop_assert_eq!(Claim::decode(&noise, HASH, 9), None);
            let mut bytes = claim.encode(HASH);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let _ = Claim::decode(&bytes, HASH, claim.have.len());
        }
    }
}
