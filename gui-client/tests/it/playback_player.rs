//! The decoding thread on real JPEGs.

use std::time::{Duration, Instant};

use common::{
    limits::MAX_PICTURE_SIDE,
    media::{Epoch, Origin, PictureHead, StreamId, VideoId},
};
use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};
use triptych_client::{
    event::{Hold, SmallPicture, StreamPart},
    playback::{
        audio_output::AudioOutput,
        picture::{Picture, PictureDecoder, PictureError},
        player::Player,
        playout::WINDOW_ITEMS,
    },
};

use crate::support::wake::WakeSignal;

const STREAM: StreamId = StreamId(1);

/// No picture here is larger.
const LARGEST: (u32, u32) = (MAX_PICTURE_SIDE, MAX_PICTURE_SIDE);

/// Large enough for any picture here.
const ANY_PLACE: (u32, u32) = (u32::MAX, u32::MAX);

fn jpeg(width: u32, height: u32, color: impl Fn(u32, u32) -> [u8; 3]) -> Vec<u8> {
    let pixels: Vec<u8> =
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| color(x, y)).collect();
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 95);
    encoder.encode(&pixels, width, height, ExtendedColorType::Rgb8).expect("pixels of this size become a JPEG");
    jpeg
}

/// Left half one colour, right half another.
fn halves(width: u32, height: u32) -> Vec<u8> {
    jpeg(width, height, move |x, _| if x < width / 2 { [200, 40, 30] } else { [20, 90, 220] })
}

fn near(pixel: u32, color: [u8; 3]) -> bool {
    let [r, g, b, a] = pixel.to_ne_bytes();
    a == 255 && [r, g, b].iter().zip(color).all(|(&is, should)| is.abs_diff(should) <= 6)
}

fn decode(jpeg: &[u8], place: (u32, u32)) -> Result<Picture, PictureError> {
    PictureDecoder::default().decode(jpeg, LARGEST, place, Vec::new())
}

fn head(index: u32) -> PictureHead {
    PictureHead {
        stream: STREAM,
        epoch: Epoch(0),
        index,
        height: 240,
        pts_nanos: u64::from(index) * 20_000_000,
        duration_nanos: 20_000_000,
        jpeg_bytes: 1,
        origin: Origin::Memory,
    }
}

/// A player without sound, and what it calls to wake the window.
fn start() -> (Player, WakeSignal) {
    let wake = WakeSignal::default();
    (Player::start(AudioOutput::none(), wake.callback()).expect("a thread can be started"), wake)
}

/// The next picture that is due.
fn next_due(player: &Player, wake: &WakeSignal) -> PictureHead {
    wake.wait_for_or("a picture", || {
        let due = player.due(Instant::now());
        due.map(|(head, _)| head).ok_or_else(|| player.next_due(Instant::now()))
    })
}

#[test]
fn a_jpeg_becomes_rgba_of_its_size_and_colours() {
    for (width, height) in [(426, 240), (427, 239), (17, 5), (1, 1)] {
        let picture = decode(&halves(width, height), ANY_PLACE).expect("a valid JPEG");
        assert_eq!((picture.width, picture.height), (width as usize, height as usize));
        assert_eq!(picture.pixels.len(), (width * height) as usize);
        assert!(near(picture.pixels[picture.pixels.len() - 1], [20, 90, 220]));
        if width > 100 {
            assert!(near(picture.pixels[0], [200, 40, 30]));
        }
    }
}

#[test]
fn a_picture_counts_as_arriving_before_it_is_whole() {
    let (player, _wake) = start();
    let sink = player.sink();
    player.begin(STREAM, false, Instant::now());
    let part =
        StreamPart { stream: STREAM, epoch: Epoch(0), bytes: 32 * 1024, is_first: true, picture_bytes: Some(400_000) };
    let epoch_bytes = || player.status(Instant::now()).map(|status| status.epoch_bytes);
    assert_eq!(epoch_bytes(), Some(0));
    sink.part(part);
    sink.part(StreamPart { is_first: false, picture_bytes: None, ..part });
    sink.part(StreamPart { stream: StreamId(2), ..part });
    assert_eq!(epoch_bytes(), Some(64 * 1024));
    player.seek(STREAM, Epoch(1), false, Instant::now());
    sink.part(part);
    assert_eq!(epoch_bytes(), Some(0), "what is left of the epoch before is not waited for");
}

