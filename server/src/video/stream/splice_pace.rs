//! How fast the last pictures before a splice go out. Pure: it is told the time.
//!
//! A file with few key frames is searched for seconds before its first wanted picture is there. A viewer who takes pictures
//! faster than they are shown competes with that search for the processor: the faster it is sent what comes before the
//! splice, the longer it waits there. So while the first picture of the next file is not held, the last pictures before it go
//! out no faster than they are shown. Their decoder then rests most of the time, and the search gets the processor.

use std::time::Duration;

/// Stream before a splice in which pictures are held back. It bounds what is lost when the search fails.
pub(super) const HELD: Duration = Duration::from_secs(1);

/// When the next picture may go out.
#[derive(Debug, Default)]
pub(super) struct SplicePace {
    last: Option<Sent>,
    /// The run whose first picture is waited for. It stays the same until that is held, although a viewer who is held back
    /// does not look hurried any more.
    awaited_run: Option<usize>,
    /// When the next picture may go out.
    due: Option<Duration>,
}

/// A picture that went out.
#[derive(Debug, Clone, Copy)]
struct Sent {
    /// When, since the stream began.
    at: Duration,
    /// Its time in the stream.
    pts_nanos: u64,
}

/// The splice that a viewer comes to next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Splice {
    /// The number of the run that begins there.
    pub(super) run: usize,
    /// The time in the stream of its first picture.
    pub(super) start_nanos: u64,
    /// Whether that picture is held, or cannot be made.
    pub(super) is_ready: bool,
}

impl SplicePace {
    /// When the picture with this time in the stream may go out, counted like the times of [`Self::note`]; `None` if it need
    /// not wait. Only a viewer who hurries is held back.
    pub(super) fn due(&mut self, pts_nanos: u64, splice: Splice, is_hurried: bool) -> Option<Duration> {
        let is_close = splice.start_nanos.saturating_sub(pts_nanos) <= HELD.as_nanos() as u64;
        let awaited = (is_close && !splice.is_ready).then_some(splice.run);
        let is_held = awaited.is_some() && (is_hurried || awaited == self.awaited_run);
        self.awaited_run = awaited.filter(|_| is_held);
        self.due = self.last.filter(|_| is_held).map(|last| last.at + shown(last, pts_nanos));
        self.due
    }

    /// A picture goes out, so long after the stream began.
    pub(super) fn note(&mut self, at: Duration, pts_nanos: u64) {
        // A clock that rings late must not make all pictures late.
        let period = self.last.map_or(Duration::ZERO, |last| shown(last, pts_nanos));
        let due = self.due.take().filter(|&due| (due..due + period).contains(&at));
        self.last = Some(Sent { at: due.unwrap_or(at), pts_nanos });
    }
}

/// How long a picture is shown before the one at `pts_nanos`.
fn shown(last: Sent, pts_nanos: u64) -> Duration {
    Duration::from_nanos(pts_nanos.saturating_sub(last.pts_nanos)).min(HELD)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD: Duration = Duration::from_millis(40);

    /// A run of fifty pictures after which another one begins, which is ready at some time.
    #[derive(Debug, Clone)]
    struct Viewer {
        /// How long the viewer takes for each picture, if it is not held back.
        micros: Vec<u64>,
        ready_at: Option<Duration>,
        is_hurried: bool,
        /// How late the clock rings.
        late_micros: u64,
    }

    impl Viewer {
        /// When each picture goes out, and how long it was held back.
        fn sent(&self) -> Vec<(Duration, Duration)> {
            let (mut pace, mut now, mut sent) = (SplicePace::default(), Duration::ZERO, Vec::new());
            for (number, &micros) in (0u32..).zip(&self.micros) {
                now += Duration::from_micros(micros);
                let pts_nanos = (PERIOD * number).as_nanos() as u64;
                let asked_at = now;
                // Asked again and again, as a future is that is dropped and called again.
                loop {
                    let is_ready = self.ready_at.is_some_and(|ready_at| ready_at <= now);
                    let start_nanos = (PERIOD * self.micros.len() as u32).as_nanos() as u64;
                    let splice = Splice { run: 1, start_nanos, is_ready };
                    let hurried = self.is_hurried && sent.len() < self.micros.len() - 10;
                    match pace.due(pts_nanos, splice, hurried) {
                        Some(due) if due > now => {
                            let rings_at = due + Duration::from_micros(self.late_micros);
                            now = self.ready_at.map_or(rings_at, |ready_at| rings_at.min(ready_at.max(now)));
                        }
                        _ => break,
                    }
                }
                pace.note(now, pts_nanos);
                sent.push((now, now.saturating_sub(asked_at)));
            }
            sent
        }
    }

    fn fast(ready_at: Option<Duration>) -> Viewer {
        Viewer { micros: vec![1_000; 50], ready_at, is_hurried: true, late_micros: 1_000 }
    }

    #[test]
    fn a_search_that_takes_long_has_the_last_second_before_the_splice_for_itself() {
        let sent = fast(None).sent();
        // The first of the last 25 is the first that has one before it to be shown after.
        assert!(sent[..25].iter().all(|(_, held)| held.is_zero()), "{sent:?}");
        let took = sent[49].0.saturating_sub(sent[24].0);
        assert!((PERIOD * 25..=PERIOD * 25 + 2 * Duration::from_millis(1)).contains(&took), "{took:?}");
    }

    #[test]
    fn nothing_is_held_back_from_the_moment_when_the_next_picture_is_there() {
        let ready_at = Duration::from_millis(300);
        let sent = fast(Some(ready_at)).sent();
        let after = sent.iter().filter(|(at, _)| *at > ready_at);
        assert!(after.clone().count() > 10 && after.clone().all(|(_, held)| held.is_zero()), "{sent:?}");
        assert!(sent[49].0 < ready_at + Duration::from_millis(50));
    }

    #[test]
    fn a_viewer_who_plays_is_not_held_back() {
        let calm = Viewer { is_hurried: false, ..fast(None) };
        assert!(calm.sent().iter().all(|(_, held)| held.is_zero()));
        let playing = Viewer { micros: vec![40_000; 50], ..fast(None) };
        assert!(playing.sent().iter().all(|(_, held)| held.is_zero()), "{:?}", playing.sent());
    }

    proptest! {
        #[test]
        fn no_picture_goes_out_later_than_it_would_be_shown(
            micros in prop::collection::vec(0u64..100_000, 20..60),
            ready_millis in prop::option::of(0u64..4000),
            is_hurried: bool,
            late_micros in 0u64..2_000,
        ) {
            let ready_at = ready_millis.map(Duration::from_millis);
            let viewer = Viewer { micros, ready_at, is_hurried, late_micros };
            let sent = viewer.sent();
            let late = Duration::from_micros(late_micros);
            for (pair, held) in sent.windows(2).zip(sent[1..].iter().map(|(_, held)| *held)) {
                let gap = pair[1].0.saturating_sub(pair[0].0);
                prop_assert!(held.is_zero() || gap <= PERIOD + late, "{gap:?} in {sent:?}");
            }
            // Late clocks do not add up.
            let slow: Duration = sent.iter().map(|(_, held)| *held).sum();
            prop_assert!(slow <= HELD + late, "{slow:?} in {sent:?}");
            for (at, held) in &sent {
                prop_assert!(ready_at.is_none_or(|ready_at| held.is_zero() || *at <= ready_at), "{sent:?}");
            }
        }
    }
}
