//! Sound in Opus from the real server to the samples that the client plays: it is what the same stream has in PCM, at the same
//! place to the sample, from any picture on, where the sound is cut, and when the format changes in between.

use std::{f64::consts::TAU, path::Path, process::Command};

use common::{
    crypto::test_keys,
    limits::SOUND_RATE_HZ,
    media::{
        Delivery, Epoch, Position, Quality, SeekRequest, SetQualityRequest, SoundFormat, StreamId, VideoId,
        WatchRequest,
    },
    message::{ClientMessage, EndReason, ServerMessage},
    opus_sound::OpusSound,
};
use triptych_client::playback::opus_decoder::OpusDecoder;

use crate::support::{adversary::Adversary, host::Host, member::Member, wav::write_wav};

const STREAM: StreamId = StreamId(1);
const OPUS: Delivery = Delivery { sound: SoundFormat::Opus, ..Delivery::FULL };

/// Left and right.
type Samples = Vec<[i16; 2]>;

/// Writes a clip of this many pictures at 30 frames/s. Its sound, if it has any, rises in one channel and falls in the other.
fn write_clip(path: &Path, pictures: u32, has_sound: bool) {
    let sound = if has_sound {
        let wav = path.with_extension("wav");
        write_wav(&wav, &sweeps(pictures * SOUND_RATE_HZ / 30));
        format!("filesrc location={} ! wavparse ! queue max-size-time=0 max-size-bytes=0 ! mux.", wav.display())
    } else {
        String::new()
    };
    let pipeline = format!(
        "videotestsrc num-buffers={pictures} ! video/x-raw,width=160,height=96,framerate=30/1 ! jpegenc ! queue ! \
         matroskamux name=mux ! filesink location={} {sound}",
        path.display(),
    );
    let made = Command::new("gst-launch-1.0").arg("-q").args(pipeline.split_whitespace()).status();
    assert!(made.expect("'make test' installs gst-launch-1.0").success());
}

/// From 300 Hz up to 3 kHz on the left, and from 2 kHz down to 200 Hz on the right.
fn sweeps(audio_frames: u32) -> Samples {
    let sweep = |at: u32, from_hz: f64, to_hz: f64| {
        let [seconds, length] = [at, audio_frames].map(|frames| f64::from(frames) / f64::from(SOUND_RATE_HZ));
        let turns = from_hz * seconds + (to_hz - from_hz) * seconds * seconds / (2.0 * length);
        ((turns * TAU).sin() * 12_000.0) as i16
    };
    (0..audio_frames).map(|at| [sweep(at, 300.0, 3_000.0), sweep(at, 2_000.0, 200.0)]).collect()
}

/// A member of a server with one video.
struct Listener {
    member: Member,
    video: VideoId,
    _host: Host,
}

/// What an epoch brought: the number of the first audio frame, counted from the start of the stream, and the samples, as they
/// are heard without a gap.
struct Heard {
    first: usize,
    samples: Samples,
}

impl Listener {
    fn start(videos: &Path) -> Self {
        let host = Host::start_with(None, "127.0.0.1:0", videos);
        let mut member = Member::join(&host.address, Adversary::new("ada", test_keys::ada()));
        let video = member.library.videos.remove(0);
        assert!(video.has_sound);
        Self { member, video: video.id, _host: host }
    }

    fn watch(&mut self, stream: StreamId, delivery: Delivery, from: Position) {
        let (video, quality) = (self.video, Quality::Triptych);
        self.member.send(&ClientMessage::Watch(WatchRequest { stream, video, quality, delivery, from }));
    }

