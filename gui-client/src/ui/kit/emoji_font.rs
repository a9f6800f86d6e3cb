//! The font for emoji: that of the system, if it has one in colour, and otherwise the monochrome one that comes with egui.
//!
//! It is a family of its own, because the other families find emoji in whatever font has them first, and most systems have a
//! monochrome font that does. Shaping joins families, skin tones and flags to one glyph each if the font has it.

use std::{
    fmt,
    sync::{Mutex, OnceLock, PoisonError},
    thread::{Builder, JoinHandle},
};

use egui::{
    FontData, FontFamily,
    epaint::text::{FontInsert, FontProvider},
};
use fontique::{Collection, CollectionOptions, GenericFamily, QueryFamily, QueryFont, QueryStatus, SourceCache};
use skrifa::{FontRef, MetadataProvider};

/// Fonts with colour emoji, tried after what the system names as its font for emoji.
const KNOWN: [&str; 5] = ["Noto Color Emoji", "Twitter Color Emoji", "Twemoji", "Apple Color Emoji", "Segoe UI Emoji"];

/// A character that each font for emoji has.
const SAMPLE: char = '😀';

/// Finds the colour font of the system, on a thread of its own, since listing all fonts takes up to hundreds of
/// milliseconds. The first emoji that is drawn waits for it.
pub(super) struct SystemEmoji {
    family: FontFamily,
    search: Mutex<Option<JoinHandle<Option<FontInsert>>>>,
    found: OnceLock<Option<FontInsert>>,
}

impl fmt::Debug for SystemEmoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemEmoji").finish_non_exhaustive()
    }
}

impl SystemEmoji {
    /// Begins the search for the first font of this family.
    pub(super) fn search(family: FontFamily) -> Self {
        let search = Builder::new().name("emoji-font".into()).spawn(find);
        if let Err(error) = &search {
            tracing::warn!(%error, "no thread for the search of a font for emoji");
        }
        Self { family, search: Mutex::new(search.ok()), found: OnceLock::new() }
    }
}

impl FontProvider for SystemEmoji {
    fn fonts_for_family(&self, family: &FontFamily) -> Vec<FontInsert> {
        if *family != self.family {
            return Vec::new();
        }
        let found = self.found.get_or_init(|| {
            let search = self.search.lock().unwrap_or_else(PoisonError::into_inner).take();
            search.and_then(|search| search.join().ok().flatten())
        });
        found.iter().cloned().collect()
    }
}

/// The monochrome emoji that come with the program, for what the system's font does not have.
pub(super) struct BuiltInEmoji {
    /// The family that they belong to.
    pub family: FontFamily,
    /// The fonts, in the order in which they are asked.
    pub fonts: Vec<FontInsert>,
}

impl FontProvider for BuiltInEmoji {
    fn fonts_for_family(&self, family: &FontFamily) -> Vec<FontInsert> {
        if *family == self.family { self.fonts.clone() } else { Vec::new() }
    }
}

fn find() -> Option<FontInsert> {
    let begun = std::time::Instant::now();
    let mut collection = Collection::new(CollectionOptions { shared: false, system_fonts: true });
    let mut sources = SourceCache::default();
    let mut found = None;
    let mut query = collection.query(&mut sources);
    let families = std::iter::once(QueryFamily::Generic(GenericFamily::Emoji)).chain(KNOWN.map(QueryFamily::Named));
    query.set_families(families);
    query.matches_with(|font| {
        if has_colour(font) {
            found = Some(font.clone());
            QueryStatus::Stop
        } else {
            QueryStatus::Continue
        }
    });
    drop(query);
    tracing::debug!(found = found.is_some(), elapsed = ?begun.elapsed(), "searched a colour font for emoji");
    let font = found?;
    let (bytes, _) = font.blob.into_raw_parts();
    Some(FontInsert { name: "system emoji".into(), data: FontData::from_blob(bytes, font.index), families: Vec::new() })
}

fn has_colour(font: &QueryFont) -> bool {
    let Ok(face) = FontRef::from_index(font.blob.as_ref(), font.index) else { return false };
    let Some(glyph) = face.charmap().map(SAMPLE) else { return false };
    let has_bitmap = || face.bitmap_strikes().glyph_for_size(skrifa::instance::Size::unscaled(), glyph).is_some();
    face.color_glyphs().get(glyph).is_some() || has_bitmap()
}
