//! The icon of the window in a task bar: the logo of the program.

use egui::IconData;

use super::theme;

/// Width and height in pixels.
const SIDE: u32 = 64;

/// Width of a panel in pixels.
const PANEL: u32 = 16;

/// Gap between two panels in pixels.
const GAP: u32 = 4;

/// Paints the icon.
pub fn paint() -> IconData {
    let mut rgba = vec![0; (SIDE * SIDE * 4) as usize];
    let margin = (SIDE - 3 * PANEL - 2 * GAP) / 2;
    for (index, color) in (0..).zip(theme::LIGHT.parts) {
        let left = margin + index * (PANEL + GAP);
        let top = 22 - 8 * index;
        for y in top..SIDE - 6 {
            for x in left..left + PANEL {
                let at = ((y * SIDE + x) * 4) as usize;
                rgba[at..at + 4].copy_from_slice(&color.to_array());
            }
        }
    }
    IconData { rgba, width: SIDE, height: SIDE }
}
