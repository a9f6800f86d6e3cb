//! The splice takes exactly the planned frames: checked on the barcodes of the pictures that arrived over TCP.

use std::path::Path;

use common::{
    media::{Quality, SegmentInfo},
    message::EndReason,
};
use tempfile::tempdir;

use crate::support::{
    clips::{
        Clip, H264, H264_OPEN_GROUPS, H264_SHORT_GROUPS, H265, MJPEG, MPEG4, VP8, VP9, read_barcode, three,
        write_video, write_with_hidden_frames,
    },
    watch::{Watched, watch, watch_each},
};

/// Frame number and file number of every picture.
fn barcodes(watched: &Watched) -> Vec<(u32, u32)> {
    let read = |picture: &crate::support::watch::Received| {
        read_barcode(&picture.jpeg).unwrap_or_else(|| panic!("picture {} has no barcode", picture.index))
    };
    watched.pictures.iter().map(read).collect()
}

/// The share of each file, by the rule of the design: `k·n/K .. (k+1)·n/K`.
fn shares(frame_counts: &[u32]) -> Vec<(u32, u32)> {
    let files = frame_counts.len() as u32;
    let share = |(file, &count): (u32, &u32)| {
        (file * count / files..(file + 1) * count / files).map(move |frame| (frame, file)).collect::<Vec<_>>()
    };
    (0..).zip(frame_counts).flat_map(share).collect()
}

/// Writes these files and checks everything about their triptych: frames, heights, times and the announcement. They get
/// their own folder, because a server probes every file of its folder when it starts.
async fn check_triptych(title: &str, files: &[(u32, &str, Clip)]) {
    let folder = tempdir().unwrap();
    write_video(folder.path(), title, files);
    check_written(folder.path(), title, files).await;
}

async fn check_written(folder: &Path, title: &str, files: &[(u32, &str, Clip)]) {
    check(&watch(folder, title, Quality::Triptych).await, title, files);
}

fn check(watched: &Watched, title: &str, files: &[(u32, &str, Clip)]) {
    assert_eq!(watched.end, EndReason::Finished);
    assert_eq!(watched.library.unplayable_count, 0);
    let counts: Vec<_> = files.iter().map(|(_, _, clip)| clip.pts_millis.len() as u32).collect();
    assert_eq!(barcodes(watched), shares(&counts), "{title}");
    check_times(watched, files);
    check_segments(watched);
}

/// Each picture is due when the pictures before it have been shown for as long as in their files.
fn check_times(watched: &Watched, files: &[(u32, &str, Clip)]) {
    let mut due_nanos = 0;
    for (place, (picture, (frame, file))) in watched.pictures.iter().zip(barcodes(watched)).enumerate() {
        let (height, _, clip) = &files[file as usize];
        assert_eq!((picture.index as usize, picture.height, picture.pts_nanos), (place, *height, due_nanos));
        let shown_millis = |frame: usize| {
            let next = clip.pts_millis.get(frame + 1).unwrap_or(&clip.end_millis);
            next - clip.pts_millis[frame]
        };
        let is_right = |frame| picture.duration_nanos.abs_diff(shown_millis(frame) * 1_000_000) < 2_000_000;
        // Not every container knows how long its last frame is shown.
        let frame = frame as usize;
        let is_guess = frame + 1 == clip.pts_millis.len() && (1..1_000_000_000).contains(&picture.duration_nanos);
        assert!(is_right(frame) || is_guess, "frame {frame} of {height}p is shown for {} ns", picture.duration_nanos);
        due_nanos += picture.duration_nanos;
    }
    assert_eq!(watched.duration_nanos, due_nanos);
}

/// Asserts that `StreamStarted` announces exactly the pictures that follow.
fn check_segments(watched: &Watched) {
    let mut found: Vec<SegmentInfo> = Vec::new();
    for picture in &watched.pictures {
        match found.last_mut().filter(|segment| segment.height == picture.height) {
            Some(segment) => segment.frame_count += 1,
            None => found.push(SegmentInfo {
                height: picture.height,
                first_index: picture.index,
                frame_count: 1,
                start_nanos: picture.pts_nanos,
                sent_height: picture.height,
            }),
        }
    }
    assert_eq!(watched.segments, found);
    assert_eq!(watched.frame_count as usize, watched.pictures.len());
}

#[tokio::test]
async fn frame_counts_that_three_does_not_divide() {
    for frame_count in [30, 31, 32] {
        check_triptych(&format!("n {frame_count}"), &three(frame_count, H264, "mp4mux", "mp4")).await;
    }
}

#[tokio::test]
async fn variants_with_one_frame_and_with_two() {
    for frame_count in [1, 2] {
        check_triptych(&format!("n {frame_count}"), &three(frame_count, MJPEG, "matroskamux", "mkv")).await;
        check_triptych(&format!("h {frame_count}"), &three(frame_count, H264_SHORT_GROUPS, "mp4mux", "mp4")).await;
    }
}

#[tokio::test]
async fn a_video_with_one_variant_and_one_with_five() {
    check_triptych("one", &[(720, "mp4", Clip::new(0, 20, 25))]).await;
    let five = [144, 240, 480, 720, 1440];
    let files: Vec<_> = (0..).zip(five).map(|(file, height)| (height, "mp4", Clip::new(file, 33, 25))).collect();
    check_triptych("five", &files).await;
}

#[tokio::test]
async fn variants_of_different_rate_and_count() {
    let files = [
        (240, "mp4", Clip::new(0, 40, 25)),
        (720, "mkv", Clip::new(1, 77, 50).encoder(VP9, "matroskamux")),
        (1440, "mp4", Clip::new(2, 19, 10).encoder(H264_SHORT_GROUPS, "mp4mux")),
    ];
    check_triptych("mixed", &files).await;
}

