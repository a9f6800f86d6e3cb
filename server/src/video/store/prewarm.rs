//! The openings of all videos, made before anybody asks and kept, so that a click shows a picture at once.

use std::{collections::HashSet, sync::Arc};

use common::{media::VideoId, splice::Plan};
use tracing::debug;

use super::{Opener, PictureOpener, Store, TrackKey, sound_source::SoundOpener};
use crate::video::library::{Library, Video};

/// What is kept of each video: a third of a second …
const PICTURES: usize = 8;

/// … and the sound that goes with it.
const CHUNKS: usize = 4;

/// One part in so many of the cache may be kept warm, so that a large library leaves room for what is watched.
const SHARE: u64 = 4;

/// Makes the openings of the videos in the library, in the order in which they are listed, as far as the share goes.
pub async fn prewarm(library: &Library, store: &Store) {
    let share_bytes = store.statistics().cache_bytes / SHARE;
    let listing = library.listing();
    store.forget(|key| !is_listed(library, key));
    let (mut warm_bytes, mut warm) = (0, HashSet::new());
    for info in &listing.videos {
        let Some(video) = library.video(info.id) else { continue };
        let opening = Plan::triptych(&video.indices).segments()[0].clone();
        let pictures = PictureOpener { video: video.clone(), variant: opening.variant };
        let count = PICTURES.min(opening.frames.len());
        warm.insert(pictures.key());
        warm_bytes +=
            keep(store, pictures.key(), Arc::new(pictures), count, share_bytes.saturating_sub(warm_bytes)).await;
        if video.sound.is_some() {
            let sound = SoundOpener { video };
            warm.insert(sound.key());
            warm_bytes +=
                keep(store, sound.key(), Arc::new(sound), CHUNKS, share_bytes.saturating_sub(warm_bytes)).await;
        }
        if warm_bytes >= share_bytes {
            debug!("the openings of the videos from {:?} on are not kept warm", info.title);
            break;
        }
    }
    // Those of an earlier pass may have lost their place to newer ones.
    store.keep_warm_only(|key| warm.contains(key));
    debug!("{warm_bytes} bytes are kept warm");
}

fn is_listed(library: &Library, key: &TrackKey) -> bool {
    let is_same = |video: Arc<Video>| video.info.fingerprint == key.fingerprint;
    let id: VideoId = key.video;
    library.video(id).is_some_and(is_same)
}

/// Makes and keeps the first frames of a track as long as there is room. Returns how much that takes.
async fn keep(store: &Store, key: TrackKey, opener: Arc<dyn Opener>, count: usize, room_bytes: u64) -> u64 {
    let cursor = store.cursor(key, || opener).uncounted();
    let mut kept_bytes = 0;
    for frame in 0..count {
        cursor.want(frame..count);
        // What cannot be made is said to those who want to watch it.
        let Ok(bytes) = cursor.get(frame).await else { break };
        kept_bytes += bytes.len() as u64;
        if kept_bytes > room_bytes {
            break;
        }
        cursor.keep_warm(frame + 1);
    }
    kept_bytes
}
