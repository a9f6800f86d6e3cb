//! Watching from the real server, without a window: network, playout and player as the program has them.

use std::{path::Path, process::Command, time::Instant};

use common::{
    crypto::test_keys,
    media::{
        Delivery, Epoch, PictureHead, Position, Quality, SeekRequest, SetQualityRequest, StreamId, StreamStart,
        WatchRequest,
    },
    message::EndReason,
};
use triptych_client::{
    event::{NetCommand, NetEvent},
    playback::{audio_output::AudioOutput, player::Player},
};

use crate::support::{
    client::{Client, keep},
    host::Host,
    wake::WakeSignal,
};

const STREAM: StreamId = StreamId(1);

/// Two seconds with sound, in two resolutions.
pub fn make_clip(folder: &Path) {
    for height in [120, 240] {
        let pipeline = format!(
            "videotestsrc num-buffers=50 ! video/x-raw,width={},height={height},framerate=25/1 ! jpegenc ! \
             matroskamux name=mux ! filesink location={} \
             audiotestsrc num-buffers=100 samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 ! mux.",
            height * 16 / 9 / 2 * 2,
            folder.join(format!("Bars_{height}p.mkv")).display(),
        );
        let made = Command::new("gst-launch-1.0").arg("-q").args(pipeline.split_whitespace()).status();
        assert!(made.expect("'make test' installs gst-launch-1.0").success());
    }
}

struct Watcher {
    client: Client,
    player: Player,
    wake: WakeSignal,
}

impl Watcher {
    fn grant(&self) {
        if let Some((stream, epoch, items)) = self.player.take_credit() {
            self.client.send(NetCommand::Grant { stream, epoch, items });
        }
    }

    fn next(&self) -> PictureHead {
        self.wake.wait_for_or("a picture", || {
            let due = self.player.due(Instant::now());
            self.grant();
            due.map(|(head, _)| head).ok_or_else(|| self.player.next_due(Instant::now()))
        })
    }

    fn started(&self, expected: Epoch) -> (u32, bool, usize) {
        self.client.wait_for("start", |event| match event {
            NetEvent::StreamStarted(StreamStart { epoch, first_index, has_sound, segments, .. })
                if *epoch == expected =>
            {
                Some((*first_index, *has_sound, segments.len()))
            }
            _ => None,
        })
    }
}

#[test]
fn a_video_is_watched_sought_in_and_seen_to_its_end() {
    let videos = tempfile::tempdir().unwrap();
    make_clip(videos.path());
    let host = Host::start_with(None, "127.0.0.1:0", videos.path());
    let wake = WakeSignal::default();
    let player = Player::start(AudioOutput::none(), wake.callback()).expect("a thread can be started");
    let data_dir = tempfile::tempdir().unwrap();
    keep(data_dir.path(), "ada", &test_keys::ada());
    let client = Client::with_sink(data_dir, true, player.sink());
    client.connect(&host.address, "ada");
    let video = client.online().library.videos[0].clone();
    assert!(video.has_sound);
    let watcher = Watcher { client, player, wake };
    let send = |command| watcher.client.send(command);

    watcher.player.begin(STREAM, video.has_sound, Instant::now());
    let watch = NetCommand::Watch(WatchRequest {
        stream: STREAM,
        video: video.id,
        quality: Quality::Triptych,
        from: Position::START,
        delivery: Delivery::FULL,
    });
    send(watch);
    watcher.grant();
    assert_eq!(watcher.started(Epoch(0)), (0, true, 2));
    assert_eq!([(); 3].map(|()| watcher.next().index), [0, 1, 2]);

    // Paused, and to a picture of the other resolution: that one and no other.
    watcher.player.set_paused(true, Instant::now());
    send(NetCommand::Seek(SeekRequest { stream: STREAM, epoch: Epoch(1), to: Position::Picture(40) }));
    watcher.player.seek(STREAM, Epoch(1), true, Instant::now());
    watcher.player.set_paused(true, Instant::now());
    watcher.grant();
    assert_eq!(watcher.started(Epoch(1)), (40, true, 2));
    let head = watcher.next();
    assert_eq!((head.index, head.height, head.epoch), (40, 240, Epoch(1)));

    // The other resolution alone, at the same moment.
    let quality = Quality::Only(120);
    send(NetCommand::SetQuality(SetQualityRequest {
        stream: STREAM,
        epoch: Epoch(2),
        quality,
        at: Position::Picture(40),
        delivery: Delivery::FULL,
    }));
    watcher.player.seek(STREAM, Epoch(2), true, Instant::now());
    watcher.grant();
    assert_eq!(watcher.started(Epoch(2)), (40, true, 1));
    let head = watcher.next();
    assert_eq!((head.index, head.height), (40, 120));
    watcher.player.set_paused(false, Instant::now());
    let rest: Vec<u32> = (41..50).map(|_| watcher.next().index).collect();
    assert_eq!(rest, (41..50).collect::<Vec<_>>());
    watcher.client.wait_for("end", |event| match event {
        NetEvent::StreamEnded { epoch: Epoch(2), reason: EndReason::Finished, .. } => Some(()),
        _ => None,
    });
    watcher.player.source_ended(STREAM, Epoch(2), Instant::now());
    let tally = watcher.player.stop().expect("it plays").tally;
    assert_eq!((tally.dropped(), tally.seeks), (0, 2), "{tally:?}");
    assert!(tally.sounds_unheard > 0, "sound came along: {tally:?}");

    send(NetCommand::Probe);
    let round_trip = watcher.client.wait_for("round trip", |event| match event {
        NetEvent::RoundTrip(round_trip) => Some(*round_trip),
        _ => None,
    });
    assert!(!round_trip.duration().is_zero(), "it takes some time even on one computer");

    send(NetCommand::AskThumbnail { video: video.id });
    let (fingerprint, bytes) = watcher.client.wait_for("thumbnail", |event| match event {
        NetEvent::Thumbnail { fingerprint, jpeg, .. } => Some((*fingerprint, jpeg.0.len())),
        _ => None,
    });
    assert!(fingerprint == video.fingerprint && bytes > 100, "{bytes}");
}
