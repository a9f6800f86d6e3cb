//! The video folder: which files are offered, and which are skipped for which reason.

use std::{fs, path::Path, process::Command};

use common::{
    media::{Library, Quality},
    message::EndReason,
};
use tempfile::tempdir;
use triptych_server::video::{
    self,
    library::{LibraryError, SkippedFile},
};

use crate::support::{
    clips::{Clip, H264_SHORT_GROUPS, H265, VP9, four_seconds, write_video},
    library::{fill_with_noise, scan, skip_reason},
    watch::watch,
};

fn cut(from: &Path, to: &Path, part: f64) {
    let bytes = fs::read(from).unwrap();
    fs::write(to, &bytes[..(bytes.len() as f64 * part) as usize]).unwrap();
}

#[tokio::test]
async fn broken_files_are_named_with_the_reason_and_the_rest_works() {
    let folder = tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    write_video(
        folder.path(),
        "Good",
        &[(240, "mp4", Clip::new(0, 9, 25)), (720, "mkv", Clip::new(1, 9, 25).encoder(VP9, "matroskamux"))],
    );
    fs::write(place("Empty_240p.mp4"), "").unwrap();
    fs::write(place("Text_240p.mp4"), "Dear diary, this is not a video at all.\n".repeat(50)).unwrap();
    let mut noise = vec![0; 100_000];
    fill_with_noise(&mut noise);
    fs::write(place("Noise_240p.mp4"), noise).unwrap();
    four_seconds(H264_SHORT_GROUPS, "mp4mux faststart=true").write(&place(".whole.mp4"));
    cut(&place(".whole.mp4"), &place("Front index cut_240p.mp4"), 0.4);
    four_seconds(H264_SHORT_GROUPS, "mp4mux").write(&place(".whole.mp4"));
    cut(&place(".whole.mp4"), &place("End index cut_240p.mp4"), 0.4);
    four_seconds(VP9, "webmmux").write(&place(".whole.webm"));
    cut(&place(".whole.webm"), &place("Webm cut_240p.webm"), 0.4);
    // A broken resolution does not affect the other resolutions of its title.
    fs::write(place("Good_1440p.mp4"), "").unwrap();

    let library = scan(folder.path());
    assert_eq!(skip_reason(&library, "Empty_240p.mp4"), "empty file");
    assert_eq!(skip_reason(&library, "Good_1440p.mp4"), "empty file");
    assert_eq!(skip_reason(&library, "Text_240p.mp4"), "not a video: text");
    assert!(skip_reason(&library, "Noise_240p.mp4").starts_with("not a video"), "{library:#?}");
    let truncated = skip_reason(&library, "Front index cut_240p.mp4");
    assert!(truncated.starts_with("incomplete: ends after ") && truncated.ends_with(" of 4.0 s"), "{truncated}");
    let truncated = skip_reason(&library, "Webm cut_240p.webm");
    assert!(truncated.starts_with("incomplete: ends after ") && truncated.ends_with(" of 4.0 s"), "{truncated}");
    let incomplete = skip_reason(&library, "End index cut_240p.mp4");
    assert!(incomplete.contains("incomplete"), "{incomplete}");
    assert_eq!((library.videos.len(), library.skipped.len()), (1, 7), "{library:#?}");
    assert_eq!(library.videos[0].unreadable_heights, [1440]);
    assert_eq!(library.unplayable_count, 6, "a video of which another resolution is broken can be played");

    let watched = watch(folder.path(), "Good", Quality::Triptych).await;
    assert_eq!((watched.end, watched.pictures.len()), (EndReason::Finished, 9));
}