    /// Listens to an epoch to the end of the stream.
    fn hear(&mut self, stream: StreamId, epoch: Epoch, format: SoundFormat) -> Heard {
        let mut decoder = OpusDecoder::default();
        let mut heard = Heard { first: 0, samples: Vec::new() };
        self.member.send(&ClientMessage::Grant { stream, epoch, items: 200 });
        loop {
            match self.member.next() {
                ServerMessage::StreamStarted(start) if (start.stream, start.epoch) == (stream, epoch) => {
                    assert_eq!(start.delivery.sound, format);
                }
                ServerMessage::Sound { head, bytes } if (head.stream, head.epoch) == (stream, epoch) => {
                    assert_eq!(head.format, format);
                    let place = (head.pts_nanos * u64::from(SOUND_RATE_HZ) + 500_000_000) / 1_000_000_000;
                    if heard.samples.is_empty() {
                        heard.first = place as usize;
                    }
                    assert_eq!(place as usize, heard.first + heard.samples.len(), "neither gap nor overlap");
                    heard.samples.extend(samples(format, &bytes.0, &mut decoder, (stream, epoch)));
                    self.member.send(&ClientMessage::Grant { stream, epoch, items: 1 });
                }
                ServerMessage::Picture { head, .. } if (head.stream, head.epoch) == (stream, epoch) => {
                    self.member.send(&ClientMessage::Grant { stream, epoch, items: 1 });
                }
                ServerMessage::StreamEnded { epoch: ended, reason, .. } if ended == epoch => {
                    assert_eq!(reason, EndReason::Finished);
                    return heard;
                }
                ServerMessage::Refused { message, .. } => panic!("{message}"),
                _ => {}
            }
        }
    }
}

fn samples(format: SoundFormat, bytes: &[u8], decoder: &mut OpusDecoder, of: (StreamId, Epoch)) -> Samples {
    if format == SoundFormat::Pcm {
        let sample = |two: &[u8]| i16::from_le_bytes([two[0], two[1]]);
        return bytes.chunks(4).map(|four| [sample(&four[..2]), sample(&four[2..])]).collect();
    }
    let sound = OpusSound::parse(bytes).expect("what a server sends keeps to the layout");
    let decoded = decoder.decode(of.0, of.1, &sound);
    assert_eq!((decoded.broken_packets, decoded.frames.len()), (0, sound.audio_frames));
    decoded.frames
}

/// Ratio of the energy of a signal to that of its difference from another one, in dB.
fn signal_to_noise(signal: &[[i16; 2]], other: &[[i16; 2]]) -> f64 {
    let energy = |value: f64| value * value;
    let signal_energy: f64 = signal.as_flattened().iter().map(|&sample| energy(sample.into())).sum();
    let both = signal.as_flattened().iter().zip(other.as_flattened());
    let noise: f64 = both.map(|(&one, &other)| energy(f64::from(one) - f64::from(other))).sum();
    10.0 * (signal_energy / noise.max(1.0)).log10()
}

/// Asserts that what was heard is in `pcm`, the whole stream, where it says: as a whole nowhere else nearby, and in each 10 ms
/// of it.
fn assert_in_place(heard: &Heard, pcm: &Samples, what: &str) {
    let end = heard.first + heard.samples.len();
    assert_eq!(end, pcm.len(), "{what}: it reaches to the end of the stream");
    let inner = 30..heard.samples.len() - 30;
    let shifted = |by: isize| {
        let from = (heard.first + inner.start).checked_add_signed(by).unwrap();
        signal_to_noise(&pcm[from..from + inner.len()], &heard.samples[inner.clone()])
    };
    let best = (-30..=30).max_by(|&a, &b| shifted(a).total_cmp(&shifted(b))).unwrap();
    assert_eq!(best, 0, "{what}: shifted by {best} audio frames");
    assert!(shifted(0) > 18.0, "{what}: {:.1} dB", shifted(0));
    for (number, window) in heard.samples.chunks_exact(480).enumerate() {
        let from = heard.first + number * 480;
        let window_pcm = &pcm[from..from + 480];
        if window_pcm.as_flattened().iter().all(|&sample| sample == 0) {
            assert!(
                window.as_flattened().iter().all(|&sample| sample == 0),
                "{what}: no silence at audio frame {from}"
            );
            continue;
        }
        let ratio = signal_to_noise(window_pcm, window);
        assert!(ratio > 12.0, "{what}: {ratio:.1} dB in the 10 ms from audio frame {from} on");
    }
}

