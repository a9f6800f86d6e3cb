//! A file that crashes its decoder while twenty clients watch other videos: none of them loses a picture.

use std::time::Instant;

use common::{
    crypto::Identity,
    media::{Epoch, Library, Position, Quality, StreamId},
    message::{ClientMessage, EndReason, ServerMessage},
    test_messages::watch_message,
};
use futures_util::future::join_all;
use triptych_server::video;

use crate::support::{
    client::TestClient,
    clips::{Clip, read_barcode},
    crowd::identities,
    server::{TestServer, faulty},
    watch::watch_title,
};

const VIEWERS: usize = 20;
/// Videos that they watch, several of them each.
const VIDEOS: usize = 5;
const FRAMES: u32 = 100;
/// Pictures after which the broken video is opened, and after which at the latest it has crashed: no decoder of the others
/// has reached its end by then, since they work at most a few dozen pictures ahead.
const CRASH_BETWEEN: [u32; 2] = [20, 40];
/// Pictures that are granted and have not arrived yet.
const CREDIT: u32 = 8;
const STREAM: StreamId = StreamId(1);

/// A client that watches one video and keeps what it was sent.
struct Viewer {
    client: TestClient,
    variant: u32,
    /// The barcode of each picture.
    pictures: Vec<Option<(u32, u32)>>,
    end: Option<EndReason>,
}

impl Viewer {
    async fn watch(mut client: TestClient, variant: u32, library: &Library) -> Self {
        let title = title(variant);
        let video = library.videos.iter().find(|video| video.title == title).expect("the video is offered").id;
        let (quality, from) = (Quality::Triptych, Position::START);
        client.send(&watch_message(STREAM, video, quality, from)).await;
        client.send(&ClientMessage::Grant { stream: STREAM, epoch: Epoch(0), items: CREDIT }).await;
        Self { client, variant, pictures: Vec::new(), end: None }
    }

    /// Goes on until it has this number of pictures, or its stream has ended.
    async fn go_on_to(&mut self, picture_count: u32) {
        while self.pictures.len() < picture_count as usize && self.end.is_none() {
            match self.client.next().await {
                ServerMessage::Picture { jpeg, .. } => {
                    self.pictures.push(read_barcode(&jpeg.0));
                    self.client.send(&ClientMessage::Grant { stream: STREAM, epoch: Epoch(0), items: 1 }).await;
                }
                ServerMessage::StreamEnded { reason, .. } => self.end = Some(reason),
                ServerMessage::StreamStarted(_) | ServerMessage::Joined { .. } => {}
                other => panic!("the viewer of video {} received {other:?}", self.variant),
            }
        }
    }
}

fn title(variant: u32) -> String {
    format!("Good {variant}")
}

async fn all_go_on_to(viewers: &mut [Viewer], picture_count: u32) {
    join_all(viewers.iter_mut().map(|viewer| viewer.go_on_to(picture_count))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_crashes_its_decoder_costs_twenty_other_viewers_no_picture() {
    video::init().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, variant: u32, frames: u32| {
        Clip::new(variant, frames.into(), 25).write(&folder.path().join(format!("{name}_240p.mp4")));
    };
    let variants: Vec<u32> = (0..VIDEOS as u32).collect();
    variants.iter().for_each(|&variant| write(&title(variant), variant, FRAMES));
    write("Bad", 14, FRAMES);
    write("Unopened", 15, FRAMES);
    let server = TestServer::start_as(&faulty(folder.path(), "abort:20:Bad_240p.mp4")).await;

    let mut people = (0..).zip(identities(VIEWERS + 2));
    let mut join = async || {
        let (number, identity): (u32, Identity) = people.next().expect("there are enough keys");
        TestClient::join(server.address, &format!("viewer-{number}"), &identity).await
    };
    let ((mut bad, welcome), (mut next, _)) = (join().await, join().await);
    let library = &welcome.library;
    let mut viewers = Vec::new();
    for variant in variants.iter().copied().cycle().take(VIEWERS) {
        viewers.push(Viewer::watch(join().await.0, variant, library).await);
    }
    all_go_on_to(&mut viewers, CRASH_BETWEEN[0]).await;
    let (crashed, ()) = tokio::join!(
        watch_title(&mut bad, STREAM, "Bad", Quality::Triptych, library),
        all_go_on_to(&mut viewers, CRASH_BETWEEN[1]),
    );
    let asked_at = Instant::now();
    let (unopened, ()) = tokio::join!(
        async {
            let unopened = watch_title(&mut next, STREAM, "Unopened", Quality::Triptych, library).await;
            println!(
                "After the crash, a new video of {FRAMES} pictures took {:?} from the click to its end",
                asked_at.elapsed()
            );
            unopened
        },
        all_go_on_to(&mut viewers, u32::MAX),
    );

    let EndReason::Failed(reason) = crashed.end else { panic!("{:?}", crashed.end) };
    assert!(reason.starts_with("\"Bad_240p.mp4\" cannot be played from frame "), "{reason}");
    assert!(reason.contains("the decoder crashed while reading it"), "{reason}");
    assert!(crashed.pictures.len() < FRAMES as usize);
    for viewer in viewers {
        let whole: Vec<_> = (0..FRAMES).map(|frame| Some((frame, viewer.variant))).collect();
        assert_eq!((viewer.pictures, viewer.end), (whole, Some(EndReason::Finished)));
    }
    assert_eq!((unopened.pictures.len(), unopened.end), (FRAMES as usize, EndReason::Finished));
    server.stop().await;
}
