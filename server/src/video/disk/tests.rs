//! The disk tier on real files, and what it does when they are not as they should be.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::video::gst::picture_decoder::PICTURE_CODING;

const FILE: u64 = 0x733a_6827_236e_ab4b;
const FOLDER: &str = "733a6827236eab4b";
const FRAME_BYTES: usize = 1000;
/// Header and sixteen frames.
const PACK_BYTES: u64 = 16 * FRAME_BYTES as u64 + 40 + 16 * 8 + 4;

fn settings(folder: &TempDir) -> DiskSettings {
    let folder = folder.path().join("frames");
    DiskSettings { folder, limit_bytes: Some(10 * PACK_BYTES), keep_free_bytes: 0 }
}

fn open(folder: &TempDir) -> DiskTier {
    DiskTier::open(&settings(folder)).unwrap()
}

fn track() -> TrackName {
    TrackName::pictures(FILE, 1000)
}

fn frames(first: usize) -> Vec<Bytes> {
    (first..first + PACK_FRAMES).map(|frame| vec![frame as u8; FRAME_BYTES].into()).collect()
}

fn write(tier: &DiskTier, first: usize) {
    tier.write(&track(), first, &frames(first), None).unwrap();
}

/// Reads the pack with a frame as the store does.
fn read(tier: &DiskTier, frame: usize) -> Result<Vec<(usize, Bytes)>, ReadError> {
    let (pack, _) = tier.find(&track(), frame).ok_or(ReadError::Missing)?;
    let mut read = Vec::new();
    tier.read(&pack, Some(frame), &mut |frames| read.extend(frames))?;
    Ok(read)
}