#[test]
fn a_grey_jpeg_becomes_rgba_too() {
    let mut jpeg = Vec::new();
    let pixels = vec![77u8; 64 * 48];
    JpegEncoder::new(&mut jpeg).encode(&pixels, 64, 48, ExtendedColorType::L8).expect("grey becomes a JPEG");
    let picture = decode(&jpeg, ANY_PLACE).expect("a valid JPEG");
    assert!(picture.pixels.iter().all(|&pixel| near(pixel, [77, 77, 77])));
}

#[test]
fn a_picture_much_larger_than_its_place_is_averaged_but_never_below_its_place() {
    let jpeg = halves(640, 360);
    for (place, size) in [
        ((640, 360), (640, 360)),
        ((321, 181), (640, 360)),
        ((320, 180), (320, 180)),
        ((300, 169), (320, 180)),
        ((213, 120), (213, 120)),
        ((10, 5), (80, 45)),
        ((0, 0), (80, 45)),
    ] {
        let picture = decode(&jpeg, place).expect("a valid JPEG");
        assert_eq!((picture.width, picture.height), size, "{place:?}");
        assert_eq!(picture.pixels.len(), size.0 * size.1);
        for row in picture.pixels.chunks_exact(size.0) {
            assert!(near(row[0], [200, 40, 30]) && near(row[size.0 - 1], [20, 90, 220]));
        }
    }
}

#[test]
fn averaging_takes_every_pixel_of_a_block_and_rounds() {
    // White and black columns in turn: what samples single pixels would come out white or black.
    let picture =
        decode(&jpeg(512, 64, |x, _| [if x % 2 == 0 { 255 } else { 0 }; 3]), (128, 16)).expect("a valid JPEG");
    assert_eq!((picture.width, picture.height), (128, 16));
    assert!(picture.pixels.iter().all(|&pixel| near(pixel, [127, 127, 127])));
    for shade in [0, 1, 254, 255] {
        let picture = decode(&jpeg(480, 480, |_, _| [shade; 3]), (60, 60)).expect("a valid JPEG");
        assert!(picture.pixels.iter().all(|&pixel| pixel.to_ne_bytes() == [shade, shade, shade, 255]), "{shade}");
    }
}

#[test]
fn damaged_pictures_are_errors_not_panics() {
    let sound = halves(320, 240);
    assert!(matches!(decode(b"", ANY_PLACE), Err(PictureError::Unreadable(_))));
    assert!(matches!(decode(b"GIF89a", ANY_PLACE), Err(PictureError::Unreadable(_))));
    assert!(decode(&sound[..40], ANY_PLACE).is_err());
    for cut in (0..sound.len()).step_by(97) {
        let _ = decode(&sound[..cut], ANY_PLACE);
        let mut damaged = sound.clone();
        damaged[cut] ^= 0x55;
        let _ = decode(&damaged, ANY_PLACE);
    }
}

