//! Chunks of sound in Opus as `docs/vectors/opus.txt` lists them: what they say, or that they are refused.

use std::fmt::Write as _;

use common::opus_sound::OpusSound;

use crate::vectors::{document, hex};

/// Name and bytes of chunks.
fn chunks() -> Vec<(&'static str, Vec<u8>)> {
    let silent = |head: [u16; 2], packets: &[&[u8]]| {
        let numbers = |number: usize| u16::try_from(number).unwrap().to_be_bytes();
        let head = head.iter().flat_map(|number| number.to_be_bytes());
        head.chain(packets.iter().flat_map(|packet| [&numbers(packet.len())[..], packet].concat())).collect::<Vec<u8>>()
    };
    const PACKET: &[u8] = &[0xfc, 0xff, 0xfe];
    vec![
        ("a tenth of a second that goes on", silent([0, 4800], &[PACKET; 5])),
        ("a decoder that begins in the middle of a packet", silent([4 * 960 + 100, 4700], &[PACKET; 9])),
        ("an end in the middle of a packet", silent([0, 1], &[PACKET])),
        ("silence", silent([0, 4800], &[])),
        ("nothing that is heard", silent([960, 0], &[PACKET])),
        ("more than a tenth of a second", silent([0, 4801], &[PACKET; 6])),
        ("ten packets", silent([5 * 960, 4800], &[PACKET; 10])),
        ("silence of which something is dropped", silent([1, 4800], &[])),
        ("a packet too few", silent([1, 4800], &[PACKET; 5])),
        ("a packet too many", silent([0, 960], &[PACKET; 2])),
        ("a packet without bytes", silent([0, 960], &[&[]])),
        ("a packet of 1277 bytes", silent([0, 960], &[&[0; 1277]])),
        ("a packet that is cut off", silent([0, 960], &[PACKET])[..8].to_vec()),
        ("no numbers", vec![0, 0, 3]),
    ]
}

fn said(bytes: &[u8]) -> String {
    OpusSound::parse(bytes).map_or("refused".to_owned(), |sound| {
        format!("{} {} {}", sound.skip_audio_frames, sound.audio_frames, sound.packets.len())
    })
}

#[test]
fn the_committed_chunks_say_what_is_said_of_them() {
    let mut text = "# `bytes` of `Sound` in Opus, in hexadecimal, as section 9 of PROTOCOL.md says. Each line is a name; skip_audio_frames, \
                    audio_frames\n# and the number of packets, or \"refused\"; and the bytes.\n\n"
        .to_owned();
    chunks().iter().for_each(|(name, bytes)| writeln!(text, "{name}: {}: {}", said(bytes), hex(bytes)).unwrap());
    let refused = chunks().iter().filter(|(_, bytes)| said(bytes) == "refused").count();
    assert_eq!(refused, chunks().len() - 4, "only the first four are good");
    assert!(document("docs/vectors/opus.txt") == text, "docs/vectors/opus.txt is not:\n{text}");
}
