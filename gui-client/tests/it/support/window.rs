//! The views without a window: drawn, operated and read as a screen reader would.

use egui::{Key, Modifiers};
use egui_kittest::{Harness, HarnessBuilder};
use triptych_client::{
    event::NetCommand,
    state::{State, action::Action, effect::Effect},
    ui::{self, View, kit::theme},
};

use super::scenes::{moment, scene};

/// The window without a window: state, what was done in it, and what came of it.
pub struct Window {
    pub state: State,
    pub actions: Vec<Action>,
    pub effects: Vec<Effect>,
    pub wants_composer_focus: bool,
}

impl Window {
    pub fn commands(&self) -> Vec<&NetCommand> {
        self.effects
            .iter()
            .filter_map(|effect| if let Effect::Net(command) = effect { Some(command) } else { None })
            .collect()
    }
}

pub fn window(state: State, size: [f32; 2]) -> Harness<'static, Window> {
    // A glyph that is missing from the fonts that come along is an error: own words must not need any others.
    build(state, Harness::builder().with_size(size))
}

pub fn build(state: State, builder: HarnessBuilder<Window>) -> Harness<'static, Window> {
    let shown = Window { state, actions: Vec::new(), effects: Vec::new(), wants_composer_focus: false };
    let mut harness = builder.with_context_setup(theme::apply).build_ui_state(
        |ui, shown: &mut Window| {
            let view = View {
                now: moment(),
                picture: None,
                thumbnail: &|_| None,
                wants_composer_focus: std::mem::take(&mut shown.wants_composer_focus),
            };
            for action in ui::show(ui, &shown.state, view).actions {
                shown.actions.push(action.clone());
                let effects = shown.state.handle(action, moment());
                shown.wants_composer_focus |= effects.contains(&Effect::FocusComposer);
                shown.effects.extend(effects);
                ui.ctx().request_repaint();
            }
        },
        shown,
    );
    harness.run();
    harness
}

pub fn show(name: &str) -> Harness<'static, Window> {
    window(scene(name), [1200.0, 760.0])
}

pub fn press(harness: &mut Harness<'static, Window>, modifiers: Modifiers, key: Key) {
    harness.key_press_modifiers(modifiers, key);
    harness.run();
}
