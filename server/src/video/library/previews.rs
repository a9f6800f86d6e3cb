//! Makes the previews of videos for those who ask, one video at a time, and hands them out as they come.
//!
//! Their order is that of [`preview_plan`], what is kept and whose turn it is decides
//! [`preview_lists`](super::preview_lists). A thread exists only while previews are made.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use common::limits::{MAX_PREVIEW_BYTES, PREVIEW_HEIGHT, PREVIEW_WIDTH};
use tokio::sync::watch;

use super::{
    preview_lists::{Got, ListKey, Preview, PreviewLists, Turn, TurnEnd},
    preview_plan::{self, Place},
    small_size::fit,
    video::Video,
};
use crate::video::{
    gst::key_frames::KeyFrames,
    process::{PreviewJob, PreviewPictures, ProcessError, ProcessPool},
};

/// Memory for the previews of all videos: those of about eighty.
const CACHE_BYTES: usize = 32 << 20;

/// The previews of a library. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Previews(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    lists: Mutex<PreviewLists<Source>>,
    /// Changes when readers may find something new.
    changes: watch::Sender<()>,
}

impl Default for Previews {
    fn default() -> Self {
        Self(Arc::new(Shared { lists: Mutex::new(PreviewLists::new(CACHE_BYTES)), changes: watch::Sender::new(()) }))
    }
}

/// What the previews of a video are made from.
#[derive(Debug, Clone)]
struct Source {
    video: Arc<Video>,
    places: Arc<[Place]>,
}

impl Source {
    fn of(video: &Arc<Video>) -> Self {
        let key_frames: Vec<_> = video.files.iter().map(|file| file.probed.key_frames.as_ref()).collect();
        let places = preview_plan::places(&video.indices, &key_frames).into();
        Self { video: video.clone(), places }
    }
}

/// The previews of one video, as they come. Dropping it stops their being made, unless others read them too.
#[derive(Debug)]
pub struct PreviewFeed {
    previews: Previews,
    changes: watch::Receiver<()>,
    key: ListKey,
    count: u32,
    next: usize,
}

impl Previews {
    /// Begins to read the previews of a video, and has them made if they are not.
    pub(crate) fn of(&self, video: &Arc<Video>, processes: &ProcessPool) -> PreviewFeed {
        let key = (video.info.id, video.info.fingerprint);
        let changes = self.0.changes.subscribe();
        let (starts, source) = self.lock().enter(key, || Source::of(video));
        let count = source.places.len() as u32;
        let feed = PreviewFeed { previews: self.clone(), changes, key, count, next: 0 };
        if starts {
            self.start_maker(processes.clone());
        }
        feed
    }

    fn lock(&self) -> MutexGuard<'_, PreviewLists<Source>> {
        // Poisoning is ignored: every change of the lists leaves them consistent.
        self.0.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_maker(&self, processes: ProcessPool) {
        let previews = self.clone();
        let started = thread::Builder::new().name("video-previews".into()).spawn(move || previews.make(&processes));
        if let Err(error) = started {
            tracing::debug!("no thread for previews: {error}");
            // Those who wait go without, and the next one who asks has it tried again.
            let mut lists = self.lock();
            while let Some(turn) = lists.next_turn() {
                lists.end_turn(&turn, TurnEnd::Postponed);
            }
            drop(lists);
            self.0.changes.send_replace(());
        }
    }

    /// Makes previews until none are wanted.
    fn make(&self, processes: &ProcessPool) {
        loop {
            let Some(turn) = self.lock().next_turn() else { return };
            let mut guard = FailedTurn { previews: self, turn: Some(turn), processes };
            let turn = guard.turn.as_ref().expect("taken only below");
            let end = take_turn(self, turn, processes);
            self.lock().end_turn(turn, end);
            guard.turn = None;
            self.0.changes.send_replace(());
        }
    }
}

/// Ends a turn in which the maker panicked.
struct FailedTurn<'a> {
    previews: &'a Previews,
    turn: Option<Turn<Source>>,
    processes: &'a ProcessPool,
}

