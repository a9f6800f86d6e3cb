//! The views without a window: drawn, operated and read as a screen reader would.

use egui::{
    Color32, ColorImage, Context, Event, Key, Modifiers, PointerButton, Pos2, Shape, TextureHandle, TextureOptions, Ui,
    UiBuilder, ViewportCommand,
    epaint::{ClippedShape, TextShape},
    vec2,
};
use egui_kittest::{Harness, HarnessBuilder, kittest::Queryable};
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
    /// Whether videos have pictures, in lists and in the player.
    pub has_pictures: bool,
    /// What the desktop was told, in order.
    pub viewport_commands: Vec<ViewportCommand>,
    picture: Option<TextureHandle>,
}

impl Window {
    pub fn new(state: State) -> Self {
        Self {
            state,
            actions: Vec::new(),
            effects: Vec::new(),
            wants_composer_focus: false,
            now: None,
            has_pictures: false,
            viewport_commands: Vec::new(),
            picture: None,
        }
    }

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
    build_shown(Window::new(state), builder)
}

pub fn build_shown(shown: Window, builder: HarnessBuilder<Window>) -> Harness<'static, Window> {
    let mut harness = builder.with_context_setup(theme::apply).build_ui_state(
        |ui, shown: &mut Window| {
            // The harness leaves a margin around the root.
            let window = ui.ctx().content_rect();
            ui.scope_builder(UiBuilder::new().max_rect(window), |ui| {
                ui.set_clip_rect(window);
                show_frame(ui, shown);
            });
        },
        shown,
    );
    harness.run();
    harness
}

fn show_frame(ui: &mut Ui, shown: &mut Window) {
    shown.state.set_focused(ui::window::has_focus(ui.ctx()));
    let window = ui.available_size();
    shown.state.set_window_points(window.x, window.y);
    if shown.has_pictures && shown.picture.is_none() {
        shown.picture = Some(test_card(ui.ctx()));
    }
    let picture = shown.picture.as_ref().map(TextureHandle::id);
    shown.viewport_commands.extend(ui::window::news(ui.ctx(), &shown.state));
    let (command, left) = ui::full_screen::follow(ui.ctx(), &shown.state);
    shown.viewport_commands.extend(command);
    if let Some(action) = left {
        shown.state.handle(action, moment());
    }
    let view = View {
        now: shown.now.unwrap_or_else(moment),
        picture,
        thumbnail: &|_| picture.map(|picture| (picture, vec2(192.0, 108.0))),
        preview: &|_| Some((picture.unwrap_or_default(), vec2(160.0, 90.0))),
        wants_composer_focus: std::mem::take(&mut shown.wants_composer_focus),
    };
    for action in ui::show(ui, &shown.state, view).actions {
        shown.actions.push(action.clone());
        let effects = shown.state.handle(action, moment());
        shown.wants_composer_focus |= effects.contains(&Effect::FocusComposer);
        shown.effects.extend(effects);
        ui.ctx().request_repaint();
    }
}

/// A picture of eight bars and a circle, in 16:9.
fn test_card(ctx: &Context) -> TextureHandle {
    let [width, height]: [usize; 2] = [192, 108];
    let bar = |number: usize| {
        let light = |bit: usize| if number >> bit & 1 == 0 { 190 } else { 30 };
        Color32::from_rgb(light(1), light(2), light(0))
    };
    let pixels = (0..width * height).map(|index| {
        let (x, y) = (index % width, index / width);
        let is_in_circle = (x * 2).abs_diff(width).pow(2) + (y * 2).abs_diff(height).pow(2) < 80 * 80;
        if is_in_circle { Color32::from_gray(230) } else { bar(x * 8 / width) }
    });
    ctx.load_texture("test card", ColorImage::new([width, height], pixels.collect()), TextureOptions::LINEAR)
}

pub fn show(name: &str) -> Harness<'static, Window> {
    window(scene(name), [1200.0, 760.0])
}

/// The texts with these words that are painted, with their places.
pub fn painted(harness: &Harness<'static, Window>, words: &str) -> Vec<TextShape> {
    let text = |clipped: &ClippedShape| match &clipped.shape {
        Shape::Text(text) if text.galley.text().contains(words) => Some(text.clone()),
        _ => None,
    };
    harness.output().shapes.iter().filter_map(text).collect()
}

pub fn press(harness: &mut Harness<'static, Window>, modifiers: Modifiers, key: Key) {
    harness.key_press_modifiers(modifiers, key);
    harness.run();
}

/// Everything that is typed between two frames arrives in one.
/// Types the address of a server and Enter: ada connects there once.
pub fn enter_server(harness: &mut Harness<'static, Window>, address: &str) {
    harness.get_by_label("Server").type_text(address);
    harness.run();
    press(harness, Modifiers::NONE, Key::Enter);
    let expected = NetCommand::Connect { address: address.into(), name: "ada".into() };
    assert!(harness.state().commands() == [&expected]);
}

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
