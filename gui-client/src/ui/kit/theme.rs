//! Colours, sizes and distances. They are all defined here.

use egui::{
    Color32, Context, CornerRadius, FontFamily, FontId, Margin, Stroke, Style, TextStyle, Theme as Mode, Vec2, Visuals,
    style::{Selection, WidgetVisuals},
};

use super::fonts;

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
    pub const VIDEO_ROW: f32 = 52.0;
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
    /// Width and height of a strip over the contents.
    pub const STRIP: [f32; 2] = [560.0, 40.0];
    /// Side of a button with an icon.
    pub const ICON_BUTTON: f32 = 32.0;
    /// Width of the form.
    pub const FORM: f32 = 380.0;
    /// Thickness of the seek bar.
    pub const SEEK_BAR: f32 = 8.0;
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

pub use super::fonts::{semibold, tabular, use_system_emoji};

/// The colours of a theme, by their use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// The background of the window.
    pub background: Color32,
    /// Cards, fields, bubbles of others.
    pub surface: Color32,
    /// A row under the pointer.
    pub hover: Color32,
    /// Lines, and the empty part of sliders.
    pub border: Color32,
    /// The edges of fields and check boxes, by which they are recognised.
    pub edge: Color32,
    /// Text.
    pub text: Color32,
    /// Secondary text.
    pub weak: Color32,
    /// Main buttons, badges, focus and selection.
    pub accent: Color32,
    /// The accent colour under the pointer.
    pub accent_hover: Color32,
    /// Text on the accent colour.
    pub on_accent: Color32,
    /// A faint accent: own bubbles, the selected row.
    pub accent_soft: Color32,
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

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// The light theme.
pub const LIGHT: Theme = Theme {
    background: rgb(0xf7f7f9),
    surface: rgb(0xffffff),
    hover: rgb(0xe1e3ec),
    border: rgb(0xd7d9e2),
    edge: rgb(0x7f859a),
    text: rgb(0x1c1f2a),
    weak: rgb(0x5a6072),
    accent: rgb(0x4a4fd0),
    accent_hover: rgb(0x3a3fb8),
    on_accent: rgb(0xffffff),
    accent_soft: rgb(0xdfe1fa),
    good: rgb(0x167a4a),
    warn: rgb(0x8a5200),
    warn_soft: rgb(0xfdf0d8),
    bad: rgb(0xb3261e),
    bad_soft: rgb(0xfbe4e2),
    screen: rgb(0x0c0d11),
    overlay: Color32::from_rgba_premultiplied(8, 9, 13, 200),
    overlay_edge: rgb(0x6d7385),
    dense_overlay: Color32::from_rgba_premultiplied(12, 13, 18, 236),
    on_overlay: rgb(0xf4f5fa),
    on_overlay_weak: rgb(0xb4bac9),
    parts: [rgb(0xa9adf0), rgb(0x767cdf), rgb(0x4a4fd0)],
    people: [
        rgb(0x2f6f9f),
        rgb(0x8a4b9e),
        rgb(0xa8512f),
        rgb(0x2f7d55),
        rgb(0x9e3f63),
        rgb(0x6b6a1f),
        rgb(0x3f5fb5),
        rgb(0x7a5a3c),
    ],
    on_people: rgb(0xffffff),
};

/// The dark theme.
pub const DARK: Theme = Theme {
    background: rgb(0x14161c),
    surface: rgb(0x232732),
    hover: rgb(0x2b303d),
    border: rgb(0x313644),
    edge: rgb(0x727b91),
    text: rgb(0xe9ebf2),
    weak: rgb(0xa0a7b8),
    accent: rgb(0x9aa0ff),
    accent_hover: rgb(0xb4b9ff),
    on_accent: rgb(0x12132a),
    accent_soft: rgb(0x2f3358),
    good: rgb(0x56cf95),
    warn: rgb(0xf2bd68),
    warn_soft: rgb(0x3a2f1b),
    bad: rgb(0xff8a84),
    bad_soft: rgb(0x3f2325),
    screen: rgb(0x08090c),
    overlay: Color32::from_rgba_premultiplied(8, 9, 13, 200),
    overlay_edge: rgb(0x6d7385),
    dense_overlay: Color32::from_rgba_premultiplied(12, 13, 18, 236),
    on_overlay: rgb(0xf4f5fa),
    on_overlay_weak: rgb(0xb4bac9),
    parts: [rgb(0x565ca8), rgb(0x777ed6), rgb(0x9aa0ff)],
    people: [
        rgb(0x7ab8e0),
        rgb(0xcf9be0),
        rgb(0xeaa184),
        rgb(0x7fcfa3),
        rgb(0xec97b3),
        rgb(0xd0cf7c),
        rgb(0x9db3f5),
        rgb(0xd3b394),
    ],
    on_people: rgb(0x14161c),
};

impl Theme {
    /// The theme that is active.
    pub fn of(ui: &egui::Ui) -> &'static Theme {
        if ui.visuals().dark_mode { &DARK } else { &LIGHT }
    }

    /// The colour of segment `index` of `count`, from low to high resolution.
    pub fn part(&self, index: usize, count: usize) -> Color32 {
        let last = self.parts.len() - 1;
        self.parts[if count < 2 { last } else { (index * last / (count - 1)).min(last) }]
    }

    /// The empty part of a slider.
    pub fn rail(&self) -> Color32 {
        self.edge
    }

    /// The same where its pictures have been received and are not shown yet.
    pub fn received_part(&self, index: usize, count: usize) -> Color32 {
        self.border.lerp_to_gamma(self.part(index, count), 0.45)
    }
}

