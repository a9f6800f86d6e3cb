//! Which thumbnails are wanted, requested and loaded. The pictures themselves are textures of the app.

use std::collections::{HashMap, VecDeque};

use common::media::{Library, VideoId, VideoInfo};

use super::{State, effect::Effect};
use crate::event::{NetCommand, ThumbnailKey};

/// Requests under way at a time: few, so that thumbnails do not delay a video.
const MAX_REQUESTED: usize = 4;

/// Thumbnails that are kept as textures: 200 of 192x108 pixels take 17 MB, and of the largest size that is shown, 37 MB.
const MAX_KEPT: usize = 200;

/// Bytes of JPEGs that are kept. Those of 2000 videos take about 12 MB.
const MAX_JPEG_BYTES: usize = 32 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ThumbnailState {
    /// Requested from the server.
    Requested,
    /// Received, and being decoded.
    Decoding,
    /// Loaded as a texture.
    Loaded,
    /// The server has none; it may have one after the next connection.
    Missing,
}

/// The state of every thumbnail.
#[derive(Debug, Clone, Default)]
pub struct Thumbnails {
    states: HashMap<ThumbnailKey, ThumbnailState>,
    /// Those that are loaded, least recently visible first.
    kept: VecDeque<ThumbnailKey>,
    /// What the server has sent. It sends a thumbnail only once on a connection, so that the JPEG stays when the texture
    /// goes.
    jpegs: HashMap<VideoId, (u64, Vec<u8>)>,
    jpeg_bytes: usize,
}

impl Thumbnails {
    /// Takes in which videos are visible, and requests their thumbnails.
    pub(super) fn see(&mut self, videos: &[VideoId], library: &Library) -> Vec<Effect> {
        let mut effects = Vec::new();
        let is_under_way =
            |state: &&ThumbnailState| matches!(state, ThumbnailState::Requested | ThumbnailState::Decoding);
        let mut under_way = self.states.values().filter(is_under_way).count();
        for video in library.videos.iter().filter(|video| videos.contains(&video.id)) {
            let key = key(video);
            match self.states.get(&key) {
                Some(ThumbnailState::Loaded | ThumbnailState::Decoding) => self.touch(key),
                Some(ThumbnailState::Requested | ThumbnailState::Missing) => {}
                None if under_way < MAX_REQUESTED => {
                    under_way += 1;
                    match self.jpegs.get(&key.0) {
                        Some((fingerprint, jpeg)) if *fingerprint == key.1 => {
                            effects.push(Effect::ShowThumbnail { key, jpeg: jpeg.clone() });
                            self.states.insert(key, ThumbnailState::Decoding);
                            self.touch(key);
                        }
                        _ => {
                            effects.push(Effect::Net(NetCommand::AskThumbnail { video: video.id }));
                            self.states.insert(key, ThumbnailState::Requested);
                        }
                    }
                }
                None => {}
            }
        }
        self.drop_excess(&mut effects);
        effects
    }

    /// Takes in the answer to a request; one that was not requested changes nothing. An empty one means that the server has
    /// none; it is not requested again on this connection.
    pub(super) fn came(&mut self, key: ThumbnailKey, jpeg: Vec<u8>, library: &Library) -> Vec<Effect> {
        let is_requested =
            |(known, state): (&ThumbnailKey, &ThumbnailState)| *state == ThumbnailState::Requested && known.0 == key.0;
        if !self.states.iter().any(is_requested) {
            return Vec::new();
        }
        // A request for an older fingerprint is answered under the new one.
        self.states.retain(|known, state| *state != ThumbnailState::Requested || known.0 != key.0);
        self.keep_jpeg(key, &jpeg);
        // The library that lists this version of the video may come later.
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
        self.drop_excess(&mut effects);
        effects
    }

    fn keep_jpeg(&mut self, key: ThumbnailKey, jpeg: &[u8]) {
        if !jpeg.is_empty() && self.jpeg_bytes + jpeg.len() <= MAX_JPEG_BYTES {
            self.jpeg_bytes += jpeg.len();
            if let Some((_, replaced)) = self.jpegs.insert(key.0, (key.1, jpeg.to_vec())) {
                self.jpeg_bytes -= replaced.len();
            }
        }
    }

    /// Frees the textures that were not visible for longest.
    fn drop_excess(&mut self, effects: &mut Vec<Effect>) {
        while self.kept.len() > MAX_KEPT
            && let Some(oldest) = self.kept.pop_front()
        {
            self.states.remove(&oldest);
            effects.push(Effect::DropThumbnail(oldest));
        }
    }

    /// Takes in the result of decoding a thumbnail. Returns whether the app keeps it; not if it was dropped meanwhile or
    /// cannot be decoded.
    pub(super) fn decoded(&mut self, key: ThumbnailKey, is_readable: bool) -> bool {
        match self.states.get_mut(&key) {
            Some(state @ ThumbnailState::Decoding) if is_readable => {
                *state = ThumbnailState::Loaded;
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

    /// Drops the thumbnails of videos that are gone or have changed.
    pub(super) fn keep_only(&mut self, library: &Library) -> Vec<Effect> {
        let is_listed = |known: &ThumbnailKey| library.videos.iter().any(|video| key(video) == *known);
        self.states.retain(|known, _| is_listed(known));
        // In a folder that changes very often. What the server does not send again on this connection stays grey until the
        // next one.
        if self.jpeg_bytes > MAX_JPEG_BYTES / 2 {
            self.jpegs.retain(|video, (fingerprint, _)| is_listed(&(*video, *fingerprint)));
            self.jpeg_bytes = self.jpegs.values().map(|(_, jpeg)| jpeg.len()).sum();
        }
        let (kept, gone) = std::mem::take(&mut self.kept).into_iter().partition(is_listed);
        self.kept = kept;
        gone.into_iter().map(Effect::DropThumbnail).collect()
    }

    /// Requests under way are not answered any more.
    pub(super) fn went_offline(&mut self) {
        self.states.retain(|_, state| matches!(state, ThumbnailState::Loaded | ThumbnailState::Decoding));
    }

    fn touch(&mut self, key: ThumbnailKey) {
        if self.kept.back() != Some(&key) {
            self.kept.retain(|known| *known != key);
            self.kept.push_back(key);
        }
    }
}

impl State {
    /// Takes in that a thumbnail of [`Effect::ShowThumbnail`] was decoded, or could not be. Returns whether it is still
    /// wanted: one that was dropped meanwhile must not be kept, because nothing would drop it again.
    pub fn thumbnail_decoded(&mut self, key: ThumbnailKey, is_readable: bool) -> bool {
        self.thumbnails.decoded(key, is_readable)
    }

    /// Takes in which videos are visible in the list, so that their thumbnails are loaded.
    pub fn see_videos(&mut self, videos: &[VideoId]) -> Vec<Effect> {
        if self.connection.is_online() { self.thumbnails.see(videos, &self.library) } else { Vec::new() }
    }
}

/// The key of a video's thumbnail.
pub fn key(video: &VideoInfo) -> ThumbnailKey {
    (video.id, video.fingerprint)
}
