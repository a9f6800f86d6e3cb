//! Which packs there are, how many bytes they have, and which go first when room is needed. Pure: time is given to it, in
//! milliseconds since 1970.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
};

use super::pack::{PACK_FRAMES, PackName, TrackName};

/// The time of the last use is kept in the file's own modification time, so that the order outlives the server. It is renewed
/// after this long only, because every renewal is a write.
const RENEW_AFTER_MILLIS: u64 = 60 * 60 * 1000;

/// All packs in the folder, as far as known.
#[derive(Debug)]
pub(super) struct Index {
    limit_bytes: u64,
    held_bytes: u64,
    /// The packs of each track by first frame and count.
    tracks: HashMap<TrackName, BTreeMap<(u32, u32), Entry>>,
    /// The packs in the order of their last use.
    by_last_use: BTreeSet<(u64, PackName)>,
    change_count: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    bytes: u64,
    last_use_millis: u64,
    /// The time that the file itself says.
    file_millis: u64,
}

/// A pack cannot be written: even without all packs that may go, there would be no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// The packs would exceed the limit.
    Limit,
    /// Too little would be free on the disk.
    Disk,
}

impl Index {
    pub(super) fn new(limit_bytes: u64) -> Self {
        let (tracks, by_last_use) = (HashMap::new(), BTreeSet::new());
        Self { limit_bytes, held_bytes: 0, tracks, by_last_use, change_count: 0 }
    }

