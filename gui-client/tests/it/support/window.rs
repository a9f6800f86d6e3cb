//! The views without a window: drawn, operated and read as a screen reader would.

use egui::{Event, Key, Modifiers, PointerButton, Pos2, ViewportCommand};
use egui_kittest::{Harness, HarnessBuilder};
use triptych_client::{
    event::NetCommand,
    state::{
        State,
        action::{Action, Moment},
        effect::Effect,
    },
    ui::{self, View, kit::theme},
};

use super::scenes::{moment, scene};

/// The state behind the views, what was done in them, and what followed from it.
pub struct Window {
    pub state: State,
    pub actions: Vec<Action>,
    pub effects: Vec<Effect>,
    pub wants_composer_focus: bool,
    /// The time of all frames; `None` while it passes.
    pub now: Option<Moment>,
    /// What the desktop was told, in order.
    pub viewport_commands: Vec<ViewportCommand>,
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
    // A glyph that is missing from the built-in fonts is an error: the texts of the program must not need any others.
    build(state, Harness::builder().with_size(size))
}

pub fn build(state: State, builder: HarnessBuilder<Window>) -> Harness<'static, Window> {
    let shown = Window {
        state,
        actions: Vec::new(),
        effects: Vec::new(),
        wants_composer_focus: false,
        now: None,
        viewport_commands: Vec::new(),
    };
    let mut harness = builder.with_context_setup(theme::apply).build_ui_state(
        |ui, shown: &mut Window| {
            shown.state.set_focused(ui::window::has_focus(ui.ctx()));
            // The harness leaves a margin around the root.
            let window = ui.available_size();
            shown.state.set_window_points(window.x, window.y);
            shown.viewport_commands.extend(ui::window::news(ui.ctx(), &shown.state));
            let (command, left) = ui::full_screen::follow(ui.ctx(), &shown.state);
            shown.viewport_commands.extend(command);
            if let Some(action) = left {
                shown.state.handle(action, moment());
            }
            let view = View {
                now: shown.now.unwrap_or_else(moment),
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

/// Everything that is typed between two frames arrives in one.
pub fn type_in_one_frame(harness: &mut Harness<'static, Window>, events: impl IntoIterator<Item = Event>) {
    harness.input_mut().events.extend(events);
    harness.run();
}

/// A pressed and released key.
pub fn key(key: Key) -> [Event; 2] {
    let event = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers: Modifiers::NONE };
    [event(true), event(false)]
}

/// Two clicks within the time of a double click, whatever is under the pointer at the second one.
pub fn double_click(harness: &mut Harness<'static, Window>, at: Pos2) {
    let button =
        |pressed| Event::PointerButton { pos: at, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE };
    harness.hover_at(at);
    harness.run();
    for events in [vec![button(true)], vec![button(false)], vec![], vec![button(true)], vec![button(false)], vec![]] {
        let time = harness.ctx.input(|input| input.time) + 0.06;
        harness.input_mut().time = Some(time);
        harness.input_mut().events.extend(events);
        harness.step();
    }
    harness.input_mut().time = None;
}
