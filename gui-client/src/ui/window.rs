//! What the desktop shows of the window: its title with the number of unread messages, and a request for attention when
//! a message arrives while the person works elsewhere.

use egui::{Context, Id, UserAttentionType, ViewportCommand};

use crate::state::State;

/// What the desktop was told last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Shown {
    unread_count: u32,
    wants_attention: bool,
}

/// Whether the window has the keyboard focus, also while it is hidden.
pub fn has_focus(ctx: &Context) -> bool {
    // While the window is hidden, egui updates what the viewport reports, but not its other input.
    ctx.input(|input| input.viewport().focused.unwrap_or(input.focused))
}

/// Width and height of the window in points at 100 % zoom, whether it is maximised, and the zoom in percent; `None` while
/// none of it is of use for the next start.
pub fn geometry(ctx: &Context) -> Option<([u32; 2], bool, u16)> {
    let zoom = ctx.zoom_factor();
    ctx.input(|input| {
        let viewport = input.viewport();
        let is_hidden = viewport.minimized == Some(true) || viewport.fullscreen == Some(true);
        let native = viewport.native_pixels_per_point.unwrap_or(1.0);
        let size = input.viewport_rect().size() * (input.pixels_per_point / native);
        let is_sized = size.x >= 1.0 && size.y >= 1.0 && size.is_finite();
        let points = |length: f32| length.round() as u32;
        (is_sized && !is_hidden).then(|| {
            let zoom_percent = (zoom * 100.0).round() as u16;
            ([points(size.x), points(size.y)], viewport.maximized == Some(true), zoom_percent)
        })
    })
}

/// What the desktop has to be told now: another title, a request for attention, or its end.
pub fn news(ctx: &Context, state: &State) -> Vec<ViewportCommand> {
    let id = Id::unique("shown to the desktop");
    let last: Shown = ctx.data(|data| data.get_temp(id)).unwrap_or_default();
    let unread_count = state.unread_count();
    let has_focus = has_focus(ctx);
    let is_call = !has_focus && unread_count > last.unread_count;
    let shown = Shown { unread_count, wants_attention: !has_focus && (last.wants_attention || is_call) };
    let mut news = Vec::new();
    if unread_count != last.unread_count {
        news.push(ViewportCommand::Title(title(unread_count)));
    }
    if is_call {
        news.push(ViewportCommand::RequestUserAttention(UserAttentionType::Informational));
    } else if last.wants_attention && has_focus {
        // X11 leaves it to the program to take the request back.
        news.push(ViewportCommand::RequestUserAttention(UserAttentionType::Reset));
    }
    if shown != last {
        ctx.data_mut(|data| data.insert_temp(id, shown));
    }
    news
}

fn title(unread_count: u32) -> String {
    if unread_count == 0 { "Triptych".to_owned() } else { format!("({unread_count}) Triptych") }
}
