//! Colours, sizes and distances. They are all defined here: the colours of each theme in `palettes`, and how egui's own widgets
//! take them in `style`.

mod palettes;
mod style;

use egui::Color32;

pub(in crate::ui) use self::style::FOCUS_WIDTH;
pub use self::{
    palettes::{DARK, DARK_CONTRAST, LIGHT, LIGHT_CONTRAST},
    style::{apply, show},
};
pub use super::fonts::{semibold, tabular, use_system_emoji};

/// The spacing scale, in points.
pub mod space {
    /// Between a name and its caption.
    pub const XS: f32 = 4.0;
    /// Between neighbouring widgets.
    pub const S: f32 = 8.0;
    /// Around the contents of a card or column.
    pub const M: f32 = 12.0;
    /// Between groups.
    pub const L: f32 = 20.0;
}

/// Sizes, in points.
pub mod size {
    /// Most height of the bar at the top.
    pub const STATUS_BAR: f32 = 44.0;
    /// Diameter of the circle with an initial in lists.
    pub const AVATAR: f32 = 28.0;
    /// Height of a row in the list of people.
    pub const CONTACT_ROW: f32 = 42.0;
    /// Height of a row in the list of videos.
    pub const VIDEO_ROW: f32 = 62.0;
    /// Height of a server on the first screen.
    pub const SERVER_ROW: f32 = 72.0;
    /// Height of a row on the wire.
    pub const WIRE_ROW: f32 = 62.0;
    /// Height of a row in the list of keys.
    pub const KEY_ROW: f32 = 64.0;
    /// Most height of bytes in hexadecimal before they scroll.
    pub const HEX: f32 = 124.0;
    /// Width from which the wire shows the list and one envelope side by side, and the width of the list then.
    pub const WIRE_SPLIT: [f32; 2] = [560.0, 250.0];
    /// Corner radius of cards and buttons.
    pub const RADIUS: u8 = 8;
    /// Corner radius of message bubbles.
    pub const BUBBLE_RADIUS: u8 = 12;
    /// Diameter of the dot that shows who is online.
    pub const DOT: f32 = 9.0;
    /// With less height than this below the bar, a decision about the server takes all of it.
    pub const LOW: f32 = 520.0;
    /// Width and height of a strip over the contents.
    pub const STRIP: [f32; 2] = [560.0, 40.0];
    /// Side of a button with an icon.
    pub const ICON_BUTTON: f32 = 32.0;
    /// Width of the form.
    pub const FORM: f32 = 380.0;
    /// Thickness of the seek bar.
    pub const SEEK_BAR: f32 = 8.0;
    /// Least and most height of the picture over the seek bar.
    pub const PREVIEW: [f32; 2] = [44.0, 90.0];
    /// Height of the row with the way back, in a narrow window.
    pub const BACK_ROW: f32 = 36.0;
    /// Half the width of the strip by which an edge between columns is grasped.
    pub const EDGE_GRIP: f32 = 4.0;
    /// Most width of a conversation: longer lines are hard to read.
    pub const READING: f32 = 760.0;
}

/// Font sizes, in points.
pub mod font_size {
    /// The name of the program on the form.
    pub const TITLE: f32 = 26.0;
    /// Titles of videos, cards and screens, in [`semibold`](super::semibold).
    pub const HEADING: f32 = 17.0;
    /// Running text, and names in [`semibold`](super::semibold).
    pub const BODY: f32 = 15.0;
    /// Captions and labels.
    pub const SMALL: f32 = 13.0;
    /// Tables that lie on the picture.
    pub const DENSE: f32 = 12.0;
    /// Headers of lists, in [`semibold`](super::semibold) with [`SECTION_SPACING`].
    pub const SECTION: f32 = 12.0;
    /// Space added between the letters of such a header.
    pub const SECTION_SPACING: f32 = 0.4;
    /// Times in message bubbles.
    pub const TIME: f32 = 11.0;
    /// What is announced over a picture for a moment.
    pub const ANNOUNCEMENT: f32 = 44.0;
    /// Bytes in hexadecimal.
    pub const MONO: f32 = 12.0;
    /// Height of a line of running text.
    pub const BODY_LINE: f32 = 22.0;
}