#[test]
fn only_regular_files_of_the_folder_itself_are_offered() {
    let (folder, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let place = |name: &str| folder.path().join(name);
    let outside = &write_video(elsewhere.path(), "Secret", &[(240, "mp4", Clip::new(0, 3, 25))])[0];
    let inside = &write_video(folder.path(), "Good", &[(240, "mp4", Clip::new(0, 3, 25))])[0];
    std::os::unix::fs::symlink(outside, place("Out_240p.mp4")).unwrap();
    std::os::unix::fs::symlink(inside, place("In_240p.mp4")).unwrap();
    fs::create_dir(place("Folder_240p.mp4")).unwrap();
    assert!(Command::new("mkfifo").arg(place("Fifo_240p.mp4")).status().unwrap().success());

    let library = scan(folder.path());
    assert!(skip_reason(&library, "Out_240p.mp4").contains("a symbolic link"));
    assert!(skip_reason(&library, "In_240p.mp4").contains("a symbolic link"));
    assert!(skip_reason(&library, "Folder_240p.mp4").contains("a folder"));
    assert!(skip_reason(&library, "Fifo_240p.mp4").contains("not a regular file"));
    let titles: Vec<_> = library.videos.iter().map(|video| video.title.as_str()).collect();
    assert_eq!((titles, library.skipped.len()), (vec!["Good"], 4));
}

#[test]
fn other_files_are_skipped_with_what_to_do_about_them() {
    let folder = tempdir().unwrap();
    for name in ["holiday.mp4", "notes.txt", ".hidden", "README.md"] {
        fs::write(folder.path().join(name), "text").unwrap();
    }
    let library = scan(folder.path());
    assert!(skip_reason(&library, "holiday.mp4").contains("Run: triptych-server import "), "{library:#?}");
    assert!(skip_reason(&library, "notes.txt").contains("TITLE_HEIGHTp.EXT"), "{library:#?}");
    assert_eq!((library.skipped.len(), library.unplayable_count), (2, 1), "{library:#?}");
}

#[test]
fn of_two_files_for_one_resolution_one_that_works_is_kept() {
    let folder = tempdir().unwrap();
    let files = [(240, "mkv", Clip::new(0, 3, 25).encoder(VP9, "matroskamux")), (240, "mp4", Clip::new(0, 4, 25))];
    write_video(folder.path(), "Twice", &files);
    write_video(folder.path(), "Spare", &files);
    fs::write(folder.path().join("Spare_240p.mkv"), "").unwrap();
    let library = scan(folder.path());
    let counts: Vec<_> = library.videos.iter().map(|video| (&*video.title, video.variants[0].frame_count)).collect();
    assert_eq!(counts, [("Spare", 4), ("Twice", 3)]);
    assert_eq!(skip_reason(&library, "Spare_240p.mkv"), "empty file");
    assert!(skip_reason(&library, "Twice_240p.mp4").contains("Twice_240p.mkv"), "{library:#?}");
}

#[test]
fn a_file_with_sound_only_is_skipped() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("Song_240p.mkv");
    let description = "audiotestsrc num-buffers=20 ! opusenc ! matroskamux ! filesink name=sink";
    crate::support::clips::run(description, &path);
    assert_eq!(skip_reason(&scan(folder.path()), "Song_240p.mkv"), "no video track");
}

#[test]
fn sound_beside_the_pictures_changes_nothing() {
    let folder = tempdir().unwrap();
    // Half a second more of sound than of pictures does not make a file count as truncated.
    let description = "matroskamux name=mux ! filesink name=sink \
        videotestsrc num-buffers=50 ! video/x-raw,width=160,height=96,framerate=25/1 ! x264enc ! queue ! mux. \
        audiotestsrc num-buffers=120 ! audio/x-raw,rate=48000 ! opusenc ! queue ! mux.";
    crate::support::clips::run(description, &folder.path().join("Both_240p.mkv"));
    let library = scan(folder.path());
    assert_eq!(library.videos[0].variants[0].frame_count, 50, "{library:#?}");
    assert!(library.videos[0].has_sound);
}

