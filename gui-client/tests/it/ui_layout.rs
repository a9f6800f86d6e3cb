//! The panes of the window and the bar above them, operated by what a screen reader would read.

use egui::{Key, Modifiers, Rect, Shape};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use triptych_client::{state::action::Action, ui::kit::theme};

use crate::support::{
    scenes::{self, scene},
    window::{Window, press, show, window},
};

#[test]
fn columns_are_hidden_and_shown_by_buttons_and_keys() {
    let mut harness = show("playing");
    let picture = |harness: &Harness<'_, Window>| harness.get_by_label_contains("Picture of").rect().width();
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
    let row = |harness: &Harness<'_, Window>| harness.get_by_label("bob, online").rect().width();
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

#[test]
fn the_menu_changes_colours_contrast_and_motion_at_once() {
    let mut harness = show("chat");
    let appearance = |harness: &Harness<'_, Window>| harness.state().state.appearance();
    harness.get_by_label("ada, your menu").click();
    harness.run();
    for (label, is_dark) in [("Dark", Some(true)), ("Light", Some(false)), ("System", None)] {
        harness.get_by_label(label).click();
        harness.run();
        assert_eq!(appearance(&harness).is_dark, is_dark);
    }
    harness.get_by_label("High contrast").click();
    harness.run();
    harness.get_by_label("Reduced motion").click();
    harness.run();
    assert!(appearance(&harness).has_high_contrast && appearance(&harness).has_reduced_motion);
    harness.get_by_label("Show others what I watch").click();
    harness.run();
    assert!(!harness.state().state.settings.is_watching_shown, "it was on");
    harness.get_by_label("About Triptych").click();
    harness.run();
    assert!(harness.query_by_label("High contrast").is_none(), "the menu is closed");
    harness.get_by_label_contains("never written to the disk");
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(harness.query_by_label_contains("never written to the disk").is_none());
}

#[test]
fn the_menu_has_room_in_a_low_window() {
    let mut harness = window(scenes::joined(), [480.0, 360.0]);
    harness.get_by_label("ada, your menu").click();
    harness.run();
    let entry = harness.get_by_label("Disconnect");
    entry.scroll_to_me();
    harness.run();
    assert!(harness.get_by_label("Disconnect").rect().bottom() <= 360.0);
    harness.get_by_label("Disconnect").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::Leave]);
}

/// The name of what has the keyboard focus, and where it is.
fn focused(harness: &Harness<'_, Window>) -> Option<(String, Rect)> {
    let roles = [
        egui::Role::Button,
        egui::Role::Slider,
        egui::Role::TextInput,
        egui::Role::MultilineTextInput,
        egui::Role::CheckBox,
        egui::Role::Image,
        egui::Role::Link,
        egui::Role::Unknown,
    ];
    let nodes = roles.into_iter().flat_map(|role| harness.query_all_by_role(role).collect::<Vec<_>>());
    let node = nodes.into_iter().find(|node| node.is_focused())?;
    Some((node.accesskit_node().label().unwrap_or_default(), node.rect()))
}

/// Whether a ring in the colour of the focus is drawn around this place, or at it.
fn has_ring(harness: &Harness<'_, Window>, place: Rect) -> bool {
    let colors = [theme::DARK.focus, theme::LIGHT.focus];
    let is_ring = |stroke: egui::Stroke| stroke.width >= 2.0 && colors.contains(&stroke.color);
    harness.output().shapes.iter().any(|clipped| match &clipped.shape {
        Shape::Rect(rect) => {
            is_ring(rect.stroke)
                && rect.rect.expand(6.0).contains_rect(place.shrink(2.0))
                // The edge of the composer is also around its button.
                && place.expand2(egui::vec2(60.0, 14.0)).contains_rect(rect.rect.shrink(2.0))
        }
        Shape::Circle(circle) => is_ring(circle.stroke) && place.expand(4.0).contains(circle.center),
        _ => false,
    })
}

#[test]
fn the_tab_key_goes_through_the_window_in_order_and_shows_where_it_is() {
    for name in ["chat", "playing", "wire", "dictionary", "crowd"] {
        let mut harness = show(name);
        harness.ctx.memory_mut(|memory| memory.stop_text_input());
        let mut order = Vec::new();
        for _ in 0..40 {
            press(&mut harness, Modifiers::NONE, Key::Tab);
            // The header of a group that unfolds is neither a button nor a field.
            let Some((label, place)) = focused(&harness) else { continue };
            if order.first() == Some(&label) {
                break;
            }
            assert!(has_ring(&harness, place), "{name}: {label} at {place:?} does not show that it has the focus");
            order.push(label);
        }
        let start: Vec<&str> = order.iter().take(4).map(String::as_str).collect();
        assert_eq!(start, ["Hide the lists", "Certificate of the server, not compared yet", "Chat", "Wire"], "{name}");
        let place = |label: &str| order.iter().position(|other| other.starts_with(label));
        assert!(place("ada, your menu") < place("Everyone"), "{name}: the bar comes first: {order:?}");
    }
}

#[test]
fn the_certificate_is_compared_in_the_bar_and_that_is_remembered() {
    let mut harness = show("chat");
    harness.get_by_label("Certificate of the server, not compared yet").click();
    harness.run();
    harness.get_by_label_contains("lahup-dibul-norim");
    harness.get_by_label("They are the same").click();
    harness.run();
    harness.get_by_label("Certificate of the server, verified");
    let marks = harness.state().state.settings.verified_certificates.clone();
    assert_eq!(marks, [scenes::tls().certificate_hash.map(|byte| format!("{byte:02x}")).concat()]);
    harness.get_by_label("Take the mark back").click();
    harness.run();
    assert!(harness.state().state.settings.verified_certificates.is_empty());
}

/// Whether this text is drawn, and no part of it is cut off.
fn is_seen_whole(harness: &Harness<'_, Window>, text: &str) -> bool {
    harness.output().shapes.iter().any(|clipped| match &clipped.shape {
        Shape::Text(shape) => {
            shape.galley.text() == text && clipped.clip_rect.contains_rect(shape.visual_bounding_rect())
        }
        _ => false,
    })
}

#[test]
fn the_whole_menu_is_seen_where_there_is_room() {
    let mut harness = show("chat");
    harness.get_by_label("ada, your menu").click();
    harness.run();
    for entry in ["High contrast", "Keyboard shortcuts", "About Triptych", "Disconnect"] {
        assert!(is_seen_whole(&harness, entry), "{entry} is cut off");
    }
}