/// The colours of a theme, by their use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// The background of the window.
    pub background: Color32,
    /// Cards, fields, bubbles of others.
    pub surface: Color32,
    /// A row under the pointer.
    pub hover: Color32,
    /// Lines between parts, and around cards and buttons.
    pub border: Color32,
    /// The edges of fields, check boxes and rails, by which they are recognised.
    pub edge: Color32,
    /// The empty part of a slider, inside its edge.
    pub rail: Color32,
    /// Text.
    pub text: Color32,
    /// Secondary text.
    pub weak: Color32,
    /// Main buttons, badges, and the edge of the selected row.
    pub accent: Color32,
    /// The accent colour under the pointer.
    pub accent_hover: Color32,
    /// Text on the accent colour.
    pub on_accent: Color32,
    /// A faint accent: the selected row, inside an edge of the accent colour.
    pub accent_soft: Color32,
    /// The bubble of an own message.
    pub own_bubble: Color32,
    /// Behind selected text.
    pub selection: Color32,
    /// The ring around what has the keyboard focus, and selected text: egui has one colour for the ring around a field and for the
    /// text selected in it.
    pub focus: Color32,
    /// Success: online, opened.
    pub good: Color32,
    /// A warning about something that may resolve by itself.
    pub warn: Color32,
    /// The background of a warning.
    pub warn_soft: Color32,
    /// An error that a person has to resolve.
    pub bad: Color32,
    /// The background of an error.
    pub bad_soft: Color32,
    /// Around the picture.
    pub screen: Color32,
    /// The translucent background of text on a picture.
    pub overlay: Color32,
    /// Its edge, which tells it from a dark picture.
    pub overlay_edge: Color32,
    /// The same for a table, which may also lie on other text.
    pub dense_overlay: Color32,
    /// Text on the overlay.
    pub on_overlay: Color32,
    /// Secondary text on the overlay.
    pub on_overlay_weak: Color32,
    /// The three parts of a triptych, from low to high resolution.
    pub parts: [Color32; 3],
    /// Avatars; the key of a person selects one of these.
    pub people: [Color32; 8],
    /// The initial in an avatar.
    pub on_people: Color32,
}

