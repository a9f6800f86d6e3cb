//! The icon of the program in a task bar: three panels, each finer than the one before.

use egui::IconData;

use super::theme;

/// Pixels on a side.
const SIDE: u32 = 64;

/// Pixels that a panel is wide, and between two of them.
const PANEL: u32 = 16;
const GAP: u32 = 4;

/// Paints it.
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
