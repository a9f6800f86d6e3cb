//! A window of 600x400 points does everything.

use crate::{screen::wait_for, stage::Room};

#[test]
fn a_small_window_chats_and_plays() {
    let room = Room::open("small");
    let ada = room.newcomer("Ada", "Ada", "light");
    let bob = room.user("Bob", "dark");
    ada.screen.resize(ada.window(), 600, 400);
    ada.screenshot("1-first-visit");
    ada.click_away("They are the same");
    ada.screenshot("2-people");
    ada.open("Bob");
    ada.write("From a small window");
    bob.open("Ada");
    bob.message("From a small window", "Ada");
    bob.write("To a small window");
    ada.message("To a small window", "Bob");
    ada.screenshot("3-conversation");

    // The other tab has the videos; what arrives meanwhile is counted on the first.
    ada.click("Video");
    ada.button("Play Triptych sample");
    ada.screenshot("4-videos");
    ada.click_until("Play Triptych sample", || ada.sees("Picture of").is_some());
    ada.wait_for_sample();
    ada.click("Pause");
    ada.button("Play");
    bob.write("Are you watching?");
    ada.button("Chat (1)");
    // It stays unread while the window is as large as the screen, where the conversation would have room.
    ada.screen.press("f");
    wait_for("full screen", || (ada.screen.size(ada.window()) == (1280, 800)).then_some(()));
    ada.button("Leave full screen");
    ada.screen.press("Escape");
    wait_for("the small window", || (ada.screen.size(ada.window()) == (600, 400)).then_some(()));
    ada.wait_for_sample();
    ada.button("Chat (1)");
    ada.screenshot("5-playing");
    ada.click("Chat (1)");
    ada.message("Are you watching?", "Bob");
    ada.write("With sound, even.");
    bob.message("With sound, even.", "Ada");
    ada.screenshot("6-answered");
}
