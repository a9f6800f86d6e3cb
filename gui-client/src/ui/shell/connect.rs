//! The first screen: the form with server and name, the steps of an attempt, and why it failed.

use egui::{Align, Key, Layout, Margin, Response, RichText, Stroke, TextEdit, Ui, Vec2};

use crate::{
    event::{Progress, TlsFacts},
    state::{
        State,
        action::Action,
        connection::{Connection, Phase},
        identity::IdentityAction,
    },
};

use super::identity;
use crate::ui::kit::{
    theme::{Theme, font_size, semibold, size, space},
    widgets,
};

/// The buttons of the card: those of the form, or those of an attempt (see [`widgets::is_settled`]).
const CARD_BUTTONS: &str = "connect buttons";

/// Shown below the form and the steps of an attempt while connections to the server are not encrypted.
const NOT_ENCRYPTED: &str =
    "The connection to the server will not be encrypted, because this client was started with --plaintext.";

/// Draws the screen.
pub(crate) fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let connection = &state.connection;
    let theme = Theme::of(ui);
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.add_space(((ui.available_height() - 470.0) * 0.4).max(space::M));
        ui.vertical_centered(|ui| {
            let (rect, _) = ui.allocate_exact_size(Vec2::new(64.0, 48.0), egui::Sense::hover());
            widgets::mark(ui, rect);
            ui.add_space(space::S);
            ui.label(RichText::new("Triptych").font(semibold(font_size::TITLE)).color(theme.text));
            ui.label(RichText::new("Private messages and videos on your own network").color(theme.weak));
            ui.add_space(space::L);
            let width = size::FORM.min(ui.available_width() - 2.0 * space::M);
            ui.allocate_ui_with_layout(Vec2::new(width, 0.0), Layout::top_down(Align::Min), |ui| {
                ui.set_width(width);
                if let Some(problem) = &connection.problem {
                    widgets::problem_card(ui, problem, None, actions);
                    if problem.certificate.is_some() {
                        // The decision comes first, and takes the room.
                        return;
                    }
                    ui.add_space(space::M);
                }
                card(ui, state, actions);
            });
        });
        ui.add_space(space::M);
    });
}

fn card(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let connection = &state.connection;
    let theme = Theme::of(ui);
    egui::Frame::new()
        .fill(theme.surface)
        .stroke(Stroke::new(1.0, theme.border))
        .corner_radius(size::RADIUS + 4)
        .inner_margin(Margin::same(20))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            match connection.phase {
                Phase::Attempting(progress) => steps(ui, connection, progress, actions),
                _ => match &state.identity {
                    Some(card) => identity::show(ui, card, connection.name.trim(), actions),
                    None => form(ui, connection, actions),
                },
            }
            if connection.is_plaintext {
                ui.add_space(space::XS);
                ui.label(RichText::new(NOT_ENCRYPTED).color(theme.warn).size(font_size::SMALL));
            }
        });
}

fn form(ui: &mut Ui, connection: &Connection, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let is_settled = widgets::is_settled(ui, CARD_BUTTONS, false);
    let is_untouched = ui.memory(|memory| memory.focused().is_none()) && connection.problem.is_none();

    let server = field(ui, "Server", &connection.address, "127.0.0.1:7878", Action::EditAddress, actions);
    ui.add_space(space::S);
    let name = field(ui, "Your name", &connection.name, "The name that others will see", Action::EditName, actions);
    // Evaluated before the button is drawn, so that Enter counts once: a field gives up its focus on Enter, and the button
    // could take it.
    let is_enter_free = server.lost_focus() || name.lost_focus() || ui.memory(|memory| memory.focused().is_none());
    let is_enter = is_enter_free && ui.input(|input| input.key_pressed(Key::Enter));
    if is_untouched {
        name.request_focus();
    }
    ui.add_space(space::M);

    let hint = connection.form_hint();
    let button = ui
        .add_enabled_ui(hint.is_none(), |ui| {
            ui.vertical_centered_justified(|ui| widgets::primary_button(ui, "Connect")).inner
        })
        .inner;
    if hint.is_none() && (button.clicked() && is_settled || is_enter) {
        actions.push(Action::Connect);
    }
    ui.add_space(space::S);
    let (text, color) = match hint {
        Some(hint) => (hint, theme.warn),
        None => ("Your keys for this name are made the first time, and stay on this computer.".into(), theme.weak),
    };
    ui.label(RichText::new(text).color(color).size(font_size::SMALL));
    if connection.form_hint().is_none() {
        let link = ui.link(RichText::new("Export, import or renew the key of this name").size(font_size::SMALL));
        if link.clicked() {
            actions.push(Action::Identity(IdentityAction::Open));
        }
    }
}

fn field(
    ui: &mut Ui,
    label: &str,
    value: &str,
    hint: &'static str,
    edit: impl Fn(String) -> Action,
    actions: &mut Vec<Action>,
) -> Response {
    let header = ui.label(RichText::new(label).color(Theme::of(ui).weak).size(font_size::SMALL));
    let mut text = value.to_owned();
    let field = TextEdit::singleline(&mut text)
        .id_salt(label)
        .hint_text(hint)
        .desired_width(f32::INFINITY)
        .margin(Margin::symmetric(10, 8));
    let response = widgets::edged(ui, |ui| ui.add(field));
    if response.changed() {
        actions.push(edit(text));
    }
    response.labelled_by(header.id)
}

fn steps(ui: &mut Ui, connection: &Connection, progress: Progress, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    ui.label(
        RichText::new(format!("Joining {} as {}", connection.address.trim(), connection.name.trim()))
            .size(font_size::HEADING),
    );
    ui.add_space(space::S);
    let steps = [
        (Progress::Connecting, "Reaching the server", ""),
        (Progress::MakingKeys, "Making your keys", "Only the first time. It takes a few seconds."),
        (Progress::Joining, "Joining", ""),
    ];
    let current = steps.iter().position(|(step, ..)| *step == progress).unwrap_or(0);
    for (index, (_, text, caption)) in steps.iter().enumerate() {
        let is_current = index == current;
        let (ink, fill) = match index.cmp(&current) {
            std::cmp::Ordering::Less => (theme.weak, theme.good),
            std::cmp::Ordering::Equal => (theme.text, theme.accent),
            std::cmp::Ordering::Greater => (theme.weak, theme.border),
        };
        ui.horizontal(|ui| {
            let (rect, _) = ui.allocate_exact_size(Vec2::splat(18.0), egui::Sense::hover());
            ui.painter().circle_filled(rect.center(), 5.0, fill);
            ui.label(RichText::new(if is_current { format!("{text}…") } else { (*text).to_owned() }).color(ink));
        });
        if is_current && !caption.is_empty() {
            ui.horizontal(|ui| {
                ui.add_space(26.0);
                ui.label(RichText::new(*caption).color(theme.weak).size(font_size::SMALL));
            });
        }
    }
    if let Some(TlsFacts { certificate_hash, .. }) = &connection.tls {
        ui.add_space(space::XS);
        widgets::certificate_lines(ui, "Certificate (compare with the server's console):", certificate_hash);
    }
    ui.add_space(space::M);
    // "Cancel" can take the place of "Connect", and would take the second click of a double click too.
    let is_settled = widgets::is_settled(ui, CARD_BUTTONS, true);
    if ui.button("Cancel").clicked() && is_settled {
        actions.push(Action::Leave);
    }
}
