//! The statistics over the picture, the reason of a wait, and what of the bar is filled.

use std::time::Duration;

use common::media::{Delivery, Epoch, SoundFormat};
use egui::{Key, Modifiers, Rect};
use egui_kittest::{Harness, kittest::Queryable};
use triptych_client::{
    event::{NetEvent, PlaybackStatus},
    state::action::{Action, Moment},
};

use crate::support::{
    scenes::{figures, head, joined, moment, report, scene, starved, stream_start, watch},
    window::{Window, press, show, window},
};

/// The values of the statistics, by their labels.
const EXPECTED: &[&str] = &[
    "Resolution: 720p",
    "Picture: 251 of 552",
    "Pictures per second: 24.0 shown, 24.0 received",
    "Dropped: 2 late before decoding, 19 left over at seeks",
    "Stalls: 1",
    "Buffer: 790 ms, 19 pictures",
    "Received: 19 Mbit/s, 20 needed",
    "At the server: 208 from memory, 30 from the disk, 10 decoded",
    "Round trip: 1.2 ms",
    "Click to picture: 23 ms to open, 11 ms for the last seek",
    "Decoding here: 5.4 ms for a picture, 9.1 ms at most",
    "Sound: PCM",
];

fn is_open(harness: &Harness<'static, Window>) -> bool {
    harness.query_by_label("Close the statistics").is_some()
}

#[test]
fn the_statistics_say_what_was_counted_and_measured() {
    let harness = show("statistics");
    for line in EXPECTED {
        harness.get_by_label(line);
    }
}

#[test]
fn the_key_the_button_and_escape_open_and_close_them() {
    let mut harness = show("playing");
    assert!(!is_open(&harness));
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(harness.state().actions.is_empty(), "there is nothing to close");
    for close in [Some(Key::I), Some(Key::Escape), None] {
        press(&mut harness, Modifiers::NONE, Key::I);
        assert!(is_open(&harness), "{close:?}");
        match close {
            Some(key) => press(&mut harness, Modifiers::NONE, key),
            None => {
                harness.get_by_label("Close the statistics").click();
                harness.run();
            }
        }
        assert!(!is_open(&harness), "{close:?}");
    }
    if harness.query_by_label("Statistics").is_none() {
        harness.get_by_label("More").click();
        harness.run();
    }
    harness.get_by_label_contains("Statistics").click();
    harness.run();
    assert!(is_open(&harness));
}

#[test]
fn a_click_on_the_statistics_is_one_on_the_picture() {
    let mut harness = show("statistics");
    let line = harness.get_by_label("Stalls: 1").rect().center();
    let picture = harness.get_by_label_contains("Picture of").rect();
    assert!(picture.contains(line), "they lie on the picture");
    harness.hover_at(line);
    harness.run();
    harness.drag_at(line);
    harness.run();
    harness.drop_at(line);
    harness.run();
    assert_eq!(harness.state().actions, [Action::TogglePause]);
    assert!(is_open(&harness));
}

#[test]
fn in_a_small_window_all_of_them_can_be_read() {
    let size = [600.0, 400.0];
    let harness = window(scene("statistics"), size);
    let inside = Rect::from_min_size(egui::Pos2::ZERO, size.into());
    for line in EXPECTED {
        let rect = harness.get_by_label(line).rect();
        assert!(inside.contains_rect(rect), "{line} at {rect:?}");
    }
    assert!(inside.contains_rect(harness.get_by_label("Close the statistics").rect()));
}

#[test]
fn they_are_written_anew_with_the_figures_and_stay_open_for_the_next_video() {
    let mut harness = show("statistics");
    let later = Moment { instant: moment().instant + Duration::from_secs(1), ..moment() };
    let state = &mut harness.state_mut().state;
    let stream = state.player.showing.as_ref().expect("it plays").stream;
    let mut news = figures(stream, 300);
    (news.tally.stalls, news.tally.broken) = (2, 1);
    state.take_figures(news, later);
    harness.run();
    harness.get_by_label("Stalls: 2");
    harness.get_by_label("Dropped: 2 late before decoding, 1 undecodable, 19 left over at seeks");
    watch(&mut harness.state_mut().state, 2);
    harness.run();
    assert!(is_open(&harness));
    harness.get_by_label("Picture: none of this position yet");
    assert!(harness.query_by_label("Stalls: 2").is_none(), "figures of another stream are not shown");
}

#[test]
fn a_card_over_the_picture_has_its_place_for_itself() {
    let mut state = scene("ended");
    state.handle(Action::ToggleStatistics, moment());
    let harness = window(state, [1200.0, 760.0]);
    harness.get_by_label("Play again");
    assert!(!is_open(&harness));
}

