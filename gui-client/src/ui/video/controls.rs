//! The controls under the picture: seek bar, buttons, time, volume and resolution.

use common::media::Quality;
use egui::{Align, Layout, Rect, RichText, Role, Sense, Ui, Vec2, WidgetInfo};

use crate::state::{
    action::Action,
    player::{PlayerState, Showing, Stage, quality::QualityChoice},
};

use super::seek_bar;
use crate::ui::kit::{
    format,
    icons::{self, Icon},
    theme::{Theme, font_size, size, space, tabular},
    widgets,
};

/// In a column narrower than this, time, sound and resolution get a line of their own.
const NARROW: f32 = 400.0;

/// The menu of qualities is at most this wide; the sentence at its end is wrapped.
const MENU_WIDTH: f32 = 260.0;

/// Width of the volume slider.
const VOLUME_WIDTH: f32 = 84.0;

/// Radius of the knob of the volume slider.
const KNOB: f32 = 6.0;

/// Source of the volume slider's id: while the slider has the focus, the keys still control the video.
pub(super) const VOLUME: &str = "volume";

/// Height of the controls in a column of this width.
pub(super) fn height(width: f32) -> f32 {
    if width < NARROW { 110.0 } else { 74.0 }
}

/// Draws the controls into `column`. `can_play` says whether the video can be started.
pub(super) fn show(
    ui: &mut Ui,
    column: Rect,
    player: &PlayerState,
    showing: &Showing,
    can_play: bool,
    actions: &mut Vec<Action>,
) {
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(column).layout(Layout::top_down(Align::Min)));
    seek_bar::show(&mut ui, showing, actions);
    ui.add_space(2.0);
    let is_narrow = column.width() < NARROW;
    let row = Vec2::new(column.width(), ui.spacing().interact_size.y);
    let rest = |ui: &mut Ui, actions: &mut Vec<Action>| {
        time(ui, showing);
        if !matches!(showing.stage, Stage::Failed(_)) {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                statistics(ui, actions);
                quality(ui, showing, actions);
                sound(ui, player, showing, actions);
            });
        }
    };
    ui.allocate_ui_with_layout(row, Layout::left_to_right(Align::Center), |ui| {
        buttons(ui, showing, can_play, actions);
        if !is_narrow {
            rest(ui, actions);
        }
    });
    if is_narrow {
        ui.add_space(space::XS);
        ui.allocate_ui_with_layout(row, Layout::left_to_right(Align::Center), |ui| rest(ui, actions));
    }
}

fn buttons(ui: &mut Ui, showing: &Showing, can_play: bool, actions: &mut Vec<Action>) {
    // "Stop" takes the place of "Play again", and would take the second click of a double click too.
    let is_settled = widgets::is_settled(ui, "player buttons", showing.is_running());
    let mut click = |action| actions.extend(is_settled.then_some(action));
    match showing.stage {
        Stage::Opening | Stage::Playing => {
            let (icon, name) = if showing.is_paused { (Icon::Play, "Play") } else { (Icon::Pause, "Pause") };
            if icons::button(ui, icon, name, &format!("{name} (space bar)")).clicked() {
                click(Action::TogglePause);
            }
            if ui.button("Stop").on_hover_text("Close the video").clicked() {
                click(Action::StopWatching);
            }
        }
        Stage::Ended | Stage::Failed(_) => {
            let label = if showing.stage == Stage::Ended { "Play again" } else { "Try again" };
            if ui.add_enabled_ui(can_play, |ui| widgets::primary_button(ui, label)).inner.clicked() {
                click(Action::Watch(showing.video.id));
            }
            if ui.button("Close").clicked() {
                click(Action::ClosePlayer);
            }
        }
    }
}

fn time(ui: &mut Ui, showing: &Showing) {
    let text = format!("{} / {}", format::length(showing.position_nanos), format::whole_length(showing.duration_nanos));
    let text = RichText::new(text).font(tabular(font_size::SMALL)).color(Theme::of(ui).weak);
    ui.add(egui::Label::new(text).truncate());
}

fn statistics(ui: &mut Ui, actions: &mut Vec<Action>) {
    if icons::button(ui, Icon::Statistics, "Statistics", "Statistics of this video (I)").clicked() {
        actions.push(Action::ToggleStatistics);
    }
}

