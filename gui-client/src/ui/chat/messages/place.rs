//! What the window remembers of a conversation while the program runs: the reading place, the message that the keyboard
//! leads to, and how far back a selection of text reaches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use egui::Ui;

use crate::state::{action::Peer, conversation::Serial};

use super::heights::{Anchor, Heights};

/// Most rows that are drawn for a selection of text.
const MAX_SELECTED: usize = 400;

/// Where the next frame leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// To the end.
    End,
    /// This message at the upper edge.
    Top(Serial),
    /// This message into sight, by the shortest way.
    Nearest(Serial),
    /// By this number of screens, up or down.
    Screens(i8),
}

/// The memory of one conversation.
#[derive(Debug)]
pub(super) struct Place {
    pub heights: Heights,
    pub anchor: Anchor,
    pub target: Option<Target>,
    /// The message that Tab reaches; the last one if there is none.
    pub current: Option<Serial>,
    /// Whether `current` takes the keyboard focus now.
    pub wants_focus: bool,
    /// Messages after this one have arrived while the conversation was open.
    pub known_until: Option<Serial>,
    /// The last message of the last frame.
    pub last: Option<Serial>,
    /// The first and last message that were drawn since a selection of text began.
    selected: Option<(Serial, Serial)>,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            heights: Heights::default(),
            anchor: Anchor::End,
            target: None,
            current: None,
            wants_focus: false,
            known_until: None,
            last: None,
            selected: None,
        }
    }
}

/// A place that several frames share.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedPlace(Arc<Mutex<Place>>);

impl SharedPlace {
    /// Notes that the conversation with `peer` is shown. Returns whether another one was in the last frame.
    pub(super) fn enter(ui: &Ui, peer: Peer) -> bool {
        let open = egui::Id::unique("open conversation");
        ui.data_mut(|data| {
            let was_open = data.get_temp::<Peer>(open) == Some(peer);
            data.insert_temp(open, peer);
            !was_open
        })
    }

    /// The place in the conversation with `peer`.
    pub(super) fn of(ui: &Ui, peer: Peer) -> Self {
        let id = egui::Id::unique(("reading place", peer));
        ui.data_mut(|data| data.get_temp_mut_or_default::<Self>(id).clone())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Place> {
        // Poisoning is ignored: at worst, the reading place is that of another frame.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Forgets how far a selection of text reached.
    pub(super) fn selected_anew(&mut self) {
        self.selected = None;
    }

    /// The rows to draw: those in sight, and, while text is selected, all that were drawn since the selection began. egui
    /// forgets a selection of which it does not see both ends.
    pub(super) fn drawn(&mut self, ui: &Ui, visible: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let has_selection = ui
            .ctx()
            .plugin_opt::<egui::text_selection::LabelSelectionState>()
            .is_some_and(|selection| selection.lock().has_selection());
        let (Some(first), Some(last)) =
            (self.heights.serial(visible.start), self.heights.serial(visible.end.saturating_sub(1)))
        else {
            return visible;
        };
        if !has_selection {
            self.selected = Some((first, last));
            return visible;
        }
        let known = self.selected.and_then(|(first, last)| Some((self.heights.find(first)?, self.heights.find(last)?)));
        let (start, end) = known.map_or((visible.start, visible.end), |(first, last)| {
            (first.min(visible.start), (last + 1).max(visible.end))
        });
        if end - start > MAX_SELECTED {
            return visible;
        }
        self.selected = self.heights.serial(start).zip(self.heights.serial(end - 1));
        start..end
    }
}
