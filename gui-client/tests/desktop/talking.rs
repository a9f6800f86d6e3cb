//! Two people write to each other, and what is written while a person looks elsewhere is not missed.

use crate::{screen::wait_for, stage::Room};

#[test]
fn messages_go_both_ways_and_unread_ones_are_counted() {
    let room = Room::open("talking");
    let ada = room.user("Ada", "light");
    let mut bob = room.user("Bob", "dark");

    ada.open("Bob");
    ada.screenshot("1-empty");
    ada.write("Marmalade tonight?");
    // Bob has the conversation with everyone before him.
    bob.find("Ada, online, 1 unread");
    wait_for("the number in the title", || (bob.title() == "(1) Triptych").then_some(()));
    bob.screenshot("2-unread");
    bob.open("Ada");
    bob.message("Marmalade tonight?", "Ada");
    wait_for("the plain title", || (bob.title() == "Triptych").then_some(()));
    ada.message("Marmalade tonight?", "delivered");
    bob.write("Gladly.");
    ada.message("Gladly.", "Bob");
    bob.message("Gladly.", "delivered");
    bob.screenshot("3-read");

    // The conversation is open, but the window is behind another one.
    let window = ada.window();
    ada.screen.open_other_window();
    bob.write("At eight?");
    ada.find("Bob, online, 1 unread");
    wait_for("the number in the title", || (ada.title() == "(1) Triptych").then_some(()));
    wait_for("the call for attention", || ada.screen.wants_attention(window).then_some(()));
    bob.write("Or nine?");
    wait_for("both in the title", || (ada.title() == "(2) Triptych").then_some(()));
    ada.screenshot("4-behind");
    ada.screen.bring_to_front(window);
    wait_for("the plain title", || (ada.title() == "Triptych").then_some(()));
    wait_for("the end of the call", || (!ada.screen.wants_attention(window)).then_some(()));
    ada.find("New");
    ada.screenshot("5-in-front");

    // To everyone.
    for user in [&ada, &bob] {
        user.open("Everyone");
    }
    ada.write("All of you, too.");
    bob.message("All of you, too.", "Ada");
    ada.message("All of you, too.", "sent");
    ada.screenshot("6-everyone");

    // Bob's program dies, and Ada sees him leave.
    ada.open("Bob");
    bob.client.kill();
    ada.find("Bob, offline");
    ada.find("Bob went offline");
    ada.screenshot("7-left");
}
