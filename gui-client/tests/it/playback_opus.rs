//! The decoder of sound in Opus: it decodes what GStreamer decodes, and whatever a server sends lasts as long as it says.

use std::{f64::consts::TAU, fs, process::Command, time::Instant};

use common::{
    limits::{MAX_OPUS_PACKET_BYTES, MAX_OPUS_PACKETS, OPUS_PACKET_AUDIO_FRAMES, SOUND_RATE_HZ},
    media::{Epoch, SoundFormat, SoundHead, StreamId},
    opus_sound::OpusSound,
};
use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};
use triptych_client::playback::{
    audio_output::AudioOutput,
    opus_decoder::{DecodedSound, OpusDecoder},
    player::Player,
};

use crate::support::wav::write_wav;

const STREAM: StreamId = StreamId(1);

/// Half a second of noise and a tone at 96 kbit/s: packets as `opusenc` makes them, and what `opusdec` decodes them to.
fn reference() -> (Vec<Vec<u8>>, Vec<[i16; 2]>) {
    let folder = tempfile::tempdir().unwrap();
    let [wav, ogg, raw] = ["clip.wav", "clip.ogg", "clip.raw"].map(|name| folder.path().join(name));
    let mut random = StdRng::seed_from_u64(1);
    let mut frame = |at: i32| {
        let tone = (f64::from(at) * 997.0 * TAU / f64::from(SOUND_RATE_HZ)).sin();
        [random.random_range(-6_000..6_000), (tone * 12_000.0) as i16]
    };
    write_wav(&wav, &(0..24_000).map(&mut frame).collect::<Vec<_>>());
    let launch = |pipeline: String| {
        let made = Command::new("gst-launch-1.0").arg("-q").args(pipeline.split_whitespace()).status();
        assert!(made.expect("'make test' installs gst-launch-1.0").success());
    };
    launch(format!(
        "filesrc location={} ! wavparse ! audioconvert ! opusenc bitrate=96000 ! oggmux ! filesink location={}",
        wav.display(),
        ogg.display()
    ));
    // Without the property, opusdec decodes less than the packets hold.
    launch(format!(
        "filesrc location={} ! oggdemux ! opusdec phase-inversion=true ! audio/x-raw,format=S16LE ! filesink location={}",
        ogg.display(),
        raw.display()
    ));
    let sample = |bytes: &[u8]| i16::from_le_bytes([bytes[0], bytes[1]]);
    let raw = fs::read(raw).unwrap();
    (packets_of(&fs::read(ogg).unwrap()), raw.chunks_exact(4).map(|four| [sample(four), sample(&four[2..])]).collect())
}