#[test]
fn a_video_whose_sound_cannot_be_decoded_is_offered_as_silent() {
    let folder = tempdir().unwrap();
    let pictures = "videotestsrc num-buffers=9 ! video/x-raw,width=160,height=96,framerate=25/1 ! x264enc ! queue";
    let sound = "audiotestsrc num-buffers=20 ! opusenc ! opusparse";
    let description = format!("matroskamux name=mux ! filesink name=sink {pictures} ! mux. {sound} ! queue ! mux.");
    let path = folder.path().join("Odd_240p.mkv");
    crate::support::clips::run(&description, &path);
    assert!(scan(folder.path()).videos[0].has_sound);
    // A codec id of the same length that does not exist.
    let bytes = fs::read(&path).unwrap();
    let at = bytes.windows(6).position(|window| window == b"A_OPUS").unwrap();
    fs::write(&path, [&bytes[..at], b"A_ODDS", &bytes[at + 6..]].concat()).unwrap();
    let library = scan(folder.path());
    assert_eq!((library.videos.len(), library.videos[0].has_sound), (1, false), "{library:#?}");
}

#[test]
fn a_missing_folder_is_a_one_line_error_with_a_remedy() {
    let folder = tempdir().unwrap();
    let missing = folder.path().join("none");
    let error = video::library::Library::scan(&missing).unwrap_err();
    let LibraryError::Unreadable(path, _) = &error;
    let words = error.to_string();
    assert!(path == &missing && words.contains("--videos") && !words.contains('\n'), "{words}");
}

#[test]
fn the_listing_says_what_a_viewer_gets() {
    let folder = tempdir().unwrap();
    let clip = |file, count, rate| Clip::new(file, count, rate);
    write_video(
        folder.path(),
        "b",
        &[(720, "mp4", clip(0, 20, 25).encoder(H265, "mp4mux")), (240, "mp4", clip(1, 10, 10))],
    );
    write_video(folder.path(), "a", &[(240, "mp4", clip(0, 5, 25))]);
    let library = scan(folder.path());
    let titles: Vec<_> = library.videos.iter().map(|video| video.title.as_str()).collect();
    assert_eq!(titles, ["a", "b"]);
    let b = &library.videos[1];
    let variants: Vec<_> =
        b.variants.iter().map(|v| (v.height, v.picture_width, v.picture_height, v.frame_count)).collect();
    assert_eq!(variants, [(240, 160, 96, 10), (720, 160, 96, 20)]);
    // Half of 1 s and half of 0.8 s.
    assert_eq!(b.duration_nanos, 900_000_000);
    let again = scan(folder.path());
    assert_eq!(again, library, "ids stay the same");
}

#[test]
fn clients_are_told_how_many_videos_cannot_be_played_and_the_console_what_lies_there() {
    let folder = tempdir().unwrap();
    for name in ["passwords.txt", "taxes 2025.pdf", "id_rsa", "Holiday.mp4", "Odd_720p"] {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    fs::create_dir(folder.path().join("Letters to Ada")).unwrap();
    video::init().unwrap();
    let library = video::library::Library::scan(folder.path()).unwrap();
    let names = |files: Vec<SkippedFile>| files.into_iter().map(|file| file.file_name).collect::<Vec<_>>();
    assert_eq!(library.listing(), Library { videos: Vec::new(), unplayable_count: 2 });
    let on_the_console = ["Holiday.mp4", "Odd_720p", "Letters to Ada", "id_rsa", "passwords.txt", "taxes 2025.pdf"];
    assert_eq!(names(library.skipped_files()), on_the_console);
}

#[tokio::test]
async fn uncompressed_pictures_and_sound_are_played() {
    let folder = tempdir().unwrap();
    let description = "avimux name=mux ! filesink name=sink \
        videotestsrc num-buffers=9 ! video/x-raw,format=UYVY,width=160,height=96,framerate=25/1 ! queue ! mux. \
        audiotestsrc num-buffers=20 ! audio/x-raw,format=S16LE,rate=48000 ! queue ! mux.";
    crate::support::clips::run(description, &folder.path().join("Raw_240p.avi"));
    let watched = watch(folder.path(), "Raw", Quality::Triptych).await;
    assert_eq!((watched.pictures.len(), watched.library.videos[0].has_sound), (9, true));
}
