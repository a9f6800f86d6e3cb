//! Keys in a list of rows: arrows, Home, End and pages move the focus from row to row, also to rows that are not laid out.

use egui::{EventFilter, Id, Key, Modifiers, Ui};

/// Rows that Page Up and Page Down pass.
const PAGE_ROWS: usize = 8;

/// The row that has the keyboard focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Focused {
    /// Its index.
    pub row: usize,
    /// Whether a key has just led there, so that it has to be scrolled to.
    pub has_moved: bool,
}

/// Moves the focus if one of these rows has it and a key says so. Returns the row that has it now. `columns` is the number of
/// rows side by side.
pub(crate) fn take(ui: &Ui, rows: &[Id], columns: usize) -> Option<Focused> {
    let focused = ui.memory(|memory| memory.focused())?;
    let open = rows.iter().position(|row| *row == focused)?;
    let filter = EventFilter { vertical_arrows: true, horizontal_arrows: columns > 1, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(focused, filter));
    let last = rows.len() - 1;
    let mut ways = vec![
        (Key::ArrowUp, open.checked_sub(columns)),
        (Key::ArrowDown, Some(open + columns).filter(|next| *next <= last)),
        (Key::Home, Some(0)),
        (Key::End, Some(last)),
        (Key::PageUp, Some(open.saturating_sub(PAGE_ROWS * columns))),
        (Key::PageDown, Some((open + PAGE_ROWS * columns).min(last))),
    ];
    if columns > 1 {
        ways.push((Key::ArrowLeft, open.checked_sub(1)));
        ways.push((Key::ArrowRight, Some(open + 1).filter(|next| *next <= last)));
    }
    let mut target = None;
    for (key, place) in ways {
        if ui.input_mut(|input| input.consume_key(Modifiers::NONE, key)) {
            target = place.or(target);
        }
    }
    let Some(target) = target else { return Some(Focused { row: open, has_moved: false }) };
    ui.memory_mut(|memory| memory.request_focus(rows[target]));
    ui.ctx().request_repaint();
    Some(Focused { row: target, has_moved: true })
}
