//! The controls: seek bar, and a row of buttons that never change their places.

use egui::{Align, Layout, Rect, RichText, Ui, Vec2};

use crate::state::{State, action::Action, player::Showing};

use super::{
    buttons::{Press, button},
    control_row::{self, Item},
    menus, opener,
    seek_bar::{self, OverBar},
    together, volume,
};
use crate::ui::{
    bindings,
    kit::{
        format, icons,
        theme::{Theme, font_size, size, space, tabular},
        widgets,
    },
};

/// Height of the controls.
pub(super) const HEIGHT: f32 = seek_bar::HEIGHT + space::XS + size::ICON_BUTTON;

/// Distance between two controls.
const GAP: f32 = space::XS;

/// Draws the controls into `column`.
pub(super) fn show(
    ui: &mut Ui,
    column: Rect,
    (state, showing): (&State, &Showing),
    over_bar: OverBar<'_>,
    actions: &mut Vec<Action>,
) {
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(column).layout(Layout::top_down(Align::Min)));
    ui.spacing_mut().item_spacing = Vec2::new(GAP, 0.0);
    seek_bar::show(&mut ui, &state.player, showing, over_bar, actions);
    ui.add_space(space::XS);
    let row = Rect::from_min_size(ui.cursor().min, Vec2::new(column.width(), size::ICON_BUTTON));
    let items = items(&ui, state, showing);
    let shown = control_row::fit(row.width(), &items, GAP, size::ICON_BUTTON);
    let hidden: Vec<Item> =
        items.iter().map(|(item, _)| *item).filter(|item| item.has_entry() && !shown.contains(item)).collect();
    let (left, right): (Vec<Item>, Vec<Item>) = shown.into_iter().partition(|item| is_left(*item));
    let mut draw = |ui: &mut Ui, item: Item| match item {
        Item::Time => time(ui, showing),
        Item::Volume => volume::slider(ui, &state.player, actions),
        Item::Speed => menus::speed(ui, state, actions),
        Item::Together => together::button(ui, state, showing, actions),
        Item::Quality => menus::quality(ui, showing, actions),
        Item::More => menus::more(ui, state, showing, &hidden, actions),
        _ => press(ui, state, showing, item, actions),
    };
    ui.scope_builder(egui::UiBuilder::new().max_rect(row).layout(Layout::left_to_right(Align::Center)), |ui| {
        left.into_iter().for_each(|item| draw(ui, item));
    });
    let width: f32 = right.iter().map(|item| width_of(&items, *item) + GAP).sum();
    let end = Rect::from_min_max(row.right_top() - Vec2::new(width - GAP, 0.0), row.max);
    // From left to right, so that the Tab key goes that way too.
    ui.scope_builder(egui::UiBuilder::new().max_rect(end).layout(Layout::left_to_right(Align::Center)), |ui| {
        right.into_iter().for_each(|item| draw(ui, item));
    });
}

fn is_left(item: Item) -> bool {
    matches!(item, Item::Pause | Item::Previous | Item::Next | Item::Stop | Item::Mute | Item::Volume | Item::Time)
}

fn width_of(items: &[(Item, f32)], item: Item) -> f32 {
    items.iter().find(|(other, _)| *other == item).map_or(size::ICON_BUTTON, |(_, width)| *width)
}

/// What the row may hold, with the width of each.
fn items(ui: &Ui, state: &State, showing: &Showing) -> Vec<(Item, f32)> {
    let mut items = vec![Item::Pause];
    if state.library.videos.len() > 1 {
        items.extend([Item::Previous, Item::Next]);
    }
    items.push(Item::Stop);
    if showing.has_sound {
        items.extend([Item::Mute, Item::Volume]);
    }
    items.extend([
        Item::Time,
        Item::Together,
        Item::Speed,
        Item::Quality,
        Item::Statistics,
        Item::Theatre,
        Item::FullScreen,
    ]);
    let width = |item: Item| match item {
        Item::Volume => volume::WIDTH,
        Item::Time => time_width(ui, showing),
        Item::Together => together::width(ui, state),
        Item::Speed => opener::button_width(ui, &state.player.speed.to_string()),
        Item::Quality => opener::button_width(ui, &showing.choice.short_name()),
        _ => size::ICON_BUTTON,
    };
    items.into_iter().map(|item| (item, width(item))).collect()
}

/// The most room that the time takes: all figures have the same width.
fn time_width(ui: &Ui, showing: &Showing) -> f32 {
    let length = format::whole_length(showing.duration_nanos);
    let text = format!("{length} / {length}");
    let galley = ui.painter().layout_no_wrap(text, tabular(font_size::SMALL), Theme::of(ui).text);
    galley.size().x + 2.0 * space::S
}

fn time(ui: &mut Ui, showing: &Showing) {
    let text = format!("{} / {}", format::length(showing.position_nanos), format::whole_length(showing.duration_nanos));
    let width = time_width(ui, showing);
    let layout = Layout::left_to_right(Align::Center);
    ui.allocate_ui_with_layout(Vec2::new(width, size::ICON_BUTTON), layout, |ui| {
        ui.add_space(space::S);
        ui.add(
            egui::Label::new(RichText::new(text).font(tabular(font_size::SMALL)).color(Theme::of(ui).weak)).extend(),
        );
    });
}

fn press(ui: &mut Ui, state: &State, showing: &Showing, item: Item, actions: &mut Vec<Action>) {
    let Some(Press { icon, name, command, action, is_enabled }) = button(state, showing, item) else { return };
    let tip = match item {
        Item::Mute if !state.player.has_sound_device => {
            "No sound device was found. The video plays without sound.".to_owned()
        }
        Item::Stop => bindings::tip("Close the video", command),
        Item::Theatre => bindings::tip("Whole width of the window", command),
        Item::Next => state.neighbour(1).map_or_else(String::new, |next| bindings::tip(&next.title, command)),
        Item::Previous => state.neighbour(-1).map_or_else(String::new, |last| bindings::tip(&last.title, command)),
        _ => bindings::tip(name, command),
    };
    // Buttons keep their places, but what they do changes with the stage: the second click of a double click on "Play" at
    // the end would pause.
    let is_settled = widgets::is_settled(ui, "player buttons", showing.is_running());
    let response = ui.add_enabled_ui(is_enabled, |ui| icons::button(ui, icon, name, &tip)).inner;
    if response.clicked() && is_settled {
        actions.push(action);
    }
}
