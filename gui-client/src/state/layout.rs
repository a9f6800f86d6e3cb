//! Which parts of the window are shown and how wide they are, decided from its size and from what the person has hidden.
//! Pure: the views place themselves by what [`decide`] returns.
//!
//! ```text
//! from 900 points:   lists | conversation | wire or keys      without a video
//!                    lists | player       | conversation, wire or keys
//! below:             one tab at a time: chat, video, wire, keys; from 600 points the chat has the people beside it
//! ```

use super::{State, player::view::PlayerView};
use crate::settings::Columns;

/// From this width on, everything is side by side.
pub const WIDE_POINTS: f32 = 900.0;

/// From this width on, people and conversation are side by side.
pub const TWO_PANES_POINTS: f32 = 600.0;

/// Below this height, the bar at the top is lower.
const LOW_POINTS: f32 = 480.0;

/// Height of the bar at the top: usual, and in a low window.
const BAR_POINTS: [f32; 2] = [44.0, 38.0];

/// Least and most width of the lists.
pub const LISTS_POINTS: [u16; 2] = [200, 360];

/// Least width of the right column, and of a conversation.
pub const RIGHT_LEAST_POINTS: u16 = 280;

/// Least width of what has the middle.
const MIDDLE_LEAST_POINTS: f32 = 320.0;

/// Least width of the people beside a conversation in a narrow window.
const PEOPLE_LEAST_POINTS: f32 = 180.0;

/// What is chosen of conversation, wire and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SidePanel {
    /// The conversation with the selected peer.
    Conversation,
    /// Every envelope that the server relayed.
    Wire,
    /// The dictionary: everyone online, with their keys.
    Keys,
}

/// A column whose width the person can change. Each keeps its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// People and videos, at the left.
    Lists,
    /// What is docked at the right of a video.
    Dock,
    /// The wire or the keys, at the right of a conversation.
    Side,
}

fn width_of(columns: &mut Columns, column: Column) -> &mut u16 {
    match column {
        Column::Lists => &mut columns.lists_points,
        Column::Dock => &mut columns.dock_points,
        Column::Side => &mut columns.side_points,
    }
}

/// What is in front where not everything has room. The columns are part of the settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Whether the video has the window while it is narrow, instead of the chat, the wire or the keys.
    pub is_video_in_front: bool,
    /// Whether the list of people is shown instead of the conversation, where only one of them has room.
    pub has_people_in_front: bool,
    /// Whether the list of videos is shown instead of the player, where only one of them has room.
    pub has_library_in_front: bool,
    /// Whether it is shown what the program is.
    pub shows_about: bool,
    /// Width and height of the window in points, without the time in which the video has the screen.
    window_points: (f32, f32),
    /// Width and height of the screen in points, and for how many more frames the window may have them although the video has
    /// left the full screen.
    screen_points: Option<((f32, f32), u8)>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            is_video_in_front: false,
            has_people_in_front: true,
            has_library_in_front: false,
            shows_about: false,
            window_points: (1200.0, 760.0),
            screen_points: None,
        }
    }
}

/// A window that still has the size of the screen after this many frames has it for good.
const RESTORING_FRAMES: u8 = 30;

/// One change of the layout by the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayoutAction {
    /// Show the player or the videos, in a narrow window.
    ShowVideo,
    /// Show the lists, or hide them.
    ShowLists(bool),
    /// Show what is docked at the right of a video, or hide it.
    ShowDock(bool),
    /// Show the people (`true`) or the conversation, where one of them has room.
    ShowPeople(bool),
    /// Show the videos (`true`) or the player, where one of them has room.
    ShowLibrary(bool),
    /// Show what the program is, or hide it.
    ShowAbout(bool),
    /// Give a column this width in points.
    Resize(Column, u16),
    /// Give a column its first width.
    ResetWidth(Column),
}

/// A part of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pane {
    /// People and videos, one below the other.
    Lists,
    /// People only.
    People,
    /// Videos only.
    Library,
    /// The video that plays.
    Player,
    /// The open conversation.
    Conversation,
    /// The wire.
    Wire,
    /// The keys.
    Keys,
}

/// What the switch in the bar chooses between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tab {
    /// The conversation, in a narrow window with the people.
    Chat,
    /// The player or the videos.
    Video,
    /// The wire.
    Wire,
    /// The keys.
    Keys,
}

impl Tab {
    /// What is written on it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Chat => "Chat",
            Self::Video => "Video",
            Self::Wire => "Wire",
            Self::Keys => "Keys",
        }
    }
}

/// The way back to what has no room beside the only pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// From the conversation to the people.
    ToPeople,
    /// From the player to the videos.
    ToLibrary,
    /// From the videos to the player.
    ToPlayer,
}