/// Applies the fonts and both themes to egui, once at the start.
pub fn apply(ctx: &Context) {
    fonts::install(ctx);
    for (mode, theme) in [(Mode::Light, &LIGHT), (Mode::Dark, &DARK)] {
        ctx.style_mut_of(mode, |style| apply_style(style, mode, theme));
    }
}

fn apply_style(style: &mut Style, mode: Mode, theme: &Theme) {
    style.text_styles = [
        (TextStyle::Heading, semibold(font_size::HEADING)),
        (TextStyle::Body, FontId::new(font_size::BODY, FontFamily::Proportional)),
        (TextStyle::Button, FontId::new(font_size::BODY, FontFamily::Proportional)),
        (TextStyle::Small, FontId::new(font_size::SMALL, FontFamily::Proportional)),
        (TextStyle::Monospace, FontId::new(font_size::MONO, FontFamily::Monospace)),
    ]
    .into();
    style.spacing.item_spacing = Vec2::new(space::S, space::XS);
    style.spacing.button_padding = Vec2::new(14.0, 7.0);
    style.spacing.interact_size.y = 30.0;
    style.spacing.window_margin = Margin::same(12);
    style.spacing.menu_margin = Margin::same(8);
    style.spacing.scroll = egui::style::ScrollStyle::thin();
    style.visuals = visuals(mode, theme);
}

fn visuals(mode: Mode, theme: &Theme) -> Visuals {
    let mut visuals = match mode {
        Mode::Light => Visuals::light(),
        Mode::Dark => Visuals::dark(),
    };
    let radius = CornerRadius::same(size::RADIUS);
    let widget = |fill: Color32, border: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, border),
        corner_radius: radius,
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    visuals.widgets.noninteractive = widget(theme.surface, theme.border, theme.text);
    visuals.widgets.inactive = widget(theme.surface, theme.border, theme.text);
    visuals.widgets.hovered = widget(theme.hover, theme.accent, theme.text);
    visuals.widgets.active = widget(theme.accent_soft, theme.accent, theme.text);
    visuals.widgets.open = widget(theme.hover, theme.border, theme.text);
    visuals.selection =
        Selection { bg_fill: theme.accent.gamma_multiply(0.35), stroke: Stroke::new(1.5, theme.accent) };
    visuals.weak_text_color = Some(theme.weak);
    visuals.hyperlink_color = theme.accent;
    visuals.faint_bg_color = theme.hover;
    visuals.extreme_bg_color = theme.surface;
    visuals.code_bg_color = theme.hover;
    visuals.warn_fg_color = theme.warn;
    visuals.error_fg_color = theme.bad;
    visuals.panel_fill = theme.background;
    visuals.window_fill = theme.surface;
    visuals.window_stroke = Stroke::new(1.0, theme.border);
    visuals.window_corner_radius = radius;
    visuals.menu_corner_radius = radius;
    // A blinking cursor redraws the window twice a second; a window at rest should cost nothing.
    visuals.text_cursor.blink = false;
    visuals.text_cursor.stroke = Stroke::new(2.0, theme.accent);
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast of two colours by WCAG 2.1.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let luminance = |color: Color32| {
            let linear = egui::Rgba::from(color);
            0.2126 * linear.r() + 0.7152 * linear.g() + 0.0722 * linear.b()
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_has_a_contrast_of_at_least_four_and_a_half() {
        for (mode, theme) in [("light", LIGHT), ("dark", DARK)] {
            let backgrounds = [theme.background, theme.surface, theme.hover, theme.accent_soft];
            for (index, background) in backgrounds.into_iter().enumerate() {
                for (name, color) in [("text", theme.text), ("weak", theme.weak)] {
                    let contrast = contrast(color, background);
                    assert!(contrast >= 4.5, "{mode}: {name} on background {index} has {contrast:.2}");
                }
            }
            let pairs = [
                ("accent button", theme.on_accent, theme.accent),
                ("accent button under the pointer", theme.on_accent, theme.accent_hover),
                ("good", theme.good, theme.surface),
                ("good on the background", theme.good, theme.background),
                ("warning", theme.warn, theme.warn_soft),
                ("alarm", theme.bad, theme.bad_soft),
                ("failure beside a message", theme.bad, theme.background),
                ("badge", theme.on_overlay, theme.screen),
                ("notice on a white picture", theme.on_overlay, Color32::WHITE.blend(theme.overlay)),
                ("statistics on a white picture", theme.on_overlay_weak, Color32::WHITE.blend(theme.dense_overlay)),
            ];
            let circles = theme.people.map(|circle| ("initial in an avatar", theme.on_people, circle));
            for (name, color, background) in pairs.into_iter().chain(circles) {
                let contrast = contrast(color, background);
                assert!(contrast >= 4.5, "{mode}: {name} has {contrast:.2}");
            }
        }
    }

    #[test]
    fn what_lies_on_a_picture_is_told_from_black_and_from_white() {
        for (mode, theme) in [("light", LIGHT), ("dark", DARK)] {
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
        }
    }
}
