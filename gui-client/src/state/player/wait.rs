//! Why a video waits, in a sentence: decided from what is known of the wait and of the link.

use std::{
    fmt,
    time::{Duration, Instant},
};

use super::units::Megabits;
use crate::event::SEEK_PATIENCE;

/// A wait this short is not explained: a text that appears for a moment cannot be read.
const PATIENCE: Duration = SEEK_PATIENCE;

/// From this time on without a single byte, the sentence says how long it has been.
const SILENCE: Duration = Duration::from_secs(3);

/// A round trip from which on the distance is named as a reason.
const FAR: Duration = Duration::from_millis(200);

/// What arrives is too little if it is less than this share of what is needed.
const ENOUGH: f64 = 0.9;

/// What began a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitCause {
    /// The video was opened.
    Open,
    /// The person went to another position.
    Seek,
    /// The person chose another resolution.
    Quality,
    /// The pictures or the sound that had arrived ran out.
    Stall,
}

/// A wait, from its beginning until enough has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    cause: WaitCause,
    begun_at: Instant,
    /// Whether the server has answered the request that began it.
    is_answered: bool,
    /// Bytes of the epoch that had arrived when it began, and that have arrived by now.
    bytes: (u64, u64),
    /// When bytes arrived last, or else when it began.
    heard_at: Instant,
}

/// What is known of the link, whether anything waits or not.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LinkFigures {
    /// Bits of pictures and sound per second that arrive.
    pub arriving_bits_per_second: Option<f64>,
    /// What they take per second of the video.
    pub needed_bits_per_second: Option<f64>,
    /// Bits per second that the link carries while something arrives; `None` until it was measured.
    pub carried_bits_per_second: Option<f64>,
    /// The time from the last probe to its echo.
    pub round_trip: Option<Duration>,
    /// When that echo came.
    pub echoed_at: Option<Instant>,
}

/// Why a video waits. It is displayed as a sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WaitReason {
    /// The server has not said that the video, or the other position, begins.
    Answer,
    /// The same for so long that something may be wrong.
    LongAnswer(Duration),
    /// The same, and every answer of this server takes long.
    FarServer(Duration),
    /// The server has answered, and has sent no picture since: it has to make it first.
    Decoder,
    /// The same for so long that others may be the cause.
    LongDecoder(Duration),
    /// What had arrived has run out, and nothing comes.
    Silence(Duration),
    /// What had arrived has run out, and the server answers, but sends neither pictures nor sound.
    NoPictures(Duration),
    /// Pictures arrive, but more slowly than they are to be shown. Bits per second.
    TooLittle {
        /// What arrives.
        arriving: f64,
        /// What the video takes.
        needed: f64,
    },
    /// The same, because the link carries no more. Bits per second.
    SlowLink {
        /// What the link carries.
        carried: f64,
        /// What the video takes.
        needed: f64,
    },
    /// The same, although the link carries enough. Bits per second.
    SlowServer {
        /// What arrives.
        arriving: f64,
        /// What the video takes.
        needed: f64,
    },
    /// What had arrived has run out, and nothing has come since.
    Pictures,
    /// Pictures arrive, and there will be enough soon.
    Buffering(WaitCause),
}

impl Wait {
    /// A wait that begins now. `epoch_bytes` is what has arrived of the epoch.
    pub fn new(cause: WaitCause, epoch_bytes: u64, now: Instant) -> Self {
        let is_answered = cause == WaitCause::Stall;
        Self { cause, begun_at: now, is_answered, bytes: (epoch_bytes, epoch_bytes), heard_at: now }
    }

    /// The server has answered.
    pub fn answered(&mut self, now: Instant) {
        self.is_answered = true;
        self.heard_at = now;
    }

    /// Takes in what has arrived of the epoch.
    pub fn received(&mut self, epoch_bytes: u64, now: Instant) {
        if epoch_bytes != self.bytes.1 {
            self.bytes.1 = epoch_bytes;
            self.heard_at = now;
        }
    }

    /// Why it lasts; `None` while it is too short to be explained.
    pub fn reason(&self, link: &LinkFigures, now: Instant) -> Option<WaitReason> {
        let waited = now.saturating_duration_since(self.begun_at);
        if waited < PATIENCE {
            return None;
        }
        let silent_for = now.saturating_duration_since(self.heard_at);
        let is_long = silent_for >= SILENCE;
        if !self.is_answered {
            return Some(match link.round_trip {
                _ if is_long => WaitReason::LongAnswer(silent_for),
                Some(round_trip) if round_trip >= FAR => WaitReason::FarServer(round_trip),
                _ => WaitReason::Answer,
            });
        }
        let has_received = self.bytes.1 > self.bytes.0;
        match self.cause {
            WaitCause::Open | WaitCause::Seek | WaitCause::Quality if !has_received => {
                return Some(if is_long { WaitReason::LongDecoder(silent_for) } else { WaitReason::Decoder });
            }
            _ if is_long => {
                let is_answering = link.echoed_at.is_some_and(|at| now.saturating_duration_since(at) < SILENCE);
                let reason = if is_answering { WaitReason::NoPictures } else { WaitReason::Silence };
                return Some(reason(silent_for));
            }
            _ => {}
        }
        let shortage = link.shortage();
        Some(shortage.unwrap_or(if has_received { WaitReason::Buffering(self.cause) } else { WaitReason::Pictures }))
    }
}

