//! Where a decoder can begin: the key frames of a file. Pure.

/// Collects key frames while a file is read in the order of decoding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeyFrames {
    points: Vec<KeyFrame>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct KeyFrame {
    /// When the key frame is shown.
    nanos: u64,
    /// Whether frames follow it that are shown before it (an open group of pictures). They need what came before.
    has_leading: bool,
}

impl KeyFrames {
    /// Takes note of the next frame in the order of decoding.
    pub(crate) fn note(&mut self, nanos: u64, is_key: bool) {
        if is_key {
            self.points.push(KeyFrame { nanos, has_leading: false });
        } else if let Some(key) = self.points.last_mut().filter(|key| nanos < key.nanos) {
            key.has_leading = true;
        }
    }

    /// The latest key frame from which the frame shown at `nanos` comes out right.
    ///
    /// A key frame with leading frames is no entry for itself: the decoder gives the last of the leading ones, which
    /// it may get wrong, the time of the key frame when it clips it.
    pub(crate) fn before(&self, nanos: u64) -> Option<u64> {
        let is_entry = |point: &&KeyFrame| if point.has_leading { point.nanos < nanos } else { point.nanos <= nanos };
        self.points.iter().filter(is_entry).map(|point| point.nanos).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry_points(frames: &[(u64, bool)]) -> KeyFrames {
        let mut points = KeyFrames::default();
        frames.iter().for_each(|&(nanos, is_key)| points.note(nanos, is_key));
        points
    }

    #[test]
    fn a_frame_is_reached_from_the_key_frame_before_it_or_from_itself() {
        let points = entry_points(&[(0, true), (10, false), (20, true), (30, false)]);
        assert_eq!([0, 10, 19, 20, 35].map(|nanos| points.before(nanos)), [0, 0, 0, 20, 20].map(Some));
    }

    #[test]
    fn leading_frames_are_reached_from_the_group_before() {
        let points = entry_points(&[(0, true), (10, false), (40, true), (20, false), (30, false), (50, false)]);
        assert_eq!([30, 40, 50].map(|nanos| points.before(nanos)), [0, 0, 40].map(Some));
    }

    #[test]
    fn without_key_frames_there_is_no_entry() {
        assert_eq!(KeyFrames::default().before(5), None);
        assert_eq!(entry_points(&[(10, true)]).before(5), None);
    }
}
