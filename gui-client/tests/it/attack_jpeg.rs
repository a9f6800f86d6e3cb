//! JPEGs that are made to hurt: the sizes that they announce are checked before memory is reserved, and none stops the
//! thread that decodes.

use std::time::Instant;

use common::{
    limits::{MAX_PICTURE_SIDE, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH},
    media::{Epoch, Origin, PictureHead, StreamId, VideoId},
};
use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};
use triptych_client::{
    event::{Hold, SmallPicture},
    playback::{
        audio_output::AudioOutput,
        picture::{PictureDecoder, PictureError},
        player::Player,
    },
};

use crate::support::wake::WakeSignal;

const STREAM: StreamId = StreamId(1);
const LARGEST: (u32, u32) = (MAX_PICTURE_SIDE, MAX_PICTURE_SIDE);
const ANY_PLACE: (u32, u32) = (u32::MAX, u32::MAX);

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let pixels: Vec<u8> = (0..width * height * 3).map(|byte| (byte % 251) as u8).collect();
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 50);
    encoder.encode(&pixels, width, height, ExtendedColorType::Rgb8).expect("pixels of this size become a JPEG");
    jpeg
}

/// Where the frame header begins (ITU-T T.81, B.2.2): marker, length, precision, height, width, components.
fn frame_header(jpeg: &[u8]) -> usize {
    jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).expect("a baseline JPEG has a frame header")
}

/// The same picture, with another size announced.
fn announcing(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = jpeg(64, 64);
    let frame = frame_header(&jpeg);
    jpeg[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    jpeg
}

/// The same picture, said to be coded in another way: progressive is 0xc2.
fn coded_as(jpeg: Vec<u8>, marker: u8) -> Vec<u8> {
    let mut jpeg = jpeg;
    let frame = frame_header(&jpeg);
    jpeg[frame + 1] = marker;
    jpeg
}

/// The same picture, with a fourth component in the frame and in the scan, as CMYK has.
fn with_four_components(mut jpeg: Vec<u8>) -> Vec<u8> {
    let frame = frame_header(&jpeg);
    jpeg[frame + 3] += 3;
    jpeg[frame + 9] = 4;
    let end_of_frame = frame + 10 + 9;
    jpeg.splice(end_of_frame..end_of_frame, [4, 0x11, 0]);
    let scan = jpeg.windows(2).position(|marker| marker == [0xff, 0xda]).expect("a JPEG has a scan");
    jpeg[scan + 3] += 2;
    jpeg[scan + 4] = 4;
    let end_of_components = scan + 5 + 6;
    jpeg.splice(end_of_components..end_of_components, [4, 0]);
    jpeg
}

/// Everything above, by name.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let sound = jpeg(64, 64);
    let mut bombs = vec![
        ("65535 squared", announcing(65_535, 65_535)),
        ("65535 squared, progressive", coded_as(announcing(65_535, 65_535), 0xc2)),
        ("8192 squared with the data of 64 squared", announcing(8_192, 8_192)),
        ("8192 squared, progressive", coded_as(announcing(8_192, 8_192), 0xc2)),
        ("no width", announcing(0, 64)),
        ("no height", announcing(64, 0)),
        ("smaller than its data", announcing(8, 8)),
        ("larger than its data", announcing(640, 640)),
        ("progressive", coded_as(sound.clone(), 0xc2)),
        ("lossless", coded_as(sound.clone(), 0xc3)),
        ("arithmetic coding", coded_as(sound.clone(), 0xc9)),
        ("CMYK", with_four_components(sound.clone())),
        ("empty", Vec::new()),
        ("no JPEG", b"\x89PNG\r\n\x1a\n".to_vec()),
    ];
    bombs.extend(real());
    bombs.extend([2, 20, sound.len() / 2, sound.len() - 2].map(|length| ("truncated", sound[..length].to_vec())));
    bombs
}

/// Real pictures of each kind, from what the fuzzer starts with: two bytes that are its own, then the JPEG.
const REAL: [(&str, &[u8]); 4] = [
    ("RGB", include_bytes!("../../../fuzz/corpus/jpeg/gradient")),
    ("grey", include_bytes!("../../../fuzz/corpus/jpeg/grey")),
    ("progressive", include_bytes!("../../../fuzz/corpus/jpeg/progressive")),
    ("CMYK", include_bytes!("../../../fuzz/corpus/jpeg/cmyk")),
];
/// The size of the largest of them.
const REAL_SIZE: (u32, u32) = (48, 27);

