//! Watching together, by what a screen reader reads and by the keyboard.

use common::party::PartyRequest;
use egui::{Key, Modifiers};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use triptych_client::{
    event::{NetCommand, NetEvent},
    state::{
        action::{Action, PartyAction},
        party::news::News,
        player::view::PlayerView,
    },
};

use crate::support::{
    scenes::{self, PARTY, ada, eve, leaves_party, moment, scene},
    window::{Window, press, show, window},
};

/// The requests about parties so far.
fn requests(harness: &Harness<'static, Window>) -> Vec<PartyRequest> {
    let request = |command: &&NetCommand| if let NetCommand::Party(request) = command { Some(*request) } else { None };
    harness.state().commands().iter().filter_map(request).collect()
}

#[test]
fn the_button_and_its_key_start_a_party() {
    for by_key in [false, true] {
        let mut harness = show("playing");
        if by_key {
            press(&mut harness, Modifiers::NONE, Key::W);
        } else {
            harness.get_by_label("Watch together").click();
            harness.run();
        }
        assert!(matches!(requests(&harness)[..], [PartyRequest::Start { is_playing: true, .. }]));
        assert!(harness.get_by_label("Watch together").accesskit_node().is_disabled(), "once is enough");
    }
}

#[test]
fn an_invitation_is_a_line_with_a_button_to_join_and_one_to_hide_it() {
    let text = "Watch A walk by the river together with bob?";
    let mut harness = show("party-invitation");
    harness.get_by_label(text);
    harness.get_by_label("Not now").click();
    harness.run();
    assert!(harness.query_by_label(text).is_none());
    // It stays in the lists, and can be joined from there.
    harness.get_by_label("bob, online, watching together: A walk by the river");
    harness.get_by_label("Play A walk by the river, 0:22 · 240p · 720p · 1440p, with sound, together: bob");
    harness.get_by_label("Join bob").click();
    harness.run();
    assert_eq!(requests(&harness), [PartyRequest::Join(PARTY)]);

    let mut harness = show("party-invitation");
    harness.get_by_label("Join").click();
    harness.run();
    assert_eq!(requests(&harness), [PartyRequest::Join(PARTY)]);
    assert!(harness.query_by_label(text).is_none(), "it was answered");
}

#[test]
fn the_player_says_who_is_there_and_leaves() {
    let mut state = scene("party");
    state.handle(Action::ToggleView(PlayerView::Theatre), moment());
    let mut harness = window(state, [1200.0, 760.0]);
    harness.get_by_label("You watch together with bob and eve.");
    assert!(harness.get_by_label("Speed: 1×").accesskit_node().is_disabled(), "there is one for all");
    harness.get_by_label("Watching together: 3").click();
    harness.run();
    harness.get_by_label("bob and eve");
    harness.get_by_label_contains("happens for all, at normal speed");
    harness.get_by_label("Leave the party").click();
    harness.run();
    assert_eq!(requests(&harness), [PartyRequest::Leave]);
    harness.get_by_label("Watch together");
    assert!(harness.query_by_label("You watch together with bob and eve.").is_none());
}

#[test]
fn the_picture_says_who_did_what_for_some_seconds() {
    let mut state = scene("party");
    state.apply(leaves_party(eve().id()), moment());
    let harness = window(state.clone(), [1200.0, 760.0]);
    harness.get_by_label("eve left the party.");
    assert_eq!(state.together.news(moment().instant), Some(&News::Went(scenes::name("eve"))));
    let paused = show("party-act");
    paused.get_by_label("bob paused.");
    paused.get_by_label("Play");
    show("party-alone").get_by_label("You watch together now. Everyone online sees it and may join.");
    show("party-alone").get_by_label("You watch together. No one else has joined yet.");
}

#[test]
fn where_a_party_for_the_video_exists_the_button_offers_to_join_it_or_to_start_another() {
    let mut harness = show("party-video");
    harness.get_by_label("Watch together").click();
    harness.run();
    harness.get_by_label("Start another party");
    // The other one is in the list of videos.
    harness.get_all_by_label("Join bob and eve").last().expect("it is in the menu").click();
    harness.run();
    assert_eq!(requests(&harness), [PartyRequest::Join(PARTY)]);
    let mut harness = show("party-video");
    press(&mut harness, Modifiers::NONE, Key::W);
    assert_eq!(requests(&harness), [PartyRequest::Join(PARTY)], "the key joins the one that exists");
}

#[test]
fn in_a_low_and_narrow_window_everything_about_a_party_can_be_reached() {
    for (size, zoom) in [([600.0, 400.0], 1.0), ([800.0, 600.0], 2.0)] {
        let mut harness = window(scene("party"), size);
        harness.ctx.set_zoom_factor(zoom);
        harness.run();
        // What has no room in the row is in its menu.
        let button = harness.query_by_label("Watching together: 3").or_else(|| harness.query_by_label("More"));
        button.expect("one of them has room").click();
        harness.run();
        harness.get_by_label("Leave the party").click();
        harness.run();
        assert_eq!(requests(&harness), [PartyRequest::Leave], "{size:?} at {zoom}");
    }
}

#[test]
fn what_a_click_does_waits_for_the_others() {
    let mut harness = show("party");
    harness.get_by_label("Pause").click();
    harness.run();
    assert!(matches!(requests(&harness)[..], [PartyRequest::Act { party: PARTY, .. }]));
    harness.get_by_label("Pause");
    let me = ada().id();
    let paused = scenes::after(&scenes::party(), me, common::party::PartyAct::Pause);
    harness.state_mut().state.apply(NetEvent::Party(paused), moment());
    harness.state_mut().state.tick(moment());
    harness.run();
    harness.get_by_label("Play");
    assert!(harness.query_by_label_contains(" paused.").is_none(), "the person knows what they did");
    assert!(harness.state().actions.iter().all(|action| *action != Action::Party(PartyAction::Leave)));
}
