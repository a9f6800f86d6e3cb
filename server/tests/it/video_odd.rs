//! Hostile, damaged, empty and unusual files: none of them stops the server or affects other files.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, os::unix::fs::PermissionsExt, path::Path};

use common::{media::Quality, message::EndReason};
use tempfile::tempdir;
use triptych_server::video;

use crate::support::{
    clips::{Clip, H264_SHORT_GROUPS, four_seconds, read_barcode, run, write_video},
    library::{fill_with_noise, scan, skip_reason},
    watch::{watch, watch_import},
};

fn place_of(bytes: &[u8], mark: &[u8]) -> usize {
    bytes.windows(mark.len()).rposition(|window| window == mark).unwrap()
}

/// Changes a file byte by byte.
fn damage(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_file_plays_up_to_its_first_corrupt_frame() {
    let folder = tempdir().unwrap();
    let path = &write_video(folder.path(), "Half", &[(240, "mp4", four_seconds(H264_SHORT_GROUPS, "mp4mux"))])[0];
    damage(path, |bytes| {
        let (data, index) = (place_of(bytes, b"mdat") + 4, place_of(bytes, b"moov") - 4);
        let middle = (data + index) / 2;
        fill_with_noise(&mut bytes[middle..index]);
    });
    let watched = watch(folder.path(), "Half", Quality::Triptych).await;
    assert_eq!(watched.frame_count, 100, "it is offered as a whole");
    let numbers: Vec<_> = watched.pictures.iter().map(|picture| read_barcode(&picture.jpeg)).collect();
    let sound = numbers.iter().enumerate().take_while(|(place, number)| **number == Some((*place as u32, 0))).count();
    assert!(sound > 30, "the first frames are right: {numbers:?}");
    let EndReason::Failed(words) = &watched.end else { panic!("{:?} after {numbers:?}", watched.end) };
    assert!(words.contains("Half_240p.mp4"), "{words}");
}

#[tokio::test]
async fn a_matroska_file_with_a_wrong_index_plays() {
    let folder = tempdir().unwrap();
    let path = &write_video(folder.path(), "Lost", &[(240, "mkv", four_seconds(H264_SHORT_GROUPS, "matroskamux"))])[0];
    damage(path, |bytes| {
        // Each entry holds the position of its cluster.
        let cues = place_of(bytes, &[0x1C, 0x53, 0xBB, 0x6B]);
        let entries: Vec<_> = (cues..bytes.len() - 1).filter(|&at| bytes[at..at + 2] == [0xF1, 0x82]).collect();
        assert!(!entries.is_empty(), "there is an index");
        for at in entries {
            bytes[at + 2..at + 4].copy_from_slice(&[1, 1]);
        }
    });
    let watched = watch(folder.path(), "Lost", Quality::Triptych).await;
    let numbers: Vec<_> = watched.pictures.iter().map(|picture| read_barcode(&picture.jpeg)).collect();
    assert_eq!(numbers, (0..100).map(|number| Some((number, 0))).collect::<Vec<_>>());
    assert_eq!(watched.end, EndReason::Finished);
}

#[tokio::test]
async fn what_leads_nowhere_is_skipped_and_the_rest_plays() {
    let folder = tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    write_video(folder.path(), "Good", &[(240, "mp4", Clip::new(0, 9, 25))]);
    for (name, to) in [("Beyond_240p.mp4", 0x7FFF_FF00u32), ("Elsewhere_240p.mp4", 8)] {
        four_seconds(H264_SHORT_GROUPS, "mp4mux").write(&place(name));
        damage(&place(name), |bytes| {
            let table = place_of(bytes, b"stco");
            bytes[table + 12..table + 16].copy_from_slice(&to.to_be_bytes());
        });
    }
    four_seconds(H264_SHORT_GROUPS, "matroskamux").write(&place("Header_240p.mkv"));
    damage(&place("Header_240p.mkv"), |bytes| {
        let cluster = bytes.windows(4).position(|window| window == [0x1F, 0x43, 0xB6, 0x75]).unwrap();
        bytes.truncate(cluster);
    });
    four_seconds(H264_SHORT_GROUPS, "avimux").write(&place("Cut_240p.avi"));
    damage(&place("Cut_240p.avi"), |bytes| bytes.truncate(bytes.len() / 3));
    four_seconds(H264_SHORT_GROUPS, "matroskamux").write(&place("Hole_240p.mkv"));
    damage(&place("Hole_240p.mkv"), |bytes| {
        let middle = bytes.len() / 2;
        fill_with_noise(&mut bytes[middle..]);
    });
    fs::write(place("Zeros_240p.mp4"), vec![0; 100_000]).unwrap();

    let library = scan(folder.path());
    assert_eq!(library.videos.len(), 1, "{library:#?}");
    for name in ["Beyond_240p.mp4", "Header_240p.mkv", "Hole_240p.mkv"] {
        let words = skip_reason(&library, name);
        assert!(words.starts_with("incomplete: ends after ") && words.ends_with(" of 4.0 s"), "{name}: {words}");
    }
    assert!(skip_reason(&library, "Elsewhere_240p.mp4").starts_with("cannot be decoded"), "{library:#?}");
    assert!(skip_reason(&library, "Cut_240p.avi").starts_with("incomplete: "), "{library:#?}");
    assert!(skip_reason(&library, "Zeros_240p.mp4").starts_with("not a video"), "{library:#?}");
    assert_eq!(watch(folder.path(), "Good", Quality::Triptych).await.pictures.len(), 9);
}

#[test]
fn equal_files_are_skipped_for_equal_reasons() {
    let folder = tempdir().unwrap();
    let whole = |mux: &str| {
        let path = folder.path().join("whole");
        four_seconds(H264_SHORT_GROUPS, mux).write(&path);
        fs::read(path).unwrap()
    };
    let (mp4, mkv) = (whole("mp4mux"), whole("matroskamux"));
    let with_noise = |bytes: &[u8], from: usize| {
        let mut bytes = bytes.to_vec();
        fill_with_noise(&mut bytes[from..]);
        bytes
    };
    let broken = [
        ("Index", "mp4", mp4[..place_of(&mp4, b"moov") - 4].to_vec()),
        ("Movie", "mp4", with_noise(&mp4, place_of(&mp4, b"moov") + 4)),
        ("Table", "mp4", with_noise(&mp4, place_of(&mp4, b"stbl") + 4)),
        ("Start", "mp4", with_noise(&mp4, 32)),
        ("Head", "mkv", with_noise(&mkv, 60)),
        ("Tracks", "mkv", with_noise(&mkv, place_of(&mkv, &[0x16, 0x54, 0xAE, 0x6B]) + 4)),
        ("Short", "mkv", mkv[..100].to_vec()),
        ("Hole", "mkv", with_noise(&mkv, mkv.len() / 2)),
    ];
    const COPIES: u32 = 8;
    for (name, ending, bytes) in &broken {
        for copy in 0..COPIES {
            fs::write(folder.path().join(format!("{name}{copy}_240p.{ending}")), bytes).unwrap();
        }
    }
    let library = scan(folder.path());
    for (name, ending, _) in &broken {
        let reasons: Vec<_> =
            (0..COPIES).map(|copy| skip_reason(&library, &format!("{name}{copy}_240p.{ending}"))).collect();
        assert!(reasons.iter().all(|reason| *reason == reasons[0]), "{name}: {reasons:#?}");
    }
}

#[tokio::test]
async fn interlaced_video_is_deinterlaced() {
    let folder = tempdir().unwrap();
    let encoder = "capssetter caps=video/x-raw,interlace-mode=interleaved,field-order=top-field-first \
        ! x264enc interlaced=true quantizer=8 pass=quant";
    let clip = Clip { size: (160, 96), ..Clip::new(0, 12, 25).encoder(encoder, "matroskamux") };
    let path = folder.path().join("Comb_240p.mkv");
    // The two fields of each frame show different pictures.
    clip.write_painted(
        &path,
        |_, row, _| if ((row * 96.0) as u32).is_multiple_of(2) { 200 } else { 60 },
        |_, _| (128, 128),
    );
    for watched in [watch(folder.path(), "Comb", Quality::Triptych).await, watch_import(&path, 96).await] {
        assert_eq!((watched.pictures.len(), &watched.end), (12, &EndReason::Finished), "one picture for each frame");
        for picture in &watched.pictures {
            let picture = image::load_from_memory(&picture.jpeg).unwrap().into_luma8();
            let steps = (20..76).map(|row| picture.get_pixel(80, row)[0].abs_diff(picture.get_pixel(80, row + 1)[0]));
            let step = steps.max().unwrap();
            assert!(step < 30, "rows differ by {step}");
        }
    }
}

#[test]
fn names_that_are_not_utf8_and_thousands_of_other_files_are_listed_as_skipped() {
    let folder = tempdir().unwrap();
    write_video(folder.path(), "Good", &[(240, "mp4", Clip::new(0, 3, 25))]);
    fs::write(folder.path().join(OsStr::from_bytes(b"Odd \xff_240p.mp4")), "").unwrap();
    for number in 0..5_000 {
        fs::write(folder.path().join(format!("video {number}.mp4")), "").unwrap();
    }
    let library = scan(folder.path());
    assert_eq!((library.videos.len(), library.skipped.len()), (1, common::limits::MAX_LIBRARY_ENTRIES));
    assert!(library.skipped.last().unwrap().file_name.ends_with("further files"), "{:?}", library.skipped.last());
    assert_eq!(library.unplayable_count, 5_001);
    assert!(skip_reason(&library, "Odd \u{fffd}_240p.mp4").contains("import"));
}

#[tokio::test]
async fn an_unreadable_file_is_skipped_and_offered_once_it_is_readable() {
    let folder = tempdir().unwrap();
    let path = write_video(folder.path(), "Secret", &[(240, "mp4", Clip::new(0, 3, 25))]).remove(0);
    let rights = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    rights(0o000);
    let library = scan(folder.path());
    match fs::File::open(&path) {
        Err(error) => assert_eq!(skip_reason(&library, "Secret_240p.mp4"), format!("cannot be read: {error}")),
        Ok(_) => assert_eq!(library.videos.len(), 1, "the system lets this user read everything"),
    }
    let processes = video::process::ProcessPool::in_this_process();
    let (library, records) = video::library::Library::scan_with_records(folder.path(), &processes).unwrap();
    let mut changes = library.changes();
    let _watcher = video::library::FolderWatcher::start(library.clone(), records).unwrap();
    rights(0o600);
    while library.listing().videos.is_empty() {
        let change = tokio::time::timeout(crate::support::server::DEADLINE, changes.changed()).await;
        change.expect("it is offered").unwrap();
    }
}

#[test]
fn oversized_pictures_are_refused_with_their_size_even_if_the_container_lies() {
    const REFUSAL: &str = "9000x16 is larger than 8192x8192";
    let folder = tempdir().unwrap();
    let path = folder.path().join("Huge_240p.mkv");
    let description = "videotestsrc num-buffers=2 ! video/x-raw,width=9000,height=16,framerate=25/1 ! jpegenc \
        ! matroskamux ! filesink name=sink";
    run(description, &path);
    assert_eq!(skip_reason(&scan(folder.path()), "Huge_240p.mkv"), REFUSAL);
    damage(&path, |bytes| {
        // PixelWidth, two bytes: 9000 becomes 160.
        let width = bytes.windows(4).position(|window| window == [0xB0, 0x82, 0x23, 0x28]).unwrap();
        bytes[width + 2..width + 4].copy_from_slice(&160u16.to_be_bytes());
    });
    assert_eq!(skip_reason(&scan(folder.path()), "Huge_240p.mkv"), REFUSAL);
}

#[tokio::test]
async fn of_two_video_tracks_the_first_is_shown_each_time() {
    let folder = tempdir().unwrap();
    let track =
        |size: &str| format!("videotestsrc num-buffers=10 ! video/x-raw,framerate=25/1,{size} ! x264enc ! queue");
    let description = format!(
        "{} ! matroskamux name=mux ! filesink name=sink {} ! mux.",
        track("width=160,height=96"),
        track("width=320,height=240"),
    );
    run(&description, &folder.path().join("clip_240p.mkv"));
    for _ in 0..8 {
        let watched = watch(folder.path(), "clip", Quality::Triptych).await;
        let variant = watched.library.videos[0].variants[0];
        assert_eq!((variant.picture_width, variant.picture_height), (160, 96));
        assert_eq!((watched.pictures.len(), watched.end), (10, EndReason::Finished));
    }
}

#[tokio::test]
async fn pictures_that_change_their_size_halfway_arrive_in_the_size_of_the_first() {
    let folder = tempdir().unwrap();
    let part = |size: &str| {
        format!(
            "videotestsrc num-buffers=20 ! video/x-raw,format=I420,framerate=25/1,{size} ! x264enc key-int-max=5 bframes=0 \
             ! video/x-h264,stream-format=byte-stream ! queue ! parts. "
        )
    };
    let description = format!(
        "concat name=parts ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au ! mpegtsmux \
         ! filesink name=sink {} {}",
        part("width=160,height=96"),
        part("width=320,height=240"),
    );
    run(&description, &folder.path().join("clip_240p.ts"));
    let watched = watch(folder.path(), "clip", Quality::Triptych).await;
    assert_eq!((watched.pictures.len(), watched.end), (40, EndReason::Finished));
    for picture in &watched.pictures {
        let size = image::ImageReader::with_format(std::io::Cursor::new(&picture.jpeg), image::ImageFormat::Jpeg);
        assert_eq!(size.into_dimensions().unwrap(), (160, 96));
    }
}
