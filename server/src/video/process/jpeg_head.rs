//! Reads the size of a picture from the head of a JPEG file (ITU-T T.81, annex B), to check what a worker process sends.

/// Markers of the segments that state a size: the start of a frame, of any of the codings. The three that are left out
/// are tables.
const START_OF_FRAME: std::ops::RangeInclusive<u8> = 0xC0..=0xCF;
const TABLES: [u8; 3] = [0xC4, 0xC8, 0xCC];

/// Width and height in pixels; `None` when this is no JPEG file.
pub(super) fn sides(jpeg: &[u8]) -> Option<(u32, u32)> {
    let mut rest = jpeg.strip_prefix(&[0xFF, 0xD8])?;
    loop {
        let [0xFF, marker, high, low, ..] = *rest else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let segment = rest.get(4..2 + length)?;
        if START_OF_FRAME.contains(&marker) && !TABLES.contains(&marker) {
            let [_, height_high, height_low, width_high, width_low, ..] = *segment else { return None };
            let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
            return Some((side(width_high, width_low), side(height_high, height_low)));
        }
        rest = &rest[2 + length..];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::GrayImage::new(width, height).write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn the_size_is_read() {
        assert_eq!(sides(&jpeg(320, 18)), Some((320, 18)));
        assert_eq!(sides(b"\x89PNG\r\n\x1a\n"), None);
        assert_eq!(sides(&[]), None);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(noise in prop::collection::vec(any::<u8>(), 0..60), kept in 0usize..400) {
            sides(&noise);
            let mut cut = jpeg(16, 16);
            cut.truncate(kept);
            cut.extend(noise);
            prop_assert!(sides(&cut).is_none_or(|(width, height)| width.max(height) <= 0xFFFF));
        }
    }
}
