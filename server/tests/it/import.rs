//! The commands `import`, `sample` and `check`, run as programs.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use common::media::Quality;
use tempfile::tempdir;

use crate::support::{
    clips::{Clip, read_barcode, run, wait_until},
    guard,
    library::scan,
    watch::watch,
};

const SERVER: &str = env!("CARGO_BIN_EXE_triptych-server");

fn command(folder: &Path, arguments: &[&str]) -> Command {
    guard::alive();
    let mut command = Command::new(SERVER);
    command.arg("--videos").arg(folder).args(arguments);
    if !arguments.contains(&"--disk-cache-dir") {
        command.args(["--disk-cache-gib", "0"]);
    }
    command
}

fn triptych(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn import(folder: &Path, file: &Path, more: &[&str]) -> Output {
    triptych(folder, &[&["import", file.to_str().unwrap()], more].concat())
}

fn error_text(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The only line that a failed command prints.
fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error_text = error_text(output);
    assert_eq!(error_text.lines().count(), 1, "{error_text}");
    error_text
}

/// All names in the folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Writes two seconds with sound, in colours that have to be converted and a size that no height divides evenly.
fn film(path: &Path) {
    let description = "matroskamux name=mux ! filesink name=sink \
        videotestsrc num-buffers=50 ! video/x-raw,width=322,height=180,framerate=25/1,colorimetry=bt709 ! x264enc ! queue ! mux. \
        audiotestsrc num-buffers=100 ! audio/x-raw,rate=44100,channels=1 ! vorbisenc ! queue ! mux.";
    run(description, path);
}

#[test]
fn all_variants_have_all_frames_and_the_sound_and_need_no_conversion() {
    let (folder, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let file = elsewhere.path().join("My film.mkv");
    film(&file);
    let made = import(folder.path(), &file, &["--heights", "240,96,360"]);
    assert!(made.status.success(), "{made:?}");
    assert_eq!(names(folder.path()), ["My film_240p.mkv", "My film_360p.mkv", "My film_96p.mkv"]);
    assert!(error_text(&made).contains("the file has only 180 lines; 360p is upscaled"), "{made:?}");
    let library = scan(folder.path());
    let info = &library.videos[0];
    let sizes: Vec<_> =
        info.variants.iter().map(|v| (v.height, v.picture_width, v.picture_height, v.frame_count)).collect();
    assert_eq!(sizes, [(96, 172, 96, 50), (240, 430, 240, 50), (360, 644, 360, 50)]);
    assert!(info.has_sound && info.duration_nanos == 2_000_000_000, "{info:?}");

    let check = triptych(folder.path(), &["check"]);
    let table = String::from_utf8(check.stdout).unwrap();
    assert!(check.status.success() && table.matches("no conversion").count() == 3, "{table}");
    assert!(table.matches("Opus").count() == 3 && table.contains("(used)"), "{table}");
}

#[test]
fn of_several_sound_tracks_the_first_that_can_be_decoded_is_taken() {
    let (folder, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let file = elsewhere.path().join("Two.mkv");
    // In different codecs, so that the decoder of one cannot decode the other.
    let description = "matroskamux name=mux ! filesink name=sink \
        videotestsrc num-buffers=50 ! video/x-raw,width=160,height=96,framerate=25/1 ! x264enc ! queue ! mux. \
        audiotestsrc num-buffers=100 ! audio/x-raw,rate=48000 ! opusenc ! queue ! mux. \
        audiotestsrc num-buffers=100 ! audio/x-raw,rate=48000 ! vorbisenc ! queue ! mux.";
    run(description, &file);
    for _ in 0..5 {
        let made = import(folder.path(), &file, &["--heights", "96", "--force"]);
        assert!(made.status.success(), "{made:?}");
        assert!(scan(folder.path()).videos[0].has_sound);
    }
}

#[tokio::test]
async fn every_frame_arrives_once_at_its_time() {
    let (folder, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let file = elsewhere.path().join("Counted.mkv");
    // At 50 frames/s, and with frames of varying length.
    let clips = [("Steady", Clip::new(0, 61, 50)), ("Varied", Clip::new(0, 60, 25).timed(&[20, 70, 30]))];
    for (title, clip) in clips {
        clip.clone().encoder(crate::support::clips::H264, "matroskamux").write(&file);
        let made = import(folder.path(), &file, &["--title", title, "--heights", "96,192,288"]);
        assert!(made.status.success(), "{made:?}");
        let watched = watch(folder.path(), title, Quality::Triptych).await;
        let numbers: Vec<_> = watched.pictures.iter().map(|picture| read_barcode(&picture.jpeg)).collect();
        let expected: Vec<_> = (0..clip.pts_millis.len() as u32).map(|number| Some((number, 0))).collect();
        assert_eq!(numbers, expected, "{title}");
        let times: Vec<_> = watched.pictures.iter().map(|picture| picture.pts_nanos / 1_000_000).collect();
        assert_eq!(times, clip.pts_millis, "{title}");
        let heights: Vec<_> = watched.segments.iter().map(|segment| segment.height).collect();
        assert_eq!(heights, [96, 192, 288]);
    }
}

#[test]
fn a_failed_import_prints_one_line_and_leaves_no_file() {
    let (folder, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let place = |name: &str| elsewhere.path().join(name);
    fs::write(place("text.mp4"), "no video").unwrap();
    fs::write(place("empty.mp4"), "").unwrap();
    run("audiotestsrc num-buffers=20 ! opusenc ! matroskamux ! filesink name=sink", &place("song.mkv"));
    Clip::new(0, 9, 25).write(&place("good.mp4"));
    let try_it = |name: &str, more: &[&str]| refusal(&import(folder.path(), &place(name), more));
    assert!(try_it("text.mp4", &[]).contains("not a video"));
    assert!(try_it("empty.mp4", &[]).contains("empty file"));
    assert!(try_it("missing.mp4", &[]).contains("No such file"));
    assert!(Command::new("mkfifo").arg(place("pipe.mkv")).status().unwrap().success());
    assert!(try_it("pipe.mkv", &[]).contains("not a regular file"));
    assert!(try_it("song.mkv", &[]).contains("no video track"));
    assert!(try_it("good.mp4", &["--heights", "241"]).contains("241 is not a valid height"));
    assert!(try_it("good.mp4", &["--heights", "8000"]).contains("wide"));
    assert!(try_it("good.mp4", &["--title", "a/b"]).contains("--title"));
    assert!(try_it("good.mp4", &["--title", ".hidden"]).contains("--title"));
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn the_sample_is_complete_and_needs_no_conversion() {
    let parent = tempdir().unwrap();
    let folder = parent.path().join("videos");
    let made = triptych(&folder, &["sample", "--once"]);
    assert!(made.status.success(), "{made:?}");
    assert_eq!(names(&folder).len(), 3);
    let check = triptych(&folder, &["check"]);
    let table = String::from_utf8(check.stdout).unwrap();
    assert!(check.status.success() && table.matches("no conversion").count() == 3, "{table}");
    assert!(table.matches("360 frames").count() == 3 && table.matches("Opus").count() == 3, "{table}");
}

#[test]
fn a_folder_that_is_there_gets_no_sample_that_is_made_once() {
    let folder = tempdir().unwrap();
    let made = triptych(folder.path(), &["sample", "--once"]);
    assert!(made.status.success() && names(folder.path()).is_empty(), "{made:?}");
}

#[test]
fn check_fails_when_a_file_is_broken_and_not_because_of_skipped_files() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "").unwrap();
    let fine = triptych(folder.path(), &["check"]);
    let table = String::from_utf8(fine.stdout).unwrap();
    assert!(fine.status.success() && table.contains("skipped notes.txt"), "{table}");
    fs::write(folder.path().join("Film_240p.mp4"), "").unwrap();
    let broken = triptych(folder.path(), &["check"]);
    let table = String::from_utf8(broken.stdout).unwrap();
    assert!(broken.status.code() == Some(1) && table.contains("BROKEN Film_240p.mp4: empty file"), "{table}");
}

#[test]
fn a_title_is_replaced_only_when_told_so_and_then_as_a_whole() {
    let (folder, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let file = elsewhere.path().join("Film.mp4");
    Clip::new(0, 9, 25).write(&file);
    fs::copy(&file, folder.path().join("Film_480p.mp4")).unwrap();
    fs::copy(&file, folder.path().join("Film too_480p.mp4")).unwrap();
    let refused = refusal(&import(folder.path(), &file, &["--heights", "240"]));
    assert!(refused.contains("Film_480p.mp4") && refused.contains("--force") && refused.contains("--title"));
    let own = folder.path().join("Film_480p.mp4");
    assert!(refusal(&import(folder.path(), &own, &["--title", "Film", "--force"])).contains("move it out"));
    assert!(import(folder.path(), &file, &["--heights", "240", "--force"]).status.success());
    assert_eq!(names(folder.path()), ["Film too_480p.mp4", "Film_240p.mkv"]);
}

#[test]
fn an_interrupted_import_leaves_no_file_and_the_next_one_removes_the_files_of_a_killed_one() {
    let (folder, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let file: PathBuf = elsewhere.path().join("Long.mp4");
    Clip { size: (640, 360), ..Clip::new(0, 1500, 25) }.write(&file);
    let begin = || {
        let mut child = command(folder.path(), &["import", file.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("1500 frames"), "{line}");
        let has_begun = || names(folder.path()).iter().any(|name| name.starts_with('.'));
        wait_until("it begins to write", has_begun);
        child
    };
    let signal = |child: &std::process::Child, name: &str| {
        assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
    };
    let child = begin();
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), names(folder.path())), (Some(130), vec![]), "{output:?}");

    let child = begin();
    signal(&child, "-KILL");
    child.wait_with_output().unwrap();
    let left = names(folder.path());
    assert!(left.len() == 1 && left[0].starts_with('.'), "{left:?}");
    assert_eq!(scan(folder.path()).videos, [], "an unfinished import is not offered");
    let short = elsewhere.path().join("Short.mp4");
    Clip::new(0, 9, 25).write(&short);
    assert!(import(folder.path(), &short, &["--heights", "96"]).status.success());
    assert_eq!(names(folder.path()), ["Short_96p.mkv"]);
}
