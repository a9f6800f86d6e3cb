//! The server is killed and comes back, with the same certificate or with another one.

use crate::{picture::changed_share, screen::wait_for, stage::Room};

/// The line at the top while the connection is lost, which counts down.
const STRIP: &str = "Connection lost. Trying";

#[test]
fn a_restarted_server_is_found_again_and_the_video_goes_on() {
    let mut room = Room::open("restart");
    let mut ada = room.user("Ada", "light");
    let bob = room.user("Bob", "dark");
    ada.open("Bob");
    ada.write("Are you there?");
    bob.open("Ada");
    bob.message("Are you there?", "Ada");
    ada.click("Play Triptych sample");
    ada.wait_for_sample();
    ada.wait_for_position(|seconds| seconds > 2.0);

    room.server.kill();
    ada.find(STRIP);
    ada.find("Connection lost. Playback resumes when it is back.");
    ada.wait_for("the countdown", || ada.sees("Trying again in"));
    // The last picture stays, darkened, and does not move.
    let kept = ada.picture().unwrap();
    let colours = kept.pixels().map(|pixel| pixel.0).collect::<std::collections::HashSet<_>>().len();
    assert!(colours > 100, "the picture is kept: it has {colours} colours");
    assert!(ada.sample().is_none(), "the picture is darkened");
    ada.screenshot("1-server-gone");
    assert!(ada.client.child.try_wait().unwrap().is_none(), "the window stays");

    // What is written now waits, and can be seen to.
    bob.find(STRIP);
    bob.write("I am, later.");
    bob.message("I am, later.", "Will be sent");
    bob.screenshot("2-waiting");
    let place = ada.value_of("Position in the video").unwrap();

    room.restart_server("server");
    ada.wait_until_gone(STRIP);
    let next = ada.wait_for_sample();
    let went_on = ada.wait_for_position(|seconds| seconds != place);
    assert!(went_on > place - 1.0, "the video went on at {went_on} s, and was at {place} s");
    ada.wait_for("a picture that moves", || {
        let picture = ada.sample().filter(|picture| picture.dimensions() == next.dimensions())?;
        (changed_share(&next, &picture) > 0.005).then_some(())
    });
    ada.screenshot("3-server-back");
    ada.message("I am, later.", "Bob");
    ada.message("Are you there?", "You");
    bob.message("I am, later.", "delivered");
    bob.screenshot("4-sent");
    ada.find("The end");
    for user in [&ada, &bob] {
        assert_eq!(user.count_messages("I am, later."), 1, "{} has it once", user.name);
    }
    ada.screenshot("5-ended");
}

#[test]
fn a_changed_certificate_is_a_choice_in_the_window() {
    let mut room = Room::open("certificate");
    let ada = room.user("Ada", "dark");
    ada.find("1 online");
    room.server.kill();
    ada.find(STRIP);
    room.restart_server("another");
    ada.find("The identity of this server has changed.");
    ada.screenshot("1-changed");
    // Nothing is trusted before both were compared.
    let trust = "Trust it and join";
    assert!(ada.sees(trust).is_some_and(|button| !button.can_be_clicked()), "it cannot be trusted yet");
    let compared = "I have compared: the console shows the words under “Now”.";
    ada.click(compared);
    ada.button(trust);
    ada.screenshot("2-compared");
    ada.click_away(trust);
    ada.find("1 online");
    wait_for("Ada at the new server", || room.server.log().contains("Ada joined").then_some(()));
    ada.screenshot("3-trusted");
}
