//! What covers the picture when nothing plays: the end, a failure, and a lost connection.

use egui::{Align, Align2, FontId, Layout, Rect, Role, Sense, Ui, UiBuilder, Vec2, WidgetInfo};

use crate::{
    state::{
        State,
        action::Action,
        connection::sentence,
        player::{Showing, Stage},
    },
    ui::kit::{
        theme::{Theme, font_size, semibold, size, space},
        widgets,
    },
};

/// What is said while the connection is lost.
pub(super) const CONNECTION_LOST: &str = "Connection lost. Playback resumes when it is back.";

/// Width of the texts at most.
const WIDTH: f32 = 460.0;

/// A title on the button for the next video is shortened to this width.
const NEXT_WIDTH: f32 = 220.0;

/// A button on a card.
struct Choice {
    label: String,
    action: Action,
    is_enabled: bool,
}

/// Draws what covers the picture, if anything does. Returns whether it does.
pub(super) fn show(ui: &mut Ui, screen: Rect, state: &State, showing: &Showing, actions: &mut Vec<Action>) -> bool {
    let is_online = state.connection.is_online();
    let is_listed = state.library.videos.iter().any(|video| video.id == showing.video.id);
    let choice = |label: &str, action, is_enabled| Choice { label: label.to_owned(), action, is_enabled };
    let close = choice("Close", Action::ClosePlayer, true);
    let (header, text, choices) = match &showing.stage {
        Stage::Opening | Stage::Playing => return false,
        Stage::Interrupted => ("", CONNECTION_LOST.to_owned(), Vec::new()),
        Stage::Ended => {
            let mut choices = vec![choice("Play again", Action::StartOver, is_online && is_listed)];
            if let Some(next) = state.neighbour(1) {
                let label = if screen.width() < 360.0 { "Next".to_owned() } else { format!("Next: {}", next.title) };
                choices.push(Choice { label, action: Action::WatchNeighbour(1), is_enabled: is_online });
            }
            choices.push(close);
            ("The end", String::new(), choices)
        }
        Stage::Failed(reason) => {
            let again = choice("Try again", Action::Watch(showing.video.id), is_online && is_listed);
            ("Playback stopped.", sentence(reason), vec![again, close])
        }
    };
    cover(ui, screen, (header, &text), choices, actions);
    true
}

fn cover(ui: &mut Ui, screen: Rect, (header, text): (&str, &str), choices: Vec<Choice>, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    ui.painter().rect_filled(screen, 0.0, theme.overlay);
    // A click on the card is not one on the picture.
    let card = ui.interact(screen, ui.scope_id().with("card"), Sense::click());
    let said = format!("{header} {text}");
    card.widget_info(|| WidgetInfo::labeled(Role::Label, true, said.trim()));
    let width = (screen.width() - 2.0 * space::M).clamp(80.0, WIDTH);
    let layout = |text: &str, font: FontId| {
        let mut job = egui::text::LayoutJob::simple(text.to_owned(), font, theme.on_overlay, width);
        job.halign = Align::Center;
        ui.painter().layout_job(job)
    };
    let texts = [(header, semibold(font_size::HEADING)), (text, FontId::proportional(font_size::BODY))];
    let texts: Vec<_> =
        texts.into_iter().filter(|(text, _)| !text.is_empty()).map(|(text, font)| layout(text, font)).collect();
    let buttons = if choices.is_empty() { 0.0 } else { size::ICON_BUTTON + space::M };
    let height = texts.iter().map(|galley| galley.size().y + space::XS).sum::<f32>() + buttons;
    let inner = Align2::CENTER_CENTER.align_size_within_rect(Vec2::new(width, height.min(screen.height())), screen);
    let mut top = inner.top();
    for galley in texts {
        let next = top + galley.size().y + space::XS;
        ui.painter().galley(egui::Pos2::new(inner.center().x, top), galley, theme.on_overlay);
        top = next;
    }
    if choices.is_empty() {
        return;
    }
    // They have just appeared where something else was: a double click on that is not meant for them.
    let is_settled = widgets::is_settled(ui, "card", choices.len());
    let row = Rect::from_min_size(egui::Pos2::new(inner.left(), top + space::S), Vec2::new(width, size::ICON_BUTTON));
    let mut ui = ui.new_child(UiBuilder::new().max_rect(row).layout(Layout::left_to_right(Align::Center)));
    ui.spacing_mut().item_spacing.x = space::S;
    let mut widths: Vec<f32> = choices.iter().map(|choice| button_width(&ui, &choice.label)).collect();
    let total = widths.iter().sum::<f32>() + space::S * (widths.len() - 1) as f32;
    // Where they do not fit, the widest is shortened: that with the title of the next video.
    if let Some(widest) = widths.iter_mut().max_by(|a, b| a.total_cmp(b)) {
        *widest -= (total - row.width()).max(0.0);
    }
    ui.add_space(((row.width() - total) / 2.0).max(0.0));
    for (number, (choice, width)) in choices.into_iter().zip(widths).enumerate() {
        let size = Vec2::new(width, size::ICON_BUTTON);
        let response = ui.add_enabled_ui(choice.is_enabled, |ui| {
            ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
                ui.style_mut().wrap_mode = Some(egui::TextWrapMode::Truncate);
                if number == 0 { widgets::primary_button(ui, &choice.label) } else { ui.button(&choice.label) }
            })
            .inner
        });
        if response.inner.clicked() && is_settled {
            actions.push(choice.action);
        }
    }
}

fn button_width(ui: &Ui, label: &str) -> f32 {
    let text = super::buttons::text_width(ui, label);
    text.min(NEXT_WIDTH) + 2.0 * ui.spacing().button_padding.x + 2.0
}
