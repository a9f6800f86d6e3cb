//! How the window looks: what was chosen in it, and where nothing was chosen, what the desktop says.

use crate::settings::{Colours, Settings};

use super::State;

/// What the desktop says about the look of programs. `None` where it says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Desktop {
    /// Whether it prefers dark colours.
    pub is_dark: Option<bool>,
    /// Whether it asks for high contrast.
    pub has_high_contrast: Option<bool>,
    /// Whether it asks for as little motion as possible.
    pub has_reduced_motion: Option<bool>,
}

/// What the window shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appearance {
    /// Dark or light; `None` leaves it to the window system, and is dark where that says nothing.
    pub is_dark: Option<bool>,
    /// Whether colours have high contrast.
    pub has_high_contrast: bool,
    /// Whether fades and animated scrolling are left out.
    pub has_reduced_motion: bool,
}

/// One choice of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppearanceAction {
    /// Light, dark, or as the desktop.
    SetColours(Colours),
    /// High contrast, or not.
    SetHighContrast(bool),
    /// As little motion as possible, or not.
    SetReducedMotion(bool),
}

/// Decides what the window shows.
pub fn decide(settings: &Settings, desktop: &Desktop) -> Appearance {
    Appearance {
        is_dark: match settings.theme {
            Colours::System => desktop.is_dark,
            Colours::Light => Some(false),
            Colours::Dark => Some(true),
        },
        has_high_contrast: settings.high_contrast.or(desktop.has_high_contrast).unwrap_or(false),
        has_reduced_motion: settings.reduced_motion.or(desktop.has_reduced_motion).unwrap_or(false),
    }
}

impl State {
    /// How the window looks now.
    pub fn appearance(&self) -> Appearance {
        decide(&self.settings, &self.desktop)
    }

    /// A choice that agrees with the desktop is not kept as one: it follows the desktop again.
    pub(super) fn handle_appearance(&mut self, action: AppearanceAction) {
        let settings = &mut self.settings;
        let choice = |chosen: bool, desktop: Option<bool>| (chosen != desktop.unwrap_or(false)).then_some(chosen);
        match action {
            AppearanceAction::SetColours(colours) => settings.theme = colours,
            AppearanceAction::SetHighContrast(on) => {
                settings.high_contrast = choice(on, self.desktop.has_high_contrast)
            }
            AppearanceAction::SetReducedMotion(on) => {
                settings.reduced_motion = choice(on, self.desktop.has_reduced_motion);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_desktop_decides_where_nothing_was_chosen() {
        let desktop = Desktop { is_dark: Some(false), has_high_contrast: Some(true), has_reduced_motion: None };
        let shown = |theme, high_contrast, reduced_motion| {
            decide(&Settings { theme, high_contrast, reduced_motion, ..Settings::default() }, &desktop)
        };
        let appearance = |is_dark, has_high_contrast, has_reduced_motion| Appearance {
            is_dark,
            has_high_contrast,
            has_reduced_motion,
        };
        assert_eq!(shown(Colours::System, None, None), appearance(Some(false), true, false));
        assert_eq!(shown(Colours::Dark, Some(false), Some(true)), appearance(Some(true), false, true));
        assert_eq!(decide(&Settings::default(), &Desktop::default()), Appearance::default());
    }

    #[test]
    fn a_choice_that_agrees_with_the_desktop_follows_it_later() {
        let mut state = State::new(String::new(), String::new(), false);
        state.desktop.has_high_contrast = Some(true);
        state.handle_appearance(AppearanceAction::SetHighContrast(false));
        assert!(!state.appearance().has_high_contrast);
        state.handle_appearance(AppearanceAction::SetHighContrast(true));
        assert!(state.appearance().has_high_contrast);
        state.desktop.has_high_contrast = Some(false);
        assert!(!state.appearance().has_high_contrast);
    }
}
