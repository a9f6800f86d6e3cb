//! How much of the screen the player has.

use super::PlayerState;

/// The room of the player.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PlayerView {
    /// Beside the lists and the conversation.
    #[default]
    Docked,
    /// The whole width of the window.
    Theatre,
    /// The whole screen, with controls that hide.
    FullScreen,
}

impl PlayerState {
    /// The room of the player; without a video, it takes none from the rest.
    pub fn view(&self) -> PlayerView {
        if self.showing.is_some() { self.view } else { PlayerView::Docked }
    }

    /// Gives the player this room, or takes it back.
    pub(in crate::state) fn toggle_view(&mut self, view: PlayerView) {
        if self.view() == view {
            self.leave_view();
        } else if self.showing.is_some() {
            self.view_before = if view == PlayerView::FullScreen { self.view } else { PlayerView::Docked };
            self.view = view;
        }
    }

    /// Gives the rest of the window its room back.
    pub(in crate::state) fn dock(&mut self) {
        (self.view, self.view_before) = (PlayerView::Docked, PlayerView::Docked);
    }

    /// Gives the player the room that it had before.
    pub(in crate::state) fn leave_view(&mut self) {
        self.view = std::mem::take(&mut self.view_before);
    }
}
