//! The frames that the store holds: a cache bounded by bytes that evicts the least recently used chunk first, but never a
//! frame that is needed. Pure.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use bytes::Bytes;

/// Frames that are evicted together, except those of them that are needed. At 1440p about 8 MB.
const CHUNK_FRAMES: usize = 16;

/// Number of a track: the pictures or the sound of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TrackId(pub(crate) u64);

/// How a frame came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Make {
    /// A decoder made it.
    Decoded,
    /// It takes the place of one that the decoder could not make.
    Substitute,
    /// It was read from disk.
    Read,
}

/// A track, and the number of a chunk in it.
type ChunkKey = (TrackId, usize);

/// Frames by track and number.
#[derive(Debug)]
pub(crate) struct Cache {
    limit_bytes: u64,
    held_bytes: u64,
    chunks: HashMap<ChunkKey, Chunk>,
    /// The chunks in the order of their last use.
    by_last_use: BTreeMap<u64, ChunkKey>,
    /// Number of uses so far.
    use_count: u64,
}

#[derive(Debug)]
struct Chunk {
    frames: [Option<Bytes>; CHUNK_FRAMES],
    makes: [Make; CHUNK_FRAMES],
    last_use: u64,
}

impl Cache {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, held_bytes: 0, chunks: HashMap::new(), by_last_use: BTreeMap::new(), use_count: 0 }
    }

    pub(crate) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    pub(crate) fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    pub(crate) fn has(&self, track: TrackId, frame: usize) -> bool {
        let chunk = self.chunks.get(&(track, frame / CHUNK_FRAMES));
        chunk.is_some_and(|chunk| chunk.frames[frame % CHUNK_FRAMES].is_some())
    }

    /// Whether anything of a track is held.
    pub(crate) fn has_any(&self, track: TrackId) -> bool {
        self.chunks.keys().any(|(owner, _)| *owner == track)
    }

    /// Which frames of a range are not held, ascending.
    pub(super) fn missing_in(&self, track: TrackId, range: Range<usize>) -> impl Iterator<Item = usize> {
        // By chunks, because looking one up takes longer than looking into it.
        self.chunks_of(track, range).flat_map(|(chunk, frames)| {
            frames.filter(move |frame| chunk.is_none_or(|chunk| chunk.frames[frame % CHUNK_FRAMES].is_none()))
        })
    }

    /// Bytes of the held frames of a range.
    pub(super) fn held_bytes_in(&self, track: TrackId, range: Range<usize>) -> u64 {
        let chunks = self.chunks_of(track, range).filter_map(|(chunk, frames)| Some((chunk?, frames)));
        let bytes =
            chunks.flat_map(|(chunk, frames)| frames.filter_map(|frame| chunk.frames[frame % CHUNK_FRAMES].as_ref()));
        bytes.map(|bytes| bytes.len() as u64).sum()
    }

    /// The chunks that a range touches, and the part of the range that each has.
    fn chunks_of(&self, track: TrackId, range: Range<usize>) -> impl Iterator<Item = (Option<&Chunk>, Range<usize>)> {
        let numbers = range.start / CHUNK_FRAMES..range.end.div_ceil(CHUNK_FRAMES);
        numbers.map(move |number| {
            let start = range.start.max(number * CHUNK_FRAMES);
            (self.chunks.get(&(track, number)), start..range.end.min((number + 1) * CHUNK_FRAMES))
        })
    }

    /// The frame if it is held; its chunk counts as used now.
    pub(crate) fn take(&mut self, track: TrackId, frame: usize) -> Option<Bytes> {
        let key = (track, frame / CHUNK_FRAMES);
        let bytes = self.chunks.get(&key)?.frames[frame % CHUNK_FRAMES].clone()?;
        self.touch(key);
        Some(bytes)
    }

    /// How a frame that is held came about.
    pub(super) fn make(&self, track: TrackId, frame: usize) -> Option<Make> {
        let chunk = self.chunks.get(&(track, frame / CHUNK_FRAMES))?;
        chunk.frames[frame % CHUNK_FRAMES].as_ref().map(|_| chunk.makes[frame % CHUNK_FRAMES])
    }

    /// The frame if it is held, without counting that as a use.
    pub(super) fn peek(&self, track: TrackId, frame: usize) -> Option<Bytes> {
        self.chunks.get(&(track, frame / CHUNK_FRAMES))?.frames[frame % CHUNK_FRAMES].clone()
    }

    /// Adds a frame, then evicts what exceeds the limit and is not needed. If everything is needed the limit is exceeded.
    pub(crate) fn put(
        &mut self,
        track: TrackId,
        frame: usize,
        bytes: Bytes,
        make: Make,
        is_needed: impl Fn(TrackId, usize) -> bool,
    ) {
        let key = (track, frame / CHUNK_FRAMES);
        let empty =
            || Chunk { frames: [const { None }; CHUNK_FRAMES], makes: [Make::Decoded; CHUNK_FRAMES], last_use: 0 };
        let chunk = self.chunks.entry(key).or_insert_with(empty);
        chunk.makes[frame % CHUNK_FRAMES] = make;
        let slot = &mut chunk.frames[frame % CHUNK_FRAMES];
        let added_bytes = bytes.len() as u64;
        let replaced_bytes = slot.replace(bytes).map_or(0, |old| old.len() as u64);
        self.held_bytes = self.held_bytes + added_bytes - replaced_bytes;
        self.touch(key);
        self.evict(is_needed);
    }

    fn evict(&mut self, is_needed: impl Fn(TrackId, usize) -> bool) {
        let (mut emptied, mut passed_over) = (Vec::new(), Vec::new());
        for (&last_use, &key) in &self.by_last_use {
            if self.held_bytes <= self.limit_bytes {
                break;
            }
            let Some(chunk) = self.chunks.get_mut(&key) else { continue };
            for (number, slot) in chunk.frames.iter_mut().enumerate() {
                if let Some(bytes) = slot.take_if(|_| !is_needed(key.0, key.1 * CHUNK_FRAMES + number)) {
                    self.held_bytes -= bytes.len() as u64;
                }
            }
            if chunk.frames.iter().all(Option::is_none) {
                emptied.push((last_use, key));
            } else {
                passed_over.push(key);
            }
        }
        for (last_use, key) in emptied {
            self.by_last_use.remove(&last_use);
            self.chunks.remove(&key);
        }
        // Otherwise chunks that stay needed would be looked at each time.
        passed_over.into_iter().for_each(|key| self.touch(key));
    }

    /// Drops everything of some tracks.
    pub(crate) fn forget(&mut self, is_forgotten: impl Fn(TrackId) -> bool) {
        let (by_last_use, held_bytes) = (&mut self.by_last_use, &mut self.held_bytes);
        self.chunks.retain(|(track, _), chunk| {
            if is_forgotten(*track) {
                by_last_use.remove(&chunk.last_use);
                *held_bytes -= chunk.frames.iter().flatten().map(|bytes| bytes.len() as u64).sum::<u64>();
                return false;
            }
            true
        });
    }

    fn touch(&mut self, key: ChunkKey) {
        self.use_count += 1;
        if let Some(chunk) = self.chunks.get_mut(&key) {
            self.by_last_use.remove(&chunk.last_use);
            chunk.last_use = self.use_count;
            self.by_last_use.insert(self.use_count, key);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACK: TrackId = TrackId(1);

    fn frame(bytes: usize) -> Bytes {
        vec![7; bytes].into()
    }

    #[test]
    fn the_least_recently_used_chunk_is_evicted_first_and_whole() {
        let mut cache = Cache::new(350);
        for number in [0, 1, CHUNK_FRAMES] {
            cache.put(TRACK, number, frame(100), Make::Decoded, |_, _| false);
        }
        assert!(cache.take(TRACK, 0).is_some());
        cache.put(TRACK, 2 * CHUNK_FRAMES, frame(100), Make::Decoded, |_, _| false);
        let held = [0, 1, CHUNK_FRAMES, 2 * CHUNK_FRAMES].map(|number| cache.has(TRACK, number));
        assert_eq!(held, [true, true, false, true]);
        assert_eq!(cache.held_bytes(), 300);
    }

    #[test]
    fn needed_frames_stay_and_the_rest_of_their_chunk_is_evicted() {
        let mut cache = Cache::new(250);
        for number in 0..3 {
            cache.put(TRACK, number, frame(100), Make::Decoded, |_, number| number >= 1);
        }
        assert_eq!([0, 1, 2].map(|number| cache.has(TRACK, number)), [false, true, true]);
        // Everything is needed: the limit gives way.
        cache.put(TRACK, 3, frame(100), Make::Decoded, |_, _| true);
        assert_eq!(cache.held_bytes(), 300);
    }

    #[test]
    fn a_forgotten_track_leaves_nothing() {
        let mut cache = Cache::new(1000);
        cache.put(TRACK, 5, frame(10), Make::Decoded, |_, _| true);
        cache.put(TrackId(2), 5, frame(20), Make::Decoded, |_, _| true);
        cache.forget(|track| track == TRACK);
        assert_eq!((cache.held_bytes(), cache.has_any(TRACK), cache.has_any(TrackId(2))), (20, false, true));
    }

    proptest! {
        #[test]
        fn bytes_are_counted_right_and_the_limit_is_kept(
            steps in prop::collection::vec((0u64..4, 0usize..100, 0usize..60, any::<bool>()), 1..300),
            needed_from in 0usize..120,
        ) {
            let mut cache = Cache::new(500);
            for (track, number, bytes, is_put) in steps {
                if is_put {
                    cache.put(TrackId(track), number, frame(bytes), Make::Decoded, |_, number| number >= needed_from);
                } else {
                    cache.take(TrackId(track), number);
                }
                let held = || cache.chunks.iter().flat_map(|(&(_, chunk), held)| {
                    held.frames.iter().enumerate().filter_map(move |(at, slot)| {
                        slot.as_ref().map(|bytes| (chunk * CHUNK_FRAMES + at, bytes.len() as u64))
                    })
                });
                prop_assert_eq!(cache.held_bytes(), held().map(|(_, bytes)| bytes).sum::<u64>());
                prop_assert_eq!(cache.by_last_use.len(), cache.chunks.len());
                let range = needed_from.min(50)..needed_from.max(50);
                let missing: Vec<_> = range.clone().filter(|&number| !cache.has(TrackId(track), number)).collect();
                prop_assert_eq!(cache.missing_in(TrackId(track), range).collect::<Vec<_>>(), missing);
                let is_all_needed = held().all(|(number, bytes)| number >= needed_from || bytes == 0);
                prop_assert!(cache.held_bytes() <= 500 || is_all_needed);
            }
        }
    }
}
