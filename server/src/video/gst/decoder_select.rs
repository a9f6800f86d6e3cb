//! Selects the decoder element for a track.

use gstreamer::{self as gst, prelude::*};

/// Takes the place of the decoder for uncompressed tracks.
const PASS_THROUGH: &str = "identity";

/// Names of the decoder elements for these caps of a video track, best first. Hardware decoders are left out: whether they
/// work depends on the drivers, and they output pictures in memory of their own.
pub(crate) fn video_decoders(caps: &gst::Caps) -> Vec<String> {
    if is_raw(caps) {
        return vec![PASS_THROUGH.to_owned()];
    }
    decoders(caps, &[gst::ElementFactoryType::MEDIA_VIDEO, gst::ElementFactoryType::MEDIA_IMAGE])
}

/// Name of the best decoder element for these caps of a sound track; `identity` for uncompressed samples.
pub(crate) fn sound_decoder(caps: &gst::Caps) -> Option<String> {
    if is_raw(caps) {
        return Some(PASS_THROUGH.to_owned());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_decoded_where_it_can_be() {
        gst::init().unwrap();
        let decoder = |text: &str| sound_decoder(&text.parse::<gst::Caps>().unwrap());
        assert_eq!(decoder("audio/x-raw, format=S16LE").as_deref(), Some("identity"));
        assert_eq!(decoder("audio/x-opus, channel-mapping-family=0").as_deref(), Some("opusdec"));
        assert_eq!(decoder("audio/x-unknown"), None);
    }
}
