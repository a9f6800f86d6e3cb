//! The glyphs of a row, from the order of the screen to that of the text: each character gets its caret, and its part of the
//! row's mesh.

use std::ops::Range;

use egui::epaint::text::{Glyph, Row};

use super::bidi::Piece;

/// Gives the glyphs of a row, which are in the order of the screen, the order of the text. `text` is that of the paragraph;
/// `counts` says how many glyphs belong to each piece.
pub(super) fn reorder(row: &mut Row, text: &str, pieces: &[Piece], counts: &[usize], width: f32) {
    let visuals = &mut row.visuals;
    let mut blocks = Vec::new();
    let (mut first_glyph, mut first_vertex) = (0, visuals.glyph_vertex_range.start);
    for (index, (piece, count)) in pieces.iter().zip(counts).enumerate() {
        let end = first_glyph + count;
        let is_last = index + 1 == pieces.len();
        let (end_x, end_vertex) = match row.glyphs.get(end) {
            Some(next) if !is_last => (next.pos.x, next.first_vertex as usize),
            _ => (width, visuals.glyph_vertex_range.end),
        };
        let glyphs = row.glyphs.get(first_glyph..end).unwrap_or_default();
        let left = glyphs.first().map_or(end_x, |glyph| glyph.pos.x);
        let shown: Vec<char> = piece.shown.chars().collect();
        let places = char_places(glyphs, &shown, left..end_x, piece.is_right_to_left);
        let chars = text.get(piece.bytes.clone()).unwrap_or_default().chars().collect();
        blocks.push(Block { piece, chars, glyphs, places, vertices: first_vertex..end_vertex.max(first_vertex) });
        (first_glyph, first_vertex) = (end, end_vertex.max(first_vertex));
    }
    blocks.sort_by_key(|block| block.piece.bytes.start);

    let mut new_glyphs = Vec::new();
    let mut order: Vec<usize> = (0..visuals.glyph_vertex_range.start).collect();
    for block in blocks {
        let new_first = order.len();
        if block.piece.is_right_to_left {
            // Each glyph that is seen has four vertices.
            let quads: Vec<usize> = block.vertices.clone().collect();
            order.extend(quads.rchunks(4).flatten());
        } else {
            order.extend(block.vertices.clone());
        }
        let Some(template) = block.glyphs.first().or(row.glyphs.first()) else { continue };
        for (index, (chr, place)) in block.chars.into_iter().zip(block.places).enumerate() {
            let same = block.glyphs.get(index).filter(|_| !block.piece.is_right_to_left);
            let mut glyph = same.copied().unwrap_or(*template);
            glyph.chr = chr;
            glyph.pos.x = place.caret_x;
            glyph.advance_width = place.width;
            let vertices_before = (4 * place.quads_before).min(block.vertices.len());
            glyph.first_vertex = (new_first + vertices_before) as u32;
            new_glyphs.push(glyph);
        }
    }
    order.extend(visuals.glyph_vertex_range.end..visuals.mesh.vertices.len());
    let mut new_index = vec![0; order.len()];
    for (new, old) in order.iter().enumerate() {
        new_index[*old] = new as u32;
    }
    let vertices = &visuals.mesh.vertices;
    visuals.mesh.vertices = order.iter().map(|old| vertices[*old]).collect();
    for index in &mut visuals.mesh.indices {
        *index = new_index[*index as usize];
    }
    row.glyphs = new_glyphs;
    // The caret after the last character.
    row.size.x = row.glyphs.last().map_or(0.0, Glyph::max_x);
}

/// A piece of a row, with what belongs to it.
struct Block<'a> {
    piece: &'a Piece,
    chars: Vec<char>,
    glyphs: &'a [Glyph],
    places: Vec<CharPlace>,
    vertices: Range<usize>,
}

/// Where a character is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct CharPlace {
    /// Where the caret before it is drawn.
    caret_x: f32,
    /// Negative if it is read from right to left.
    width: f32,
    /// How many glyphs of its piece that are seen come before it.
    quads_before: usize,
}

