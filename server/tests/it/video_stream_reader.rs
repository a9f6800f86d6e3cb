//! [`StreamReader`] besides its pictures: `next` is cancel safe, dropping a reader releases its decoders, and an error
//! names the file and frame where reading failed.

use std::{fs, path::Path};

use common::media::{Delivery, Origin, Quality};
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
    StreamPlan::new(video, Quality::Triptych, Delivery::FULL).unwrap()
}

/// The next picture of a reader without sound.
async fn next(reader: &mut StreamReader) -> Option<Result<EncodedPicture, StreamError>> {
    match reader.next().await? {
        Ok(Item::Picture(picture)) => Some(Ok(picture)),
        Ok(Item::Sound(_)) => panic!("the clip has no sound"),
        Err(error) => Some(Err(error)),
    }
}

/// Damages a file but keeps its modification time, so that only its contents show the change.
fn damage_unseen(path: &Path, damage: impl FnOnce(&mut Vec<u8>)) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    damage(&mut bytes);
    fs::write(path, bytes).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

/// The offset at which a frame of Motion JPEG begins.
fn jpeg_start(bytes: &[u8], frame: usize) -> usize {
    let mut starts = bytes.windows(3).enumerate().filter(|(_, marker)| *marker == [0xFF, 0xD8, 0xFF]);
    starts.nth(frame).unwrap().0
}

fn three_of(folder: &Path, frame_count: u64) {
    write_video(folder, "clip", &three(frame_count, H264_SHORT_GROUPS, "mp4mux", "mp4"));
}

#[tokio::test]
async fn dropped_readers_release_their_decoders() {
    let folder = tempdir().unwrap();
    three_of(folder.path(), 90);
    let plan = plan(folder.path());
    let store = Store::new(CACHE_BYTES);
    for taken in [0, 1, 29, 30, 45, 89] {
        let mut reader = StreamReader::open(&store, plan.clone(), 0);
        for _ in 0..taken {
            next(&mut reader).await.unwrap().unwrap();
        }
        assert_eq!(store.statistics().viewers, 1);
    }
    assert_eq!(store.statistics().viewers, 0);
    wait_until("the decoders end", || store.statistics().decoders == 0);
}

#[tokio::test]
async fn a_finished_reader_keeps_returning_none() {
    let folder = tempdir().unwrap();
    three_of(folder.path(), 9);
    let plan = plan(folder.path());
    let mut reader = StreamReader::open(&Store::new(CACHE_BYTES), plan.clone(), 0);
    let mut count = 0;
    while let Some(picture) = next(&mut reader).await {
        assert_eq!(picture.unwrap().index, count);
        count += 1;
    }
    assert_eq!(count, plan.frame_count());
    assert!(next(&mut reader).await.is_none());
}

