//! Which small pictures of videos are wanted, asked for, and here. The pictures themselves are the window's.

use std::collections::{HashMap, VecDeque};

use common::media::{Library, VideoId, VideoInfo};

use super::effect::Effect;
use crate::event::{NetCommand, ThumbnailKey};

/// So many are asked for at a time, so that they do not stand in a video's way.
const MOST_OUTSTANDING: usize = 4;

/// So many are kept: 200 of 192x108 pixels take 17 MB.
const MOST_KEPT: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ThumbnailState {
    /// Asked of the server.
    Asked,
    /// Arrived, and on its way through the decode thread.
    Decoding,
    /// The window has it.
    Here,
    /// The server has none; it may have one at the next visit.
    Missing,
}

/// The book about them.
#[derive(Debug, Clone, Default)]
pub struct Thumbnails {
    states: HashMap<ThumbnailKey, ThumbnailState>,
    /// Those that are here, the one that was seen longest ago first.
    kept: VecDeque<ThumbnailKey>,
}

impl Thumbnails {
    /// These entries are on the screen.
    pub(super) fn see(&mut self, videos: &[VideoId], library: &Library) -> Vec<Effect> {
        let mut effects = Vec::new();
        let is_outstanding =
            |state: &&ThumbnailState| matches!(state, ThumbnailState::Asked | ThumbnailState::Decoding);
        let mut outstanding = self.states.values().filter(is_outstanding).count();
        for video in library.videos.iter().filter(|video| videos.contains(&video.id)) {
            let key = key(video);
            match self.states.get(&key) {
                Some(ThumbnailState::Here | ThumbnailState::Decoding) => self.touch(key),
                Some(ThumbnailState::Asked | ThumbnailState::Missing) => {}
                None if outstanding < MOST_OUTSTANDING => {
                    outstanding += 1;
                    self.states.insert(key, ThumbnailState::Asked);
                    effects.push(Effect::Net(NetCommand::AskThumbnail { video: video.id }));
                }
                None => {}
            }
        }
        effects
    }

    /// One came; an empty one stands for none, and is not asked for again during this visit.
    pub(super) fn came(&mut self, key: ThumbnailKey, jpeg: Vec<u8>, library: &Library) -> Vec<Effect> {
        // What was asked for under an older fingerprint is answered under the new one.
        self.states.retain(|known, state| *state != ThumbnailState::Asked || known.0 != key.0);
        if !library.videos.iter().any(|video| self::key(video) == key) && !jpeg.is_empty() {
            return Vec::new();
        }
        let mut effects = Vec::new();
        if !jpeg.is_empty() {
            self.states.insert(key, ThumbnailState::Decoding);
            self.touch(key);
            effects.push(Effect::ShowThumbnail { key, jpeg });
        } else if let Some(video) = library.videos.iter().find(|video| video.id == key.0) {
            self.states.insert(self::key(video), ThumbnailState::Missing);
        }
        while self.kept.len() > MOST_KEPT
            && let Some(oldest) = self.kept.pop_front()
        {
            self.states.remove(&oldest);
            effects.push(Effect::DropThumbnail(oldest));
        }
        effects
    }

    /// One left the decode thread. Returns whether the window is to keep it: not when it was dropped meanwhile, or cannot be
    /// decoded.
    pub(super) fn decoded(&mut self, key: ThumbnailKey, is_readable: bool) -> bool {
        match self.states.get_mut(&key) {
            Some(state @ ThumbnailState::Decoding) if is_readable => {
                *state = ThumbnailState::Here;
                true
            }
            Some(state @ ThumbnailState::Decoding) => {
                *state = ThumbnailState::Missing;
                self.kept.retain(|known| *known != key);
                false
            }
            _ => false,
        }
    }

    /// Pictures of videos that are gone, or are others now, are of no use.
    pub(super) fn keep_only(&mut self, library: &Library) -> Vec<Effect> {
        let is_listed = |known: &ThumbnailKey| library.videos.iter().any(|video| key(video) == *known);
        self.states.retain(|known, _| is_listed(known));
        let (kept, gone) = std::mem::take(&mut self.kept).into_iter().partition(is_listed);
        self.kept = kept;
        gone.into_iter().map(Effect::DropThumbnail).collect()
    }

    /// What was asked for does not come any more.
    pub(super) fn went_offline(&mut self) {
        self.states.retain(|_, state| matches!(state, ThumbnailState::Here | ThumbnailState::Decoding));
    }

    fn touch(&mut self, key: ThumbnailKey) {
        if self.kept.back() != Some(&key) {
            self.kept.retain(|known| *known != key);
            self.kept.push_back(key);
        }
    }
}

/// How a video's picture is filed.
pub fn key(video: &VideoInfo) -> ThumbnailKey {
    (video.id, video.fingerprint)
}
