//! The store with frames on disk: fake tracks that count what they make, and a real disk tier in a folder.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed, mpsc},
    time::Duration,
};

use tempfile::{TempDir, tempdir};

use super::{
    places::Limits,
    tests::{Counted, cursor, get, number, wait_until, walk},
    *,
};
use crate::video::{
    disk::{DiskSettings, DiskTier, TrackName},
    process::ProcessPool,
};

const FRAMES: usize = 200;
const HANG_PATIENCE: Duration = Duration::from_secs(60);

/// A folder for packs, and what was started on it.
struct Place {
    folder: TempDir,
}

/// A server: its store, its disk tier and its only track.
struct Server {
    store: Store,
    disk: Arc<DiskTier>,
    track: Arc<Counted>,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempdir().unwrap() }
    }

    fn server(&self) -> Server {
        self.server_of(Counted::default(), 1 << 20, Limits::default())
    }

    fn server_of(&self, track: Counted, cache_bytes: u64, limits: Limits) -> Server {
        let settings =
            DiskSettings { folder: self.folder.path().to_owned(), limit_bytes: Some(1 << 30), keep_free_bytes: 0 };
        let disk = Arc::new(DiskTier::open(&settings).unwrap());
        let packs = TrackPacks::new(disk.clone(), TrackName::pictures(1, FRAMES), 0..FRAMES);
        let track = Arc::new(Counted { packs: Some(Arc::new(packs)), ..track });
        let processes = ProcessPool::in_this_process();
        let store = Store::with(cache_bytes, processes, limits, HANG_PATIENCE, Some(disk.clone()));
        Server { store, disk, track }
    }

    /// Where the pack with this frame is.
    fn pack(&self, first: usize) -> PathBuf {
        let packs = fs::read_dir(self.folder.path().join(format!("{:016x}", 1))).unwrap();
        let mut paths = packs.map(|entry| entry.unwrap().path());
        paths.find(|path| path.to_str().unwrap().contains(&format!("-{FRAMES}-{first}-"))).unwrap()
    }

    /// A server has played everything, and is gone.
    async fn played(&self) {
        let server = self.server();
        server.walk(0..FRAMES).await;
        server.wait_until_written().await;
        assert_eq!(server.made(), FRAMES);
    }
}

impl Server {
    async fn walk(&self, frames: std::ops::Range<usize>) {
        walk(&cursor(&self.store, 1, &self.track), frames).await;
    }

    async fn wait_until_written(&self) {
        let is_written = || self.disk.covers(&TrackName::pictures(1, FRAMES), 0..FRAMES);
        wait_until("all frames are on disk", is_written).await;
    }

    fn made(&self) -> usize {
        self.track.made.load(Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_makes_no_frame_that_an_earlier_one_made() {
    let place = Place::new();
    place.played().await;
    let server = place.server();
    server.walk(0..FRAMES).await;
    assert_eq!((server.made(), server.track.opened.load(Relaxed)), (0, 0));
    let statistics = server.store.statistics();
    assert_eq!((statistics.decoded, statistics.disk_hits), (0, FRAMES as u64));
    assert_eq!(statistics.held_bytes, (FRAMES * tests::FRAME_BYTES) as u64, "from now on they are in memory");
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_who_jump_about_are_served_from_disk_also_with_a_cache_of_one_frame_or_none() {
    let place = Place::new();
    place.played().await;
    for cache_bytes in [0, tests::FRAME_BYTES as u64 + 1, 20 * tests::FRAME_BYTES as u64] {
        let server = place.server_of(Counted::default(), cache_bytes, Limits::default());
        for start in [190, 3, 95, 96, 50, 0] {
            server.walk(start..start + 10).await;
        }
        assert_eq!(server.made(), 0);
        assert!(server.store.statistics().held_bytes <= cache_bytes.max(2 * tests::FRAME_BYTES as u64));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_damaged_and_missing_packs_are_decoded_and_written_again() {
    let place = Place::new();
    place.played().await;
    let flipped = place.pack(32);
    let mut bytes = fs::read(&flipped).unwrap();
    bytes[5000] ^= 1;
    fs::write(&flipped, bytes).unwrap();
    File::options().write(true).open(place.pack(96)).unwrap().set_len(3000).unwrap();
    let server = place.server();
    fs::remove_file(place.pack(160)).unwrap();
    server.walk(0..FRAMES).await;
    let made = server.made();
    assert!((3 * 16..4 * 16).contains(&made), "{made} frames were made");
    server.wait_until_written().await;
    drop(server);
    let server = place.server();
    server.walk(0..FRAMES).await;
    assert_eq!(server.made(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_holds_no_viewer_up() {
    let place = Place::new();
    place.played().await;
    let server = place.server();
    // Who opens a pipe waits until it is written to.
    let pipes = [32, 48, 64].map(|first| place.pack(first));
    for pipe in &pipes {
        fs::remove_file(pipe).unwrap();
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    server.walk(0..120).await;
    assert!((3 * 16..120).contains(&server.made()), "{} frames were made", server.made());
    for pipe in &pipes {
        // Does not wait, and ends the wait of those who read.
        drop(rustix::fs::open(pipe, rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty()).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_disk_needs_no_place_among_the_decoders() {
    let place = Place::new();
    place.played().await;
    let (release, hanging) = mpsc::sync_channel::<()>(1);
    let track = Counted { hanging: Some(Mutex::new(hanging)), ..Counted::default() };
    let server = place.server_of(track, 1 << 20, Limits { workers: 1, ..Limits::default() });
    // The only decoder is busy with a frame that is not on disk.
    fs::remove_file(place.pack(0)).unwrap();
    server.disk.refresh();
    let waiting = cursor(&server.store, 1, &server.track);
    waiting.want(0..1);
    wait_until("the decoder is busy", || server.store.statistics().decoders == 1).await;
    server.walk(16..FRAMES).await;
    assert_eq!(server.made(), 0);
    drop(release);
    assert_eq!(number(&get(&waiting, 0).await.unwrap()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_in_place_of_sound_that_could_not_be_decoded_is_not_kept() {
    let place = Place::new();
    let silent = place.server_of(Counted { has_substitutes: true, ..Counted::default() }, 1 << 20, Limits::default());
    silent.walk(0..FRAMES).await;
    // It would have been written before this.
    let track = TrackName::pictures(2, FRAMES);
    let packs = Arc::new(TrackPacks::new(silent.disk.clone(), track, 0..FRAMES));
    walk(&cursor(&silent.store, 2, &Arc::new(Counted { packs: Some(packs), ..Counted::default() })), 0..FRAMES).await;
    wait_until("the other track is on disk", || silent.disk.covers(&track, 0..FRAMES)).await;
    assert!((0..FRAMES).all(|frame| silent.disk.find(&TrackName::pictures(1, FRAMES), frame).is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_program_writes_is_found_while_the_server_runs() {
    let place = Place::new();
    let server = place.server();
    place.played().await;
    server.disk.refresh();
    server.walk(0..FRAMES).await;
    assert_eq!(server.made(), 0);
}
