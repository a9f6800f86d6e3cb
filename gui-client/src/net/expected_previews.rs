//! Which previews a server may send: those of the video that was asked for last, and no more than it has announced. Pure.

use common::media::VideoId;

/// What may come.
#[derive(Debug, Default)]
pub(super) struct ExpectedPreviews {
    asked: Option<VideoId>,
    /// Whether any were asked for on this connection: then those that come unexpectedly are late.
    has_asked: bool,
    /// After the announcement: the fingerprint of the video, and how many may still come.
    announced: Option<(u64, u32)>,
}

impl ExpectedPreviews {
    /// The previews of this video were asked for, or none.
    pub(super) fn asked(video: Option<VideoId>) -> Self {
        Self { asked: video, has_asked: true, announced: None }
    }

    /// Whether what was not taken is simply late, and no reason to wonder.
    pub(super) fn may_be_late(&self) -> bool {
        self.has_asked
    }

    /// Takes in an announcement. Returns whether it was asked for. Another one replaces it: the server begins anew when it is
    /// asked again.
    pub(super) fn begin(&mut self, video: VideoId, fingerprint: u64, count: u32) -> bool {
        let is_asked = self.asked == Some(video);
        if is_asked {
            self.announced = Some((fingerprint, count));
        }
        is_asked
    }

    /// Takes in a preview. Returns whether it was announced.
    pub(super) fn take(&mut self, video: VideoId, fingerprint: u64) -> bool {
        match &mut self.announced {
            Some((announced, left)) if self.asked == Some(video) && *announced == fingerprint && *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_and_announced_is_taken() {
        let (video, other) = (VideoId(1), VideoId(2));
        let mut expected = ExpectedPreviews::default();
        assert!(!expected.begin(video, 9, 2) && !expected.take(video, 9), "nothing was asked for");
        assert!(!expected.may_be_late());
        expected = ExpectedPreviews::asked(Some(video));
        assert!(!expected.take(video, 9), "nothing was announced");
        assert!(!expected.begin(other, 9, 2));
        assert!(expected.begin(video, 9, 2));
        assert!(!expected.take(other, 9) && !expected.take(video, 8));
        assert_eq!([(); 3].map(|()| expected.take(video, 9)), [true, true, false]);
        expected = ExpectedPreviews::asked(None);
        assert!(!expected.take(video, 9) && expected.may_be_late());
    }
}
