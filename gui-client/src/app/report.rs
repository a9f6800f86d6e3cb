//! The log line with the figures of a stream.

use std::time::Duration;

use crate::playback::playout::Summary;

/// Logs what happened to the items of a stream. `how` says how it ended.
pub(super) fn log_summary(title: &str, how: &str, summary: Option<Summary>) {
    let Some(summary) = summary else { return };
    let tally = summary.tally;
    let millis = |duration: Option<Duration>| {
        duration.map_or("never".to_owned(), |duration| format!("{} ms", duration.as_millis()))
    };
    let offset = summary.offset.mean().map_or("not compared".to_owned(), |mean| {
        let most = summary.offset.most;
        format!("{:.1} ms from the picture, {:.1} ms at most", mean.as_secs_f64() * 1e3, most.as_secs_f64() * 1e3)
    });
    tracing::info!(
        "Video {title:?} {how}: {} frames shown, {} dropped (late at decoder {}, late at display {}, broken {}, beyond \
         credit {}), {} unshown at the end, {} at seeks, {} stale, {} stalls; first picture after {}, {:.1} frames/s on \
         average; {} sound chunks played, {} unheard, {} under-runs, sound {offset}; {} seeks, picture after {}",
        tally.shown,
        tally.dropped(),
        tally.late_at_decoder,
        tally.late_at_display,
        tally.broken,
        tally.beyond_credit,
        tally.unshown_at_stop,
        tally.unshown_at_seek,
        tally.stale,
        tally.stalls,
        millis(summary.first_picture_after),
        summary.mean_frames_per_second(),
        tally.sounds_played,
        tally.sounds_unheard,
        tally.under_runs,
        tally.seeks,
        millis(summary.seek_median),
    );
}
