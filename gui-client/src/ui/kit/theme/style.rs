//! How egui's own widgets take the colours and sizes of the program.

use egui::{
    Color32, Context, CornerRadius, FontFamily, FontId, Margin, Stroke, Style, TextStyle, Theme as Mode,
    ThemePreference, Vec2, Visuals,
    style::{ScrollAnimation, Selection, WidgetVisuals},
};

use crate::state::appearance::Appearance;

use super::{super::fonts, DARK, DARK_CONTRAST, LIGHT, LIGHT_CONTRAST, Theme, font_size, semibold, size, space};

/// How long fades take, in seconds.
const ANIMATION_SECONDS: f32 = 0.15;

/// Width of the ring around what has the keyboard focus, in points.
pub(in crate::ui) const FOCUS_WIDTH: f32 = 2.0;

/// Applies the fonts and both themes to egui, once at the start.
pub fn apply(ctx: &Context) {
    fonts::install(ctx);
    show(ctx, Appearance::default());
}

/// Shows one of the four themes, with or without motion.
pub fn show(ctx: &Context, look: Appearance) {
    let themes = if look.has_high_contrast { [&LIGHT_CONTRAST, &DARK_CONTRAST] } else { [&LIGHT, &DARK] };
    for (mode, theme) in [Mode::Light, Mode::Dark].into_iter().zip(themes) {
        ctx.style_mut_of(mode, |style| apply_style(style, mode, theme, !look.has_reduced_motion));
    }
    ctx.set_theme(match look.is_dark {
        None => ThemePreference::System,
        Some(false) => ThemePreference::Light,
        Some(true) => ThemePreference::Dark,
    });
}

fn apply_style(style: &mut Style, mode: Mode, theme: &Theme, moves: bool) {
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
    style.spacing.icon_spacing = space::S;
    style.spacing.window_margin = Margin::same(12);
    style.spacing.menu_margin = Margin::same(8);
    style.spacing.scroll = egui::style::ScrollStyle::thin();
    (style.animation_time, style.scroll_animation) =
        if moves { (ANIMATION_SECONDS, ScrollAnimation::default()) } else { (0.0, ScrollAnimation::none()) };
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
    // This is what has the keyboard focus, or is pressed.
    visuals.widgets.active = widget(theme.accent_soft, theme.focus, theme.text);
    visuals.widgets.active.bg_stroke.width = FOCUS_WIDTH;
    visuals.widgets.open = widget(theme.hover, theme.border, theme.text);
    visuals.selection = Selection { bg_fill: theme.selection, stroke: Stroke::new(FOCUS_WIDTH, theme.focus) };
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
