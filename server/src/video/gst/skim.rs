//! Leaves out coded frames on the way from a key frame to the first wanted one: those that no other frame refers to.
//!
//! Files of other programs often have one key frame in 250, and two of three frames are such B-frames, so a search takes half
//! of the time. Only H.264 says in each frame whether others refer to it (`nal_ref_idc`, ITU-T H.264, 7.4.1).

use gstreamer::{self as gst, prelude::*};

use super::pipeline::display_time;

/// Kinds of NAL units (ITU-T H.264, table 7-1): a slice of a picture that is no key frame, and what may be left out with it:
/// messages, delimiters and filler. Parameter sets may not, because later frames need them.
const SLICE: u8 = 1;
const COMPANIONS: [u8; 3] = [6, 9, 12];

/// How NAL units are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// Each follows its length in this many bytes (ISO/IEC 14496-15).
    Lengths(usize),
    /// Each follows the bytes 0, 0, 1 (annex B).
    StartCodes,
}

/// Drops frames that pass `pad`, are shown before `until_nanos`, and are not referred to.
pub(super) fn skim(pad: &gst::Pad, until_nanos: u64) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
        if display_time(pad, buffer).is_none_or(|(nanos, _)| nanos >= until_nanos) {
            return gst::PadProbeReturn::Ok;
        }
        let framing = pad.current_caps().and_then(|caps| framing(caps.structure(0)?));
        let is_spare = framing.zip(buffer.map_readable().ok()).is_some_and(|(framing, map)| is_spare(&map, framing));
        if is_spare { gst::PadProbeReturn::Drop } else { gst::PadProbeReturn::Ok }
    });
}

/// `None` unless the caps are those of whole H.264 pictures.
fn framing(caps: &gst::StructureRef) -> Option<Framing> {
    if caps.name() != "video/x-h264" || caps.get::<&str>("alignment").ok()? != "au" {
        return None;
    }
    match caps.get::<&str>("stream-format").ok()? {
        "byte-stream" => Some(Framing::StartCodes),
        "avc" | "avc3" => {
            let configuration = caps.get::<gst::Buffer>("codec_data").ok()?;
            let map = configuration.map_readable().ok()?;
            Some(Framing::Lengths(usize::from(map.get(4)? & 3) + 1))
        }
        _ => None,
    }
}

/// Whether a picture consists of slices that nothing refers to.
fn is_spare(picture: &[u8], framing: Framing) -> bool {
    let mut has_slice = false;
    let mut is_spare_unit = |header: u8| match (header & 0x1f, header >> 5) {
        (SLICE, 0) => {
            has_slice = true;
            true
        }
        (kind, _) => COMPANIONS.contains(&kind),
    };
    let is_spare = match framing {
        Framing::Lengths(bytes) => {
            let mut rest = picture;
            loop {
                let Some((length, units)) = rest.split_at_checked(bytes) else { break rest.is_empty() };
                let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
                let Some((unit, next)) = units.split_at_checked(length) else { break false };
                match unit.first() {
                    Some(&header) if is_spare_unit(header) => rest = next,
                    _ => break false,
                }
            }
        }
        Framing::StartCodes => {
            let starts = picture.windows(4).filter(|window| window[..3] == [0, 0, 1]);
            starts.map(|window| window[3]).all(is_spare_unit)
        }
    };
    is_spare && has_slice
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same NAL units in each framing.
    fn framed(units: &[&[u8]]) -> [(Vec<u8>, Framing); 3] {
        let with = |length: fn(usize) -> Vec<u8>| {
            units.iter().flat_map(|unit| [length(unit.len()), unit.to_vec()].concat()).collect()
        };
        [
            (with(|length| (length as u32).to_be_bytes().to_vec()), Framing::Lengths(4)),
            (with(|length| (length as u16).to_be_bytes().to_vec()), Framing::Lengths(2)),
            (with(|_| vec![0, 0, 0, 1]), Framing::StartCodes),
        ]
    }

    #[test]
    fn only_pictures_that_nothing_refers_to_are_spare() {
        let (spare, referred, key, parameters, message) =
            (&[0x01, 7, 7][..], &[0x41, 7][..], &[0x65, 7][..], &[0x67, 7][..], &[0x06, 5, 0x80][..]);
        for (units, expected) in [
            (&[spare][..], true),
            (&[&[9, 0xf0], message, spare, spare], true),
            (&[referred], false),
            (&[key], false),
            (&[spare, referred], false),
            (&[parameters, spare], false),
            (&[message], false),
            (&[], false),
        ] {
            for (picture, framing) in framed(units) {
                assert_eq!(is_spare(&picture, framing), expected, "{units:?} with {framing:?}");
            }
        }
    }

    #[test]
    fn what_is_cut_off_is_not_spare() {
        let [(picture, framing), ..] = framed(&[&[1, 7, 7], &[1, 7]]);
        for end in 1..picture.len() {
            let is_whole = end == 7;
            assert_eq!(is_spare(&picture[..end], framing), is_whole, "{end} bytes");
        }
        assert!(!is_spare(&[0, 0, 0, 0], framing), "an empty unit");
    }
}
