//! Thumbnails as a client receives them.

use std::{fs, path::Path, time::Duration};

use common::{
    crypto::test_keys,
    limits::{MAX_THUMBNAIL_BYTES, THUMBNAIL_HEIGHT},
    media::{VideoId, VideoInfo},
    message::{ClientMessage, ServerMessage},
};
use tempfile::tempdir;
use tokio::time::Instant;
use triptych_server::limits::Limits;

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
async fn a_thumbnail_is_sent_once_to_each_client_and_again_when_the_video_changes() {
    const QUESTIONS: usize = 5_000;
    let folder = tempdir().unwrap();
    late(folder.path(), "A_240p.mp4", 25, 0);
    let sessions = Sessions::start_with(folder.path());
    let mut client = sessions.join("ada", &test_keys::ada()).await;
    let info = sessions.services.videos.library.listing().videos[0].clone();
    let (fingerprint, first) = ask(&mut client, info.id).await;
    assert!(fingerprint == info.fingerprint && !first.is_empty());

    // However often it asks: the answers to a flood are no longer than the questions.
    let question = common::codec::encode_client(&ClientMessage::AskThumbnail { video: info.id });
    let (writer, flood) = (client.writer.clone(), question.repeat(QUESTIONS));
    let sending = tokio::spawn(async move { writer.write(&flood).await });
    for _ in 0..QUESTIONS {
        assert_eq!(answer(&mut client, info.id).await, (info.fingerprint, Vec::new()));
    }
    assert!(sending.await.unwrap());

    // Another connection has it again.
    let mut other = sessions.join("bob", &test_keys::bob()).await;
    assert_eq!(ask(&mut other, info.id).await, (info.fingerprint, first));
}

#[tokio::test(start_paused = true)]
async fn thumbnails_are_sent_at_a_limited_rate() {
    const VIDEOS: usize = 8;
    let folder = tempdir().unwrap();
    late(folder.path(), "0_240p.mp4", 25, 0);
    for number in 1..VIDEOS {
        fs::copy(folder.path().join("0_240p.mp4"), folder.path().join(format!("{number}_240p.mp4"))).unwrap();
    }
    let limits = Limits { thumbnail_kib_per_second: 1, ..Limits::default() };
    let sessions = Sessions::start_with_limits(folder.path(), limits);
    let mut client = sessions.join("ada", &test_keys::ada()).await;
    let videos = sessions.services.videos.library.listing().videos;
    let asked_at = Instant::now();
    let mut sent_bytes = 0;
    for info in &videos {
        client.send(&ClientMessage::AskThumbnail { video: info.id }).await;
    }
    for (number, info) in videos.iter().enumerate() {
        let (_, jpeg) = answer(&mut client, info.id).await;
        let expected = Duration::from_millis(sent_bytes as u64 * 1000 / 1024).saturating_sub(Duration::from_secs(2));
        assert!(asked_at.elapsed() >= expected, "after {:?}, not {expected:?}", asked_at.elapsed());
        assert!(number + 1 < VIDEOS || expected > Duration::from_secs(1), "{sent_bytes} bytes are enough to wait");
        sent_bytes += jpeg.len();
    }
}
