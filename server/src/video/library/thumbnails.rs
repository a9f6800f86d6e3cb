//! Small pictures of the videos, made when somebody first asks and kept as long as the video stays the same.
//!
//! A frame is taken from the smallest variant, at a key frame so that nothing else has to be decoded. How much a small
//! JPEG takes says how much there is to see in it: an empty or black frame is little more than its header.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::{
    limits::{MAX_THUMBNAIL_BYTES, THUMBNAIL_HEIGHT},
    media::VideoId,
};
use tokio::sync::{OnceCell, Semaphore};

use super::catalog::{Catalog, ProbedFile, Video};
use crate::video::gst::{
    picture_decoder::{DecodeRequest, PictureDecoder},
    pipeline::{DecodeError, Heartbeat},
};

/// Widest thumbnail, in pixels. A wider video gets a lower one.
const MAX_WIDTH: u32 = 4 * THUMBNAIL_HEIGHT;

/// Where in the video a frame is looked for, in hundredths of it. The first that shows something is taken.
const PLACES: [usize; 4] = [10, 30, 50, 0];

/// A picture has more than its header and this many bits for each pixel. Measured: black 0.10, a gradient 0.4, scenes 1 to 3.
const SPARSE_BITS_PER_PIXEL: usize = 1;
const JPEG_HEADER_BYTES: usize = 620;

/// Frames that are decoded at most where the times only hold from the start of the file.
const MAX_FRAMES_FROM_START: usize = 250;

/// Thumbnails made at a time.
const MAX_AT_ONCE: usize = 2;

/// A thumbnail that takes longer is not worth it.
const DEADLINE: Duration = Duration::from_secs(15);

/// One picture for each state of each video; whoever comes while it is being made waits for the same one.
type Kept = HashMap<VideoId, (u64, Arc<OnceCell<Bytes>>)>;

/// All thumbnails of a library.
#[derive(Debug)]
pub(crate) struct Thumbnails {
    kept: Mutex<Kept>,
    places: Arc<Semaphore>,
}

impl Default for Thumbnails {
    fn default() -> Self {
        Self { kept: Mutex::default(), places: Arc::new(Semaphore::new(MAX_AT_ONCE)) }
    }
}

impl Thumbnails {
    /// The picture of a video on the shelf; empty when none can be made.
    pub(crate) async fn of(&self, video: Arc<Video>, shelf: &Catalog) -> Bytes {
        let cell = self.cell(&video, shelf);
        let made = cell.get_or_try_init(|| async {
            let place = self.places.clone().acquire_owned().await.expect("nobody closes this semaphore");
            let made = tokio::task::spawn_blocking(move || {
                let _place = place;
                make(&video)
            });
            made.await.unwrap_or(None).ok_or(())
        });
        made.await.cloned().unwrap_or_default()
    }

    fn cell(&self, video: &Video, shelf: &Catalog) -> Arc<OnceCell<Bytes>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|id, _| shelf.videos.contains_key(id));
        let fresh = || (video.info.fingerprint, Arc::default());
        let entry = kept.entry(video.info.id).or_insert_with(fresh);
        if entry.0 != video.info.fingerprint {
            *entry = fresh();
        }
        entry.1.clone()
    }
}

/// Blocks while frames are decoded. `None` when there was no time, so that it is worth trying again.
fn make(video: &Video) -> Option<Bytes> {
    let source = video.sources.first()?;
    let size = size_of(source.probed.picture_width, source.probed.picture_height);
    let (begun, mut best) = (Instant::now(), Bytes::new());
    let is_wanted = || begun.elapsed() < DEADLINE;
    for place in PLACES {
        match frame_at(source, place, size, &is_wanted) {
            Ok(jpeg) if shows_something(&jpeg, size) => return Some(jpeg),
            Ok(jpeg) if jpeg.len() > best.len() => best = jpeg,
            Ok(_) => {}
            Err(error) => tracing::debug!("{:?} has no thumbnail at {place} %: {error}", source.file_name),
        }
    }
    (is_wanted() || !best.is_empty()).then_some(best)
}

fn frame_at(
    source: &ProbedFile,
    place: usize,
    size: (u32, u32),
    is_wanted: &dyn Fn() -> bool,
) -> Result<Bytes, DecodeError> {
    let probed = &source.probed;
    let wanted = probed.index.len() * place / 100;
    let (frame, seek_nanos) = match &probed.entries {
        Some(entries) => {
            let key = entries.before(probed.index.pts_nanos(wanted)).and_then(|nanos| probed.index.nearest(nanos));
            let frame = key.unwrap_or(0);
            (frame, entries.before(probed.index.pts_nanos(frame)))
        }
        None => (wanted.min(MAX_FRAMES_FROM_START), None),
    };
    let order = DecodeRequest {
        path: &source.path,
        track: &probed.track,
        decoder: &probed.decoder,
        index: &probed.index,
        frames: frame..frame + 1,
        seek_nanos,
        size: Some(size),
        needs_rgb: probed.needs_rgb,
        is_interlaced: probed.is_interlaced,
        // It is made smaller.
        is_jpeg_ready: false,
        branches: 1,
    };
    let jpeg = PictureDecoder::open(&order, Heartbeat::default(), is_wanted)?.next(frame, is_wanted)?.jpeg;
    let jpeg = jpeg.map_readable().map(|map| Bytes::copy_from_slice(&map)).unwrap_or_default();
    Ok(if jpeg.len() > MAX_THUMBNAIL_BYTES { Bytes::new() } else { jpeg })
}

/// Width and height of the thumbnail of a picture.
fn size_of(width: u32, height: u32) -> (u32, u32) {
    let (width, height) = (width.max(1), height.max(1));
    let shrink =
        (f64::from(THUMBNAIL_HEIGHT) / f64::from(height)).min(f64::from(MAX_WIDTH) / f64::from(width)).min(1.0);
    let side = |side: u32| ((f64::from(side) * shrink).round() as u32).max(2);
    (side(width), side(height))
}

fn shows_something(jpeg: &[u8], (width, height): (u32, u32)) -> bool {
    let bits = jpeg.len().saturating_sub(JPEG_HEADER_BYTES) * 8;
    bits > SPARSE_BITS_PER_PIXEL * width as usize * height as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbnails_keep_the_shape_and_the_bounds() {
        assert_eq!(size_of(1920, 1080), (192, 108));
        assert_eq!(size_of(1080, 1920), (61, 108));
        assert_eq!(size_of(160, 96), (160, 96));
        assert_eq!(size_of(8192, 16), (432, 2));
        assert_eq!(size_of(1, 8192), (2, 108));
    }
}