/// The packets of an Ogg file (RFC 3533) without its two headers.
fn packets_of(ogg: &[u8]) -> Vec<Vec<u8>> {
    let (mut packets, mut packet, mut at) = (Vec::new(), Vec::new(), 0);
    while at < ogg.len() {
        let count = usize::from(ogg[at + 26]);
        let lengths = &ogg[at + 27..at + 27 + count];
        at += 27 + count;
        for &length in lengths {
            packet.extend(&ogg[at..at + usize::from(length)]);
            at += usize::from(length);
            if length < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
    }
    packets.split_off(2)
}

fn decode(decoder: &mut OpusDecoder, skip_audio_frames: usize, packets: &[&[u8]]) -> DecodedSound {
    let audio_frames = packets.len() * OPUS_PACKET_AUDIO_FRAMES - skip_audio_frames;
    decoder.decode(STREAM, Epoch(0), &OpusSound { skip_audio_frames, audio_frames, packets: packets.to_vec() })
}

#[test]
fn it_decodes_what_gstreamer_decodes() {
    let (packets, expected) = reference();
    let mut decoder = OpusDecoder::default();
    let mut frames = Vec::new();
    for packets in packets.chunks(5) {
        let decoded = decode(&mut decoder, 0, &packets.iter().map(|packet| &packet[..]).collect::<Vec<_>>());
        assert_eq!(decoded.broken_packets, 0);
        frames.extend(decoded.frames);
    }
    // GStreamer leaves out the delay of the encoder.
    let pairs = frames[312..].as_flattened().iter().zip(expected.as_flattened());
    let most = pairs.map(|(&ours, &theirs)| i32::from(ours).abs_diff(theirs.into())).max().unwrap();
    assert!(expected.len() >= 20_000 && most <= 2, "{most} steps apart in {} audio frames", expected.len());
}

#[test]
fn a_broken_packet_is_silence_and_the_next_one_is_heard() {
    let (packets, _) = reference();
    // 10 ms, 2.5 ms and 60 ms instead of 20 ms, two frames in a packet, and a packet that says nothing of its second frame.
    let short: Vec<u8> = [&[0xf4], &packets[1][1..]].concat();
    for broken in [&short[..], &[0xe4; 40], &[0x1c; 40], &[0xfd; 40], &[0xfe, 250], &[0xff]] {
        let mut decoder = OpusDecoder::default();
        let decoded = decode(&mut decoder, 0, &[&packets[0], &packets[1], broken, &packets[2]]);
        assert_eq!((decoded.frames.len(), decoded.broken_packets), (4 * 960, 1), "{:x?}", &broken[..1]);
        let loudest = |number: usize| {
            let frames = &decoded.frames[number * 960..(number + 1) * 960];
            frames.as_flattened().iter().map(|sample| sample.unsigned_abs()).max().unwrap()
        };
        assert_eq!(loudest(2), 0, "{:x?}", &broken[..1]);
        assert!(loudest(1) > 1000 && loudest(3) > 1000, "{:x?}: {}, {}", &broken[..1], loudest(1), loudest(3));
    }
}

#[test]
fn another_epoch_and_a_cut_begin_anew() {
    let (packets, _) = reference();
    let all: Vec<&[u8]> = packets.iter().map(|packet| &packet[..]).collect();
    let fresh = decode(&mut OpusDecoder::default(), 0, &all[5..9]).frames;
    let mut decoder = OpusDecoder::default();
    decode(&mut decoder, 0, &all[10..15]);
    let sound = OpusSound { skip_audio_frames: 0, audio_frames: 4 * 960, packets: all[5..9].to_vec() };
    assert_eq!(decoder.decode(STREAM, Epoch(1), &sound).frames, fresh, "another epoch");
    assert_ne!(decoder.decode(STREAM, Epoch(1), &sound).frames, fresh, "the same epoch goes on");
    assert_eq!(decode(&mut decoder, 960, &all[5..9]).frames, fresh[960..], "a cut");
}

#[test]
fn packets_that_cannot_be_decoded_are_counted() {
    let player = Player::start(AudioOutput::none(), || ()).expect("a thread can be started");
    let sink = player.sink();
    player.begin(STREAM, true, Instant::now());
    player.take_credit();
    let sound = OpusSound { skip_audio_frames: 0, audio_frames: 1000, packets: vec![&[0xfc, 0xff, 0xfe], &[0xff]] };
    let head = |stream| SoundHead { stream, epoch: Epoch(0), pts_nanos: 0, format: SoundFormat::Opus };
    sink.sound(head(STREAM), sound.encode().to_vec());
    sink.sound(head(StreamId(2)), sound.encode().to_vec());
    let tally = player.figures(Instant::now()).expect("it plays").tally;
    assert_eq!((tally.broken_sounds, tally.stale), (1, 1), "what is of another stream is not decoded");
}

fn packet() -> impl Strategy<Value = Vec<u8>> {
    let any_bytes = prop::collection::vec(any::<u8>(), 1..=MAX_OPUS_PACKET_BYTES);
    // Most first bytes mean packets of another length, so some are chosen: each mode at 20 ms, with one and two channels.
    let first = prop::sample::select(vec![
        0x08u8, 0x0c, 0x28, 0x2c, 0x48, 0x4c, 0x68, 0x6c, 0x78, 0x7c, 0x98, 0x9c, 0xf8, 0xfc,
    ]);
    prop_oneof![
        any_bytes.clone(),
        (first, any_bytes).prop_map(|(first, mut bytes)| {
            bytes[0] = first;
            bytes
        })
    ]
}

proptest! {
    #[test]
    fn whatever_is_sent_lasts_as_long_as_it_says(
        chunks in prop::collection::vec((prop::collection::vec(packet(), 0..=MAX_OPUS_PACKETS), any::<[u16; 2]>()), 1..6),
    ) {
        let mut decoder = OpusDecoder::default();
        for (packets, [skip, length]) in chunks {
            let decoded = packets.len() * OPUS_PACKET_AUDIO_FRAMES;
            let skip_audio_frames = usize::from(skip) % decoded.max(1);
            let audio_frames = 1 + usize::from(length) % 4800;
            let packets: Vec<&[u8]> = packets.iter().map(|packet| &packet[..]).collect();
            let sound = OpusSound { skip_audio_frames, audio_frames, packets };
            let heard = decoder.decode(STREAM, Epoch(0), &sound);
            prop_assert_eq!(heard.frames.len(), audio_frames);
            prop_assert!(heard.broken_packets <= sound.packets.len() as u64);
        }
    }
}