#[test]
fn the_badge_is_beside_them_or_gives_way() {
    let shown = |size: [f32; 2]| {
        let mut state = scene("lowest");
        let stream = state.player.showing.as_ref().expect("it plays").stream;
        state.take_figures(figures(stream, 300), moment());
        state.handle(Action::ToggleStatistics, moment());
        let harness = window(state, size);
        let first = "Resolution: 1440p planned, 240p sent, every 2nd picture";
        // With the close button, the union reaches up to the title of the table.
        let parts = [first, "Sound: PCM", "Close the statistics"].map(|label| harness.get_by_label(label).rect());
        let table = parts[0].union(parts[1]).union(parts[2]);
        let badge = harness.query_by_label_contains("your link carries").map(|badge| badge.rect());
        assert!(badge.is_none_or(|badge| !badge.intersects(table)), "{badge:?} lies under {table:?}");
        let picture = harness.get_by_label_contains("Picture of").rect();
        assert!(badge.is_none_or(|badge| picture.contains_rect(badge)), "{badge:?} in {picture:?}");
        badge.is_some()
    };
    assert!(shown([1200.0, 760.0]));
    assert!(!shown([600.0, 400.0]), "there is no room");
}

#[test]
fn the_badge_stays_on_a_picture_of_any_size() {
    for name in ["playing", "every-second", "substitute", "lowest"] {
        for size in [[1200.0, 760.0], [900.0, 560.0], [760.0, 520.0], [600.0, 400.0]] {
            let state = scene(name);
            let text = state.player.showing.as_ref().and_then(|showing| showing.badge()).expect("a picture is shown");
            let harness = window(state, size);
            let badge = harness.get_by_label(&text).rect();
            let picture = harness.get_by_label_contains("Picture of").rect();
            assert!(picture.contains_rect(badge), "{name} at {size:?}: {badge:?} in {picture:?}");
        }
    }
}

#[test]
fn what_the_link_costs_is_told_too() {
    let mut state = joined();
    let stream = watch(&mut state, 1);
    let mut start = stream_start(stream, 1);
    start.segments[2].sent_height = 720;
    start.delivery = Delivery { picture_step: 2, max_height: Some(720), sound: SoundFormat::Opus };
    state.apply(NetEvent::StreamStarted(start), moment());
    state.report(PlaybackStatus { shown: Some(head(stream, Epoch(0), 500, 720)), ..report(stream, 20, 720) }, moment());
    state.take_figures(figures(stream, 100), moment());
    state.handle(Action::ToggleStatistics, moment());
    let harness = window(state, [1200.0, 760.0]);
    harness.get_by_label("Resolution: 1440p planned, 720p sent, every 2nd picture");
    harness.get_by_label("Sound: Opus");
}

#[test]
fn a_video_that_is_ready_says_so_in_the_list() {
    let harness = show("chat");
    harness.get_by_label_contains("1440p, with sound, ready");
    harness.get_by_label("Play Numbers, 0:20 · 240p · 720p · 1440p, with sound");
}

#[test]
fn after_a_failure_its_reason_has_the_room() {
    let mut state = scene("failed");
    state.handle(Action::ToggleStatistics, moment());
    let harness = window(state, [1200.0, 760.0]);
    assert!(!is_open(&harness));
    harness.get_by_label_contains("breaks off after frame 251");
}

#[test]
fn a_wait_is_explained_over_the_picture() {
    show("opening-slowly").get_by_label_contains("Waiting for the server's answer");
    show("decoding").get_by_label_contains("Waiting for the server's decoder");
    let now = moment();
    let mut harness = window(starved(now), [760.0, 520.0]);
    harness.state_mut().now = Some(now);
    harness.run();
    let notice = harness.get_by_label("Too little arrives: 8.0 Mbit/s, and 20 are needed.").rect();
    let picture = harness.get_by_label_contains("Picture of").rect();
    assert!(picture.contains_rect(notice), "{notice:?} in {picture:?}");

    // Beside the statistics it can be read too.
    let mut harness = window(starved(now), [1280.0, 800.0]);
    harness.state_mut().now = Some(now);
    press(&mut harness, Modifiers::NONE, Key::I);
    let notice = harness.get_by_label("Too little arrives: 8.0 Mbit/s, and 20 are needed.").rect();
    let (first, last) = (harness.get_by_label("Resolution: 720p").rect(), harness.get_by_label("Sound: PCM").rect());
    assert!(!first.union(last).intersects(notice), "{notice:?} lies under the statistics");
}