#[tokio::test]
async fn groups_of_pictures_closed_and_open() {
    for frame_count in [75, 76] {
        let title = format!("closed {frame_count}");
        check_triptych(&title, &three(frame_count, H264_SHORT_GROUPS, "mp4mux", "mp4")).await;
    }
    // Every place of the splice within a group, so that key, leading and trailing frames are each once the first one.
    for frame_count in 60..66 {
        let title = format!("open {frame_count}");
        check_triptych(&title, &three(frame_count, H264_OPEN_GROUPS, "matroskamux", "mkv")).await;
    }
}

#[tokio::test]
async fn variable_frame_rate() {
    for (title, steps) in
        [("jumpy", &[10, 200, 20, 20, 500][..]), ("still then quick", &[400, 400, 10, 10, 10, 10, 10])]
    {
        for (name, encoder, mux, extension) in [
            ("open", H264_OPEN_GROUPS, "mp4mux", "mp4"),
            ("mp4", H264, "mp4mux", "mp4"),
            ("short", H264_SHORT_GROUPS, "mp4mux", "mp4"),
            ("webm", VP9, "webmmux", "webm"),
        ] {
            let files = three(40, encoder, mux, extension).map(|(height, end, clip)| (height, end, clip.timed(steps)));
            check_triptych(&format!("{title} {name}"), &files).await;
        }
    }
}

#[tokio::test]
async fn codecs_and_containers() {
    for (name, encoder, mux, extension) in [
        ("vp9 webm", VP9, "webmmux", "webm"),
        ("vp8 webm", VP8, "webmmux", "webm"),
        ("h265 mp4", H265, "mp4mux", "mp4"),
        ("h264 mkv", H264_SHORT_GROUPS, "matroskamux", "mkv"),
        ("mjpeg mov", MJPEG, "qtmux", "mov"),
        ("mjpeg avi", MJPEG, "avimux", "avi"),
        ("mpeg4 mkv", MPEG4, "matroskamux", "mkv"),
        ("h264 ts", "x264enc bframes=2 key-int-max=25 ! h264parse", "mpegtsmux", "ts"),
    ] {
        check_triptych(name, &three(52, encoder, mux, extension)).await;
    }
}

#[tokio::test]
async fn frames_that_are_never_shown_do_not_count() {
    let folder = tempdir().unwrap();
    for (title, encoder) in [("vp8", "vp8enc keyframe-max-dist=30"), ("vp9", "vp9enc keyframe-max-dist=30")] {
        let files = three(52, "", "", "webm");
        for (height, extension, clip) in &files {
            let path = folder.path().join(format!("{title}_{height}p.{extension}"));
            write_with_hidden_frames(clip, encoder, &path);
        }
        check_written(folder.path(), title, &files).await;
    }
}

#[tokio::test]
async fn one_resolution_alone_is_its_whole_file() {
    let folder = tempdir().unwrap();
    write_video(folder.path(), "clip", &three(31, H264_SHORT_GROUPS, "mp4mux", "mp4"));
    let watched = watch(folder.path(), "clip", Quality::Only(720)).await;
    assert_eq!(barcodes(&watched), (0..31).map(|frame| (frame, 1)).collect::<Vec<_>>());
    check_segments(&watched);
    let none = watch(folder.path(), "clip", Quality::Only(360)).await;
    assert!(matches!(&none.end, EndReason::Failed(reason) if reason.contains("360p")), "{:?}", none.end);
}

#[tokio::test]
async fn titles_of_all_kinds() {
    let folder = tempdir().unwrap();
    let files = three(7, MJPEG, "matroskamux", "mkv");
    let titles =
        ["two  spaces", "it's \"quoted\" & 100% $HOME; `x`", "Фильм 映画 فيلم 🎬", "dots.and_under_scores", "-dash"];
    for title in titles {
        write_video(folder.path(), title, &files);
    }
    for (watched, title) in watch_each(folder.path(), &titles, Quality::Triptych).await.iter().zip(titles) {
        check(watched, title, &files);
    }
}

#[tokio::test]
async fn real_sizes() {
    let folder = tempdir().unwrap();
    let size = |size, (height, extension, clip): (u32, &'static str, Clip)| (height, extension, Clip { size, ..clip });
    let [small, middle, large] = three(13, H264_SHORT_GROUPS, "mp4mux", "mp4");
    let files = [size((426, 240), small), size((1280, 720), middle), size((2560, 1440), large)];
    write_video(folder.path(), "real", &files);
    check_written(folder.path(), "real", &files).await;
    let library = triptych_server::video::library::Library::scan(folder.path()).unwrap().listing();
    let sizes: Vec<_> = library.videos[0].variants.iter().map(|v| (v.picture_width, v.picture_height)).collect();
    assert_eq!(sizes, [(426, 240), (1280, 720), (2560, 1440)]);
}

#[tokio::test]
async fn frames_far_from_their_only_key_frame_are_exact_although_most_on_the_way_are_left_out() {
    // B-frames that others refer to, and that none refers to, in each framing of H.264 and without a table of contents.
    for (mux, extension, pyramid) in [
        ("mp4mux", "mp4", "normal"),
        ("matroskamux", "mkv", "none"),
        ("video/x-h264,stream-format=byte-stream ! mpegtsmux", "ts", "normal"),
    ] {
        let encoder = format!("{H264} option-string=b-pyramid={pyramid}:scenecut=0");
        check_triptych(&format!("far {extension}"), &three(130, &encoder, mux, extension)).await;
    }
}
