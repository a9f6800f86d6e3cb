//! What a reel does besides its pictures: it can be waited for in pieces, lets its decoders go when it is dropped, and
//! says where a file stops.

use std::{fs, path::Path};

use common::media::Quality;
use tempfile::tempdir;
use triptych_server::video::{
    self,
    library::Library,
    store::Store,
    stream::{EncodedPicture, Item, StreamError, StreamPlan, StreamReader},
};

use crate::support::clips::{Clip, H264_SHORT_GROUPS, MJPEG, read_barcode, three, wait_until, write_video};

const CACHE_BYTES: u64 = 64 << 20;

/// The only video in the folder as a triptych.
fn plan(folder: &Path) -> StreamPlan {
    video::init().unwrap();
    let library = Library::scan(folder).unwrap();
    let listing = library.listing();
    let video = library.video(listing.videos.first().unwrap_or_else(|| panic!("{listing:#?}")).id).unwrap();
    StreamPlan::new(video, Quality::Triptych).unwrap()
}

/// The next picture of a reel without sound.
async fn next(reel: &mut StreamReader) -> Option<Result<EncodedPicture, StreamError>> {
    match reel.next().await? {
        Ok(Item::Picture(picture)) => Some(Ok(picture)),
        Ok(Item::Sound(_)) => panic!("the clip has no sound"),
        Err(error) => Some(Err(error)),
    }
}

/// Changes a file so that only its contents tell.
fn damage_unseen(path: &Path, damage: impl FnOnce(&mut Vec<u8>)) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    damage(&mut bytes);
    fs::write(path, bytes).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

/// Where a frame of Motion JPEG begins.
fn jpeg_start(bytes: &[u8], frame: usize) -> usize {
    let mut starts = bytes.windows(3).enumerate().filter(|(_, marker)| *marker == [0xFF, 0xD8, 0xFF]);
    starts.nth(frame).unwrap().0
}

fn three_of(folder: &Path, frame_count: u64) {
    write_video(folder, "clip", &three(frame_count, H264_SHORT_GROUPS, "mp4mux", "mp4"));
}

#[tokio::test]
async fn dropped_reels_let_their_decoders_go() {
    let folder = tempdir().unwrap();
    three_of(folder.path(), 90);
    let plan = plan(folder.path());
    let store = Store::new(CACHE_BYTES);
    for taken in [0, 1, 29, 30, 45, 89] {
        let mut reel = StreamReader::open(&store, plan.clone(), 0);
        for _ in 0..taken {
            next(&mut reel).await.unwrap().unwrap();
        }
        assert_eq!(store.statistics().viewers, 1);
    }
    assert_eq!(store.statistics().viewers, 0);
    wait_until("the decoders end", || store.statistics().decoders == 0);
}

#[tokio::test]
async fn a_reel_that_ran_to_its_end_keeps_saying_so() {
    let folder = tempdir().unwrap();
    three_of(folder.path(), 9);
    let plan = plan(folder.path());
    let mut reel = StreamReader::open(&Store::new(CACHE_BYTES), plan.clone(), 0);
    let mut count = 0;
    while let Some(picture) = next(&mut reel).await {
        assert_eq!(picture.unwrap().index, count);
        count += 1;
    }
    assert_eq!(count, plan.frame_count());
    assert!(next(&mut reel).await.is_none());
}

#[tokio::test]
async fn waiting_may_be_given_up_and_taken_up_again() {
    let folder = tempdir().unwrap();
    three_of(folder.path(), 60);
    let mut reel = StreamReader::open(&Store::new(CACHE_BYTES), plan(folder.path()), 0);
    let mut numbers = Vec::new();
    while numbers.len() < 60 {
        // Polled once and dropped, over and over: no picture may be lost.
        let polled = tokio::select! { biased; picture = next(&mut reel) => Some(picture), () = tokio::task::yield_now() => None };
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
    let plan = plan(folder.path());
    damage_unseen(path, |bytes| {
        let start = jpeg_start(bytes, 30);
        bytes[start..].fill(0);
    });
    let mut reel = StreamReader::open(&Store::new(CACHE_BYTES), plan, 0);
    let mut good = 0;
    let error = loop {
        match next(&mut reel).await.expect("a reel says why it ends early") {
            Ok(picture) => {
                assert_eq!(read_barcode(&picture.jpeg), Some((good, 0)));
                good += 1;
            }
            Err(error) => break error.to_string(),
        }
    };
    assert_eq!(good, 30);
    assert!(error.contains("clip_240p.mkv") && error.contains(&format!("frame {good}")), "{error}");
    assert!(next(&mut reel).await.unwrap().is_err(), "it does not go on behind the break");
}

#[tokio::test]
async fn a_planned_frame_that_never_comes_is_not_replaced_by_another() {
    let folder = tempdir().unwrap();
    let clip = Clip::new(0, 60, 25).encoder(MJPEG, "matroskamux");
    let path = &write_video(folder.path(), "clip", &[(240, "mkv", clip.clone())])[0];
    let plan = plan(folder.path());
    damage_unseen(path, |bytes| {
        let start = jpeg_start(bytes, 31);
        bytes[start..start + 200].fill(0);
    });
    let mut reel = StreamReader::open(&Store::new(CACHE_BYTES), plan, 0);
    for index in 0..31 {
        assert_eq!(next(&mut reel).await.unwrap().unwrap().index, index);
    }
    let error = next(&mut reel).await.unwrap().unwrap_err().to_string();
    assert!(error.contains("clip_240p.mkv") && error.contains("frame 31"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_gone_ends_the_reel_with_its_name() {
    let folder = tempdir().unwrap();
    let path = &write_video(folder.path(), "clip", &[(240, "mp4", Clip::new(0, 6, 25))])[0];
    let plan = plan(folder.path());
    fs::remove_file(path).unwrap();
    let mut reel = StreamReader::open(&Store::new(CACHE_BYTES), plan, 0);
    let error = next(&mut reel).await.unwrap().unwrap_err().to_string();
    assert!(error.contains("clip_240p.mp4"), "{error}");
}

#[test]
fn bytes_of_pictures_are_not_printed() {
    let jpeg = bytes::Bytes::from_static(&[1; 100]);
    let picture = EncodedPicture { index: 0, height: 240, pts_nanos: 0, duration_nanos: 1, jpeg };
    assert!(format!("{picture:?}").contains("jpeg_bytes: 100"), "{picture:?}");
}

#[tokio::test]
async fn a_file_that_was_replaced_is_not_taken_for_the_one_that_was_read() {
    let folder = tempdir().unwrap();
    let clip = Clip::new(0, 60, 25);
    let path = &write_video(folder.path(), "clip", &[(240, "mp4", clip.clone())])[0];
    let plan = plan(folder.path());
    Clip { variant: 1, end_millis: 4000, ..clip }.write(path);
    let mut reel = StreamReader::open(&Store::new(CACHE_BYTES), plan, 0);
    let error = next(&mut reel).await.unwrap().unwrap_err().to_string();
    assert!(error.contains("clip_240p.mp4") && error.contains("replaced"), "{error}");
}
