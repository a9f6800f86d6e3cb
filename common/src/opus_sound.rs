//! Sound in Opus (RFC 6716), as the bytes of a `Sound` message hold it.
//!
//! ```text
//! skip_audio_frames (u16) | audio_frames (u16) | for each packet: length (u16) | packet       big endian
//! ```
//!
//! A packet decodes to [`OPUS_PACKET_AUDIO_FRAMES`]. Of what the packets decode to, the first `skip_audio_frames` are dropped
//! and the next `audio_frames` are heard. When nothing is dropped, the packets continue those of the chunk before;
//! otherwise the decoder begins anew with them, and what is dropped lets it converge (RFC 7845 §4.6). A chunk without
//! packets is silence.

use bytes::Bytes;

use crate::limits::{
    MAX_OPUS_PACKET_BYTES, MAX_OPUS_PACKETS, OPUS_PACKET_AUDIO_FRAMES, SOUND_CHUNK_NANOS, SOUND_RATE_HZ,
};

/// Bytes of each number.
const NUMBER_BYTES: usize = 2;

/// Bytes before the packets.
const HEAD_BYTES: usize = 2 * NUMBER_BYTES;

/// Audio frames of the longest chunk.
const MAX_AUDIO_FRAMES: usize = (SOUND_RATE_HZ as u64 * SOUND_CHUNK_NANOS / 1_000_000_000) as usize;

/// The largest chunk in bytes.
pub const MAX_OPUS_SOUND_BYTES: usize = HEAD_BYTES + MAX_OPUS_PACKETS * (NUMBER_BYTES + MAX_OPUS_PACKET_BYTES);

/// A chunk of sound in Opus, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpusSound<'a> {
    /// Decoded audio frames that are dropped before the first that is heard; 0 when the packets continue those of the chunk
    /// before, otherwise a decoder begins anew.
    pub skip_audio_frames: usize,
    /// Audio frames that are heard: 1 to a tenth of a second.
    pub audio_frames: usize,
    /// The packets, each of [`OPUS_PACKET_AUDIO_FRAMES`]; none is silence.
    pub packets: Vec<&'a [u8]>,
}

impl<'a> OpusSound<'a> {
    /// Takes a chunk apart. `None` if it is not laid out as above, or breaks a limit. Whether the packets can be decoded is not
    /// known then.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (skip_audio_frames, rest) = number(bytes)?;
        let (audio_frames, mut rest) = number(rest)?;
        let mut packets = Vec::new();
        while !rest.is_empty() {
            let (length, after) = number(rest)?;
            let (packet, after) = after.split_at_checked(length)?;
            packets.push(packet);
            rest = after;
        }
        let sound = Self { skip_audio_frames, audio_frames, packets };
        sound.is_valid().then_some(sound)
    }

    /// The layout above.
    ///
    /// # Panics
    /// If it breaks a limit.
    pub fn encode(&self) -> Bytes {
        assert!(self.is_valid(), "a chunk within its limits");
        let lengths = self.packets.iter().map(|packet| NUMBER_BYTES + packet.len());
        let mut bytes = Vec::with_capacity(HEAD_BYTES + lengths.sum::<usize>());
        let put = |number: usize| u16::try_from(number).expect("limits are below 65536").to_be_bytes();
        bytes.extend(put(self.skip_audio_frames));
        bytes.extend(put(self.audio_frames));
        for packet in &self.packets {
            bytes.extend(put(packet.len()));
            bytes.extend(*packet);
        }
        bytes.into()
    }

    fn is_valid(&self) -> bool {
        let needed = self.skip_audio_frames + self.audio_frames;
        (1..=MAX_AUDIO_FRAMES).contains(&self.audio_frames)
            && self.packets.len() <= MAX_OPUS_PACKETS
            && self.packets.iter().all(|packet| (1..=MAX_OPUS_PACKET_BYTES).contains(&packet.len()))
            && if self.packets.is_empty() {
                self.skip_audio_frames == 0
            } else {
                needed.div_ceil(OPUS_PACKET_AUDIO_FRAMES) == self.packets.len()
            }
    }
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<NUMBER_BYTES>()?;
    Some((usize::from(u16::from_be_bytes(*number)), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PACKET: &[u8] = &[0xfc, 0xff, 0xfe];

    fn sound(skip_audio_frames: usize, audio_frames: usize, packets: usize) -> OpusSound<'static> {
        OpusSound { skip_audio_frames, audio_frames, packets: vec![PACKET; packets] }
    }

    #[test]
    fn a_chunk_is_what_its_bytes_say() {
        for sound in [sound(0, 4800, 5), sound(0, 1, 1), sound(4 * 960 + 17, 4800 - 17, 9), sound(0, 4800, 0)] {
            let bytes = sound.encode();
            assert_eq!(OpusSound::parse(&bytes), Some(sound));
            assert!(bytes.len() <= MAX_OPUS_SOUND_BYTES);
        }
        let bytes = OpusSound { skip_audio_frames: 1, audio_frames: 959, packets: vec![PACKET] }.encode();
        assert_eq!(*bytes, [0, 1, 3, 191, 0, 3, 0xfc, 0xff, 0xfe]);
    }

    #[test]
    fn chunks_beyond_the_limits_are_refused() {
        let long = vec![0; MAX_OPUS_PACKET_BYTES + 1];
        for (what, sound) in [
            ("nothing is heard", sound(0, 0, 0)),
            ("more than a tenth of a second", sound(0, 4801, 6)),
            ("something is dropped of silence", sound(1, 10, 0)),
            ("a packet too few", sound(960, 4800, 5)),
            ("a packet too many", sound(0, 4800, 6)),
            ("more than nine packets", sound(5 * 960, 4800, 10)),
            ("an empty packet", OpusSound { skip_audio_frames: 0, audio_frames: 960, packets: vec![&[]] }),
            ("a long packet", OpusSound { skip_audio_frames: 0, audio_frames: 960, packets: vec![&long] }),
        ] {
            assert!(!sound.is_valid(), "{what}");
        }
        let bytes = sound(0, 960, 1).encode();
        assert_eq!(OpusSound::parse(&bytes[..bytes.len() - 1]), None, "half a packet");
        assert_eq!(OpusSound::parse(&[&bytes[..], &[0]].concat()), None, "half a length");
        assert_eq!(OpusSound::parse(&bytes[..3]), None, "no length");
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_say_one_thing(
            (head, rest) in (prop::array::uniform2(0u16..5000), prop::collection::vec(prop_oneof![Just(0u8), 0u8..4, any::<u8>()], 0..60)),
        ) {
            let bytes: Vec<u8> = head.iter().flat_map(|number| number.to_be_bytes()).chain(rest).collect();
            if let Some(sound) = OpusSound::parse(&bytes) {
                prop_assert_eq!(&sound.encode()[..], &bytes[..]);
            }
        }
    }
}
