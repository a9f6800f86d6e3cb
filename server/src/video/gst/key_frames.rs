//! The key frames of a file: the frames at which decoding can begin. Pure.

/// Marks a key frame with leading frames in [`KeyFrames::to_words`]. No time stamp reaches it.
const HAS_LEADING: u64 = 1 << 63;

/// The key frames of a file, collected while it is read in decoding order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeyFrames {
    key_frames: Vec<KeyFrame>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct KeyFrame {
    /// When it is shown.
    nanos: u64,
    /// Whether frames follow it in decoding order that are shown before it (an open group of pictures). Those frames
    /// refer to the group before.
    has_leading: bool,
}

impl KeyFrames {
    /// Records the next frame in decoding order.
    pub(crate) fn note(&mut self, nanos: u64, is_key: bool) {
        if is_key {
            self.key_frames.push(KeyFrame { nanos, has_leading: false });
        } else if let Some(key) = self.key_frames.last_mut().filter(|key| nanos < key.nanos) {
            key.has_leading = true;
        }
    }

    /// One number for each key frame: its time, with the highest bit set if it has leading frames.
    pub(crate) fn to_words(&self) -> impl Iterator<Item = u64> + '_ {
        self.key_frames.iter().map(|key| key.nanos | if key.has_leading { HAS_LEADING } else { 0 })
    }

    /// What [`KeyFrames::to_words`] described.
    pub(crate) fn from_words(words: impl Iterator<Item = u64>) -> Self {
        let key_frame =
            |word: u64| KeyFrame { nanos: word & !HAS_LEADING, has_leading: word & HAS_LEADING == HAS_LEADING };
        Self { key_frames: words.map(key_frame).collect() }
    }

    /// Time of the latest key frame from which the frame shown at `nanos` is decoded correctly.
    ///
    /// A key frame with leading frames cannot be used to reach itself: the decoder clips the last leading frame, which may
    /// be damaged, to the segment and gives it the time of the key frame.
    pub(crate) fn before(&self, nanos: u64) -> Option<u64> {
        let is_usable = |key: &&KeyFrame| if key.has_leading { key.nanos < nanos } else { key.nanos <= nanos };
        self.key_frames.iter().filter(is_usable).map(|key| key.nanos).max()
    }

    /// Time of the key frame that is shown nearest to `nanos`.
    pub(crate) fn nearest(&self, nanos: u64) -> Option<u64> {
        self.key_frames.iter().map(|key| key.nanos).min_by_key(|nearest| nearest.abs_diff(nanos))
    }

    /// Time of the latest key frame up to `nanos`, if it begins a closed group.
    pub(crate) fn closed_before(&self, nanos: u64) -> Option<u64> {
        let up_to = self.key_frames.iter().filter(|key| key.nanos <= nanos);
        up_to.max_by_key(|key| key.nanos).filter(|key| !key.has_leading).map(|key| key.nanos)
    }

    /// Whether all groups of pictures are closed: nothing that follows a key frame in decoding order refers to what is before.
    pub(crate) fn are_closed(&self) -> bool {
        self.key_frames.iter().all(|key| !key.has_leading)
    }

    /// Times of the key frames that begin closed groups.
    pub(crate) fn closed_nanos(&self) -> impl Iterator<Item = u64> + '_ {
        self.key_frames.iter().filter(|key| !key.has_leading).map(|key| key.nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_frames(frames: &[(u64, bool)]) -> KeyFrames {
        let mut key_frames = KeyFrames::default();
        frames.iter().for_each(|&(nanos, is_key)| key_frames.note(nanos, is_key));
        key_frames
    }

    #[test]
    fn a_frame_is_reached_from_the_key_frame_before_it_or_from_itself() {
        let key_frames = key_frames(&[(0, true), (10, false), (20, true), (30, false)]);
        assert_eq!([0, 10, 19, 20, 35].map(|nanos| key_frames.before(nanos)), [0, 0, 0, 20, 20].map(Some));
    }

    #[test]
    fn leading_frames_are_reached_from_the_group_before() {
        let key_frames = key_frames(&[(0, true), (10, false), (40, true), (20, false), (30, false), (50, false)]);
        assert_eq!([30, 40, 50].map(|nanos| key_frames.before(nanos)), [0, 0, 40].map(Some));
        assert!(!key_frames.are_closed());
        assert_eq!(key_frames.closed_nanos().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn the_nearest_key_frame_may_be_before_or_after() {
        let key_frames = key_frames(&[(10, true), (20, false), (40, true), (80, true), (70, false)]);
        assert_eq!([0, 24, 26, 90].map(|nanos| key_frames.nearest(nanos)), [10, 10, 40, 80].map(Some));
        assert_eq!(KeyFrames::default().nearest(5), None);
        assert_eq!([5, 10, 79, 80].map(|nanos| key_frames.closed_before(nanos)), [None, Some(10), Some(40), None]);
    }

    #[test]
    fn key_frames_survive_the_way_between_two_processes() {
        let key_frames = key_frames(&[(0, true), (10, false), (40, true), (20, false), (1 << 56, true)]);
        assert_eq!(KeyFrames::from_words(key_frames.to_words()), key_frames);
    }

    #[test]
    fn without_a_usable_key_frame_nothing_is_reached() {
        assert_eq!(KeyFrames::default().before(5), None);
        assert_eq!(key_frames(&[(10, true)]).before(5), None);
    }
}
