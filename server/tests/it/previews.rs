//! Previews as a client receives them: small pictures of the places of a video.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use common::{
    codec::encode_server,
    crypto::test_keys,
    limits::{MAX_PREVIEW_BYTES, MAX_PREVIEWS, PREVIEW_HEIGHT, PREVIEW_WIDTH},
    media::{VideoId, VideoInfo},
    message::{Blob, ClientMessage, ServerMessage},
};
use tempfile::tempdir;
use tokio::time::Instant;
use triptych_server::limits::Limits;

use crate::support::{
    client::TestClient,
    clips::{
        Clip, H264, H264_OPEN_GROUPS, H264_SHORT_GROUPS, H265, MJPEG, MPEG4, VP8, VP9, read_barcode, three,
        turn_clockwise, write_video,
    },
    pipe::Sessions,
    server::{TestServer, faulty},
};

const SECOND: u64 = 1_000_000_000;

/// Length of a frame.
const PERIOD: u64 = SECOND / 25;

/// A video of twenty seconds.
fn twenty_seconds(encoder: &str, mux: &str) -> Clip {
    Clip::new(0, 500, 25).encoder(encoder, mux)
}

fn video<'a>(videos: &'a [VideoInfo], title: &str) -> &'a VideoInfo {
    videos.iter().find(|video| video.title == title).unwrap()
}

async fn ask(client: &mut TestClient, video: VideoId) -> (u64, u32) {
    client.send(&ClientMessage::AskPreviews { video: Some(video) }).await;
    announced(client, video).await
}

/// Fingerprint and number of the previews that are announced.
async fn announced(client: &mut TestClient, asked: VideoId) -> (u64, u32) {
    match client.next().await {
        ServerMessage::Previews { video, fingerprint, count } if video == asked => (fingerprint, count),
        other => panic!("no announcement but {other:?}"),
    }
}

/// The next preview: fingerprint, time and JPEG.
async fn next(client: &mut TestClient, asked: VideoId) -> (u64, u64, Vec<u8>) {
    match client.next().await {
        ServerMessage::Preview { video, fingerprint, pts_nanos, jpeg } if video == asked => {
            (fingerprint, pts_nanos, jpeg.0)
        }
        other => panic!("no preview but {other:?}"),
    }
}