fn real() -> [(&'static str, Vec<u8>); 4] {
    REAL.map(|(name, input)| (name, input[2..].to_vec()))
}

/// Decodes it with the size of [`REAL_SIZE`] as limit. Whatever comes out keeps to it; whether something does.
fn is_decoded_within_bounds(decoder: &mut PictureDecoder, jpeg: &[u8], name: &str) -> bool {
    let decoded = decoder.decode(jpeg, REAL_SIZE, ANY_PLACE, Vec::new());
    if let Ok(picture) = &decoded {
        assert!(picture.width <= REAL_SIZE.0 as usize && picture.height <= REAL_SIZE.1 as usize, "{name}");
        assert_eq!(picture.pixels.len(), picture.width * picture.height, "{name}");
    }
    decoded.is_ok()
}

#[test]
fn every_prefix_and_every_changed_byte_of_a_real_picture_stays_within_bounds() {
    let mut decoder = PictureDecoder::default();
    for (name, jpeg) in real() {
        let is_decoded = is_decoded_within_bounds(&mut decoder, &jpeg, name);
        assert!(is_decoded || name == "CMYK", "{name} is a colour of JFIF");
        for length in 0..jpeg.len() {
            is_decoded_within_bounds(&mut decoder, &jpeg[..length], name);
        }
        for position in 0..jpeg.len() {
            for change in [0x01, 0x10, 0x80, 0xff] {
                let mut changed = jpeg.clone();
                changed[position] ^= change;
                is_decoded_within_bounds(&mut decoder, &changed, name);
            }
        }
    }
}

#[test]
fn real_pictures_of_each_kind_that_announce_the_largest_size_are_refused() {
    let mut decoder = PictureDecoder::default();
    for (name, mut jpeg) in real() {
        let is_frame_header = |marker: &[u8]| [[0xff, 0xc0], [0xff, 0xc2]].iter().any(|known| marker == known);
        let frame = jpeg.windows(2).position(is_frame_header).expect("a JPEG has a frame header");
        jpeg[frame + 5..frame + 9].fill(0xff);
        let refused = PictureError::TooLarge(65_535, 65_535, MAX_PICTURE_SIDE, MAX_PICTURE_SIDE);
        assert_eq!(decoder.decode(&jpeg, LARGEST, ANY_PLACE, Vec::new()), Err(refused), "{name}");
    }
}

fn player() -> (Player, WakeSignal) {
    let wake = WakeSignal::default();
    (Player::start(AudioOutput::none(), wake.callback()).expect("a thread can be started"), wake)
}

fn head(index: u32) -> PictureHead {
    let duration_nanos = 20_000_000;
    let pts_nanos = u64::from(index) * duration_nanos;
    PictureHead {
        stream: STREAM,
        epoch: Epoch(0),
        index,
        height: 240,
        pts_nanos,
        duration_nanos,
        jpeg_bytes: 1,
        origin: Origin::Memory,
    }
}

#[test]
fn a_size_beyond_the_limit_is_refused_before_memory_is_reserved() {
    let mut decoder = PictureDecoder::default();
    for (width, height) in [(65_535, 65_535), (8_193, 1), (1, 8_193)] {
        let bomb = announcing(width, height);
        let refused = PictureError::TooLarge(width.into(), height.into(), MAX_PICTURE_SIDE, MAX_PICTURE_SIDE);
        assert_eq!(decoder.decode(&bomb, LARGEST, ANY_PLACE, Vec::new()), Err(refused));
        assert!(decoder.decode(&coded_as(bomb, 0xc2), LARGEST, ANY_PLACE, Vec::new()).is_err());
    }
    let announced = (64, 36);
    for (width, height) in [(65, 36), (64, 37)] {
        let refused = PictureError::TooLarge(width, height, 64, 36);
        assert_eq!(decoder.decode(&jpeg(width, height), announced, ANY_PLACE, Vec::new()), Err(refused));
    }
    assert!(decoder.decode(&jpeg(64, 36), announced, ANY_PLACE, Vec::new()).is_ok());
}

#[test]
fn whatever_comes_out_of_a_bomb_has_the_size_that_was_allowed() {
    let mut decoder = PictureDecoder::default();
    for (name, bomb) in bombs() {
        if let Ok(picture) = decoder.decode(&bomb, (640, 640), ANY_PLACE, Vec::new()) {
            assert!(picture.width <= 640 && picture.height <= 640, "{name}");
            assert_eq!(picture.pixels.len(), picture.width * picture.height, "{name}");
        }
    }
}

#[test]
fn after_every_bomb_the_video_goes_on() {
    let (player, wake) = player();
    let sink = player.sink();
    player.begin(STREAM, false, Instant::now());
    player.set_largest_picture(640, 640);
    player.take_credit();
    let bombs = bombs();
    let count = bombs.len() as u32;
    for (index, (_, bomb)) in (0..).zip(bombs) {
        sink.picture(head(index), bomb);
    }
    sink.picture(head(count), jpeg(64, 64));
    wake.wait_for_or("the picture after them", || {
        let due = player.due(Instant::now()).filter(|(head, _)| head.index == count);
        due.map(|_| ()).ok_or_else(|| player.next_due(Instant::now()))
    });
    assert_ne!(player.status(Instant::now()).and_then(|status| status.hold), Some(Hold::Unreadable));
    let tally = player.stop().expect("it plays").tally;
    assert!(tally.broken >= 8, "{tally:?}");
}

#[test]
fn a_thumbnail_has_the_size_of_a_thumbnail() {
    let (player, wake) = player();
    let cases = [
        (jpeg(THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT), true),
        (jpeg(THUMBNAIL_WIDTH + 1, 4), false),
        (jpeg(4, THUMBNAIL_HEIGHT + 1), false),
        (announcing(8_192, 8_192), false),
        (announcing(2_048, 2_048), false),
    ];
    for (id, (jpeg, _)) in (0..).zip(&cases) {
        player.decode_small(SmallPicture::Thumbnail((VideoId(id), 1)), jpeg.clone());
    }
    let mut answers: Vec<(SmallPicture, bool)> = Vec::new();
    wake.wait_for("all answers", || {
        answers.extend(player.take_small().into_iter().map(|(key, picture)| (key, picture.is_some())));
        (answers.len() == cases.len()).then_some(())
    });
    for ((key, is_shown), (id, (_, expected))) in answers.into_iter().zip((0..).zip(cases)) {
        assert_eq!((key, is_shown), (SmallPicture::Thumbnail((VideoId(id), 1)), expected));
    }
}
