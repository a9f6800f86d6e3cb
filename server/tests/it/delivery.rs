//! Deliveries for slow links, over TCP: which pictures of which files are sent, and the round trip that a client measures.

use common::{
    crypto::test_keys,
    media::{
        Delivery, Epoch, Position, Quality, SetQualityRequest, SoundFormat, StreamId, StreamStart, VideoId,
        WatchRequest,
    },
    message::{ClientMessage, EndReason, ServerMessage},
};
use tempfile::TempDir;

use crate::support::{
    client::TestClient,
    clips::{Clip, H264_SHORT_GROUPS, read_barcode, write_video},
    server::TestServer,
};

const STREAM: StreamId = StreamId(1);
const FRAMES: u32 = 90;
const PERIOD_NANOS: u64 = 40_000_000;

/// A client beside a video of three files with 90 frames each.
struct Watcher {
    folder: TempDir,
    _server: TestServer,
    client: TestClient,
    video: VideoId,
    epoch: Epoch,
}

/// What is sent of a picture: its index, its frame and file as its barcode says, and how long it is displayed.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    index: u32,
    frame: u32,
    file: u32,
    height: u32,
    periods: u64,
}

impl Watcher {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clip = |file| Clip::new(file, FRAMES.into(), 25).encoder(H264_SHORT_GROUPS, "mp4mux");
        write_video(folder.path(), "Clip", &[(240, "mp4", clip(0)), (720, "mp4", clip(1)), (1440, "mp4", clip(2))]);
        let server = TestServer::start_with(folder.path()).await;
        let (client, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
        let video = welcome.library.videos[0].id;
        Self { folder, _server: server, client, video, epoch: Epoch(0) }
    }

    async fn watch(&mut self, delivery: Delivery, items: u32) -> StreamStart {
        let (video, quality, from) = (self.video, Quality::Triptych, Position::START);
        self.client.send(&ClientMessage::Watch(WatchRequest { stream: STREAM, video, quality, delivery, from })).await;
        self.grant(items).await;
        self.started().await
    }

    async fn change(&mut self, delivery: Delivery, at: u32) {
        self.epoch.0 += 1;
        let (epoch, quality, at) = (self.epoch, Quality::Triptych, Position::Picture(at));
        let request = SetQualityRequest { stream: STREAM, epoch, quality, delivery, at };
        self.client.send(&ClientMessage::SetQuality(request)).await;
        self.grant(200).await;
    }

    async fn grant(&mut self, items: u32) {
        self.client.send(&ClientMessage::Grant { stream: STREAM, epoch: self.epoch, items }).await;
    }

    async fn started(&mut self) -> StreamStart {
        let wanted = self.epoch;
        let start = |message| match message {
            ServerMessage::StreamStarted(start) => (start.epoch == wanted).then_some(start),
            _ => None,
        };
        self.client.next_that(start).await
    }

    /// The next picture of this epoch, or the end.
    async fn picture(&mut self) -> Result<Sent, EndReason> {
        let wanted = self.epoch;
        let next = self.client.next_that(|message| match message {
            ServerMessage::Picture { head, jpeg } if head.epoch == wanted => Some(Ok((head, jpeg))),
            ServerMessage::StreamEnded { epoch, reason, .. } if epoch == wanted => Some(Err(reason)),
            _ => None,
        });
        let (head, jpeg) = next.await?;
        let (frame, file) = read_barcode(&jpeg.0).unwrap();
        let (index, height) = (head.index, head.height);
        Ok(Sent { index, frame, file, height, periods: head.duration_nanos / PERIOD_NANOS })
    }

    async fn decoders(&mut self) -> u32 {
        self.client.send(&ClientMessage::AskStatistics).await;
        let decoders = |message| match message {
            ServerMessage::Statistics(statistics) => Some(statistics.decoders),
            _ => None,
        };
        self.client.next_that(decoders).await
    }
}

fn delivery(picture_step: u8, max_height: u32) -> Delivery {
    Delivery { picture_step, max_height: Some(max_height), sound: SoundFormat::Pcm }
}