impl LinkFigures {
    /// The reason if too little arrives.
    fn shortage(&self) -> Option<WaitReason> {
        let (arriving, needed) = (self.arriving_bits_per_second?, self.needed_bits_per_second?);
        if arriving <= 0.0 || arriving >= needed * ENOUGH {
            return None;
        }
        Some(match self.carried_bits_per_second {
            Some(carried) if carried < needed * ENOUGH => WaitReason::SlowLink { carried, needed },
            Some(carried) if carried > needed => WaitReason::SlowServer { arriving, needed },
            _ => WaitReason::TooLittle { arriving, needed },
        })
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            WaitReason::Answer => write!(f, "Waiting for the server's answer."),
            WaitReason::LongAnswer(time) => write!(f, "The server has not answered for {} s.", time.as_secs()),
            WaitReason::FarServer(time) => {
                write!(f, "Waiting for the server's answer. It is far away: an answer takes {} ms.", time.as_millis())
            }
            WaitReason::Decoder => write!(f, "Waiting for the server's decoder."),
            WaitReason::LongDecoder(time) => write!(
                f,
                "Waiting for the server's decoder for {} s. Other viewers may be using all of them.",
                time.as_secs()
            ),
            WaitReason::Silence(time) => write!(f, "Nothing has come from the server for {} s.", time.as_secs()),
            WaitReason::NoPictures(time) => {
                write!(f, "The server has sent neither pictures nor sound for {} s.", time.as_secs())
            }
            WaitReason::TooLittle { arriving, needed } => {
                let (arriving, needed) = (Megabits(arriving), Megabits(needed));
                write!(f, "Too little arrives: {arriving} Mbit/s, and {needed} are needed.")
            }
            WaitReason::SlowLink { carried, needed } => {
                let (carried, needed) = (Megabits(carried), Megabits(needed));
                write!(f, "Your link is slow: it carries {carried} Mbit/s, and {needed} are needed.")
            }
            WaitReason::SlowServer { arriving, needed } => {
                let (arriving, needed) = (Megabits(arriving), Megabits(needed));
                write!(f, "The server is slow: {arriving} Mbit/s arrive, and {needed} are needed.")
            }
            WaitReason::Pictures => write!(f, "Waiting for the server's pictures."),
            WaitReason::Buffering(WaitCause::Seek) => write!(f, "Buffering after a seek."),
            WaitReason::Buffering(WaitCause::Quality) => write!(f, "Buffering after a change of resolution."),
            WaitReason::Buffering(WaitCause::Open | WaitCause::Stall) => write!(f, "Buffering."),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [WaitCause; 4] = [WaitCause::Open, WaitCause::Seek, WaitCause::Quality, WaitCause::Stall];

    /// 8 Mbit/s of 83 arrive.
    const SLOW: LinkFigures = LinkFigures {
        arriving_bits_per_second: Some(8.04e6),
        needed_bits_per_second: Some(83.2e6),
        carried_bits_per_second: None,
        round_trip: None,
        echoed_at: None,
    };

    fn sentence(wait: &Wait, link: &LinkFigures, now: Instant) -> String {
        wait.reason(link, now).map(|reason| reason.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_wait_is_explained_by_how_far_it_has_come() {
        let begun = Instant::now();
        let after = |millis| begun + Duration::from_millis(millis);
        let link = LinkFigures::default();
        for cause in [WaitCause::Open, WaitCause::Seek, WaitCause::Quality] {
            let mut wait = Wait::new(cause, 0, begun);
            assert_eq!(sentence(&wait, &link, after(299)), "", "not for a moment");
            assert_eq!(sentence(&wait, &link, after(300)), "Waiting for the server's answer.");
            assert_eq!(sentence(&wait, &link, after(4_200)), "The server has not answered for 4 s.");
            wait.answered(after(500));
            assert_eq!(sentence(&wait, &link, after(500)), "Waiting for the server's decoder.");
            let long = "Waiting for the server's decoder for 3 s. Other viewers may be using all of them.";
            assert_eq!(sentence(&wait, &link, after(3_500)), long);
            wait.received(10_000, after(3_600));
            let buffering = match cause {
                WaitCause::Seek => "Buffering after a seek.",
                WaitCause::Quality => "Buffering after a change of resolution.",
                _ => "Buffering.",
            };
            assert_eq!(sentence(&wait, &link, after(3_600)), buffering);
            assert_eq!(sentence(&wait, &SLOW, after(3_600)), "Too little arrives: 8.0 Mbit/s, and 83 are needed.");
            wait.received(10_000, after(6_600));
            assert_eq!(sentence(&wait, &SLOW, after(6_600)), "Nothing has come from the server for 3 s.");
        }
    }

    #[test]
    fn a_stall_is_not_said_to_wait_for_an_answer_or_a_decoder() {
        let begun = Instant::now();
        let at = begun + Duration::from_millis(400);
        let mut wait = Wait::new(WaitCause::Stall, 5_000, begun);
        assert_eq!(sentence(&wait, &LinkFigures::default(), at), "Waiting for the server's pictures.");
        wait.received(6_000, at);
        assert_eq!(sentence(&wait, &LinkFigures::default(), at), "Buffering.");
        assert_eq!(sentence(&wait, &SLOW, at), "Too little arrives: 8.0 Mbit/s, and 83 are needed.");
        let enough = LinkFigures { arriving_bits_per_second: Some(83e6), ..SLOW };
        assert_eq!(sentence(&wait, &enough, at), "Buffering.");
    }

    #[test]
    fn a_slow_link_is_told_from_a_slow_server() {
        let begun = Instant::now();
        let at = begun + Duration::from_millis(400);
        let wait = Wait::new(WaitCause::Stall, 0, begun);
        let with = |carried| sentence(&wait, &LinkFigures { carried_bits_per_second: Some(carried), ..SLOW }, at);
        assert_eq!(with(9.9e6), "Your link is slow: it carries 9.9 Mbit/s, and 83 are needed.");
        assert_eq!(with(200e6), "The server is slow: 8.0 Mbit/s arrive, and 83 are needed.");
        assert_eq!(with(80e6), "Too little arrives: 8.0 Mbit/s, and 83 are needed.", "it could be either");
    }

    #[test]
    fn a_server_that_is_far_away_or_still_answers_is_told_from_others() {
        let begun = Instant::now();
        let after = |millis| begun + Duration::from_millis(millis);
        let far = LinkFigures { round_trip: Some(Duration::from_millis(420)), ..LinkFigures::default() };
        let sought = Wait::new(WaitCause::Seek, 0, begun);
        let answer = "Waiting for the server's answer. It is far away: an answer takes 420 ms.";
        assert_eq!(sentence(&sought, &far, after(400)), answer);
        let stalled = Wait::new(WaitCause::Stall, 0, begun);
        let answering = LinkFigures { echoed_at: Some(after(2_000)), ..far };
        let no_pictures = "The server has sent neither pictures nor sound for 4 s.";
        assert_eq!(sentence(&stalled, &answering, after(4_000)), no_pictures);
        assert_eq!(sentence(&stalled, &answering, after(5_000)), "Nothing has come from the server for 5 s.");
    }

    proptest! {
        /// Whatever is known: a short wait is not explained, and a longer one always is, by one sentence or more.
        #[test]
        fn every_wait_that_lasts_has_a_reason(
            cause in prop::sample::select(ALL.to_vec()),
            answered_after in prop::option::of(0_u64..10_000),
            received_after in prop::option::of(0_u64..10_000),
            waited in 0_u64..20_000,
            arriving in prop::option::of(0.0..1e9),
            needed in prop::option::of(0.0..1e9),
            carried in prop::option::of(0.0..1e9),
            round_trip in prop::option::of(0_u64..2_000),
        ) {
            let begun = Instant::now();
            let after = |millis| begun + Duration::from_millis(millis);
            let mut wait = Wait::new(cause, 0, begun);
            if let Some(millis) = answered_after.filter(|millis| *millis <= waited) {
                wait.answered(after(millis));
            }
            if let Some(millis) = received_after.filter(|millis| *millis <= waited) {
                wait.received(1, after(millis));
            }
            let link = LinkFigures {
                arriving_bits_per_second: arriving,
                needed_bits_per_second: needed,
                carried_bits_per_second: carried,
                round_trip: round_trip.map(Duration::from_millis),
                echoed_at: round_trip.map(|_| begun),
            };
            let reason = wait.reason(&link, after(waited));
            prop_assert_eq!(reason.is_some(), waited >= 300);
            if let Some(reason) = reason {
                let text = reason.to_string();
                prop_assert!(text.ends_with('.') && text.starts_with(char::is_uppercase), "{}", text);
            }
        }
    }
}
