//! Which decoder takes a track, and what people call its coding.

use gstreamer::{self as gst, prelude::*};

use super::stage::{is_video, track_caps};

/// Stands where a decoder stands when there is nothing to decode.
const NOTHING_TO_DO: &str = "identity";

/// Names of the decoders for these caps of a video track, best first. Those in hardware come and go with the machine's
/// drivers and give pictures in memory of their own, so they are left out.
pub(super) fn video_decoders(caps: &gst::Caps) -> Vec<String> {
    if is_raw(caps) {
        return vec![NOTHING_TO_DO.to_owned()];
    }
    decoders(caps, &[gst::ElementFactoryType::MEDIA_VIDEO, gst::ElementFactoryType::MEDIA_IMAGE])
}

/// Name of the best decoder for these caps of a sound track; `identity` when it is plain samples.
pub(super) fn sound_decoder(caps: &gst::Caps) -> Option<String> {
    if is_raw(caps) {
        return Some(NOTHING_TO_DO.to_owned());
    }
    decoders(caps, &[gst::ElementFactoryType::MEDIA_AUDIO]).into_iter().next()
}

fn is_raw(caps: &gst::Caps) -> bool {
    caps.structure(0).is_some_and(|first| first.name().ends_with("/x-raw"))
}

fn decoders(caps: &gst::Caps, media: &[gst::ElementFactoryType]) -> Vec<String> {
    let mut found: Vec<_> = media
        .iter()
        .flat_map(|&media| {
            gst::ElementFactory::factories_with_type(gst::ElementFactoryType::DECODER | media, gst::Rank::MARGINAL)
        })
        .filter(|factory| !factory.klass().contains("Hardware") && factory.can_sink_any_caps(caps))
        .map(|factory| (std::cmp::Reverse(factory.rank()), factory.name().to_string()))
        .collect();
    found.sort();
    found.dedup();
    found.into_iter().map(|(_, name)| name).collect()
}

/// What people call the coding of a track.
pub(super) fn coding(caps: &gst::CapsRef) -> String {
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
pub(super) fn is_sound(caps: &gst::CapsRef) -> bool {
    caps.structure(0).is_some_and(|first| first.name().starts_with("audio/"))
}

/// What tells a track of a file from the others, the same whenever the file is opened.
pub(super) fn track_of(pad: &gst::Pad) -> String {
    // Behind what stands for the file.
    pad.stream_id().and_then(|id| Some(id.rsplit('/').next()?.to_owned())).unwrap_or_default()
}

/// Picks the video track with this [`track_of`].
pub(super) fn is_video_track(track: &str) -> impl Fn(&gst::Pad) -> bool + Send + Sync + 'static {
    let track = track.to_owned();
    move |pad| track_caps(pad).is_some_and(|caps| is_video(&caps)) && track_of(pad) == track
}

/// Picks the sound track with this [`track_of`].
pub(super) fn is_sound_track(track: &str) -> impl Fn(&gst::Pad) -> bool + Send + Sync + 'static {
    let track = track.to_owned();
    move |pad| track_caps(pad).is_some_and(|caps| is_sound(&caps)) && track_of(pad) == track
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

    #[test]
    fn sound_is_decoded_where_it_can_be() {
        gst::init().unwrap();
        let decoder = |text: &str| sound_decoder(&text.parse::<gst::Caps>().unwrap());
        assert_eq!(decoder("audio/x-raw, format=S16LE").as_deref(), Some("identity"));
        assert_eq!(decoder("audio/x-opus, channel-mapping-family=0").as_deref(), Some("opusdec"));
        assert_eq!(decoder("audio/x-nobody-knows"), None);
    }
}
