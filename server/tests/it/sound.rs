//! Sound over TCP: it begins and ends with the pictures, has no gap, and each beep comes with its picture, after splices
//! and seeks too.

use std::{fs, path::Path};

use common::{
    crypto::test_keys,
    limits::{SOUND_CHUNK_NANOS, SOUND_RATE_HZ},
    media::{
        Delivery, Epoch, Position, Quality, SeekRequest, SetQualityRequest, StreamId, StreamStart, VideoId, VideoInfo,
    },
    message::{ClientMessage, EndReason, ServerMessage},
    test_messages::watch_message,
};
use tempfile::tempdir;

use crate::support::{client::TestClient, clips::run, server::TestServer};

const STREAM: StreamId = StreamId(1);

/// Bytes of one audio frame (two channels).
const AUDIO_FRAME_BYTES: usize = 4;

const WAV_RATE_HZ: u32 = 44_100;

/// A video with a beep of 20 ms each second, the first at once; its sound lasts for `sound_millis`.
fn write_beeping(path: &Path, seconds: u32, sound_millis: u32, sound: &str, video: &str, mux: &str) {
    let wav = path.with_extension("wav");
    write_wav(&wav, sound_millis);
    let description = format!(
        "videotestsrc num-buffers={} ! video/x-raw,width=160,height=96,framerate=25/1 ! {video} ! queue ! {mux} name=mux \
         ! filesink name=sink \
         filesrc location={} ! wavparse ! audioconvert ! audioresample ! {sound} ! queue max-size-time=0 ! mux.",
        seconds * 25,
        wav.display(),
    );
    run(&description, path);
    fs::remove_file(wav).unwrap();
}

