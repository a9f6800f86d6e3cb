//! What the program remembers from one run to the next, as plain data, and what of it has to be written down.

use clap::ValueEnum;
use common::{limits::MAX_NAME_CHARS, name::Name};
use serde::{Deserialize, Serialize};

/// The smallest and the largest window that is remembered, in points at 100 % zoom.
const WINDOW_POINTS: [u32; 2] = [320, 16_384];

/// Limits of the zoom, in percent: those of the window library.
const ZOOM_PERCENT: [u16; 2] = [20, 500];

/// Longest remembered server address, in bytes: a host name has at most 253.
const MAX_SERVER_BYTES: usize = 300;

/// What is remembered. Each value has a default, so a file may lack any of them; what it holds beyond them is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The server that was joined last, as it was typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The name under which that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Colours of the window.
    pub theme: Colours,
    /// Whether the colours have high contrast; unless it was chosen, as the desktop is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high_contrast: Option<bool>,
    /// Whether fades and animated scrolling are left out; unless it was chosen, as the desktop is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reduced_motion: Option<bool>,
    /// Size of all texts and controls.
    pub zoom_percent: u16,
    /// Volume of the sound.
    pub volume_percent: u8,
    /// Whether others are told what is watched here.
    pub is_watching_shown: bool,
    /// Speed at which videos are played.
    pub speed_percent: u32,
    /// SHA-256 of the certificates that were compared with the consoles of their servers, hexadecimal, the latest last.
    pub verified_certificates: Vec<String>,
    /// What the desktop shows of messages that arrive while the window is not in front.
    pub notifications: Notifications,
    /// Size of the window.
    pub window: WindowSettings,
    /// Columns of the window.
    pub columns: Columns,
}

/// What the desktop shows of messages that arrive while the window is not in front.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notifications {
    /// Nothing.
    Off,
    /// Who wrote. The desktop may keep a list of notifications, and show them while the screen is locked.
    #[default]
    WithoutText,
    /// Who wrote, and what.
    WithText,
}

/// The window as it was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WindowSettings {
    /// Width at 100 % zoom; while the window is maximised, that of before.
    pub width_points: u32,
    /// Height at 100 % zoom; while the window is maximised, that of before.
    pub height_points: u32,
    /// Whether it was maximised.
    pub is_maximized: bool,
}

/// What was chosen for the columns of the window. The widths are what was asked for: a window that is too narrow, or zoomed
/// in, gives less for as long as it is, and does not change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Columns {
    /// Width of the lists of people and videos.
    pub lists_points: u16,
    /// Width of what is docked at the right of a video.
    pub dock_points: u16,
    /// Width of the wire and the keys beside a conversation.
    pub side_points: u16,
    /// Whether the lists are shown, where there is room to hide them.
    pub has_lists: bool,
    /// Whether something is docked at the right of a video.
    pub has_dock: bool,
}

impl Default for Columns {
    fn default() -> Self {
        Self { lists_points: 260, dock_points: 340, side_points: 360, has_lists: true, has_dock: true }
    }
}

/// Colours of the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colours {
    /// As the desktop is set; dark where it does not say
    #[default]
    System,
    /// Dark on light
    Light,
    /// Light on dark
    Dark,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: None,
            name: None,
            theme: Colours::default(),
            high_contrast: None,
            reduced_motion: None,
            zoom_percent: 100,
            volume_percent: 100,
            is_watching_shown: true,
            speed_percent: 100,
            verified_certificates: Vec::new(),
            notifications: Notifications::default(),
            window: WindowSettings::default(),
            columns: Columns::default(),
        }
    }
}

impl Default for WindowSettings {
    fn default() -> Self {
        Self { width_points: 1200, height_points: 760, is_maximized: false }
    }
}

impl Settings {
    /// The settings in this text.
    ///
    /// # Errors
    /// A clause that says what is wrong with the text, when it is not TOML or a value is of another type than expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let settings: Self = toml::from_str(text).map_err(|error| error.message().trim_end().replace('\n', ", "))?;
        Ok(settings.clamped())
    }

    /// The settings as text for the file.
    pub fn to_text(&self) -> String {
        let settings = toml::to_string(self).expect("numbers, words and tables can be written as TOML");
        format!("# Triptych writes this file itself. What is changed here counts from the next start on.\n{settings}")
    }

    /// The same with every value within its limits: a file that was edited by hand must not make the window unusable.
    fn clamped(mut self) -> Self {
        let [least, most] = WINDOW_POINTS;
        self.window.width_points = self.window.width_points.clamp(least, most);
        self.window.height_points = self.window.height_points.clamp(least, most);
        self.zoom_percent = self.zoom_percent.clamp(ZOOM_PERCENT[0], ZOOM_PERCENT[1]);
        self.volume_percent = self.volume_percent.min(100);
        self.server.take_if(|server| server.trim().is_empty() || server.len() > MAX_SERVER_BYTES);
        self.name.take_if(|name| name.chars().count() > MAX_NAME_CHARS || Name::parse(name).is_err());
        self
    }
}