#[tokio::test]
async fn every_fourth_picture_comes_from_the_largest_file_within_the_cap() {
    let mut watcher = Watcher::new().await;
    let start = watcher.watch(delivery(4, 1000), 200).await;
    assert_eq!((start.delivery, start.frame_count), (delivery(4, 1000), FRAMES));
    let heights: Vec<_> = start.segments.iter().map(|segment| (segment.height, segment.sent_height)).collect();
    assert_eq!(heights, [(240, 240), (720, 720), (1440, 720)], "the thirds keep their names");
    // The first picture of each third besides, so that the third before it does not last too long.
    let mut expected: Vec<u32> = (0..FRAMES).filter(|index| index % 4 == 0 || index % 30 == 0).collect();
    expected.push(FRAMES);
    for pair in expected.windows(2) {
        let (index, file, height) = (pair[0], u32::from(pair[0] >= 30), if pair[0] >= 30 { 720 } else { 240 });
        let sent = Sent { index, frame: index, file, height, periods: u64::from(pair[1] - index) };
        assert_eq!(watcher.picture().await, Ok(sent));
    }
    assert_eq!(watcher.picture().await, Err(EndReason::Finished));
}

#[tokio::test]
async fn another_delivery_goes_on_at_the_same_picture() {
    let mut watcher = Watcher::new().await;
    watcher.watch(delivery(8, 240), 200).await;
    watcher.picture().await.unwrap();
    let opus = Delivery { sound: SoundFormat::Opus, ..delivery(2, 720) };
    watcher.change(opus, 61).await;
    let start = watcher.started().await;
    assert_eq!((start.first_index, start.delivery), (61, opus));
    let sent = |index, file, height, periods| Ok(Sent { index, frame: index, file, height, periods });
    assert_eq!(watcher.picture().await, sent(61, 1, 720, 1), "the first of an epoch is always sent");
    assert_eq!(watcher.picture().await, sent(62, 1, 720, 2));
    watcher.change(Delivery::FULL, 63).await;
    assert_eq!(watcher.picture().await, sent(63, 2, 1440, 1));
}

#[tokio::test]
async fn segments_from_one_file_are_decoded_in_one_go() {
    let mut watcher = Watcher::new().await;
    watcher.watch(delivery(1, 240), 0).await;
    for index in 0..FRAMES {
        watcher.grant(1).await;
        assert_eq!(watcher.picture().await, Ok(Sent { index, frame: index, file: 0, height: 240, periods: 1 }));
        let decoders = watcher.decoders().await;
        assert!(decoders <= 1, "{decoders} decoders at picture {index}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_files_that_it_really_uses() {
    let mut watcher = Watcher::new().await;
    watcher.watch(delivery(1, 720), 200).await;
    watcher.picture().await.unwrap();
    std::fs::remove_file(watcher.folder.path().join("Clip_1440p.mp4")).unwrap();
    let changed = |message| matches!(message, ServerMessage::LibraryChanged { .. }).then_some(());
    // The pictures that arrive until then are passed over.
    watcher.client.next_that(changed).await;
    watcher.change(delivery(2, 720), 80).await;
    for index in [80, 82, 84, 86, 88] {
        assert_eq!(watcher.picture().await.map(|sent| (sent.index, sent.file)), Ok((index, 1)));
    }
    assert_eq!(watcher.picture().await, Err(EndReason::Finished));
    watcher.change(Delivery::FULL, 80).await;
    let Err(EndReason::Failed(reason)) = watcher.picture().await else { panic!("the file is gone") };
    assert!(reason.contains("Clip_1440p.mp4") && reason.contains("removed"), "{reason}");
}

#[tokio::test]
async fn a_probe_is_answered_with_its_number() {
    let mut watcher = Watcher::new().await;
    for number in [0, 7, u64::MAX] {
        watcher.client.send(&ClientMessage::Probe { number }).await;
        let echo = |message| match message {
            ServerMessage::Echo { number, .. } => Some(number),
            _ => None,
        };
        assert_eq!(watcher.client.next_that(echo).await, number);
    }
}