fn pack_path(folder: &TempDir, first: usize) -> PathBuf {
    let name = format!("pictures-1-{PICTURE_CODING}-1000-{first}-16.pack");
    folder.path().join("frames").join(FOLDER).join(name)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn frames_come_back_as_they_were_written_also_after_a_restart() {
    let folder = tempdir().unwrap();
    write(&open(&folder), 96);
    let tier = open(&folder);
    let read = read(&tier, 100).unwrap();
    let numbers: Vec<_> = read.iter().map(|(frame, _)| *frame).collect();
    assert_eq!(numbers, [100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 96, 97, 98, 99]);
    assert!(read.iter().all(|(frame, bytes)| *bytes == vec![*frame as u8; FRAME_BYTES]));
    assert_eq!(tier.bytes_and_limit(), (PACK_BYTES, 10 * PACK_BYTES));
    assert_eq!(fs::metadata(pack_path(&folder, 96)).unwrap().len(), PACK_BYTES);
    assert!(tier.covers(&track(), 96..112) && !tier.covers(&track(), 95..112));
    assert_eq!(names(tier.folder()), [FOLDER, "CACHEDIR.TAG", "lock"]);
    let tag = fs::read_to_string(tier.folder().join("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
}

#[test]
fn only_the_user_of_the_server_can_read_what_is_kept() {
    let folder = tempdir().unwrap();
    write(&open(&folder), 0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let pack = pack_path(&folder, 0);
    assert_eq!([mode(&folder.path().join("frames")), mode(pack.parent().unwrap()), mode(&pack)], [0o700, 0o700, 0o600]);
}

#[test]
fn a_torn_pack_is_removed_and_no_frame_of_it_is_taken() {
    for bytes in [0, 20, 100, 172, PACK_BYTES - 1] {
        let folder = tempdir().unwrap();
        let tier = open(&folder);
        write(&tier, 0);
        fs::File::options().write(true).open(pack_path(&folder, 0)).unwrap().set_len(bytes).unwrap();
        for tier in [&tier, &open(&folder)] {
            assert_eq!(read(tier, 3), Err(ReadError::Missing), "cut to {bytes} bytes");
            assert_eq!(tier.bytes_and_limit().0, 0, "cut to {bytes} bytes");
        }
        assert!(!pack_path(&folder, 0).exists());
    }
}

#[test]
fn a_flipped_byte_is_noticed_wherever_it_is() {
    for at in [0, 30, 60, 170, 172, 3500, PACK_BYTES as usize - 1] {
        let folder = tempdir().unwrap();
        let tier = open(&folder);
        write(&tier, 0);
        let mut bytes = fs::read(pack_path(&folder, 0)).unwrap();
        bytes[at] ^= 1;
        fs::write(pack_path(&folder, 0), bytes).unwrap();
        assert_eq!(read(&tier, 3), Err(ReadError::Missing), "byte {at}");
        assert!(tier.find(&track(), 3).is_none() && !pack_path(&folder, 0).exists());
        write(&tier, 0);
        assert_eq!(read(&tier, 3).unwrap().len(), 16, "it is written again");
    }
}

#[test]
fn a_pack_that_another_program_removed_is_only_missing() {
    let folder = tempdir().unwrap();
    let tier = open(&folder);
    for first in [0, 16, 32] {
        write(&tier, first);
    }
    fs::remove_file(pack_path(&folder, 0)).unwrap();
    assert_eq!(read(&tier, 0), Err(ReadError::Missing));
    fs::remove_file(pack_path(&folder, 32)).unwrap();
    tier.refresh();
    assert_eq!((tier.find(&track(), 32), tier.bytes_and_limit().0), (None, PACK_BYTES));
    fs::remove_dir_all(pack_path(&folder, 16).parent().unwrap()).unwrap();
    tier.refresh();
    assert_eq!((tier.find(&track(), 16), tier.bytes_and_limit().0), (None, 0));
    write(&tier, 0);
    assert!(read(&tier, 0).is_ok());
}

#[test]
fn the_least_recently_used_pack_goes_first_also_after_a_restart() {
    let folder = tempdir().unwrap();
    let tier = open(&folder);
    let hours_ago = |hours: u64| SystemTime::now() - Duration::from_secs(hours * 3600);
    for (number, hours) in [(0, 5), (1, 4), (2, 3)] {
        write(&tier, number * 16);
        let file = fs::File::open(pack_path(&folder, number * 16)).unwrap();
        file.set_modified(hours_ago(hours)).unwrap();
    }
    drop(tier);
    read(&open(&folder), 0).unwrap();
    let tier = DiskTier::open(&DiskSettings { limit_bytes: Some(2 * PACK_BYTES), ..settings(&folder) }).unwrap();
    let held = |tier: &DiskTier| [0, 16, 32].map(|frame| tier.find(&track(), frame).is_some());
    assert_eq!(held(&tier), [true, false, true], "the limit is kept from the start on");
    write(&tier, 48);
    assert_eq!(held(&tier), [true, false, false]);
    assert_eq!(names(pack_path(&folder, 0).parent().unwrap()).len(), 2);
}

#[test]
fn a_full_disk_stops_writing_and_not_reading_and_is_tried_again_after_a_minute() {
    let folder = tempdir().unwrap();
    write(&open(&folder), 0);
    // No disk has that much free. What is there makes room, but only if that would be enough.
    let full = DiskTier::open(&DiskSettings { keep_free_bytes: u64::MAX, ..settings(&folder) }).unwrap();
    let error = full.write(&track(), 16, &frames(16), None).unwrap_err().to_string();
    assert!(error.contains("would be free") && error.contains("--disk-cache-dir"), "{error}");
    assert_eq!(read(&full, 0).unwrap().len(), 16);

    let tier = open(&folder);
    let begun = Instant::now();
    // A file where the folder of a source file belongs: what the system says then, it says of a read-only disk too.
    let occupied = TrackName::pictures(7, 1000);
    let place = folder.path().join("frames/0000000000000007");
    fs::write(&place, "").unwrap();
    let error = tier.write(&occupied, 0, &frames(0), None).unwrap_err().to_string();
    assert!(error.contains("cannot be written") && error.contains("0000000000000007"), "{error}");
    tier.write_behind(&occupied, 0, &frames(0), begun);
    tier.write_behind(&track(), 16, &frames(16), begun + Duration::from_secs(59));
    assert!(tier.find(&track(), 16).is_none(), "nothing is written for a minute");
    assert_eq!(read(&tier, 0).unwrap().len(), 16);
    tier.write_behind(&track(), 16, &frames(16), begun + Duration::from_secs(61));
    assert!(tier.find(&track(), 16).is_some());
    tier.write_behind(&track(), 32, &frames(32), begun + Duration::from_secs(61));
    assert!(tier.find(&track(), 32).is_some());
}

#[test]
fn what_does_not_fit_within_the_limit_is_refused_with_a_remedy() {
    let folder = tempdir().unwrap();
    let begun = SystemTime::now() - Duration::from_secs(1);
    let tier = DiskTier::open(&DiskSettings { limit_bytes: Some(2 * PACK_BYTES), ..settings(&folder) }).unwrap();
    for first in [0, 16] {
        tier.write(&track(), first, &frames(first), Some(begun)).unwrap();
    }
    let error = tier.write(&track(), 32, &frames(32), Some(begun)).unwrap_err().to_string();
    assert!(error.contains("--disk-cache-gib"), "{error}");
    assert!(tier.covers(&track(), 0..32), "what is as new stays");
}

#[test]
fn servers_that_share_a_folder_find_what_the_others_write_and_disturb_nothing() {
    let folder = tempdir().unwrap();
    let (first, second) = (open(&folder), open(&folder));
    let unfinished = folder.path().join("frames").join(FOLDER).join(".unfinished-x.tmp");
    write(&first, 0);
    fs::write(&unfinished, "of the first").unwrap();
    assert!(second.find(&track(), 0).is_none());
    second.refresh();
    assert_eq!(read(&second, 0).unwrap().len(), 16);
    // Both write the same pack.
    write(&first, 16);
    second.write(&track(), 16, &frames(16), None).unwrap();
    let inode = || fs::metadata(pack_path(&folder, 16)).unwrap().ino();
    let written = inode();
    write(&second, 16);
    assert_eq!(inode(), written, "what is known to be there is not written again");
    assert_eq!((read(&first, 16).unwrap().len(), read(&second, 16).unwrap().len()), (16, 16));
    assert_eq!(second.bytes_and_limit().0, 2 * PACK_BYTES);
    drop(first);
    let third = open(&folder);
    assert!(unfinished.exists(), "the second may be writing it");
    drop((second, third));
    open(&folder);
    assert!(!unfinished.exists(), "it was left behind");
}

#[test]
fn a_pack_is_found_although_its_folder_seems_not_to_have_changed_since() {
    let folder = tempdir().unwrap();
    let (first, second) = (open(&folder), open(&folder));
    write(&first, 0);
    // The times of folders are coarse. Here both changes come at the same one, which has just passed or is yet to come.
    let packs = fs::File::open(pack_path(&folder, 0).parent().unwrap()).unwrap();
    let changed_at = SystemTime::now() + Duration::from_secs(3600);
    packs.set_modified(changed_at).unwrap();
    second.refresh();
    write(&first, 16);
    packs.set_modified(changed_at).unwrap();
    second.refresh();
    assert!(second.find(&track(), 16).is_some());
}

#[test]
fn packs_of_another_version_are_removed_and_other_files_stay() {
    let folder = tempdir().unwrap();
    write(&open(&folder), 0);
    let place = |name: &str| folder.path().join("frames").join(name);
    let older = [
        format!("{FOLDER}/pictures-0-{PICTURE_CODING}-1000-16-16.pack"),
        format!("{FOLDER}/pictures-1-7-1000-16-16.pack"),
        format!("{FOLDER}/sound-1-999-1000-16-16.pack"),
    ];
    let foreign =
        ["notes.txt".to_owned(), format!("{FOLDER}/notes.pack"), "holiday/pictures-1-1-1-0-1.pack".to_owned()];
    fs::create_dir(place("holiday")).unwrap();
    fs::create_dir(place("0123456789abcdef")).unwrap();
    for name in older.iter().chain(&foreign) {
        fs::write(place(name), "").unwrap();
    }
    let tier = open(&folder);
    assert!(older.iter().all(|name| !place(name).exists()));
    assert!(foreign.iter().all(|name| place(name).exists()));
    assert!(!place("0123456789abcdef").exists(), "an empty folder of a source file");
    assert_eq!((tier.bytes_and_limit().0, read(&tier, 0).unwrap().len()), (PACK_BYTES, 16));
}

#[test]
fn without_a_limit_it_is_a_tenth_of_what_is_free_or_20_gib() {
    let folder = tempdir().unwrap();
    let tier = DiskTier::open(&DiskSettings { limit_bytes: None, ..settings(&folder) }).unwrap();
    let disk = rustix::fs::statvfs(folder.path()).unwrap();
    let tenth_bytes = disk.f_bavail * disk.f_frsize / 10;
    let limit_bytes = tier.bytes_and_limit().1;
    // Other programs use the disk meanwhile.
    assert!(limit_bytes <= 20 << 30 && limit_bytes >= (tenth_bytes / 2).min(20 << 30), "{limit_bytes}");
}

#[test]
fn a_folder_that_cannot_be_made_is_refused_with_a_remedy() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("frames"), "").unwrap();
    let error = DiskTier::open(&settings(&folder)).unwrap_err().to_string();
    assert!(error.contains("--disk-cache-dir") && error.contains("--disk-cache-gib 0"), "{error}");
}
