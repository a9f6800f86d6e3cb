//! Names and keys: a name that is taken, and a person who comes back with another key.

use std::fs;

use crate::{programs::Client, stage::Room};

#[test]
fn a_name_that_is_taken_is_answered_with_one_that_is_free() {
    let room = Room::open("name");
    let ada = room.user("Ada", "light");
    // Another person of that name, who has a home of their own.
    let other = room.newcomer("Other", "Ada", "light");
    other.find("This name is taken");
    other.screenshot("1-taken");
    other.click_away("Join as Ada-2");
    other.find("2 online");
    other.screenshot("2-joined");
    ada.find("Ada-2, online");
}

#[test]
fn a_changed_key_stops_what_is_sent_until_it_is_accepted() {
    let mut room = Room::open("key");
    let ada = room.user("Ada", "light");
    let mut bob = room.user("Bob", "light");
    ada.open("Bob");
    ada.write("The first");
    bob.open("Ada");
    bob.message("The first", "Ada");

    // Bob loses his keys, and the server forgets to whom names belong.
    bob.client.kill();
    ada.find("Bob, offline");
    room.server.kill();
    fs::remove_dir_all(&bob.home).unwrap();
    fs::create_dir_all(&bob.home).unwrap();
    fs::remove_file(room.stage.folder("server").join("data").join("names")).unwrap();
    room.restart_server("server");
    bob.start_again(&Client { arguments: &room.arguments("Bob", "light"), ..Client::default() });
    bob.join();
    bob.click_away("They are the same");

    // The conversation with the lost key leads to the new one, where nothing is sent before the person decides.
    ada.find("Bob, online, another key than before");
    ada.find("Bob is online with another key.");
    ada.screenshot("1-two-keys");
    ada.click_away("Show the new one");
    ada.find("Bob has another key than before");
    ada.type_into("Message to", "The second");
    ada.screen.press("Return");
    ada.screenshot("2-alarm");
    assert_eq!(ada.count_messages("The second"), 0, "it is not sent");

    // The number can be compared; here it is accepted without.
    ada.click_until("Compare the safety number", || ada.sees("Safety number with Bob").is_some());
    ada.screenshot("3-safety-number");
    ada.click_away("Close");
    ada.click_away("Accept without comparing");
    ada.screenshot("4-accepted");
    ada.wait_for("the text that was typed", || (ada.text_of("Message to")? == "The second").then_some(()));
    ada.screen.click_at(ada.field("Message to").centre());
    ada.wait_for("the keyboard", || ada.field("Message to").has_focus().then_some(()));
    ada.screen.press("Return");
    ada.message("The second", "You");
    bob.open("Ada");
    bob.message("The second", "Ada");
    ada.message("The second", "delivered");
    ada.screenshot("5-sent");
}
