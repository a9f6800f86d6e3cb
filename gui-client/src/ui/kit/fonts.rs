//! The fonts of the window: one face in two weights, and a version of it whose figures have equal widths. The files come with
//! the program (`assets/fonts`), so that the window looks the same on every system.

use std::sync::Arc;

use egui::{Context, FontData, FontDefinitions, FontFamily, FontId, epaint::text::FontInsert};

use super::emoji_font::{BuiltInEmoji, SystemEmoji};

const REGULAR: &str = "Inter-Regular";
const SEMIBOLD: &str = "Inter-SemiBold";
const TABULAR: &str = "Inter-Tabular";
const EMOJI: &str = "emoji";

/// Headings and names, in the heavier weight.
pub fn semibold(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(SEMIBOLD.into()))
}

/// Numbers that change or are compared, such as times: all figures have the same width.
pub fn tabular(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(TABULAR.into()))
}

/// Emoji, in colour where the system has a font for that.
pub(super) fn emoji(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(EMOJI.into()))
}

/// Installs the fonts, once at the start.
pub(super) fn install(ctx: &Context) {
    ctx.set_fonts(definitions());
    ctx.add_font_provider(Arc::new(BuiltInEmoji { family: emoji(0.0).family, fonts: monochrome_emoji() }));
}

/// Has emoji drawn in colour if the system has a font for that. To be called before [`install`].
pub fn use_system_emoji(ctx: &Context) {
    ctx.add_font_provider(Arc::new(SystemEmoji::search(emoji(0.0).family)));
}

/// The monochrome emoji of egui, and what follows where they have no glyph.
fn monochrome_emoji() -> Vec<FontInsert> {
    let fonts = definitions();
    let chain = fonts.families.get(&FontFamily::Proportional).into_iter().flatten();
    let names: Vec<&String> = chain.collect();
    // The letters come last: an emoji such as 1️⃣ begins with one.
    let (letters, pictures): (Vec<&String>, Vec<&String>) =
        names.into_iter().partition(|name| [REGULAR, "Ubuntu-Light"].contains(&name.as_str()));
    let insert = |name: &String| {
        let data = fonts.font_data.get(name)?;
        Some(FontInsert::new(name, FontData::clone(data), Vec::new()))
    };
    pictures.into_iter().chain(letters).filter_map(insert).collect()
}

fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let files: [(&str, &'static [u8]); 3] = [
        (REGULAR, include_bytes!("../../../assets/fonts/Inter-Regular.otf")),
        (SEMIBOLD, include_bytes!("../../../assets/fonts/Inter-SemiBold.otf")),
        (TABULAR, include_bytes!("../../../assets/fonts/Inter-Tabular.otf")),
    ];
    for (name, bytes) in files {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    }
    // What egui brings follows, for characters that Inter does not have.
    let others = fonts.families.remove(&FontFamily::Proportional).unwrap_or_default();
    let chain = |first: &[&str]| first.iter().map(ToString::to_string).chain(others.iter().cloned()).collect();
    let families = [
        (FontFamily::Proportional, chain(&[REGULAR])),
        (semibold(0.0).family, chain(&[SEMIBOLD, REGULAR])),
        (tabular(0.0).family, chain(&[TABULAR, REGULAR])),
        // The providers have them: the first font is not known before the system's fonts are.
        (emoji(0.0).family, Vec::new()),
    ];
    fonts.families.extend(families);
    if let Some(monospace) = fonts.families.get_mut(&FontFamily::Monospace) {
        monospace.insert(1, REGULAR.to_owned());
    }
    fonts
}

#[cfg(test)]
mod tests {
    use egui::epaint::text::{Fonts, TextOptions};

    use super::*;

    fn widths(font: &FontId, chars: &str) -> Vec<f32> {
        let mut fonts = Fonts::new(TextOptions::default(), definitions());
        chars.chars().map(|char| fonts.with_pixels_per_point(1.0).glyph_width(font, char)).collect()
    }

    #[test]
    fn tabular_figures_have_one_width() {
        let tabular = widths(&tabular(15.0), "0123456789");
        assert!(tabular.iter().all(|width| *width == tabular[0]), "{tabular:?}");
        let regular = widths(&FontId::proportional(15.0), "01");
        assert_ne!(regular[0], regular[1], "elsewhere, a 1 is narrower than a 0");
    }

    #[test]
    fn the_heavier_weight_is_another_face() {
        let regular: f32 = widths(&FontId::proportional(15.0), "Triptych").iter().sum();
        let heavier: f32 = widths(&semibold(15.0), "Triptych").iter().sum();
        assert!(heavier > regular, "{heavier} {regular}");
    }

    #[test]
    fn european_scripts_come_from_one_face() {
        let mut fonts = Fonts::new(TextOptions::default(), definitions());
        let mut fonts = fonts.with_pixels_per_point(1.0);
        let characters = fonts.characters(&FontFamily::Proportional);
        for char in "Grüße naïve Łódź Καλημέρα Доброе утро → ← ↑ ↓ … – — “ ” € ×".chars()
        {
            let faces = characters.get(&char).map(Vec::as_slice).unwrap_or_default();
            assert_eq!(faces.first().map(String::as_str), Some(REGULAR), "{char}");
        }
    }
}
