//! The question before a link is opened. It shows the whole address, because the text of a message is not to be trusted.

use egui::{Align, Layout, RichText, TextFormat, Ui, text::LayoutJob};

use crate::state::{State, action::Action, links::WebAddress};

use crate::ui::kit::{
    dialog,
    theme::{Theme, font_size, semibold, size, space},
    widgets,
};

/// Draws the question, if there is one.
pub(super) fn show(ui: &Ui, state: &State, actions: &mut Vec<Action>) {
    let Some(address) = &state.link_question else { return };
    let modal = dialog::show(ui, "link question", size::FORM, |ui| question(ui, address, actions));
    if modal.should_close() {
        actions.push(Action::AnswerLink(false));
    }
}

fn question(ui: &mut Ui, address: &WebAddress, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    ui.label(RichText::new("Open this address in your browser?").font(semibold(font_size::HEADING)));
    ui.add_space(space::S);
    egui::Frame::new().fill(theme.background).corner_radius(size::RADIUS).inner_margin(space::S).show(ui, |ui| {
        ui.set_width(ui.available_width());
        egui::ScrollArea::vertical().max_height(size::HEX).show(ui, |ui| ui.label(emphasised(address, theme)));
    });
    if let Some(caution) = address.caution() {
        ui.add_space(space::XS);
        ui.label(RichText::new(caution).size(font_size::SMALL).color(theme.warn));
    }
    let remark = "The site learns the address of your network, and that you have opened the link. Triptych does not open it itself.";
    ui.label(RichText::new(remark).size(font_size::SMALL).color(theme.weak));
    ui.add_space(space::M);
    ui.with_layout(Layout::right_to_left(Align::Center).with_main_wrap(true), |ui| {
        let open = widgets::primary_button(ui, "Open");
        let has_focus = ui.memory(|memory| memory.focused());
        let cancel = ui.button("Cancel");
        let copy = ui.button("Copy address");
        if has_focus.is_none_or(|focused| ![open.id, cancel.id, copy.id].contains(&focused)) {
            // The safe answer: a second press of Enter opens nothing.
            cancel.request_focus();
        }
        if open.clicked() {
            actions.push(Action::AnswerLink(true));
        }
        if copy.clicked() {
            ui.ctx().copy_text(address.as_str().to_owned());
            actions.push(Action::AnswerLink(false));
        }
        if cancel.clicked() {
            actions.push(Action::AnswerLink(false));
        }
    });
}

/// The address with the name of the computer set apart.
fn emphasised(address: &WebAddress, theme: &Theme) -> LayoutJob {
    let [before, host, after] = address.parts();
    let mut job = LayoutJob::default();
    job.wrap.break_anywhere = true;
    let weak = TextFormat::simple(egui::FontId::proportional(font_size::BODY), theme.weak);
    let strong = TextFormat::simple(semibold(font_size::BODY), theme.text);
    for (part, format) in [(before, &weak), (host, &strong), (after, &weak)] {
        job.append(part, 0.0, format.clone());
    }
    job
}