/// Where everything is.
#[derive(Debug, Clone, PartialEq)]
pub struct Places {
    /// Height of the bar at the top, in points.
    pub bar_points: f32,
    /// What the switch in the bar offers.
    pub tabs: &'static [Tab],
    /// The one that is chosen.
    pub tab: Tab,
    /// The panes from left to right, with their widths in points. The widths add up to that of the window.
    pub panes: Vec<(Pane, f32)>,
    /// The column whose width the edge at the right of each pane changes; one entry less than there are panes.
    pub edges: Vec<Column>,
    /// Whether the lists can be shown and hidden.
    pub can_hide_lists: bool,
    /// Whether what is docked at the right of a video can be shown and hidden.
    pub can_hide_dock: bool,
    /// The way back, if there is one.
    pub back: Option<Back>,
}

impl Places {
    /// Whether this pane is shown.
    pub fn has(&self, pane: Pane) -> bool {
        self.panes.iter().any(|(shown, _)| *shown == pane)
    }

    /// Where the widest pane begins and ends, in points from the left edge of the window.
    pub fn widest(&self) -> (f32, f32) {
        let mut left = 0.0;
        let ranges = self.panes.iter().map(|(_, width)| {
            left += width;
            (left - width, left)
        });
        ranges.max_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0))).unwrap_or_default()
    }

    fn alone(self, pane: Pane, width: f32) -> Self {
        Self { panes: vec![(pane, width)], ..self }
    }
}

/// What there is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Whether a video is in the player.
    pub has_video: bool,
    /// What was chosen of conversation, wire and keys.
    pub side: SidePanel,
    /// Whether wire or keys have most of a wide window.
    pub is_side_wide: bool,
}

/// Decides what is where in a window of this width and height in points.
pub fn decide((width, height): (f32, f32), contents: Contents, layout: &Layout, columns: &Columns) -> Places {
    let [usual_bar, low_bar] = BAR_POINTS;
    let empty = Places {
        bar_points: if height < LOW_POINTS { low_bar } else { usual_bar },
        tabs: &[Tab::Chat, Tab::Wire, Tab::Keys],
        tab: match contents.side {
            SidePanel::Conversation => Tab::Chat,
            SidePanel::Wire => Tab::Wire,
            SidePanel::Keys => Tab::Keys,
        },
        panes: Vec::new(),
        edges: Vec::new(),
        can_hide_lists: false,
        can_hide_dock: false,
        back: None,
    };
    if width >= WIDE_POINTS {
        wide(width, contents, columns, empty)
    } else {
        narrow(width, contents, layout, columns, empty)
    }
}

fn side_pane(side: SidePanel) -> Pane {
    match side {
        SidePanel::Conversation => Pane::Conversation,
        SidePanel::Wire => Pane::Wire,
        SidePanel::Keys => Pane::Keys,
    }
}

fn wide(width: f32, contents: Contents, columns: &Columns, empty: Places) -> Places {
    let right_least = f32::from(RIGHT_LEAST_POINTS);
    let [lists_least, lists_most] = LISTS_POINTS;
    let lists = f32::from(columns.lists_points.clamp(lists_least, lists_most));
    let lists = if columns.has_lists { lists.min(width - right_least - MIDDLE_LEAST_POINTS) } else { 0.0 };
    let (middle, right, asked) = if contents.has_video {
        let docked = columns.has_dock.then_some((Column::Dock, side_pane(contents.side)));
        (Pane::Player, docked, columns.dock_points)
    } else {
        let beside = (contents.side != SidePanel::Conversation).then_some((Column::Side, side_pane(contents.side)));
        (Pane::Conversation, beside, columns.side_points)
    };
    let room = (width - lists - MIDDLE_LEAST_POINTS).max(right_least);
    let is_widened = contents.is_side_wide && contents.side != SidePanel::Conversation;
    let right_width = if is_widened { room } else { f32::from(asked).clamp(right_least, room) };
    let right_width = if right.is_some() { right_width } else { 0.0 };
    let mut panes = Vec::with_capacity(3);
    let mut edges = Vec::with_capacity(2);
    if columns.has_lists {
        panes.push((Pane::Lists, lists));
        edges.push(Column::Lists);
    }
    panes.push((middle, width - lists - right_width));
    if let Some((column, pane)) = right {
        edges.push(column);
        panes.push((pane, right_width));
    }
    Places { panes, edges, can_hide_lists: true, can_hide_dock: contents.has_video, ..empty }
}