/// Settings that were given on the command line. They win over the remembered ones, and are not written down until the
/// person changes them in the window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// Address of the server.
    pub server: Option<String>,
    /// Name to join under.
    pub name: Option<String>,
    /// Colours of the window.
    pub theme: Option<Colours>,
}

/// Decides what of the settings is written down.
#[derive(Debug, Clone)]
pub struct Remembered {
    written: Settings,
    given: Given,
}

impl Remembered {
    /// `stored` is what the file holds.
    pub fn new(stored: Settings, given: Given) -> Self {
        Self { written: stored, given }
    }

    /// The settings to start with.
    pub fn initial(&self) -> Settings {
        let Given { server, name, theme } = self.given.clone();
        let stored = self.written.clone();
        Settings {
            server: server.or(stored.server),
            name: name.or(stored.name),
            theme: theme.unwrap_or(stored.theme),
            ..stored
        }
    }

    /// What has to be written down, now that these are the settings; `None` if the file holds it already.
    pub fn update(&mut self, settings: &Settings) -> Option<Settings> {
        if settings == &self.written {
            return None;
        }
        // What was given counts as unchanged until it differs for the first time; from then on it is an ordinary setting.
        self.given.server.take_if(|given| settings.server.as_ref() != Some(given));
        self.given.name.take_if(|given| settings.name.as_ref() != Some(given));
        self.given.theme.take_if(|given| settings.theme != *given);
        let mut next = settings.clone();
        if self.given.server.is_some() {
            next.server.clone_from(&self.written.server);
        }
        if self.given.name.is_some() {
            next.name.clone_from(&self.written.name);
        }
        if self.given.theme.is_some() {
            next.theme = self.written.theme;
        }
        if next == self.written {
            return None;
        }
        self.written = next.clone();
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is in the file, what comes out can be used, and is read as the same after it was written.
        #[test]
        fn what_is_read_is_within_limits_and_survives_writing(
            server in prop::option::of(".*"),
            name in prop::option::of(".*"),
            numbers in prop::array::uniform2(any::<u32>()),
            is_maximized: bool,
            zoom_percent: u16,
            volume_percent: u8,
        ) {
            let window = WindowSettings { width_points: numbers[0], height_points: numbers[1], is_maximized };
            let settings = Settings { server, name, zoom_percent, volume_percent, window, ..Settings::default() };
            let read = Settings::parse(&settings.to_text()).unwrap();
            prop_assert!((20..=500).contains(&read.zoom_percent) && read.volume_percent <= 100);
            prop_assert!(read.window.width_points >= 320 && read.window.height_points <= 16_384);
            prop_assert!(read.name.as_deref().is_none_or(|name| Name::parse(name).is_ok()));
            prop_assert_eq!(Settings::parse(&read.to_text()).unwrap(), read);
        }
    }

    #[test]
    fn a_file_may_lack_values_and_hold_others() {
        assert_eq!(Settings::parse("").unwrap(), Settings::default());
        let text = "theme = \"dark\"\nfuture = [1, 2]\n[window]\nwidth_points = 900\n[other]\nx = 1\n";
        let settings = Settings::parse(text).unwrap();
        let window = WindowSettings { width_points: 900, ..WindowSettings::default() };
        assert_eq!(settings, Settings { theme: Colours::Dark, window, ..Settings::default() });
    }

    #[test]
    fn what_cannot_be_understood_is_an_error() {
        for text in ["not toml [", "theme = \"sepia\"", "zoom_percent = \"big\"", "window = 3", "volume_percent = -1"] {
            assert!(!Settings::parse(text).unwrap_err().is_empty(), "{text}");
        }
    }

    #[test]
    fn what_was_given_wins_and_is_not_written_until_it_is_changed() {
        let stored = Settings { server: Some("lab".into()), theme: Colours::Light, ..Settings::default() };
        let given = Given { server: Some("other".into()), name: Some("Ada".into()), theme: Some(Colours::Dark) };
        let mut remembered = Remembered::new(stored.clone(), given);
        let mut now = remembered.initial();
        assert_eq!((now.server.as_deref(), now.name.as_deref()), (Some("other"), Some("Ada")));
        assert_eq!(now.theme, Colours::Dark);
        assert_eq!(remembered.update(&now), None);
        now.volume_percent = 40;
        assert_eq!(remembered.update(&now), Some(Settings { volume_percent: 40, ..stored.clone() }));
        assert_eq!(remembered.update(&now), None, "it is written once");
        now.theme = Colours::System;
        let expected = Settings { volume_percent: 40, theme: Colours::System, ..stored };
        assert_eq!(remembered.update(&now), Some(expected.clone()));
        now.theme = Colours::Dark;
        assert_eq!(remembered.update(&now), Some(Settings { theme: Colours::Dark, ..expected.clone() }), "chosen now");
        now.server = Some("third".into());
        let written = remembered.update(&now).unwrap();
        assert_eq!((written.server.as_deref(), written.name), (Some("third"), None));
    }
}
