//! Keys in a list of rows: arrows, Home, End and pages move the focus from row to row, also to rows that are not laid out.

use egui::{EventFilter, Id, Key, Modifiers, Ui};

/// Rows that Page Up and Page Down pass.
const PAGE_ROWS: usize = 8;

/// A row that is scrolled to is laid out at most this many frames later.
const FRAMES_UNTIL_LAID_OUT: u8 = 4;

/// Moves the focus if one of these rows has it and a key says so. Returns the row that has it now, which has to be scrolled
/// to. `columns` is the number of rows side by side.
pub(crate) fn take(ui: &Ui, rows: &[Id], columns: usize) -> Option<usize> {
    // A row far away is laid out some frames later, and egui takes the focus from what is not laid out.
    let awaited_id = Id::unique("row that gets the focus");
    let (awaited, frames) = ui.data(|data| data.get_temp::<(Option<Id>, u8)>(awaited_id)).unwrap_or_default();
    if let Some(row) = awaited.filter(|row| frames > 0 && rows.contains(row))
        && ui.memory(|memory| memory.focused().is_none_or(|focused| focused == row))
    {
        ui.memory_mut(|memory| memory.request_focus(row));
        ui.data_mut(|data| data.insert_temp(awaited_id, (awaited, frames - 1)));
        ui.ctx().request_repaint();
    }
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
    let target = target?;
    ui.memory_mut(|memory| memory.request_focus(rows[target]));
    ui.data_mut(|data| data.insert_temp(awaited_id, (Some(rows[target]), FRAMES_UNTIL_LAID_OUT)));
    ui.ctx().request_repaint();
    Some(target)
}