/// All previews of a video by their times, in the order in which they came.
async fn all(client: &mut TestClient, info: &VideoInfo) -> Vec<(u64, Vec<u8>)> {
    let (fingerprint, count) = ask(client, info.id).await;
    assert_eq!(fingerprint, info.fingerprint);
    let mut previews = Vec::new();
    for _ in 0..count {
        let (of, pts_nanos, jpeg) = next(client, info.id).await;
        assert_eq!(of, fingerprint);
        previews.push((pts_nanos, jpeg));
    }
    previews
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preview_of_a_place_shows_the_frame_that_is_shown_there() {
    let folder = tempdir().unwrap();
    for (title, extension, encoder, mux) in [
        ("One group", "mp4", H264, "mp4mux"),
        ("Short groups", "mkv", H264_SHORT_GROUPS, "matroskamux"),
        ("Open groups", "mp4", H264_OPEN_GROUPS, "mp4mux"),
        ("Open groups in Matroska", "mkv", H264_OPEN_GROUPS, "matroskamux"),
        ("Transport stream", "ts", &format!("{H264_SHORT_GROUPS} ! h264parse"), "mpegtsmux"),
        ("H.265", "mkv", H265, "matroskamux"),
        ("VP8", "webm", VP8, "webmmux"),
        ("VP9", "webm", VP9, "webmmux"),
        ("Motion JPEG", "avi", MJPEG, "avimux"),
    ] {
        write_video(folder.path(), title, &[(240, extension, twenty_seconds(encoder, mux))]);
    }
    let server = TestServer::start_with(folder.path()).await;
    let (mut client, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    assert_eq!(welcome.library.videos.len(), 9);
    for info in &welcome.library.videos {
        let previews = all(&mut client, info).await;
        assert_eq!(previews.len(), 10, "one for every two seconds of {}", info.title);
        for (pts_nanos, jpeg) in &previews {
            let shown = read_barcode(jpeg).map(|(frame, _)| u64::from(frame) * PERIOD);
            // Transport streams and AVI give times of their own to frames that are reordered.
            let is_right = shown.is_some_and(|nanos| nanos.abs_diff(*pts_nanos) <= 2 * PERIOD);
            assert!(is_right, "{}: {shown:?} at {pts_nanos}", info.title);
        }
        let mut times: Vec<_> = previews.iter().map(|(pts_nanos, _)| *pts_nanos).collect();
        times.sort_unstable();
        for (place, pts_nanos) in times.iter().enumerate() {
            let middle = (2 * place as u64 + 1) * SECOND;
            assert!(pts_nanos.abs_diff(middle) <= SECOND + 2 * PERIOD, "{}: {times:?}", info.title);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn previews_are_small_and_keep_the_shape() {
    let folder = tempdir().unwrap();
    let noisy = |_, row: f32, column: f32| ((row * 7919.0 + column * 104_729.0) as u32 % 251) as u8;
    for (title, size) in [("Usual", (640, 360)), ("Wide", (1280, 160)), ("Small", (96, 64)), ("Turned", (320, 180))] {
        let clip = Clip { size, ..Clip::new(0, 25, 25).encoder(H264_SHORT_GROUPS, "mp4mux") };
        clip.write_painted(&folder.path().join(format!("{title}_240p.mp4")), noisy, |_, _| (128, 128));
    }
    turn_clockwise(&folder.path().join("Turned_240p.mp4"));
    let sessions = Sessions::start_with(folder.path());
    let mut client = sessions.join("ada", &test_keys::ada()).await;
    let videos = sessions.services.videos.library.listing().videos;
    for (title, size) in [("Usual", (160, 90)), ("Wide", (240, 30)), ("Small", (96, 64)), ("Turned", (51, 90))] {
        let (_, jpeg) = all(&mut client, video(&videos, title)).await.remove(0);
        let picture = image::load_from_memory_with_format(&jpeg, image::ImageFormat::Jpeg).unwrap();
        assert_eq!((picture.width(), picture.height()), size, "{title}");
        assert!(picture.height() <= PREVIEW_HEIGHT && picture.width() <= PREVIEW_WIDTH);
        assert!((1..=MAX_PREVIEW_BYTES).contains(&jpeg.len()), "{title}: {} bytes", jpeg.len());
    }
}

#[tokio::test]
async fn they_come_from_the_smallest_file_and_from_coarse_to_fine() {
    let folder = tempdir().unwrap();
    let files = three(1_500, H264_SHORT_GROUPS, "mp4mux", "mp4");
    write_video(folder.path(), "Three", &files);
    let sessions = Sessions::start_with(folder.path());
    let mut client = sessions.join("ada", &test_keys::ada()).await;
    let info = sessions.services.videos.library.listing().videos[0].clone();
    let previews = all(&mut client, &info).await;
    assert_eq!(previews.len(), 30);
    assert!(previews.iter().all(|(_, jpeg)| read_barcode(jpeg).is_some_and(|(_, variant)| variant == 0)));
    // The first four are so far apart that no place is further from one of them than a sixteenth of a hundred places.
    let of_place = |(pts_nanos, _): &(u64, Vec<u8>)| pts_nanos / (2 * SECOND);
    assert_eq!(previews[..4].iter().map(of_place).collect::<Vec<_>>(), [8, 24, 0, 16]);
    let second = all(&mut client, &info).await;
    assert_eq!(second, previews, "they are kept");
}

#[tokio::test]
async fn what_cannot_be_had_is_announced_as_nothing() {
    let folder = tempdir().unwrap();
    write_video(folder.path(), "Gone", &[(240, "mp4", Clip::new(0, 25, 25))]);
    // Its frames have no times of their own, so nothing can be found in it without reading all that is before.
    write_video(folder.path(), "Untimed", &[(240, "mkv", Clip::new(0, 100, 25).encoder(MPEG4, "matroskamux"))]);
    let sessions = Sessions::start_with(folder.path());
    let mut client = sessions.join("ada", &test_keys::ada()).await;
    assert_eq!(ask(&mut client, VideoId(1)).await, (0, 0), "there is no such video");
    let videos = sessions.services.videos.library.listing().videos;
    let (info, untimed) = (video(&videos, "Gone"), video(&videos, "Untimed"));
    assert_eq!(ask(&mut client, untimed.id).await, (untimed.fingerprint, 0));
    fs::remove_file(folder.path().join("Gone_240p.mp4")).unwrap();
    assert_eq!(ask(&mut client, info.id).await, (info.fingerprint, 1));
    // The file is gone, so nothing follows but what is asked for next.
    assert_eq!(ask(&mut client, VideoId(1)).await, (0, 0));
}

#[tokio::test]
async fn a_later_request_ends_the_one_before() {
    let folder = tempdir().unwrap();
    for title in ["A", "B"] {
        write_video(folder.path(), title, &[(240, "mp4", twenty_seconds(H264_SHORT_GROUPS, "mp4mux"))]);
    }
    // So slow that the first video would take minutes.
    let limits = Limits { preview_kib_per_second: 1, ..Limits::default() };
    let sessions = Sessions::start_with_limits(folder.path(), limits);
    let mut client = sessions.join("ada", &test_keys::ada()).await;
    let videos = sessions.services.videos.library.listing().videos;
    ask(&mut client, videos[0].id).await;
    next(&mut client, videos[0].id).await;
    client.send(&ClientMessage::AskPreviews { video: Some(videos[1].id) }).await;
    let mut others = 0;
    client
        .next_that(|message| match message {
            ServerMessage::Preview { video, .. } if video == videos[0].id => {
                others += 1;
                None
            }
            ServerMessage::Previews { video, .. } if video == videos[1].id => Some(()),
            _ => None,
        })
        .await;
    // One of the first video may have been on its way.
    let of_second =
        |message| matches!(message, ServerMessage::Preview { video, .. } if video == videos[1].id).then_some(());
    client.next_that(of_second).await;
    client.send(&ClientMessage::AskPreviews { video: None }).await;
    client.send(&ClientMessage::Probe { number: 5 }).await;
    client.next_that(|message| matches!(message, ServerMessage::Echo { number: 5, .. }).then_some(())).await;
    assert!(others < 10, "the first request has ended");
}

#[tokio::test]
async fn a_file_that_was_replaced_is_asked_for_under_its_new_fingerprint() {
    let folder = tempdir().unwrap();
    let path = &write_video(folder.path(), "A", &[(240, "mp4", Clip::new(0, 50, 25))])[0];
    let server = TestServer::start_with(folder.path()).await;
    let (mut client, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    let before = welcome.library.videos[0].clone();
    let old = all(&mut client, &before).await;
    Clip::new(3, 50, 25).write(&folder.path().join("new"));
    fs::rename(folder.path().join("new"), path).unwrap();
    let changed = |message| match message {
        ServerMessage::LibraryChanged { library } => library.videos.into_iter().find(|video| video.id == before.id),
        _ => None,
    };
    let after =
        client.next_that(|message| changed(message).filter(|after| after.fingerprint != before.fingerprint)).await;
    let new = all(&mut client, &after).await;
    let variants = |previews: &[(u64, Vec<u8>)]| previews.iter().map(|(_, jpeg)| read_barcode(jpeg).unwrap().1).next();
    assert_eq!((variants(&old), variants(&new)), (Some(0), Some(3)));
    server.stop().await;
}

/// The previews of one video, by the times at which they came.
async fn timed(client: &mut TestClient, info: &VideoInfo) -> Vec<(Duration, usize)> {
    let asked_at = Instant::now();
    let (fingerprint, count) = ask(client, info.id).await;
    let mut came = Vec::new();
    for _ in 0..count {
        let (_, pts_nanos, jpeg) = next(client, info.id).await;
        let preview = ServerMessage::Preview { video: info.id, fingerprint, pts_nanos, jpeg: Blob(jpeg) };
        came.push((asked_at.elapsed(), encode_server(&preview).len()));
    }
    came
}

#[tokio::test]
async fn previews_are_sent_at_a_limited_rate_however_often_they_are_asked_for() {
    const BURST: usize = 64 * 1024;
    let folder = tempdir().unwrap();
    write_video(folder.path(), "A", &[(240, "mp4", twenty_seconds(H264_SHORT_GROUPS, "mp4mux"))]);
    let limits = Limits { preview_kib_per_second: 1, ..Limits::default() };
    let sessions = Sessions::start_with_limits(folder.path(), limits);
    let mut client = sessions.join("ada", &test_keys::ada()).await;
    let info = sessions.services.videos.library.listing().videos[0].clone();
    // They are made in a thread, for which a clock that is paused would not wait.
    let first: usize = timed(&mut client, &info).await.iter().map(|(_, bytes)| bytes).sum();
    assert!(first < BURST, "{first} bytes come at once");
    tokio::time::pause();
    let begun = Instant::now();
    let (mut sent_bytes, mut waited) = (first, Duration::ZERO);
    while sent_bytes < BURST + 8 * 1024 {
        for (_, bytes) in timed(&mut client, &info).await {
            let expected = Duration::from_millis(sent_bytes.saturating_sub(BURST) as u64 * 1000 / 1024);
            waited = begun.elapsed();
            assert!(waited >= expected.saturating_sub(Duration::from_secs(8)), "after {waited:?}, not {expected:?}");
            sent_bytes += bytes;
        }
    }
    assert!(waited > Duration::from_secs(1), "{sent_bytes} bytes are enough to wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_crashes_its_decoder_ends_its_previews_and_no_others() {
    let folder = tempdir().unwrap();
    for (title, number) in [("Good", 0), ("Bad", 1)] {
        write_video(folder.path(), title, &[(240, "mp4", Clip::new(number, 250, 25))]);
    }
    for kind in ["abort", "noise", "flood", "disorder"] {
        let server = TestServer::start_as(&faulty(folder.path(), &format!("{kind}:2:Bad_240p.mp4"))).await;
        let (mut client, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
        let (good, bad) = (video(&welcome.library.videos, "Good"), video(&welcome.library.videos, "Bad"));
        ask(&mut client, bad.id).await;
        let (_, _, first) = next(&mut client, bad.id).await;
        assert!(read_barcode(&first).is_some(), "{kind}");
        next(&mut client, bad.id).await;
        assert_eq!(all(&mut client, good).await.len(), 5, "{kind}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_hundred_are_the_most() {
    let folder = tempdir().unwrap();
    long(folder.path(), "Long");
    let sessions = Sessions::start_with(folder.path());
    let mut client = sessions.join("ada", &test_keys::ada()).await;
    let info = sessions.services.videos.library.listing().videos[0].clone();
    let previews: BTreeMap<_, _> = all(&mut client, &info).await.into_iter().collect();
    assert_eq!(previews.len(), MAX_PREVIEWS, "each has a time of its own");
}

/// Of ten minutes, with few frames.
fn long(folder: &Path, title: &str) {
    let clip = Clip::new(0, 1_200, 2).encoder(H264_SHORT_GROUPS, "matroskamux");
    write_video(folder, title, &[(240, "mkv", clip)]);
}
