//! The format of a pack, and of its name. Pure.
//!
//! All numbers are little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `TRIPPACK` |
//! | 4 | [`FORMAT`] |
//! | 4 | coding of the frames, see [`TrackName::coding`] |
//! | 8 | fingerprint of the source file |
//! | 4 | kind of the track: 0 pictures, 1 sound, 2 sound in Opus |
//! | 4 | frames of the whole track |
//! | 4 | first frame |
//! | 4 | number of frames, n |
//! | 8 n | length in bytes and CRC-32 (as in zlib) of each frame |
//! | 4 | CRC-32 of all of the above |
//! | | the frames, one after the other |

use std::{fmt, ops::Range};

use bytes::Bytes;

/// Frames of a pack at most. At 1440p about 8 MB.
pub(crate) const PACK_FRAMES: usize = 16;

/// Version of this format. A pack of another version is not read.
pub(super) const FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"TRIPPACK";
const FIXED_BYTES: usize = 40;

/// What the names of packs end in.
const EXTENSION: &str = ".pack";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum TrackKind {
    Pictures,
    /// In PCM.
    Sound,
    /// In Opus.
    OpusSound,
}

/// Which frames a pack may hold: those of one track of one file, coded in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TrackName {
    /// Fingerprint of the file: another one after the file was replaced.
    pub(crate) file: u64,
    pub(crate) kind: TrackKind,
    /// How the frames were encoded. Another number after a change of the encoder's settings.
    pub(crate) coding: u32,
    /// Frames of the whole track. A new version of a demultiplexer that counts them otherwise numbers them otherwise, too.
    pub(crate) frame_count: u32,
}

/// Which pack: some consecutive frames of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PackName {
    pub(crate) track: TrackName,
    pub(crate) first: u32,
    /// 1 to [`PACK_FRAMES`].
    pub(crate) count: u32,
}

/// What the header of a pack says of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameEntry {
    /// Where it begins in the file, and where it ends.
    pub(super) offset: u64,
    pub(super) length: u32,
    pub(super) checksum: u32,
}

impl TrackKind {
    fn number(self) -> u32 {
        match self {
            Self::Pictures => 0,
            Self::Sound => 1,
            Self::OpusSound => 2,
        }
    }
}

impl fmt::Display for TrackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pictures => "pictures",
            Self::Sound => "sound",
            Self::OpusSound => "opus",
        })
    }
}

impl PackName {
    /// The frames in the pack.
    pub(crate) fn frames(&self) -> Range<usize> {
        self.first as usize..self.first as usize + self.count as usize
    }

    /// The name of the file, inside the folder of its source file.
    pub(super) fn file_name(&self) -> String {
        let TrackName { kind, coding, frame_count, .. } = self.track;
        format!("{kind}-{FORMAT}-{coding}-{frame_count}-{}-{}{EXTENSION}", self.first, self.count)
    }

    /// The pack that a file name denotes, in the folder of the source file with this fingerprint. `None` for every other file,
    /// and for packs of another [`FORMAT`].
    pub(super) fn parse(file: u64, file_name: &str) -> Option<Self> {
        let mut parts = file_name.strip_suffix(EXTENSION)?.split('-');
        let kind = match parts.next()? {
            "pictures" => TrackKind::Pictures,
            "sound" => TrackKind::Sound,
            "opus" => TrackKind::OpusSound,
            _ => return None,
        };
        let mut number = || parts.next()?.parse::<u32>().ok();
        let (format, coding, frame_count, first, count) = (number()?, number()?, number()?, number()?, number()?);
        let name = Self { track: TrackName { file, kind, coding, frame_count }, first, count };
        let is_possible = (1..=PACK_FRAMES as u32).contains(&count) && first.checked_add(count)? <= frame_count;
        // A number can be written in several ways, a name in one.
        (format == FORMAT && is_possible && name.file_name() == file_name).then_some(name)
    }

    /// Whether a file name is that of a pack of any format.
    pub(super) fn is_any_pack(file_name: &str) -> bool {
        let Some(stem) = file_name.strip_suffix(EXTENSION) else { return false };
        let mut parts = stem.split('-');
        matches!(parts.next(), Some("pictures" | "sound" | "opus")) && parts.all(|part| part.parse::<u32>().is_ok())
    }

    /// Bytes of the header.
    pub(super) fn header_bytes(&self) -> usize {
        FIXED_BYTES + 8 * self.count as usize + 4
    }

