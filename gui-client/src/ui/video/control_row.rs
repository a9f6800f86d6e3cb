//! Which controls a row has room for. The others are in the menu at its end, so that none is cut off.

/// What may be in the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Item {
    /// Pause or play.
    Pause,
    /// The video before in the list.
    Previous,
    /// The next video in the list.
    Next,
    /// Close the video.
    Stop,
    /// Mute or unmute.
    Mute,
    /// The volume slider.
    Volume,
    /// Position and duration.
    Time,
    /// Watching together with others.
    Together,
    /// The menu of speeds.
    Speed,
    /// The menu of resolutions.
    Quality,
    /// The statistics.
    Statistics,
    /// The whole width of the window.
    Theatre,
    /// The whole screen.
    FullScreen,
    /// The menu with what has no room.
    More,
}

/// From what stays longest to what goes into the menu first.
const BY_IMPORTANCE: [Item; 13] = [
    Item::Pause,
    Item::FullScreen,
    Item::Mute,
    Item::Time,
    Item::Stop,
    Item::Together,
    Item::Quality,
    Item::Next,
    Item::Theatre,
    Item::Volume,
    Item::Speed,
    Item::Previous,
    Item::Statistics,
];

impl Item {
    /// Whether it has an entry in the menu: the time is on the seek bar, and keys change the volume.
    pub(super) fn has_entry(self) -> bool {
        !matches!(self, Item::Time | Item::Volume | Item::More)
    }
}

/// Those of `items`, in their order, that fit into `room` with this gap between them. Each item comes with its width.
pub(super) fn fit(room: f32, items: &[(Item, f32)], gap: f32, more_width: f32) -> Vec<Item> {
    let mut shown = items.to_vec();
    for least in BY_IMPORTANCE.iter().rev() {
        let has_more = items.iter().any(|(item, _)| item.has_entry() && !shown.iter().any(|(other, _)| other == item));
        let more = if has_more { more_width + gap } else { 0.0 };
        let width = shown.iter().map(|(_, width)| width + gap).sum::<f32>() - gap + more;
        if width <= room {
            break;
        }
        shown.retain(|(item, _)| item != least);
    }
    let has_more = items.iter().any(|(item, _)| item.has_entry() && !shown.iter().any(|(other, _)| other == item));
    shown.into_iter().map(|(item, _)| item).chain(has_more.then_some(Item::More)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GAP: f32 = 4.0;
    const MORE: f32 = 32.0;

    fn items() -> Vec<(Item, f32)> {
        let width = |item| match item {
            Item::Volume | Item::Time => 92.0,
            Item::Quality => 110.0,
            Item::Speed => 52.0,
            _ => 32.0,
        };
        BY_IMPORTANCE.iter().map(|&item| (item, width(item))).collect()
    }

    fn width_of(shown: &[Item]) -> f32 {
        let width = |item: &Item| items().iter().find(|(other, _)| other == item).map_or(MORE, |(_, width)| *width);
        shown.iter().map(|item| width(item) + GAP).sum::<f32>() - GAP
    }

    #[test]
    fn a_wide_row_has_everything_and_no_menu() {
        assert_eq!(fit(800.0, &items(), GAP, MORE), BY_IMPORTANCE);
    }

    #[test]
    fn a_narrow_column_keeps_what_is_needed_most() {
        let shown = fit(272.0, &items(), GAP, MORE);
        assert_eq!(shown, [Item::Pause, Item::FullScreen, Item::Mute, Item::Time, Item::Stop, Item::More]);
    }

    proptest! {
        /// Whatever the room: nothing is cut off, and everything that can be done is in the row or in the menu.
        #[test]
        fn nothing_is_cut_off_or_lost(room in 120.0_f32..1_000.0) {
            let shown = fit(room, &items(), GAP, MORE);
            prop_assert!(width_of(&shown) <= room, "{shown:?}");
            let is_whole = BY_IMPORTANCE.iter().all(|item| !item.has_entry() || shown.contains(item));
            prop_assert!(is_whole || shown.contains(&Item::More), "{shown:?}");
        }
    }
}
