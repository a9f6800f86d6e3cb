//! Thumbnails of the videos, made on the first request and kept for as long as the video stays the same.
//!
//! The frame comes from the smallest variant, at a key frame, so that no other frame has to be decoded. The size of the
//! JPEG tells how much there is to see: an empty or black frame is little more than the JPEG header.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::{
    limits::{MAX_THUMBNAIL_BYTES, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH},
    media::VideoId,
};
use tokio::sync::{OnceCell, Semaphore};

use super::{
    catalog::Catalog,
    small_size::fit,
    video::{ProbedFile, Video},
};
use crate::video::process::{FrameStream, PictureJob, ProcessError, ProcessPool};

/// Candidate positions, in percent of the frames. The first frame that shows something is taken.
const POSITIONS_PERCENT: [usize; 4] = [10, 30, 50, 0];

/// A frame shows something if its JPEG has more bits for each pixel than this, header not counted. Measured: black 0.10,
/// a gradient 0.4, scenes 1 to 3.
const SPARSE_BITS_PER_PIXEL: usize = 1;
const JPEG_HEADER_BYTES: usize = 620;

/// Limit of the frames decoded for a file whose times are valid only when it is read from its start.
const MAX_FRAMES_FROM_START: usize = 250;

/// Thumbnails made at a time.
const MAX_AT_ONCE: usize = 2;

/// Making a thumbnail is given up after this time.
const DEADLINE: Duration = Duration::from_secs(15);

/// The thumbnail for the latest fingerprint of each video. Requests that arrive while it is being made wait for the same
/// one.
type Kept = HashMap<VideoId, (u64, Arc<OnceCell<Bytes>>)>;

/// All thumbnails of a library.
#[derive(Debug)]
pub(crate) struct Thumbnails {
    kept: Mutex<Kept>,
    permits: Arc<Semaphore>,
}

impl Default for Thumbnails {
    fn default() -> Self {
        Self { kept: Mutex::default(), permits: Arc::new(Semaphore::new(MAX_AT_ONCE)) }
    }
}

impl Thumbnails {
    /// The thumbnail of a video of this catalog; empty when none can be made. Thumbnails of videos that the catalog does
    /// not contain are dropped.
    pub(crate) async fn of(&self, video: Arc<Video>, catalog: &Catalog, processes: &ProcessPool) -> Bytes {
        let cell = self.cell(&video, catalog);
        let made = cell.get_or_try_init(|| async {
            let permit = self.permits.clone().acquire_owned().await.expect("this semaphore is never closed");
            let processes = processes.clone();
            let made = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                make(&video, &processes)
            });
            made.await.unwrap_or(None).ok_or(())
        });
        made.await.cloned().unwrap_or_default()
    }

    fn cell(&self, video: &Video, catalog: &Catalog) -> Arc<OnceCell<Bytes>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|id, _| catalog.videos.contains_key(id));
        let fresh = || (video.info.fingerprint, Arc::default());
        let entry = kept.entry(video.info.id).or_insert_with(fresh);
        if entry.0 != video.info.fingerprint {
            *entry = fresh();
        }
        entry.1.clone()
    }
}

/// Blocks while frames are decoded. `None` when the time ran out, so that a later request tries again.
fn make(video: &Video, processes: &ProcessPool) -> Option<Bytes> {
    let file = video.files.first()?;
    let size = fit((file.probed.picture_width, file.probed.picture_height), (THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT));
    let (begun, mut best) = (Instant::now(), Bytes::new());
    let is_wanted = || begun.elapsed() < DEADLINE;
    for percent in POSITIONS_PERCENT {
        match frame_at(file, processes, percent, size, &is_wanted) {
            Ok(jpeg) if shows_something(&jpeg, size) => return Some(jpeg),
            Ok(jpeg) if jpeg.len() > best.len() => best = jpeg,
            Ok(_) => {}
            // What made the decoder crash once would do so again.
            Err(ProcessError::Died | ProcessError::Silent | ProcessError::Unsound(_)) => return Some(best),
            Err(ProcessError::NotStarted(_)) => return None,
            Err(error) => tracing::debug!("no thumbnail of {:?} at {percent} %: {error}", file.file_name),
        }
    }
    (is_wanted() || !best.is_empty()).then_some(best)
}

fn frame_at(
    file: &ProbedFile,
    processes: &ProcessPool,
    percent: usize,
    size: (u32, u32),
    is_wanted: &dyn Fn() -> bool,
) -> Result<Bytes, ProcessError> {
    let probed = &file.probed;
    let wanted = probed.index.len() * percent / 100;
    let (frame, seek_nanos) = match &probed.key_frames {
        Some(key_frames) => {
            let key = key_frames.before(probed.index.pts_nanos(wanted)).and_then(|nanos| probed.index.nearest(nanos));
            let frame = key.unwrap_or(0);
            (frame, key_frames.before(probed.index.pts_nanos(frame)))
        }
        None => (wanted.min(MAX_FRAMES_FROM_START), None),
    };
    let job = PictureJob {
        path: file.path.as_path().into(),
        track: probed.track.clone(),
        decoder: probed.decoder.clone(),
        first: u32::try_from(frame).unwrap_or(u32::MAX),
        count: 1,
        end_nanos: probed.index.end_nanos(probed.index.len() - 1),
        seek_nanos,
        skim_until_nanos: None,
        size,
        needs_rgb: probed.needs_rgb,
        is_interlaced: probed.is_interlaced,
        // The frame has to be scaled down.
        is_planar: false,
        lanes: 1,
        branches: 1,
        has_one_thread: false,
    };
    let jpeg = FrameStream::pictures(processes, job, &probed.index, None, is_wanted)?.next(is_wanted, &|| ())?;
    Ok(if jpeg.len() > MAX_THUMBNAIL_BYTES { Bytes::new() } else { jpeg.into() })
}

fn shows_something(jpeg: &[u8], (width, height): (u32, u32)) -> bool {
    let bits = jpeg.len().saturating_sub(JPEG_HEADER_BYTES) * 8;
    bits > SPARSE_BITS_PER_PIXEL * width as usize * height as usize
}
