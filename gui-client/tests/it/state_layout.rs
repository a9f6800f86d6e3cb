//! Which parts of the window are shown, and how wide they are.

use proptest::prelude::*;
use triptych_client::{
    settings::Columns,
    state::{
        State,
        action::{Action, Peer, SidePanel},
        layout::{
            Back, Column, Contents, LISTS_POINTS, Layout, LayoutAction, Pane, Places, RIGHT_LEAST_POINTS, Tab,
            WIDE_POINTS, decide,
        },
        player::view::PlayerView,
    },
};

use crate::support::{
    scenes::{bob, joined, moment, watch},
    state::bob_peer,
};

fn places(width: f32, has_video: bool, side: SidePanel, (layout, columns): (&Layout, &Columns)) -> Places {
    decide((width, 760.0), Contents { has_video, side, is_side_wide: false }, layout, columns)
}

fn panes(places: &Places) -> Vec<Pane> {
    places.panes.iter().map(|(pane, _)| *pane).collect()
}

/// Width, whether there is a video, what is chosen, the layout; and the panes and the way back that follow.
type Row<'a> = (f32, bool, &'a str, (&'a Layout, &'a Columns), &'a [Pane], Option<Back>);

#[test]
fn each_width_has_its_panes() {
    use Pane::{Conversation, Keys, Library, Lists, People, Player, Wire};
    let chat = Layout::default();
    let mut video = Layout::default();
    video.is_video_in_front = true;
    let mut library = video.clone();
    library.has_library_in_front = true;
    let mut person = Layout::default();
    person.has_people_in_front = false;
    let usual = &Columns::default();
    let hidden = &Columns { has_lists: false, has_dock: false, ..*usual };
    let side = |side: &str| match side {
        "chat" => SidePanel::Conversation,
        "wire" => SidePanel::Wire,
        _ => SidePanel::Keys,
    };
    let table: &[Row<'_>] = &[
        (1200.0, false, "chat", (&chat, usual), &[Lists, Conversation], None),
        (1200.0, false, "wire", (&chat, usual), &[Lists, Conversation, Wire], None),
        (1200.0, true, "chat", (&chat, usual), &[Lists, Player, Conversation], None),
        (1200.0, true, "keys", (&chat, usual), &[Lists, Player, Keys], None),
        (1200.0, false, "chat", (&chat, hidden), &[Conversation], None),
        (1200.0, true, "chat", (&chat, hidden), &[Player], None),
        (900.0, true, "chat", (&video, usual), &[Lists, Player, Conversation], None),
        (899.0, true, "chat", (&chat, usual), &[People, Conversation], None),
        (899.0, true, "chat", (&video, usual), &[Player], Some(Back::ToLibrary)),
        (899.0, true, "chat", (&library, usual), &[Library], Some(Back::ToPlayer)),
        (899.0, false, "chat", (&library, usual), &[Library], None),
        (899.0, true, "wire", (&chat, usual), &[Wire], None),
        (899.0, false, "chat", (&chat, hidden), &[Conversation], None),
        (600.0, false, "chat", (&chat, usual), &[People, Conversation], None),
        (599.0, false, "chat", (&chat, usual), &[People], None),
        (599.0, false, "chat", (&person, usual), &[Conversation], Some(Back::ToPeople)),
        (480.0, false, "keys", (&person, usual), &[Keys], None),
    ];
    for (width, has_video, name, layout, expected, back) in table {
        let places = places(*width, *has_video, side(name), *layout);
        assert_eq!((panes(&places).as_slice(), places.back), (*expected, *back), "{width} {has_video} {name}");
        assert_eq!(
            places.tabs.contains(&Tab::Video),
            *width < WIDE_POINTS,
            "wide windows show the video beside the rest"
        );
        assert!(places.tabs.contains(&places.tab));
    }
}

fn columns() -> impl Strategy<Value = Columns> {
    (any::<u16>(), any::<u16>(), any::<u16>(), any::<bool>(), any::<bool>()).prop_map(
        |(lists_points, dock_points, side_points, has_lists, has_dock)| Columns {
            lists_points,
            dock_points,
            side_points,
            has_lists,
            has_dock,
        },
    )
}

proptest! {
    #[test]
    fn the_panes_fill_the_window_and_none_is_too_narrow(
        width in 480.0f32..4_000.0,
        columns in columns(),
        front in any::<[bool; 4]>(),
        side in prop::sample::select(vec![SidePanel::Conversation, SidePanel::Wire, SidePanel::Keys]),
    ) {
        let mut layout = Layout::default();
        (layout.is_video_in_front, layout.has_people_in_front, layout.has_library_in_front) = (front[0], front[1], front[2]);
        for has_video in [false, true] {
            let contents = Contents { has_video, side, is_side_wide: front[3] };
            let places = decide((width, 400.0), contents, &layout, &columns);
            let sum: f32 = places.panes.iter().map(|(_, width)| width).sum();
            prop_assert!((sum - width).abs() < 0.01, "{places:?}");
            prop_assert_eq!(places.edges.len() + 1, places.panes.len());
            for (pane, width) in &places.panes {
                let least = match pane {
                    Pane::Lists => f32::from(LISTS_POINTS[0]),
                    Pane::People | Pane::Library => 180.0,
                    _ => f32::from(RIGHT_LEAST_POINTS),
                };
                prop_assert!(*width >= least, "{pane:?} has {width} in {places:?}");
            }
        }
    }
}

