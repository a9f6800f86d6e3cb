//! The store, with fake tracks that count their frames instead of decoding them.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::media::Origin;
use tokio::time::timeout;

use super::{
    source::{FrameSource, Packs, SourceError, TrackOpener},
    track::{TrackKey, TrackKind},
    *,
};
use crate::video::{gst::pipeline::Heartbeat, process::ProcessPool};

pub(super) const DEADLINE: Duration = Duration::from_secs(10);
pub(super) const FRAME_BYTES: usize = 1000;

/// A fake track whose frames carry their number. Counts how often it was opened and how many frames it made.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) opened: AtomicUsize,
    pub(super) made: AtomicUsize,
    /// This frame cannot be made.
    pub(super) broken_frame: Option<usize>,
    /// Its frames only take the place of what cannot be made.
    pub(super) has_substitutes: bool,
    /// Its frames on disk.
    pub(super) packs: Option<Arc<dyn Packs>>,
    /// Sources of this track wait until it is dropped.
    pub(super) hanging: Option<Mutex<mpsc::Receiver<()>>>,
    pub(super) is_done_hanging: Arc<AtomicBool>,
}

struct Counting {
    track: Arc<Counted>,
    frame: usize,
}

impl TrackOpener for Arc<Counted> {
    fn open(&self, frame: usize, _: Heartbeat, _: &dyn Fn() -> bool) -> Result<Box<dyn FrameSource>, SourceError> {
        self.opened.fetch_add(1, Relaxed);
        Ok(Box::new(Counting { track: self.clone(), frame }))
    }

    fn name(&self) -> String {
        "counted".into()
    }

    fn pixels(&self) -> u64 {
        1
    }

    fn packs(&self) -> Option<Arc<dyn Packs>> {
        self.packs.clone()
    }
}

impl FrameSource for Counting {
    fn next(&mut self, _: &dyn Fn() -> bool) -> Result<Bytes, SourceError> {
        if let Some(hanging) = &self.track.hanging {
            #[expect(
                clippy::let_underscore_must_use,
                reason = "the sender is dropped when a test ends, which ends the wait too"
            )]
            let _ = hanging.lock().unwrap().recv();
            self.track.is_done_hanging.store(true, Relaxed);
        }
        if self.track.broken_frame == Some(self.frame) {
            return Err(SourceError::Failed("it is broken".into()));
        }
        self.track.made.fetch_add(1, Relaxed);
        let mut bytes = vec![0; FRAME_BYTES];
        bytes[..8].copy_from_slice(&(self.frame as u64).to_le_bytes());
        self.frame += 1;
        Ok(bytes.into())
    }

    fn is_true_to_file(&self) -> bool {
        !self.track.has_substitutes
    }
}

pub(super) fn key(video: u64) -> TrackKey {
    TrackKey { file: video, kind: TrackKind::Pictures }
}

pub(super) fn cursor(store: &Store, video: u64, track: &Arc<Counted>) -> Cursor {
    store.cursor(key(video), || Arc::new(track.clone()))
}

/// Reads the frames one after the other, as a viewer does.
pub(super) async fn walk(cursor: &Cursor, frames: Range<usize>) {
    for frame in frames.clone() {
        cursor.want(frame..(frame + 16).min(frames.end));
        assert_eq!(number(&get(cursor, frame).await.unwrap()), frame);
    }
}

pub(super) async fn get(cursor: &Cursor, frame: usize) -> Result<Bytes, FailureCause> {
    let fetched = timeout(DEADLINE, cursor.get(frame)).await.expect("the frame comes in time");
    fetched.map(|fetched| fetched.bytes)
}

pub(super) fn number(bytes: &Bytes) -> usize {
    u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
}

