//! The sizes of small pictures of videos. Pure.

/// Width and height of a picture that was made to fit into `most` without being enlarged, in pixels.
pub(super) fn fit((width, height): (u32, u32), most: (u32, u32)) -> (u32, u32) {
    let (width, height) = (width.max(1), height.max(1));
    let shrink = (f64::from(most.0) / f64::from(width)).min(f64::from(most.1) / f64::from(height)).min(1.0);
    let side = |side: u32| ((f64::from(side) * shrink).round() as u32).max(2);
    (side(width), side(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pictures_keep_the_shape_and_the_bounds() {
        let most = (432, 108);
        assert_eq!(fit((1920, 1080), most), (192, 108));
        assert_eq!(fit((1080, 1920), most), (61, 108));
        assert_eq!(fit((160, 96), most), (160, 96));
        assert_eq!(fit((8192, 16), most), (432, 2));
        assert_eq!(fit((1, 8192), most), (2, 108));
    }
}
