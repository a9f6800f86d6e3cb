//! The packs of a track in the disk tier.

use std::{
    ops::Range,
    sync::Arc,
    time::{Instant, SystemTime},
};

use bytes::Bytes;

use super::source::{Pack, Packs};
use crate::video::disk::{DiskTier, PACK_FRAMES, PackName, ReadError, TrackName, WriteError};

/// Where the frames of a track are on disk, and which are written together.
#[derive(Debug)]
pub(crate) struct TrackPacks {
    tier: Arc<DiskTier>,
    track: TrackName,
    /// The frames of the track that its video shows as a triptych. No pack reaches across its ends, because those who watch a
    /// triptych make no frame beyond them, and so would never complete such a pack.
    share: Range<usize>,
}

impl TrackPacks {
    pub(crate) fn new(tier: Arc<DiskTier>, track: TrackName, share: Range<usize>) -> Self {
        Self { tier, track, share }
    }

    /// The frames that a triptych shows.
    pub(crate) fn share(&self) -> Range<usize> {
        self.share.clone()
    }

    /// The frames that are written together with this one.
    pub(crate) fn pack_of(&self, frame: usize) -> Range<usize> {
        written_with(frame, &self.share, self.track.frame_count as usize)
    }

    /// How many frames of the share are on disk.
    pub(crate) fn held_count(&self) -> usize {
        let mut held = 0;
        let mut next = self.share.start;
        while next < self.share.end {
            let frames = self.pack_of(next);
            next = frames.end;
            held += if self.covers(frames.clone()) { frames.len() } else { 0 };
        }
        held
    }

    /// Writes frames that `written_with` says, in the place of packs that were last used before `used_before`.
    ///
    /// # Errors
    /// [`WriteError`].
    pub(crate) fn write_now(&self, first: usize, frames: &[Bytes], used_before: SystemTime) -> Result<(), WriteError> {
        self.tier.write(&self.track, first, frames, Some(used_before))
    }

    /// Whether all these frames are on disk.
    pub(crate) fn covers(&self, frames: Range<usize>) -> bool {
        self.tier.covers(&self.track, frames)
    }
}

impl Packs for TrackPacks {
    fn find(&self, frame: usize) -> Option<Pack> {
        let (pack, bytes) = self.tier.find(&self.track, frame)?;
        Some(Pack { frames: pack.frames(), bytes })
    }

    fn read(
        &self,
        pack: &Pack,
        wanted: Option<usize>,
        hand_over: &mut dyn FnMut(Vec<(usize, Bytes)>),
    ) -> Result<(), ReadError> {
        let (first, count) = (u32::try_from(pack.frames.start), u32::try_from(pack.frames.len()));
        let (Ok(first), Ok(count)) = (first, count) else { return Err(ReadError::Missing) };
        self.tier.read(&PackName { track: self.track, first, count }, wanted, hand_over)
    }

    fn written_with(&self, frame: usize) -> Range<usize> {
        self.pack_of(frame)
    }

    fn write(&self, first: usize, frames: &[Bytes], now: Instant) {
        self.tier.write_behind(&self.track, first, frames, now);
    }

    fn report_delay(&self) {
        self.tier.report_delay();
    }
}

/// The frames that are written together with one of them: its sixteen, cut at both ends of the share and at the end of the
/// track. Empty beyond that.
fn written_with(frame: usize, share: &Range<usize>, frame_count: usize) -> Range<usize> {
    let start = frame - frame % PACK_FRAMES;
    let cuts = [share.start, share.end, frame_count];
    let start = cuts.into_iter().filter(|&cut| cut <= frame).fold(start, usize::max);
    let end = cuts.into_iter().filter(|&cut| cut > frame).fold(frame - frame % PACK_FRAMES + PACK_FRAMES, usize::min);
    if frame < frame_count { start..end } else { frame..frame }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packs_have_sixteen_frames_and_end_where_the_triptych_leaves_the_file() {
        let of = |frame| written_with(frame, &(210..420), 630);
        assert_eq!([of(0), of(15), of(16)], [0..16, 0..16, 16..32]);
        assert_eq!([of(209), of(210), of(223), of(224)], [208..210, 210..224, 210..224, 224..240]);
        assert_eq!([of(419), of(420), of(432)], [416..420, 420..432, 432..448]);
        assert_eq!([of(629), of(630), of(640)], [624..630, 630..630, 640..640]);
    }

    proptest! {
        #[test]
        fn every_frame_is_in_one_pack_and_no_pack_reaches_across_an_end_of_the_share(
            frame_count in 1usize..200,
            ends in (0usize..200, 0usize..200),
        ) {
            let share = ends.0.min(ends.1).min(frame_count)..ends.0.max(ends.1).min(frame_count);
            let mut next = 0;
            while next < frame_count {
                let frames = written_with(next, &share, frame_count);
                prop_assert!(frames.start == next && frames.end > next && frames.len() <= PACK_FRAMES);
                prop_assert!(frames.clone().all(|frame| written_with(frame, &share, frame_count) == frames));
                prop_assert!(frames.clone().all(|frame| share.contains(&frame) == share.contains(&next)));
                next = frames.end;
            }
            prop_assert_eq!(next, frame_count);
        }
    }
}