fn narrow(width: f32, contents: Contents, layout: &Layout, columns: &Columns, empty: Places) -> Places {
    let empty = Places { tabs: &[Tab::Chat, Tab::Video, Tab::Wire, Tab::Keys], ..empty };
    if layout.is_video_in_front {
        let empty = Places { tab: Tab::Video, ..empty };
        return match (contents.has_video, layout.has_library_in_front) {
            (false, _) => empty.alone(Pane::Library, width),
            (true, true) => Places { back: Some(Back::ToPlayer), ..empty }.alone(Pane::Library, width),
            (true, false) => Places { back: Some(Back::ToLibrary), ..empty }.alone(Pane::Player, width),
        };
    }
    match contents.side {
        SidePanel::Wire | SidePanel::Keys => empty.alone(side_pane(contents.side), width),
        SidePanel::Conversation if width >= TWO_PANES_POINTS => {
            let empty = Places { can_hide_lists: true, ..empty };
            if !columns.has_lists {
                return empty.alone(Pane::Conversation, width);
            }
            let most = width - MIDDLE_LEAST_POINTS;
            let people = f32::from(columns.lists_points).clamp(PEOPLE_LEAST_POINTS, most);
            let panes = vec![(Pane::People, people), (Pane::Conversation, width - people)];
            Places { panes, edges: vec![Column::Lists], ..empty }
        }
        SidePanel::Conversation if layout.has_people_in_front => empty.alone(Pane::People, width),
        SidePanel::Conversation => Places { back: Some(Back::ToPeople), ..empty }.alone(Pane::Conversation, width),
    }
}

impl State {
    /// Where everything is in the window.
    pub fn places(&self) -> Places {
        let contents =
            Contents { has_video: self.player.showing.is_some(), side: self.side, is_side_wide: self.is_side_wide };
        let places = decide(self.layout.window_points, contents, &self.layout, &self.settings.columns);
        if self.player.view() == PlayerView::Docked {
            return places;
        }
        let only = Places { edges: Vec::new(), can_hide_lists: false, can_hide_dock: false, back: None, ..places };
        only.alone(Pane::Player, self.layout.window_points.0)
    }

    /// Takes in the width and height of the window in points, before each frame. The desktop takes a moment to give the window
    /// its own size back after the full screen. In that moment, what has room on the whole screen is not shown: a message would
    /// count as read that is hidden in the window.
    pub fn set_window_points(&mut self, width: f32, height: f32) {
        let points = (width, height);
        if self.player.view() == PlayerView::FullScreen {
            self.layout.screen_points = Some((points, RESTORING_FRAMES));
            return;
        }
        if let Some((screen_points, frames @ 1..)) = self.layout.screen_points
            && screen_points == points
        {
            self.layout.screen_points = Some((points, frames - 1));
            return;
        }
        self.layout.screen_points = None;
        if self.layout.window_points != points {
            self.change_layout(|state| state.layout.window_points = points);
        }
    }

    /// Whether the open conversation is on the screen.
    pub fn shows_conversation(&self) -> bool {
        self.places().has(Pane::Conversation)
    }

    pub(super) fn handle_layout(&mut self, action: LayoutAction) {
        self.change_layout(|state| {
            let (layout, columns) = (&mut state.layout, &mut state.settings.columns);
            match action {
                LayoutAction::ShowVideo => layout.is_video_in_front = true,
                LayoutAction::ShowLists(has_lists) => columns.has_lists = has_lists,
                LayoutAction::ShowDock(has_dock) => columns.has_dock = has_dock,
                LayoutAction::ShowPeople(is_in_front) => layout.has_people_in_front = is_in_front,
                LayoutAction::ShowLibrary(is_in_front) => layout.has_library_in_front = is_in_front,
                LayoutAction::ShowAbout(is_shown) => layout.shows_about = is_shown,
                LayoutAction::Resize(column, points) => {
                    *width_of(columns, column) = points;
                    // A width that was chosen by hand is the usual one.
                    state.is_side_wide &= column == Column::Lists;
                }
                LayoutAction::ResetWidth(column) => {
                    *width_of(columns, column) = *width_of(&mut Columns::default(), column);
                }
            }
        });
    }

    /// Brings the conversation, the wire or the keys to the front.
    pub(super) fn show_side(&mut self, side: SidePanel) {
        self.change_layout(|state| {
            state.side = side;
            state.player.dock();
            state.layout.is_video_in_front = false;
            state.settings.columns.has_dock = true;
        });
    }

    /// Brings the open conversation to the front.
    pub(super) fn show_conversation(&mut self) {
        self.layout.has_people_in_front = false;
        self.show_side(SidePanel::Conversation);
    }

    /// Brings the player to the front, as far as it needs that.
    pub(super) fn show_player(&mut self) {
        (self.layout.is_video_in_front, self.layout.has_library_in_front) = (true, false);
    }

    /// Makes a change, after which the open conversation may be seen.
    fn change_layout(&mut self, change: impl FnOnce(&mut Self)) {
        let was_shown = self.shows_conversation();
        change(self);
        if !was_shown && self.shows_conversation() {
            self.see_conversation();
        }
    }
}