    pub(super) fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    pub(super) fn set_limit_bytes(&mut self, limit_bytes: u64) {
        self.limit_bytes = limit_bytes;
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// A number that grows with each pack that comes or goes.
    pub(super) fn change_count(&self) -> u64 {
        self.change_count
    }

    /// A pack with this frame, and its size in bytes.
    pub(super) fn find(&self, track: &TrackName, frame: usize) -> Option<(PackName, u64)> {
        let frame = u32::try_from(frame).ok()?;
        let packs = self.tracks.get(track)?.range(..=(frame, u32::MAX)).rev();
        let mut near = packs.take_while(|((first, _), _)| frame - first < PACK_FRAMES as u32);
        let ((first, count), entry) = near.find(|((first, count), _)| frame - first < *count)?;
        Some((PackName { track: *track, first: *first, count: *count }, entry.bytes))
    }

    /// Whether all these frames are in packs.
    pub(super) fn covers(&self, track: &TrackName, frames: Range<usize>) -> bool {
        let mut next = frames.start;
        while next < frames.end {
            let Some((pack, _)) = self.find(track, next) else { return false };
            next = pack.frames().end;
        }
        true
    }

    /// The source files that there are packs of.
    pub(super) fn files(&self) -> BTreeSet<u64> {
        self.tracks.keys().map(|track| track.file).collect()
    }

    /// The packs of a source file.
    pub(super) fn packs_of(&self, file: u64) -> BTreeSet<PackName> {
        let tracks = self.tracks.iter().filter(|(track, _)| track.file == file);
        tracks
            .flat_map(|(&track, packs)| packs.keys().map(move |&(first, count)| PackName { track, first, count }))
            .collect()
    }

    /// Adds a pack whose file has this modification time, which counts as its last use.
    pub(super) fn insert(&mut self, pack: PackName, bytes: u64, file_millis: u64) {
        self.remove(&pack);
        let entry = Entry { bytes, last_use_millis: file_millis, file_millis };
        self.tracks.entry(pack.track).or_default().insert((pack.first, pack.count), entry);
        self.by_last_use.insert((file_millis, pack));
        self.held_bytes += bytes;
        self.change_count += 1;
    }

    pub(super) fn remove(&mut self, pack: &PackName) {
        let Some(packs) = self.tracks.get_mut(&pack.track) else { return };
        let Some(entry) = packs.remove(&(pack.first, pack.count)) else { return };
        if packs.is_empty() {
            self.tracks.remove(&pack.track);
        }
        self.by_last_use.remove(&(entry.last_use_millis, *pack));
        self.held_bytes -= entry.bytes;
        self.change_count += 1;
    }

    /// The pack is used now. Returns whether its file should be told so.
    pub(super) fn touch(&mut self, pack: &PackName, now_millis: u64) -> bool {
        let entry = self.tracks.get_mut(&pack.track).and_then(|packs| packs.get_mut(&(pack.first, pack.count)));
        let Some(entry) = entry else { return false };
        self.by_last_use.remove(&(entry.last_use_millis, *pack));
        entry.last_use_millis = now_millis;
        self.by_last_use.insert((now_millis, *pack));
        let is_due = now_millis.saturating_sub(entry.file_millis) >= RENEW_AFTER_MILLIS;
        if is_due {
            entry.file_millis = now_millis;
        }
        is_due
    }

    /// The packs to remove before one of `bytes` is written, least recently used first, when the disk is short of
    /// `missing_bytes` for it. Only packs that were last used before `used_before_millis` are removed.
    ///
    /// # Errors
    /// [`NoRoom`] if that is not enough; then none should be removed.
    pub(super) fn evictions(
        &self,
        bytes: u64,
        missing_bytes: u64,
        used_before_millis: u64,
    ) -> Result<Vec<PackName>, NoRoom> {
        let (mut over_limit, mut over_disk) =
            ((self.held_bytes + bytes).saturating_sub(self.limit_bytes), missing_bytes);
        let mut evicted = Vec::new();
        for &(last_use_millis, pack) in &self.by_last_use {
            if (over_limit == 0 && over_disk == 0) || last_use_millis >= used_before_millis {
                break;
            }
            let freed_bytes = self.tracks[&pack.track][&(pack.first, pack.count)].bytes;
            over_limit = over_limit.saturating_sub(freed_bytes);
            over_disk = over_disk.saturating_sub(freed_bytes);
            evicted.push(pack);
        }
        match (over_limit, over_disk) {
            (0, 0) => Ok(evicted),
            (0, _) => Err(NoRoom::Disk),
            _ => Err(NoRoom::Limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::pack::TrackKind, *};

    fn track(file: u64) -> TrackName {
        TrackName { file, kind: TrackKind::Pictures, coding: 85, frame_count: 1000 }
    }

    fn pack(file: u64, first: u32, count: u32) -> PackName {
        PackName { track: track(file), first, count }
    }

    #[test]
    fn a_frame_is_found_in_any_pack_that_has_it_also_where_packs_overlap() {
        let mut index = Index::new(1000);
        for (first, count) in [(0, 16), (20, 4), (16, 16), (40, 8)] {
            index.insert(pack(1, first, count), 10, 0);
        }
        let found = |frame| index.find(&track(1), frame).map(|(pack, _)| (pack.first, pack.count));
        assert_eq!([found(0), found(15), found(21)], [Some((0, 16)), Some((0, 16)), Some((20, 4))]);
        assert_eq!([found(25), found(32), found(47)], [Some((16, 16)), None, Some((40, 8))]);
        assert_eq!([found(48), index.find(&track(2), 0).map(|_| (0, 0))], [None, None]);
        assert!(index.covers(&track(1), 3..32) && index.covers(&track(1), 5..5) && !index.covers(&track(1), 3..33));
    }

    #[test]
    fn the_least_recently_used_go_first_and_none_goes_that_is_to_stay() {
        let mut index = Index::new(100);
        for (number, millis) in [(0, 5), (1, 3), (2, 4)] {
            index.insert(pack(1, number * 16, 16), 30, millis);
        }
        assert!(!index.touch(&pack(1, 16, 16), 6));
        let firsts = |bytes, missing_bytes, before| {
            let evicted = index.evictions(bytes, missing_bytes, before);
            evicted.map(|packs| packs.iter().map(|pack| pack.first).collect::<Vec<_>>())
        };
        assert_eq!(firsts(10, 0, u64::MAX), Ok(vec![]));
        assert_eq!(firsts(30, 0, u64::MAX), Ok(vec![32]));
        assert_eq!(firsts(50, 0, u64::MAX), Ok(vec![32, 0]));
        assert_eq!(firsts(10, 10, u64::MAX), Ok(vec![32]), "the disk has no room");
        assert_eq!(firsts(100, 0, u64::MAX), Ok(vec![32, 0, 16]));
        assert_eq!(firsts(101, 0, u64::MAX), Err(NoRoom::Limit));
        assert_eq!(firsts(95, 95, u64::MAX), Err(NoRoom::Disk));
        assert_eq!(firsts(50, 0, 5), Err(NoRoom::Limit), "only one was used before");
    }

    #[test]
    fn the_time_of_a_file_is_renewed_once_an_hour() {
        let mut index = Index::new(100);
        index.insert(pack(1, 0, 16), 30, 1000);
        let due = [1000, RENEW_AFTER_MILLIS, 1000 + RENEW_AFTER_MILLIS, 2000 + RENEW_AFTER_MILLIS];
        assert_eq!(due.map(|millis| index.touch(&pack(1, 0, 16), millis)), [false, false, true, false]);
    }

    proptest! {
        #[test]
        fn bytes_are_counted_right_and_what_is_written_fits(
            steps in prop::collection::vec((0u64..3, 0u32..20, 1u32..17, 0u64..400, 0u8..4), 1..200),
            missing_bytes in 0u64..1200,
        ) {
            let mut index = Index::new(1000);
            for (now_millis, (file, place, count, bytes, what)) in (0u64..).zip(steps) {
                let named = pack(file, place * 16, count);
                match what {
                    0 => index.remove(&named),
                    1 => { index.touch(&named, now_millis); }
                    _ => match index.evictions(bytes, missing_bytes, u64::MAX) {
                        Ok(evicted) => {
                            let freed: u64 = evicted
                                .iter()
                                .map(|pack| index.tracks[&pack.track][&(pack.first, pack.count)].bytes)
                                .sum();
                            prop_assert!(missing_bytes <= freed);
                            evicted.iter().for_each(|pack| index.remove(pack));
                            prop_assert!(index.held_bytes() + bytes <= 1000);
                            index.insert(named, bytes, now_millis);
                        }
                        Err(NoRoom::Limit) => prop_assert!(bytes > 1000),
                        Err(NoRoom::Disk) => prop_assert!(missing_bytes > index.held_bytes()),
                    },
                }
                let held = index.tracks.values().flat_map(|packs| packs.values());
                prop_assert_eq!(index.held_bytes(), held.map(|entry| entry.bytes).sum::<u64>());
                let count: usize = index.tracks.values().map(BTreeMap::len).sum();
                prop_assert_eq!(index.by_last_use.len(), count);
                prop_assert_eq!((0..3).map(|file| index.packs_of(file).len()).sum::<usize>(), count);
            }
        }
    }
}
