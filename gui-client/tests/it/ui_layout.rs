//! The panes of the window and the bar above them, operated by what a screen reader would read.

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use triptych_client::state::action::Action;

use crate::support::{
    scenes::{self, scene},
    window::{press, show, window},
};

#[test]
fn columns_are_hidden_and_shown_by_buttons_and_keys() {
    let mut harness = show("playing");
    let picture = |harness: &egui_kittest::Harness<'_, _>| harness.get_by_label_contains("Picture of").rect().width();
    let before = picture(&harness);
    harness.get_by_label("Hide the lists").click();
    harness.run();
    assert!(harness.query_by_label("bob, online").is_none());
    let wider = picture(&harness);
    assert!(wider > before);
    press(&mut harness, Modifiers::SHIFT, Key::F9);
    assert!(harness.query_by_label("Message to bob").is_none());
    assert!(picture(&harness) > wider);
    harness.get_by_label("Chat (1)").click();
    harness.run();
    harness.get_by_label("Message to bob");
    press(&mut harness, Modifiers::NONE, Key::F9);
    harness.get_by_label("bob, online");
    assert_eq!(picture(&harness), before);
}

#[test]
fn dragging_an_edge_makes_a_column_wider_and_a_double_click_resets_it() {
    let mut harness = show("chat");
    let row = |harness: &egui_kittest::Harness<'_, _>| harness.get_by_label("bob, online").rect().width();
    let before = row(&harness);
    // The rows keep a distance of 8 from the edge.
    let edge = egui::pos2(harness.get_by_label("bob, online").rect().right() + 8.0, 500.0);
    let wider = edge + egui::vec2(60.0, 0.0);
    harness.drag_at(edge);
    harness.run();
    harness.hover_at(wider);
    harness.run();
    harness.drop_at(wider);
    harness.run();
    assert_eq!(row(&harness), before + 60.0);
    crate::support::window::double_click(&mut harness, wider);
    harness.run();
    assert_eq!(row(&harness), before);
}

#[test]
fn a_small_window_leads_from_the_people_to_a_conversation_and_back() {
    let mut harness = window(scenes::joined(), [480.0, 360.0]);
    harness.get_by_label("bob, online").click();
    harness.run();
    harness.get_by_label("Message to bob");
    assert!(harness.query_by_label("bob, online").is_none(), "only one of them has room");
    harness.get_by_label("‹ People").click();
    harness.run();
    harness.get_by_label("bob, online");
    harness.get_by_label("Video").click();
    harness.run();
    harness.get_by_label_contains("Play Numbers").click();
    harness.run();
    harness.get_by_label("Picture of Numbers");
    harness.get_by_label("‹ Videos").click();
    harness.run();
    harness.get_by_label("Numbers is in the player");
}

#[test]
fn unread_messages_are_on_the_tab_while_the_people_are_not_shown() {
    let mut harness = window(scene("unread"), [700.0, 500.0]);
    harness.get_by_label("Chat");
    harness.get_by_label("Video").click();
    harness.run();
    harness.get_by_label("Chat (2)");
}

#[test]
fn the_menu_leads_away_from_the_server_and_is_not_the_first_that_the_tab_key_reaches() {
    let mut harness = show("chat");
    harness.ctx.memory_mut(|memory| memory.stop_text_input());
    press(&mut harness, Modifiers::NONE, Key::Tab);
    assert!(harness.get_by_label("Hide the lists").is_focused());
    assert!(harness.query_by_label("Disconnect").is_none());
    harness.get_by_label("ada, your menu").focus();
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::Enter);
    harness.get_by_label("Disconnect");
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(harness.query_by_label("Disconnect").is_none());
    assert!(harness.get_by_label("ada, your menu").is_focused(), "the focus is where it was");
    harness.get_by_label("ada, your menu").click();
    harness.run();
    harness.get_by_label("Disconnect").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::Leave]);
    harness.get_by_label("Connect");
}