#[test]
fn a_narrow_window_for_a_while_leaves_the_chosen_widths_alone() {
    let mut state = joined();
    watch(&mut state, 2);
    state.handle(Action::Layout(LayoutAction::Resize(Column::Dock, 500)), moment());
    state.handle(Action::Layout(LayoutAction::Resize(Column::Lists, 330)), moment());
    state.set_window_points(1600.0, 900.0);
    let before = state.places();
    assert_eq!(before.panes, [(Pane::Lists, 330.0), (Pane::Player, 770.0), (Pane::Conversation, 500.0)]);
    // As at twice the zoom, and then in a window where nothing of that has room.
    for size in [(800.0, 450.0), (950.0, 600.0)] {
        state.set_window_points(size.0, size.1);
        assert_ne!(state.places(), before);
    }
    state.set_window_points(1600.0, 900.0);
    assert_eq!(state.places(), before);
}

#[test]
fn each_place_has_a_width_of_its_own() {
    let mut state = joined();
    state.handle(Action::ShowSide(SidePanel::Wire), moment());
    state.handle(Action::Layout(LayoutAction::Resize(Column::Side, 420)), moment());
    watch(&mut state, 2);
    let width = |state: &State| state.places().panes.last().unwrap().1;
    assert_eq!(width(&state), 340.0, "beside a video it is as wide as that column is");
    state.handle(Action::StopWatching, moment());
    assert_eq!(width(&state), 420.0);
    state.handle(Action::Layout(LayoutAction::ResetWidth(Column::Side)), moment());
    assert_eq!(width(&state), 360.0);
}

#[test]
fn what_is_chosen_comes_to_the_front_of_a_narrow_window() {
    let mut state = joined();
    state.set_window_points(560.0, 400.0);
    let front = |state: &State| panes(&state.places());
    assert_eq!(front(&state), [Pane::People]);
    state.handle(Action::Select(bob_peer()), moment());
    assert_eq!(front(&state), [Pane::Conversation]);
    watch(&mut state, 2);
    assert_eq!(front(&state), [Pane::Player]);
    state.handle(Action::Layout(LayoutAction::ShowLibrary(true)), moment());
    assert_eq!(front(&state), [Pane::Library]);
    state.handle(Action::Select(Peer::Everyone), moment());
    assert_eq!(front(&state), [Pane::Conversation]);
    state.handle(Action::Layout(LayoutAction::ShowPeople(true)), moment());
    assert_eq!(front(&state), [Pane::People]);
    state.handle(Action::Layout(LayoutAction::ShowVideo), moment());
    assert_eq!(front(&state), [Pane::Library], "the player waits behind it");
}

#[test]
fn a_message_behind_a_video_is_unread_until_the_conversation_is_in_front() {
    let mut state = joined();
    state.set_window_points(800.0, 600.0);
    state.handle(Action::Select(bob_peer()), moment());
    state.handle(Action::Layout(LayoutAction::ShowVideo), moment());
    state.apply(crate::support::scenes::message("bob", &bob(), &[], "Hello?", 1), moment());
    assert_eq!(state.unread_count(), 1);
    // Wide enough for both.
    state.set_window_points(1200.0, 600.0);
    assert_eq!(state.unread_count(), 0);
}

#[test]
fn a_message_is_not_read_while_a_small_window_comes_back_from_the_full_screen() {
    let screen = (1280.0, 800.0);
    let mut state = joined();
    state.set_window_points(600.0, 400.0);
    state.handle(Action::Select(bob_peer()), moment());
    watch(&mut state, 2);
    assert!(!state.shows_conversation(), "the video has the window");
    state.handle(Action::ToggleView(PlayerView::FullScreen), moment());
    state.set_window_points(screen.0, screen.1);
    state.apply(crate::support::scenes::message("bob", &bob(), &[], "Hello?", 1), moment());
    state.handle(Action::ToggleView(PlayerView::FullScreen), moment());
    // The window is as large as the screen for two more frames.
    for _ in 0..2 {
        state.set_window_points(screen.0, screen.1);
        assert!(!state.shows_conversation());
    }
    state.set_window_points(600.0, 400.0);
    assert_eq!((state.shows_conversation(), state.unread_count()), (false, 1));
    // A window that stays so large is so large.
    state.handle(Action::ToggleView(PlayerView::FullScreen), moment());
    state.set_window_points(screen.0, screen.1);
    state.handle(Action::ToggleView(PlayerView::FullScreen), moment());
    (0..100).for_each(|_| state.set_window_points(screen.0, screen.1));
    assert_eq!((state.shows_conversation(), state.unread_count()), (true, 0));
}