    /// The header of a pack with these frames.
    pub(super) fn header(&self, frames: &[Bytes]) -> Vec<u8> {
        let mut header = self.beginning();
        for frame in frames {
            let length = u32::try_from(frame.len()).expect("frames are smaller than messages");
            header.extend_from_slice(&length.to_le_bytes());
            header.extend_from_slice(&crc32fast::hash(frame).to_le_bytes());
        }
        let checksum = crc32fast::hash(&header);
        header.extend_from_slice(&checksum.to_le_bytes());
        header
    }

    /// Everything that the name decides, too.
    fn beginning(&self) -> Vec<u8> {
        let TrackName { file, kind, coding, frame_count } = self.track;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&coding.to_le_bytes());
        bytes.extend_from_slice(&file.to_le_bytes());
        for number in [kind.number(), frame_count, self.first, self.count] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Where the frames are, from the header of a file of this length. `None` if it is not a whole pack of this name.
    pub(super) fn read_header(&self, header: &[u8], file_bytes: u64) -> Option<Vec<FrameEntry>> {
        let (content, checksum) = header.split_last_chunk::<4>()?;
        let entries = content.strip_prefix(self.beginning().as_slice())?;
        if crc32fast::hash(content) != u32::from_le_bytes(*checksum) || entries.len() != 8 * self.count as usize {
            return None;
        }
        let mut offset = header.len() as u64;
        let entries = entries.as_chunks::<8>().0.iter().map(|&[a, b, c, d, e, f, g, h]| {
            let (length, checksum) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
            let entry = FrameEntry { offset, length, checksum };
            offset += u64::from(length);
            entry
        });
        let entries: Vec<_> = entries.collect();
        (offset == file_bytes).then_some(entries)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(first: u32, count: u32) -> PackName {
        let track = TrackName { file: 0x733a_6827_236e_ab4b, kind: TrackKind::Pictures, coding: 85, frame_count: 630 };
        PackName { track, first, count }
    }

    #[test]
    fn a_name_says_what_is_in_the_pack_and_no_other_name_is_taken_for_one() {
        let pack = name(96, 16);
        assert_eq!(pack.file_name(), "pictures-1-85-630-96-16.pack");
        assert_eq!(PackName::parse(pack.track.file, &pack.file_name()), Some(pack));
        for other in [
            "pictures-2-85-630-96-16.pack",
            "pictures-1-85-630-096-16.pack",
            "pictures-1-85-630-96-17.pack",
            "pictures-1-85-630-96-0.pack",
            "pictures-1-85-630-620-16.pack",
            "pictures-1-85-630-96.pack",
            "pictures-1-85-630-96-16-1.pack",
            "pictures-1-85-630-96-16.pack.tmp",
            "words-1-85-630-96-16.pack",
            "notes.txt",
        ] {
            assert_eq!(PackName::parse(pack.track.file, other), None, "{other}");
        }
        assert!(PackName::is_any_pack("pictures-2-85-630-96-16.pack") && PackName::is_any_pack("sound-7-1.pack"));
        assert!(!PackName::is_any_pack("pictures of Ada.pack") && !PackName::is_any_pack("pictures-1.zip"));
    }

    proptest! {
        #[test]
        fn a_header_says_where_each_frame_is_and_none_that_was_changed_is_believed(
            lengths in prop::collection::vec(0usize..50, 1..=PACK_FRAMES),
            flipped in any::<prop::sample::Index>(),
            bit in 0u8..8,
        ) {
            let frames: Vec<Bytes> = lengths.iter().map(|&length| vec![length as u8; length].into()).collect();
            let pack = name(96, frames.len() as u32);
            let mut header = pack.header(&frames);
            prop_assert_eq!(header.len(), pack.header_bytes());
            let file_bytes = (header.len() + lengths.iter().sum::<usize>()) as u64;
            let file = [header.clone(), frames.concat()].concat();
            let entries = pack.read_header(&header, file_bytes).unwrap();
            for (entry, frame) in entries.iter().zip(&frames) {
                let start = entry.offset as usize;
                prop_assert_eq!(&file[start..start + entry.length as usize], &frame[..]);
                prop_assert_eq!(entry.checksum, crc32fast::hash(frame));
            }
            prop_assert_eq!(pack.read_header(&header, file_bytes + 1), None);
            prop_assert_eq!(pack.read_header(&header[..header.len() - 1], file_bytes), None);
            let other = PackName { first: 112, ..pack };
            prop_assert_eq!(other.read_header(&header, file_bytes), None);
            let at = flipped.index(header.len());
            header[at] ^= 1 << bit;
            prop_assert_eq!(pack.read_header(&header, file_bytes), None);
        }
    }
}
