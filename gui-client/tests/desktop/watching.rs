//! A person watches a video: play, pause, seek, full screen, and each resolution of the triptych.

use image::RgbImage;

use crate::{
    picture::{SEEK_BAR, changed_share},
    screen::wait_for,
    stage::Room,
    user::User,
};

/// The sample's resolutions, in the order in which they are shown.
const RESOLUTIONS: [&str; 3] = ["240p", "720p", "1440p"];

/// How often the video is played until all of it was seen.
const MOST_PLAYS: usize = 5;

/// What was seen of a video from its beginning to its end.
#[derive(Debug, Default)]
struct Seen {
    /// The resolutions on the badge, in the order in which they came.
    resolutions: Vec<&'static str>,
    /// Whether the picture has changed.
    has_moved: bool,
}

impl Seen {
    fn is_complete(&self) -> bool {
        self.resolutions == RESOLUTIONS && self.has_moved
    }
}

fn watch_to_the_end(user: &User) -> Seen {
    let mut seen = Seen::default();
    let mut first: Option<RgbImage> = None;
    user.wait_for("the end of the video", || {
        if let Some(name) = RESOLUTIONS.into_iter().find(|name| user.has_label(name))
            && !seen.resolutions.contains(&name)
        {
            seen.resolutions.push(name);
            user.screenshot(&format!("1-{name}"));
        }
        if let Some(picture) = user.sample() {
            let before = first.get_or_insert_with(|| picture.clone());
            let is_same_size = before.dimensions() == picture.dimensions();
            seen.has_moved |= is_same_size && changed_share(before, &picture) > 0.01;
        }
        user.sees("The end")
    });
    seen
}

#[test]
fn a_video_is_played_paused_sought_and_given_the_screen() {
    let room = Room::open("watching");
    let ada = room.user("Ada", "dark");

    // To the end, and each resolution is named in its turn while the picture moves. Where other programs take the processor,
    // pictures come too late to be shown; then it is played again.
    ada.click_until("Play Triptych sample", || ada.sees("Picture of").is_some());
    let mut seen = Seen::default();
    for _ in 0..MOST_PLAYS {
        seen = watch_to_the_end(&ada);
        if seen.is_complete() {
            break;
        }
        ada.click_away("Play again");
    }
    assert!(seen.is_complete(), "each resolution has its turn in a picture that moves: {seen:?}");
    println!("{}", ada.client.wait_for_log("frames shown"));
    ada.screenshot("2-ended");

    // Pause with a click and with a key.
    ada.click_away("Play again");
    ada.wait_for_sample();
    ada.click("Pause");
    ada.button("Play");
    assert_rests(&ada);
    ada.screenshot("3-paused");
    ada.screen.press("space");
    ada.button("Pause");
    ada.screen.press("space");
    ada.button("Play");

    // The bar and the keys lead to any place, also during a pause.
    ada.screen.click_at(ada.find(SEEK_BAR).at(0.75, 0.2));
    let middle = ada.wait_for_position(|seconds| (8.5..9.5).contains(&seconds));
    ada.wait_for("the last resolution", || ada.has_label("1440p").then_some(()));
    ada.wait_for_sample();
    ada.screenshot("4-sought");
    ada.screen.press("Left");
    ada.wait_for_position(|seconds| (seconds - (middle - 5.0)).abs() < 0.5);
    ada.screen.press("Home");
    ada.wait_for_position(|seconds| seconds < 0.1);
    ada.screen.press("5");
    ada.wait_for_position(|seconds| (seconds - 6.0).abs() < 0.2);

    // Full screen with a key, with a double click, with the button.
    let window = ada.window();
    let size = ada.screen.size(window);
    let is_full = || ada.screen.size(window) == (1280, 800);
    let become_full = |what: &str, full: bool| wait_for(what, || (is_full() == full).then_some(()));
    ada.screen.press("f");
    become_full("full screen by a key", true);
    ada.button("Leave full screen");
    ada.wait_for_sample();
    ada.screenshot("5-full-screen");
    ada.screen.press("Escape");
    become_full("the window again", false);
    ada.button("Full screen");
    assert_eq!(ada.screen.size(window), size);
    // While it plays, at half its speed so that it does not end on a machine that is busy, a double click does not pause it.
    ada.screen.press("Home");
    (0..4).for_each(|_| ada.screen.press("bracketleft"));
    ada.screen.press("space");
    ada.button("Pause");
    ada.screen.double_click_at(ada.find("Picture of").centre());
    become_full("full screen by a double click", true);
    ada.find("Speed: 0.5×");
    // The controls hide while the pointer rests, and come back when it moves.
    ada.wait_until_gone(SEEK_BAR);
    ada.screenshot("6-only-the-picture");
    ada.screen.point_at((300, 300));
    ada.button("Leave full screen");
    ada.screen.double_click_at(ada.find("Picture of").centre());
    become_full("the window by a double click", false);
    ada.click_away("Stop");
    ada.wait_until_gone("Picture of");
    ada.screenshot("7-stopped");
}

/// The picture and the place in the video come to rest, and do not change then.
fn assert_rests(user: &User) {
    let look = || (user.wait_for_sample(), user.value_of(SEEK_BAR));
    let mut last = look();
    // A picture that was due before the pause may be shown after it.
    user.wait_for("a picture that rests", || {
        let now = look();
        let is_at_rest = now == last;
        last = now;
        is_at_rest.then_some(())
    });
    for _ in 0..5 {
        assert!(look() == last, "the picture or the place changes during a pause");
    }
}
