//! The previews of the video in the player: which were asked for and which are there. The pictures themselves are textures of
//! the app.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use common::{limits::MAX_PREVIEWS, media::VideoId};

use super::PlayerState;
use crate::{
    event::{NetCommand, PreviewKey, ReceivedPreview},
    state::{State, effect::Effect},
};

/// How long after a key moved the knob the preview of its place is shown.
const KNOB_SHOWN_FOR: Duration = Duration::from_millis(1500);

/// The previews of one video.
#[derive(Debug, Clone, Default)]
pub(super) struct Previews {
    /// The video that they show, and the fingerprint of its files.
    of: Option<(VideoId, u64)>,
    /// Whether they were asked for on this connection.
    is_asked: bool,
    /// By their time: whether they can be drawn.
    received: BTreeMap<u64, bool>,
}

impl Previews {
    /// Takes in a preview. One of another video or of other files, one that is there, and one too many change nothing.
    fn came(&mut self, preview: ReceivedPreview) -> Option<Effect> {
        let PreviewKey { video, fingerprint, pts_nanos } = preview.key;
        let is_welcome = self.of == Some((video, fingerprint)) && self.received.len() < MAX_PREVIEWS;
        if !is_welcome || self.received.contains_key(&pts_nanos) {
            return None;
        }
        self.received.insert(pts_nanos, false);
        Some(Effect::ShowPreview(preview))
    }

    /// Takes in that a preview was decoded, or could not be. Returns whether it is still wanted.
    fn decoded(&mut self, key: PreviewKey, is_readable: bool) -> bool {
        let is_current = self.of == Some((key.video, key.fingerprint));
        match self.received.get_mut(&key.pts_nanos).filter(|_| is_current) {
            Some(is_drawable) => {
                *is_drawable = is_readable;
                is_readable
            }
            None => false,
        }
    }

    /// The preview that can be drawn and shows the place nearest to this one.
    fn nearest(&self, nanos: u64) -> Option<PreviewKey> {
        let (video, fingerprint) = self.of?;
        let drawable = |(pts, is_drawable): (&u64, &bool)| is_drawable.then_some(*pts);
        let before = self.received.range(..=nanos).rev().find_map(drawable);
        let after = self.received.range(nanos..).find_map(drawable);
        let pts_nanos = before.into_iter().chain(after).min_by_key(|pts| pts.abs_diff(nanos))?;
        Some(PreviewKey { video, fingerprint, pts_nanos })
    }
}

impl PlayerState {
    /// The preview that shows the place nearest to this time, if there is any yet.
    pub fn preview_near(&self, nanos: u64) -> Option<PreviewKey> {
        self.previews.nearest(nanos)
    }

    /// Whether previews are still to be asked for when the seek bar is pointed at.
    pub fn lacks_previews(&self) -> bool {
        self.showing.is_some() && !self.previews.is_asked
    }

    /// How much longer the preview of the place is shown that a key has moved the knob to; `None` if none is.
    pub fn shows_knob_for(&self, now: Instant) -> Option<Duration> {
        let sought_at = self.showing.as_ref()?.sought_at?;
        KNOB_SHOWN_FOR.checked_sub(now.saturating_duration_since(sought_at)).filter(|left| !left.is_zero())
    }

    /// Asks for the previews of the video in the player, once on a connection.
    fn ask_previews(&mut self) -> Vec<Effect> {
        let Some(showing) = self.showing.as_ref().filter(|_| !self.previews.is_asked) else { return Vec::new() };
        let video = showing.video.id;
        let mut effects = self.settle_previews();
        self.previews.is_asked = true;
        effects.push(Effect::Net(NetCommand::AskPreviews(Some(video))));
        effects
    }

    /// What was asked for on the connection before is not answered any more.
    pub(super) fn previews_went_offline(&mut self) {
        self.previews.is_asked = false;
    }

    /// Lets the previews of a video go that is not in the player any more.
    pub(in crate::state) fn settle_previews(&mut self) -> Vec<Effect> {
        let current = self.showing.as_ref().map(|showing| (showing.video.id, showing.video.fingerprint));
        if self.previews.of == current {
            return Vec::new();
        }
        let before = std::mem::replace(&mut self.previews, Previews { of: current, ..Previews::default() });
        let mut effects = Vec::new();
        if before.is_asked {
            effects.push(Effect::Net(NetCommand::AskPreviews(None)));
        }
        if !before.received.is_empty() {
            effects.push(Effect::DropPreviews);
        }
        effects
    }
}

impl State {
    /// The seek bar is pointed at, or its knob moved: asks for the previews of the video.
    pub(in crate::state) fn want_previews(&mut self) -> Vec<Effect> {
        if self.connection.is_online() { self.player.ask_previews() } else { Vec::new() }
    }

    /// Takes in a preview.
    pub(in crate::state) fn preview_came(&mut self, preview: ReceivedPreview) -> Vec<Effect> {
        self.player.previews.came(preview).into_iter().collect()
    }

    /// Takes in that a preview of [`Effect::ShowPreview`] was decoded, or could not be. Returns whether it is still wanted.
    pub fn preview_decoded(&mut self, key: PreviewKey, is_readable: bool) -> bool {
        self.player.previews.decoded(key, is_readable)
    }
}

#[cfg(test)]
mod tests {
    use common::message::Blob;
    use proptest::prelude::*;

    use super::*;

    const VIDEO: VideoId = VideoId(7);

    fn preview(fingerprint: u64, pts_nanos: u64) -> ReceivedPreview {
        ReceivedPreview { key: PreviewKey { video: VIDEO, fingerprint, pts_nanos }, jpeg: Blob(vec![1]) }
    }

    fn previews() -> Previews {
        Previews { of: Some((VIDEO, 1)), ..Previews::default() }
    }

    #[test]
    fn previews_of_other_files_are_not_taken() {
        let mut previews = previews();
        assert!(previews.came(preview(2, 5)).is_none());
        assert!(previews.came(preview(1, 5)).is_some());
        assert!(previews.came(preview(1, 5)).is_none(), "it is there");
        assert!(!previews.decoded(preview(2, 5).key, true));
    }

    #[test]
    fn a_preview_is_shown_once_it_is_decoded_and_never_if_it_cannot_be() {
        let mut previews = previews();
        previews.came(preview(1, 5));
        previews.came(preview(1, 50));
        assert_eq!(previews.nearest(5), None);
        assert!(previews.decoded(preview(1, 50).key, true));
        assert_eq!(previews.nearest(5), Some(preview(1, 50).key));
        assert!(!previews.decoded(preview(1, 5).key, false));
        assert_eq!(previews.nearest(5), Some(preview(1, 50).key));
    }

    proptest! {
        /// Whatever a server sends: no more than the limit is kept, and of what can be drawn the nearest is found.
        #[test]
        fn the_nearest_of_a_limited_number_is_found(times in prop::collection::vec((0_u64..500, any::<bool>()), 0..300), at in 0_u64..500) {
            let mut previews = previews();
            let mut drawable = Vec::new();
            for (pts_nanos, is_readable) in times {
                if previews.came(preview(1, pts_nanos)).is_some() && previews.decoded(preview(1, pts_nanos).key, is_readable) {
                    drawable.push(pts_nanos);
                }
            }
            prop_assert!(previews.received.len() <= MAX_PREVIEWS);
            let found = previews.nearest(at).map(|key| key.pts_nanos.abs_diff(at));
            prop_assert_eq!(found, drawable.iter().map(|pts| pts.abs_diff(at)).min());
        }
    }
}
