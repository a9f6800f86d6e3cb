//! Prewarming: the first frames of all videos are made ahead of any viewer and never evicted, so that a click shows a
//! picture at once.

use std::{collections::HashSet, sync::Arc};

use common::{media::SoundFormat, splice::Plan};
use tracing::debug;

use super::{Fetched, Store, source::TrackOpener, track::TrackKey};
use crate::video::library::Library;

/// Pictures kept of each video: a third of a second …
const PICTURES: usize = 8;

/// … and the chunks of sound that go with them.
const CHUNKS: usize = 4;

/// Up to a quarter of the cache is used for this, so that a large library leaves room for what is being watched.
const CACHE_SHARE: u64 = 4;

/// Makes the first frames of the videos in the library, in the order in which they are listed, up to the share of the
/// cache.
pub(crate) async fn prewarm(library: &Library, store: &Store) {
    let share_bytes = store.statistics().cache_bytes / CACHE_SHARE;
    let listing = library.listing();
    let listed = library.file_fingerprints();
    store.forget(|key| !listed.contains(&key.file));
    let (mut warm_bytes, mut warm) = (0, HashSet::new());
    for info in &listing.videos {
        let Some(video) = library.video(info.id) else { continue };
        let opening = Plan::triptych(&video.indices).segments()[0].clone();
        let pictures = store.pictures_of(&video, opening.variant);
        let count = PICTURES.min(opening.frames.len());
        warm.insert(pictures.key());
        warm_bytes +=
            keep(store, pictures.key(), Arc::new(pictures), count, share_bytes.saturating_sub(warm_bytes)).await;
        if let Some(sound) = store.sound_of(&video, SoundFormat::Pcm) {
            warm.insert(sound.key());
            warm_bytes +=
                keep(store, sound.key(), Arc::new(sound), CHUNKS, share_bytes.saturating_sub(warm_bytes)).await;
        }
        if warm_bytes >= share_bytes {
            debug!("videos after {:?} are not prewarmed: the cache is too small", info.title);
            break;
        }
    }
    // Tracks of an earlier pass may have lost their place to newer ones.
    store.keep_warm_only(|key| warm.contains(key));
    debug!("prewarmed {warm_bytes} bytes");
}

/// Makes the first frames of a track and keeps them, up to `room_bytes`. Returns how many bytes that took.
async fn keep(store: &Store, key: TrackKey, opener: Arc<dyn TrackOpener>, count: usize, room_bytes: u64) -> u64 {
    let cursor = store.cursor(key, || opener).uncounted().ending_before(count);
    let mut kept_bytes = 0;
    for frame in 0..count {
        cursor.want(frame..count);
        // A viewer of this video will get the reason.
        let Ok(Fetched { bytes, .. }) = cursor.get(frame).await else { break };
        kept_bytes += bytes.len() as u64;
        if kept_bytes > room_bytes {
            break;
        }
        cursor.keep_warm(frame + 1);
    }
    kept_bytes
}
