//! The statistics of the video that plays, as lines of text. They are written anew a few times a second, and not for each
//! frame of the window.

use std::time::Duration;

use common::media::SoundFormat;

use crate::figures::Tally;

use super::{
    Showing,
    meter::Meter,
    units::{EveryNth, Megabits},
};

/// A line of the statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub label: &'static str,
    /// The figure, with its unit.
    pub value: String,
}

/// What is shown for a figure that is not known yet.
const UNKNOWN: &str = "not measured yet";

/// All lines, in the order in which they are shown.
pub(super) fn lines(
    showing: &Showing,
    meter: &Meter,
    round_trip: Option<Duration>,
    party_error_nanos: Option<i64>,
) -> Vec<Line> {
    let line = |label, value| Line { label, value };
    let mut lines = vec![line("Resolution", resolution(showing)), line("Picture", picture(showing))];
    let Some(figures) = meter.latest() else { return lines };
    let tally = &figures.tally;
    let rates = meter.rates();
    let per_second =
        rates.map(|rates| format!("{:.1} shown, {:.1} received", rates.shown_per_second, rates.received_per_second));
    let arriving = rates.map(|rates| Megabits(rates.received_bits_per_second));
    let received = match (arriving, meter.needed_bits_per_second().map(Megabits)) {
        (Some(arriving), Some(needed)) => format!("{arriving} Mbit/s, {needed} needed"),
        (Some(arriving), None) => format!("{arriving} Mbit/s"),
        (None, _) => UNKNOWN.to_owned(),
    };
    let opened = figures.first_picture_after.map_or_else(|| UNKNOWN.to_owned(), millis);
    let click = match figures.seek_picture_after {
        Some(sought) => format!("{opened} to open, {} for the last seek", millis(sought)),
        None => format!("{opened} to open"),
    };
    let decoding = figures.decoding.map(|decoding| {
        format!("{} for a picture, {} at most", fine_millis(decoding.recent), fine_millis(decoding.most))
    });
    let unknown = || UNKNOWN.to_owned();
    lines.extend([
        line("Pictures per second", per_second.unwrap_or_else(unknown)),
        line("Dropped", dropped(tally)),
        line("Stalls", count_or_none(tally.stalls)),
        line("Buffer", format!("{}, {} pictures", millis(figures.buffered), figures.buffered_pictures)),
        line("Received", received),
        line("At the server", origins(tally)),
        line("Round trip", round_trip.map_or_else(unknown, fine_millis)),
        line("Click to picture", click),
        line("Decoding here", decoding.unwrap_or_else(unknown)),
        line("Sound", sound(showing, tally)),
    ]);
    lines.extend(party_error_nanos.map(|nanos| line("Beside the party", beside(nanos))));
    lines
}

fn resolution(showing: &Showing) -> String {
    let planned = showing.segment().map(|segment| segment.height);
    let heights = match (planned, showing.height) {
        (Some(planned), Some(sent)) if planned != sent => format!("{planned}p planned, {sent}p sent"),
        (_, Some(sent)) => format!("{sent}p"),
        (Some(planned), None) => format!("{planned}p planned"),
        (None, None) => return UNKNOWN.to_owned(),
    };
    match showing.delivery.picture_step {
        0 | 1 => heights,
        step => format!("{heights}, {}", EveryNth(step)),
    }
}

/// Where the server had the pictures from.
fn origins(tally: &Tally) -> String {
    let origins =
        [(tally.from_memory, "from memory"), (tally.from_disk, "from the disk"), (tally.from_decoder, "decoded")];
    listed(&origins)
}

fn picture(showing: &Showing) -> String {
    match (showing.picture_index(), showing.frame_count) {
        (Some(index), count) if count > 0 => format!("{} of {count}", u64::from(index) + 1),
        _ => "none of this position yet".to_owned(),
    }
}

/// Pictures that were not shown although they should have been, by cause.
fn dropped(tally: &Tally) -> String {
    let causes = [
        (tally.late_at_decoder, "late before decoding"),
        (tally.late_at_display, "late after decoding"),
        (tally.broken, "undecodable"),
        (tally.beyond_credit, "sent without credit"),
        (tally.unshown_at_seek, "left over at seeks"),
    ];
    listed(&causes)
}

/// Those that are not 0.
fn listed(counts: &[(u64, &str)]) -> String {
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let texts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

fn sound(showing: &Showing, tally: &Tally) -> String {
    if !showing.has_sound {
        return "none".to_owned();
    }
    let gaps = match tally.under_runs {
        0 => String::new(),
        1 => ", 1 gap".to_owned(),
        count => format!(", {count} gaps"),
    };
    let unheard = if tally.sounds_unheard > 0 { ", no sound device" } else { "" };
    let format = match showing.delivery.sound {
        SoundFormat::Pcm => "PCM",
        SoundFormat::Opus => "Opus",
    };
    format!("{format}{gaps}{unheard}")
}

/// How far the video is from where the party has it.
fn beside(error_nanos: i64) -> String {
    let distance = fine_millis(Duration::from_nanos(error_nanos.unsigned_abs()));
    format!("{distance} {}", if error_nanos < 0 { "behind" } else { "ahead" })
}

fn count_or_none(count: u64) -> String {
    if count == 0 { "none".to_owned() } else { count.to_string() }
}

fn millis(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

fn fine_millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}
