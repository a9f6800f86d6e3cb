//! Which videos are ready: all frames of their triptych, and all of their sound in each format that the server can send, are
//! on disk, so that playing them needs no decoder.

use std::{collections::HashSet, sync::Arc};

use common::media::{SoundFormat, VideoId};

use super::{sound_source::sound_chunk_count, track_packs::TrackPacks};
use crate::video::{
    disk::{DiskTier, TrackKind, TrackName},
    gst::elements::opus_gap,
    library::{Library, Video},
    process::opus_chunk_of,
};

/// The pictures of a variant on disk.
pub(crate) fn picture_packs(disk: &Arc<DiskTier>, video: &Video, variant: usize) -> TrackPacks {
    let track = TrackName::pictures(video.files[variant].fingerprint, video.indices[variant].len());
    TrackPacks::new(disk.clone(), track, video.shares[variant].clone())
}

/// The sound of a video on disk in one format; `None` if it has none.
pub(crate) fn sound_packs(disk: &Arc<DiskTier>, video: &Video, format: SoundFormat) -> Option<TrackPacks> {
    let file = video.sound.as_ref()?.file;
    let chunk_count = sound_chunk_count(&video.indices[file]);
    let (kind, chunk_count) = match format {
        SoundFormat::Pcm => (TrackKind::Sound, chunk_count),
        SoundFormat::Opus => (TrackKind::OpusSound, opus_chunk_of(chunk_count)),
    };
    let track = TrackName::sound(video.files[file].fingerprint, kind, chunk_count);
    Some(TrackPacks::new(disk.clone(), track, 0..chunk_count))
}

/// The formats in which this server can send sound. Not for every frame: it asks GStreamer.
pub(crate) fn sound_formats() -> &'static [SoundFormat] {
    if opus_gap().is_none() { &[SoundFormat::Pcm, SoundFormat::Opus] } else { &[SoundFormat::Pcm] }
}

/// Whether a video is ready, for viewers who are sent sound in one of these formats.
pub(crate) fn is_ready(disk: &Arc<DiskTier>, video: &Video, formats: &[SoundFormat]) -> bool {
    let pictures = (0..video.files.len()).map(|variant| picture_packs(disk, video, variant));
    let sound = formats.iter().filter_map(|&format| sound_packs(disk, video, format));
    pictures.chain(sound).all(|packs| packs.covers(packs.share()))
}

/// The videos of the library that are ready.
pub(crate) fn ready_videos(disk: &Arc<DiskTier>, library: &Library) -> HashSet<VideoId> {
    let (catalog, formats) = (library.catalog(), sound_formats());
    let ready = catalog.videos.iter().filter(|(_, video)| is_ready(disk, video, formats));
    ready.map(|(id, _)| *id).collect()
}