#[tokio::test]
async fn next_is_cancel_safe() {
    let folder = tempdir().unwrap();
    three_of(folder.path(), 60);
    let mut reader = StreamReader::open(&Store::new(CACHE_BYTES), plan(folder.path()), 0);
    let mut numbers = Vec::new();
    while numbers.len() < 60 {
        // Polled once and dropped, over and over: no picture may be lost.
        let polled = tokio::select! {
            biased;
            picture = next(&mut reader) => Some(picture),
            () = tokio::task::yield_now() => None,
        };
        if let Some(picture) = polled {
            numbers.push(read_barcode(&picture.unwrap().unwrap().jpeg).unwrap().0);
        }
    }
    assert_eq!(numbers, (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_file_damaged_after_the_scan_ends_the_reader_with_its_name_and_the_frame() {
    let folder = tempdir().unwrap();
    let clip = Clip::new(0, 60, 25).encoder(MJPEG, "matroskamux");
    let path = &write_video(folder.path(), "clip", &[(240, "mkv", clip)])[0];
    let plan = plan(folder.path());
    damage_unseen(path, |bytes| {
        let start = jpeg_start(bytes, 30);
        bytes[start..].fill(0);
    });
    let mut reader = StreamReader::open(&Store::new(CACHE_BYTES), plan, 0);
    let mut good = 0;
    let error = loop {
        match next(&mut reader).await.expect("a reader that ends early returns an error") {
            Ok(picture) => {
                assert_eq!(read_barcode(&picture.jpeg), Some((good, 0)));
                good += 1;
            }
            Err(error) => break error.to_string(),
        }
    };
    assert_eq!(good, 30);
    assert!(error.contains("clip_240p.mkv") && error.contains(&format!("frame {good}")), "{error}");
    assert!(next(&mut reader).await.unwrap().is_err(), "it does not continue past the failed frame");
}

#[tokio::test]
async fn a_missing_frame_is_not_replaced_by_another() {
    let folder = tempdir().unwrap();
    let clip = Clip::new(0, 60, 25).encoder(MJPEG, "matroskamux");
    let path = &write_video(folder.path(), "clip", &[(240, "mkv", clip.clone())])[0];
    let plan = plan(folder.path());
    damage_unseen(path, |bytes| {
        let start = jpeg_start(bytes, 31);
        bytes[start..start + 200].fill(0);
    });
    let mut reader = StreamReader::open(&Store::new(CACHE_BYTES), plan, 0);
    for index in 0..31 {
        assert_eq!(next(&mut reader).await.unwrap().unwrap().index, index);
    }
    let error = next(&mut reader).await.unwrap().unwrap_err().to_string();
    assert!(error.contains("clip_240p.mkv") && error.contains("frame 31"), "{error}");
}

#[tokio::test]
async fn a_removed_file_ends_the_reader_with_its_name() {
    let folder = tempdir().unwrap();
    let path = &write_video(folder.path(), "clip", &[(240, "mp4", Clip::new(0, 6, 25))])[0];
    let plan = plan(folder.path());
    fs::remove_file(path).unwrap();
    let mut reader = StreamReader::open(&Store::new(CACHE_BYTES), plan, 0);
    let error = next(&mut reader).await.unwrap().unwrap_err().to_string();
    assert!(error.contains("clip_240p.mp4"), "{error}");
}

#[test]
fn debug_output_of_a_picture_omits_its_bytes() {
    let jpeg = bytes::Bytes::from_static(&[1; 100]);
    let picture =
        EncodedPicture { index: 0, height: 240, pts_nanos: 0, duration_nanos: 1, jpeg, origin: Origin::Memory };
    assert!(format!("{picture:?}").contains("jpeg_bytes: 100"), "{picture:?}");
}

#[tokio::test]
async fn a_replaced_file_is_not_mistaken_for_the_planned_one() {
    let folder = tempdir().unwrap();
    let clip = Clip::new(0, 60, 25);
    let path = &write_video(folder.path(), "clip", &[(240, "mp4", clip.clone())])[0];
    let plan = plan(folder.path());
    Clip { variant: 1, end_millis: 4000, ..clip }.write(path);
    let mut reader = StreamReader::open(&Store::new(CACHE_BYTES), plan, 0);
    let error = next(&mut reader).await.unwrap().unwrap_err().to_string();
    assert!(error.contains("clip_240p.mp4") && error.contains("replaced"), "{error}");
}

#[tokio::test]
async fn a_reader_that_takes_all_it_can_get_comes_to_a_splice_when_the_next_file_has_been_searched() {
    let folder = tempdir().unwrap();
    let fast = Clip::new(0, 240, 25).encoder(MJPEG, "matroskamux");
    // 120 frames from its only key frame to the splice, which take longer than what is before it.
    let slow = Clip { size: (640, 368), ..Clip::new(1, 240, 25) };
    write_video(folder.path(), "clip", &[(240, "mkv", fast), (720, "mp4", slow)]);
    let store = Store::new(CACHE_BYTES);
    let mut reader = StreamReader::open(&store, plan(folder.path()), 0);
    for index in 0..120 {
        assert_eq!(next(&mut reader).await.unwrap().unwrap().index, index);
    }
    let decoded = store.statistics().decoded;
    assert!(decoded > 120, "{decoded} frames were made before the splice, none of them of the next file");
    let first = next(&mut reader).await.unwrap().unwrap();
    assert_eq!((first.height, read_barcode(&first.jpeg)), (720, Some((120, 1))));
}