/// The places of a piece's characters, in the order of the text. `glyphs` are in the order of the screen and lie within `xs`.
fn char_places(glyphs: &[Glyph], chars: &[char], xs: Range<f32>, is_right_to_left: bool) -> Vec<CharPlace> {
    if !is_right_to_left && glyphs.len() == chars.len() {
        let ends = glyphs.iter().skip(1).map(|glyph| glyph.pos.x).chain([xs.end]);
        let mut quads_before = 0;
        return glyphs
            .iter()
            .zip(ends)
            .map(|(glyph, end)| {
                let place = CharPlace { caret_x: glyph.pos.x, width: end - glyph.pos.x, quads_before };
                quads_before += usize::from(!glyph.uv_rect.is_nothing());
                place
            })
            .collect();
    }
    let clusters = clusters(glyphs, chars, &xs).unwrap_or_else(|| even_clusters(chars, &xs));
    let mut places = Vec::with_capacity(chars.len());
    let ends = clusters.iter().skip(1).map(|cluster| cluster.first_char).chain([chars.len()]);
    let lefts = clusters.iter().map(|cluster| cluster.left);
    let rights = std::iter::once(xs.end).chain(lefts);
    for ((cluster, end), right) in clusters.iter().zip(ends).zip(rights) {
        let members = &chars[cluster.first_char..end];
        // A ligature is divided evenly among its letters; marks lie on the letter before them.
        let letters = members.iter().filter(|char| !is_mark(**char)).count().max(1);
        let step = (right - cluster.left) / letters as f32;
        let mut x = right;
        for char in members {
            let width = if is_mark(*char) && letters > 0 && x < right { 0.0 } else { step };
            places.push(CharPlace { caret_x: x, width: -width, quads_before: cluster.quads_before });
            x = (x - width).max(cluster.left);
        }
    }
    places
}

/// Characters that are shaped together.
struct Cluster {
    first_char: usize,
    left: f32,
    quads_before: usize,
}

/// The clusters of a right-to-left piece, from its first character on; `None` if they cannot be told from the glyphs.
fn clusters(glyphs: &[Glyph], chars: &[char], xs: &Range<f32>) -> Option<Vec<Cluster>> {
    // epaint adds glyphs without width or picture at the end.
    let is_filler = |glyph: &Glyph| glyph.advance_width == 0.0 && glyph.uv_rect.is_nothing();
    let fillers = glyphs.iter().rev().take_while(|glyph| is_filler(glyph)).count();
    let glyphs = &glyphs[..glyphs.len() - fillers];
    let mut clusters: Vec<Cluster> = Vec::new();
    let mut quads_before = 0;
    let mut next_char = 0;
    for glyph in glyphs.iter().rev() {
        // Marks have no width, and follow or precede the letter of their cluster.
        if glyph.advance_width > 0.0 {
            let found = next_char + chars.get(next_char..)?.iter().position(|char| *char == glyph.chr)?;
            let first_char = if clusters.is_empty() { 0 } else { found };
            clusters.push(Cluster { first_char, left: glyph.pos.x.clamp(xs.start, xs.end), quads_before });
            next_char = found + 1;
        }
        quads_before += usize::from(!glyph.uv_rect.is_nothing());
    }
    clusters.last_mut()?.left = xs.start;
    Some(clusters)
}

/// Clusters of equal width, for glyphs that cannot be told apart.
fn even_clusters(chars: &[char], xs: &Range<f32>) -> Vec<Cluster> {
    let step = (xs.end - xs.start) / chars.len().max(1) as f32;
    (0..chars.len())
        .map(|index| Cluster { first_char: index, left: xs.end - step * (index + 1) as f32, quads_before: 0 })
        .collect()
}

fn is_mark(char: char) -> bool {
    unicode_bidi::bidi_class(char) == unicode_bidi::BidiClass::NSM || matches!(char, '\u{200c}' | '\u{200d}')
}