/// The menu of qualities. Laid out from right to left.
fn quality(ui: &mut Ui, showing: &Showing, actions: &mut Vec<Action>) {
    let current = showing.choice.name();
    ui.add_enabled_ui(showing.can_seek(), |ui| {
        let menu = ui.menu_button(format!("{current} ⏷"), |ui| {
            ui.spacing_mut().button_padding = Vec2::new(12.0, 6.0);
            ui.set_max_width(MENU_WIDTH);
            let heights: Vec<u32> = showing.video.variants.iter().map(|variant| variant.height).collect();
            let limits = heights.iter().rev().skip(1).map(|&height| Some(height));
            for max_height in [None].into_iter().chain(limits) {
                choice(ui, showing, QualityChoice::Automatic { max_height }, actions);
            }
            ui.separator();
            choice(ui, showing, QualityChoice::Fixed(Quality::Triptych), actions);
            for height in heights {
                choice(ui, showing, QualityChoice::Fixed(Quality::Only(height)), actions);
            }
            if let Some(text) = showing.delivery_text() {
                ui.separator();
                let text = RichText::new(text).color(Theme::of(ui).weak);
                // A menu stretches lines to its width, which tears sentences apart.
                ui.with_layout(Layout::top_down(Align::Min), |ui| ui.label(text));
            }
        });
        let response = menu.response;
        response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), format!("Resolution: {current}")));
        response.on_hover_text("Choose the resolution");
    });
}

/// One entry of the menu.
fn choice(ui: &mut Ui, showing: &Showing, choice: QualityChoice, actions: &mut Vec<Action>) {
    let name = match (choice, showing.video.variants.as_slice()) {
        (QualityChoice::Automatic { max_height: None }, [least, .., most]) => {
            format!("{} ({}p to {}p)", choice.name(), least.height, most.height)
        }
        (QualityChoice::Fixed(Quality::Triptych), _) => format!("{}, all pictures", choice.name()),
        _ => choice.name(),
    };
    if widgets::tab(ui, &name, choice == showing.choice).clicked() {
        actions.push(Action::SetQuality(choice));
        ui.close();
    }
}

/// Mute button and volume slider. Laid out from right to left.
fn sound(ui: &mut Ui, player: &PlayerState, showing: &Showing, actions: &mut Vec<Action>) {
    if !showing.has_sound {
        return;
    }
    let mut percent = if player.is_muted { 0 } else { player.volume_percent };
    // Without room for the slider, the keys still change the volume.
    if ui.available_width() > VOLUME_WIDTH + 50.0 && volume(ui, &mut percent) {
        actions.push(Action::SetVolume(percent));
    }
    let is_silent = percent == 0;
    let (icon, name) = if is_silent { (Icon::Muted, "Unmute") } else { (Icon::Speaker, "Mute") };
    if icons::button(ui, icon, name, &format!("{name} (M)")).clicked() {
        actions.push(Action::ToggleMute);
    }
}

/// The volume slider. Returns whether it was moved.
fn volume(ui: &mut Ui, percent: &mut u8) -> bool {
    let theme = Theme::of(ui);
    let slider_size = Vec2::new(VOLUME_WIDTH, ui.spacing().interact_size.y);
    let (_, rect) = ui.allocate_space(slider_size);
    let response = ui.interact(rect, egui::Id::unique(VOLUME), Sense::click_and_drag());
    let rail = Rect::from_center_size(rect.center(), Vec2::new(rect.width() - 2.0 * KNOB, size::SEEK_BAR / 2.0));
    let before = *percent;
    if let Some(pointer) = response.interact_pointer_pos() {
        let share = ((pointer.x - rail.left()) / rail.width()).clamp(0.0, 1.0);
        *percent = (share * 100.0).round() as u8;
    }
    response.widget_info(|| WidgetInfo::slider(ui.is_enabled(), f64::from(*percent), "Volume"));
    let knob = egui::Pos2::new(rail.left() + rail.width() * f32::from(*percent) / 100.0, rail.center().y);
    ui.painter().rect_filled(rail, rail.height() / 2.0, theme.border);
    ui.painter().rect_filled(rail.intersect(Rect::everything_left_of(knob.x)), rail.height() / 2.0, theme.accent);
    widgets::knob(ui, knob, KNOB, &response);
    let tip = format!("Volume {percent} % (up and down keys)");
    response.on_hover_text(tip).on_hover_cursor(egui::CursorIcon::PointingHand);
    *percent != before
}
