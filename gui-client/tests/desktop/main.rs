//! End-to-end tests of the built programs: a real server, real windows, mouse and keyboard.
//!
//! Two users connect, write to each other and watch a video. What the windows show is read from screenshots, which stay
//! in `target/tmp/desktop/`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]
#![allow(clippy::let_underscore_must_use, reason = "programs that are already gone need not be ended")]
#![allow(unreachable_pub, reason = "a test program has no callers outside")]
#![allow(clippy::disallowed_methods, reason = "other programs are watched by polling their screen, log and sound")]

mod disk;
mod ocr;
mod programs;
mod screen;
mod sound;

use std::{
    fs,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use image::RgbImage;
use ocr::readings;
use programs::{Program, files_below, start_client, start_server, with_sample};
use screen::{Area, DEADLINE, Screen, wait_for};

/// Held by the running test: these tests run one at a time, because each uses the whole machine.
static TURN: Mutex<()> = Mutex::new(());

/// More than a client writes apart from video, and less than one second of video.
const MAX_WRITTEN_BYTES: u64 = 4 * 1024 * 1024;

/// Colour of the sun in the sample video.
const SUN: [u8; 3] = [255, 239, 162];

/// The sample's resolutions, in the order in which they are shown.
const RESOLUTIONS: [&str; 3] = ["240p", "720p", "1440p"];

/// Rectangle of the resolution badge in a window of the initial size: left, top, width, height.
const BADGE: (u32, u32, u32, u32) = (774, 58, 76, 40);

/// A picture with at least this share of sun-coloured pixels shows the sample.
const MIN_SUN_SHARE: f64 = 0.002;

/// Time between two screenshots of the playing video: some twenty of each resolution.
const SCREENSHOT_INTERVAL: Duration = Duration::from_millis(200);

#[test]
fn two_people_write_and_watch() {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (pictures, home, videos) = with_sample("desktop");
    fs::write(videos.join("Broken_240p.mp4"), "not a video").unwrap();

    let (mut server, address) = start_server(&videos, home.path());
    let (ada_screen, bob_screen) = (Screen::start("ada", &pictures), Screen::start("bob", &pictures));
    let mut ada = start_client(&ada_screen, &address, "Ada", home.path());
    let mut bob = start_client(&bob_screen, &address, "Bob", home.path());

    // The form is filled in; Enter connects. Each client makes its key on the way.
    for screen in [&ada_screen, &bob_screen] {
        screen.focus_window("Triptych");
        screen.find("Connect", Area::Anywhere);
        screen.screenshot("1-connect");
        screen.press("Return");
    }
    // The words of the server's certificate are compared with those on its console.
    for screen in [&ada_screen, &bob_screen] {
        screen.click(&screen.find("same", Area::Anywhere));
    }

    // Each sees the other. A click, a message, Enter.
    ada_screen.click(&ada_screen.find("Bob", Area::Left));
    ada_screen.type_text("Marmalade tonight?");
    ada_screen.press("Return");
    bob_screen.click(&bob_screen.find("Ada", Area::Left));
    bob_screen.find("Marmalade", Area::Right);
    bob_screen.screenshot("2-message");

    // A click on the video, and an answer while it plays.
    let title = ada_screen.find("sample", Area::Left);
    ada_screen.click(&title);
    let playing = watch(&ada_screen, &ada, || {
        bob_screen.type_text("Gladly");
        bob_screen.press("Return");
    });
    assert_eq!(badges(&playing), RESOLUTIONS, "each resolution was on the screen");
    for (number, picture) in playing.iter().enumerate() {
        let share = sun_share(picture);
        assert!(share > MIN_SUN_SHARE, "picture {number} shows the sample's sun on {share} of the screen");
    }
    // A quarter of the video later the sun is somewhere else.
    let later = playing.iter().skip(playing.len() / 4);
    let share = playing.iter().zip(later).map(|(before, after)| changed_share(before, after)).fold(1.0, f64::min);
    assert!(share > 0.005, "the picture moves: only {share} of it has changed");
    println!("{}", ada.wait_for_log("frames shown"));
    ada_screen.find("Gladly", Area::Right);
    ada_screen.screenshot("4-answered");

    // Again, and stop.
    ada_screen.click(&title);
    wait_for("the picture again", || (sun_share(&ada_screen.capture(Area::Anywhere)) > MIN_SUN_SHARE).then_some(()));
    ada_screen.press("q");
    ada.wait_for_log("stopped:");
    // The conversation has the middle again.
    wait_for("the picture's end", || (sun_share(&ada_screen.capture(Area::Anywhere)) < MIN_SUN_SHARE).then_some(()));
    ada_screen.find("Marmalade", Area::Right);
    ada_screen.screenshot("5-stopped");

    assert_nothing_kept(&home.path().join("Ada"), ada.child.id());

    // Bob's program dies; then the server's.
    bob.kill();
    server.wait_for_log("Bob was disconnected");
    server.kill();
    ada_screen.find("lost.", Area::Anywhere);
    ada_screen.screenshot("6-server-gone");
    assert!(ada.child.try_wait().unwrap().is_none(), "the window stays");
    ada.kill();
}

/// Screenshots from the first picture of the video to the last; `meanwhile` is done early on.
fn watch(screen: &Screen, client: &Program, meanwhile: impl FnOnce()) -> Vec<RgbImage> {
    wait_for("the first picture", || (sun_share(&screen.capture(Area::Anywhere)) > MIN_SUN_SHARE).then_some(()));
    let mut playing = vec![screen.screenshot("3-playing-00")];
    meanwhile();
    let begun = Instant::now();
    let mut due = begun;
    while !client.log().contains("frames shown") {
        assert!(begun.elapsed() < 2 * DEADLINE, "the video ends");
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        due = Instant::now() + SCREENSHOT_INTERVAL;
        let picture = screen.screenshot(&format!("3-playing-{:02}", playing.len()));
        if sun_share(&picture) > MIN_SUN_SHARE {
            playing.push(picture);
        }
    }
    playing
}

/// The resolutions that the badge names, in the order of their first appearance.
fn badges(screenshots: &[RgbImage]) -> Vec<String> {
    let (left, top, width, height) = BADGE;
    let mut names: Vec<String> = Vec::new();
    for screenshot in screenshots {
        let badge = image::imageops::crop_imm(screenshot, left, top, width, height).to_image();
        // A misread badge is ignored: the next screenshot shows it again.
        let name = readings(&badge).flatten().map(|word| word.text).find(|text| RESOLUTIONS.contains(&text.as_str()));
        names.extend(name.filter(|name| !names.contains(name)));
        if names.len() == RESOLUTIONS.len() {
            break;
        }
    }
    names
}

/// The share of pixels in the colour of the sample's sun.
fn sun_share(picture: &RgbImage) -> f64 {
    let is_sun = |pixel: &&image::Rgb<u8>| pixel.0.iter().zip(SUN).all(|(value, sun)| value.abs_diff(sun) < 8);
    picture.pixels().filter(is_sun).count() as f64 / f64::from(picture.width() * picture.height())
}

/// The share of pixels that differ clearly.
fn changed_share(one: &RgbImage, other: &RgbImage) -> f64 {
    let differs = |(a, b): &(&image::Rgb<u8>, &image::Rgb<u8>)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > 40);
    let changed = one.pixels().zip(other.pixels()).filter(differs).count();
    changed as f64 / f64::from(one.width() * one.height())
}

/// The client has written neither files nor enough bytes to hold a video.
fn assert_nothing_kept(home: &Path, process: u32) {
    let files = files_below(home);
    let own = ["identities/", "pins/", "known-servers.", "settings."];
    let is_own = |file: &str| own.iter().any(|part| file.contains(part));
    let others: Vec<_> = files.iter().filter(|file| !is_own(file)).collect();
    assert!(others.is_empty(), "the client wrote {others:?}");
    let io = fs::read_to_string(format!("/proc/{process}/io")).unwrap();
    let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse::<u64>().ok()).unwrap();
    assert!(written < MAX_WRITTEN_BYTES, "the client wrote {written} bytes to disk");
}