/// RIFF, 16-bit, one channel.
fn write_wav(path: &Path, millis: u32) {
    let sample = |place: u32| {
        let in_second = place % WAV_RATE_HZ;
        let tone = (f64::from(in_second) * 1000.0 * std::f64::consts::TAU / f64::from(WAV_RATE_HZ)).sin();
        if in_second < WAV_RATE_HZ / 50 { (tone * 16_000.0) as i16 } else { 0 }
    };
    let samples: Vec<u8> =
        (0..millis * (WAV_RATE_HZ / 100) / 10).flat_map(|place| sample(place).to_le_bytes()).collect();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + samples.len() as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(WAV_RATE_HZ.to_le_bytes());
    bytes.extend((2 * WAV_RATE_HZ).to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend((samples.len() as u32).to_le_bytes());
    bytes.extend(samples);
    fs::write(path, bytes).unwrap();
}

/// What a stream has sent: the times of its pictures, and its sound chunks.
#[derive(Default)]
struct Received {
    picture_nanos: Vec<u64>,
    sound: Vec<(u64, Vec<u8>)>,
}

impl Received {
    /// The start times of the beeps, in seconds. Asserts that the sound has no gaps.
    fn beeps(&self) -> Vec<f64> {
        let rate = f64::from(SOUND_RATE_HZ);
        let first = self.sound[0].0 as f64 / 1e9;
        let mut samples: Vec<i16> = Vec::new();
        for (pts_nanos, pcm) in &self.sound {
            let due = (first + samples.len() as f64 / rate) * 1e9;
            assert!((*pts_nanos as f64 - due).abs() < 2.0, "a gap or an overlap at {pts_nanos} ns, due {due}");
            assert!(pcm.len() % AUDIO_FRAME_BYTES == 0 && !pcm.is_empty());
            let left = |frame: &[u8]| i16::from_le_bytes([frame[0], frame[1]]);
            samples.extend(pcm.chunks(AUDIO_FRAME_BYTES).map(left));
        }
        let (mut beeps, mut last_loud) = (Vec::new(), None);
        for (place, sample) in samples.iter().enumerate() {
            if sample.unsigned_abs() > 3000 {
                if last_loud.is_none_or(|last| place - last > 12_000) {
                    beeps.push(first + place as f64 / rate);
                }
                last_loud = Some(place);
            }
        }
        beeps
    }
}

/// Plays an epoch to the end of the stream.
async fn play_to_end(client: &mut TestClient, epoch: Epoch) -> Received {
    let mut received = Received::default();
    let mut last_nanos = 0;
    client.send(&ClientMessage::Grant { stream: STREAM, epoch, items: 64 }).await;
    loop {
        match client.next().await {
            ServerMessage::StreamStarted(StreamStart { has_sound, .. }) => assert!(has_sound),
            ServerMessage::Picture { head, .. } if head.epoch == epoch => {
                assert!(head.pts_nanos >= last_nanos, "items come in the order of their times");
                last_nanos = head.pts_nanos;
                received.picture_nanos.push(head.pts_nanos);
                client.send(&ClientMessage::Grant { stream: STREAM, epoch, items: 1 }).await;
            }
            ServerMessage::Sound { head, bytes: pcm } if head.epoch == epoch => {
                assert!(head.pts_nanos >= last_nanos, "items come in the order of their times");
                assert!(pcm.0.len() as u64 <= SOUND_CHUNK_NANOS * 192 / 1_000_000);
                last_nanos = head.pts_nanos;
                received.sound.push((head.pts_nanos, pcm.0));
                client.send(&ClientMessage::Grant { stream: STREAM, epoch, items: 1 }).await;
            }
            ServerMessage::Picture { .. } | ServerMessage::Sound { .. } => {}
            ServerMessage::StreamEnded { reason: EndReason::Finished, .. } => return received,
            other => panic!("neither item nor end but {other:?}"),
        }
    }
}

async fn start(folder: &Path) -> (TestServer, TestClient, VideoInfo) {
    let server = TestServer::start_with(folder).await;
    let (client, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    assert_eq!(welcome.library.unplayable_count, 0);
    (server, client, welcome.library.videos[0].clone())
}

/// Asserts that every beep is within 5 ms of its second plus `late`, the encoder's own delay in seconds.
fn assert_on_the_second(beeps: &[f64], expected: &[u32], late: f64, what: &str) {
    assert_eq!(beeps.len(), expected.len(), "{what}: {beeps:?}");
    for (beep, &second) in beeps.iter().zip(expected) {
        assert!((beep - late - f64::from(second)).abs() < 0.005, "{what}: {beeps:?}");
    }
}

#[tokio::test]
async fn beeps_are_on_time_from_the_start_and_after_seeks() {
    // These AAC and MP3 encoders begin with silence that the file does not declare, so every player plays it.
    for (name, sound, late, video, mux) in [
        ("opus.mkv", "opusenc", 0.0, "x264enc key-int-max=25", "matroskamux"),
        ("flac.mkv", "flacenc", 0.0, "x264enc key-int-max=999 bframes=2", "matroskamux"),
        ("aac.mp4", "avenc_aac", 0.023, "x264enc key-int-max=25 bframes=2", "mp4mux"),
        ("mp3.mp4", "lamemp3enc ! mpegaudioparse", 0.025, "x264enc key-int-max=25", "mp4mux"),
        ("vorbis.webm", "vorbisenc", 0.0, "vp8enc deadline=1 keyframe-max-dist=25", "webmmux"),
        ("pcm.mov", "audio/x-raw,format=S16LE", 0.0, "jpegenc", "qtmux"),
    ] {
        let folder = tempdir().unwrap();
        let (_, extension) = name.split_once('.').unwrap();
        for height in [240, 720, 1440] {
            let path = folder.path().join(format!("{name}_{height}p.{extension}"));
            write_beeping(&path, 6, 6000, sound, video, mux);
        }
        let (_server, mut client, video) = start(folder.path()).await;
        assert!(video.has_sound);
        let (video, quality, from) = (video.id, Quality::Triptych, Position::START);
        client.send(&watch_message(STREAM, video, quality, from)).await;
        let received = play_to_end(&mut client, Epoch(0)).await;
        assert_eq!(received.picture_nanos.len(), 150, "{name}");
        assert_eq!(received.sound[0].0, received.picture_nanos[0]);
        let (last_nanos, pcm) = received.sound.last().unwrap();
        let end_nanos = last_nanos + (pcm.len() / AUDIO_FRAME_BYTES) as u64 * 1_000_000_000 / u64::from(SOUND_RATE_HZ);
        assert!(end_nanos.abs_diff(6_000_000_000) < 50_000_000, "{name}: {end_nanos}");
        assert_on_the_second(&received.beeps(), &[0, 1, 2, 3, 4, 5], late, name);

        for (epoch, frame, expected) in [(1, 60, &[3, 4, 5][..]), (2, 10, &[1, 2, 3, 4, 5]), (3, 100, &[4, 5])] {
            let to = Position::Picture(frame);
            client.send(&ClientMessage::Seek(SeekRequest { stream: STREAM, epoch: Epoch(epoch), to })).await;
            let received = play_to_end(&mut client, Epoch(epoch)).await;
            assert_eq!(received.sound[0].0, received.picture_nanos[0], "{name}");
            assert_on_the_second(&received.beeps(), expected, late, &format!("{name} from picture {frame}"));
        }
    }
}

#[tokio::test]
async fn the_sound_of_one_file_serves_all_variants_and_a_silent_video_has_none() {
    let folder = tempdir().unwrap();
    write_beeping(&folder.path().join("clip_240p.mkv"), 3, 3000, "opusenc", "x264enc key-int-max=25", "matroskamux");
    let silent = "videotestsrc num-buffers=75 ! video/x-raw,width=160,height=96,framerate=25/1 ! x264enc ! matroskamux \
                  ! filesink name=sink";
    run(silent, &folder.path().join("clip_720p.mkv"));
    run(silent, &folder.path().join("quiet_720p.mkv"));
    let (_server, mut client, video) = start(folder.path()).await;
    let (quality, from) = (Quality::Only(720), Position::START);
    client.send(&watch_message(STREAM, video.id, quality, from)).await;
    assert_on_the_second(
        &play_to_end(&mut client, Epoch(0)).await.beeps(),
        &[0, 1, 2],
        0.0,
        "the sound of the other file",
    );
    let (_server, _client, quiet) = {
        let folder = tempdir().unwrap();
        run(silent, &folder.path().join("quiet_720p.mkv"));
        start(folder.path()).await
    };
    assert!(!quiet.has_sound);
}

#[tokio::test]
async fn sound_shorter_than_the_pictures_ends_in_silence() {
    let folder = tempdir().unwrap();
    write_beeping(&folder.path().join("clip_240p.mkv"), 4, 1500, "opusenc", "x264enc", "matroskamux");
    let (_server, mut client, video) = start(folder.path()).await;
    let (video, quality, from) = (video.id, Quality::Triptych, Position::START);
    client.send(&watch_message(STREAM, video, quality, from)).await;
    let received = play_to_end(&mut client, Epoch(0)).await;
    assert_eq!(received.picture_nanos.len(), 100);
    let audio_frames: usize = received.sound.iter().map(|(_, pcm)| pcm.len() / AUDIO_FRAME_BYTES).sum();
    assert!(audio_frames.abs_diff(4 * 48_000) < 2_400, "{audio_frames}");
    assert_eq!(received.beeps().len(), 2);
}

/// A client with credit for one item in each epoch.
struct OneCredit {
    client: TestClient,
    epoch: Epoch,
}

impl OneCredit {
    async fn watch(mut client: TestClient, video: VideoId, from: u32) -> Self {
        let (quality, from) = (Quality::Triptych, Position::Picture(from));
        client.send(&watch_message(STREAM, video, quality, from)).await;
        Self { client, epoch: Epoch(0) }
    }

    async fn seek(&mut self, picture: u32) {
        self.epoch.0 += 1;
        let to = Position::Picture(picture);
        self.client.send(&ClientMessage::Seek(SeekRequest { stream: STREAM, epoch: self.epoch, to })).await;
    }

    async fn set_quality(&mut self, quality: Quality, at: u32) {
        self.epoch.0 += 1;
        let (epoch, at) = (self.epoch, Position::Picture(at));
        self.client
            .send(&ClientMessage::SetQuality(SetQualityRequest {
                stream: STREAM,
                epoch,
                quality,
                at,
                delivery: Delivery::FULL,
            }))
            .await;
    }

    /// Spends the credit and expects the picture with this index.
    async fn expect_picture(&mut self, index: u32) {
        self.client.send(&ClientMessage::Grant { stream: STREAM, epoch: self.epoch, items: 1 }).await;
        let epoch = self.epoch;
        let first = self.client.next_that(|message| match message {
            ServerMessage::Picture { head, .. } => Some((head.epoch, Ok(head.index))),
            ServerMessage::Sound { head, .. } => Some((head.epoch, Err(head.pts_nanos))),
            ServerMessage::StreamStarted(_) => None,
            other => panic!("no item but {other:?}"),
        });
        assert_eq!(first.await, (epoch, Ok(index)), "sound came before picture {index}");
    }
}

#[tokio::test]
async fn with_one_credit_the_picture_is_sent_before_the_sound() {
    let folder = tempdir().unwrap();
    // At 30 frames/s most pictures fall between two audio frames, some of them just after one.
    let description = "videotestsrc num-buffers=36 ! video/x-raw,width=160,height=96,framerate=30/1 \
        ! x264enc key-int-max=10 ! queue ! mp4mux name=mux ! filesink name=sink \
        audiotestsrc num-buffers=57 ! audio/x-raw,rate=48000 ! avenc_aac ! queue max-size-time=0 ! mux.";
    for height in [240, 720] {
        run(description, &folder.path().join(format!("clip_{height}p.mp4")));
    }
    let (_server, client, video) = start(folder.path()).await;
    assert!(video.has_sound);
    let mut viewer = OneCredit::watch(client, video.id, 16).await;
    viewer.expect_picture(16).await;
    for picture in (0..36).rev() {
        viewer.seek(picture).await;
        viewer.expect_picture(picture).await;
    }
    for (quality, picture) in [(Quality::Only(720), 16), (Quality::Triptych, 13), (Quality::Only(240), 16)] {
        viewer.set_quality(quality, picture).await;
        viewer.expect_picture(picture).await;
    }
}
