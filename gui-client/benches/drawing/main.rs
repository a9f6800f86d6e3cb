//! Times a frame of the window while a list is scrolled, beside a plain list of egui with as many rows.
//!
//! A frame is laid out and turned into triangles, as the program does it, and is not painted: what painting costs depends on
//! the graphics driver. Each frame scrolls by a few rows, so that every frame shows rows that the one before did not.

#![allow(unreachable_pub, reason = "a program has no callers outside")]

#[path = "../../tests/it/support/scenes.rs"]
#[allow(clippy::panic, reason = "shared with the tests")]
mod scenes;

use std::time::{Duration, Instant};

use common::{crypto::PublicKey, media::Library, message::Person};
use egui::{Context, Event, Modifiers, MouseWheelUnit, Pos2, RawInput, Rect, ScrollArea, TouchPhase, Ui, Vec2, vec2};
use triptych_client::{
    state::{
        State,
        action::{Action, Peer},
    },
    ui::{self, View, kit::theme},
};

/// People and videos in the long lists: as many as a server offers at most.
const LIST_LEN: u16 = 2_000;

/// Width and height of the window, in points.
const WINDOW: Vec2 = vec2(1200.0, 760.0);

/// Frames that are drawn before any is timed: they fill caches.
const WARM_UP_FRAMES: usize = 60;

/// Frames that are timed.
const FRAMES: usize = 600;

/// How far each frame scrolls, in points.
const STEP: f32 = 120.0;

/// After as many frames the scrolling turns around.
const TURN_FRAMES: usize = 150;

/// Time from one frame to the next.
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);

/// What a frame cost.
struct Cost {
    median: Duration,
    /// One frame in a hundred took longer.
    slow: Duration,
}

fn main() {
    let crowd = scenes::joined_with(people(), library());
    let rows: [(&str, State, Pos2); 5] = [
        ("2,000 people", crowd.clone(), Pos2::new(150.0, 200.0)),
        ("2,000 videos", crowd, Pos2::new(150.0, 600.0)),
        ("10,000 messages", scenes::scene("ten-thousand"), Pos2::new(750.0, 400.0)),
        ("1,000 messages in Arabic", arabic(), Pos2::new(750.0, 400.0)),
        ("a video, nothing is scrolled", scenes::scene("playing"), Pos2::new(1.0, 1.0)),
    ];
    let plain = timed(Pos2::new(150.0, 400.0), plain_list);
    println!("{:<32} {:>9} {:>12} {:>7}", "frame", "median", "1 % slower", "ratio");
    print("plain list of egui, 2,000 rows", &plain, &plain);
    for (name, mut state, pointer) in rows {
        let cost = timed(pointer, |ui| window(ui, &mut state));
        print(name, &cost, &plain);
    }
}

fn print(name: &str, cost: &Cost, plain: &Cost) {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let ratio = cost.median.as_secs_f64() / plain.median.as_secs_f64();
    println!("{name:<32} {:>6.2} ms {:>9.2} ms {ratio:>7.1}", millis(cost.median), millis(cost.slow));
}

/// Draws frames while the wheel is turned at `pointer`.
fn timed(pointer: Pos2, mut draw: impl FnMut(&mut Ui)) -> Cost {
    let ctx = Context::default();
    theme::apply(&ctx);
    let mut times: Vec<Duration> = (0..WARM_UP_FRAMES + FRAMES)
        .map(|frame| {
            let direction = if (frame / TURN_FRAMES).is_multiple_of(2) { -1.0 } else { 1.0 };
            let input = RawInput {
                screen_rect: Some(Rect::from_min_size(Pos2::ZERO, WINDOW)),
                time: Some(FRAME.as_secs_f64() * frame as f64),
                focused: true,
                events: vec![
                    Event::PointerMoved(pointer),
                    Event::MouseWheel {
                        unit: MouseWheelUnit::Point,
                        delta: vec2(0.0, direction * STEP),
                        phase: TouchPhase::Move,
                        source: egui::MouseWheelSource::Unknown,
                        modifiers: Modifiers::NONE,
                    },
                ],
                ..Default::default()
            };
            let begun = Instant::now();
            let output = ctx.run_ui(input, &mut draw);
            let triangles = ctx.tessellate(output.shapes, output.pixels_per_point);
            let time = begun.elapsed();
            assert!(!triangles.is_empty(), "something is drawn");
            time
        })
        .skip(WARM_UP_FRAMES)
        .collect();
    times.sort_unstable();
    Cost { median: times[FRAMES / 2], slow: times[FRAMES * 99 / 100] }
}

fn window(ui: &mut Ui, state: &mut State) {
    state.set_window_points(WINDOW.x, WINDOW.y);
    let view = View {
        now: scenes::moment(),
        picture: None,
        thumbnail: &|_| None,
        preview: &|_| None,
        wants_composer_focus: false,
    };
    for action in ui::show(ui, state, view).actions {
        state.handle(action, scenes::moment());
    }
}

fn plain_list(ui: &mut Ui) {
    let height = ui.spacing().interact_size.y;
    ScrollArea::vertical().auto_shrink(false).show_rows(ui, height, usize::from(LIST_LEN), |ui, rows| {
        for row in rows {
            let row = ui.selectable_label(false, format!("guest-{row}"));
            assert!(!row.clicked(), "the pointer only scrolls");
        }
    });
}

fn people() -> Vec<Person> {
    let key = |number: u16| {
        let mut der = scenes::bob().der().to_vec();
        der[120] ^= (number >> 8) as u8 + 1;
        der[121] ^= number as u8;
        PublicKey::from_der(&der).expect("any odd number of this length passes for a modulus")
    };
    let guests = (0..LIST_LEN).map(|number| scenes::person(&format!("guest-{number}"), key(number)));
    guests.chain([scenes::person("ada", scenes::ada())]).collect()
}

fn library() -> Library {
    let video = |number: u16| {
        let title = format!("Lecture {number}: a title that takes two lines in the list");
        scenes::video(u64::from(number) + 1, &title, 3_600_000_000_000)
    };
    Library { videos: (0..LIST_LEN).map(video).collect(), unplayable_count: 0 }
}

fn arabic() -> State {
    let mut state = scenes::joined();
    let texts = ["مرحبا بالعالم", "هل ستأتي إلى الفيلم الليلة؟ يبدأ في الساعة 20:30 (Room 12).", "نعم"];
    for number in 0..1_000 {
        let text = texts[number % texts.len()];
        state.apply(scenes::message("bob", &scenes::bob(), &[&scenes::ada()], text, number as u64), scenes::moment());
    }
    state.handle(Action::Select(Peer::Person(scenes::bob().id())), scenes::moment());
    state
}
