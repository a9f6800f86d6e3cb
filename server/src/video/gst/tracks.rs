//! The tracks of a file as they appear on the pads of `parsebin`: their identity, their kind, their coding, and how one
//! is linked.

use gstreamer::{self as gst, prelude::*};

/// Links the first pad for which `is_wanted` holds to the decoder as soon as it appears. `prepare` receives the pad before
/// any buffer passes it.
pub(crate) fn link_track(
    parse: &gst::Element,
    decoder: &gst::Element,
    is_wanted: impl Fn(&gst::Pad) -> bool + Send + Sync + 'static,
    prepare: impl Fn(&gst::Pad) + Send + Sync + 'static,
) {
    let decoder = decoder.downgrade();
    parse.connect_pad_added(move |parse, pad| {
        let Some(sink) = decoder.upgrade().and_then(|decoder| decoder.static_pad("sink")) else { return };
        if sink.is_linked() || !is_wanted(pad) {
            return;
        }
        prepare(pad);
        if let Err(error) = pad.link(&sink) {
            gst::element_error!(
                parse,
                gst::CoreError::Negotiation,
                ("the decoder does not accept this track: {error}")
            );
        }
    });
}

/// The caps of a track. Some parsers complete them only with the first frame.
pub(crate) fn track_caps(pad: &gst::Pad) -> Option<gst::Caps> {
    pad.current_caps().or_else(|| Some(pad.query_caps(None))).filter(|caps| !caps.is_any() && !caps.is_empty())
}

/// Whether the caps are those of a video track, coded or not. The caps of Motion JPEG are those of an image.
pub(crate) fn is_video(caps: &gst::CapsRef) -> bool {
    caps.structure(0).is_some_and(|first| first.name().starts_with("video/") || first.name().starts_with("image/"))
}

/// The usual name of the coding of a track; the name of its caps when it has none here.
pub(crate) fn coding(caps: &gst::CapsRef) -> String {
    let Some(first) = caps.structure(0) else { return "unknown".to_owned() };
    let version = |field| first.get::<i32>(field).unwrap_or(0);
    let name = match first.name().as_str() {
        "video/x-h264" => "H.264",
        "video/x-h265" => "H.265",
        "video/x-vp8" => "VP8",
        "video/x-vp9" => "VP9",
        "video/x-av1" => "AV1",
        "video/x-theora" => "Theora",
        "video/x-prores" => "ProRes",
        "video/x-raw" => "raw pictures",
        "image/jpeg" => "Motion JPEG",
        "image/png" => "PNG",
        "video/mpeg" if version("mpegversion") == 4 => "MPEG-4",
        "video/mpeg" if version("mpegversion") == 2 => "MPEG-2",
        "video/mpeg" => "MPEG-1",
        "audio/mpeg" if matches!(version("mpegversion"), 2 | 4) => "AAC",
        "audio/mpeg" if version("layer") == 3 => "MP3",
        "audio/mpeg" => "MPEG audio",
        "audio/x-opus" => "Opus",
        "audio/x-vorbis" => "Vorbis",
        "audio/x-flac" => "FLAC",
        "audio/x-ac3" | "audio/x-eac3" => "AC-3",
        "audio/x-raw" => "PCM",
        other => other,
    };
    name.to_owned()
}

/// Whether the caps are those of a sound track.
pub(crate) fn is_sound(caps: &gst::CapsRef) -> bool {
    caps.structure(0).is_some_and(|first| first.name().starts_with("audio/"))
}

/// Identifies a track of a file; the same each time the file is opened.
pub(crate) fn track_id(pad: &gst::Pad) -> String {
    // The part before the slash identifies the file.
    pad.stream_id().and_then(|id| Some(id.rsplit('/').next()?.to_owned())).unwrap_or_default()
}

/// Selects the video track with this [`track_id`].
pub(crate) fn is_video_track(track: &str) -> impl Fn(&gst::Pad) -> bool + Send + Sync + 'static {
    let track = track.to_owned();
    move |pad| track_caps(pad).is_some_and(|caps| is_video(&caps)) && track_id(pad) == track
}

/// Selects the sound track with this [`track_id`].
pub(crate) fn is_sound_track(track: &str) -> impl Fn(&gst::Pad) -> bool + Send + Sync + 'static {
    let track = track.to_owned();
    move |pad| track_caps(pad).is_some_and(|caps| is_sound(&caps)) && track_id(pad) == track
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_have_names_and_unknown_ones_keep_theirs() {
        gst::init().unwrap();
        let caps = |text: &str| text.parse::<gst::Caps>().unwrap();
        let found = ["video/x-h264", "audio/mpeg, mpegversion=4", "audio/mpeg, mpegversion=1, layer=3", "video/x-odd"];
        assert_eq!(found.map(|text| coding(&caps(text))), ["H.264", "AAC", "MP3", "video/x-odd"]);
    }
}