#[test]
fn opus_is_heard_where_pcm_is_from_every_picture_on() {
    let videos = tempfile::tempdir().unwrap();
    for height in [120, 240] {
        write_clip(&videos.path().join(format!("clip_{height}p.mkv")), 60, true);
    }
    let mut listener = Listener::start(videos.path());
    listener.watch(STREAM, Delivery::FULL, Position::START);
    let pcm = listener.hear(STREAM, Epoch(0), SoundFormat::Pcm);
    assert!(pcm.first == 0 && pcm.samples.len().abs_diff(2 * SOUND_RATE_HZ as usize) < 480, "{}", pcm.samples.len());
    let stream = StreamId(2);
    listener.watch(stream, OPUS, Position::START);
    assert_in_place(&listener.hear(stream, Epoch(0), SoundFormat::Opus), &pcm.samples, "from the start");
    // At 30 frames/s most pictures fall into the middle of a packet.
    for (epoch, picture) in (1..).map(Epoch).zip([1, 2, 3, 7, 31, 45, 58]) {
        let to = Position::Picture(picture);
        listener.member.send(&ClientMessage::Seek(SeekRequest { stream, epoch, to }));
        let heard = listener.hear(stream, epoch, SoundFormat::Opus);
        // In Matroska, pictures are shown at whole milliseconds.
        assert!(heard.first.abs_diff((picture * SOUND_RATE_HZ / 30) as usize) < 48, "{}", heard.first);
        assert_in_place(&heard, &pcm.samples, &format!("from picture {picture}"));
    }
}

#[test]
fn the_format_changes_without_a_shift() {
    let videos = tempfile::tempdir().unwrap();
    write_clip(&videos.path().join("clip_240p.mkv"), 60, true);
    let mut listener = Listener::start(videos.path());
    listener.watch(STREAM, Delivery::FULL, Position::START);
    let pcm = listener.hear(STREAM, Epoch(0), SoundFormat::Pcm);
    for (epoch, picture, delivery) in [(1, 10, OPUS), (2, 25, Delivery::FULL), (3, 40, OPUS)] {
        let (epoch, quality, at) = (Epoch(epoch), Quality::Triptych, Position::Picture(picture));
        let request = SetQualityRequest { stream: STREAM, epoch, quality, delivery, at };
        listener.member.send(&ClientMessage::SetQuality(request));
        let heard = listener.hear(STREAM, epoch, delivery.sound);
        assert_in_place(&heard, &pcm.samples, &format!("{:?} from picture {picture}", delivery.sound));
    }
}

/// Plays a video with these clips, of these numbers of pictures, in both formats.
fn assert_alike(clips: [(u32, bool); 2], what: &str) {
    let videos = tempfile::tempdir().unwrap();
    for (height, (pictures, has_sound)) in [120, 240].into_iter().zip(clips) {
        write_clip(&videos.path().join(format!("clip_{height}p.mkv")), pictures, has_sound);
    }
    let mut listener = Listener::start(videos.path());
    listener.watch(STREAM, Delivery::FULL, Position::START);
    let pcm = listener.hear(STREAM, Epoch(0), SoundFormat::Pcm);
    let stream = StreamId(2);
    listener.watch(stream, OPUS, Position::START);
    assert_in_place(&listener.hear(stream, Epoch(0), SoundFormat::Opus), &pcm.samples, what);
}

#[test]
fn where_the_sound_is_cut_the_decoder_begins_anew() {
    // The second half of a longer file follows the first half of a shorter one, in the middle of a packet at both places.
    assert_alike([(35, false), (101, true)], "over the cut");
}

#[test]
fn behind_the_end_of_the_soundtrack_there_is_silence() {
    assert_alike([(35, true), (101, false)], "with silence");
}