#[test]
fn pictures_go_in_as_jpeg_and_come_out_in_order_and_the_window_is_woken() {
    let (player, wake) = start();
    let sink = player.sink();
    assert_eq!(player.begin(STREAM, false, Instant::now()), None);
    assert_eq!(player.take_credit(), Some((STREAM, Epoch(0), WINDOW_ITEMS)));
    let jpeg = halves(160, 90);
    for index in 0..10 {
        // One of them cannot be read.
        let bytes = if index == 4 { b"noise".to_vec() } else { jpeg.clone() };
        sink.picture(head(index), bytes);
    }
    sink.picture(PictureHead { stream: StreamId(9), ..head(0) }, jpeg.clone());
    player.source_ended(STREAM, Epoch(0), Instant::now());
    wake.wait_for("a wake", || (wake.count() > 0).then_some(()));

    let mut shown = Vec::new();
    wake.wait_for_or("the end", || {
        let now = Instant::now();
        if let Some((head, picture)) = player.due(now) {
            assert_eq!((picture.width, picture.height), (160, 90));
            shown.push(head.index);
            player.recycle(picture.pixels);
        }
        player.status(now).filter(|status| status.is_finished).ok_or_else(|| player.next_due(now))
    });
    let summary = player.stop().expect("a stream was under way");
    assert_eq!((summary.tally.broken, summary.tally.stale), (1, 1));
    assert_eq!(summary.tally.shown + summary.tally.dropped(), 10);
    assert!(shown.is_sorted() && !shown.contains(&4), "{shown:?}");
    assert!(summary.first_picture_after.is_some());
    assert_eq!(player.status(Instant::now()), None, "nothing plays any more");
}

#[test]
fn stopping_while_pictures_wait_is_at_once() {
    let (player, wake) = start();
    let sink = player.sink();
    player.begin(STREAM, false, Instant::now());
    player.take_credit();
    let jpeg = halves(1280, 720);
    for index in 0..24 {
        sink.picture(head(index), jpeg.clone());
    }
    let summary = player.stop().expect("a stream was under way");
    assert_eq!(summary.tally.unshown_at_stop, 24);
    assert!(player.due(Instant::now()).is_none());
    player.begin(StreamId(2), false, Instant::now());
    player.take_credit();
    sink.picture(PictureHead { stream: StreamId(2), ..head(0) }, jpeg);
    assert_eq!(next_due(&player, &wake).stream, StreamId(2));
}

#[test]
fn the_window_is_woken_when_the_picture_that_ends_a_stall_arrives() {
    let (player, wake) = start();
    let sink = player.sink();
    player.begin(STREAM, false, Instant::now());
    player.take_credit();
    let jpeg = halves(64, 36);
    sink.picture(head(0), jpeg.clone());
    next_due(&player, &wake);
    wake.wait_for_or("the stall", || {
        let now = Instant::now();
        assert!(player.due(now).is_none());
        let stall = player.status(now).filter(|status| status.hold == Some(Hold::Source));
        stall.ok_or_else(|| player.next_due(now))
    });
    // All that may be decoded ahead is decoded, and still too little to go on with: the thread is at rest.
    for index in 1..=4 {
        sink.picture(head(index), jpeg.clone());
    }
    wake.wait_for_or("decoding", || match player.decoded_count() {
        4 => Ok(()),
        // Decoding ahead does not wake the window.
        _ => Err(Some(Instant::now() + Duration::from_millis(5))),
    });
    for index in 5..=7 {
        sink.picture(head(index), jpeg.clone());
    }
    let wakes_before = wake.count();
    sink.picture(head(8), jpeg);
    assert_eq!(wake.count(), wakes_before + 1);
    assert_eq!(player.due(Instant::now()).map(|(head, _)| head.index), Some(1));
}

#[test]
fn no_thumbnail_is_lost_without_an_answer() {
    let (player, wake) = start();
    let jpeg = halves(1280, 720);
    let keys: Vec<_> = (0..200).map(|id| SmallPicture::Thumbnail((VideoId(id), 7))).collect();
    for &key in &keys {
        player.decode_small(key, jpeg.clone());
    }
    let mut answered = Vec::new();
    wake.wait_for("an answer for each", || {
        answered.extend(player.take_small().into_iter().map(|(key, _)| key));
        (answered.len() == keys.len()).then_some(())
    });
    let is_answered = |key| answered.iter().filter(|answer| **answer == key).count() == 1;
    assert!(keys.iter().all(|key| is_answered(*key)), "{answered:?}");
}