pub(super) async fn wait_until(what: &str, is_true: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_true() {
        assert!(begun.elapsed() < DEADLINE, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_readers_cause_each_frame_to_be_made_once() {
    let (store, track) = (Store::new(1 << 20), Arc::new(Counted::default()));
    let readers = (0..50).map(|_| {
        let cursor = cursor(&store, 1, &track);
        tokio::spawn(async move { walk(&cursor, 0..200).await })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.unwrap();
    }
    assert_eq!(track.made.load(Relaxed), 200);
    let statistics = store.statistics();
    assert_eq!((statistics.hits + statistics.misses, statistics.decoded), (50 * 200, 200));
    assert_eq!(statistics.held_bytes, 200 * FRAME_BYTES as u64);
}

#[tokio::test]
async fn a_frame_is_from_memory_if_it_was_held_when_it_was_first_wanted() {
    let (store, track) = (Store::new(1 << 20), Arc::new(Counted::default()));
    let [first, second] = [cursor(&store, 1, &track), cursor(&store, 1, &track)];
    let origin = async |cursor: &Cursor, frame| timeout(DEADLINE, cursor.get(frame)).await.unwrap().unwrap().origin;
    first.want(0..4);
    assert_eq!(origin(&first, 0).await, Origin::Decoder);
    wait_until("what is wanted is made", || store.statistics().decoded >= 4).await;
    first.want(1..4);
    assert_eq!(origin(&first, 3).await, Origin::Decoder, "it is there, because this reader had it made");
    second.want(2..6);
    assert_eq!(origin(&second, 2).await, Origin::Memory);
    assert_eq!(origin(&second, 5).await, Origin::Decoder);
}

#[tokio::test]
async fn one_reader_uses_one_decoder_which_is_released_at_the_end() {
    let (store, track) = (Store::new(1 << 20), Arc::new(Counted::default()));
    walk(&cursor(&store, 1, &track), 0..300).await;
    assert_eq!(track.opened.load(Relaxed), 1);
    assert_eq!(store.statistics().decoders, 1);
    wait_until("the decoder is released", || store.statistics().decoders == 0).await;
}

#[tokio::test]
async fn a_cache_of_one_frame_or_none_still_plays() {
    for cache_bytes in [0, FRAME_BYTES as u64 + 1] {
        let (store, track) = (Store::new(cache_bytes), Arc::new(Counted::default()));
        walk(&cursor(&store, 1, &track), 0..100).await;
        assert!(store.statistics().held_bytes <= 2 * FRAME_BYTES as u64, "{:?}", store.statistics());
        assert_eq!(track.opened.load(Relaxed), 1);
    }
}

#[tokio::test]
async fn frames_over_the_limit_are_evicted_unless_they_are_wanted_or_kept_warm() {
    let (store, track) = (Store::new(40 * FRAME_BYTES as u64), Arc::new(Counted::default()));
    let paused = cursor(&store, 1, &track);
    walk(&paused, 0..6).await;
    paused.keep_warm(4);
    paused.want(100..110);
    wait_until("what is wanted is made", || store.statistics().decoded >= 16).await;
    walk(&cursor(&store, 1, &track), 200..400).await;
    assert!(store.statistics().held_bytes <= 40 * FRAME_BYTES as u64);
    let made = track.made.load(Relaxed);
    for frame in (0..4).chain(100..110) {
        assert_eq!(number(&get(&paused, frame).await.unwrap()), frame);
    }
    assert_eq!(track.made.load(Relaxed), made, "every frame was still in the cache");
}

#[tokio::test]
async fn a_frame_that_cannot_be_made_is_an_error_and_affects_no_other_reader() {
    let broken = Counted { broken_frame: Some(30), ..Counted::default() };
    let (store, broken, sound) = (Store::new(1 << 20), Arc::new(broken), Arc::new(Counted::default()));
    let other = cursor(&store, 2, &sound);
    let reader = cursor(&store, 1, &broken);
    walk(&reader, 0..30).await;
    reader.want(30..46);
    assert_eq!(get(&reader, 30).await.unwrap_err(), FailureCause::Source("it is broken".into()));
    // It is not tried again and again.
    let opened = broken.opened.load(Relaxed);
    assert!(get(&reader, 30).await.is_err());
    assert_eq!(broken.opened.load(Relaxed), opened);
    // After the broken frame it continues.
    walk(&reader, 31..60).await;
    walk(&other, 0..60).await;
}

#[tokio::test]
async fn a_hung_decoder_is_abandoned_with_a_reason() {
    let (release, hanging) = mpsc::sync_channel::<()>(1);
    let hanging = Arc::new(Counted { hanging: Some(Mutex::new(hanging)), ..Counted::default() });
    let is_done = hanging.is_done_hanging.clone();
    let patience = Duration::from_millis(300);
    let processes = ProcessPool::in_this_process();
    let store = Store::with(1 << 20, processes, Default::default(), patience, None);
    let sound = Arc::new(Counted::default());
    let reader = cursor(&store, 1, &hanging);
    reader.want(0..16);
    let other = cursor(&store, 2, &sound);
    walk(&other, 0..100).await;
    let FailureCause::Source(cause) = get(&reader, 0).await.unwrap_err() else { panic!("not busy") };
    assert!(cause.contains("put out nothing"), "{cause}");
    assert_eq!(store.statistics().decoders, 1, "the hung decoder is no longer counted");
    // When its thread returns, it ends, and the track can be decoded again.
    drop(release);
    wait_until("the hung source returns", || is_done.load(Relaxed)).await;
    walk(&reader, 100..120).await;
    assert_eq!(hanging.opened.load(Relaxed), 2, "the decoder that hung makes no more frames");
}

#[tokio::test]
async fn many_readers_at_different_places_share_a_bounded_number_of_decoders() {
    let (store, track) = (Store::new(1 << 20), Arc::new(Counted::default()));
    let most = Arc::new(AtomicUsize::new(0));
    let readers: Vec<_> = (0..40)
        .map(|place| {
            let (cursor, store, most) = (cursor(&store, 1, &track), store.clone(), most.clone());
            tokio::spawn(async move {
                for frame in place * 1000..place * 1000 + 100 {
                    walk(&cursor, frame..frame + 1).await;
                    most.fetch_max(store.statistics().decoders as usize, Relaxed);
                }
            })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap();
    }
    let most = most.load(Relaxed);
    assert!((2..=16).contains(&most), "{most}");
    assert_eq!(track.made.load(Relaxed), 4000);
}

#[tokio::test]
async fn a_paused_reader_with_a_full_cache_stops_no_other_reader() {
    for start in [0, 5, 9] {
        let (store, track) = (Store::new(4 * FRAME_BYTES as u64), Arc::new(Counted::default()));
        let paused = cursor(&store, 1, &track);
        walk(&paused, 0..3).await;
        paused.want(3..19);
        wait_until("the cache is full", || store.statistics().decoded >= 7).await;
        walk(&cursor(&store, 1, &track), start..start + 40).await;
    }
}

#[tokio::test]
async fn seeking_readers_do_not_take_the_decoders_of_the_others() {
    let (store, track) = (Store::new(1 << 20), Arc::new(Counted::default()));
    let watching: Vec<_> = (0..8).map(|place| (place * 1000, cursor(&store, 1, &track))).collect();
    for (place, reader) in &watching {
        walk(reader, *place..*place + 5).await;
        reader.want(*place + 5..*place + 21);
    }
    wait_until("all have what they want", || store.statistics().decoded >= 8 * 21).await;
    for place in 0..20 {
        walk(&cursor(&store, 1, &track), 50_000 + place * 100..50_002 + place * 100).await;
    }
    let opened = track.opened.load(Relaxed);
    for (place, reader) in &watching {
        walk(reader, *place + 5..*place + 40).await;
    }
    assert_eq!(track.opened.load(Relaxed), opened, "each viewer keeps its own decoder");
}

#[tokio::test]
async fn the_frames_of_a_removed_video_are_forgotten() {
    let (store, track) = (Store::new(1 << 20), Arc::new(Counted::default()));
    walk(&cursor(&store, 1, &track), 0..20).await;
    wait_until("the decoder is released", || store.statistics().decoders == 0).await;
    store.forget(|key| key.file == 1);
    assert_eq!(store.statistics().held_bytes, 0);
}
