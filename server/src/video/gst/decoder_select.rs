//! Selects the decoder element of a track.

use gstreamer::{self as gst, prelude::*};

/// Stands where a decoder stands when there is nothing to decode.
const NOTHING_TO_DO: &str = "identity";

/// Names of the decoders for these caps of a video track, best first. Those in hardware come and go with the machine's
/// drivers and give pictures in memory of their own, so they are left out.
pub(crate) fn video_decoders(caps: &gst::Caps) -> Vec<String> {
    if is_raw(caps) {
        return vec![NOTHING_TO_DO.to_owned()];
    }
    decoders(caps, &[gst::ElementFactoryType::MEDIA_VIDEO, gst::ElementFactoryType::MEDIA_IMAGE])
}

/// Name of the best decoder for these caps of a sound track; `identity` when it is plain samples.
pub(crate) fn sound_decoder(caps: &gst::Caps) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_decoded_where_it_can_be() {
        gst::init().unwrap();
        let decoder = |text: &str| sound_decoder(&text.parse::<gst::Caps>().unwrap());
        assert_eq!(decoder("audio/x-raw, format=S16LE").as_deref(), Some("identity"));
        assert_eq!(decoder("audio/x-opus, channel-mapping-family=0").as_deref(), Some("opusdec"));
        assert_eq!(decoder("audio/x-nobody-knows"), None);
    }
}