impl Drop for FailedTurn<'_> {
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take() {
            let starts = self.previews.lock().maker_failed(&turn);
            self.previews.0.changes.send_replace(());
            if starts {
                self.previews.start_maker(self.processes.clone());
            }
        }
    }
}

/// Makes the previews of one video, from one of its files after the other.
fn take_turn(previews: &Previews, turn: &Turn<Source>, processes: &ProcessPool) -> TurnEnd {
    let begun = Instant::now();
    let is_wanted = || previews.lock().goes_on(turn, begun.elapsed());
    let mut tried = turn.tried;
    while let Some(rest) = turn.source.places.get(tried..).filter(|rest| !rest.is_empty()) {
        let of_file = rest.partition_point(|place| place.variant == rest[0].variant);
        match make_of_file(previews, turn, tried, &rest[..of_file], processes, &is_wanted) {
            Ok(()) => tried += of_file,
            Err(ProcessError::Cancelled) => return TurnEnd::Interrupted,
            Err(ProcessError::NotStarted(error)) => {
                tracing::debug!("no previews of {:?} for now: {error}", turn.source.video.info.title);
                return TurnEnd::Postponed;
            }
            // What made the decoder fail once would do so again.
            Err(error) => {
                tracing::debug!("no further previews of {:?}: {error}", turn.source.video.info.title);
                return TurnEnd::Done;
            }
        }
        previews.lock().put(turn, tried, None);
    }
    TurnEnd::Done
}

fn make_of_file(
    previews: &Previews,
    turn: &Turn<Source>,
    tried: usize,
    places: &[Place],
    processes: &ProcessPool,
    is_wanted: &dyn Fn() -> bool,
) -> Result<(), ProcessError> {
    let file = &turn.source.video.files[places[0].variant];
    let probed = &file.probed;
    if let Err(error) = file.check_same() {
        // The catalog will have another version of the video soon.
        tracing::debug!("no previews of {:?}: {error}", file.file_name);
        return Ok(());
    }
    let job = PreviewJob {
        path: file.path.as_path().into(),
        track: probed.track.clone(),
        decoder: probed.decoder.clone(),
        needs_rgb: probed.needs_rgb,
        is_interlaced: probed.is_interlaced,
        are_closed: probed.key_frames.as_ref().is_some_and(KeyFrames::are_closed),
        size: fit((probed.picture_width, probed.picture_height), (PREVIEW_WIDTH, PREVIEW_HEIGHT)),
        max_bytes: MAX_PREVIEW_BYTES as u32,
        frames: places.iter().map(Place::frame).collect(),
    };
    let mut pictures = PreviewPictures::start(processes, job, is_wanted)?;
    while let Some(picture) = pictures.next(is_wanted)? {
        let place = &places[picture.number];
        let stream_nanos = place.stream_nanos.saturating_add(picture.nanos).saturating_sub(place.file_nanos);
        let preview =
            Preview { stream_nanos: stream_nanos.min(turn.source.video.info.duration_nanos), jpeg: picture.jpeg };
        previews.lock().put(turn, tried + picture.number + 1, Some(preview));
        previews.0.changes.send_replace(());
    }
    Ok(())
}

impl PreviewFeed {
    /// Fingerprint of the version of the video that the previews show.
    pub fn fingerprint(&self) -> u64 {
        self.key.1
    }

    /// The most previews that come.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Time in the triptych and JPEG of the next preview. `None` when no further one comes.
    pub async fn next(&mut self) -> Option<(u64, bytes::Bytes)> {
        loop {
            self.changes.borrow_and_update();
            let got = self.previews.lock().get(self.key, self.next);
            match got {
                Got::Preview(preview) => {
                    self.next += 1;
                    return Some((preview.stream_nanos, preview.jpeg));
                }
                Got::End => return None,
                Got::Later => self.changes.changed().await.ok()?,
            }
        }
    }
}

impl Drop for PreviewFeed {
    fn drop(&mut self) {
        self.previews.lock().leave(self.key);
    }
}
