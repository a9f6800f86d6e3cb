//! What a reel does besides its pictures: it can be waited for in pieces, ends its threads when it is
//! dropped, and says where a file stops.

use std::{
    fs,
    path::Path,
    sync::{Arc, Weak},
};

use common::media::Quality;
use tempfile::tempdir;
use triptych_server::video::{self, Library, Reel, Video};

use crate::support::clips::{Clip, H264_SHORT_GROUPS, MJPEG, read_barcode, wait_until, write_video};

/// A reel of the only video in the folder, and a way to see whether anybody still holds the video. The threads of the
/// reel do until their pipelines are put away.
fn open(folder: &Path) -> (Reel, Weak<Video>) {
    video::init().unwrap();
    let library = Library::scan(folder).unwrap();
    let listing = library.listing();
    let video = library.video(listing.videos.first().unwrap_or_else(|| panic!("{listing:#?}")).id).unwrap();
    let weak = Arc::downgrade(&video);
    (Reel::open(video, Quality::Triptych, Arc::new(())).unwrap(), weak)
}

fn three_of(folder: &Path, frame_count: u64) {
    let clip = |file| Clip::new(file, frame_count, 25).encoder(H264_SHORT_GROUPS, "mp4mux");
    write_video(folder, "clip", &[(240, "mp4", clip(0)), (720, "mp4", clip(1)), (1440, "mp4", clip(2))]);
}

#[tokio::test]
async fn dropping_a_reel_ends_its_threads_wherever_it_is() {
    let folder = tempdir().unwrap();
    three_of(folder.path(), 90);
    for taken in [0, 1, 29, 30, 45, 89] {
        let (mut reel, video) = open(folder.path());
        for _ in 0..taken {
            reel.next().await.unwrap().unwrap();
        }
        drop(reel);
        wait_until("the threads of the reel end", || video.upgrade().is_none());
    }
}

#[tokio::test]
async fn a_reel_that_ran_to_its_end_keeps_saying_so_and_has_no_threads() {
    let folder = tempdir().unwrap();
    three_of(folder.path(), 9);
    let (mut reel, video) = open(folder.path());
    let mut count = 0;
    while let Some(picture) = reel.next().await {
        let picture = picture.unwrap();
        assert_eq!(picture.index, count);
        count += 1;
    }
    assert_eq!(count, reel.frame_count());
    assert!(reel.next().await.is_none());
    // The reel itself is the last holder.
    wait_until("the threads of the reel end", || video.strong_count() == 1);
}

#[tokio::test]
async fn waiting_may_be_given_up_and_taken_up_again() {
    let folder = tempdir().unwrap();
    three_of(folder.path(), 60);
    let (mut reel, _) = open(folder.path());
    let mut numbers = Vec::new();
    while numbers.len() < 60 {
        // Polled once and dropped, over and over: no picture may be lost.
        let polled =
            tokio::select! { biased; picture = reel.next() => Some(picture), () = tokio::task::yield_now() => None };
        if let Some(picture) = polled {
            numbers.push(read_barcode(&picture.unwrap().unwrap().jpeg).unwrap().0);
        }
    }
    assert_eq!(numbers, (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_file_that_breaks_after_the_scan_ends_the_reel_with_its_name_and_the_frame() {
    let folder = tempdir().unwrap();
    let clip = Clip::new(0, 60, 25).encoder(MJPEG, "matroskamux");
    let path = &write_video(folder.path(), "clip", &[(240, "mkv", clip)])[0];
    video::init().unwrap();
    let library = Library::scan(folder.path()).unwrap();
    let video = library.video(library.listing().videos[0].id).unwrap();
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    let mut reel = Reel::open(video, Quality::Triptych, Arc::new(())).unwrap();
    let mut good = 0;
    let error = loop {
        match reel.next().await.expect("a reel says why it ends early") {
            Ok(picture) => {
                assert_eq!(read_barcode(&picture.jpeg), Some((good, 0)));
                good += 1;
            }
            Err(error) => break error.to_string(),
        }
    };
    assert!((20..40).contains(&good), "{good}");
    assert!(error.contains("clip_240p.mkv") && error.contains(&format!("frame {good}")), "{error}");
    assert!(reel.next().await.is_none(), "an error is final");
}

#[tokio::test]
async fn a_planned_frame_that_never_comes_is_not_replaced_by_another() {
    let folder = tempdir().unwrap();
    let clip = Clip::new(0, 60, 25).encoder(MJPEG, "matroskamux");
    let path = &write_video(folder.path(), "clip", &[(240, "mkv", clip.clone())])[0];
    video::init().unwrap();
    let library = Library::scan(folder.path()).unwrap();
    let video = library.video(library.listing().videos[0].id).unwrap();
    let pts_millis = clip.pts_millis.iter().copied().filter(|&pts| pts != 31 * 40).collect();
    Clip { pts_millis, ..clip }.write(path);
    let mut reel = Reel::open(video, Quality::Triptych, Arc::new(())).unwrap();
    for index in 0..31 {
        assert_eq!(reel.next().await.unwrap().unwrap().index, index);
    }
    let error = reel.next().await.unwrap().unwrap_err().to_string();
    assert!(error.contains("clip_240p.mkv") && error.contains("frame 31"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_gone_ends_the_reel_with_its_name() {
    let folder = tempdir().unwrap();
    let path = &write_video(folder.path(), "clip", &[(240, "mp4", Clip::new(0, 6, 25))])[0];
    video::init().unwrap();
    let library = Library::scan(folder.path()).unwrap();
    let video = library.video(library.listing().videos[0].id).unwrap();
    fs::remove_file(path).unwrap();
    let mut reel = Reel::open(video, Quality::Triptych, Arc::new(())).unwrap();
    let error = reel.next().await.unwrap().unwrap_err().to_string();
    assert!(error.contains("clip_240p.mp4"), "{error}");
}

#[test]
fn bytes_of_pictures_are_not_printed() {
    let jpeg = bytes::Bytes::from_static(&[1; 100]);
    let picture = video::EncodedPicture { index: 0, height: 240, pts_nanos: 0, duration_nanos: 1, jpeg };
    assert!(format!("{picture:?}").contains("jpeg_bytes: 100"), "{picture:?}");
}
