//! The menus of the controls: speeds, resolutions, and what the row has no room for.

use common::media::Quality;
use egui::{Align, Layout, Popup, RichText, Ui};

use super::{
    buttons::{Press, button},
    control_row::Item,
    opener::{list, opener},
    together,
};
use crate::{
    event::Speed,
    state::{
        State,
        action::Action,
        player::{PlayerState, Showing, quality::QualityChoice},
    },
    ui::{
        bindings,
        kit::{
            icons::{self, Icon},
            menu::{self, Mark},
            theme::{Theme, space},
        },
    },
};

/// Width of the menus; the sentence at the end of one is wrapped.
const WIDTH: f32 = 260.0;

/// Width of the menu of speeds.
const SPEEDS_WIDTH: f32 = 140.0;

/// The menu of speeds. A party has one for all.
pub(super) fn speed(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let player = &state.player;
    if state.together.party().is_some() {
        let tip = "While you watch together, the speed is normal for all";
        let normal = Speed::NORMAL.to_string();
        ui.add_enabled_ui(false, |ui| opener(ui, &normal, format!("Speed: {normal}"), tip, SPEEDS_WIDTH, |_| {}));
        return;
    }
    let name = format!("Speed: {}", player.speed);
    opener(ui, &player.speed.to_string(), name, "Speed ([ and ], Backspace for 1×)", SPEEDS_WIDTH, |ui| {
        speeds(ui, player, actions);
    });
}

fn speeds(ui: &mut Ui, player: &PlayerState, actions: &mut Vec<Action>) {
    for speed in Speed::ALL {
        let mark = if speed == player.speed { Mark::Chosen } else { Mark::Unchosen };
        if menu::entry(ui, mark, &speed.to_string()).clicked() {
            actions.push(Action::SetSpeed(speed));
            ui.close();
        }
    }
}

/// The menu of resolutions.
pub(super) fn quality(ui: &mut Ui, showing: &Showing, actions: &mut Vec<Action>) {
    let name = format!("Resolution: {}", showing.choice.name());
    ui.add_enabled_ui(showing.can_seek(), |ui| {
        opener(ui, &showing.choice.short_name(), name, "Resolution", WIDTH, |ui| qualities(ui, showing, actions));
    });
}

fn qualities(ui: &mut Ui, showing: &Showing, actions: &mut Vec<Action>) {
    let heights: Vec<u32> = showing.video.variants.iter().map(|variant| variant.height).collect();
    choice(ui, showing, QualityChoice::Automatic { max_height: None }, actions);
    for &height in &heights {
        choice(ui, showing, QualityChoice::Fixed(Quality::Only(height)), actions);
    }
    ui.separator();
    menu::header(ui, "Links and computers that are slow");
    for &height in heights.iter().rev().skip(1) {
        choice(ui, showing, QualityChoice::Automatic { max_height: Some(height) }, actions);
    }
    choice(ui, showing, QualityChoice::Fixed(Quality::Triptych), actions);
    if let Some(text) = showing.delivery_text() {
        ui.separator();
        let text = RichText::new(text).color(Theme::of(ui).weak);
        // A menu stretches lines to its width, which tears sentences apart.
        ui.with_layout(Layout::top_down(Align::Min), |ui| ui.label(text));
    }
}

/// One entry of the menu.
fn choice(ui: &mut Ui, showing: &Showing, choice: QualityChoice, actions: &mut Vec<Action>) {
    let name = match (choice, showing.video.variants.as_slice()) {
        (QualityChoice::Automatic { max_height: None }, [least, .., most]) => {
            format!("{} ({}p to {}p)", choice.name(), least.height, most.height)
        }
        _ => choice.name(),
    };
    let mark = if choice == showing.choice { Mark::Chosen } else { Mark::Unchosen };
    if menu::entry(ui, mark, &name).clicked() {
        actions.push(Action::SetQuality(choice));
        ui.close();
    }
}

/// The menu with what the row has no room for.
pub(super) fn more(ui: &mut Ui, state: &State, showing: &Showing, hidden: &[Item], actions: &mut Vec<Action>) {
    let response = icons::button(ui, Icon::More, "More", "More");
    Popup::menu(&response).show(|ui| {
        list(ui, WIDTH, |ui| {
            for item in hidden {
                if let Some(Press { icon, name, command, action, is_enabled }) = button(state, showing, *item) {
                    let text = bindings::tip(name, command);
                    ui.add_enabled_ui(is_enabled, |ui| {
                        if menu::entry(ui, Mark::Icon(icon), &text).clicked() {
                            actions.push(action);
                            ui.close();
                        }
                    });
                }
            }
            if hidden.contains(&Item::Together) {
                ui.add_space(space::XS);
                ui.add_enabled_ui(state.connection.is_online(), |ui| together::contents(ui, state, showing, actions));
            }
            if hidden.contains(&Item::Quality) {
                ui.add_space(space::XS);
                menu::header(ui, "Resolution");
                ui.add_enabled_ui(showing.can_seek(), |ui| qualities(ui, showing, actions));
            }
            if hidden.contains(&Item::Speed) && state.together.party().is_none() {
                ui.add_space(space::XS);
                menu::header(ui, "Speed");
                speeds(ui, &state.player, actions);
            }
        });
    });
}
