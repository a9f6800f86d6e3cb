//! Several lanes make the same pictures of real files as one decoder does, byte for byte.

use std::path::Path;

use tempfile::tempdir;

use super::{FrameStream, PictureJob, ProcessError, ProcessPool};
use crate::video::gst::{
    elements,
    key_frames::KeyFrames,
    probe::{Probed, probe},
    test_clip::write_test_clip,
};

/// The pictures of a file from `first` on, made by this number of lanes, which may seek to `key_frames`.
fn pictures(path: &Path, probed: &Probed, key_frames: &KeyFrames, first: usize, lanes: u32) -> Vec<Vec<u8>> {
    let index = &probed.index;
    let seek_nanos = probed.key_frames.as_ref().unwrap().before(index.pts_nanos(first));
    let job = PictureJob {
        path: path.into(),
        track: probed.track.clone(),
        decoder: probed.decoder.clone(),
        first: first as u32,
        count: u32::MAX,
        end_nanos: index.end_nanos(index.len() - 1),
        seek_nanos: seek_nanos.filter(|&nanos| nanos > index.pts_nanos(0)),
        skim_until_nanos: None,
        size: (probed.picture_width, probed.picture_height),
        needs_rgb: probed.needs_rgb,
        is_interlaced: probed.is_interlaced,
        is_planar: probed.is_planar,
        lanes,
        branches: 2,
        has_one_thread: false,
    };
    let pool = ProcessPool::in_this_process();
    let mut stream = FrameStream::pictures(&pool, job, index, Some(key_frames), &|| true).unwrap();
    let mut pictures = Vec::new();
    loop {
        match stream.next(&|| true, &|| ()) {
            Ok(picture) => pictures.push(picture),
            Err(ProcessError::Failed(_)) => return pictures,
            Err(error) => panic!("{error}"),
        }
    }
}

fn check(encoder_and_mux: &str, extension: &str, frames: u32) {
    elements::init().unwrap();
    let folder = tempdir().unwrap();
    let path = folder.path().join(format!("clip.{extension}"));
    write_test_clip(&path, frames, encoder_and_mux);
    let probed = probe(&path, &|| true).unwrap();
    let key_frames = probed.key_frames.as_ref().unwrap();
    let cuts = key_frames.closed_nanos().count();
    assert!(cuts > 3, "{encoder_and_mux}: {cuts} places to cut it at");
    for first in [0, 37] {
        let expected = pictures(&path, &probed, key_frames, first, 1);
        assert_eq!(expected.len(), frames as usize - first, "{encoder_and_mux}");
        for lanes in 2..=4 {
            let found = pictures(&path, &probed, key_frames, first, lanes);
            assert_eq!(found.len(), expected.len(), "{encoder_and_mux}: from {first} by {lanes} lanes");
            let wrong: Vec<_> = (0..found.len()).filter(|&frame| found[frame] != expected[frame]).collect();
            assert_eq!(wrong, Vec::<usize>::new(), "{encoder_and_mux}: from {first} by {lanes} lanes");
        }
    }
}

#[test]
fn groups_of_one_length_and_of_many_with_and_without_reordered_frames() {
    check("x264enc key-int-max=30 speed-preset=veryfast tune=fastdecode ! matroskamux", "mkv", 400);
    check("x264enc key-int-max=13 bframes=3 b-adapt=false option-string=b-pyramid=normal ! mp4mux", "mp4", 250);
    check("x264enc key-int-max=50 bframes=2 ! h264parse ! mpegtsmux", "ts", 250);
}

#[test]
fn pictures_that_are_key_frames_each() {
    check("jpegenc ! matroskamux", "mkv", 200);
}

#[test]
fn a_file_that_cannot_be_cut_where_its_key_frames_are_said_to_be_is_still_exact() {
    elements::init().unwrap();
    let folder = tempdir().unwrap();
    let path = folder.path().join("clip.mkv");
    write_test_clip(&path, 300, "x264enc key-int-max=120 bframes=3 ! matroskamux");
    let probed = probe(&path, &|| true).unwrap();
    let expected = pictures(&path, &probed, &KeyFrames::default(), 0, 1);
    // Every thirtieth frame is said to be one.
    let mut wrong = KeyFrames::default();
    (0..300).step_by(30).for_each(|frame| wrong.note(probed.index.pts_nanos(frame), true));
    let found = pictures(&path, &probed, &wrong, 0, 3);
    assert!(found == expected, "some of {} and {} pictures differ", found.len(), expected.len());
}
