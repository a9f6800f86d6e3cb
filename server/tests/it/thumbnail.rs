//! Thumbnails as a client receives them.

use std::{fs, path::Path};

use common::{
    crypto::test_keys,
    limits::{MAX_LIBRARY_ENTRIES, MAX_THUMBNAIL_BYTES, THUMBNAIL_HEIGHT},
    media::{VideoId, VideoInfo},
    message::{ClientMessage, ServerMessage},
};
use tempfile::tempdir;

use crate::support::{client::TestClient, clips::Clip, pipe::Sessions, server::TestServer};

/// Black until `first_shown`, then bright blocks.
fn late(folder: &Path, name: &str, frame_count: u64, first_shown: u32) {
    let luma = |number, row: f32, column: f32| {
        let is_bright = ((row * 12.0) as u32 + (column * 20.0) as u32).is_multiple_of(2);
        if number >= first_shown && is_bright { 220 } else { 20 }
    };
    let clip = Clip::new(0, frame_count, 25).encoder(crate::support::clips::H264_SHORT_GROUPS, "mp4mux");
    Clip { size: (426, 240), ..clip }.write_painted(&folder.join(name), luma, |_, _| (128, 128));
}

async fn ask(client: &mut TestClient, video: VideoId) -> (u64, Vec<u8>) {
    client.send(&ClientMessage::AskThumbnail { video }).await;
    answer(client, video).await
}

async fn answer(client: &mut TestClient, asked: VideoId) -> (u64, Vec<u8>) {
    match client.next().await {
        ServerMessage::Thumbnail { video, fingerprint, jpeg } => {
            assert_eq!(video, asked, "answers come in the order of the questions");
            (fingerprint, jpeg.0)
        }
        other => panic!("no thumbnail but {other:?}"),
    }
}

fn video<'a>(videos: &'a [VideoInfo], title: &str) -> &'a VideoInfo {
    videos.iter().find(|video| video.title == title).unwrap()
}

/// Width, height and the difference between the brightest and the darkest pixel.
fn read(jpeg: &[u8]) -> (u32, u32, u8) {
    let picture = image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).unwrap().into_luma8();
    let (dark, bright) = (picture.pixels().map(|p| p[0]).min().unwrap(), picture.pixels().map(|p| p[0]).max().unwrap());
    (picture.width(), picture.height(), bright - dark)
}

#[tokio::test]
async fn a_thumbnail_is_small_and_shows_something() {
    let folder = tempdir().unwrap();
    late(folder.path(), "At once_240p.mp4", 50, 0);
    late(folder.path(), "Late_240p.mp4", 100, 20);
    late(folder.path(), "Never_240p.mp4", 50, 999);
    let server = TestServer::start_with(folder.path()).await;
    let (mut client, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    for (title, shows) in [("At once", true), ("Late", true), ("Never", false)] {
        let info = video(&welcome.library.videos, title);
        let (fingerprint, jpeg) = ask(&mut client, info.id).await;
        let (width, height, contrast) = read(&jpeg);
        assert_eq!((fingerprint, width, height), (info.fingerprint, 192, THUMBNAIL_HEIGHT), "{title}");
        assert!(jpeg.len() <= MAX_THUMBNAIL_BYTES);
        assert_eq!(contrast > 100, shows, "{title}: {contrast}");
    }
    assert_eq!(ask(&mut client, VideoId(1)).await, (0, Vec::new()), "there is no such video");
    server.stop().await;
}

#[tokio::test]
async fn a_file_that_is_gone_has_no_thumbnail() {
    let folder = tempdir().unwrap();
    late(folder.path(), "Gone_240p.mp4", 25, 0);
    triptych_server::video::init().unwrap();
    let library = triptych_server::video::library::Library::scan(folder.path()).unwrap();
    let info = library.listing().videos[0].clone();
    fs::remove_file(folder.path().join("Gone_240p.mp4")).unwrap();
    assert_eq!(library.thumbnail(info.id).await, (info.fingerprint, Vec::new().into()));
}

#[tokio::test]
async fn a_flood_of_requests_gets_one_answer_per_possible_video_and_does_not_block_the_session() {
    const QUESTIONS: usize = 5_000;
    const PIPE_BYTES: usize = 64 * 1024;
    /// The bytes that may be queued for a client before its thumbnails have to wait.
    const CALM_BYTES: usize = 64 * 1024;
    let folder = tempdir().unwrap();
    late(folder.path(), "A_240p.mp4", 25, 0);
    let sessions = Sessions::start_with(folder.path());
    let (mut client, _) = sessions.connect_through(PIPE_BYTES, |stream| stream);
    let welcome = client.join_as("ada", &test_keys::ada()).await;
    let info = &welcome.library.videos[0];
    let question = common::codec::encode_client(&ClientMessage::AskThumbnail { video: info.id });
    client.send_bytes(&question.repeat(QUESTIONS)).await;
    client.send(&ClientMessage::AskDirectory).await;
    let (mut answers, mut answer_bytes, mut has_directory, mut has_asked_last) = (0, 0, false, false);
    loop {
        match client.next().await {
            ServerMessage::Thumbnail { video: VideoId(1), .. } => break,
            ServerMessage::Thumbnail { fingerprint, jpeg, .. } => {
                assert!(fingerprint == info.fingerprint && !jpeg.0.is_empty());
                answers += 1;
                answer_bytes = jpeg.0.len();
            }
            // When the session answers this one, it has taken or dropped all earlier requests.
            ServerMessage::Directory { .. } => has_directory = true,
            other => panic!("{other:?}"),
        }
        if has_directory && answers >= MAX_LIBRARY_ENTRIES / 2 && !has_asked_last {
            // By now there is room for one more request; its answer comes after all others.
            client.send(&ClientMessage::AskThumbnail { video: VideoId(1) }).await;
            has_asked_last = true;
        }
    }
    // Besides the queue: the request that is being answered, and the answers that were sent during the flood.
    let under_way = 2 + (PIPE_BYTES + CALM_BYTES) / answer_bytes;
    assert!((MAX_LIBRARY_ENTRIES..=MAX_LIBRARY_ENTRIES + under_way).contains(&answers), "{answers}");
}