impl Theme {
    /// The theme that is active.
    pub fn of(ui: &egui::Ui) -> &'static Theme {
        let visuals = ui.visuals();
        let (usual, high_contrast) =
            if visuals.dark_mode { (&DARK, &DARK_CONTRAST) } else { (&LIGHT, &LIGHT_CONTRAST) };
        // Their backgrounds differ, and `style` has put the one of the active theme there.
        if visuals.panel_fill == high_contrast.background { high_contrast } else { usual }
    }

    /// The colour of segment `index` of `count`, from low to high resolution.
    pub fn part(&self, index: usize, count: usize) -> Color32 {
        let last = self.parts.len() - 1;
        self.parts[if count < 2 { last } else { (index * last / (count - 1)).min(last) }]
    }

    /// The same where its pictures have been received and are not shown yet.
    pub fn received_part(&self, index: usize, count: usize) -> Color32 {
        self.rail.lerp_to_gamma(self.part(index, count), 0.45)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEMES: [(&str, Theme); 4] = [
        ("light", LIGHT),
        ("dark", DARK),
        ("light with high contrast", LIGHT_CONTRAST),
        ("dark with high contrast", DARK_CONTRAST),
    ];

    /// Contrast of two colours by WCAG 2.1.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let luminance = |color: Color32| {
            let linear = egui::Rgba::from(color);
            0.2126 * linear.r() + 0.7152 * linear.g() + 0.0722 * linear.b()
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// What carries text, in the order of the fields.
    fn backgrounds(theme: &Theme) -> [Color32; 7] {
        [
            theme.background,
            theme.surface,
            theme.hover,
            theme.accent_soft,
            theme.own_bubble,
            theme.warn_soft,
            theme.bad_soft,
        ]
    }

    fn assert_contrast(mode: &str, least: f32, pairs: &[(&str, Color32, Color32)]) {
        for (name, color, background) in pairs {
            let contrast = contrast(*color, *background);
            assert!(contrast >= least, "{mode}: {name} has {contrast:.2}");
        }
    }

    #[test]
    fn what_lies_on_a_picture_is_told_from_black_and_from_white() {
        for (mode, theme) in THEMES {
            let on_black = contrast(theme.overlay_edge, Color32::BLACK);
            assert!(on_black >= 3.0, "{mode}: the edge of a badge on black has {on_black:.2}");
            let on_white = contrast(Color32::WHITE.blend(theme.overlay), Color32::WHITE);
            assert!(on_white >= 3.0, "{mode}: a badge on white has {on_white:.2}");
        }
    }

    #[test]
    fn fields_and_check_boxes_have_edges_of_at_least_three() {
        for (mode, theme) in [("light", LIGHT), ("dark", DARK)] {
            for background in [theme.background, theme.surface, theme.warn_soft, theme.bad_soft] {
                let contrast = contrast(theme.edge, background);
                assert!(contrast >= 3.0, "{mode}: {contrast:.2} on {background:?}");
            }
            assert_contrast(
                mode,
                4.5,
                &[
                    ("accent button", theme.on_accent, theme.accent),
                    ("accent button under the pointer", theme.on_accent, theme.accent_hover),
                    ("accent text", theme.accent, theme.background),
                    ("accent text on a card", theme.accent, theme.surface),
                    ("selected text", theme.focus, theme.selection),
                    ("good", theme.good, theme.surface),
                    ("good on the background", theme.good, theme.background),
                    ("warning", theme.warn, theme.warn_soft),
                    ("warning on the background", theme.warn, theme.background),
                    ("alarm", theme.bad, theme.bad_soft),
                    ("failure beside a message", theme.bad, theme.background),
                    ("badge", theme.on_overlay, theme.screen),
                    ("notice on a white picture", theme.on_overlay, Color32::WHITE.blend(theme.overlay)),
                    ("statistics on a white picture", theme.on_overlay_weak, Color32::WHITE.blend(theme.dense_overlay)),
                ],
            );
            let circles = theme.people.map(|circle| ("initial in an avatar", theme.on_people, circle));
            assert_contrast(mode, 4.5, &circles);
        }
    }

    #[test]
    fn what_is_recognised_by_its_edge_or_colour_has_at_least_three() {
        for (mode, theme) in THEMES {
            for background in [theme.background, theme.surface, theme.warn_soft, theme.bad_soft] {
                assert_contrast(mode, 3.0, &[("edge", theme.edge, background)]);
            }
            for background in backgrounds(&theme) {
                assert_contrast(mode, 3.0, &[("focus ring", theme.focus, background)]);
            }
            assert_contrast(
                mode,
                3.0,
                &[
                    ("edge of a rail", theme.edge, theme.background),
                    ("edge of the selected row", theme.accent, theme.background),
                    ("edge of the selected row, inside", theme.accent, theme.accent_soft),
                    ("selection", theme.selection, theme.background),
                    ("selection in a field", theme.selection, theme.surface),
                    ("online on the selected row", theme.good, theme.accent_soft),
                    ("avatar of one who is offline", theme.weak, theme.accent_soft),
                ],
            );
            let parts = theme.parts.map(|part| ("part on the rail", part, theme.rail));
            assert_contrast(mode, 3.0, &parts);
            let parts = theme.parts.map(|part| ("part on the background", part, theme.background));
            assert_contrast(mode, 3.0, &parts);
        }
    }

    #[test]
    fn high_contrast_means_seven_for_text_and_four_and_a_half_for_edges() {
        for (mode, theme) in &THEMES[2..] {
            for background in backgrounds(theme) {
                assert_contrast(
                    mode,
                    7.0,
                    &[("text", theme.text, background), ("secondary text", theme.weak, background)],
                );
            }
            let lines = [("border", theme.border), ("edge", theme.edge), ("accent", theme.accent)];
            assert_contrast(mode, 4.5, &lines.map(|(name, line)| (name, line, theme.background)));
        }
    }

    #[test]
    fn the_background_tells_which_theme_is_active() {
        for (mode, theme) in THEMES {
            let same = THEMES.iter().filter(|(_, other)| other.background == theme.background);
            assert_eq!(same.count(), 1, "{mode}");
        }
    }
}
